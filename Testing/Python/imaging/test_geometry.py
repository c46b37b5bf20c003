"""Grids: when they are the same, how their difference reads, how a mask moves between equal lattices."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import Geometry, describe_difference, on_grid, same_geometry, same_lattice


def image(size=(4, 5, 6), spacing=(0.7, 0.8, 2.5), origin=(-10.0, 5.0, 30.0), direction=None, dtype=np.uint8):
    made = sitk.GetImageFromArray(np.zeros(size[::-1], dtype=dtype))
    made.SetSpacing(spacing)
    made.SetOrigin(origin)
    if direction is not None:
        made.SetDirection(direction)
    return made


def turned(angle: float) -> tuple[float, ...]:
    c, s = np.cos(angle), np.sin(angle)
    return (c, -s, 0, s, c, 0, 0, 0, 1)


def test_the_affine_is_simpleitks_own_mapping_of_indices():
    made = image(direction=turned(0.3))
    for index in [(0, 0, 0), (3, 1, 5)]:
        expected = made.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose((Geometry.from_image(made).affine @ (*index, 1))[:3], expected)


def test_an_affine_rounded_to_single_precision_is_the_same_grid():
    exact = image(size=(512, 512, 100), spacing=(0.7431640625, 0.7431640625, 1.6000000238), origin=(-190.1234567,) * 3)
    rounded = image(size=(512, 512, 100), spacing=(0.743164, 0.743164, 1.6), origin=(-190.12346,) * 3)
    assert same_geometry(exact, rounded)
    assert describe_difference(exact, rounded) == ""


def test_a_shift_of_a_tenth_of_a_millimetre_is_another_grid():
    assert not same_geometry(image(), image(origin=(-10.0, 5.1, 30.0)))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"spacing": (0.78, 0.78, 2.5)}, "spacing 0.7 x 0.8 x 2.5 mm against 0.78 x 0.78 x 2.5 mm"),
        ({"size": (4, 5, 7)}, "size 4 x 5 x 6 voxels against 4 x 5 x 7 voxels"),
        ({"origin": (-10.0, 5.0, 31.5)}, "origin -10, 5, 30 mm against -10, 5, 31.5 mm"),
        ({"direction": (-1, 0, 0, 0, -1, 0, 0, 0, 1)}, "axes LPS against RAS"),
        ({"direction": turned(0.2)}, "axes LPS against LPS (oblique)"),
        ({"spacing": (0.705, 0.8, 2.5)}, "spacing 0.7 x 0.8 x 2.5 mm against 0.705 x 0.8 x 2.5 mm"),
    ],
)
def test_the_difference_of_two_grids_reads_as_words(changed, words):
    assert describe_difference(image(), image(**changed)) == words


def test_a_difference_too_small_for_its_parts_is_told_by_the_corners():
    tilted = image(size=(500, 5, 6), direction=turned(5e-5))
    assert describe_difference(image(size=(500, 5, 6)), tilted) == "corners 0.0175 mm apart"


@st.composite
def lattice_pairs(draw):
    """An image with marked voxels and a flipped, permuted, cropped copy of it, as other programs save masks."""
    size = draw(st.tuples(*[st.integers(3, 6)] * 3))
    whole = image(size=size, direction=turned(draw(st.sampled_from([0.0, 0.4]))))
    low = [draw(st.integers(0, n - 2)) for n in size]
    high = [draw(st.integers(a + 1, n)) for a, n in zip(low, size, strict=True)]
    region = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    axes = draw(st.sampled_from(list(permutations(range(3)))))
    flips = draw(st.tuples(*[st.booleans()] * 3))
    seed = draw(st.integers(0, 1000))
    voxels = np.zeros(size[::-1], dtype=np.uint8)
    inside = tuple(reversed(region))
    voxels[inside] = np.random.default_rng(seed).integers(0, 2, voxels[inside].shape)
    marked = sitk.GetImageFromArray(voxels)
    marked.CopyInformation(whole)
    copy = sitk.Flip(sitk.PermuteAxes(marked[region], axes), flips)
    return marked, copy


@given(lattice_pairs())
@settings(derandomize=True, deadline=None, max_examples=80)
def test_a_mask_flipped_permuted_and_cropped_returns_to_its_image_voxel_by_voxel(pair):
    marked, copy = pair
    assert same_lattice(copy, marked)
    moved = on_grid(copy, marked)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(moved), sitk.GetArrayFromImage(marked))
    assert moved.GetOrigin() == marked.GetOrigin()
    assert moved.GetDirection() == marked.GetDirection()


def test_a_mask_moved_to_its_image_carries_exactly_the_images_grid():
    mask = image(origin=(-10.0 + 1e-4, 5.0, 30.0))
    mask[1, 2, 3] = 1
    moved = on_grid(mask, image())
    assert moved.GetOrigin() == image().GetOrigin()
    assert moved[1, 2, 3] == 1
    assert mask.GetOrigin() != image().GetOrigin()


def test_half_a_voxel_aside_is_another_lattice_and_is_refused_in_words():
    mask = image(origin=(-9.65, 5.0, 30.0))
    assert not same_lattice(mask, image())
    with pytest.raises(InputError, match=r"on the grid of its image, but they differ: origin -9\.65, 5, 30 mm"):
        on_grid(mask, image())


def test_a_mask_that_reaches_outside_its_image_is_refused_and_one_that_is_empty_there_is_not():
    larger = image(size=(4, 5, 8))
    assert on_grid(larger, image()).GetSize() == (4, 5, 6)
    larger[0, 0, 7] = 1
    larger[0, 0, 1] = 1
    with pytest.raises(InputError, match="1 of its 2 voxels lie outside: give the image on which it was outlined"):
        on_grid(larger, image())


def test_a_mask_wholly_beside_its_image_is_refused():
    beside = image(origin=(-10.0, 5.0, 30.0 + 2.5 * 20))
    beside[0, 0, 0] = 1
    with pytest.raises(InputError, match="1 of its 1 voxels lie outside"):
        on_grid(beside, image())
