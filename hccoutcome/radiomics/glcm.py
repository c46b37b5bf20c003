"""Grey level co-occurrence matrix: pairs of levels along each direction (Haralick 1973; IBSI 1 manual, section 3.6).

The formulas are PyRadiomics'. Where it leaves a value to rounding errors, this engine gives the exact limit:

* A direction whose matrix has rank one (both levels of a pair are independent): Imc2 and MCC are 0. PyRadiomics takes
  the square root of a rounding error, which gives about 1e-8, or drops the direction where that error is negative.
* A direction in which one of the two levels never varies: Correlation is 1, also where PyRadiomics' standard deviation
  misses 0 by rounding (matrices that are not symmetrical).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hccoutcome.errors import InputError
from hccoutcome.radiomics.correlation import EPSILON, ROUNDING, maximal_correlation
from hccoutcome.radiomics.features import GLCM
from hccoutcome.radiomics.kernels import compiled, count_pairs
from hccoutcome.radiomics.levelgrid import LevelGrid, direction_lengths

MOST_CELLS = 2**29
"""Most cells of all matrices of a region: as counts and as probabilities they take 10 GiB."""


def pair_counts(grid: LevelGrid, directions: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return how often level i has level j at each direction (z, y, x), shape (directions, n, n).

    Raises:
        InputError: the matrices do not fit into memory.
    """
    n = grid.levels.size
    if len(directions) * n * n > MOST_CELLS:
        most = math.isqrt(MOST_CELLS // len(directions))
        raise InputError(f"GLCM takes at most {most} grey levels, found {n} in the region: use wider bins.")
    table = np.zeros((len(directions), n + 1, n + 1), np.uint32)
    count_pairs(grid.codes, grid.rows, grid.flat_offsets(directions), table)
    return table[:, 1:, 1:]


def pair_weights(
    directions: NDArray[np.int64], spacing_zyx: tuple[float, float, float], norm: str | None
) -> NDArray[np.float64] | None:
    """Return exp(-d^2) for each direction, d its length in mm in the norm; 1 for ``no_weighting``, None for None."""
    if norm in (None, "no_weighting"):
        return None if norm is None else np.ones(len(directions))
    return np.exp(-(direction_lengths(directions, spacing_zyx, norm) ** 2))


def glcm_features(
    counts: NDArray[np.uint32],
    levels: NDArray[np.float64],
    symmetrical: bool = True,
    weights: NDArray[np.float64] | None = None,
) -> dict[str, float]:
    """Return all GLCM features, averaged over the directions, or of the weighted sum of them.

    Args:
        counts: Ordered pairs, shape (directions, n, n).
        levels: The n grey levels, ascending.
        symmetrical: Count each pair in both orders.
        weights: Weight of each direction; one matrix is made of all. None: the mean of each direction's features.

    Returns:
        Values by PyRadiomics' name. All are NaN where no voxel has a neighbour, but for MCC, which PyRadiomics sets to
        1 for a region of a single level if there are several directions to take the mean of.
    """
    p = _probabilities(counts, symmetrical, weights)
    if not len(p):
        alone = levels.size == 1 and weights is None and len(counts) > 1
        return {name: 1.0 if name == "MCC" and alone else np.nan for name in GLCM}
    values = _formulas(p, levels)
    values["MCC"] = maximal_correlation(p) if levels.size > 1 else np.ones(1)
    return {name: float(values[name].mean()) for name in GLCM}


def _probabilities(
    counts: NDArray[np.uint32], symmetrical: bool, weights: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return the normalised matrices, without the directions along which no voxel has a neighbour."""
    p = counts.astype(np.float64)
    if symmetrical:
        p += p.transpose(0, 2, 1).copy()
    if weights is not None:
        p = np.tensordot(weights, p, axes=1)[None]
    totals = p.sum(axis=(1, 2))
    p = p[totals > 0]
    p /= totals[totals > 0, None, None]
    return p


def _formulas(p: NDArray[np.float64], levels: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return every feature but MCC for each matrix of ``p``, shape (directions, n, n)."""
    most = int(levels[-1])
    margins = np.zeros((len(p), 2, levels.size))
    sums = np.zeros((len(p), 6))
    by_sum = np.zeros((len(p), 2 * most + 1))
    by_difference = np.zeros((len(p), most))
    _accumulate(p, levels, margins, sums, by_sum, by_difference)
    energy, entropy, largest, product, cross_entropy, covariance = sums.T
    mean_x, mean_y = (margins @ levels).T
    variance_x, variance_y = ((levels - (margins @ levels)[..., None]) ** 2 * margins).sum(axis=2).T

    k_sum = np.arange(by_sum.shape[1], dtype=np.float64)
    k = np.arange(most, dtype=np.float64)
    off_centre = k_sum - (mean_x + mean_y)[:, None]
    difference_mean = by_difference @ k
    return {
        "Autocorrelation": product,
        "JointAverage": mean_x,
        "ClusterProminence": (off_centre**4 * by_sum).sum(axis=1),
        "ClusterShade": (off_centre**3 * by_sum).sum(axis=1),
        "ClusterTendency": (off_centre**2 * by_sum).sum(axis=1),
        "Contrast": by_difference @ k**2,
        "Correlation": _correlation(covariance, variance_x, variance_y, float(most)),
        "DifferenceAverage": difference_mean,
        "DifferenceEntropy": _entropy(by_difference),
        "DifferenceVariance": (by_difference * (k - difference_mean[:, None]) ** 2).sum(axis=1),
        "JointEnergy": energy,
        "JointEntropy": entropy,
        "Imc1": _information_1(entropy, cross_entropy, margins),
        "Imc2": _information_2(entropy, margins),
        "Id": by_difference @ (1 / (1 + k)),
        "Idm": by_difference @ (1 / (1 + k**2)),
        "Idn": by_difference @ (1 / (1 + k / most)),
        "Idmn": by_difference @ (1 / (1 + k**2 / most**2)),
        "InverseVariance": by_difference[:, 1:] @ k[1:] ** -2.0,
        "MaximumProbability": largest,
        "SumAverage": by_sum @ k_sum,
        "SumEntropy": _entropy(by_sum),
        "SumSquares": variance_x,
    }


@compiled
def _accumulate(p, levels, margins, sums, by_sum, by_difference):
    """Fill what the formulas need in two passes over the cells of ``p`` that are not empty.

    ``sums`` takes of each matrix: energy, entropy, largest cell, mean of ij, entropy against the margins, covariance.
    """
    n = levels.size
    for a in range(p.shape[0]):
        for i in range(n):
            for j in range(n):
                value = p[a, i, j]
                if value != 0.0:
                    margins[a, 0, i] += value
                    margins[a, 1, j] += value
                    by_sum[a, int(levels[i] + levels[j])] += value
                    by_difference[a, int(abs(levels[i] - levels[j]))] += value
                    sums[a, 0] += value * value
                    sums[a, 1] -= value * np.log2(value + EPSILON)
                    sums[a, 2] = max(sums[a, 2], value)
                    sums[a, 3] += value * (levels[i] * levels[j])
        mean_x = (margins[a, 0] * levels).sum()
        mean_y = (margins[a, 1] * levels).sum()
        for i in range(n):
            for j in range(n):
                value = p[a, i, j]
                if value != 0.0:
                    sums[a, 4] -= value * np.log2(margins[a, 0, i] * margins[a, 1, j] + EPSILON)
                    sums[a, 5] += value * (levels[i] - mean_x) * (levels[j] - mean_y)


def _entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return -(p * np.log2(p + EPSILON)).sum(axis=-1)


def _correlation(
    covariance: NDArray[np.float64], variance_x: NDArray[np.float64], variance_y: NDArray[np.float64], most: float
) -> NDArray[np.float64]:
    deviations = np.sqrt(variance_x) * np.sqrt(variance_y)
    flat = np.minimum(variance_x, variance_y) <= (ROUNDING * most) ** 2
    return np.where(flat, 1.0, covariance / (deviations + EPSILON))


def _information_1(
    entropy: NDArray[np.float64], cross_entropy: NDArray[np.float64], margins: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Informational measure of correlation 1, 0 where both margins have a single level."""
    largest = _entropy(margins).max(axis=1)
    flat = largest <= ROUNDING
    return np.where(flat, 0.0, (entropy - cross_entropy) / np.where(flat, 1.0, largest))


def _information_2(entropy: NDArray[np.float64], margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Informational measure of correlation 2.

    The entropy of the product of the margins is the sum of theirs; the last term is the epsilon that PyRadiomics adds
    inside the logarithm of each of its cells, to first order (the second is below 1e-19).
    """
    own = -(margins * np.log2(np.where(margins > 0, margins, 1.0))).sum(axis=2)
    whole = margins.sum(axis=2)
    cells = (margins > 0).sum(axis=2).prod(axis=1)
    product = own[:, 0] * whole[:, 1] + own[:, 1] * whole[:, 0] - cells * EPSILON / np.log(2)
    shared = product - entropy
    return np.sqrt(np.where(shared > ROUNDING, -np.expm1(-2 * shared), 0.0))
