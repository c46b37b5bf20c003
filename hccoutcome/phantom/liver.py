"""The liver: its shape at a stated volume, its vessels and lesions, planned once and painted on any grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from hccoutcome.errors import InputError
from hccoutcome.phantom.canvas import Canvas
from hccoutcome.phantom.lesions import Lesion, plan_lesions
from hccoutcome.phantom.organs import CAVA, GALLBLADDER
from hccoutcome.phantom.rooms import Rooms
from hccoutcome.phantom.settings import PhantomSettings, Vector
from hccoutcome.phantom.shapes import carve, cover, ellipsoid, union
from hccoutcome.phantom.space import Array, Box, Field, Space, draw_field
from hccoutcome.phantom.vessels import Vessels, paint_vessels, plan_vessels

VOLUMES = (1250.0, 1750.0)
"""Range in mL from which the liver's volume is drawn."""
_LOW, _HIGH = (-150.0, -110.0, -110.0), (95.0, 100.0, 90.0)


@dataclass(frozen=True)
class LiverShape:
    """The liver's surface: a level of a fixed form with random bumps, as cirrhosis makes them.

    Attributes:
        bumps: slow and quick changes of the surface.
        level: distance in mm by which the form is swollen.
        bulges: straight centre and radius in mm of balls that the liver holds too: its lesions, with a margin.
    """

    bumps: tuple[Field, Field]
    level: float = 0.0
    bulges: tuple[tuple[Vector, float], ...] = ()

    def form(self, space: Space, box: Box) -> Array:
        """Return the signed distance to the liver's own form, as if nothing lay around it."""
        points = space.points(box)
        right, left = ellipsoid((-74, 2, 4), (80, 90, 84))(points), ellipsoid((0, -40, 36), (78, 42, 36), -6)(points)
        under = union(
            ellipsoid((46, 16, -28), (80, 74, 70))(points), ellipsoid((-30, -34, -78), (56, 70, 48))(points), 24
        )
        whole = carve(union(right, left, 24), under, 16)
        whole = carve(whole, ellipsoid((-62, 44, -44), (31, 36, 58), -35)(points), 10)  # the right kidney's bed
        whole = carve(whole, ellipsoid((-20, 40, -50), (38, 32, 72))(points), 10)
        whole = carve(whole, ellipsoid((-52, 66, -40), (46, 34, 54))(points), 10)
        x, y, z = points
        fissure = np.maximum(np.abs(x - 8 + 0.2 * y) - 2.0, np.maximum(y + 30, z - 34))
        slow, quick = (space.field(field, box) for field in self.bumps)
        return carve(whole, fissure, 5) + 1.4 * slow + 0.7 * quick - self.level

    def limits(self, space: Space, rooms: Rooms, box: Box) -> Array:
        """Return the signed distance to the room that the neighbours leave."""
        points = space.points(box)
        around = np.maximum(rooms.abdomen[box] + 0.5, 1.0 - GALLBLADDER(points))
        return np.maximum(around, -CAVA(points))

    def inside(self, space: Space, rooms: Rooms, box: Box) -> Array:
        """Return the signed distance to the liver in a box, its largest connected part only."""
        distance = self.form(space, box)
        for center, radius in self.bulges:
            distance = union(distance, ellipsoid(center, (radius,) * 3)(space.straight(box)), 12)
        distance = np.maximum(distance, self.limits(space, rooms, box))
        parts, number = ndimage.label(distance < 0)
        if number < 2:
            return distance
        keep = np.argmax(np.bincount(parts.ravel())[1:]) + 1
        return np.where((distance < 0) & (parts != keep), 1.0, distance).astype(np.float32)


@dataclass(frozen=True)
class LiverPlan:
    """Everything that makes up the liver, in mm."""

    shape: LiverShape
    lesions: tuple[Lesion, ...]
    vessels: Vessels
    texture: tuple[Field, Field]


@dataclass(frozen=True)
class LiverMasks:
    """Masks on the grid (z, y, x; bool): liver with everything in it, portal vein, tumours."""

    liver: Array
    portal_vein: Array
    tumor: Array


def plan_liver(space: Space, rooms: Rooms, settings: PhantomSettings, rng: np.random.Generator) -> LiverPlan:
    """Plan the liver on a coarse grid.

    Raises:
        InputError: the abdomen has no room for the volume, or the liver none for a lesion.
    """
    form, places, vessels, texture = rng.spawn(4)
    box = _box(space)
    shape = _swollen(space, rooms, box, settings, form)
    depth, room = (
        ndimage.distance_transform_edt(distance < 0, sampling=space.spacing[::-1])
        for distance in (shape.inside(space, rooms, box), shape.limits(space, rooms, box))
    )
    lesions = plan_lesions(space, box, depth, room, settings, places)
    shape = replace(shape, bulges=tuple((lesion.center, 1.1 * lesion.radius + 3) for lesion in lesions))
    tree = plan_vessels(space, box, depth, lesions, vessels)
    return LiverPlan(shape, lesions, tree, (draw_field(texture, 6.5), draw_field(texture, 15.0)))


def _box(space: Space) -> Box:
    return space.box(_LOW, _HIGH)


def _swollen(space: Space, rooms: Rooms, box: Box, settings: PhantomSettings, rng: np.random.Generator) -> LiverShape:
    """Return the shape with the volume wanted: its surface is the level that encloses so many voxels."""
    drawn = float(rng.uniform(*VOLUMES))
    volume = drawn if settings.liver_volume is None else settings.liver_volume
    shape = LiverShape((draw_field(rng, 26.0), draw_field(rng, 9.0)))
    allowed = np.sort(shape.form(space, box)[shape.limits(space, rooms, box) < 0], axis=None)
    count = round(volume / space.voxel_ml)
    if count >= allowed.size:
        most = allowed.size * space.voxel_ml
        raise InputError(
            f"A liver of at most {most:.0f} mL was expected for this phantom, found {volume:g} mL: lower the volume."
        )
    return replace(shape, level=float(allowed[count]))


def paint_liver(canvas: Canvas, rooms: Rooms, plan: LiverPlan) -> LiverMasks:
    """Paint the liver, its vessels and lesions, and return their masks."""
    space = canvas.space
    box = _box(space)
    distance = plan.shape.inside(space, rooms, box)
    fine, coarse = (space.field(field, box) for field in plan.texture)
    canvas.add("liver", cover(distance, space.edge), box, texture=0.8 * fine + 0.6 * coarse)
    liver, tumor = np.zeros(space.shape, bool), np.zeros(space.shape, bool)
    liver[box] = distance < 0
    portal = paint_vessels(canvas, plan.vessels)
    for lesion in plan.lesions:
        tumor |= lesion.paint(canvas)
    return LiverMasks(liver | tumor, _largest(portal & ~tumor), tumor)


def _largest(mask: Array) -> Array:
    """Return the largest connected part of a mask; branches that a tumour cuts off are not outlined."""
    parts, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    return parts == np.argmax(np.bincount(parts.ravel())[1:]) + 1
