"""Resampling of a part equals ITK's resampling of the whole, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

from hccoutcome.radiomics import grid
from hccoutcome.radiomics.grid import Grid, resample_bspline, resample_nearest

TYPES = (np.int16, np.uint8, np.uint16, np.float32, np.float64)


def itk(image: sitk.Image, target: Grid, interpolator: int) -> np.ndarray:
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(target.size)
    resampler.SetOutputSpacing(target.spacing)
    resampler.SetOutputOrigin(target.origin)
    resampler.SetOutputDirection(target.direction)
    resampler.SetInterpolator(interpolator)
    return sitk.GetArrayFromImage(resampler.Execute(image))


@st.composite
def images_and_targets(draw: st.DrawFn) -> tuple[sitk.Image, Grid]:
    """An image with noise and a flat part, and a grid that lies in it or reaches out, in any direction."""
    shape = tuple(draw(st.lists(st.sampled_from((1, 3, 9, 20, 41)), min_size=3, max_size=3)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.normal(size=shape) * 300 + 100
    values[:, : shape[1] // 2] = 77
    image = sitk.GetImageFromArray(values.clip(0, 65535).astype(draw(st.sampled_from(TYPES))))
    turned = draw(st.booleans())
    image.SetDirection((0.6, -0.8, 0, 0.8, 0.6, 0, 0, 0, 1) if turned else (1, 0, 0, 0, -1, 0, 0, 0, 1))
    image.SetSpacing((0.7, 0.9, 2.1))
    image.SetOrigin((-123.4, 17.0, 5.5))
    start = [draw(st.floats(-2, n)) for n in reversed(shape)]
    target = Grid(
        tuple(draw(st.integers(1, 12)) for _ in range(3)),
        tuple(draw(st.sampled_from((0.5, 0.7, 1.0, 2.5))) for _ in range(3)),
        image.TransformContinuousIndexToPhysicalPoint(start),
        draw(st.sampled_from((image.GetDirection(), (1, 0, 0, 0, 1, 0, 0, 0, 1)))),
    )
    return image, target


@given(case=images_and_targets())
@tries(max_examples=200, deadline=None, derandomize=True)
def test_cubic_spline_equals_itk(case: tuple[sitk.Image, Grid]) -> None:
    image, target = case
    values = sitk.GetArrayViewFromImage(image)
    found = resample_bspline(values, Grid.of(image), target, np.array)
    expected = itk(image, target, sitk.sitkBSpline)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


@given(case=images_and_targets())
@tries(max_examples=200, deadline=None, derandomize=True)
def test_nearest_voxel_equals_itk(case: tuple[sitk.Image, Grid]) -> None:
    image, target = case
    found = resample_nearest(sitk.GetArrayViewFromImage(image), Grid.of(image), target)
    assert np.array_equal(found, itk(image, target, sitk.sitkNearestNeighbor))


@pytest.mark.parametrize("flat_first", [True, False])
@pytest.mark.parametrize("margin", [4, 8, 64])
def test_the_margin_changes_no_bit(margin: int, flat_first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a margin too small to settle the last bit the code must read more, not give other values.

    The target lies at the other end of the image, so that one of the two recursions starts inside it. In the flat part
    that recursion may keep a difference of one unit for ever.
    """
    rng = np.random.default_rng(1)
    values = rng.integers(-200, 300, (30, 400, 40)).astype(np.float64) + 0.3
    values[:, 40:330] = -1024.7
    if not flat_first:
        values = np.ascontiguousarray(values[:, ::-1])
    image = sitk.GetImageFromArray(values)
    target = Grid((20, 60, 20), (0.7, 1.0, 0.7), (5.0, 339.3 if flat_first else 0.3, 5.0), image.GetDirection())
    monkeypatch.setattr(grid, "MARGIN", margin)
    found = resample_bspline(values, Grid.of(image), target, np.array)
    assert np.array_equal(found, itk(image, target, sitk.sitkBSpline))


def test_two_voxels_across_are_mirrored_where_itk_reads_beside_the_image() -> None:
    values = np.array([[[10.0, 20.0]]])
    image = sitk.GetImageFromArray(values)
    target = Grid((3, 1, 1), (0.5, 1.0, 1.0), (0.0, 0.0, 0.0), image.GetDirection())
    found = resample_bspline(values, Grid.of(image), target, np.array)
    assert found.ravel() == pytest.approx([10, 15, 20])
