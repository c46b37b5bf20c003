"""The maximal correlation coefficient of a co-occurrence matrix, also with hundreds of grey levels.

It is the square root of the second largest eigenvalue of Q(i, j) = sum_k p(i, k) p(j, k) / (px(i) py(k) + epsilon).
But for the epsilon Q is similar to the symmetric A A^T with A(i, k) = p(i, k) / sqrt(px(i) py(k)), whose largest
eigenvalue is 1 with the vector sqrt(px). A few steps of Lanczos on the cells of A that are not empty, kept orthogonal
to that vector, give the second; the epsilon is then put back to first order, and the second order is bounded. Where
that bound is not small enough the eigenvalues of Q itself are taken. Levels that fall into parts without common pairs
make 1 a multiple eigenvalue, which the epsilon alone sets apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hccoutcome.radiomics.kernels import compiled

EPSILON = float(np.spacing(1))
ROUNDING = 1e-13
FEW_LEVELS = 8
"""Up to so many levels the eigenvalues of the whole matrix take no longer."""
MOST_STEPS = 80
STEPS_AT_A_TIME = 8
CONVERGED = 1e-8
"""Residual of the eigenvector at which the steps end; the eigenvalue is off by its square."""
SMALL_ENOUGH = 1e-12
"""Error of the eigenvalue that is accepted."""


def maximal_correlation(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the coefficient of each normalised matrix of ``p``, shape (matrices, n, n), n at least 2."""
    second = np.full(len(p), np.nan)
    if p.shape[1] > FEW_LEVELS:
        _second_eigenvalues(p, second)
    left = np.isnan(second)
    if left.any():
        second[left] = np.sort(np.linalg.eigvals(_q(p[left])), axis=1)[:, -2].real
    return np.sqrt(np.where(second > ROUNDING, second, 0.0))


def _q(p: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = p.sum(axis=2)[:, :, None]
    columns = p.sum(axis=1)[:, None, :]
    return (p / (rows * columns + EPSILON)) @ p.transpose(0, 2, 1)


@compiled
def _second_eigenvalues(p, second):
    """Write the second largest eigenvalue of Q for each matrix of ``p`` to ``second``, NaN where it is not certain."""
    for a in range(p.shape[0]):
        starts, columns, row_sum, column_sum = _cells(p[a])
        second[a] = _second_of_parts(p[a], starts, columns, row_sum, column_sum)
        if np.isnan(second[a]):
            second[a] = _second_of_one_part(p[a], starts, columns, row_sum, column_sum)


@compiled
def _cells(p):
    """Return where the cells of each row start, the column of each cell, and the margins. Empty cells are left out."""
    n = p.shape[0]
    starts, columns = np.zeros(n + 1, np.int64), np.empty(n * n, np.int32)
    row_sum, column_sum = np.zeros(n), np.zeros(n)
    found = 0
    for i in range(n):
        for j in range(n):
            if p[i, j] != 0.0:
                columns[found] = j
                found += 1
                row_sum[i] += p[i, j]
                column_sum[j] += p[i, j]
        starts[i + 1] = found
    return starts, columns[:found], row_sum, column_sum


@compiled
def _second_of_parts(p, starts, columns, row_sum, column_sum):
    """Return the second largest mean of the damping by epsilon over the parts of p, or NaN if p is all one part.

    Without the epsilon each part has an eigenvalue of 1, with the vector sqrt(px) on its levels.
    """
    n = p.shape[0]
    part = _part_of_each_level(starts, columns)
    damped = np.zeros(n)
    weight = np.zeros(n)
    for i in range(n):
        for c in range(starts[i], starts[i + 1]):
            share, product = p[i, columns[c]], row_sum[i] * column_sum[columns[c]]
            weight[part[i]] += share
            damped[part[i]] += share * (product / (product + EPSILON))
    largest = second = np.nan
    for i in range(n):
        if weight[i] > 0:
            mean = damped[i] / weight[i]
            if np.isnan(largest) or mean > largest:
                largest, second = mean, largest
            elif np.isnan(second) or mean > second:
                second = mean
    return second


@compiled
def _part_of_each_level(starts, columns):
    """Return for each level its part: rows and columns joined by cells, named by the smallest of 0..2n-1 in it."""
    n = starts.size - 1
    part = np.arange(2 * n)
    for i in range(n):
        for c in range(starts[i], starts[i + 1]):
            one, other = i, columns[c] + n
            while part[one] != one:
                one = part[one]
            while part[other] != other:
                other = part[other]
            part[max(one, other)] = min(one, other)
    for k in range(2 * n):
        part[k] = part[part[k]]
    return part[:n]


@compiled
def _second_of_one_part(p, starts, columns, row_sum, column_sum):
    """Return the second largest eigenvalue of Q by the steps of Lanczos, or NaN where it is not certain."""
    n = p.shape[0]
    exact, damped = np.empty(columns.size), np.empty(columns.size)
    for i in range(n):
        for c in range(starts[i], starts[i + 1]):
            product = row_sum[i] * column_sum[columns[c]]
            exact[c] = p[i, columns[c]] / np.sqrt(product)
            damped[c] = exact[c] * (product / (product + EPSILON))
    steps = min(n, MOST_STEPS)
    basis = np.zeros((steps + 2, n))
    # Starts near the slowest change over the levels, with something of everything.
    for i in range(n):
        basis[0, i] = np.sqrt(row_sum[i])
        basis[1, i] = basis[0, i] * (i - (n - 1) / 2) + 0.01 * np.sin(1.0 + i * i)
    _make_orthonormal(basis, 1)
    diagonal, beside, between = np.zeros(steps + 2), np.zeros(steps + 2), np.zeros(n)
    for last in range(1, steps + 1):
        _times(starts, columns, exact, exact, basis[last], between, basis[last + 1])
        diagonal[last] = _dot(basis[last + 1], basis[last])
        beside[last] = _make_orthonormal(basis, last + 1)
        nothing_new = beside[last] < ROUNDING
        if nothing_new or last % STEPS_AT_A_TIME == 0 or last == steps:
            values, vectors = np.linalg.eigh(_tridiagonal(diagonal[1 : last + 1], beside[1:last]))
            if beside[last] * abs(vectors[-1, -1]) < CONVERGED:
                vector = np.zeros(n)
                for k in range(last):
                    vector += vectors[k, -1] * basis[k + 1]
                third = values[-2] if last > 1 else 0.0
                return _with_epsilon(starts, columns, exact, damped, vector, between, third)
        if nothing_new:
            break
    return np.nan


@compiled
def _tridiagonal(diagonal, beside):
    matrix = np.zeros((diagonal.size, diagonal.size))
    for k in range(diagonal.size):
        matrix[k, k] = diagonal[k]
    for k in range(beside.size):
        matrix[k, k + 1] = matrix[k + 1, k] = beside[k]
    return matrix


@compiled
def _with_epsilon(starts, columns, exact, damped, vector, between, third_value):
    """Return the eigenvalue of Q beside a vector of A A^T, or NaN where what lies outside it may matter."""
    right, left = np.empty(vector.size), np.empty(vector.size)
    _times(starts, columns, damped, exact, vector, between, right)
    _times(starts, columns, exact, damped, vector, between, left)
    value = _dot(right, vector)
    right -= value * vector
    left -= value * vector
    outside = np.sqrt(_dot(right, right)) * np.sqrt(_dot(left, left))
    return value if outside < SMALL_ENOUGH * min(1.0 - value, value - third_value) else np.nan


@compiled
def _times(starts, columns, outer, inner, vector, between, result):
    """Write outer (inner^T vector) to ``result``, both matrices given by their cells; ``between`` is overwritten."""
    between[:] = 0.0
    for i in range(vector.size):
        for c in range(starts[i], starts[i + 1]):
            between[columns[c]] += inner[c] * vector[i]
    for i in range(vector.size):
        total = 0.0
        for c in range(starts[i], starts[i + 1]):
            total += outer[c] * between[columns[c]]
        result[i] = total


@compiled
def _dot(a, b):
    """Return the inner product; four sums at a time, which do not wait for each other."""
    first = second = third = fourth = 0.0
    whole = a.size // 4 * 4
    for i in range(0, whole, 4):
        first += a[i] * b[i]
        second += a[i + 1] * b[i + 1]
        third += a[i + 2] * b[i + 2]
        fourth += a[i + 3] * b[i + 3]
    for i in range(whole, a.size):
        first += a[i] * b[i]
    return (first + second) + (third + fourth)


@compiled
def _make_orthonormal(basis, last):
    """Make vector ``last`` orthogonal to those before it and of length 1; return its length before that.

    What is large of it lies along the last two, as in any step of Lanczos; a second round takes the rounding of all.
    """
    vector = basis[last]
    for start in (max(last - 2, 0), 0):
        for k in range(start, last):
            vector -= _dot(vector, basis[k]) * basis[k]
    length = np.sqrt(_dot(vector, vector))
    if length > 0:
        vector /= length
    return length
