"""Noise of an image, estimated from the image itself."""

from __future__ import annotations

import numpy as np
import pywt
from numpy.typing import NDArray
from scipy import ndimage

_MEDIAN_OF_NORMAL = 0.6745
"""Median of the absolute value of a standard normal variable."""


def noise_deviation(values: NDArray[np.generic]) -> float:
    """Return the standard deviation of the image's noise, in the image's unit.

    The diagonal detail of a stationary wavelet transform (coif1) of each slice holds little but noise; its median
    absolute value gives the deviation (Chang, Yu and Vetterli 2000; Zwanenburg et al. 2019).

    Args:
        values: shape (z, y, x).
    """
    high = np.array(pywt.Wavelet("coif1").dec_hi)
    detail = values.astype(np.float64)
    for axis in (1, 2):
        detail = ndimage.convolve1d(detail, high, axis=axis, mode="mirror")
    return float(np.median(np.abs(detail)) / _MEDIAN_OF_NORMAL)
