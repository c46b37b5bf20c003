"""Labels written as DICOM SEG: read back by our reader, by highdicom and by pydicom's elements."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from synthetic_dicom import write_series

from hccoutcome.case import MaskFile
from hccoutcome.errors import InputError
from hccoutcome.imaging.dicom import DicomImage, read_series
from hccoutcome.imaging.dicom_seg_write import SegmentCode, write_seg
from hccoutcome.imaging.geometry import same_geometry
from hccoutcome.imaging.reading import read_mask

WHEN = datetime(2026, 3, 1, 12, 30, 15)
SPATIAL = ("309825002", "SCT", "Spatial and Relational Concept")
HABITAT = ("HABITAT", "99HCCOUTCOME", "Tumour habitat")
LIVER = ("10200004", "SCT", "Liver")
SEGMENTS = tuple(
    SegmentCode(number, f"Habitat {number}", SPATIAL, HABITAT, LIVER, colour)
    for number, colour in enumerate(((51, 34, 136), (221, 204, 119), (136, 204, 238)), start=1)
)


@pytest.fixture
def series(tmp_path: Path) -> DicomImage:
    write_series(tmp_path / "ct", 6)
    return read_series(tmp_path / "ct")


def labels_on(image: sitk.Image) -> sitk.Image:
    """Return labels 1 to 3 in slices 1, 2 and 4 of the synthetic series, with nothing between."""
    voxels = np.zeros(image.GetSize()[::-1], dtype=np.uint8)
    voxels[1, 1:4, 2:5], voxels[2, 1:4, 2:7], voxels[4, 0, 3] = 1, 2, 3
    labels = sitk.GetImageFromArray(voxels)
    labels.CopyInformation(image)
    return labels


def array(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


def test_every_segment_reads_back_voxel_by_voxel_on_the_series(tmp_path: Path, series: DicomImage) -> None:
    labels = labels_on(series.image)
    path = write_seg(tmp_path / "seg.dcm", labels, SEGMENTS, series, "k-means", WHEN)
    for segment in SEGMENTS:
        mask = read_mask(MaskFile(path, segment.name), reference=series.image)
        assert same_geometry(mask, series.image)
        np.testing.assert_array_equal(array(mask), array(labels) == segment.number)


def test_highdicom_finds_codes_colours_and_the_source_slices(tmp_path: Path, series: DicomImage) -> None:
    path = write_seg(tmp_path / "seg.dcm", labels_on(series.image), SEGMENTS, series, "k-means", WHEN)
    found = hd.seg.segread(path)
    assert found.segmentation_type == hd.seg.SegmentationTypeValues.BINARY
    for segment in SEGMENTS:
        description = found.get_segment_description(segment.number)
        assert description.segment_label == segment.name
        assert description.segmented_property_type == hd.sr.CodedConcept(*HABITAT)
        assert description.segmented_property_category == hd.sr.CodedConcept(*SPATIAL)
        assert description.anatomic_regions == [hd.sr.CodedConcept(*LIVER)]
        # CIELab in 16 bits a channel comes back within a step or two of 8 bits.
        stored = hd.color.CIELabColor.from_dicom_value(description.RecommendedDisplayCIELabValue)
        assert np.abs(np.subtract(stored.to_rgb(), segment.colour)).max() <= 2
    places = {str(uid) for _, _, uid in found.get_source_image_uids()}
    assert places == {str(pydicom.dcmread(file).SOPInstanceUID) for file in series.files}
    volume = found.get_volume(combine_segments=True, allow_missing_positions=True)
    assert np.unique(volume.array).tolist() == [0, 1, 2, 3]


def test_pydicom_finds_patient_study_frame_and_frames(tmp_path: Path, series: DicomImage) -> None:
    path = write_seg(tmp_path / "seg.dcm", labels_on(series.image), SEGMENTS, series, "k-means", WHEN)
    found, source = pydicom.dcmread(path), pydicom.dcmread(series.files[0])
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert getattr(found, keyword) == getattr(source, keyword)
    assert found.SeriesInstanceUID != source.SeriesInstanceUID
    assert (found.Modality, found.NumberOfFrames, found.SOPClassUID.name) == ("SEG", 3, "Segmentation Storage")
    assert (found.ContentDate, found.ContentTime) == ("20260301", "123015.000000")
    referred = {
        str(item.ReferencedSOPInstanceUID)
        for frame in found.PerFrameFunctionalGroupsSequence
        for item in frame.DerivationImageSequence[0].SourceImageSequence
    }
    slices = {tuple(pydicom.dcmread(file).ImagePositionPatient): file for file in series.files}
    expected = {slices[(-10.0, -20.0, 100.0 + 2.5 * index)] for index in (1, 2, 4)}
    assert referred == {str(pydicom.dcmread(file).SOPInstanceUID) for file in expected}


@pytest.mark.parametrize("degrees", [0.0, 17.0])
def test_labels_on_another_grid_keep_their_own_voxels(tmp_path: Path, series: DicomImage, degrees: float) -> None:
    turn = np.radians(degrees)
    axes = (np.cos(turn), -np.sin(turn), 0, np.sin(turn), np.cos(turn), 0, 0, 0, 1)
    voxels = np.random.default_rng(1).integers(0, 4, (9, 5, 4)).astype(np.uint8)
    voxels[[0, -1]], voxels[:, [0, -1]], voxels[:, :, [0, -1]] = 0, 0, 0
    labels = sitk.GetImageFromArray(voxels)
    labels.SetSpacing((1.0, 1.0, 1.0))
    labels.SetOrigin((-9.0, -19.0, 102.0))
    labels.SetDirection(axes)
    path = write_seg(tmp_path / "seg.dcm", labels, SEGMENTS, series, "k-means", WHEN)
    for segment in SEGMENTS:
        mask = read_mask(MaskFile(path, segment.name))
        np.testing.assert_allclose(mask.GetDirection(), axes, atol=1e-6)
        back = sitk.Resample(mask, labels, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
        np.testing.assert_array_equal(array(back), voxels == segment.number)
    assert pydicom.dcmread(path).FrameOfReferenceUID == pydicom.dcmread(series.files[0]).FrameOfReferenceUID


def test_the_same_content_and_time_give_the_same_bytes_and_another_time_other_uids(
    tmp_path: Path, series: DicomImage
) -> None:
    labels = labels_on(series.image)
    paths = [
        write_seg(tmp_path / f"{number}.dcm", labels, SEGMENTS, series, "k-means", when)
        for number, when in enumerate((WHEN, WHEN, WHEN.replace(second=16)))
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert len({pydicom.dcmread(path).SOPInstanceUID for path in paths}) == 2


def test_a_label_that_is_absent_keeps_its_number(tmp_path: Path, series: DicomImage) -> None:
    labels = labels_on(series.image)
    path = write_seg(tmp_path / "seg.dcm", labels * sitk.Cast(labels != 2, sitk.sitkUInt8), SEGMENTS, series, "k", WHEN)
    assert list(hd.seg.segread(path).segment_numbers) == [1, 2, 3]
    np.testing.assert_array_equal(
        array(read_mask(MaskFile(path, "Habitat 3"), reference=series.image)), array(labels) == 3
    )
    with pytest.raises(InputError, match="Habitat 2"):
        read_mask(MaskFile(path, "Habitat 2"))


def test_names_in_another_character_set_survive(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", 3, SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg")
    series = read_series(tmp_path / "ct")
    labels = labels_on(sitk.Image(8, 6, 5, sitk.sitkUInt8))[:, :, :3]
    labels.CopyInformation(series.image)
    found = pydicom.dcmread(write_seg(tmp_path / "seg.dcm", labels, SEGMENTS, series, "k-means", WHEN))
    assert (str(found.PatientName), found.SpecificCharacterSet) == ("Müller^Jörg", "ISO_IR 192")


def test_what_cannot_be_written_is_said(tmp_path: Path, series: DicomImage) -> None:
    labels = labels_on(series.image)
    away = sitk.Image(labels)
    away.SetOrigin((900.0, 0.0, 0.0))
    longer = sitk.ConstantPad(labels_on(series.image), (0, 0, 2), (0, 0, 0), 1)
    for wrong, segments, message in (
        (labels * 0, SEGMENTS, "has labels, found none"),
        (labels, SEGMENTS[:2], "Labels are 0 to 2, found 0 to 3"),
        (labels, SEGMENTS[1:], r"numbered from 1 without a gap, found \[2, 3\]"),
        (away, SEGMENTS, "should lie inside the DICOM series, found no voxel of it there"),
        (longer, SEGMENTS, "lie outside: give the image on which it was outlined"),
    ):
        with pytest.raises(InputError, match=message):
            write_seg(tmp_path / "seg.dcm", wrong, segments, series, "k-means", WHEN)
    assert not (tmp_path / "seg.dcm").exists()


def test_a_series_without_a_frame_of_reference_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", 6, FrameOfReferenceUID=None)
    series = read_series(tmp_path / "ct")
    with pytest.raises(InputError, match="should state the element FrameOfReferenceUID in each of its 6 files"):
        write_seg(tmp_path / "seg.dcm", labels_on(series.image), SEGMENTS, series, "k-means", WHEN)


def test_the_real_liver_is_written_again_as_it_was(data: Path, tmp_path: Path) -> None:
    folder = data / "dicom_seg_liver"
    series = read_series(folder / "ct")
    liver = read_mask(MaskFile(folder / "liver.dcm", "Liver"), reference=series.image)
    segment = replace(SEGMENTS[0], name="Liver", type=LIVER, site=None)
    path = write_seg(tmp_path / "seg.dcm", liver, [segment], series, "a reader", WHEN)
    np.testing.assert_array_equal(array(read_mask(MaskFile(path, "Liver"), reference=series.image)), array(liver))
