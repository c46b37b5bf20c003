"""Grey level dependence matrix: how many neighbours of each voxel have a close level (Sun and Wee 1983; IBSI 3.11)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hccoutcome.radiomics.kernels import count_close, count_equal
from hccoutcome.radiomics.levelgrid import LevelGrid
from hccoutcome.radiomics.zones import average, emphasis_statistics

STATISTIC = {
    "DependenceEntropy": "entropy",
    "DependenceNonUniformity": "size_nonuniformity",
    "DependenceNonUniformityNormalized": "size_nonuniformity_normalised",
    "DependenceVariance": "size_variance",
    "GrayLevelNonUniformity": "level_nonuniformity",
    "GrayLevelVariance": "level_variance",
    "HighGrayLevelEmphasis": "high",
    "LargeDependenceEmphasis": "large",
    "LargeDependenceHighGrayLevelEmphasis": "large_high",
    "LargeDependenceLowGrayLevelEmphasis": "large_low",
    "LowGrayLevelEmphasis": "low",
    "SmallDependenceEmphasis": "small",
    "SmallDependenceHighGrayLevelEmphasis": "small_high",
    "SmallDependenceLowGrayLevelEmphasis": "small_low",
}

BITS_SET = np.array([bin(mask).count("1") for mask in range(1 << 13)], np.uint8)


def dependences_of_equal_neighbours(
    grid: LevelGrid, ahead: NDArray[np.uint16], behind: NDArray[np.uint16]
) -> NDArray[np.int64]:
    """Return voxels by level and number of equal neighbours, shape (n, 27), from marks of equal neighbours."""
    table = np.zeros((grid.levels.size + 1, 27), np.int64)
    count_equal(grid.codes, grid.rows, ahead, behind, BITS_SET, table)
    return table[1:]


def dependences(grid: LevelGrid, steps: NDArray[np.int64], largest_difference: int) -> NDArray[np.int64]:
    """Return voxels by level and number of neighbours whose level differs by no more than ``largest_difference``.

    ``steps`` (z, y, x) lead to all neighbours, see ``neighbour_steps``.
    """
    table = np.zeros((grid.levels.size + 1, len(steps) + 1), np.int64)
    levels = np.concatenate([[0.0], grid.levels])
    count_close(grid.codes, grid.rows, grid.flat_offsets(steps), levels, largest_difference, table)
    return table[1:]


def gldm_features(counts: NDArray[np.int64], levels: NDArray[np.float64]) -> dict[str, float]:
    """Return all GLDM features.

    Args:
        counts: Voxels by level and number of dependent neighbours 0, 1, ...; shape (n, neighbours + 1).
        levels: The n grey levels, ascending.
    """
    sizes = np.flatnonzero(counts.any(axis=0))
    matrix = counts[None, :, sizes].astype(np.float64)
    return average(emphasis_statistics(matrix, levels, sizes + 1), STATISTIC)
