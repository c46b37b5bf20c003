"""Images with habitats planted in them, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import SimpleITK as sitk

PHASES = ("precontrast", "arterial", "portal", "delayed")
LEVELS = {1: (60.0, 80.0, 40.0, 70.0), 2: (70.0, 190.0, 110.0, 90.0), 3: (80.0, 120.0, 180.0, 170.0)}
"""Grey level of each phase by habitat; in the portal phase they ascend."""


def image(array: np.ndarray, spacing: Sequence[float] = (1.0, 1.0, 1.0), origin: Sequence[float] = (5.0, -3.0, 20.0)):
    """Return an array (z, y, x) as an image."""
    found = sitk.GetImageFromArray(np.ascontiguousarray(array))
    found.SetSpacing(spacing)
    found.SetOrigin(origin)
    return found


def layers(shape: tuple[int, int, int] = (14, 15, 16), k: int = 3) -> np.ndarray:
    """Return a ball cut into k slabs along x, numbered from 1 (0 outside), array (z, y, x)."""
    z, y, x = np.indices(shape)
    centre = [(length - 1) / 2 for length in shape]
    ball = sum(((axis - middle) / (middle - 0.5)) ** 2 for axis, middle in zip((z, y, x), centre, strict=True)) < 1
    return np.where(ball, 1 + x * k // shape[2], 0).astype(np.uint8)


def images(
    labels: np.ndarray, noise: float = 4.0, seed: int = 0, levels: Mapping[int, Sequence[float]] = LEVELS
) -> dict[str, sitk.Image]:
    """Return the images of four phases in which each habitat has its own levels, with Gaussian noise."""
    draw = np.random.default_rng(seed)
    outside = (50.0, 100.0, 130.0, 120.0)
    found = {}
    for number, phase in enumerate(PHASES):
        table = np.array([outside[number], *(levels[label][number] for label in sorted(levels))])
        found[phase] = image((table[labels] + noise * draw.normal(size=labels.shape)).astype(np.float32))
    return found


def mask(labels: np.ndarray) -> sitk.Image:
    """Return the region that a map covers."""
    return image((labels > 0).astype(np.uint8))


def blobs(n: int = 600, k: int = 3, seed: int = 0, spread: float = 0.03) -> tuple[np.ndarray, np.ndarray]:
    """Return rows (n, 4; float32) around k far-apart centres in 0..1, and the centre of each."""
    draw = np.random.default_rng(seed)
    corners = np.array(np.meshgrid(*[[0.15, 0.85]] * 4)).reshape(4, -1).T
    labels = np.arange(n) % k
    centres = corners[draw.permutation(len(corners))[:k]]
    return (centres[labels] + draw.normal(0, spread, (n, 4))).astype(np.float32), labels
