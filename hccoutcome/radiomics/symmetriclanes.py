"""The eigenvalue of largest magnitude of many small symmetric matrices at once, one matrix a lane.

The same steps for all: Householder's tridiagonal form, then Newton's from the outside at the upper end of the spectrum,
and at the lower where it reaches farther.
"""

from __future__ import annotations

import numba
import numpy as np

from hccoutcome.radiomics.correlation import ROUNDING
from hccoutcome.radiomics.kernels import compiled

LANES = 16
"""Matrices that are handled together. The loops take this number from their arrays: where it stands in the code, the
compiler unrolls them instead of using vector instructions."""

inlined = numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)


@compiled
def largest_magnitudes(matrix, n, scratch):
    """Return the magnitude of that eigenvalue of each matrix, 0 where it is rounding, shape (lanes,).

    Args:
        matrix: Lower half of the matrices, no eigenvalue beyond 1, shape (n * n, lanes); overwritten.
        n: Side of the matrices.
        scratch: At least ``4 n + 8`` rows of lanes.
    """
    lanes = matrix.shape[1]
    diagonal, squared = scratch[:n], scratch[n : 2 * n]
    _tridiagonal(matrix, n, diagonal, squared, scratch[2 * n : 4 * n], scratch[4 * n : 4 * n + 2])
    upper, lower, work = scratch[4 * n], scratch[4 * n + 1], scratch[4 * n + 2 : 4 * n + 7]
    upper[:] = 0.0
    for k in range(n):
        for a in range(lanes):
            upper[a] += diagonal[k, a] * diagonal[k, a] + 2 * squared[k, a]
    for a in range(lanes):
        upper[a] = min(np.sqrt(upper[a]), 1.0) * (1.0 + 4e-16)
        lower[a] = upper[a]
    least = np.sqrt(ROUNDING)
    _newton(diagonal, squared, n, 1.0, upper, least, work)
    _keep_where_beyond(diagonal, squared, n, upper, lower, least, work)
    _newton(diagonal, squared, n, -1.0, lower, least, work)
    for a in range(lanes):
        upper[a] = max(upper[a], lower[a])
        if not upper[a] > least:
            upper[a] = 0.0
    return upper


@compiled
def _tridiagonal(matrix, n, diagonal, squared, vectors, work):
    """Fill the diagonals, and the squares beside them, of tridiagonal matrices with the same eigenvalues."""
    lanes = matrix.shape[1]
    inverse, along = work[0], work[1]
    vector, image = vectors[:n], vectors[n:]
    for k in range(n - 2):
        _reflection(matrix, n, k, diagonal[k], squared[k], vector, inverse)
        _image(matrix, n, k, vector, image)
        along[:] = 0.0
        for i in range(k + 1, n):
            _scale(inverse, image[i])
            _multiply_add(image[i], vector[i], along)
        for a in range(lanes):
            along[a] *= 0.5 * inverse[a]
        for i in range(k + 1, n):
            _multiply_subtract(along, vector[i], image[i])
        for i in range(k + 1, n):
            for j in range(k + 1, i + 1):
                _multiply_subtract(vector[i], image[j], matrix[i * n + j])
                _multiply_subtract(image[i], vector[j], matrix[i * n + j])
    _copy(matrix[(n - 1) * n + n - 1], diagonal[n - 1])
    squared[n - 1] = 0.0
    if n > 1:
        _copy(matrix[(n - 2) * n + n - 2], diagonal[n - 2])
        squared[n - 2] = 0.0
        _multiply_add(matrix[(n - 1) * n + n - 2], matrix[(n - 1) * n + n - 2], squared[n - 2])


@compiled
def _reflection(matrix, n, k, diagonal, squared, vector, inverse):
    """Fill the vector that reflects column k below the diagonal, and 2 / its squared length (0 for nothing to do)."""
    lanes = matrix.shape[1]
    squared[:] = 0.0
    for i in range(k + 1, n):
        _copy(matrix[i * n + k], vector[i])
        _multiply_add(vector[i], vector[i], squared)
    _copy(matrix[k * n + k], diagonal)
    first = vector[k + 1]
    for a in range(lanes):
        tail = squared[a] - first[a] * first[a]
        length = np.sqrt(squared[a]) if first[a] <= 0 else -np.sqrt(squared[a])
        scale = squared[a] - length * first[a]
        first[a] -= length
        inverse[a] = 1.0 / scale if tail > 0 else 0.0


@compiled
def _image(matrix, n, k, vector, image):
    """Multiply the part of the matrices beyond k, of which the lower half is given, with vectors."""
    for i in range(k + 1, n):
        _copy(matrix[i * n + i], image[i])
        _scale(vector[i], image[i])
    for i in range(k + 1, n):
        for j in range(k + 1, i):
            _multiply_add(matrix[i * n + j], vector[j], image[i])
            _multiply_add(matrix[i * n + j], vector[i], image[j])


@inlined
def _copy(source, target):
    for a in range(source.size):
        target[a] = source[a]


@inlined
def _scale(factor, target):
    for a in range(factor.size):
        target[a] *= factor[a]


@inlined
def _multiply_add(one, other, target):
    for a in range(one.size):
        target[a] += one[a] * other[a]


@inlined
def _multiply_subtract(one, other, target):
    for a in range(one.size):
        target[a] -= one[a] * other[a]


@inlined
def _evaluate(diagonal, squared, n, sign, x, pivot, slope, total, largest):
    """Evaluate the logarithmic derivative of the characteristic polynomials at x, and the largest pivot there.

    All pivots are negative where x lies above the whole spectrum.
    """
    lanes = x.size
    for a in range(lanes):
        pivot[a] = 1.0 / (sign * diagonal[0, a] - x[a])
        slope[a] = -1.0
        total[a] = -pivot[a]
        largest[a] = pivot[a]
    for k in range(1, n):
        for a in range(lanes):
            ratio = squared[k - 1, a] * pivot[a]
            slope[a] = ratio * slope[a] * pivot[a] - 1.0
            pivot[a] = 1.0 / (sign * diagonal[k, a] - x[a] - ratio)
            total[a] += slope[a] * pivot[a]
            largest[a] = max(largest[a], pivot[a])


@compiled
def _newton(diagonal, squared, n, sign, x, least, work):
    """Step down from above to the largest eigenvalue of ``sign`` times each matrix; x = 0 is left alone."""
    pivot, slope, total, largest, step = work[0], work[1], work[2], work[3], work[4]
    step[:] = 1.0
    for _ in range(100):
        _evaluate(diagonal, squared, n, sign, x, pivot, slope, total, largest)
        left = 0
        for a in range(x.size):
            if step[a] > 0:
                step[a] = 1.0 / total[a] if largest[a] < 0 and total[a] > 0 and x[a] > least else 0.0
                x[a] -= step[a]
                step[a] = 0.0 if step[a] < 1e-11 * x[a] else step[a]
                left += step[a] > 0
        if left == 0:
            break


@compiled
def _keep_where_beyond(diagonal, squared, n, upper, lower, least, work):
    """Set ``lower`` to 0 where no eigenvalue lies below minus ``upper``."""
    lanes = upper.size
    pivot, slope, total, largest, x = work[0], work[1], work[2], work[3], work[4]
    for a in range(lanes):
        x[a] = max(upper[a], least)
    _evaluate(diagonal, squared, n, -1.0, x, pivot, slope, total, largest)
    for a in range(lanes):
        if largest[a] < 0:
            lower[a] = 0.0
