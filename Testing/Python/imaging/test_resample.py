"""Resampling: physical space is kept, whatever the spacing and the axes."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import Geometry
from hccoutcome.imaging.resample import grid_with_spacing, resample_image, resample_mask, spacing_of, to_spacing

SLOPE = np.array([0.5, -0.25, 1.0])


def oblique(
    size=(11, 9, 7), spacing=(0.8, 1.1, 2.5), origin=(-20.0, 14.0, 300.0), angles=(0.2, -0.3, 0.5)
) -> sitk.Image:
    """Return an image whose values rise linearly in physical space: any order of interpolation gives them exactly."""
    turn = sitk.Euler3DTransform()
    turn.SetRotation(*angles)
    image = sitk.Image(size, sitk.sitkFloat64)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(turn.GetMatrix())
    values = positions(image) @ SLOPE
    filled = sitk.GetImageFromArray(values)
    filled.CopyInformation(image)
    return filled


def positions(image: sitk.Image) -> np.ndarray:
    """Return the position in mm of every voxel, shape (z, y, x, 3)."""
    index = np.moveaxis(np.indices(image.GetSize()[::-1]), 0, -1)[..., ::-1]
    matrix = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    return index @ matrix.T + image.GetOrigin()


def centre(grid: Geometry) -> np.ndarray:
    return grid.affine[:3] @ [*((np.array(grid.size) - 1) / 2), 1]


spacings = st.floats(0.4, 4.0)
angles = st.tuples(*[st.floats(-0.7, 0.7)] * 3)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.tuples(spacings, spacings, spacings), st.tuples(spacings, spacings, spacings), angles)
def test_the_new_grid_has_the_same_centre_and_axes_and_just_covers_the_old_one(old, new, turn):
    image = oblique(spacing=old, angles=turn)
    grid, before = grid_with_spacing(image, new), Geometry.from_image(image)
    np.testing.assert_allclose(centre(grid), centre(before), atol=1e-9)
    assert grid.direction == before.direction
    extent, needed = np.array(grid.size) * grid.spacing, np.array(before.size) * before.spacing
    assert (extent >= needed - 1e-3 * np.array(new)).all()
    assert (extent < needed + np.array(new)).all()


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.tuples(spacings, spacings, spacings), angles, st.sampled_from(["bspline", "linear"]))
def test_a_value_stays_where_it_is_in_the_patient(new, turn, interpolation):
    image = oblique(angles=turn)
    resampled = resample_image(image, grid_with_spacing(image, new), interpolation)
    # Half a voxel inside the border interpolation has neighbours; splines mirror there and need two voxels more.
    margin = 0.5 if interpolation == "linear" else 3.0
    where = positions(resampled)
    index = np.linalg.solve(Geometry.from_image(image).affine, np.c_[where.reshape(-1, 3), np.ones(where.size // 3)].T)[
        :3
    ]
    depth = np.minimum(index.T, np.array(image.GetSize()) - 1 - index.T).min(axis=1).reshape(where.shape[:3])
    inner = depth >= margin
    tolerance = 1e-9 if interpolation == "linear" else 0.15
    np.testing.assert_allclose(
        sitk.GetArrayViewFromImage(resampled)[inner], (where @ SLOPE)[inner], atol=tolerance, rtol=0
    )


def test_a_grid_of_the_same_spacing_leaves_every_value_as_it_is():
    image = oblique()
    again = to_spacing(image, image.GetSpacing())
    assert again.GetSize() == image.GetSize()
    np.testing.assert_allclose(sitk.GetArrayViewFromImage(again), sitk.GetArrayViewFromImage(image), atol=1e-9)


def test_a_spacing_rounded_in_the_header_adds_no_slice():
    image = sitk.Image((10, 10, 119), sitk.sitkInt16)
    image.SetSpacing((1.0, 1.0, 1.6000000238418579))
    assert grid_with_spacing(image, (1.0, 1.0, 1.6)).size == (10, 10, 119)


def test_a_mask_keeps_its_values_and_its_volume():
    index = np.indices((30, 40, 40)) - np.array([15, 20, 20])[:, None, None, None]
    ball = ((index[0] * 2.5) ** 2 + (index[1] * 0.8) ** 2 + (index[2] * 0.8) ** 2) < 12**2
    mask = sitk.GetImageFromArray(ball.astype(np.uint8))
    mask.SetSpacing((0.8, 0.8, 2.5))
    fine = resample_mask(mask, grid_with_spacing(mask, 0.5))
    assert fine.GetPixelID() == sitk.sitkUInt8
    assert set(np.unique(sitk.GetArrayViewFromImage(fine))) == {0, 1}
    volume = sitk.GetArrayViewFromImage(fine).sum() * 0.5**3
    assert volume == pytest.approx(ball.sum() * 0.8 * 0.8 * 2.5, rel=0.01)


def test_what_lies_outside_takes_the_lowest_value():
    image = oblique(angles=(0, 0, 0))
    beyond = Geometry(image.GetSize(), image.GetSpacing(), (900.0, 900.0, 900.0), image.GetDirection())
    assert set(np.unique(sitk.GetArrayFromImage(resample_image(image, beyond)))) == {
        sitk.GetArrayViewFromImage(image).min()
    }


def test_whole_numbers_become_real_before_they_are_interpolated():
    image = sitk.Image((4, 4, 4), sitk.sitkInt16)
    image[2, 2, 2] = 1
    assert to_spacing(image, 0.5).GetPixelID() == sitk.sitkFloat32


def test_zero_keeps_the_spacing_of_an_axis():
    assert spacing_of((0, 0, 1.0), oblique()) == (0.8, 1.1, 1.0)


def test_a_spacing_that_cannot_be_is_refused():
    with pytest.raises(InputError, match=r"one length in mm, or one for each axis.*found \[.*-1.*\]: correct"):
        grid_with_spacing(oblique(), -1.0)


def test_an_unknown_interpolation_names_the_nearest():
    with pytest.raises(InputError, match=r"'bsplin' is not a known interpolation; did you mean 'bspline'"):
        resample_image(oblique(), Geometry.from_image(oblique()), "bsplin")  # type: ignore[arg-type]
