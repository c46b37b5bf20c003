"""A lesion from clicks or a rough stroke inside it.

A click does not say how large the lesion is. So a closed surface is sought at each of several sizes. Those that part
two tissues most plainly give boxes, a lesion is sought in each, and the weighted majority decides on every voxel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.segmentation.boxed import BoxSettings, lesion_in_box, sampled
from hccoutcome.segmentation.lattice import Lattice, affordable, image_axes
from hccoutcome.segmentation.likelihood import overlap
from hccoutcome.segmentation.prompts import Box
from hccoutcome.segmentation.rays import Rays, RaySettings

_NOTHING = 1e-9
"""Distinctness of tissues that are alike, but for rounding."""


@dataclass(frozen=True)
class ClickSettings:
    """How a lesion is found around clicks. Lengths in mm.

    Attributes:
        sizes: radii that are tried.
        border: where in such a ball the surface is expected, in parts of it.
        shell: width of the layers inside and outside the surface that are compared.
        favour: power of the radius by which larger lesions are favoured: a difference over a larger surface is less
            likely to be noise.
        trust: how much more a size counts whose surface parts tissues more plainly.
        least: weight, relative to the best, from which a size is followed up.
        grow: what the box gets around the lesion: mm, and a part of its radius.
        spacing: of the lattice.
        smooth: standard deviation of the smoothing before.
        box: how the lesion is found in the box.
        rays: how a surface is weighed.
    """

    sizes: tuple[float, ...] = (6.0, 9.0, 13.0, 18.0, 25.0, 34.0, 44.0)
    border: float = 0.75
    shell: float = 4.0
    favour: float = 0.75
    grow: tuple[float, float] = (2.0, 0.25)
    trust: float = 4.0
    least: float = 0.3
    spacing: float = 2.0
    smooth: float = 1.2
    box: BoxSettings = field(default_factory=BoxSettings)
    rays: RaySettings = field(default_factory=RaySettings)


def lesion_at(
    images: Sequence[sitk.Image], points: np.ndarray, *, ct: bool, settings: ClickSettings | None = None
) -> tuple[Lattice, np.ndarray]:
    """Return a level (> 0 inside) of the lesion that holds some points, on a lattice around it.

    Args:
        images: phases, the first of which gives the axes.
        points: clicks, or points of a stroke, in the lesion (n, 3), mm (LPS).
        ct: whether the images are CT in HU.
        settings: how the lesion is found.

    Raises:
        InputError: nothing around the points parts from what is around it.
    """
    s = settings or ClickSettings()
    boxes = _boxes(images, points, ct, s)
    found = [(weight, *lesion_in_box(images, box, ct=ct, settings=s.box)) for box, weight in boxes]
    lattice = _common_lattice([lattice for _, lattice, _ in found])
    votes = [np.sign(lattice.sample(own.as_image(level.astype(np.float32)), outside=-1.0)) for _, own, level in found]
    return lattice, np.average(votes, axis=0, weights=[weight for weight, _, _ in found])


def _boxes(images: Sequence[sitk.Image], points: np.ndarray, ct: bool, s: ClickSettings) -> list[tuple[Box, float]]:
    """Return boxes around what surfaces of several sizes enclose, each with its weight."""
    axes = image_axes(images[0])
    along = points @ axes
    low, high = along.min(axis=0), along.max(axis=0)
    middle, extent = axes @ ((low + high) / 2), (high - low) / 2
    sizes = [size for size in s.sizes if size >= 0.8 * extent.max()] or [1.3 * float(extent.max())]
    reach = extent + max(sizes) + 10
    lattice = Lattice.around(middle, axes, reach, affordable(reach, s.spacing))
    phases = sampled(images, lattice, s.smooth, ct=ct)
    found = []
    for size in sizes:
        half = np.maximum(size, extent[::-1] * 1.2)
        rays = Rays(phases, lattice.spacing, lattice.centre, half, boxed=False, air=ct, settings=s.rays)
        level = rays.surface(s.border)
        found.append((_box_around(lattice, level >= 0, along, s), _distinctness(rays, level * half.mean(), s)))
    best = max(score for _, score in found)
    if best < _NOTHING:
        raise InputError(
            "A lesion was expected around the points, found nothing that differs from what is around it: click in the "
            "lesion's middle, or draw a box around it."
        )
    weighed = [(box, (score / best) ** s.trust) for box, score in found]
    return [(box, weight) for box, weight in weighed if weight >= s.least]


def _common_lattice(lattices: Sequence[Lattice]) -> Lattice:
    """Return a lattice that covers several of the same axes, as fine as the finest."""
    axes = lattices[0].axes
    corners = [axes.T @ one.origin for one in lattices]
    ends = [
        corner + (np.array(one.shape[::-1]) - 1) * one.spacing for corner, one in zip(corners, lattices, strict=True)
    ]
    low, high = np.min(corners, axis=0), np.max(ends, axis=0)
    half = (high - low) / 2
    return Lattice.around(axes @ ((low + high) / 2), axes, half, affordable(half, min(one.spacing for one in lattices)))


def _distinctness(rays: Rays, level: np.ndarray, s: ClickSettings) -> float:
    """Return how plainly a surface parts two tissues; its level in mm."""
    inside = level >= 0
    rim, shell = inside & (level < s.shell), ~inside & (level > -s.shell)
    if inside.sum() < 8 or shell.sum() < 8:
        return 0.0
    within, at, beyond = (rays.histograms(where, 2.0) for where in (inside, rim, shell))
    apart = np.mean([2 - overlap(a, c) - overlap(b, c) for a, b, c in zip(within, at, beyond, strict=True)])
    return float(apart * inside.sum() ** (s.favour / 3))


def _box_around(lattice: Lattice, lesion: np.ndarray, along: np.ndarray, s: ClickSettings) -> Box:
    """Return the box around a first lesion and all points, with some room."""
    corner = lattice.axes.T @ lattice.origin
    places = np.argwhere(lesion)[:, ::-1] * lattice.spacing + corner
    low = np.minimum(places.min(axis=0) - lattice.spacing / 2, along.min(axis=0))
    high = np.maximum(places.max(axis=0) + lattice.spacing / 2, along.max(axis=0))
    room = s.grow[0] + s.grow[1] * float((high - low).mean()) / 2
    return Box.along(lattice.axes, low - room, high + room)
