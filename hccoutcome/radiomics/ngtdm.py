"""Neighbouring grey tone difference matrix (Amadasun and King 1989; IBSI 1 manual, section 3.10).

As in PyRadiomics, a voxel without any neighbour in the region still counts for its level, with a difference of 0
(IBSI leaves it out), and Coarseness is 1e6 where no level differs from its neighbourhood.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hccoutcome.radiomics.features import NGTDM
from hccoutcome.radiomics.kernels import COUNT_SHIFT, sum_differences
from hccoutcome.radiomics.levelgrid import LevelGrid

COARSENESS_OF_A_FLAT_REGION = 1e6


def tone_differences(grid: LevelGrid, steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sum of |level - mean of its neighbours| over the voxels of each level, shape (n,).

    ``steps`` (z, y, x) lead to all neighbours, see ``neighbour_steps``.
    """
    packed_level = np.concatenate([[0], grid.levels.astype(np.int64) + (1 << COUNT_SHIFT)])
    levels = np.concatenate([[0.0], grid.levels])
    differences = np.zeros(levels.size)
    offsets = grid.flat_offsets(steps)
    sum_differences(grid.codes, grid.rows, offsets, np.take(packed_level, grid.codes), levels, differences)
    return differences[1:]


def ngtdm_features(
    counts: NDArray[np.int64], differences: NDArray[np.float64], levels: NDArray[np.float64]
) -> dict[str, float]:
    """Return all NGTDM features.

    Args:
        counts: Voxels of each level, shape (n,).
        differences: See :func:`tone_differences`.
        levels: The n grey levels, ascending.
    """
    voxels = counts.sum()
    p = counts / voxels
    weighted = p * differences
    gap = np.abs(levels[:, None] - levels)
    pair = p[:, None] + p
    share = levels * counts  # whole numbers, so that equal shares cancel exactly
    spread = np.abs(share[:, None] - share).sum() / voxels
    n = levels.size
    values = {
        "Coarseness": 1 / weighted.sum() if weighted.sum() else COARSENESS_OF_A_FLAT_REGION,
        "Contrast": (p @ gap**2 @ p) * differences.sum() / voxels / (n * (n - 1)) if n > 1 else 0.0,
        "Busyness": weighted.sum() / spread if spread else 0.0,
        "Complexity": (gap * (weighted[:, None] + weighted) / pair).sum() / voxels,
        "Strength": (pair * gap**2).sum() / differences.sum() if differences.sum() else 0.0,
    }
    return {name: float(values[name]) for name in NGTDM}
