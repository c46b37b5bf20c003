"""DICOM series: stacking by position, listing, choosing, and the sentence for every series that is no volume."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless
from synthetic_dicom import SERIES, save, slice_dataset, voxels_of, write_series

from hccoutcome.case import ImageFile
from hccoutcome.errors import InputError
from hccoutcome.imaging.dicom import list_series, read_series
from hccoutcome.imaging.geometry import on_grid, same_lattice
from hccoutcome.imaging.reading import read_image

HTJ2K = "1.2.840.10008.1.2.4.201"


def refusal(path: Path, series: str | None = None, phase: str | None = None) -> str:
    with pytest.raises(InputError) as refused:
        read_image(ImageFile(path, series), phase)
    return str(refused.value)


def change(path: Path, **elements) -> Path:
    dataset = pydicom.dcmread(path)
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path


def test_slices_are_stacked_by_position_in_hounsfield_units(tmp_path):
    write_series(tmp_path)
    image = read_image(ImageFile(tmp_path))
    assert image.GetSize() == (8, 6, 5)
    assert image.GetSpacing() == pytest.approx((0.7, 0.8, 2.5))
    assert image.GetOrigin() == (-10.0, -20.0, 100.0)
    assert image.GetPixelID() == sitk.sitkInt16
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), voxels_of(5) - 1024)


def test_an_oblique_series_is_placed_by_its_orientation(tmp_path):
    c, s = np.cos(0.3), np.sin(0.3)
    row, column = np.array([1.0, 0, 0]), np.array([0, c, s])
    normal = np.cross(row, column)
    for k in range(4):
        position = np.array([5.0, 6.0, 7.0]) - 3.0 * k * normal
        dataset = slice_dataset(voxels_of(4)[k], position, k, ImageOrientationPatient=[*row, *column])
        save(dataset, tmp_path / f"{k}.dcm")
    image = read_image(ImageFile(tmp_path))
    voxels = sitk.GetArrayFromImage(image)
    for k in range(4):
        place = np.array([5.0, 6.0, 7.0]) - 3.0 * k * normal + 2 * 0.7 * row + 3 * 0.8 * column
        x, y, z = image.TransformPhysicalPointToIndex(place)
        assert voxels[z, y, x] == voxels_of(4)[k, 3, 2] - 1024
    assert np.linalg.det(np.reshape(image.GetDirection(), (3, 3))) == pytest.approx(1)


def test_rescale_slopes_that_differ_by_slice_are_applied(tmp_path):
    for k in range(3):
        dataset = slice_dataset(voxels_of(3)[k], (0, 0, k), k, RescaleSlope=0.5 * (k + 1), RescaleIntercept=1)
        save(dataset, tmp_path / f"{k}.dcm")
    image = read_image(ImageFile(tmp_path))
    assert image.GetPixelID() == sitk.sitkFloat32
    expected = voxels_of(3) * np.array([0.5, 1, 1.5])[:, None, None] + 1
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), expected)


def test_values_beyond_16_bits_are_kept(tmp_path):
    write_series(tmp_path, 3, RescaleIntercept=40_000)
    image = read_image(ImageFile(tmp_path))
    assert image.GetPixelID() == sitk.sitkInt32
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), voxels_of(3).astype(np.int32) + 40_000)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_other_encodings_give_the_same_voxels(tmp_path, syntax):
    for k in range(3):
        save(slice_dataset(voxels_of(3)[k], (0, 0, k), k), tmp_path / f"{k}.dcm", syntax)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(ImageFile(tmp_path))), voxels_of(3) - 1024)


def test_run_length_compressed_slices_give_the_same_voxels(tmp_path):
    for path in write_series(tmp_path):
        dataset = pydicom.dcmread(path)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(ImageFile(tmp_path))), voxels_of(5) - 1024)


@pytest.mark.parametrize("cut", [1, 8, 20, 60])
def test_compressed_pixels_that_end_too_early_are_refused(tmp_path, cut):
    for path in write_series(tmp_path):
        dataset = pydicom.dcmread(path)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(path)
    path.write_bytes(path.read_bytes()[:-cut])
    assert f"The DICOM file '{path.name}' is cut short" in refusal(tmp_path)


def test_an_encoding_that_cannot_be_decoded_is_named(tmp_path):
    for path in write_series(tmp_path):
        dataset = pydicom.dcmread(path)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.file_meta.TransferSyntaxUID = HTJ2K
        dataset.save_as(path)
    message = refusal(tmp_path)
    assert "'High-Throughput JPEG 2000 Image Compression (Lossless Only)', which cannot be decoded here" in message
    assert message.endswith("decompress the series, for example with gdcmconv --raw.")


def test_one_file_stands_for_its_series(tmp_path):
    paths = write_series(tmp_path)
    write_series(tmp_path, name="other", SeriesInstanceUID="1.2.9", start=500.0)
    image = read_image(ImageFile(paths[2]))
    assert image.GetSize() == (8, 6, 5)
    assert image.GetOrigin()[2] == 100.0


def test_a_second_copy_of_a_file_changes_nothing(tmp_path):
    paths = write_series(tmp_path)
    shutil.copy(paths[0], tmp_path / "copy.dcm")
    assert read_image(ImageFile(tmp_path)).GetSize() == (8, 6, 5)


def test_a_missing_slice_is_refused_with_its_place(tmp_path):
    write_series(tmp_path, 7)[3].unlink()
    assert refusal(tmp_path) == (
        f"The series {SERIES} (CT, '', 6 images) was expected to have a slice every 2.50 mm, "
        "found 1 missing between 105.0 and 110.0 mm: export the whole series again."
    )


@pytest.mark.parametrize("gone", [1, 2, 3, 4, 5])
def test_a_missing_slice_is_found_wherever_it_was(tmp_path, gone):
    write_series(tmp_path, 7)[gone].unlink()
    assert "found 1 missing between" in refusal(tmp_path)


def test_uneven_slices_are_refused_and_rounded_positions_are_not(tmp_path):
    for k, z in enumerate([0.0, 0.6, 1.3, 1.9, 2.5]):
        save(slice_dataset(voxels_of(5)[k], (0, 0, z), k), tmp_path / "rounded" / f"{k}.dcm")
    assert read_image(ImageFile(tmp_path / "rounded")).GetSpacing()[2] == pytest.approx(0.625)
    for k, z in enumerate([0.0, 1.0, 2.0, 3.4, 4.4]):
        save(slice_dataset(voxels_of(5)[k], (0, 0, z), k), tmp_path / "uneven" / f"{k}.dcm")
    assert "a slice every 1.00 mm, found distances from 1.00 to 1.40 mm" in refusal(tmp_path / "uneven")


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"PixelSpacing": [0.5, 0.5]}, "found 2 pixel spacings (0.5 x 0.5 and 0.8 x 0.7)"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "found 2 orientations (0 x 1 x 0 x 0 x 0 x -1 and 1 x 0"),
    ],
)
def test_mixed_slices_in_one_series_are_refused(tmp_path, elements, words):
    change(write_series(tmp_path)[0], **elements)
    message = refusal(tmp_path)
    assert "was expected to hold slices of one kind, " + words in message
    assert message.endswith("separate the mixed series.")


def test_slices_of_two_sizes_are_refused(tmp_path):
    write_series(tmp_path)
    save(slice_dataset(voxels_of(1, 7, 8)[0], (-10, -20, 112.5), 9), tmp_path / "x.dcm")
    assert "found 2 sizes (6, 8 and 7, 8)" in refusal(tmp_path)


def test_two_slices_at_one_position_that_nothing_tells_apart_are_refused(tmp_path):
    write_series(tmp_path)
    save(slice_dataset(voxels_of(5)[0], (-10, -20, 100.0), 99), tmp_path / "again.dcm")
    assert "one slice at each position, found 1 positions with several: separate the volumes" in refusal(tmp_path)


def test_a_tilted_gantry_is_refused(tmp_path):
    for k in range(5):
        save(slice_dataset(voxels_of(5)[k], (0, 1.0 * k, 3.0 * k), k), tmp_path / f"{k}.dcm")
    assert "sheared by 18.4 degrees (gantry tilt): resample it to a rectangular grid first." in refusal(tmp_path)


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_images_without_a_place_are_refused(tmp_path, keyword):
    write_series(tmp_path, **{keyword: None})
    assert "was expected to say where its images lie, found 5 without position" in refusal(tmp_path)


def test_a_pixel_spacing_of_zero_is_refused(tmp_path):
    write_series(tmp_path, PixelSpacing=[0.0, 0.7])
    assert "was expected to have a positive pixel spacing, found 0 x 0.7 mm: export it again." in refusal(tmp_path)


def test_a_single_slice_is_refused(tmp_path):
    write_series(tmp_path, 1)
    assert "was expected to hold a volume, found one slice: give the whole series." in refusal(tmp_path)


def test_a_file_cut_short_is_refused(tmp_path):
    path = write_series(tmp_path)[2]
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-10])
    assert refusal(tmp_path) == (
        f"The DICOM file '{path.name}' is cut short: at least {size:,} bytes were expected, found {size - 10:,}: "
        "copy it again from its source."
    )


def test_a_folder_without_dicom_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    assert refusal(tmp_path) == (
        f"The folder '{tmp_path.name}' was expected to hold a DICOM series, found 1 files and none of them DICOM: "
        "check the path, or give the image's file itself."
    )


def test_a_folder_with_reports_only_is_refused(tmp_path):
    write_series(tmp_path, 2, Modality="SR")
    assert "found 2 DICOM files and no image among them (SR): give the folder of the image series." in refusal(tmp_path)


def test_a_file_that_is_no_image_is_refused(tmp_path):
    path = write_series(tmp_path, 1, Modality="SEG")[0]
    assert refusal(path) == (
        f"'{path.name}' was expected to be a DICOM image, found SEG: give a file of the image series."
    )


def dynamic(folder: Path) -> None:
    """Write a study of four phases, one without any word for its phase, and a scout."""
    times = {"NATIV": "100000", "ART": "100530", "series 4": "100610", "Delayed 3 min": "100900"}
    for number, (description, time) in enumerate(times.items(), start=1):
        write_series(
            folder / str(number), SeriesInstanceUID=f"1.2.{number}", SeriesDescription=description, SeriesNumber=number,
            AcquisitionDate="20200102", AcquisitionTime=time,
        )  # fmt: skip
    write_series(folder / "scout", 1, SeriesInstanceUID="1.2.9", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])


def test_the_series_of_a_folder_are_listed_with_their_phases_and_without_the_patient(tmp_path):
    dynamic(tmp_path)
    found = list_series(tmp_path)
    assert [(s.uid, s.phase, s.phase_source, s.count) for s in found if s.is_volume] == [
        ("1.2.1", "precontrast", "description", 5),
        ("1.2.2", "arterial", "description", 5),
        ("1.2.3", "portal", "acquisition order", 5),
        ("1.2.4", "delayed", "description", 5),
    ]
    assert found[1].acquired is None or found[-1].acquired == "2020-01-02 10:09:00"
    assert "Doe" not in json.dumps([asdict(series) for series in found])


def test_a_series_is_chosen_by_phase_or_uid_among_several(tmp_path):
    dynamic(tmp_path)
    assert read_series(tmp_path, phase="arterial").series.uid == "1.2.2"
    assert read_series(tmp_path, series_uid="1.2.3").series.description == "series 4"


def test_a_phase_that_is_only_a_guess_from_the_order_is_not_chosen_by(tmp_path):
    dynamic(tmp_path)
    message = refusal(tmp_path, phase="portal")
    assert message.startswith(
        f"'{tmp_path.name}' was expected to hold one portal series, found 4 series: 1.2.1 (CT, 'NATIV'"
    )
    assert "1.2.3 (CT, 'series 4', 5 images, portal by acquisition order)" in message
    assert message.endswith("name the one that is meant by its series UID.")


def test_an_unknown_series_uid_is_answered_with_the_nearest(tmp_path):
    dynamic(tmp_path)
    assert "The series '1.2.44' was expected in" in refusal(tmp_path, "1.2.44")
    assert "did you mean '1.2.4'?" in refusal(tmp_path, "1.2.44")


@pytest.mark.parametrize(
    ("delay", "phase"), [("095935", "arterial"), ("095850", "portal"), ("095600", "delayed"), ("093000", None)]
)
def test_the_phase_of_a_ct_is_guessed_from_the_time_since_the_bolus(tmp_path, delay, phase):
    write_series(
        tmp_path, 2, AcquisitionDate="20200102", AcquisitionTime="100010", ContrastBolusStartTime=delay,
        ContrastBolusAgent="Iomeprol",
    )  # fmt: skip
    assert list_series(tmp_path)[0].phase == phase


def test_two_acquisitions_in_one_series_are_listed_apart_and_chosen_by_their_uid(tmp_path):
    write_series(tmp_path, 4, name="a", AcquisitionNumber=2)
    for k in range(6):
        dataset = slice_dataset(voxels_of(6)[k] + 1, (-10.0, -20.0, 100.0 + 2.5 * k), 50 + k, AcquisitionNumber=3)
        save(dataset, tmp_path / f"b{k}.dcm")
    found = list_series(tmp_path)
    assert [(series.uid, series.count) for series in found] == [
        (f"{SERIES}#AcquisitionNumber=2", 4),
        (f"{SERIES}#AcquisitionNumber=3", 6),
    ]
    assert read_image(ImageFile(tmp_path, found[1].uid)).GetSize() == (8, 6, 6)
    assert "found 2 series" in refusal(tmp_path, SERIES)


def multiframe(path: Path, positions: list[float]) -> Path:
    """Write an enhanced MR object whose frames lie at the given heights."""
    volume = voxels_of(len(positions)).astype(np.uint16)
    dataset = slice_dataset(volume[0], (0, 0, 0), 1, ImagePositionPatient=None, ImageOrientationPatient=None)
    dataset.SOPClassUID, dataset.Modality, dataset.PixelRepresentation = "1.2.840.10008.5.1.4.1.1.4.1", "MR", 0
    del dataset.PixelSpacing, dataset.RescaleSlope, dataset.RescaleIntercept
    dataset.NumberOfFrames = len(positions)
    dataset.PixelData = volume.tobytes()
    dataset.ContentDate, dataset.ContentTime = "20200101", "120000"

    def item(**elements) -> Dataset:
        made = Dataset()
        for keyword, value in elements.items():
            setattr(made, keyword, value)
        return made

    dataset.SharedFunctionalGroupsSequence = [
        item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
            PixelMeasuresSequence=[item(PixelSpacing=[0.8, 0.7], SliceThickness=2, SpacingBetweenSlices=2)],
            PixelValueTransformationSequence=[item(RescaleSlope=2, RescaleIntercept=3, RescaleType="US")],
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[-10, -20, z])],
            FrameContentSequence=[item(DimensionIndexValues=[k + 1])],
        )
        for k, z in enumerate(positions)
    ]
    organization = item(DimensionOrganizationUID="1.2.77")
    dataset.DimensionOrganizationSequence = [organization]
    dataset.DimensionIndexSequence = [
        item(
            DimensionOrganizationUID="1.2.77",
            DimensionIndexPointer=0x00200032,
            FunctionalGroupPointer=0x00209113,
        )
    ]
    return save(dataset, path)


def test_an_enhanced_multi_frame_file_is_read_as_a_volume(tmp_path):
    path = multiframe(tmp_path / "mf.dcm", [6.0, 4.0, 2.0, 0.0])
    for where in (path, tmp_path):
        image = read_image(ImageFile(where))
        assert image.GetSpacing() == pytest.approx((0.7, 0.8, 2.0))
        assert image.GetPixelID() == sitk.sitkInt16
        voxels = sitk.GetArrayFromImage(image)
        for k, z in enumerate([6.0, 4.0, 2.0, 0.0]):
            index = image.TransformPhysicalPointToIndex((-10 + 0.7 * 5, -20 + 0.8 * 2, z))
            assert voxels[index[::-1]] == voxels_of(4)[k, 2, 5] * 2 + 3


def test_frames_that_form_no_even_stack_are_refused(tmp_path):
    path = multiframe(tmp_path / "mf.dcm", [0.0, 2.0, 7.0, 8.0])
    assert "was expected to hold one even volume, but it cannot be read as one" in refusal(path)


def test_a_real_compressed_series_lies_where_the_mask_made_from_it_lies(data):
    folder = data / "totalseg_examples"
    image = read_image(ImageFile(folder / "example_ct_dicom"))
    assert image.GetSize() == (512, 512, 20)
    assert image.GetSpacing() == (0.9765625, 0.9765625, 2.0)
    assert image.GetPixelID() == sitk.sitkInt16
    seg = read_image(ImageFile(folder / "example_seg_dicom.nii.gz"))
    assert same_lattice(seg, image)
    liver = sitk.GetArrayFromImage(on_grid(seg, image)) == 5
    hounsfield = sitk.GetArrayFromImage(image)[liver]
    assert 80 < hounsfield.mean() < 100
    assert hounsfield.std() < 25


def test_the_real_series_are_listed(data):
    found = list_series(data / "totalseg_examples" / "example_ct_dicom")
    assert [(s.description, s.modality, s.count, s.phase, s.phase_source) for s in found] == [
        ("CT Body 3.0", "CT", 20, "portal", "contrast timing")
    ]


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_is_read_or_refused_but_never_a_defect(tmp_path, seed):
    path = write_series(tmp_path, 3)[1]
    content = bytearray(path.read_bytes())
    generator = np.random.default_rng(seed)
    for at in generator.integers(132, len(content) - 96, 3):
        content[at] = generator.integers(0, 256)
    path.write_bytes(content)
    try:
        assert read_image(ImageFile(tmp_path)).GetSize()[:2] == (8, 6)
    except InputError as error:
        assert "expected" in str(error) or "damaged" in str(error)
