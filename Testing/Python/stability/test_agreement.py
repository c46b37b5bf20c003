"""Agreement of masks on shapes of known distance, against SimpleITK, and on five real segmentations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.errors import InputError
from hccoutcome.radiomics.mesh import surface_and_volume
from hccoutcome.stability.agreement import compare_arrays, compare_masks, pairwise_agreement, surface_of

SPACING = (2.0, 1.0, 0.5)


def box(shape: tuple[int, int, int], low: tuple[int, int, int], high: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


def ball(radius_mm: float, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0), centre: float = 0.0) -> np.ndarray:
    axes = [np.arange(-radius_mm - 4, radius_mm + 4 + step / 2, step) for step in spacing]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return (z - centre) ** 2 + y**2 + x**2 <= radius_mm**2


def image(mask: np.ndarray) -> sitk.Image:
    found = sitk.GetImageFromArray(mask.astype(np.uint8))
    found.SetSpacing(SPACING[::-1])
    return found


def test_a_mask_agrees_with_itself() -> None:
    found = compare_masks(image(ball(6)), image(ball(6)))
    assert (found.dice, found.surface_dice, found.hausdorff_mm, found.hausdorff95_mm) == (1, 1, 0, 0)
    assert found.volumes_ml[0] == pytest.approx(ball(6).sum() / 1000)


def test_a_box_moved_by_a_voxel_has_the_known_overlap_and_distance() -> None:
    first, second = box((20, 20, 20), (5, 5, 5), (15, 15, 15)), box((20, 20, 20), (6, 5, 5), (16, 15, 15))
    found = compare_arrays(first, second, SPACING, tolerance_mm=1.0)
    assert found.dice == pytest.approx(0.9)
    assert found.hausdorff_mm == pytest.approx(2.0)  # slices are 2 mm thick
    assert compare_arrays(first, second, SPACING, 2.0).surface_dice == 1
    # Only top and bottom are out of tolerance: 10 mm x 5 mm each way of 10 x 5, 20 x 5 and 20 x 10 sides.
    assert 1 - found.surface_dice == pytest.approx(50 / (50 + 100 + 200), rel=0.15)


def test_an_outlier_moves_the_hausdorff_distance_and_not_its_95_percent() -> None:
    first = ball(10)
    second = first.copy()
    second[0, 0, 0] = True
    found = compare_arrays(first, second, (1.0, 1.0, 1.0))
    assert found.hausdorff_mm > 10
    assert found.hausdorff95_mm < 1


def test_concentric_balls_lie_apart_by_the_difference_of_their_radii() -> None:
    large, small = ball(12), np.pad(ball(9), 3)
    found = compare_arrays(large, small, (1.0, 1.0, 1.0))
    assert found.mean_distance_mm == pytest.approx(3, abs=0.15)
    assert found.hausdorff_mm == pytest.approx(3, abs=0.6)
    assert compare_arrays(large, small, (1.0, 1.0, 1.0), 2.0).surface_dice == 0


def test_the_surface_of_a_ball_has_its_area_and_lies_at_its_radius() -> None:
    surface = surface_of(ball(15), (1.0, 1.0, 1.0))
    # Vertices halfway between voxels overestimate the area of a binary ball by about 8%.
    assert surface.areas.sum() == pytest.approx(4 * np.pi * 15**2 * 1.08, rel=0.03)
    radii = np.linalg.norm(surface.points - 19, axis=1)
    assert np.average(radii, weights=surface.areas) == pytest.approx(15, abs=0.2)


def test_the_surface_has_the_area_of_the_radiomic_feature() -> None:
    mask = np.random.default_rng(4).random((6, 7, 8)) > 0.6
    expected = surface_and_volume(np.pad(mask, 1), np.array(SPACING))[0]
    assert surface_of(mask, SPACING).areas.sum() == pytest.approx(expected)


def test_distances_are_those_of_all_pairs_of_patches() -> None:
    random = np.random.default_rng(2)
    first, second = random.random((6, 7, 8)) > 0.6, random.random((6, 7, 8)) > 0.6
    a, b = surface_of(first, SPACING), surface_of(second, SPACING)
    apart = np.linalg.norm(a.points[:, None] - b.points[None], axis=2)
    found = compare_arrays(first, second, SPACING, 0.6)
    assert found.hausdorff_mm == pytest.approx(max(apart.min(axis=1).max(), apart.min(axis=0).max()))
    within = a.areas[apart.min(axis=1) <= 0.6].sum() + b.areas[apart.min(axis=0) <= 0.6].sum()
    assert found.surface_dice == pytest.approx(within / (a.areas.sum() + b.areas.sum()))


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.floats(0, 5))
def test_agreement_is_symmetric_and_bounded_and_grows_with_the_tolerance(seed: int, tolerance: float) -> None:
    random = np.random.default_rng(seed)
    first, second = random.random((5, 6, 7)) > 0.5, random.random((5, 6, 7)) > 0.5
    there, back = (compare_arrays(*pair, SPACING, tolerance) for pair in ((first, second), (second, first)))
    assert (there.dice, there.hausdorff_mm) == (back.dice, back.hausdorff_mm)
    assert 0 <= there.dice <= 1
    assert 0 <= there.surface_dice <= 1 + 1e-12
    assert there.hausdorff95_mm <= there.hausdorff_mm
    assert there.surface_dice <= compare_arrays(first, second, SPACING, tolerance + 1).surface_dice + 1e-12


def test_real_segmenters_agree_as_simpleitk_says(data: Path) -> None:
    names = ("hnfnetv1", "isen", "sanet0", "scan", "yixinmpl")
    folder = data / "brain_4seq_mri"
    masks = {name: sitk.ReadImage(str(folder / f"seg_{name}-20.nii.gz"), sitk.sitkUInt8) != 0 for name in names}
    found = pairwise_agreement(masks)
    assert len(found) == 10
    places = np.argwhere(sum(sitk.GetArrayViewFromImage(mask) for mask in masks.values()))
    low, high = places.min(axis=0)[::-1] - 2, places.max(axis=0)[::-1] + 3
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    masks = {name: mask[box] for name, mask in masks.items()}  # for SimpleITK's sake, which maps the whole volume
    for (a, b), agreement in found.items():
        overlap = sitk.LabelOverlapMeasuresImageFilter()
        overlap.Execute(masks[a], masks[b])
        assert agreement.dice == pytest.approx(overlap.GetDiceCoefficient(), abs=1e-12)
        # SimpleITK measures between voxels, this between the surfaces around them: half a voxel's diagonal each.
        distance = sitk.HausdorffDistanceImageFilter()
        distance.Execute(masks[a], masks[b])
        assert agreement.hausdorff_mm == pytest.approx(distance.GetHausdorffDistance(), abs=np.sqrt(3))
        assert 0.85 < agreement.dice < 1
        assert agreement.hausdorff95_mm < agreement.hausdorff_mm


def test_what_cannot_be_compared_is_refused() -> None:
    first, other = image(ball(5)), image(ball(5))
    other.SetOrigin((3.0, 0.0, 0.0))
    with pytest.raises(InputError, match="compared on one grid, found origin 0, 0, 0 mm against 3, 0, 0 mm"):
        compare_masks(first, other)
    with pytest.raises(InputError, match="found 515 and 0 voxels"):
        compare_masks(first, first * 0)
    with pytest.raises(InputError, match="not negative, found -1"):
        compare_masks(first, first, -1)
    with pytest.raises(InputError, match="at least 2 raters, found 1"):
        pairwise_agreement({"a": first})
    with pytest.raises(InputError, match="a and b: Masks are compared on one grid"):
        pairwise_agreement({"a": first, "b": other})
