"""Lesions of hepatocellular carcinoma: where they fit, their lobulated shape, capsule and necrotic core."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hccoutcome.errors import InputError
from hccoutcome.phantom.canvas import Canvas
from hccoutcome.phantom.settings import PhantomSettings, Vector
from hccoutcome.phantom.shapes import cover, tube
from hccoutcome.phantom.space import Array, Box, Field, Points, Space, draw_field
from hccoutcome.phantom.vessels import PORTAL_TRUNKS

NECROTIC_FROM = 30.0
"""Diameter in mm from which a lesion has a necrotic core."""
_BUMPS = 0.07  # standard deviation of the radius, in parts of it
_LONGEST = 1.2  # no part of a lesion lies farther from its centre, in parts of the radius
_TRUNK_RADIUS = 4.0  # mm
_MARGIN = 3.0  # mm of liver around a lesion
_MESH = 20  # points along a lesion's radius on which its shape is planned


@dataclass(frozen=True)
class Lesion:
    """One lesion.

    Attributes:
        center: in mm, straight coordinates: the lesion's size is a setting and must not be bent.
        radius: in mm, of the sphere of the same volume.
        axes: parts by which the axes are longer; their product is 1.
        fields: bumps of the surface, bumps of the core, mosaic inside.
        border: level of the bumpy distance that encloses the volume.
        core: level of the mottled distance that encloses the necrosis; 0 for none.
        capsule: width in mm; 0 for none.
        longest: diameter in mm in the direction in which it is greatest.
    """

    center: Vector
    radius: float
    axes: Vector
    fields: tuple[Field, Field, Field]
    border: float = 0.0
    core: float = 0.0
    capsule: float = 0.0
    longest: float = 0.0

    def paint(self, canvas: Canvas) -> Array:
        """Paint the lesion and return its mask."""
        space = canvas.space
        reach = _LONGEST * self.radius + 2 * space.edge
        box = space.straight_box(np.subtract(self.center, reach), np.add(self.center, reach))
        far = self._far(space.axes_of(box))
        body = cover(far - self.border, space.edge)
        canvas.add("tumor", body, box, texture=space.field(self.fields[2], box))
        if self.capsule:
            canvas.add("capsule", body * (1 - cover(far - self.border + self.capsule, space.edge)), box)
        if self.core:
            mottled = self._mottled(space.axes_of(box), far)
            canvas.add("necrosis", cover(np.minimum(mottled, 1e3) - self.core, 1.5 * space.edge), box)
        mask = np.zeros(space.shape, bool)
        mask[box] = far < self.border
        return mask

    def _far(self, axes: Points) -> Array:
        """Return the bumpy distance to the centre (z, y, x) on a grid."""
        x, y, z = (
            (places - middle) / longer for places, middle, longer in zip(axes, self.center, self.axes, strict=True)
        )
        far = np.sqrt(x[None, None, :] ** 2 + y[None, :, None] ** 2 + z[:, None, None] ** 2)
        return far * (1 + _BUMPS * np.clip(self.fields[0].at(axes), -2, 2))

    def _mottled(self, axes: Points, far: Array) -> Array:
        """Return the distance by which the core is enclosed; infinite near the border."""
        mottled = far * (1 + 0.3 * np.clip(self.fields[1].at(axes), -1.5, 1.5))
        return np.where(far < 0.82 * self.border, mottled, np.inf)

    def sized(self, necrosis: float) -> Lesion:
        """Return the lesion with the levels that give it its volume and its core's."""
        mesh = np.linspace(-_LONGEST, _LONGEST, 2 * _MESH + 1) * self.radius
        x, y, z = ((mesh + middle).astype(np.float32) for middle in self.center)
        far = self._far((x, y, z))
        count = 4 / 3 * np.pi * (_MESH / _LONGEST) ** 3
        border = _level(far, count)
        lesion = replace(self, border=border, longest=_longest(mesh[np.argwhere(np.abs(far / border - 0.9) < 0.1)]))
        if necrosis == 0:
            return lesion
        return replace(lesion, core=_level(lesion._mottled((x, y, z), far), necrosis * count))


def _longest(points: Array) -> float:
    """Return the greatest extent of points (point, 3) over directions that are spread evenly."""
    turn = np.arange(200) * np.pi * (3 - np.sqrt(5))
    height = (np.arange(200) + 0.5) / 200
    flat = np.sqrt(1 - height**2)
    directions = np.stack([flat * np.cos(turn), flat * np.sin(turn), height])
    return float(np.ptp(points @ directions, axis=0).max())


def _level(values: Array, count: float) -> float:
    """Return the level below which so many values lie."""
    return float(np.partition(values, round(count), axis=None)[round(count)])


def plan_lesions(
    space: Space, box: Box, depth: Array, room: Array, settings: PhantomSettings, rng: np.random.Generator
) -> tuple[Lesion, ...]:
    """Place lesions one after the other, the largest first, where each has room.

    Args:
        space: coarse grid.
        box: part of it that holds the liver.
        depth: distance in mm to the liver's surface inside that box.
        room: distance in mm to what the liver cannot push away.
        settings: diameters, necrosis and capsule.
        rng: random numbers.

    Raises:
        InputError: a lesion does not fit.
    """
    x, y, z = space.straight(box)
    trunks, free = _to_trunks(space, box), np.full(depth.shape, np.inf)
    lesions: list[Lesion] = []
    for diameter in sorted(settings.lesion_diameters, reverse=True):
        reach = _LONGEST * diameter / 2
        chance, shape = rng.spawn(2)
        places = _places(depth, room, trunks, free, reach)
        if places.size == 0:
            raise InputError(
                f"Room for all lesions was expected in the phantom's liver, found none for that of {diameter:g} mm: "
                "choose smaller ones or fewer."
            )
        k, j, i = places[int(chance.random() * len(places))]
        center = (float(x.flat[i]), float(y.flat[j]), float(z.flat[k]))
        lesions.append(_lesion(center, diameter / 2, settings, shape))
        free = np.minimum(free, np.sqrt(sum((a - c) ** 2 for a, c in zip((x, y, z), center, strict=True))) - reach)
    return tuple(lesions)


def _places(depth: Array, room: Array, trunks: Array, free: Array, reach: float) -> Array:
    """Return the places for a lesion: inside the liver beside the large vessels, otherwise on them or bulging."""
    inside = (np.minimum(depth, free) > reach + _MARGIN) & (depth > 0)
    for possible in (inside & (trunks > reach), inside):
        if possible.any():
            return np.argwhere(possible)
    held = np.where((room > reach + 1) & (free > reach + _MARGIN), depth, 0.0)
    return np.argwhere(held >= max(0.9 * held.max(), 0.4 * reach))


def _lesion(center: Vector, radius: float, settings: PhantomSettings, rng: np.random.Generator) -> Lesion:
    longer = np.exp(0.06 * rng.uniform(-1, 1, 3))
    x, y, z = (float(part) for part in longer / np.prod(longer) ** (1 / 3))
    fields = (draw_field(rng, max(0.8 * radius, 5.0)), draw_field(rng, max(0.5 * radius, 4.0)), draw_field(rng, 7.0))
    capsule = min(2.2, 0.15 * radius) if settings.capsule else 0.0
    lesion = Lesion(center, radius, (x, y, z), fields, capsule=capsule)
    return lesion.sized(settings.necrosis if 2 * radius >= NECROTIC_FROM else 0.0)


def _to_trunks(space: Space, box: Box) -> Array:
    """Return the distance in mm to the large portal branches, which a lesion leaves free."""
    points = space.points(box)
    return np.min([tube(path, [_TRUNK_RADIUS] * len(path))(points) for path in PORTAL_TRUNKS], 0)
