"""First-order statistics of the box around each voxel."""

from __future__ import annotations

import numpy as np

from hccoutcome.radiomics.correlation import EPSILON
from hccoutcome.radiomics.features import FIRST_ORDER
from hccoutcome.radiomics.kernels import compiled

(
    PERCENTILE_10,
    PERCENTILE_90,
    ENERGY,
    ENTROPY,
    QUARTILES,
    KURTOSIS,
    LARGEST,
    MEAN,
    DEVIATION,
    MEDIAN,
    SMALLEST,
    RANGE,
    ROBUST_DEVIATION,
    ROOT_MEAN_SQUARE,
    SKEWNESS,
    STANDARD_DEVIATION,
    TOTAL_ENERGY,
    UNIFORMITY,
    VARIANCE,
) = range(len(FIRST_ORDER))


@compiled
def first_order_of_boxes(codes, values, centres, reach, levels, shift, voxel_volume, out):
    """Write the statistics of the box around each centre to ``out`` (19, centres).

    ``values`` are the grey values on the flat grid of ``codes``; only those with a code count.
    """
    box = np.empty(reach.size)
    counts = np.zeros(levels.size)
    for c in range(centres.size):
        found = 0
        low, high = np.int64(levels.size), np.int64(0)
        for k in range(reach.size):
            p = centres[c] + reach[k]
            code = np.int64(codes[p])
            if code:
                box[found] = values[p]
                found += 1
                counts[code] += 1
                low = np.int64(min(low, code))
                high = np.int64(max(high, code))
        _statistics(np.sort(box[:found]), shift, voxel_volume, out[:, c])
        entropy = uniformity = 0.0
        for level in range(low, high + 1):
            share = counts[level] / found
            entropy -= share * np.log2(share + EPSILON)
            uniformity += share * share
            counts[level] = 0
        out[ENTROPY, c] = entropy
        out[UNIFORMITY, c] = uniformity


@compiled
def _statistics(x, shift, voxel_volume, out):
    mean = x[0] if x[0] == x[-1] else x.mean()
    deviation = second = third = fourth = energy = 0.0
    for value in x:
        d = value - mean
        energy += (value + shift) ** 2
        deviation += abs(d)
        second += d * d
        third += d * d * d
        fourth += (d * d) * (d * d)
    variance = second / x.size
    spread = variance if variance > 0 else 1.0
    out[PERCENTILE_10] = _percentile(x, 0.1)
    out[PERCENTILE_90] = _percentile(x, 0.9)
    out[ENERGY] = energy
    out[QUARTILES] = _percentile(x, 0.75) - _percentile(x, 0.25)
    out[KURTOSIS] = fourth / x.size / spread**2
    out[LARGEST] = x[-1]
    out[MEAN] = mean
    out[DEVIATION] = deviation / x.size
    out[MEDIAN] = _percentile(x, 0.5)
    out[SMALLEST] = x[0]
    out[RANGE] = x[-1] - x[0]
    out[ROBUST_DEVIATION] = _robust_deviation(x, out[PERCENTILE_10], out[PERCENTILE_90])
    out[ROOT_MEAN_SQUARE] = np.sqrt(energy / x.size)
    out[SKEWNESS] = third / x.size / spread**1.5
    out[STANDARD_DEVIATION] = np.sqrt(variance)
    out[TOTAL_ENERGY] = energy * voxel_volume
    out[VARIANCE] = variance


@compiled
def _percentile(x, part):
    rank = (x.size - 1) * part
    below = int(rank)
    rest = rank - below
    low, high = x[below], x[min(below + 1, x.size - 1)]
    return high - (high - low) * (1 - rest) if rest >= 0.5 else low + (high - low) * rest


@compiled
def _robust_deviation(x, p10, p90):
    """Return the mean absolute deviation of the values from p10 to p90, NaN where there is none."""
    total, found = 0.0, 0
    for value in x:
        if p10 <= value <= p90:
            total += value
            found += 1
    if not found:
        return np.nan
    mean = total / found
    total = 0.0
    for value in x:
        if p10 <= value <= p90:
            total += abs(value - mean)
    return total / found
