"""The grey levels of an image as numbers that can be computed with."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError


def grey_levels(image: sitk.Image, within: sitk.Image | None = None) -> np.ndarray:
    """Return the grey levels of an image as float64: its array (z, y, x), or the list of those inside a mask.

    Args:
        image: scalar image.
        within: mask on the image's grid.

    Raises:
        InputError: there are none, some are NaN or infinite, or all are the same.
    """
    values = sitk.GetArrayViewFromImage(image).astype(float)
    if not np.isfinite(values).all():
        raise InputError("An image holds finite values, found NaN or infinite ones: export the image again.")
    if within is not None:
        values = values[sitk.GetArrayViewFromImage(within) != 0]
    if values.size == 0:
        raise InputError("Grey levels inside a region were expected, found the region empty: outline it.")
    if values.min() == values.max():
        raise InputError(
            f"An image has different grey levels, found {values.flat[0]:g} everywhere: "
            "check that the file was exported completely."
        )
    return values
