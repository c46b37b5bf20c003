"""The largest eigenvalue of a small symmetric matrix, without the cost of all of them."""

from __future__ import annotations

import numpy as np

from hccoutcome.radiomics.correlation import ROUNDING
from hccoutcome.radiomics.kernels import compiled


@compiled
def largest_eigenvalue(m, diagonal, squared):
    """Return the largest eigenvalue of a positive semidefinite matrix with none above 1, 0 where it is rounding.

    Householder's tridiagonal form, then Newton's steps on the characteristic polynomial from above all its roots: they
    never pass the largest, and halve the distance to it at the least.

    Args:
        m: Symmetric matrix, overwritten.
        diagonal: Scratch space for as many numbers as m has rows.
        squared: The same.
    """
    n = m.shape[0]
    trace = 0.0
    for k in range(n):
        trace += m[k, k]
    if trace <= ROUNDING:
        return 0.0
    _tridiagonal(m, diagonal, squared)
    x = min(trace, 1.0) * (1.0 + 4e-16)
    for _ in range(100):
        pivot = diagonal[0] - x
        slope = -1.0
        total = slope / pivot if pivot < 0 else 0.0
        for k in range(1, n):
            if pivot >= 0:
                break
            ratio = squared[k - 1] / pivot
            slope = ratio * slope / pivot - 1.0
            pivot = diagonal[k] - x - ratio
            total += slope / pivot
        if pivot >= 0 or not total > 0:
            break
        step = 1.0 / total
        x -= step
        if step < 2e-16 * x:
            break
    return x if x > ROUNDING else 0.0


@compiled
def _tridiagonal(m, diagonal, squared):
    """Fill the diagonal, and the squares beside it, of a tridiagonal matrix with the eigenvalues of ``m``."""
    n = m.shape[0]
    for k in range(n - 2):
        norm = 0.0
        for i in range(k + 1, n):
            norm += m[i, k] * m[i, k]
        diagonal[k] = m[k, k]
        squared[k] = norm
        if norm - m[k + 1, k] * m[k + 1, k] <= 0.0:
            continue
        length = np.sqrt(norm) if m[k + 1, k] <= 0 else -np.sqrt(norm)
        m[k + 1, k] -= length
        scale = norm - length * (m[k + 1, k] + length)  # half the squared length of the reflection's vector
        along = 0.0
        for i in range(k + 1, n):
            total = 0.0
            for j in range(k + 1, n):
                total += m[i, j] * m[j, k]
            m[k, i] = total / scale
            along += m[k, i] * m[i, k]
        along /= 2 * scale
        for i in range(k + 1, n):
            m[k, i] -= along * m[i, k]
        for i in range(k + 1, n):
            for j in range(k + 1, n):
                m[i, j] -= m[i, k] * m[k, j] + m[k, i] * m[j, k]
    diagonal[n - 1] = m[n - 1, n - 1]
    if n > 1:
        diagonal[n - 2] = m[n - 2, n - 2]
        squared[n - 2] = m[n - 1, n - 2] * m[n - 1, n - 2]
