"""The trunk around the liver: skin, fat, muscle, spine, ribs, lungs and heart, aorta and the other organs.

Numbers are mm in the phantom's coordinates (LPS, origin in the middle, about the height of the first lumbar vertebra),
after a middle-aged man of average build.
"""

from __future__ import annotations

import numpy as np

from hccoutcome.phantom.canvas import Canvas
from hccoutcome.phantom.settings import Vector
from hccoutcome.phantom.space import (
    Array,
    Points,
    Shape,
    Space,
    carve,
    cover,
    ellipsoid,
    oval,
    smooth_field,
    tube,
    union,
)

SKIN = oval(166, 113, 2.25)
FASCIA = oval(147, 97, 2.3, 3)
CAVITY = oval(134, 84, 2.35, -1)
VERTEBRA_PITCH = 34.0
AORTA = [(7.0, 24.0, -130.0), (11.0, 24.0, -20.0), (14.0, 28.0, 40.0), (20.0, 34.0, 130.0)]
CAVA = [(-19.0, 27.0, -130.0), (-20.0, 24.0, -20.0), (-22.0, 17.0, 35.0), (-20.0, 8.0, 66.0), (-10.0, -8.0, 100.0)]


def diaphragm(points: Points) -> Array:
    """Return the height (z) of the diaphragm above each point of the transverse plane."""
    x, y = points[0], points[1]
    right = 80 - ((x + 68) / 9.0) ** 2 - ((y - 2) / 9.5) ** 2
    left = 66 - ((x - 72) / 9.0) ** 2 - ((y - 6) / 9.5) ** 2
    middle = 58 - (x / 12.0) ** 2 - ((y + 25) / 11.0) ** 2
    return np.maximum(-union(-right, -left, 24.0), middle)


def spine(points: Points) -> Array:
    """Return the distance to the vertebral column, discs included, as one smooth cylinder."""
    return oval(24, 18.5, 2.2, 49)(points)


def cavity(points: Points) -> Array:
    """Return the distance to the room for organs: inside the wall, in front of the spine and its muscles."""
    back = ellipsoid((0, 96, 0), (66, 38, 400))(points)
    inside = carve(CAVITY(points), back, 12.0)
    return carve(inside, spine(points) - 2.0, 6.0)


def abdomen(space: Space) -> Array:
    """Return the distance to the peritoneal room under the diaphragm."""
    points = space.bent
    return np.maximum(cavity(points), points[2] - diaphragm(points) + 3.0)


def paint_body(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint everything but the liver, its vessels and its lesions."""
    _wall(canvas, rng)
    _chest(canvas, rng)
    _skeleton(canvas, rng)
    room = cover(abdomen(canvas.space), canvas.space.edge)
    _kidneys(canvas, rng)
    _bowel(canvas, rng, room)
    _upper_organs(canvas, rng, room)
    _great_vessels(canvas)


def _wall(canvas: Canvas, rng: np.random.Generator) -> None:
    space = canvas.space
    x, y, _ = space.straight
    # The couch: a thin curved shell under the patient, who lies on it.
    couch = np.abs(np.hypot(x, y + 330) - 462) - 1.5 + 1000 * (np.abs(x) > 185)
    canvas.add("couch", cover(couch + 0 * space.bent[0], space.edge))
    skin = SKIN(space.bent)
    canvas.add("skin", cover(skin, space.edge))
    canvas.add("fat", cover(skin + 2.2, space.edge))
    ripple = 2.0 * smooth_field(space, rng, 30.0)
    fascia = FASCIA(space.bent) + ripple
    canvas.add("muscle", cover(fascia, space.edge))
    # Fat planes between the oblique muscles, and the white line in front.
    layer = np.abs(fascia + 7.0 + ripple) - 0.5
    canvas.add("fat", 0.6 * cover(layer, space.edge) * (np.abs(space.bent[0]) > 70))
    front = np.maximum(np.abs(space.bent[0]) - 4.0, space.bent[1] + 60)
    canvas.add("fat", 0.8 * cover(front, space.edge) * cover(fascia + 3.0, space.edge))
    canvas.add("fat", cover(cavity(space.bent), space.edge))
    for side in (-1, 1):
        tilt = ellipsoid((side * 33.0, 78.0, 0), (27, 20, 500))
        canvas.draw("muscle", tilt, (side * 33 - 28, 56, -200), (side * 33 + 28, 99, 200))
        canvas.draw("muscle", *_psoas(side))
        gap = ellipsoid((side * 33.0, 80.0, 0), (29, 22, 500))
        canvas.draw(
            "fat", lambda p, gap=gap: np.abs(gap(p)) - 0.6, (side * 33 - 30, 56, -200), (side * 33 + 30, 103, 200)
        )


def _psoas(side: int) -> tuple[Shape, Vector, Vector]:
    path = [(side * 28.0, 48.0, 10.0), (side * 34.0, 46.0, -50.0), (side * 42.0, 42.0, -120.0)]
    return tube(path, [5, 14, 21]), (side * 38 - 28, 20, -140), (side * 38 + 28, 75, 20)


def _chest(canvas: Canvas, rng: np.random.Generator) -> None:
    """Lungs above the diaphragm, with their vessels, and between them heart, oesophagus and mediastinal fat."""
    space = canvas.space
    box = space.box((-200, -150, -60), (200, 150, 200))
    points = space.points(box)
    above = diaphragm(points) - points[2]
    chest = carve(CAVITY(points) - 3.0, ellipsoid((0, 92, 0), (30, 34, 400))(points), 10.0)
    canvas.add("muscle", cover(np.maximum(chest, above), space.edge), box)
    lung = np.maximum(chest + 2.0, above + 2.5)
    middle = ellipsoid((6, 6, 100), (30, 62, 300))(points)
    lung = carve(lung, middle, 14.0)
    canvas.add("fat", cover(np.maximum(middle, np.maximum(chest + 2, above + 2.5)), space.edge), box)
    canvas.add("lung", cover(lung, space.edge), box)
    strands = smooth_field(space, rng, 9.0, box)
    canvas.add("lung vessel", 0.6 * cover((2.1 - strands) * 6, 6.0) * cover(lung + 3, space.edge), box)
    _heart(canvas, np.maximum(chest + 3.0, above + 3.0), box)
    gullet = tube([(6, 16, 130), (8, 10, 75), (22, 2, 56), (46, 0, 50)], [8, 8, 8, 9], 1.3)
    canvas.draw("bowel wall", gullet, (-15, -20, 40), (60, 35, 200))


def _heart(canvas: Canvas, room: Array, box: tuple[slice, slice, slice]) -> None:
    space, points = canvas.space, canvas.space.points(box)
    heart = union(
        ellipsoid((30, -34, 100), (62, 42, 42), 25)(points), ellipsoid((-14, -22, 108), (36, 36, 44))(points), 14
    )
    canvas.add("fat", cover(np.maximum(heart - 5, room), space.edge), box)
    canvas.add("myocardium", cover(np.maximum(heart, room + 3), space.edge), box)
    left = ellipsoid((42, -30, 104), (40, 22, 30), 25)(points)
    right = ellipsoid((-8, -40, 108), (34, 22, 36), 10)(points)
    canvas.add("artery", cover(np.maximum(left, room + 10), space.edge), box)
    canvas.add("vein", cover(np.maximum(right, room + 6), space.edge), box)


def _skeleton(canvas: Canvas, rng: np.random.Generator) -> None:
    _vertebrae(canvas, rng)
    _ribs(canvas)


def _vertebrae(canvas: Canvas, rng: np.random.Generator) -> None:
    """Vertebral bodies with end plates and discs, canal, arch and processes, repeated along the spine."""
    space = canvas.space
    box = space.box((-55, 25, -200), (55, 112, 200))
    x, y, z = space.points(box)
    level = (z + 9.0) % VERTEBRA_PITCH - VERTEBRA_PITCH / 2
    disc = np.abs(level) - (VERTEBRA_PITCH / 2 - 5.0)  # positive inside a disc
    waist = 1.5 * np.cos(2 * np.pi * level / VERTEBRA_PITCH)
    column = spine((x, y, z)) + waist
    column = carve(column, ellipsoid((0, 72, 0), (13, 10, 900))((x, y, z)), 3.0)
    canvas.add("disc", cover(column, space.edge), box)
    bone = np.maximum(column, disc)
    canvas.add("cortical bone", cover(bone, space.edge), box)
    canvas.add("spongy bone", cover(bone + 1.8, space.edge), box)
    canal = oval(10.5, 8.5, 2, 75)((x, y, z))
    arch = np.maximum(np.maximum(canal - 6.0, 64 - y), disc + 5.0)
    spinous = np.maximum(np.maximum(np.abs(x) - 3.2, np.abs(y - 94) - 13), np.abs(level - 4) - 9)
    wings = np.minimum(*(ellipsoid((s * 31.0, 72, 0), (19, 4.5, 6))((x, y, level)) for s in (-1, 1)))
    facets = np.minimum(*(ellipsoid((s * 15.0, 82, 0), (7, 6, 12))((x, y, level)) for s in (-1, 1)))
    processes = np.minimum(np.minimum(arch, spinous), np.minimum(wings, facets))
    canvas.add("cortical bone", cover(processes, space.edge), box)
    canvas.add("spongy bone", cover(processes + 2.2, space.edge), box)
    canvas.add("spinal canal", cover(canal, space.edge), box)
    canvas.add("spongy bone", 0.35 * cover(1.2 - smooth_field(space, rng, 7.0, box), 1.0) * cover(bone + 3, 2.0), box)


def _ribs(canvas: Canvas) -> None:
    """Ribs as rings in the wall that fall towards the front; in front they go over into cartilage."""
    space = canvas.space
    x, y, z = space.bent
    around = np.arctan2(np.abs(x), y - 10) / np.pi  # 0 at the spine, 1 at the breastbone
    height = z + 92.0 * around**1.25 - 12.0
    number = np.round(height / 29.0)
    across = height - 29.0 * number
    middle = 0.5 * (CAVITY(space.bent) + FASCIA(space.bent)) + 0.5
    rib = np.sqrt((across / 7.0) ** 2 + (middle / 3.9) ** 2) * 4.5 - 4.5
    # Floating ribs end at the side, the others near the breastbone; none lies lower than the twelfth.
    end = np.clip(0.42 + 0.13 * (number + 1), 0, 0.72)
    rib = np.maximum(rib, 200 * (around - end))
    rib = np.maximum(rib, np.where((number < -1) | (around < 0.13), 9.0, -99.0))
    canvas.add("cortical bone", cover(rib, space.edge))
    canvas.add("spongy bone", cover(rib + 2.0, space.edge))
    cartilage = np.sqrt((across / 6.5) ** 2 + (middle / 4.0) ** 2) * 4.5 - 4.5
    cartilage = np.maximum(cartilage, 200 * np.maximum(end - around, around - 0.93))
    canvas.add("cartilage", cover(np.maximum(cartilage, np.where(number < 1, 9.0, -99.0)), space.edge))


def _kidneys(canvas: Canvas, rng: np.random.Generator) -> None:
    space = canvas.space
    for center, turn in (((-62.0, 38.0, -42.0), -35), ((66.0, 38.0, -30.0), 35)):
        side = 1 if center[0] > 0 else -1
        low = (center[0] - 40, center[1] - 40, center[2] - 60)
        high = (center[0] + 40, center[1] + 40, center[2] + 60)
        box = space.box(low, high)
        points = space.points(box)
        hilum = (center[0] - side * 19.0, center[1] - 14.0, center[2])
        bean = carve(ellipsoid(center, (25, 29, 53), turn)(points), ellipsoid(hilum, (13, 13, 20))(points), 8)
        canvas.add("kidney cortex", cover(bean, space.edge), box)
        pyramids = smooth_field(space, rng, 13.0, box)
        canvas.add("kidney medulla", cover(bean + 7.5, 2.0) * cover(-0.1 - pyramids, 0.5), box)
        sinus = ellipsoid((center[0] - side * 7, center[1] - 6, center[2]), (12, 11, 30), turn)(points)
        canvas.add("fat", cover(sinus + 2 * pyramids, space.edge), box)
        pelvis = tube([hilum, (center[0] - side * 8, center[1] - 5, center[2])], [5, 4])
        canvas.draw("urine", pelvis, low, high)
        artery = tube([(11, 26, center[2] + 14), (center[0] - side * 34, 30, center[2] + 6), hilum], [3.2, 2.8, 2.4])
        vein = tube([(-18, 22, center[2] + 6), (center[0] - side * 36, 18, center[2] + 2), hilum], [5.5, 5, 4])
        canvas.draw("renal vein", vein, (-90, 0, center[2] - 20), (90, 45, center[2] + 20))
        canvas.draw("artery", artery, (-90, 0, center[2] - 20), (90, 50, center[2] + 30))


def _upper_organs(canvas: Canvas, rng: np.random.Generator, room: Array) -> None:
    _spleen(canvas, room)
    _stomach(canvas, rng, room)
    rough = smooth_field(canvas.space, rng, 11.0)
    path = [(-26, -2, -34), (-14, -8, -20), (8, -14, -12), (34, -4, -2), (62, 14, 8), (84, 26, 16)]
    pancreas = tube(path, [13, 12, 9, 10, 10, 8])
    box = canvas.space.box((-50, -40, -55), (100, 45, 32))
    alpha = cover(pancreas(canvas.space.points(box)) + 2.4 * rough[box], canvas.space.edge) * room[box]
    canvas.add("pancreas", alpha, box)
    for side in (-1.0, 1.0):
        limb = tube([(side * 28 - 2, 28, 16), (side * 36 - 2, 34, 4), (side * 34, 40, -4)], [2.4, 2.6, 2.0])
        canvas.draw("pancreas", limb, (side * 32 - 22, 15, -15), (side * 32 + 22, 55, 30))


def _spleen(canvas: Canvas, room: Array) -> None:
    body, bed = ellipsoid((104, 30, 20), (34, 56, 56), 18), ellipsoid((66, 4, 14), (44, 48, 62), 18)
    canvas.draw("spleen", lambda p: carve(body(p), bed(p), 8), (60, -40, -45), (150, 100, 85), room)


def _stomach(canvas: Canvas, rng: np.random.Generator, room: Array) -> None:
    """A stomach with folds; the patient lies on the back, so gas is in front and the contents settle behind."""
    space = canvas.space
    box = space.box((-40, -90, -50), (120, 50, 75))
    points = space.points(box)
    fundus, corpus = ellipsoid((66, 8, 40), (30, 34, 30))(points), ellipsoid((58, -30, 12), (28, 32, 38))(points)
    antrum = tube([(56, -42, -12), (30, -56, -28), (0, -48, -30), (-24, -34, -26)], [24, 19, 15, 11])(points)
    wall = union(union(fundus, corpus, 22), antrum, 16) + 2.0 * smooth_field(space, rng, 22.0, box)
    lumen = wall + 4.5 + 1.2 * smooth_field(space, rng, 10.0, box)
    canvas.add("bowel wall", cover(wall, space.edge) * room[box], box)
    canvas.add("stomach content", cover(lumen, space.edge) * room[box], box)
    level = space.straight[1][:, box[1]] + 38.0
    canvas.add("gas", cover(np.maximum(lumen, level), space.edge) * room[box], box)


def _bowel(canvas: Canvas, rng: np.random.Generator, room: Array) -> None:
    """Small bowel in the lower part, and the colon along both flanks and across."""
    for start in np.linspace(-84, 76, 7):
        path = [(float(start), float(rng.uniform(-50, 0)), float(rng.uniform(-110, -78)))]
        for _ in range(5):
            step = rng.normal(0, (24, 18, 9))
            ends = np.clip(np.add(path[-1], step), (-95, -70, -118), (95, 8, -66))
            path.append(tuple(map(float, ends)))  # type: ignore[arg-type]
        _gut(canvas, rng, path, rng.uniform(9.5, 12.5, len(path)), room, gas=0.15)
    right = [(-98, 20, -130), (-102, 6, -92), (-96, -26, -72), (-84, -52, -82)]
    across = [(-84, -52, -82), (-45, -66, -88), (0, -70, -84), (45, -68, -66), (84, -52, -38), (108, -24, -14)]
    left = [(108, -24, -14), (116, 12, -34), (112, 34, -80), (106, 36, -130)]
    for path, radius in ((right, 21.0), (left, 15.0), (across, 16.0)):
        _gut(canvas, rng, path, [radius] * len(path), room, gas=0.5)


def _gut(canvas: Canvas, rng: np.random.Generator, path: list, radii: object, room: Array, gas: float) -> None:
    space = canvas.space
    corners = np.array(path)
    box = space.box(tuple(corners.min(0) - 24), tuple(corners.max(0) + 24))  # type: ignore[arg-type]
    folds = 1.6 * smooth_field(space, rng, 16.0, box)
    wall = tube(path, list(radii))(space.points(box)) + folds  # type: ignore[call-overload]
    canvas.add("bowel wall", cover(wall, space.edge) * room[box], box)
    canvas.add("bowel content", cover(wall + 3.0, space.edge) * room[box], box)
    height = space.straight[1][:, box[1]] - np.mean(corners[:, 1])
    bubbles = height / 8 + 0.8 * smooth_field(space, rng, 14.0, box) - (gas - 0.5) * 2
    canvas.add("gas", cover(np.maximum(wall + 3.5, 5 * bubbles), space.edge) * room[box], box)


def _great_vessels(canvas: Canvas) -> None:
    canvas.draw("vein", tube(CAVA, [11, 11.5, 12, 12, 13], 1.2), (-50, -30, -140), (15, 45, 140))
    canvas.draw("artery", tube(AORTA, [9.5, 10, 11, 12]), (-10, 5, -140), (40, 55, 140))
    canvas.draw(
        "artery",
        tube([(10, 20, 2), (10, 2, -6), (11, -2, -60), (12, 0, -130)], [4, 3.6, 3.4, 3]),
        (0, -15, -140),
        (25, 30, 12),
    )
    canvas.draw(
        "artery",
        tube([(11, 20, 16), (10, 6, 18), (30, 6, 14), (86, 30, 26)], [4, 3.6, 2.8, 2.4]),
        (0, -5, 5),
        (95, 40, 35),
    )
    spots = [(2.0, 20.0, -60.0), (19.0, 27.0, -34.0), (8.0, 33.5, -10.0), (3.0, 22.0, -88.0)]
    for spot in spots:
        canvas.draw(
            "cortical bone", ellipsoid(spot, (1.8, 2.6, 3.2)), tuple(np.subtract(spot, 4)), tuple(np.add(spot, 4))
        )  # type: ignore[arg-type]
