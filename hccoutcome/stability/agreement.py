"""Agreement of two masks of one region: overlap, and distance between their surfaces.

A surface consists of the patches that marching cubes puts at the corners of voxels, each with its centre and its area
in mm^2, so that thick slices count by their true size (after Nikolov et al. 2021, J Med Internet Res 23:e26151). The
Hausdorff distance is the largest distance from a patch of either surface to the other, and its
95% form leaves out the 5% of the area that lie furthest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy.spatial import KDTree

from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import describe_difference, same_geometry
from hccoutcome.radiomics.grid import array_view
from hccoutcome.radiomics.mesh import TRIANGLE_PATTERN, TRIANGLES

Spacing = tuple[float, float, float]

# The corners of a cube in the order of hccoutcome.radiomics.mesh, (z, y, x).
_CORNERS = ((0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 0), (1, 0, 0), (1, 0, 1), (1, 1, 1), (1, 1, 0))


@dataclass(frozen=True)
class MaskAgreement:
    """How far two masks agree.

    Attributes:
        dice: twice the common volume by the sum of both.
        surface_dice: area within ``tolerance_mm`` of the other surface, by the area of both.
        tolerance_mm: that tolerance.
        hausdorff_mm, hausdorff95_mm: largest distance between the surfaces, and without the furthest 5% of the area.
        mean_distance_mm: mean distance over the area of both.
        volumes_ml: volume of the first and of the second mask.
    """

    dice: float
    surface_dice: float
    tolerance_mm: float
    hausdorff_mm: float
    hausdorff95_mm: float
    mean_distance_mm: float
    volumes_ml: tuple[float, float]


@dataclass(frozen=True)
class Surface:
    """Surface of a mask: centres of its patches in mm (z, y, x), shape (n, 3), and their areas in mm^2, shape (n,)."""

    points: NDArray[np.float64]
    areas: NDArray[np.float64]


def compare_masks(first: sitk.Image, second: sitk.Image, tolerance_mm: float = 1.0) -> MaskAgreement:
    """Return the agreement of two masks on one grid; any voxel that is not 0 is inside.

    Args:
        first, second: masks of one region by two raters.
        tolerance_mm: distance up to which surfaces count as equal, for the surface Dice.

    Raises:
        InputError: the grids differ, a mask is empty, the tolerance is negative.
    """
    if not same_geometry(first, second):
        raise InputError(
            f"Masks are compared on one grid, found {describe_difference(first, second)}: resample one onto the grid "
            "of the other."
        )
    arrays = [array_view(mask) != 0 for mask in (first, second)]
    x, y, z = first.GetSpacing()
    return compare_arrays(arrays[0], arrays[1], (z, y, x), tolerance_mm)


def compare_arrays(
    first: NDArray[np.bool_], second: NDArray[np.bool_], spacing_zyx: Spacing, tolerance_mm: float = 1.0
) -> MaskAgreement:
    """Return the agreement of two masks as arrays (z, y, x); see ``compare_masks``."""
    if not tolerance_mm >= 0:
        raise InputError(f"A tolerance in mm is not negative, found {tolerance_mm:g}: correct it.")
    counts = [int(np.count_nonzero(mask)) for mask in (first, second)]
    if not all(counts):
        raise InputError(f"Masks with voxels are compared, found {counts[0]} and {counts[1]} voxels: draw both.")
    common = int(np.count_nonzero(first & second))
    surfaces = [surface_of(mask, spacing_zyx) for mask in (first, second)]
    apart = [_distances(*pair) for pair in (surfaces, surfaces[::-1])]
    areas = [surface.areas for surface in surfaces]
    total = sum(area.sum() for area in areas)
    pairs = list(zip(apart, areas, strict=True))
    voxel = float(np.prod(spacing_zyx)) / 1000
    return MaskAgreement(
        dice=2 * common / sum(counts),
        # Distances carry rounding: equal to the tolerance means within.
        surface_dice=float(sum(area[far <= tolerance_mm + 1e-9].sum() for far, area in pairs) / total),
        tolerance_mm=tolerance_mm,
        hausdorff_mm=float(max(far.max() for far in apart)),
        hausdorff95_mm=max(_percentile(far, area, 0.95) for far, area in pairs),
        mean_distance_mm=float(sum((far * area).sum() for far, area in pairs) / total),
        volumes_ml=(counts[0] * voxel, counts[1] * voxel),
    )


def pairwise_agreement(
    masks: Mapping[str, sitk.Image], tolerance_mm: float = 1.0
) -> dict[tuple[str, str], MaskAgreement]:
    """Return the agreement of each pair of raters, by their names.

    Raises:
        InputError: fewer than two raters, or as in ``compare_masks``, with the pair named.
    """
    if len(masks) < 2:
        raise InputError(f"Agreement needs the masks of at least 2 raters, found {len(masks)}: add another.")
    found = {}
    for pair in combinations(masks, 2):
        try:
            found[pair] = compare_masks(masks[pair[0]], masks[pair[1]], tolerance_mm)
        except InputError as error:
            raise InputError(f"{pair[0]} and {pair[1]}: {error}") from error
    return found


def surface_of(mask: NDArray[np.bool_], spacing_zyx: Spacing) -> Surface:
    """Return the surface of a mask, axes (z, y, x), with patches at the corners between its voxels."""
    box = _box(mask)
    inside = np.pad(mask[box], 1).astype(np.uint8)
    size = [length - 1 for length in inside.shape]
    pattern = np.zeros(size, np.uint8)
    for bit, offset in enumerate(_CORNERS):
        part = tuple(slice(start, start + length) for start, length in zip(offset, size, strict=True))
        pattern |= inside[part] << bit
    places = np.nonzero((pattern != 0) & (pattern != 255))
    areas, centres = _patches(spacing_zyx)
    # Pattern 0 of the padded block lies between voxels -1 and 0 of the box.
    corner = np.array([part.start - 1.0 for part in box])
    points = (np.stack(places, axis=1) + corner) * spacing_zyx + centres[pattern[places]]
    return Surface(points, areas[pattern[places]])


def _patches(spacing_zyx: Spacing) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the area in mm^2 of the patch of each of the 256 patterns, and its centre in mm from the cube's origin."""
    corners = TRIANGLES / 2 * np.array(spacing_zyx)
    sides = corners[:, :2] - corners[:, 2:]
    weights = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1) / 2
    areas = np.asarray(np.bincount(TRIANGLE_PATTERN, weights, 256), np.float64)
    moments = np.zeros((256, 3))
    np.add.at(moments, TRIANGLE_PATTERN, weights[:, None] * corners.mean(axis=1))
    return areas, moments / np.where(areas > 0, areas, 1.0)[:, None]


def _box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """Return the smallest block that holds the mask."""
    others = ((1, 2), (0, 2), (0, 1))
    spans = [np.flatnonzero(mask.any(axis=axes)) for axes in others]
    return tuple(slice(int(span[0]), int(span[-1]) + 1) for span in spans)


def _distances(first: Surface, second: Surface) -> NDArray[np.float64]:
    """Return the distance of each patch of the first surface to the second."""
    distances: NDArray[np.float64] = np.asarray(KDTree(second.points).query(first.points)[0], np.float64)
    return distances


def _percentile(distances: NDArray[np.float64], areas: NDArray[np.float64], part: float) -> float:
    """Return the distance within which this part of the area lies."""
    order = np.argsort(distances)
    reached = np.cumsum(areas[order])
    place = np.searchsorted(reached, part * reached[-1])
    return float(distances[order][min(place, len(order) - 1)])
