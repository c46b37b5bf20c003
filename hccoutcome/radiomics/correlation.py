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
FEW_LEVELS = 24
"""Up to so many levels the eigenvalues of the whole matrix take no longer."""
MOST_STEPS = 80
CONVERGED = 1e-8
"""Residual of the eigenvector at which the steps end; the eigenvalue is off by its square."""
SMALL_ENOUGH = 1e-12
"""Error of the eigenvalue that is accepted."""


def maximal_correlation(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the coefficient of each normalised matrix of ``p``, shape (matrices, n, n), n at least 2."""
    second = np.full(len(p), np.nan)
    if p.shape[1] > FEW_LEVELS:
        for a in range(len(p)):
            second[a] = _second_eigenvalue(p[a])
    left = np.isnan(second)
    if left.any():
        second[left] = np.sort(np.linalg.eigvals(_q(p[left])), axis=1)[:, -2].real
    return np.sqrt(np.where(second > ROUNDING, second, 0.0))


def _q(p: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = p.sum(axis=2)[:, :, None]
    columns = p.sum(axis=1)[:, None, :]
    return (p / (rows * columns + EPSILON)) @ p.transpose(0, 2, 1)


def _second_eigenvalue(p: NDArray[np.float64]) -> float:
    """Return the second largest eigenvalue of Q, or NaN where it is not certain."""
    rows, columns = np.nonzero(p)
    row_sum, column_sum = p.sum(axis=1), p.sum(axis=0)
    product = row_sum[rows] * column_sum[columns]
    damping = product / (product + EPSILON)
    of_parts = _second_of_parts(p[rows, columns], rows, damping, _part_of_each_level(rows, columns, len(p)))
    if not np.isnan(of_parts):
        return of_parts

    exact = p[rows, columns] / np.sqrt(product)
    level = np.arange(len(p))
    basis = np.zeros((min(len(p), MOST_STEPS) + 2, len(p)))
    basis[0] = np.sqrt(row_sum)
    # Starts near the slowest change over the levels, with something of everything.
    basis[1] = basis[0] * (level - level.mean()) + 0.01 * np.sin(1.0 + level**2)
    diagonal, beside = np.zeros(len(basis)), np.zeros(len(basis))
    _make_orthonormal(basis, 1)
    for stop in range(8, len(basis) - 1, 8):
        last = _lanczos(rows, columns, exact, basis, diagonal, beside, stop - 7, stop)
        inner = beside[1:last]
        values, vectors = np.linalg.eigh(np.diag(diagonal[1 : last + 1]) + np.diag(inner, 1) + np.diag(inner, -1))
        if beside[last] * abs(vectors[-1, -1]) < CONVERGED:
            vector = vectors[:, -1] @ basis[1 : last + 1]
            third = values[-2] if last > 1 else 0.0
            return float(_with_epsilon(rows, columns, exact, exact * damping, vector, third))
    return np.nan


@compiled
def _lanczos(rows, columns, exact, basis, diagonal, beside, start, stop):
    """Take the steps from ``start`` to ``stop``; return the last taken, earlier where nothing new is left."""
    for step in range(start, stop + 1):
        image = _times(rows, columns, exact, exact, basis[step])
        diagonal[step] = _dot(image, basis[step])
        basis[step + 1] = image
        beside[step] = _make_orthonormal(basis, step + 1)
        if beside[step] < ROUNDING:
            return step
    return stop


@compiled
def _with_epsilon(rows, columns, exact, damped, vector, third_value):
    """Return the eigenvalue of Q beside a vector of A A^T, or NaN where what lies outside it may matter."""
    right = _times(rows, columns, damped, exact, vector)
    left = _times(rows, columns, exact, damped, vector)
    value = _dot(right, vector)
    right -= value * vector
    left -= value * vector
    outside = np.sqrt(_dot(right, right)) * np.sqrt(_dot(left, left))
    return value if outside < SMALL_ENOUGH * min(1.0 - value, value - third_value) else np.nan


@compiled
def _part_of_each_level(rows, columns, n):
    """Return for each level its part: rows and columns joined by cells, named by the smallest of 0..2n-1 in it."""
    part = np.arange(2 * n)
    for c in range(rows.size):
        one, other = rows[c], columns[c] + n
        while part[one] != one:
            one = part[one]
        while part[other] != other:
            other = part[other]
        part[max(one, other)] = min(one, other)
    for k in range(2 * n):
        part[k] = part[part[k]]
    return part[:n]


def _second_of_parts(
    p: NDArray[np.float64], rows: NDArray[np.int64], damping: NDArray[np.float64], part: NDArray[np.int64]
) -> float:
    """Return the second largest mean of the damping by epsilon over the parts of p, or NaN if p is all one part.

    Without the epsilon each part has an eigenvalue of 1, with the vector sqrt(px) on its levels.
    """
    weight = np.bincount(part[rows], p)
    damped = np.bincount(part[rows], p * damping)
    used = weight > 0
    return float(np.sort(damped[used] / weight[used])[-2]) if used.sum() > 1 else np.nan


@compiled
def _times(rows, columns, outer, inner, vector):
    """Return outer (inner^T vector), both matrices given by their cells."""
    between = np.zeros(vector.size)
    for c in range(rows.size):
        between[columns[c]] += inner[c] * vector[rows[c]]
    result = np.zeros(vector.size)
    for c in range(rows.size):
        result[rows[c]] += outer[c] * between[columns[c]]
    return result


@compiled
def _dot(a, b):
    return (a * b).sum()


@compiled
def _make_orthonormal(basis, last):
    """Make vector ``last`` orthogonal to those before it and of length 1; return its length before that."""
    vector = basis[last]
    for _ in range(2):
        for k in range(last):
            vector -= _dot(vector, basis[k]) * basis[k]
    length = np.sqrt(_dot(vector, vector))
    if length > 0:
        vector /= length
    return length
