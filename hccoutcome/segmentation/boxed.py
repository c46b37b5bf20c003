"""A lesion from a box around it.

Nobody draws boxes alike: some touch the lesion, some leave it room. So a surface is sought for each of several widths
of the room, and the surfaces are averaged, those more that tell more about the grey levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.segmentation.lattice import WINDOW, Lattice, affordable, like_ct
from hccoutcome.segmentation.morphology import without_bridges
from hccoutcome.segmentation.prompts import Box
from hccoutcome.segmentation.rays import AIR_HU, Rays, RaySettings

_LEAST_TOLD = 0.05
"""Part of the voxels in and around a box whose grey levels are told apart; the lung around a lesion leaves far more."""


@dataclass(frozen=True)
class BoxSettings:
    """How a lesion is found in a box. Lengths in mm.

    Attributes:
        room: between lesion and box, as it is assumed in turn; below 0 the box cuts into the lesion.
        least: smallest lesion that is assumed, in parts of the box.
        trust: how much more a surface counts that tells more about the grey levels; 0 is the plain mean.
        spacing: coarsest lattice; smaller boxes have a finer one.
        margin: around the box, from where the grey levels outside are taken.
        smooth: standard deviation of the smoothing before.
        bridge: half width of bridges past fat that are cut.
        rays: how a surface is weighed.
    """

    room: tuple[float, ...] = (-1.0, 1.0, 3.0, 6.0)
    least: float = 0.4
    trust: float = 5.0
    spacing: float = 1.5
    margin: float = 10.0
    smooth: float = 1.0
    bridge: float = 3.0
    rays: RaySettings = field(default_factory=RaySettings)


def lesion_in_box(
    images: Sequence[sitk.Image], box: Box, *, ct: bool, settings: BoxSettings | None = None
) -> tuple[Lattice, np.ndarray]:
    """Return a level (> 0 inside) of the lesion in a box, on a lattice along the box.

    Args:
        images: phases; each is sampled where the box lies, so they must show the body in one place.
        box: the box.
        ct: whether the images are CT in HU.
        settings: how the lesion is found.

    Raises:
        InputError: all voxels in and around the box have one grey level.
    """
    s = settings or BoxSettings()
    half = np.array(box.half)
    spacing = affordable(half + s.margin, float(np.clip(half.min() / 8, 0.6, s.spacing)))
    lattice = Lattice.around(np.array(box.centre), np.reshape(box.axes, (3, 3)), half + s.margin, spacing)
    phases = sampled(images, lattice, s.smooth, ct=ct)
    rays = Rays(phases, spacing, lattice.centre, half[::-1], boxed=True, air=ct, settings=s.rays)
    width = float(half.mean())
    surfaces = [rays.surface(border) for border in sorted({max(s.least, 1 - room / width) for room in s.room})]
    told = np.array([rays.information(level) for level in surfaces])
    weights = np.exp(s.trust * (told / max(told.max(), 1e-9) - 1))
    level = np.average([np.clip(level, -0.4, 0.4) for level in surfaces], axis=0, weights=weights)
    return lattice, _without_fat(level, phases, min(s.bridge, 0.3 * width), spacing) if ct else level


def sampled(images: Sequence[sitk.Image], lattice: Lattice, smooth: float, *, ct: bool) -> list[np.ndarray]:
    """Return the phases on a lattice; where a further phase ends within it, it goes on as it ends.

    Raises:
        InputError: no phase shows more than one grey level there, or hardly any that the engine tells apart.
    """
    phases = [
        lattice.sample(image if ct else like_ct(image, lattice), smooth, extend=number > 0)
        for number, image in enumerate(images)
    ]
    advice = "point at the liver, and check that the images are CT in HU." if ct else "point at the liver."
    if all(np.ptp(voxels) < 1 for voxels in phases):
        raise InputError(f"A lesion was expected to differ from what is around it, found one grey level only: {advice}")
    if all(np.mean((voxels > WINDOW[0]) & (voxels < WINDOW[1])) < _LEAST_TOLD for voxels in phases):
        raise InputError(
            f"A lesion was expected among soft tissue ({WINDOW[0]:g} to {WINDOW[1]:g} HU), found hardly any: {advice}"
        )
    return phases


def _without_fat(level: np.ndarray, phases: Sequence[np.ndarray], bridge: float, spacing: float) -> np.ndarray:
    """Return a level without fat and gas, and without what lies behind them."""
    inside = (level > 0) & (np.min(phases, axis=0) >= AIR_HU)
    kept = without_bridges(inside, bridge, spacing)
    return np.where((level > 0) & ~kept, -0.1, level)
