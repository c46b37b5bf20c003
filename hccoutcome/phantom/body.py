"""The trunk around the organs: skin, fat, muscles, spine, ribs, lungs and heart."""

from __future__ import annotations

import numpy as np

from hccoutcome.phantom.canvas import Canvas
from hccoutcome.phantom.rooms import CAVITY, DIAPHRAGM, SKIN, SPINE, Rooms
from hccoutcome.phantom.shapes import carve, cover, ellipsoid, oval, tube, union
from hccoutcome.phantom.space import Array, Box, draw_field

VERTEBRA_PITCH = 34.0
RIB_PITCH = 29.0
LEANNESS = (-3.0, 9.0)
"""Range of the fat in mm that a patient lacks under the skin."""


def paint_body(canvas: Canvas, rooms: Rooms, rng: np.random.Generator) -> None:
    """Paint everything that is not an organ of the abdomen or one of its vessels."""
    _wall(canvas, rooms, rng)
    _back_muscles(canvas, rng)
    _chest(canvas, rooms, rng)
    _vertebrae(canvas, rng)
    _ribs(canvas, rooms)


def _wall(canvas: Canvas, rooms: Rooms, rng: np.random.Generator) -> None:
    space, edge = canvas.space, canvas.space.edge
    x, y, _ = space.straight()
    # The couch: a thin curved shell under the patient, who lies on it.
    couch = np.abs(np.hypot(x, y + 330) - 460) - 1.5 + 1000 * (np.abs(x) > 185)
    canvas.add("couch", np.broadcast_to(cover(couch, edge), space.shape))
    skin = SKIN(space.points()) + rng.uniform(*LEANNESS)
    canvas.add("skin", cover(skin, edge))
    lobules = space.field(draw_field(rng, 7.0))
    canvas.add("fat", cover(skin + 2.2, edge), texture=lobules)
    ripple = 2.0 * space.field(draw_field(rng, 30.0))
    fascia = rooms.fascia + ripple
    canvas.add("muscle", cover(fascia, edge))
    # Fat planes between the oblique muscles, and the white line in front.
    plane = np.abs(fascia + 7.0 + ripple) - 0.5
    canvas.add("fat", 0.6 * cover(plane, edge) * (np.abs(space.bent[0]) > 70))
    front = np.maximum(np.abs(space.bent[0]) - 4.0, space.bent[1] + 60)
    canvas.add("fat", 0.5 * cover(front, edge) * cover(fascia + 3.0, edge))
    canvas.add("fat", cover(rooms.cavity, edge), texture=lobules)


def _back_muscles(canvas: Canvas, rng: np.random.Generator) -> None:
    space = canvas.space
    for side in (-1, 1):
        low, high = (side * 33 - 30, 52, -200), (side * 33 + 30, 103, 200)
        box = space.box(low, high)
        streaks = space.field(draw_field(rng, 6.0), box)
        erector = ellipsoid((side * 33.0, 78.0, 0), (27, 20, 500))(space.points(box))
        canvas.add("muscle", cover(erector, space.edge), box)
        canvas.add("fat", 0.3 * cover(1.3 - streaks, 1.0) * cover(erector + 2, 2.0), box)
        canvas.add("fat", 0.7 * cover(np.abs(erector - 1.5) - 0.6, space.edge), box)
        path = [(side * 28.0, 48.0, 10.0), (side * 34.0, 46.0, -50.0), (side * 42.0, 42.0, -120.0)]
        canvas.draw_tube("muscle", tube(path, [5, 14, 21]), path, 24)


def _chest(canvas: Canvas, rooms: Rooms, rng: np.random.Generator) -> None:
    """Lungs above the diaphragm, with their vessels, and between them heart, oesophagus and mediastinal fat."""
    space, edge = canvas.space, canvas.space.edge
    box = space.box((-200, -150, -60), (200, 150, 200))
    points = space.points(box)
    above = rooms.above[box]
    chest = carve(CAVITY(points) - 3.0, ellipsoid((0, 92, 0), (30, 34, 400))(points), 10.0)
    canvas.add("muscle", cover(np.maximum(chest, above - DIAPHRAGM), edge), box)
    lung = np.maximum(chest + 2.0, above)
    middle = ellipsoid((6, 6, 100), (30, 62, 300))(points)
    canvas.add("fat", cover(np.maximum(middle, lung), edge), box)
    lung = carve(lung, middle, 14.0)
    strands = space.field(draw_field(rng, 16.0), box)
    fine = space.field(draw_field(rng, 9.0), box)
    canvas.add("lung", cover(lung, edge), box, texture=fine)
    # Lung vessels: where two random fields are near zero at once, which happens along lines.
    vessel = np.hypot(strands, fine) - 0.16
    canvas.add("lung vessel", 0.8 * cover(6 * vessel, edge) * cover(lung + 3, edge), box)
    _heart(canvas, np.maximum(chest + 3.0, above + 1.0), box)
    gullet = [(6, 16, 130), (8, 10, 75), (22, 2, 56), (46, 0, 50)]
    canvas.draw_tube("bowel wall", tube(gullet, [8, 8, 8, 9], 1.3), gullet, 12)


def _heart(canvas: Canvas, room: Array, box: Box) -> None:
    points, edge = canvas.space.points(box), canvas.space.edge
    heart = union(
        ellipsoid((30, -34, 100), (62, 42, 42), 25)(points), ellipsoid((-14, -22, 108), (36, 36, 44))(points), 14
    )
    canvas.add("fat", cover(np.maximum(heart - 5, room), edge), box)
    canvas.add("myocardium", cover(np.maximum(heart, room + 3), edge), box)
    left = ellipsoid((42, -30, 104), (40, 22, 30), 25)(points)
    right = ellipsoid((-8, -40, 108), (34, 22, 36), 10)(points)
    canvas.add("artery", cover(np.maximum(left, room + 10), edge), box)
    canvas.add("vein", cover(np.maximum(right, room + 6), edge), box)


def _vertebrae(canvas: Canvas, rng: np.random.Generator) -> None:
    """Vertebral bodies with end plates and discs, canal, arch and processes, repeated along the spine."""
    space, edge = canvas.space, canvas.space.edge
    box = space.box((-55, 25, -200), (55, 112, 200))
    x, y, z = space.points(box)
    level = (z + 9.0) % VERTEBRA_PITCH - VERTEBRA_PITCH / 2
    disc = np.abs(level) - (VERTEBRA_PITCH / 2 - 4.5)  # positive inside a disc
    waist = 1.5 * np.cos(2 * np.pi * level / VERTEBRA_PITCH)
    column = carve(SPINE((x, y, z)) + waist, ellipsoid((0, 72, 0), (13, 10, 900))((x, y, z)), 3.0)
    canvas.add("disc", cover(column, edge), box)
    bone = np.maximum(column, disc)
    trabeculae = space.field(draw_field(rng, 5.0), box)
    canvas.add("cortical bone", cover(bone, edge), box)
    canvas.add("spongy bone", cover(bone + 1.3, edge), box, texture=trabeculae)
    processes = _processes((x, y, z), level, disc)
    canvas.add("cortical bone", cover(processes, edge), box)
    canvas.add("spongy bone", cover(processes + 1.8, edge), box, texture=trabeculae)
    canal = _canal((x, y, z))
    canvas.add("fat", 0.7 * cover(canal, edge), box)
    canvas.add("spinal canal", cover(canal + 1.8, edge), box)


_canal = oval(10.5, 8.5, 2, 75)


def _processes(points: tuple[Array, Array, Array], level: Array, disc: Array) -> Array:
    """Return the distance to the arch and processes of the vertebrae; ``level`` is the height within a vertebra."""
    x, y, _ = points
    arch = np.maximum(np.maximum(_canal(points) - 6.0, 64 - y), disc + 5.0)
    spinous = np.maximum(np.maximum(np.abs(x) - 3.2, np.abs(y - 94) - 13), np.abs(level - 4) - 9)
    wings, facets = (
        np.minimum(*(ellipsoid((s * across, back, 0), radii)((x, y, level)) for s in (-1, 1)))
        for across, back, radii in ((31.0, 72.0, (19.0, 4.5, 6.0)), (15.0, 82.0, (7.0, 6.0, 12.0)))
    )
    return np.minimum(np.minimum(arch, spinous), np.minimum(wings, facets))


def _ribs(canvas: Canvas, rooms: Rooms) -> None:
    """Ribs as rings in the wall that fall towards the front; in front they go over into cartilage."""
    space, edge = canvas.space, canvas.space.edge
    x, y, z = space.points()
    around = np.arctan2(np.abs(x), y - 10) / np.pi  # 0 at the spine, 1 at the breastbone
    height = z + 92.0 * around**1.25 - 12.0
    number = np.round(height / RIB_PITCH)
    across = height - RIB_PITCH * number
    middle = 0.5 * (CAVITY((x, y, z)) + rooms.fascia) + 0.5
    rib = np.sqrt((across / 7.0) ** 2 + (middle / 3.9) ** 2) * 4.5 - 4.5
    # Floating ribs end at the side, the others near the breastbone; none lies lower than the twelfth.
    end = np.clip(0.42 + 0.13 * (number + 1), 0, 0.72)
    rib = np.maximum(rib, 200 * (around - end))
    rib = np.maximum(rib, np.where((number < -1) | (around < 0.13), 9.0, -99.0))
    canvas.add("cortical bone", cover(rib, edge))
    canvas.add("spongy bone", cover(rib + 1.6, edge))
    cartilage = np.sqrt((across / 6.5) ** 2 + (middle / 4.0) ** 2) * 4.5 - 4.5
    cartilage = np.maximum(cartilage, 200 * np.maximum(end - around, around - 0.93))
    canvas.add("cartilage", cover(np.maximum(cartilage, np.where(number < 1, 9.0, -99.0)), edge))
