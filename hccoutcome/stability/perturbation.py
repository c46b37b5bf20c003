"""Perturbations of one outline and its image: what another positioning, scan or reader might have given.

The five families of Zwanenburg et al. (Assessing robustness of radiomic features by image perturbation, Sci Rep
2019;9:614), joined in a chain named by their letters, ``RVC`` or ``NTCV`` for instance:

    N  noise: Gaussian noise of the image's own deviation is added once more
    R  rotation: the voxel grid is turned in the slice plane about the region's centre
    T  translation: the voxel grid is shifted by a fraction of a voxel along each axis
    V  volume: the region grows or shrinks by a fraction of its volume, evenly in mm
    C  contour: the region is redrawn along supervoxels, each taken with the probability of its overlap

Whatever the order of the letters, the outline is changed first (V, then C) on the grid where it was drawn, noise is
added there, and then image and outline are sampled on the turned and shifted grid. A perturbed mask therefore lies over
the patient's image where it belongs. Supervoxels are computed once, on the image as it is.

Each perturbation follows from the case, the settings, the seed and its number alone, and the same number keeps its
angle, shift, growth and contour in every chain that has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from hccoutcome.errors import InputError, nearest

FAMILIES: Mapping[str, str] = {"N": "noise", "R": "rotation", "T": "translation", "V": "volume", "C": "contour"}


@dataclass(frozen=True)
class PerturbationSettings:
    """Which families are joined, and how far each goes; parameters are drawn evenly between minus and plus these.

    Attributes:
        chain: letters of ``FAMILIES``, each at most once.
        rotation_degrees: largest angle.
        translation_voxels: largest shift along each axis, in voxels.
        volume_fraction: largest growth and shrinkage, as a fraction of the volume.
        noise_factor: deviation of the added noise, in estimated deviations of the image's own.
        supervoxel_mm3: volume of a supervoxel; at most a twentieth of the region.
        compactness: weight of a supervoxel's side against the whole range of grey levels.
        always_from: overlap from which a supervoxel always belongs to the region.
        never_below: overlap below which it never does.
    """

    chain: str = "RVC"
    rotation_degrees: float = 13.0
    translation_voxels: float = 0.75
    volume_fraction: float = 0.2
    noise_factor: float = 1.0
    supervoxel_mm3: float = 500.0
    compactness: float = 0.05
    always_from: float = 0.9
    never_below: float = 0.2

    def __post_init__(self) -> None:
        object.__setattr__(self, "chain", str(self.chain).upper())
        if not self.chain or set(self.chain) - set(FAMILIES) or len(set(self.chain)) < len(self.chain):
            known = ", ".join(f"{letter} {name}" for letter, name in FAMILIES.items())
            raise InputError(f"A chain has letters of {known}, each once, found '{self.chain}': write RVC or NTCV.")
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise InputError(
                    f"The setting '{name}' lies between {low:g} and {high:g}, found {value!r}: correct it."
                )
        if self.never_below > self.always_from:
            raise InputError(
                f"never_below is not above always_from, found {self.never_below:g} and {self.always_from:g}: swap them."
            )

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> PerturbationSettings:
        """Return the settings in plain data.

        Raises:
            InputError: an unknown key or a value out of range.
        """
        known = [item.name for item in fields(cls)]
        for key in raw:
            if key not in known:
                raise InputError(f"Perturbations have no setting '{key}'; {nearest(key, known)}.")
        return cls(**raw)


_RANGES = (
    ("rotation_degrees", 0.0, 180.0),
    ("translation_voxels", 0.0, 10.0),
    ("volume_fraction", 0.0, 0.9),
    ("noise_factor", 0.0, 10.0),
    ("supervoxel_mm3", 1.0, 1e5),
    ("compactness", 1e-4, 100.0),
    ("always_from", 0.0, 1.0),
    ("never_below", 0.0, 1.0),
)


@dataclass(frozen=True)
class Perturbation:
    """What one perturbation does; 0 or False where the chain lacks the family.

    Attributes:
        index: its number, from 1.
        seed: seed of the study.
        degrees: angle of the grid in the slice plane.
        shift: shift of the grid in voxels along x, y, z.
        growth: change of the volume as a fraction.
        contour: whether the outline is redrawn along supervoxels.
        noise: deviation of the added noise in estimated deviations.
    """

    index: int
    seed: int
    degrees: float = 0.0
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    growth: float = 0.0
    contour: bool = False
    noise: float = 0.0

    @property
    def moves(self) -> bool:
        """Whether the grid is turned or shifted."""
        return self.degrees != 0 or any(self.shift)


def drawn(settings: PerturbationSettings, seed: int, index: int) -> Perturbation:
    """Return what perturbation ``index`` (from 1) of a study does.

    Raises:
        InputError: a negative seed or an index below 1.
    """
    if seed < 0 or index < 1:
        raise InputError(f"A seed is from 0 and a perturbation from 1 up, found {seed} and {index}: correct them.")
    chain = settings.chain
    shift = (
        random_numbers(seed, index, "T").uniform(-1, 1, 3) * settings.translation_voxels
        if "T" in chain
        else np.zeros(3)
    )
    return Perturbation(
        index=index,
        seed=seed,
        degrees=float(random_numbers(seed, index, "R").uniform(-1, 1)) * settings.rotation_degrees
        if "R" in chain
        else 0.0,
        shift=(float(shift[0]), float(shift[1]), float(shift[2])),
        growth=float(random_numbers(seed, index, "V").uniform(-1, 1)) * settings.volume_fraction
        if "V" in chain
        else 0.0,
        contour="C" in chain,
        noise=settings.noise_factor if "N" in chain else 0.0,
    )


def random_numbers(seed: int, index: int, family: str) -> np.random.Generator:
    """Return the random numbers of one family (or part of one) in one perturbation."""
    return np.random.default_rng([seed, index, ord(family)])
