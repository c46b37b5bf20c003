"""Preparation of a region: what is refused, in which words, and a few values that can be worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.radiomics.preprocess import (
    Prepared,
    bounding_box,
    geometry_difference,
    measure_normalisation,
    prepare_region,
)
from hccoutcome.radiomics.settings import RadiomicsSettings


def image_of(values: np.ndarray, spacing: tuple[float, ...] = (1.0, 1.0, 1.0)) -> sitk.Image:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing)
    return image


@pytest.fixture
def image() -> sitk.Image:
    return image_of(np.arange(8 * 9 * 10, dtype=np.int16).reshape(8, 9, 10))


@pytest.fixture
def mask() -> sitk.Image:
    labels = np.zeros((8, 9, 10), np.uint8)
    labels[2:5, 3:6, 4:8] = 1
    labels[6, 7, 8] = 3
    return image_of(labels)


def prepare(image: sitk.Image, mask: sitk.Image, **values: Any) -> Prepared:
    parameters = RadiomicsSettings().with_values(**values).parameters
    return prepare_region(image, mask, parameters, measure_normalisation(image, parameters))


def test_the_box_of_a_label_holds_it_and_nothing_more(image: sitk.Image, mask: sitk.Image) -> None:
    prepared = prepare(image, mask)
    assert prepared.box == (slice(2, 5), slice(3, 6), slice(4, 8))
    assert prepared.labels.all()
    assert prepared.spacing_zyx == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(("spacing", "found"), [(1e-4, "3.6e+13"), (1e-320, "endless")])
def test_a_resampled_grid_that_does_not_fit_is_refused_before_it_is_made(
    image: sitk.Image, mask: sitk.Image, spacing: float, found: str
) -> None:
    with pytest.raises(InputError) as refused:
        prepare(image, mask, resampledPixelSpacing=[spacing] * 3)
    sizes = ", ".join([f"{spacing:.6g}"] * 3)
    assert str(refused.value) == (
        f"The region resampled to voxels of ({sizes}) mm may have at most 536870912 voxels, found {found}: "
        "choose a coarser resampledPixelSpacing."
    )


def test_a_missing_label_is_answered_with_those_that_exist(mask: sitk.Image) -> None:
    with pytest.raises(InputError, match=r"no voxel of label 2, found labels \[1, 3\]: choose one of them"):
        bounding_box(sitk.GetArrayFromImage(mask), 2)


def test_a_mask_that_fills_the_image_is_taken() -> None:
    values = np.arange(27, dtype=np.int16).reshape(3, 3, 3)
    assert prepare(image_of(values), image_of(np.ones((3, 3, 3), np.uint8))).labels.sum() == 27


def test_the_channel_of_a_vector_mask_is_chosen(image: sitk.Image, mask: sitk.Image) -> None:
    other = sitk.Image(mask.GetSize(), sitk.sitkUInt8)
    vector = sitk.Compose(other, mask)
    assert prepare(image, vector, label_channel=1).labels.sum() == 36
    with pytest.raises(InputError, match="The mask holds 2 segmentations, label_channel 2 counts from 0"):
        prepare(image, vector, label_channel=2)


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda mask: mask[1:], r"image size \(10, 9, 8\) and mask size \(9, 9, 8\)"),
        (lambda mask: moved(mask, "Origin", (0.1, 0, 0)), r"image origin \(0, 0, 0\) and mask origin \(0.1, 0, 0\)"),
        (lambda mask: moved(mask, "Spacing", (1, 1, 1.1)), r"image spacing \(1, 1, 1\) and mask spacing \(1, 1, 1.1\)"),
        (lambda mask: moved(mask, "Direction", (-1, 0, 0, 0, -1, 0, 0, 0, 1)), "image direction"),
    ],
)
def test_different_grids_are_refused_with_both(
    image: sitk.Image, mask: sitk.Image, change: Any, difference: str
) -> None:
    with pytest.raises(InputError, match=f"Image and mask must lie on one grid, found {difference}"):
        prepare(image, change(mask))


def moved(mask: sitk.Image, what: str, values: tuple[float, ...]) -> sitk.Image:
    getattr(mask, f"Set{what}")(values)
    return mask


def test_the_tolerance_of_the_grids_can_be_set(image: sitk.Image, mask: sitk.Image) -> None:
    mask.SetOrigin((0.1, 0, 0))
    assert geometry_difference(image, mask, 0.2) == ""
    assert prepare(image, mask, geometryTolerance=0.2).labels.sum() == 36


def test_a_mask_on_another_grid_is_corrected_on_request(image: sitk.Image, mask: sitk.Image) -> None:
    part = mask[3:9, 2:8, 1:7]
    prepared = prepare(image, part, correctMask=True)
    assert prepared.box == (slice(2, 5), slice(3, 6), slice(4, 8))


def test_a_region_beyond_the_image_is_refused(image: sitk.Image, mask: sitk.Image) -> None:
    mask.SetOrigin((5, 0, 0))
    for values in ({"correctMask": True}, {"resampledPixelSpacing": [2, 2, 2]}):
        with pytest.raises(
            InputError, match=r"must lie inside the image of \(10, 9, 8\) voxels, found it from \(8.5, "
        ):
            prepare(image, mask, **values)


def test_regions_that_are_too_small_are_refused(image: sitk.Image, mask: sitk.Image) -> None:
    with pytest.raises(InputError, match="at least 2 dimensions, found 1 x 1 x 1 voxels"):
        prepare(image, mask, label=3)
    with pytest.raises(InputError, match="must have more than 36 voxels, found 36"):
        prepare(image, mask, minimumROISize=36)
    assert prepare(image, mask, minimumROISize=35).labels.sum() == 36


def test_values_that_are_not_finite_are_refused_inside_the_region_only(mask: sitk.Image) -> None:
    values = np.random.default_rng(0).normal(size=(8, 9, 10))
    values[0, 0, 0] = np.nan
    prepare(image_of(values), mask)
    values[3, 4, 5] = np.inf
    with pytest.raises(InputError, match="needs a finite intensity, found 1 that are NaN or infinite"):
        prepare(image_of(values), mask)


def test_images_of_other_dimensions_are_refused(mask: sitk.Image) -> None:
    plane = sitk.Image(4, 4, sitk.sitkInt16)
    with pytest.raises(InputError, match="need a three-dimensional image with one value per voxel, found 2 dimensions"):
        prepare(plane, mask)


def test_normalised_values_have_mean_zero_and_the_scale_as_deviation(image: sitk.Image, mask: sitk.Image) -> None:
    values = prepare(image, mask, normalize=True, normalizeScale=100).values()
    assert values.mean() == pytest.approx(0, abs=1e-9)
    assert values.std(ddof=1) == pytest.approx(100)


def test_outliers_are_drawn_in_before_scaling(image: sitk.Image, mask: sitk.Image) -> None:
    values = prepare(image, mask, normalize=True, normalizeScale=10, removeOutliers=1.2).values()
    assert values.min() == -12 and values.max() == 12


def test_a_constant_image_cannot_be_normalised(mask: sitk.Image) -> None:
    with pytest.raises(
        InputError, match="divides by the image's standard deviation, found 0: use an image that varies"
    ):
        prepare(image_of(np.full((8, 9, 10), 7, np.int16)), mask, normalize=True)


def test_the_statistics_of_whole_numbers_equal_itk() -> None:
    values = np.random.default_rng(0).integers(-1024, 3000, (20, 30, 40)).astype(np.int16)
    found = measure_normalisation(image_of(values), RadiomicsSettings().with_values(normalize=True).parameters)
    assert found is not None
    assert np.array_equal(found(values), sitk.GetArrayFromImage(sitk.Normalize(image_of(values))))


def test_a_pre_crop_keeps_the_padding_as_far_as_the_image_goes(image: sitk.Image, mask: sitk.Image) -> None:
    prepared = prepare(image, mask, preCrop=True, padDistance=3)
    assert prepared.image.GetSize() == (9, 9, 8)
    assert prepared.image.GetOrigin() == (1.0, 0.0, 0.0)
    whole = sitk.GetArrayFromImage(image)[2:5, 3:6, 4:8]
    assert np.array_equal(prepared.values()[prepared.box], whole)


def test_resampling_aligns_the_corners_of_the_grids(image: sitk.Image, mask: sitk.Image) -> None:
    """Voxels of 2 mm start at the corner of the mask's first voxel: their first centre lies at 0.5 mm."""
    prepared = prepare(image, mask, resampledPixelSpacing=[2, 2, 2], padDistance=0)
    assert prepared.image.GetSpacing() == (2.0, 2.0, 2.0)
    assert np.mod(prepared.image.GetOrigin(), 2) == pytest.approx([0.5, 0.5, 0.5])


def test_an_axis_with_spacing_zero_and_one_of_a_single_voxel_stay(image: sitk.Image) -> None:
    labels = np.zeros((8, 9, 10), np.uint8)
    labels[3, 2:8, 2:8] = 1
    prepared = prepare(image, image_of(labels), resampledPixelSpacing=[2, 0, 3])
    assert prepared.image.GetSpacing() == (2.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("mode", "limits", "kept"),
    [("absolute", [300], 24), ("absolute", [340, 234], 16), ("relative", [0.9], 12), ("sigma", [-1, 1], 12)],
)
def test_resegmentation_keeps_the_values_in_range(
    image: sitk.Image, mask: sitk.Image, mode: str, limits: list[float], kept: int
) -> None:
    inside = sitk.GetArrayFromImage(image)[2:5, 3:6, 4:8]
    low, high = min(limits), max(limits) if len(limits) == 2 else np.inf
    if mode == "relative":
        low *= inside.max()
    if mode == "sigma":
        low, high = inside.mean() + low * inside.std(), inside.mean() + high * inside.std()
    expected = (inside >= low) & (inside <= high)
    prepared = prepare(image, mask, resegmentRange=limits, resegmentMode=mode)
    assert (prepared.labels == 1).sum() == expected.sum() == kept


def test_the_shape_keeps_the_mask_before_resegmentation_inside_the_new_box(image: sitk.Image, mask: sitk.Image) -> None:
    assert prepare(image, mask, resegmentRange=[300]).shape_labels.sum() == 24
    corner = np.zeros((8, 9, 10), np.uint8)
    corner[2:5, 3:6, 4:8] = 1
    values = np.full((8, 9, 10), -100, np.int16)
    values[2, 3, 4] = values[4, 5, 6] = 100
    prepared = prepare(image_of(values), image_of(corner), resegmentRange=[0])
    assert prepared.labels.sum() == 2 and prepared.shape_labels.sum() == 27
    again = prepare(image_of(values), image_of(corner), resegmentRange=[0], resegmentShape=True)
    assert again.shape_labels.sum() == 2


def test_a_resegmentation_that_leaves_nothing_is_refused(image: sitk.Image, mask: sitk.Image) -> None:
    with pytest.raises(InputError, match=r"to \[5000\] \(absolute\) leaves 0 of 36 voxels, at least 2 are needed"):
        prepare(image, mask, resegmentRange=[5000])
