"""Lines of an image along an axis, taken in batches that a recursive filter runs over side by side."""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

BATCH = 32
"""Lines that run side by side, so that the compiler turns their recursions into vector instructions."""


def as_lines(array: NDArray[np.generic], axis: int) -> NDArray[np.generic]:
    """Return a view of a contiguous array, shape (outer, n, inner), whose middle axis is ``axis``.

    Along the last axis of the array the lines lie side by side in the view's last axis too, with ``outer`` 1.
    """
    lines = array.reshape(math.prod(array.shape[:axis]), array.shape[axis], -1)
    return lines.T if lines.shape[2] == 1 else lines


@numba.njit(cache=True, nogil=True)
def gather(lines, o, first, batch):
    """Copy lines ``first`` onwards into ``batch``, shape (n, at most BATCH), and return how many there were."""
    n = lines.shape[1]
    count = min(BATCH, lines.shape[2] - first)
    if lines.strides[1] < lines.strides[2]:  # read in the order of memory
        for q in range(count):
            for p in range(n):
                batch[p, q] = lines[o, p, first + q]
    else:
        for p in range(n):
            for q in range(count):
                batch[p, q] = lines[o, p, first + q]
    return count


@numba.njit(cache=True, nogil=True)
def scatter(batch, start, lines, o, first):
    """Copy ``batch`` from row ``start`` on back into the lines ``first`` onwards."""
    n = lines.shape[1]
    count = min(BATCH, lines.shape[2] - first)
    if lines.strides[1] < lines.strides[2]:
        for q in range(count):
            for p in range(n):
                lines[o, p, first + q] = batch[start + p, q]
    else:
        for p in range(n):
            for q in range(count):
                lines[o, p, first + q] = batch[start + p, q]
