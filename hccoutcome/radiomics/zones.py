"""Formulas that three matrices share: levels i against the length of runs, the size of zones, the dependence count j.

GLRLM (Galloway 1975), GLSZM (Thibault 2009) and GLDM (Sun and Wee 1983) differ in what a column counts; the statistics
of the matrix are the same up to their names (IBSI 1 manual, sections 3.7, 3.8 and 3.11).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EPSILON = float(np.spacing(1))


def emphasis_statistics(
    counts: NDArray[np.float64], levels: NDArray[np.float64], sizes: NDArray[np.integer]
) -> dict[str, NDArray[np.float64]]:
    """Return every shared statistic of each matrix.

    Args:
        counts: Runs, zones or dependences, shape (matrices, n levels, n sizes); no matrix may be empty.
        levels: The grey level of each row.
        sizes: The length, size or dependence of each column.

    Returns:
        Arrays of shape (matrices,) by a name of the statistic; ``low`` and ``high`` speak of the grey level, ``small``
        and ``large`` of the size.
    """
    total = counts.sum(axis=(1, 2))
    p = counts / total[:, None, None]
    by_level = p.sum(axis=2)
    by_size = p.sum(axis=1)
    low, high = levels**-2.0, levels**2
    size = sizes.astype(np.float64)
    small, large = size**-2.0, size**2
    return {
        "small": by_size @ small,
        "large": by_size @ large,
        "low": by_level @ low,
        "high": by_level @ high,
        "small_low": (p @ small) @ low,
        "small_high": (p @ small) @ high,
        "large_low": (p @ large) @ low,
        "large_high": (p @ large) @ high,
        "level_nonuniformity": (by_level**2).sum(axis=1) * total,
        "level_nonuniformity_normalised": (by_level**2).sum(axis=1),
        "size_nonuniformity": (by_size**2).sum(axis=1) * total,
        "size_nonuniformity_normalised": (by_size**2).sum(axis=1),
        "level_variance": _variance(by_level, levels),
        "size_variance": _variance(by_size, size),
        "entropy": -(p * np.log2(p + EPSILON)).sum(axis=(1, 2)),
        "percentage": 1 / (by_size @ size),
    }


def _variance(p: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variance of the values under each row of probabilities."""
    return (p * (values - (p @ values)[:, None]) ** 2).sum(axis=1)


def average(statistics: dict[str, NDArray[np.float64]], names: dict[str, str]) -> dict[str, float]:
    """Return the mean over the matrices of the statistic that ``names`` gives for each feature."""
    return {feature: float(statistics[statistic].mean()) for feature, statistic in names.items()}
