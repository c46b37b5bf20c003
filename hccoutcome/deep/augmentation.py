"""Slightly other views of the same planes for training, by MONAI's transforms: turned, moved, scaled, noisier.

Planes are never mirrored: the liver lies on the right. All planes of a case are moved alike.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from monai.transforms import Compose, RandAdjustContrast, RandAffine, RandGaussianNoise, RandScaleIntensity
from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """How far a view may differ.

    Attributes:
        turn: degrees to either side.
        shift: share of the plane's width, in both directions.
        scale: share of the size, up and down.
        contrast: share of the grey levels, up and down.
        gamma: exponents of the grey levels, from the inverse of this to it.
        noise: largest standard deviation, of grey levels between 0 and 1.
        chance: of each kind of change.
    """

    turn: float = 10.0
    shift: float = 0.05
    scale: float = 0.1
    contrast: float = 0.1
    gamma: float = 1.2
    noise: float = 0.02
    chance: float = 0.5

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data that tells these settings."""
        return asdict(self)


class Augmenter:
    """Draws views of planes.

    Args:
        settings: how far they may differ.
        pixels: rows and columns of a plane.
    """

    def __init__(self, settings: Augmentation, pixels: int) -> None:
        turn, shift = math.radians(settings.turn), settings.shift * pixels
        self._transforms = Compose(
            [
                RandAffine(
                    prob=settings.chance,
                    rotate_range=turn,
                    translate_range=(shift, shift),
                    scale_range=(settings.scale, settings.scale),
                    padding_mode="zeros",
                    mode="bilinear",
                    cache_grid=True,
                    spatial_size=(pixels, pixels),
                ),
                RandScaleIntensity(factors=settings.contrast, prob=settings.chance),
                RandAdjustContrast(prob=settings.chance, gamma=(1 / settings.gamma, settings.gamma)),
                RandGaussianNoise(prob=settings.chance, std=settings.noise),
            ]
        )

    def __call__(self, planes: Tensor, seed: int) -> Tensor:
        """Return a view of planes (planes, rows, columns) with grey levels in [0, 1]; the same for the same seed."""
        self._transforms.set_random_state(seed=seed)
        view = torch.as_tensor(self._transforms(planes))
        as_tensor = getattr(view, "as_tensor", None)
        plain = view if as_tensor is None else as_tensor()
        return plain.clamp(0.0, 1.0)
