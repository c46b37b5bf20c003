"""Grey level run length matrix: straight runs of equal voxels along each direction (Galloway 1975; IBSI 1, 3.7).

Where no straight line holds two voxels every feature is NaN, as in PyRadiomics, but for RunEntropy and RunVariance,
which are 0 there when all directions are merged into one matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hccoutcome.radiomics.kernels import count_runs
from hccoutcome.radiomics.levelgrid import LevelGrid, direction_lengths
from hccoutcome.radiomics.zones import average, emphasis_statistics

STATISTIC = {
    "GrayLevelNonUniformity": "level_nonuniformity",
    "GrayLevelNonUniformityNormalized": "level_nonuniformity_normalised",
    "GrayLevelVariance": "level_variance",
    "HighGrayLevelRunEmphasis": "high",
    "LongRunEmphasis": "large",
    "LongRunHighGrayLevelEmphasis": "large_high",
    "LongRunLowGrayLevelEmphasis": "large_low",
    "LowGrayLevelRunEmphasis": "low",
    "RunEntropy": "entropy",
    "RunLengthNonUniformity": "size_nonuniformity",
    "RunLengthNonUniformityNormalized": "size_nonuniformity_normalised",
    "RunPercentage": "percentage",
    "RunVariance": "size_variance",
    "ShortRunEmphasis": "small",
    "ShortRunHighGrayLevelEmphasis": "small_high",
    "ShortRunLowGrayLevelEmphasis": "small_low",
}

FIRST_GUESS = 64


def run_counts(
    grid: LevelGrid, directions: NDArray[np.int64], ahead: NDArray[np.uint16], behind: NDArray[np.uint16]
) -> NDArray[np.uint32]:
    """Return runs by direction, level and length - 1, shape (directions, n, longest run).

    Directions along which no straight line holds two voxels of the region are all 0, as in PyRadiomics.
    """
    offsets = grid.flat_offsets(directions)
    longest = FIRST_GUESS
    while True:
        table = np.zeros((len(directions), grid.levels.size, longest), np.uint32)
        found: int = count_runs(grid.codes, grid.rows, offsets, ahead, behind, table)
        if found <= longest:
            break
        longest = int(found)
    table = table[:, :, :found]
    # Whatever is in no longer run is a run of its own.
    table[:, :, 0] = grid.counts - table @ np.arange(1, found + 1, dtype=np.uint32)
    table[~_lines_hold_two(grid, directions)] = 0
    return table


def _lines_hold_two(grid: LevelGrid, directions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each direction whether some straight line along it holds two voxels of the region."""
    held = np.zeros(len(directions), np.bool_)
    some = np.concatenate([np.arange(*stretch) for stretch in grid.rows[len(grid.rows) // 2 :][:8]])
    some = some[grid.codes[some] != 0]
    for a, offset in enumerate(grid.flat_offsets(directions)):
        held[a] = grid.codes[some + offset].any()
    for unsure in np.flatnonzero(~held):
        inside = np.flatnonzero(grid.codes)
        z, rest = np.divmod(inside, grid.strides[0])
        y, x = np.divmod(rest, grid.strides[1])
        position = np.stack([z, y, x], axis=1)
        step = directions[unsure]
        axis = int(np.flatnonzero(step)[0])
        line = position - position[:, [axis]] * step[axis] * step
        held[unsure] = len(np.unique(line, axis=0)) < len(line)
    return held


def run_weights(
    directions: NDArray[np.int64], spacing_zyx: tuple[float, float, float], norm: str | None
) -> NDArray[np.float64] | None:
    """Return the length in mm of each direction in the norm; 1 for ``no_weighting``, None for None."""
    if norm in (None, "no_weighting"):
        return None if norm is None else np.ones(len(directions))
    return direction_lengths(directions, spacing_zyx, norm)


def glrlm_features(
    counts: NDArray[np.uint32], levels: NDArray[np.float64], weights: NDArray[np.float64] | None = None
) -> dict[str, float]:
    """Return all GLRLM features, averaged over the directions, or of the weighted sum of them.

    Args:
        counts: Runs, shape (directions, n, lengths 1, 2, ...).
        levels: The n grey levels, ascending.
        weights: Weight of each direction; one matrix is made of all. None: the mean of each direction's features.

    Returns:
        Values by PyRadiomics' name; all NaN where no direction holds two voxels on a line.
    """
    matrix = counts.astype(np.float64)
    if weights is not None:
        matrix = np.tensordot(weights, matrix, axes=1)[None]
    matrix = matrix[matrix.any(axis=(1, 2))]
    if not len(matrix):
        return dict.fromkeys(STATISTIC, np.nan)
    lengths = np.flatnonzero(matrix.any(axis=(0, 1)))
    return average(emphasis_statistics(matrix[:, :, lengths], levels, lengths + 1), STATISTIC)
