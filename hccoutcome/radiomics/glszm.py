"""Grey level size zone matrix: connected zones of equal voxels (Thibault 2009; IBSI 1 manual, section 3.8).

Zones connect over faces, edges and corners; with ``force2D`` within the plane only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hccoutcome.radiomics.kernels import find_zones
from hccoutcome.radiomics.levelgrid import LevelGrid
from hccoutcome.radiomics.zones import average, emphasis_statistics

STATISTIC = {
    "GrayLevelNonUniformity": "level_nonuniformity",
    "GrayLevelNonUniformityNormalized": "level_nonuniformity_normalised",
    "GrayLevelVariance": "level_variance",
    "HighGrayLevelZoneEmphasis": "high",
    "LargeAreaEmphasis": "large",
    "LargeAreaHighGrayLevelEmphasis": "large_high",
    "LargeAreaLowGrayLevelEmphasis": "large_low",
    "LowGrayLevelZoneEmphasis": "low",
    "SizeZoneNonUniformity": "size_nonuniformity",
    "SizeZoneNonUniformityNormalized": "size_nonuniformity_normalised",
    "SmallAreaEmphasis": "small",
    "SmallAreaHighGrayLevelEmphasis": "small_high",
    "SmallAreaLowGrayLevelEmphasis": "small_low",
    "ZoneEntropy": "entropy",
    "ZonePercentage": "percentage",
    "ZoneVariance": "size_variance",
}


def zones(
    grid: LevelGrid, directions: NDArray[np.int64], behind: NDArray[np.uint16]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the place of its level (0..n-1) and the size in voxels of each zone, shapes (zones,)."""
    first, covered = _join_order(directions)
    code = np.empty(grid.counts.sum(), np.int32)
    size = np.empty(grid.counts.sum(), np.int32)
    found = find_zones(grid.codes, grid.rows, grid.flat_offsets(directions), behind, first, covered, code, size)
    return code[:found] - 1, size[:found]


def _join_order(directions: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Return which neighbour to join first for each mask, and which neighbours each one touches (as a mask)."""
    touching = np.abs(directions[:, None] - directions[None]).max(axis=2) <= 1
    covered = (touching << np.arange(len(directions))).sum(axis=1).astype(np.uint16)
    first = np.zeros(1 << len(directions), np.uint8)
    for a in np.argsort(touching.sum(axis=1), kind="stable"):  # those that touch most overwrite the others
        first[(np.arange(first.size) >> a) & 1 == 1] = a
    return first, covered


def glszm_features(codes: NDArray[np.int32], sizes: NDArray[np.int32], levels: NDArray[np.float64]) -> dict[str, float]:
    """Return all GLSZM features.

    Args:
        codes: Place in ``levels`` of the level of each zone.
        sizes: Size of each zone in voxels.
        levels: The n grey levels, ascending.
    """
    occurs = np.bincount(sizes)
    columns = np.flatnonzero(occurs)
    place = np.zeros(occurs.size, np.int64)
    place[columns] = np.arange(columns.size)
    cells = np.bincount(codes * np.int64(columns.size) + place[sizes], minlength=levels.size * columns.size)
    matrix = cells.reshape(1, levels.size, columns.size).astype(np.float64)
    return average(emphasis_statistics(matrix, levels, columns), STATISTIC)
