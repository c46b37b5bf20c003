"""A small case for perturbations: an ellipsoid with texture in an oblique, anisotropic image."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

SPACING = (1.0, 1.2, 2.0)
SHAPE = (24, 44, 48)  # z, y, x


def case(
    noise: float = 5.0, centre: tuple[float, float, float] = (12, 22, 24), around: int = 0
) -> tuple[sitk.Image, sitk.Image]:
    """Return an image with known white noise and the mask of its lesion, ``around`` more voxels on each side."""
    z, y, x = np.meshgrid(*(np.arange(n) - c for n, c in zip(SHAPE, centre, strict=True)), indexing="ij")
    inside = (z * 2.0 / 12) ** 2 + (y * 1.2 / 14) ** 2 + (x / 13) ** 2 <= 1
    random = np.random.default_rng(0)
    texture = ndimage.gaussian_filter(random.normal(size=SHAPE), (1.5, 3, 3))
    values = 100 + 30 * inside + 15 * texture / texture.std() + noise * random.normal(size=SHAPE)
    turn = np.radians(20)
    direction = (np.cos(turn), -np.sin(turn), 0, np.sin(turn), np.cos(turn), 0, 0, 0, 1)
    values, inside = np.pad(values, around, constant_values=100.0), np.pad(inside, around)
    image, mask = sitk.GetImageFromArray(values), sitk.GetImageFromArray(inside.astype(np.uint8))
    for part in (image, mask):
        part.SetSpacing(SPACING)
        part.SetOrigin((-12.0, 7.0, 30.0))
        part.SetDirection(direction)
    return image, mask
