"""A lesion from clicks or a rough stroke inside it.

A click does not say how large the lesion is. So a closed surface is sought at each of several sizes, the one that parts
most distinct tissues most plainly gives a box, and the lesion is sought in that box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk

from hccoutcome.segmentation.boxed import BoxSettings, lesion_in_box
from hccoutcome.segmentation.lattice import Lattice, image_axes, like_ct
from hccoutcome.segmentation.likelihood import overlap
from hccoutcome.segmentation.prompts import Box
from hccoutcome.segmentation.rays import Rays, RaySettings


@dataclass(frozen=True)
class ClickSettings:
    """How a lesion is found around clicks. Lengths in mm.

    Attributes:
        sizes: radii that are tried.
        border: where in such a ball the surface is expected, in parts of it.
        shell: width of the layers inside and outside the surface that are compared.
        favour: power of the radius by which larger lesions are favoured: a difference over a larger surface is less
            likely to be noise.
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
    """
    s = settings or ClickSettings()
    axes = image_axes(images[0])
    along = points @ axes
    low, high = along.min(axis=0), along.max(axis=0)
    middle, extent = axes @ ((low + high) / 2), (high - low) / 2
    sizes = [size for size in s.sizes if size >= 0.8 * extent.max()] or [1.3 * float(extent.max())]
    lattice = Lattice.around(middle, axes, extent + max(sizes) + 10, s.spacing)
    phases = [lattice.sample(image if ct else like_ct(image, lattice), s.smooth) for image in images]
    best, found = -1.0, np.zeros(lattice.shape, bool)
    for size in sizes:
        half = np.maximum(size, extent[::-1] * 1.2)
        rays = Rays(phases, s.spacing, lattice.centre, half, boxed=False, air=ct, settings=s.rays)
        level = rays.surface(s.border)
        score = _distinctness(rays, level * half.mean(), s)
        if score > best:
            best, found = score, level >= 0
    return lesion_in_box(images, _box_around(lattice, found, along, s), ct=ct, settings=s.box)


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
