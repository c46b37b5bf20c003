"""Discrete grey levels: PyRadiomics' bin edges to the last bit, without its loops over single voxels.

The edges come from the same numpy calls on the same smallest and largest value (so also in the image's own precision);
each value is then placed by arithmetic and corrected against the edges, which gives what ``numpy.digitize`` gives.
Whole-number images are the exception: PyRadiomics adds two bin widths in the image's own type, which overflows near
the end of its range under numpy 2 (an 8-bit image above 205 with bins of 25); here it does not.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from hccoutcome.errors import InputError

DEFAULT_BIN_WIDTH = 25.0
MOST_BINS = 2**24
"""Most bins between the smallest and the largest value: their edges then take 128 MiB."""


def bin_edges(
    smallest: np.integer[Any] | np.floating[Any],
    largest: np.integer[Any] | np.floating[Any],
    bin_width: float = DEFAULT_BIN_WIDTH,
    bin_count: int | None = None,
) -> NDArray[np.floating]:
    """Return the ascending lower edges of the bins, the last one above the largest value.

    Args:
        smallest: Smallest value of the region, as a numpy scalar of the image's own type.
        largest: Largest value of the region, likewise.
        bin_width: Width of each bin; edges lie on whole multiples of it (PyRadiomics ``binWidth``).
        bin_count: Number of bins between the smallest and the largest value instead (``binCount``).

    Raises:
        InputError: the bins are more than ``MOST_BINS``.
    """
    _check_bins(float(smallest), float(largest), bin_width, bin_count)
    if bin_count is not None:
        edges = np.histogram_bin_edges(np.array([smallest, largest]), bin_count)
        edges[-1] += 1  # the largest value belongs to the top bin
        return edges
    low, high = (value.item() if isinstance(value, np.integer) else value for value in (smallest, largest))
    return np.arange(low - low % bin_width, high + 2 * bin_width, bin_width)


def _check_bins(low: float, high: float, bin_width: float, bin_count: int | None) -> None:
    if bin_count is not None and bin_count > MOST_BINS:
        raise InputError(f"Grey values go into at most {MOST_BINS} bins, found binCount {bin_count}: lower it.")
    if bin_count is None and (high - low) / bin_width > MOST_BINS:
        raise InputError(
            f"Grey values go into at most {MOST_BINS} bins, found values from {low:g} to {high:g} with a binWidth of "
            f"{bin_width:g}: use wider bins."
        )


def bin_values(
    values: NDArray[np.generic], bin_width: float = DEFAULT_BIN_WIDTH, bin_count: int | None = None
) -> NDArray[np.int32]:
    """Return the grey level, from 1 up, of each value of a region, shape (n,); IBSI's fixed bin size or number.

    Args:
        values: The values of the region, shape (n,), not empty, finite, of the image's own type.
        bin_width: See :func:`bin_edges`.
        bin_count: See :func:`bin_edges`.
    """
    edges = bin_edges(values.min(), values.max(), bin_width, bin_count).astype(np.float64)
    # The first edge may be a little off the others' common step; the correction in _place makes that harmless.
    step = (edges[-2] - edges[0]) / (len(edges) - 2) if len(edges) > 2 else edges[-1] - edges[0]
    levels = np.empty(values.shape, np.int32)
    _place(np.ascontiguousarray(values, np.float64), edges, 1.0 / step, levels)
    return levels


def bin_image(
    image: NDArray[np.generic],
    mask: NDArray[np.bool_],
    bin_width: float = DEFAULT_BIN_WIDTH,
    bin_count: int | None = None,
) -> NDArray[np.int32]:
    """Return the grey levels of an image, from 1 up inside the mask and 0 outside, in the image's shape (z, y, x).

    Args:
        image: Grey values.
        mask: The region, same shape, at least one voxel.
        bin_width: See :func:`bin_edges`.
        bin_count: See :func:`bin_edges`.
    """
    levels = np.zeros(image.shape, np.int32)
    levels[mask] = bin_values(image[mask], bin_width, bin_count)
    return levels


@numba.njit(cache=True, nogil=True)
def _place(values: NDArray[np.float64], edges: NDArray[np.float64], scale: float, levels: NDArray[np.int32]) -> None:
    """Set ``levels`` to the number of edges at or below each value."""
    last = edges.size
    for k in range(values.size):
        value = values[k]
        level = min(max(int((value - edges[0]) * scale) + 1, 1), last)
        while level < last and value >= edges[level]:
            level += 1
        while level > 0 and value < edges[level - 1]:
            level -= 1
        levels[k] = level
