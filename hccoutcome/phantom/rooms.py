"""The walls of the trunk: skin, fascia, room for the organs, diaphragm and spine.

Numbers are mm in the phantom's coordinates (LPS, origin in the middle, about the height of the first lumbar vertebra),
after a middle-aged man of average build.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hccoutcome.phantom.shapes import carve, cover, ellipsoid, oval, union
from hccoutcome.phantom.space import Array, Points, Space

SKIN = oval(163, 113, 2.25)
FASCIA = oval(147, 97, 2.3, 3)
CAVITY = oval(134, 84, 2.35, -1)
SPINE = oval(24, 18.5, 2.2, 49)
DIAPHRAGM = 3.0
"""Thickness of the diaphragm."""


@dataclass(frozen=True)
class Rooms:
    """Signed distances on a grid (z, y, x), negative inside.

    Attributes:
        fascia: all that lies under the subcutaneous fat.
        cavity: room for organs, inside the wall and in front of the spine and its muscles.
        above: the side of the diaphragm towards the head.
        abdomen: peritoneal room, under the diaphragm.
    """

    fascia: Array
    cavity: Array
    above: Array
    abdomen: Array

    def inside(self, space: Space) -> Array:
        """Return how much of each voxel lies in the peritoneal room."""
        return cover(self.abdomen, space.edge)


def make_rooms(space: Space) -> Rooms:
    """Return the rooms on a grid."""
    points = space.points()
    cavity, above = _cavity(points), _diaphragm(points) - points[2]
    return Rooms(FASCIA(points), cavity, above, np.maximum(cavity, DIAPHRAGM - above))


def _diaphragm(points: Points) -> Array:
    """Return the height (z) of the diaphragm above each point of the transverse plane: two domes, steep at the back."""
    x, y = points[0], points[1]
    right = 80 - ((x + 68) / 9.0) ** 2 - (_slope(y - 2) / 9.5) ** 2
    left = 66 - ((x - 72) / 9.0) ** 2 - (_slope(y - 6) / 9.5) ** 2
    middle = 58 - (x / 12.0) ** 2 - ((y + 25) / 11.0) ** 2
    return np.maximum(-union(-right, -left, 24.0), middle)


def _slope(back: Array) -> Array:
    return np.where(back < 0, 0.72 * back, back)


def _cavity(points: Points) -> Array:
    back = ellipsoid((0, 96, 0), (66, 38, 400))(points)
    return carve(carve(CAVITY(points), back, 12.0), SPINE(points) - 2.0, 6.0)
