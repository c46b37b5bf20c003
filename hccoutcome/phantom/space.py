"""The space that a phantom is drawn in: coordinates in mm, smooth random fields and implicit shapes.

A shape is a function from points to an approximate signed distance in mm, negative inside. Coordinates are LPS with the
origin in the middle: x to the patient's left, y to the back, z to the head. Arrays are (z, y, x).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

from hccoutcome.phantom.settings import PhantomSettings, Vector

Array = np.ndarray
Points = tuple[Array, Array, Array]
Shape = Callable[[Points], Array]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Space:
    """A grid and its coordinates, bent a little so that nothing is a perfect ellipse.

    Attributes:
        spacing: voxel size in mm (x, y, z).
        straight: coordinates in mm of every voxel (x, y, z; each broadcasts to the grid).
        bent: the same with a smooth random displacement (each of the grid's shape).
    """

    spacing: Vector
    straight: Points
    bent: Points

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the grid's arrays (z, y, x)."""
        return self.bent[0].shape

    @property
    def edge(self) -> float:
        """Width in mm of the ramp by which a shape's border is anti-aliased."""
        return float(np.mean(self.spacing))

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in mL."""
        return float(np.prod(self.spacing)) / 1000

    def points(self, box: Box) -> Points:
        """Return the bent coordinates inside a box."""
        x, y, z = (axis[box] for axis in self.bent)
        return x, y, z

    def box(self, low: Vector, high: Vector, margin: float = 8.0) -> Box:
        """Return the slices (z, y, x) that hold everything from ``low`` to ``high`` (mm), bending included."""
        slices = []
        for axis in (2, 1, 0):
            places = self.straight[axis].ravel()
            first = int(np.searchsorted(places, low[axis] - margin))
            last = int(np.searchsorted(places, high[axis] + margin))
            slices.append(slice(max(first - 1, 0), min(last + 1, places.size)))
        return slices[0], slices[1], slices[2]

    def index(self, point: Sequence[float]) -> tuple[int, int, int]:
        """Return the index (z, y, x) of the voxel next to a point in mm, inside the grid."""
        near = [
            int(np.clip(round((value - axis.flat[0]) / width), 0, axis.size - 1))
            for value, axis, width in zip(point, self.straight, self.spacing, strict=True)
        ]
        return near[2], near[1], near[0]


def make_space(settings: PhantomSettings, rng: np.random.Generator, bend: float = 3.0) -> Space:
    """Return the space of a phantom; ``bend`` is the deviation in mm of the random displacement."""
    nx, ny, nz = settings.size
    axes = [
        ((np.arange(count) - (count - 1) / 2) * width).astype(np.float32)
        for count, width in zip((nx, ny, nz), settings.spacing, strict=True)
    ]
    straight = (axes[0][None, None, :], axes[1][None, :, None], axes[2][:, None, None])
    flat = Space(settings.spacing, straight, tuple(np.broadcast_to(a, (nz, ny, nx)) for a in straight))  # type: ignore[arg-type]
    bent = tuple(axis + bend * smooth_field(flat, rng, 55.0) for axis in straight)
    return Space(settings.spacing, straight, bent)  # type: ignore[arg-type]


def smooth_field(space: Space, rng: np.random.Generator, length: float, box: Box | None = None) -> Array:
    """Return a Gaussian random field of mean 0 and deviation about 1 that varies over ``length`` mm (float32).

    It is drawn on a mesh of its own in mm, so another voxel size shows the same field.
    """
    step = length / 2
    mesh = [np.arange(-240.0, 240.0 + step, step) for _ in range(3)]
    values = ndimage.gaussian_filter(rng.standard_normal([m.size for m in mesh]), 1.0)
    values /= values.std()
    whole = tuple(slice(None) for _ in range(3)) if box is None else box
    places = [(axis.ravel()[part] + 240.0) / step for axis, part in zip(space.straight[::-1], whole, strict=True)]
    # Interpolate one axis after the other: a tensor product of cubic splines costs three small matrix products.
    for axis, place in enumerate(places):
        basis = ndimage.map_coordinates(
            np.eye(mesh[axis].size), np.meshgrid(np.arange(mesh[axis].size), place, indexing="ij"), order=1
        )
        values = np.moveaxis(np.tensordot(basis, values, axes=(0, axis)), 0, axis)
    return values.astype(np.float32)


def ellipsoid(center: Vector, radii: Vector, turn: float = 0.0) -> Shape:
    """Return an ellipsoid; ``turn`` rotates it about the body's axis (degrees, from left to back)."""
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))

    def distance(points: Points) -> Array:
        dx, dy, dz = (axis - middle for axis, middle in zip(points, center, strict=True))
        u = np.stack([cos * dx + sin * dy, cos * dy - sin * dx, dz])
        r = np.array(radii, np.float32)[:, None, None, None]
        level = np.sqrt(((u / r) ** 2).sum(0)) + 1e-6
        slope = np.sqrt(((u / r**2) ** 2).sum(0)) + 1e-6
        return level * (level - 1) / slope

    return distance


def tube(path: Sequence[Vector], radii: Sequence[float], flat: float = 1.0) -> Shape:
    """Return a tube along a polyline with a radius at each of its points; ``flat`` widens it from left to right."""

    def distance(points: Points) -> Array:
        x, y, z = points
        nearest = np.full(np.broadcast_shapes(x.shape, y.shape, z.shape), np.inf, np.float32)
        for (a, b), (ra, rb) in zip(pairwise(path), pairwise(radii), strict=True):
            d = np.subtract(b, a)
            t = np.clip(((x - a[0]) * d[0] + (y - a[1]) * d[1] + (z - a[2]) * d[2]) / (d @ d), 0, 1)
            across = ((x - a[0] - t * d[0]) / flat) ** 2 + (y - a[1] - t * d[1]) ** 2 + (z - a[2] - t * d[2]) ** 2
            nearest = np.minimum(nearest, np.sqrt(across) - (ra + t * (rb - ra)))
        return nearest

    return distance


def oval(a: float, b: float, power: float, back: float = 0.0) -> Shape:
    """Return an endless cylinder along the body's axis with a superelliptic section, ``back`` mm behind the middle."""

    def distance(points: Points) -> Array:
        x, y = points[0], points[1] - back
        level = ((np.abs(x) / a) ** power + (np.abs(y) / b) ** power) ** (1 / power) + 1e-6
        return np.sqrt(x * x + y * y) * (1 - 1 / level)

    return distance


def union(first: Array, second: Array, blend: float) -> Array:
    """Return the smooth union of two signed distances (Quilez' polynomial minimum) with a fillet of ``blend`` mm."""
    part = np.maximum(blend - np.abs(first - second), 0) / blend
    return np.minimum(first, second) - part * part * blend / 4


def carve(first: Array, second: Array, blend: float) -> Array:
    """Return the first signed distance without the second, with a rounded edge of ``blend`` mm."""
    return -union(-first, second, blend)


def cover(distance: Array, edge: float) -> Array:
    """Return how much of each voxel a shape covers (0 to 1), from its signed distance and the voxel's width."""
    return np.clip(0.5 - distance / edge, 0, 1).astype(np.float32)
