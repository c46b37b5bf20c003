"""Bring grey levels of different scanners onto one scale."""

from __future__ import annotations

import math

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.imaging.greylevels import grey_levels


def zscore(image: sitk.Image, scale: float = 1.0, outliers: float | None = None) -> sitk.Image:
    """Return ``scale x (x - mean) / std`` over the whole image (float32), as PyRadiomics' ``normalize`` does.

    Args:
        image: scalar image.
        scale: PyRadiomics' ``normalizeScale``: standard deviation of the result.
        outliers: PyRadiomics' ``removeOutliers``: values beyond so many deviations are set to that many.

    Raises:
        InputError: the image is constant or holds NaN or infinite values, or the scale or number is not above 0.
    """
    _check_positive("scale", scale)
    values = grey_levels(image)
    # The sample deviation (n - 1), as itk::NormalizeImageFilter takes it.
    normal = (values - values.mean()) / values.std(ddof=1)
    if outliers is not None:
        _check_positive("outliers", outliers)
        normal = np.clip(normal, -outliers, outliers)
    return _like(image, scale * normal)


def minmax(image: sitk.Image, low: float = 0.0, high: float = 255.0, within: sitk.Image | None = None) -> sitk.Image:
    """Return the image scaled linearly so that its minimum becomes ``low`` and its maximum ``high`` (float32).

    Args:
        image: scalar image.
        low: the new minimum.
        high: the new maximum.
        within: mask on the image's grid: minimum and maximum are taken inside it and voxels outside follow the same
            line, beyond ``low`` and ``high`` where they must. The whole image where None.

    Raises:
        InputError: the image is constant (there), or ``low`` is not below ``high``.
    """
    _check_range("output range", low, high)
    values = grey_levels(image, within)
    everything = sitk.GetArrayViewFromImage(image).astype(float)
    bottom, top = values.min(), values.max()
    return _like(image, low + (everything - bottom) * ((high - low) / (top - bottom)))


def window(image: sitk.Image, low: float, high: float, output: tuple[float, float] | None = None) -> sitk.Image:
    """Return the image clipped to ``low``..``high`` and, where asked, scaled so that these become ``output`` (float32).

    Raises:
        InputError: a lower limit is not below its upper limit, or the window leaves a constant image.
    """
    _check_range("window", low, high)
    clipped = np.clip(grey_levels(image), low, high)
    if clipped.min() == clipped.max():
        raise InputError(
            f"The window {low:g} to {high:g} leaves a constant image of {clipped.min():g}: "
            "choose a window that holds the image's values."
        )
    if output is not None:
        _check_range("output range", *output)
        clipped = output[0] + (clipped - low) * ((output[1] - output[0]) / (high - low))
    return _like(image, clipped)


def _check_range(name: str, low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"The {name} runs from a lower to a higher value, found {low:g} to {high:g}: correct it.")


def _check_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"The setting '{name}' is a number above 0, found {value:g}: correct it.")


def _like(image: sitk.Image, values: np.ndarray) -> sitk.Image:
    result = sitk.GetImageFromArray(values.astype(np.float32))
    result.CopyInformation(image)
    return result
