"""First-order statistics: the distribution of the region's grey values (IBSI 1 manual, sections 3.3 and 3.4).

The formulas are PyRadiomics'. In a flat region variance, deviations, skewness and kurtosis are exactly 0; PyRadiomics
means 0 too, but gives -1 or 1 for skewness and 1 for kurtosis where its mean misses the common value by rounding.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hccoutcome.radiomics.features import FIRST_ORDER
from hccoutcome.radiomics.kernels import compiled

EPSILON = float(np.spacing(1))
BLOCK = 512
"""Values summed one after another; the sums of blocks are added in pairs, which keeps rounding errors small."""


def first_order_features(
    values: NDArray[np.generic], levels: NDArray[np.integer], voxel_volume: float, voxel_array_shift: float = 0.0
) -> dict[str, float]:
    """Return all first-order features.

    Args:
        values: Grey values of the region, shape (n,), finite, not empty.
        levels: Discrete grey levels of the same voxels, for Entropy and Uniformity.
        voxel_volume: Volume of a voxel in mm^3, for TotalEnergy.
        voxel_array_shift: Added to each value for Energy, TotalEnergy and RootMeanSquared (``voxelArrayShift``).
    """
    x = np.ascontiguousarray(values, np.float64)
    ordered = np.sort(x)
    smallest, largest = ordered[0], ordered[-1]
    mean = smallest if smallest == largest else x.mean()
    p10, p25, median, p75, p90 = (_percentile(ordered, percent) for percent in (10, 25, 50, 75, 90))
    shifted_squares, deviation, second, third, fourth = _mean_powers(x, mean, voxel_array_shift)
    energy = shifted_squares * x.size
    occurs = np.bincount(levels)
    p = occurs[occurs > 0] / x.size
    spread = second if second else 1.0
    result = {
        "10Percentile": p10,
        "90Percentile": p90,
        "Energy": energy,
        "Entropy": -(p * np.log2(p + EPSILON)).sum(),
        "InterquartileRange": p75 - p25,
        "Kurtosis": fourth / spread**2,
        "Maximum": largest,
        "Mean": mean,
        "MeanAbsoluteDeviation": deviation,
        "Median": median,
        "Minimum": smallest,
        "Range": largest - smallest,
        "RobustMeanAbsoluteDeviation": _robust_deviation(ordered, p10, p90),
        "RootMeanSquared": np.sqrt(shifted_squares),
        "Skewness": third / spread**1.5,
        "StandardDeviation": np.sqrt(second),
        "TotalEnergy": energy * voxel_volume,
        "Uniformity": np.square(p).sum(),
        "Variance": second,
    }
    return {name: float(result[name]) for name in FIRST_ORDER}


def _percentile(ordered: NDArray[np.float64], percent: float) -> float:
    """Return the percentile between the two nearest ranks, rounded as numpy's does."""
    rank = (ordered.size - 1) * (percent / 100)
    below = int(rank)
    part = rank - below
    low, high = ordered[below], ordered[min(below + 1, ordered.size - 1)]
    return float(high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part)


def _robust_deviation(ordered: NDArray[np.float64], p10: float, p90: float) -> float:
    """Return the mean absolute deviation of the values from p10 to p90, both included; NaN where there is none."""
    middle = ordered[np.searchsorted(ordered, p10, "left") : np.searchsorted(ordered, p90, "right")]
    return float(_mean_powers(middle, middle.mean(), 0.0)[1]) if middle.size else np.nan


def _mean_powers(x: NDArray[np.float64], mean: float, shift: float) -> NDArray[np.float64]:
    """Return the means of (x + shift)^2, |x - mean|, and of (x - mean) to the powers 2, 3 and 4."""
    blocks = np.zeros((5, -(-x.size // BLOCK)))
    _sum_powers(x, mean, shift, blocks)
    return blocks.sum(axis=1) / x.size


@compiled
def _sum_powers(x, mean, shift, blocks):
    for b in range(blocks.shape[1]):
        energy = deviation = second = third = fourth = 0.0
        for value in x[b * BLOCK : (b + 1) * BLOCK]:
            d = value - mean
            energy += (value + shift) * (value + shift)
            deviation += abs(d)
            second += d * d
            third += d * d * d
            fourth += (d * d) * (d * d)
        blocks[0, b] = energy
        blocks[1, b] = deviation
        blocks[2, b] = second
        blocks[3, b] = third
        blocks[4, b] = fourth
