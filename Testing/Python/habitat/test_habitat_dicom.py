"""``hcc habitat --dicom-seg``: the map as a DICOM SEG object of the series that it was found in."""

from __future__ import annotations

from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
import SimpleITK as sitk
from synthetic_dicom import save, slice_dataset

from hccoutcome.case import ImageFile, MaskFile
from hccoutcome.cli import main
from hccoutcome.imaging.reading import read_image, read_mask

QUICK = ("--repeats", "0", "--settings", "none", "--no-scene", "--k", "3", "--island", "0")
SHAPE = (8, 24, 24)


@pytest.fixture
def patient(tmp_path: Path) -> list[str]:
    """Write a portal venous series with three layers of grey and return the options that name it and its mask."""
    random = np.random.default_rng(3)
    voxels = 1024 + 100 * (np.arange(24) // 8) + random.normal(0, 5, SHAPE)
    for place, plane in enumerate(voxels.astype(np.int16)):
        save(slice_dataset(plane, (-10.0, -20.0, 100.0 + 2.5 * place), place + 1), tmp_path / "ct" / f"{place}.dcm")
    image = read_image(ImageFile(tmp_path / "ct"))
    inside = np.zeros(SHAPE, np.uint8)
    inside[2:7, 3:21, 2:22] = 1
    mask = sitk.GetImageFromArray(inside)
    mask.CopyInformation(image)
    sitk.WriteImage(mask, str(tmp_path / "mask.nii.gz"))
    sitk.WriteImage(image, str(tmp_path / "ct.nii.gz"))
    return ["--mask", f"tumor={tmp_path / 'mask.nii.gz'}", "--out", str(tmp_path / "out")]


def read_back(folder: Path, image: sitk.Image) -> list[np.ndarray]:
    path = folder / "out" / "habitats.dcm"
    return [sitk.GetArrayFromImage(read_mask(MaskFile(path, f"Habitat {n}"), reference=image)) for n in (1, 2, 3)]


def test_the_object_holds_the_map_of_the_label_image(patient: list[str], tmp_path: Path) -> None:
    assert main(["habitat", "--image", f"portal={tmp_path / 'ct'}", *patient, *QUICK, "--dicom-seg"]) == 0
    image = read_image(ImageFile(tmp_path / "ct"))
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out" / "habitats.nii.gz")))
    assert np.unique(labels).tolist() == [0, 1, 2, 3]
    for number, mask in enumerate(read_back(tmp_path, image), start=1):
        np.testing.assert_array_equal(mask, labels == number)
    description = hd.seg.segread(tmp_path / "out" / "habitats.dcm").get_segment_description(2)
    assert description.segmented_property_type.value == "HABITAT"
    assert description.algorithm_identification.name == "HCC Outcome habitats, one-step, kmeans"


def test_a_series_named_beside_a_plain_image_and_one_prepared_to_1_mm(patient: list[str], tmp_path: Path) -> None:
    options = ["--image", f"portal={tmp_path / 'ct.nii.gz'}", *patient, *QUICK, "--prepare", "ct"]
    assert main(["habitat", *options, "--dicom-seg", "--series", str(tmp_path / "ct")]) == 0
    labels = sitk.ReadImage(str(tmp_path / "out" / "habitats.nii.gz"))
    assert labels.GetSpacing() == pytest.approx((1.0, 1.0, 1.0))
    for number in (1, 2, 3):
        mask = read_mask(MaskFile(tmp_path / "out" / "habitats.dcm", f"Habitat {number}"))
        back = sitk.Resample(mask, labels, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(labels) == number)


def test_without_a_series_the_sentence_comes_before_the_work(
    patient: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    plain = ["--image", f"portal={tmp_path / 'ct.nii.gz'}", *patient, *QUICK]
    for options, message in (
        ([*plain, "--dicom-seg"], "belongs to a DICOM series, found the portal image 'ct.nii.gz': name the folder"),
        ([*plain, "--series", str(tmp_path / "ct")], "--series goes with --dicom-seg, found it alone"),
        ([*plain, "--dicom-seg", "--series", str(tmp_path / "no")], "does not exist: check the path"),
        ([*plain, "--dicom-seg", "--series", f"{tmp_path / 'ct'}#1.2.9"], "The series '1.2.9' was expected in 'ct'"),
    ):
        assert main(["habitat", *options]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
