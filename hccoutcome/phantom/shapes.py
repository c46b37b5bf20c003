"""Implicit shapes: functions from points to an approximate signed distance in mm, negative inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from hccoutcome.phantom.settings import Vector
from hccoutcome.phantom.space import Array, Points

Shape = Callable[[Points], Array]


def ellipsoid(center: Vector, radii: Vector, turn: float = 0.0) -> Shape:
    """Return an ellipsoid; ``turn`` rotates it about the body's axis (degrees, from left to back)."""
    cos, sin = float(np.cos(np.radians(turn))), float(np.sin(np.radians(turn)))

    def distance(points: Points) -> Array:
        x, y, z = (axis - middle for axis, middle in zip(points, center, strict=True))
        if turn:
            x, y = cos * x + sin * y, cos * y - sin * x
        squares = [(axis / radius) ** 2 for axis, radius in zip((x, y, z), radii, strict=True)]
        level = np.sqrt(squares[0] + squares[1] + squares[2]) + 1e-6
        steep = [square / radius**2 for square, radius in zip(squares, radii, strict=True)]
        return level * (level - 1) / (np.sqrt(steep[0] + steep[1] + steep[2]) + 1e-6)

    return distance


def tube(path: Sequence[Sequence[float]] | Array, radii: Sequence[float], flat: float = 1.0) -> Shape:
    """Return a tube along a polyline with a radius at each of its points; ``flat`` widens it from left to right."""

    def distance(points: Points) -> Array:
        x, y, z = points
        nearest = np.full(np.broadcast_shapes(x.shape, y.shape, z.shape), np.inf, np.float32)
        for (a, b), (start, end) in zip(pairwise(path), pairwise(radii), strict=True):
            along = [float(q - p) for p, q in zip(a, b, strict=True)]
            dx, dy, dz = x - a[0], y - a[1], z - a[2]
            t = (dx * along[0] + dy * along[1] + dz * along[2]) / (sum(part**2 for part in along) + 1e-9)
            t = np.clip(t, 0, 1)
            across = ((dx - t * along[0]) / flat) ** 2 + (dy - t * along[1]) ** 2 + (dz - t * along[2]) ** 2
            nearest = np.minimum(nearest, np.sqrt(across) - (start + t * (end - start)))
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
    part = np.maximum(blend - np.abs(first - second), 0)
    return np.minimum(first, second) - part * part / (4 * blend)


def carve(first: Array, second: Array, blend: float) -> Array:
    """Return the first signed distance without the second, with a rounded edge of ``blend`` mm."""
    return -union(-first, second, blend)


def cover(distance: Array, edge: float) -> Array:
    """Return how much of each voxel a shape covers (0 to 1), from its signed distance and the voxel's width."""
    return np.clip(0.5 - distance / edge, 0, 1).astype(np.float32, copy=False)
