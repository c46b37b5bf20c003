"""How much more likely a grey level is inside than outside: ratios of smoothed histograms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from hccoutcome.segmentation.lattice import WINDOW

BINS = 120
_FLOOR = 1e-3
"""Part of all voxels that a bin counts at least, so that no level is impossible."""


def histogram(bins: np.ndarray, smooth: float = 2.0) -> np.ndarray:
    """Return the relative frequency of grey levels, given by their bins, smoothed by so many bins."""
    counts = np.bincount(bins.ravel(), minlength=BINS).astype(float)
    counts = ndimage.gaussian_filter1d(counts, smooth, mode="constant") + _FLOOR * max(counts.sum(), 1) / BINS
    return counts / counts.sum()


def bins_of(values: np.ndarray) -> np.ndarray:
    """Return the bin of each grey level; what lies beyond ``WINDOW`` counts to its ends."""
    low, high = WINDOW
    return np.clip((values - low) * (BINS / (high - low)), 0, BINS - 1).astype(np.intp)


def log_ratio(bins: Sequence[np.ndarray], inside: Sequence[np.ndarray], outside: Sequence[np.ndarray]) -> np.ndarray:
    """Return the log-likelihood ratio of voxels, summed over the phases.

    Args:
        bins: by phase, the bin of each voxel.
        inside: by phase, the histogram inside.
        outside: by phase, the histogram outside.
    """
    total = np.zeros(bins[0].shape, np.float64)
    for where, within, without in zip(bins, inside, outside, strict=True):
        total += (np.log(within) - np.log(without))[where]
    return total


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Bhattacharyya coefficient of two histograms: 1 for equal ones, 0 where they share no level."""
    return float(np.sqrt(a * b).sum())
