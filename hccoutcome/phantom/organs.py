"""The organs of the abdomen beside the liver, and the great vessels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hccoutcome.phantom.canvas import Canvas
from hccoutcome.phantom.rooms import Rooms
from hccoutcome.phantom.settings import Vector
from hccoutcome.phantom.shapes import carve, cover, ellipsoid, tube, union
from hccoutcome.phantom.space import Array, draw_field

Path = Sequence[Vector]

AORTA: Path = [(7.0, 24.0, -130.0), (11.0, 24.0, -20.0), (14.0, 28.0, 40.0), (20.0, 34.0, 130.0)]
CAVA_PATH: Path = [
    (-19.0, 27.0, -130.0), (-20.0, 24.0, -20.0), (-22.0, 17.0, 35.0), (-20.0, 8.0, 66.0), (-10.0, -8.0, 100.0)
]  # fmt: skip
CAVA = tube(CAVA_PATH, [11, 11.5, 12, 12, 13], 1.2)
GALLBLADDER = ellipsoid((-44.0, -50.0, -36.0), (14.0, 24.0, 18.0), 20)


def paint_organs(canvas: Canvas, rooms: Rooms, rng: np.random.Generator) -> None:
    """Paint the organs from the back to the front, but for the liver."""
    room = rooms.inside(canvas.space)
    _kidneys(canvas, rng)
    _mesentery(canvas, rng, room)
    _bowel(canvas, rng, room)
    _spleen(canvas, rng, room)
    _stomach(canvas, rng, room)
    _pancreas(canvas, rng, room)
    _great_vessels(canvas)
    canvas.draw("gallbladder wall", GALLBLADDER, (-64, -80, -60), (-24, -20, -12))
    canvas.draw("gallbladder", lambda points: GALLBLADDER(points) + 2.0, (-64, -80, -60), (-24, -20, -12))


def _kidneys(canvas: Canvas, rng: np.random.Generator) -> None:
    for center, turn in (((-62.0, 38.0, -42.0), -35.0), ((66.0, 38.0, -30.0), 35.0)):
        _kidney(canvas, rng, center, turn)


def _kidney(canvas: Canvas, rng: np.random.Generator, center: Vector, turn: float) -> None:
    space, edge = canvas.space, canvas.space.edge
    side = 1 if center[0] > 0 else -1
    x, y, z = center
    box = space.box((x - 40, y - 40, z - 60), (x + 40, y + 40, z + 60))
    points = space.points(box)
    hilum = (x - side * 19.0, y - 14.0, z)
    bean = carve(ellipsoid(center, (25, 29, 53), turn)(points), ellipsoid(hilum, (13, 13, 20))(points), 8)
    canvas.add("kidney cortex", cover(bean, edge), box)
    pyramids = space.field(draw_field(rng, 13.0), box)
    canvas.add("kidney medulla", cover(bean + 7.5, 2.0) * cover(-0.1 - pyramids, 0.5), box)
    sinus = ellipsoid((x - side * 7, y - 6, z), (12, 11, 30), turn)(points)
    canvas.add("fat", cover(sinus + 2 * pyramids, edge), box)
    pelvis = [hilum, (x - side * 8, y - 5, z)]
    canvas.draw_tube("urine", tube(pelvis, [5, 4]), pelvis, 6)
    vein = [(-18, 22, z + 6), (x - side * 36, 18, z + 2), hilum]
    canvas.draw_tube("renal vein", tube(vein, [5.5, 5, 4]), vein, 6)
    artery = [(11, 26, z + 14), (x - side * 34, 30, z + 6), hilum]
    canvas.draw_tube("artery", tube(artery, [3.2, 2.8, 2.4]), artery, 4)


def _mesentery(canvas: Canvas, rng: np.random.Generator, room: Array) -> None:
    """Branches of the superior mesenteric vessels, which fan out to the small bowel."""
    for _ in range(16):
        end = (rng.uniform(-85, 85), rng.uniform(-60, 0), rng.uniform(-112, -50))
        path = [(11.0, -4.0, min(end[2] + 24, -24.0)), (0.5 * end[0] + 5, 0.5 * end[1] - 4, end[2] + 8), end]
        canvas.draw_tube("portal vein", tube(path, [2.6, 1.9, 1.1]), path, 4, room)
        beside = np.add(path, (2.5, 2.5, 2.0))
        canvas.draw_tube("artery", tube(beside, [1.3, 1.0, 0.7]), beside, 4, room)


def _bowel(canvas: Canvas, rng: np.random.Generator, room: Array) -> None:
    """Small bowel in the lower part, the duodenum, and the colon along both flanks and across."""
    for start in np.linspace(-70, 84, 9):
        middle = rng.uniform(-108, -62)
        path = [(float(start), float(rng.uniform(-50, -5)), float(middle))]
        for _ in range(6):
            step = rng.normal(0, (22, 18, 10))
            x, y, z = np.clip(np.add(path[-1], step), (-70, -66, -118), (96, 4, -44))
            path.append((float(x), float(y), float(z)))
        _gut(canvas, rng, path, rng.uniform(8.5, 12.0, len(path)), room, gas=0.1)
    duodenum = [
        (-28.0, -28.0, -26.0),
        (-40.0, -8.0, -34.0),
        (-38.0, 4.0, -62.0),
        (-8.0, 8.0, -72.0),
        (26.0, 6.0, -64.0),
    ]
    _gut(canvas, rng, duodenum, np.full(len(duodenum), 11.0), room, gas=0.1)
    right = [(-98.0, 20.0, -130.0), (-102.0, 6.0, -92.0), (-96.0, -26.0, -72.0), (-84.0, -52.0, -82.0)]
    across = [right[-1], (-45.0, -66.0, -88.0), (0.0, -70.0, -74.0), (45.0, -68.0, -58.0), (84.0, -52.0, -36.0)]
    left = [across[-1], (108.0, -24.0, -14.0), (116.0, 12.0, -34.0), (112.0, 34.0, -80.0), (106.0, 36.0, -130.0)]
    for path, radius in ((right, 21.0), (left, 15.0), (across, 16.0)):
        _gut(canvas, rng, path, np.full(len(path), radius), room, gas=0.5)


def _gut(canvas: Canvas, rng: np.random.Generator, path: Path, radii: Array, room: Array, gas: float) -> None:
    space, edge = canvas.space, canvas.space.edge
    corners = np.array(path)
    box = space.box(corners.min(0) - 24, corners.max(0) + 24)
    folds = 1.6 * space.field(draw_field(rng, 16.0), box)
    stool = space.field(draw_field(rng, 8.0), box)
    wall = tube(path, [float(radius) for radius in radii])(space.points(box)) + folds
    canvas.add("bowel wall", cover(wall, edge) * room[box], box)
    canvas.add("bowel content", cover(wall + 2.5, edge) * room[box], box, texture=stool)
    # Gas rises to the front of a patient on the back, more of it in some loops than in others.
    height = space.straight(box)[1] - np.mean(corners[:, 1])
    bubbles = height / 8 + 0.8 * space.field(draw_field(rng, 14.0), box) - (gas - 0.5) * 2
    canvas.add("gas", cover(np.maximum(wall + 3.0, 5 * bubbles), edge) * room[box], box)


def _spleen(canvas: Canvas, rng: np.random.Generator, room: Array) -> None:
    space = canvas.space
    box = space.box((60, -40, -45), (150, 100, 85))
    points = space.points(box)
    body, bed = ellipsoid((104, 30, 20), (34, 56, 56), 18), ellipsoid((66, 4, 14), (44, 48, 62), 18)
    alpha = cover(carve(body(points), bed(points), 8), space.edge) * room[box]
    # In the arterial phase red and white pulp fill at different speeds, in winding bands.
    bands = np.sin(2.4 * space.field(draw_field(rng, 14.0), box)) * 1.4
    canvas.add("spleen", alpha, box, texture=bands)


def _stomach(canvas: Canvas, rng: np.random.Generator, room: Array) -> None:
    """A stomach with folds; the patient lies on the back, so gas is in front and the contents settle behind."""
    space, edge = canvas.space, canvas.space.edge
    box = space.box((-40, -90, -50), (120, 50, 75))
    points = space.points(box)
    fundus, corpus = ellipsoid((66, 8, 36), (30, 34, 30))(points), ellipsoid((60, -30, 8), (28, 34, 40))(points)
    antrum = tube([(56, -42, -12), (30, -56, -28), (0, -48, -30), (-24, -34, -26)], [24, 19, 15, 11])(points)
    wall = union(union(fundus, corpus, 22), antrum, 16) + 2.0 * space.field(draw_field(rng, 22.0), box)
    lumen = wall + 4.0 + 1.2 * space.field(draw_field(rng, 10.0), box)
    canvas.add("bowel wall", cover(wall, edge) * room[box], box)
    canvas.add("stomach content", cover(lumen, edge) * room[box], box, texture=space.field(draw_field(rng, 9.0), box))
    level = space.straight(box)[1] + 38.0
    canvas.add("gas", cover(np.maximum(lumen, level), edge) * room[box], box)


def _pancreas(canvas: Canvas, rng: np.random.Generator, room: Array) -> None:
    space = canvas.space
    path = [(-24, 0, -40), (-16, -8, -22), (8, -14, -12), (34, -4, -2), (62, 14, 8), (84, 26, 16)]
    box = space.box((-50, -40, -60), (100, 45, 32))
    lobules = space.field(draw_field(rng, 8.0), box)
    alpha = cover(tube(path, [14, 13, 9, 10, 10, 8])(space.points(box)) + 2.2 * lobules, space.edge) * room[box]
    canvas.add("pancreas", alpha, box, texture=lobules)
    for side in (-1.0, 1.0):  # the adrenals
        limb = [(side * 28 - 2, 28, 16), (side * 36 - 2, 34, 4), (side * 34, 40, -4)]
        canvas.draw_tube("pancreas", tube(limb, [2.4, 2.6, 2.0]), limb, 4)


def _great_vessels(canvas: Canvas) -> None:
    canvas.draw_tube("vein", CAVA, CAVA_PATH, 17)
    canvas.draw_tube("artery", tube(AORTA, [9.5, 10, 11, 12]), AORTA, 14)
    mesenteric = [(10, 20, 2), (10, 2, -6), (11, -2, -60), (12, 0, -130)]
    canvas.draw_tube("artery", tube(mesenteric, [4, 3.6, 3.4, 3]), mesenteric, 5)
    splenic = [(11, 20, 16), (10, 6, 18), (30, 6, 14), (86, 30, 26)]
    canvas.draw_tube("artery", tube(splenic, [4, 3.6, 2.8, 2.4]), splenic, 5)
    for plaque in ((2.0, 20.0, -60.0), (19.0, 27.0, -34.0), (8.0, 33.5, -10.0), (3.0, 22.0, -88.0)):
        canvas.draw_tube("cortical bone", ellipsoid(plaque, (1.8, 2.6, 3.2)), [plaque], 4)
