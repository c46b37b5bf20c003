"""The maximal correlation coefficient of boxes with weighted pairs, where PyRadiomics' epsilon counts.

Weights of far neighbours make probabilities as small as the epsilon in Q(i, j) = sum_k p(i, k) p(j, k) / (px(i) py(k) +
epsilon), which then decides: the eigenvalues of Q itself are taken.
"""

from __future__ import annotations

import numpy as np

from hccoutcome.radiomics.correlation import EPSILON, ROUNDING
from hccoutcome.radiomics.kernels import compiled


@compiled
def weighted_mcc_of_boxes(codes, centres, reach, inner, block_size, offsets, levels, symmetrical, weights, out):
    """Write the coefficient of the box around each centre to ``out``, shape (centres,), NaN without any pair.

    The arguments are those of ``voxelglcm.glcm_of_boxes``.
    """
    block = np.zeros(block_size, np.int64)
    matrix = np.zeros((levels.size, levels.size))
    for c in range(centres.size):
        low, high = levels.size, 0
        for k in range(inner.size):
            code = codes[centres[c] + reach[k]]
            block[inner[k]] = code
            if code:
                low, high = min(low, code), max(high, code)
        total = _weigh(block, inner, offsets, symmetrical, weights, matrix)
        own = matrix[low : high + 1, low : high + 1]
        if levels.size == 2:
            out[c] = 1.0 if total > 0 else np.nan
        else:
            out[c] = _coefficient(own / total) if total > 0 else np.nan
        own[:] = 0.0


@compiled
def _weigh(block, inner, offsets, symmetrical, weights, matrix):
    """Add the weights of all pairs to the matrix and return their sum."""
    total = 0.0
    for a in range(offsets.size):
        for k in range(inner.size):
            i = block[inner[k]]
            j = block[inner[k] + offsets[a]]
            if i and j:
                matrix[i, j] += weights[a]
                total += weights[a]
                if symmetrical:
                    matrix[j, i] += weights[a]
                    total += weights[a]
    return total


@compiled
def _coefficient(p):
    n = p.shape[0]
    if n < 2:
        return 0.0
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    q = np.zeros((n, n), np.complex128)
    for i in range(n):
        for j in range(n):
            value = 0.0
            for k in range(n):
                value += p[i, k] * p[j, k] / (rows[i] * columns[k] + EPSILON)
            q[i, j] = value
    found = np.sort(np.linalg.eigvals(q).real)
    return np.sqrt(found[n - 2]) if found[n - 2] > ROUNDING else 0.0
