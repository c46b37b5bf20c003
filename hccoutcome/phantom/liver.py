"""The liver: its shape at a stated volume, portal and hepatic veins that branch inside, gallbladder and lesions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hccoutcome.errors import InputError
from hccoutcome.phantom.body import CAVA, abdomen
from hccoutcome.phantom.canvas import Canvas
from hccoutcome.phantom.settings import PhantomSettings, Vector
from hccoutcome.phantom.space import Array, Box, Space, carve, cover, ellipsoid, smooth_field, tube, union

BIFURCATION = (-30.0, -4.0, 14.0)
PORTAL_TRUNK = [(14.0, -4.0, -130.0), (12.0, -2.0, -60.0), (4.0, 2.0, -16.0), (-14.0, 0.0, 2.0), BIFURCATION]
SPLENIC = [(4.0, 2.0, -16.0), (36.0, 10.0, 0.0), (66.0, 24.0, 10.0), (90.0, 32.0, 20.0)]
GALLBLADDER = ellipsoid((-44.0, -50.0, -36.0), (14.0, 24.0, 18.0), 20)


@dataclass(frozen=True)
class Lesion:
    """One lesion: coverage of a box by the tumour, its capsule and its necrotic core (all within the tumour)."""

    box: Box
    body: Array
    capsule: Array
    core: Array


@dataclass(frozen=True)
class Liver:
    """Masks on the grid (z, y, x; bool): liver with everything in it, portal vein, tumours; and the lesions' parts."""

    liver: Array
    portal_vein: Array
    tumor: Array
    lesions: tuple[Lesion, ...]


def paint_liver(canvas: Canvas, settings: PhantomSettings, rng: np.random.Generator) -> Liver:
    """Paint liver, gallbladder, vessels and lesions, and return their masks.

    Raises:
        InputError: a lesion does not fit into the liver.
    """
    space = canvas.space
    canvas.draw("gallbladder wall", GALLBLADDER, (-64, -80, -60), (-24, -20, -12))
    canvas.draw("gallbladder", lambda p: GALLBLADDER(p) + 2.2, (-64, -80, -60), (-24, -20, -12))
    volume = settings.liver_volume or float(rng.uniform(1250, 1750))
    distance = _shape(space, rng, volume)
    canvas.add("liver", cover(distance, space.edge))
    inside = distance < 0
    portal = _portal_vein(canvas, rng, inside)
    _hepatic_veins(canvas, rng, inside)
    lesions = _lesions(space, settings, rng, inside, portal)
    tumor = np.zeros(space.shape, bool)
    for lesion in lesions:
        canvas.add("tumor", lesion.body, lesion.box)
        canvas.add("capsule", lesion.capsule, lesion.box)
        canvas.add("necrosis", lesion.core, lesion.box)
        tumor[lesion.box] |= lesion.body >= 0.5
    return Liver(inside | tumor, portal & ~tumor, tumor, lesions)


def _shape(space: Space, rng: np.random.Generator, volume: float) -> Array:
    """Return the signed distance to a liver of a volume in mL: its surface is the level that encloses it."""
    points = space.bent
    right = ellipsoid((-74, 2, 4), (80, 90, 84))(points)
    left = ellipsoid((0, -40, 36), (78, 42, 36), -6)(points)
    whole = union(right, left, 24)
    visceral = union(
        ellipsoid((46, 16, -28), (80, 74, 70))(points), ellipsoid((-30, -34, -78), (56, 70, 48))(points), 24
    )
    whole = carve(whole, visceral, 16)
    whole = carve(whole, ellipsoid((-62, 44, -44), (31, 36, 58), -35)(points), 10)
    fissure = np.maximum(np.abs(points[0] - 8 + 0.2 * points[1]) - 2.0, np.maximum(points[1] + 30, points[2] - 34))
    whole = carve(whole, fissure, 5) + 1.4 * smooth_field(space, rng, 26.0)
    others = np.maximum(abdomen(space) + 2.0, -(GALLBLADDER(points) - 1.0))
    others = np.maximum(others, -tube(CAVA, [11, 11.5, 12, 12, 13], 1.2)(points))
    allowed = np.sort(whole[others < 0], axis=None)
    count = round(volume / space.voxel_ml)
    if count >= allowed.size:
        most = allowed.size * space.voxel_ml
        raise InputError(f"The phantom's abdomen has room for {most:.0f} mL, found a liver of {volume:g} mL: lower it.")
    return _largest(np.maximum(whole - allowed[count], others))


def _largest(distance: Array) -> Array:
    """Return a signed distance with all but the largest connected part pushed outside."""
    parts, number = ndimage.label(distance < 0)
    if number < 2:
        return distance
    keep = np.argmax(np.bincount(parts.ravel())[1:]) + 1
    return np.where((distance < 0) & (parts != keep), 1.0, distance)


def _portal_vein(canvas: Canvas, rng: np.random.Generator, inside: Array) -> Array:
    """Paint the portal system and return the mask of trunk and branches, from the confluence into the liver."""
    space = canvas.space
    canvas.draw("portal vein", tube(SPLENIC, [5.0, 4.6, 4.2, 4.0]), (-10, -10, -30), (100, 45, 32))
    canvas.draw("portal vein", tube(PORTAL_TRUNK[:3], [5.5, 5.5, 6.5]), (-10, -20, -140), (28, 16, -6))
    artery = [(10.0, 6.0, 18.0), (-8.0, -10.0, 6.0), (-24.0, -14.0, 12.0), (-36.0, -12.0, 18.0)]
    canvas.draw("artery", tube(artery, [2.8, 2.4, 2.0, 1.6]), (-45, -25, -5), (20, 16, 28))
    segments = [([PORTAL_TRUNK[2], PORTAL_TRUNK[3], BIFURCATION], [7.0, 7.0, 7.0])]
    right, left = (-56.0, 0.0, 20.0), (-4.0, -24.0, 28.0)
    umbilical = (8.0, -44.0, 34.0)
    segments += [([BIFURCATION, right], [6.2, 5.4]), ([BIFURCATION, left, umbilical], [5.2, 4.6, 4.0])]
    for start, way, radius in (
        (right, (-0.6, -0.6, 0.5), 4.4),
        (right, (-0.5, -0.5, -0.7), 4.2),
        (right, (-0.7, 0.6, 0.4), 4.2),
        (right, (-0.6, 0.5, -0.6), 4.2),
        (umbilical, (0.8, -0.1, 0.3), 3.4),
        (umbilical, (0.6, -0.3, -0.4), 3.0),
        (umbilical, (-0.7, -0.3, 0.3), 3.2),
    ):
        segments += _grow(space, rng, inside, start, np.array(way), radius, 34.0)
    return _paint_tree(canvas, "portal vein", segments)


def _hepatic_veins(canvas: Canvas, rng: np.random.Generator, inside: Array) -> None:
    """Paint the three hepatic veins, which run together in the vena cava under the diaphragm."""
    mouth = (-22.0, 4.0, 60.0)
    segments: list = []
    for path in (
        [mouth, (-56.0, 8.0, 52.0), (-92.0, 18.0, 26.0)],
        [mouth, (-38.0, -22.0, 46.0), (-56.0, -50.0, 12.0)],
        [mouth, (-4.0, -22.0, 50.0), (26.0, -44.0, 44.0)],
    ):
        segments.append((path, [5.6, 4.8, 3.4]))
        for place in path[1:]:
            ahead = np.subtract(path[-1], mouth)
            for _ in range(2):
                way = ahead / np.linalg.norm(ahead) + rng.normal(0, 0.55, 3)
                segments += _grow(canvas.space, rng, inside, place, way, 3.0, 30.0)
    _paint_tree(canvas, "vein", segments)


def _grow(
    space: Space, rng: np.random.Generator, inside: Array, start: Vector, way: Array, radius: float, length: float
) -> list:
    """Return the branches of a vessel that forks until it is 0.9 mm thin or leaves the liver (Murray's cube law)."""
    way = way / np.linalg.norm(way)
    middle = np.add(start, 0.5 * length * way) + rng.normal(0, 0.06 * length, 3)
    end = np.add(start, length * way)
    children = rng.normal(0, 1, (2, 3))
    if radius < 0.9 or not inside[space.index(end)]:
        return []
    side = np.cross(way, children[0])
    side *= np.tan(np.radians(rng.uniform(24, 42))) / np.linalg.norm(side)
    split = rng.uniform(0.45, 0.65)
    branches = [([start, tuple(middle), tuple(end)], [radius, 0.95 * radius, 0.9 * radius])]
    for sign, part in ((1.0, split), (-1.0, 1 - split)):
        turned = way + sign * side * (1.4 - part)
        branches += _grow(space, rng, inside, tuple(end), turned, radius * part ** (1 / 3) * 0.92, 0.82 * length)
    return branches


def _paint_tree(canvas: Canvas, tissue: str, segments: list) -> Array:
    """Paint tubes together, and return the mask of voxels that they fill at least by half."""
    space = canvas.space
    total = np.zeros(space.shape, np.float32)
    for path, radii in segments:
        corners = np.array(path)
        box = space.box(tuple(corners.min(0)), tuple(corners.max(0)), margin=max(radii) + 6)  # type: ignore[arg-type]
        alpha = cover(tube(path, radii)(space.points(box)), space.edge)
        # A vessel thinner than a voxel fills only a part of it, whatever its axis' distance.
        total[box] = np.maximum(total[box], alpha * min(1.0, 2 * max(radii) / space.edge))
    canvas.add(tissue, total)
    return total >= 0.5


def _lesions(
    space: Space, settings: PhantomSettings, rng: np.random.Generator, inside: Array, portal: Array
) -> tuple[Lesion, ...]:
    """Place the lesions one after the other, the largest first, where each fits into the liver."""
    free = ndimage.distance_transform_edt(inside, sampling=space.spacing[::-1])
    lesions = []
    for number, diameter in enumerate(sorted(settings.lesion_diameters, reverse=True)):
        radius = diameter / 2
        places = np.argwhere(free > 1.22 * radius + 3.0)
        if places.size == 0:
            raise InputError(
                f"The phantom's liver has no room for a lesion of {diameter:g} mm: choose a smaller one or fewer."
            )
        place = places[int(rng.integers(len(places)))]
        center = tuple(float(axis.ravel()[i]) for axis, i in zip(space.straight, place[::-1], strict=True))
        lesions.append(_lesion(space, settings, rng, center, radius, settings.necrosis if number == 0 else 0.0))  # type: ignore[arg-type]
        apart = ~np.zeros(space.shape, bool)
        apart[lesions[-1].box] = lesions[-1].body < 0.5
        free = np.minimum(free, ndimage.distance_transform_edt(apart, sampling=space.spacing[::-1]))
    return tuple(lesions)


def _lesion(
    space: Space, settings: PhantomSettings, rng: np.random.Generator, center: Vector, radius: float, necrosis: float
) -> Lesion:
    """Return a lobulated ball with the volume of a sphere of that radius."""
    reach = 1.3 * radius + 4
    box = space.box(tuple(np.subtract(center, reach)), tuple(np.add(center, reach)), margin=2.0)  # type: ignore[arg-type]
    # Straight coordinates: the lesion's size is a setting, and must not be bent.
    x, y, z = (axis.ravel()[part] for axis, part in zip(space.straight, box[::-1], strict=True))
    far = np.sqrt(
        (x[None, None] - center[0]) ** 2 + (y[:, None] - center[1]) ** 2 + (z[:, None, None] - center[2]) ** 2
    )
    bumps = np.clip(smooth_field(space, rng, max(0.8 * radius, 4.0), box), -2, 2)
    field = far * (1 + 0.07 * bumps)
    border = _level(field, 4 / 3 * np.pi * radius**3 / 1000 / space.voxel_ml)
    capsule_width = min(1.8, 0.15 * radius)
    body = cover(field - border, space.edge)
    ring = body * (1 - cover(field - border + capsule_width, space.edge)) if settings.capsule else 0 * body
    core = 0 * body
    if necrosis > 0:
        mottled = far * (1 + 0.3 * np.clip(smooth_field(space, rng, 0.5 * radius, box), -1.5, 1.5))
        mottled = np.where(field < 0.85 * border, mottled, np.inf)
        inner = _level(mottled, necrosis * (body >= 0.5).sum())
        core = cover(mottled - inner, 1.5 * space.edge)
    return Lesion(box, body, ring, core)


def _level(field: Array, voxels: float) -> float:
    """Return the level of a field below which so many voxels lie."""
    count = int(np.clip(round(float(voxels)), 1, field.size - 1))
    return float(np.partition(field, count, axis=None)[count])
