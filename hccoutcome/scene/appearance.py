"""How regions and phases are shown in the scene: the regions' looks, which files share, and the window of an image."""

from __future__ import annotations

import numpy as np

from hccoutcome.segmentation.appearance import (
    APPEARANCES,
    TERMINOLOGY_CONTEXT,
    TUMOUR_COLOUR,
    Appearance,
    Code,
    Rgb,
    appearance,
)

__all__ = [
    "APPEARANCES", "CT_LIVER_WINDOW", "TERMINOLOGY_CONTEXT", "TUMOUR_COLOUR", "Appearance", "Code", "Rgb", "appearance",
    "window_level",
]  # fmt: skip

CT_LIVER_WINDOW = (350.0, 50.0)
"""Width and level (HU) of the usual soft tissue window of the liver."""
_AIR = -300.0


def window_level(array: np.ndarray, modality: str | None) -> tuple[float, float]:
    """Return the window's width and level in which to show an image.

    CT has the liver window; without a stated modality an image that reaches down to air in HU counts as CT. Anything
    else runs from its 1st to its 99.5th percentile, where the background of equal voxels is left out.
    """
    if modality == "CT" or (modality is None and array.min() < _AIR):
        return CT_LIVER_WINDOW
    inside = array[array > array.min()]
    if inside.size == 0:
        return 1.0, float(array.flat[0])
    low, high = np.percentile(inside[:: max(1, inside.size // 200_000)], (1.0, 99.5))
    return float(max(high - low, 1e-6)), float((high + low) / 2)
