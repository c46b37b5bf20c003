"""DICOM SEG: segments by label and number, left-out frames, fractions, and the real liver."""

from __future__ import annotations

from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from highdicom.sr.coding import CodedConcept
from synthetic_dicom import write_series

from hccoutcome.case import ImageFile, MaskFile
from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import same_geometry
from hccoutcome.imaging.reading import read_image, read_mask

TISSUE = CodedConcept("85756007", "SCT", "Tissue")


def description(number: int, label: str) -> hd.seg.SegmentDescription:
    return hd.seg.SegmentDescription(
        number, label, TISSUE, CodedConcept("10200004", "SCT", "Liver"), hd.seg.SegmentAlgorithmTypeValues.MANUAL
    )


def write_seg(path: Path, sources: list[Path], voxels: np.ndarray, labels: list[str], kind: str = "BINARY") -> Path:
    """Write a SEG object; ``voxels`` has the shape (slices, rows, columns, segments) in the order of the sources."""
    datasets = [pydicom.dcmread(source) for source in sources]
    for dataset in datasets:
        dataset.SliceThickness = 2.5
        dataset.StudyDate = dataset.StudyTime = dataset.AccessionNumber = dataset.StudyID = None
        dataset.PatientBirthDate = dataset.PatientSex = dataset.ReferringPhysicianName = None
    segmentation = hd.seg.Segmentation(
        source_images=datasets,
        pixel_array=voxels,
        segmentation_type=kind,
        segment_descriptions=[description(number, label) for number, label in enumerate(labels, start=1)],
        series_instance_uid="1.2.3.4.77",
        series_number=7,
        sop_instance_uid="1.2.3.4.77.1",
        instance_number=1,
        manufacturer="hccoutcome",
        manufacturer_model_name="tests",
        software_versions="1",
        device_serial_number="1",
        omit_empty_frames=True,
    )
    segmentation.save_as(path)
    return path


@pytest.fixture
def series(tmp_path) -> list[Path]:
    return write_series(tmp_path / "ct", 6)


def two_segments() -> np.ndarray:
    """Return two segments: one in slices 1 to 4 but not 3, one in slice 5 only."""
    voxels = np.zeros((6, 6, 8, 2), dtype=np.uint8)
    voxels[[1, 2, 4], 1:4, 2:7, 0] = 1
    voxels[5, 0, 0, 1] = 1
    return voxels


@pytest.mark.parametrize("segment", ["Liver", "liver ", "1"])
def test_a_segment_is_chosen_by_label_or_number_and_fills_the_grid_of_its_series(tmp_path, series, segment):
    path = write_seg(tmp_path / "seg.dcm", series, two_segments(), ["Liver", "Tumor"])
    image = read_image(ImageFile(tmp_path / "ct"))
    mask = read_mask(MaskFile(path, segment), reference=image)
    assert same_geometry(mask, image)
    assert mask.GetPixelID() == sitk.sitkUInt8
    np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), two_segments()[..., 0])


def test_without_a_reference_a_segment_comes_as_stored(tmp_path, series):
    path = write_seg(tmp_path / "seg.dcm", series, two_segments(), ["Liver", "Tumor"])
    mask = read_mask(MaskFile(path, "Liver"))
    assert sitk.GetArrayFromImage(mask).sum() == 45
    assert mask.GetSize()[:2] == (8, 6)


def test_several_segments_and_none_named_is_refused_and_so_is_an_unknown_one(tmp_path, series):
    path = write_seg(tmp_path / "seg.dcm", series, two_segments(), ["Liver", "Tumor"])
    with pytest.raises(InputError, match=r"expected to hold one segment, found 2 \(Liver, Tumor\): name the one"):
        read_mask(MaskFile(path))
    with pytest.raises(InputError, match=r"one segment 'Tumr', found 2: did you mean 'Tumor'\?"):
        read_mask(MaskFile(path, "Tumr"))


def test_the_only_segment_needs_no_name_and_a_folder_with_one_seg_will_do(tmp_path, series):
    write_seg(tmp_path / "ct" / "seg.dcm", series, two_segments()[..., :1], ["Liver"])
    assert sitk.GetArrayFromImage(read_mask(MaskFile(tmp_path / "ct"))).sum() == 45
    assert read_image(ImageFile(tmp_path / "ct")).GetSize() == (8, 6, 6)


def test_a_fraction_of_one_half_is_inside(tmp_path, series):
    fractions = np.zeros((6, 6, 8, 1), dtype=np.float32)
    fractions[2, 0, :4, 0] = [0.2, 0.499, 0.502, 1.0]
    path = write_seg(tmp_path / "seg.dcm", series, fractions, ["Liver"], "FRACTIONAL")
    assert sitk.GetArrayFromImage(read_mask(MaskFile(path))).sum() == 2


def test_an_image_in_place_of_a_seg_is_refused(series, tmp_path):
    with pytest.raises(InputError, match="was expected to be a DICOM SEG object, found CT: give the segmentation"):
        read_mask(MaskFile(series[0]))
    with pytest.raises(InputError, match="was expected to hold one DICOM SEG object as a mask, found 0: give the file"):
        read_mask(MaskFile(tmp_path / "ct"))


def test_a_seg_cut_short_is_refused(tmp_path, series):
    path = write_seg(tmp_path / "seg.dcm", series, two_segments(), ["Liver", "Tumor"])
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(InputError, match=r"The DICOM file 'seg\.dcm' is cut short"):
        read_mask(MaskFile(path, "Liver"))


def test_the_real_liver_segment_is_the_reference_voxel_by_voxel(data):
    folder = data / "dicom_seg_liver"
    image = read_image(ImageFile(folder / "ct"))
    mask = read_mask(MaskFile(folder / "liver.dcm", "Liver"), reference=image)
    reference = read_mask(MaskFile(folder / "liver_seg.nrrd"), reference=image)
    assert same_geometry(mask, image)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), sitk.GetArrayFromImage(reference))
    volume = sitk.GetArrayViewFromImage(mask).sum() * np.prod(mask.GetSpacing()) / 1000
    assert volume == pytest.approx(70.4, abs=0.05)
