"""Surface of a voxel mask by marching cubes, and perimeter of a pixel mask by marching squares.

Lorensen and Cline 1987, with every vertex halfway between a voxel inside and one outside. A cube of eight voxels has
256 patterns, so the mesh never needs to be built: the voxels give how often each pattern occurs and where, in whole
numbers, and area and volume are sums over patterns. Corners of a cube in (z, y, x): 0 (0,0,0), 1 (0,0,1), 2 (0,1,1),
3 (0,1,0), and 4 to 7 the same at z + 1.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hccoutcome.radiomics.kernels import compiled

# Twice the midpoints (z, y, x) of the edges 0 to 3 (lower face), 4 to 7 (upper face) and 8 9 a b (between the faces).
EDGES = "001 012 021 010 201 212 221 210 100 102 122 120"

# Faces of the surface for patterns 0 to 127, corner 7 being outside: each word a loop of edges, a fan from its first,
# several joined by dots. Corners inside that touch only across a face are kept apart. Patterns from 128 up are the
# complements, with the orientation reversed.
FACES = """
- 830 019 9831 12a 830.12a 02a9 a9832 23b 8b20 019.23b 98b21 13ba 8ba10 ba903 ba98 478 4730 019.478 73194
12a.478 4730.12a 02a9.478 4732a9 23b.478 47b20 019.23b.478 947b21 13ba.478 7ba104 ba903.478 ba947 954 830.954
0154 54831 12a.954 830.12a.954 2a540 a54832 23b.954 8b20.954 0154.23b 48b215 13ba.954 8ba10.954 3ba540 8ba54
5789 57309 15780 5731 12a.5789 57309.12a a57802 5732a 23b.5789 957b20 15780.23b 7b215 13ba.5789 0957ba1 03ba578
57ba a65 830.a65 019.a65 9831.a65 1265 830.1265 02659 598326 23b.a65 8b20.a65 019.23b.a65 98b21.a65 3b651 65108b
03b659 98b65 478.a65 4730.a65 019.478.a65 73194.a65 1265.478 4730.1265 02659.478 9473265 23b.478.a65 47b20.a65
019.23b.478.a65 947b21.a65 3b651.478 b651047 03b659.478 b65947 9a64 830.9a64 01a64 a64831 26491 830.26491 0264
48326 23b.9a64 8b20.9a64 01a64.23b 1a648b2 b64913 108b649 03b64 8b64 89a67 67309a 01a678 731a6 126789 9126730
02678 6732 23b.89a67 7b209a6 01a678.23b 7b21a6 678913b 910.67b 03b678 67b
"""

# The same for squares with corners 0 (0,0), 1 (0,1), 2 (1,1), 3 (1,0) in (y, x): lines between the sides 0 to 3.
SIDES = "01 12 21 10"
LINES = "- 30 01 31 12 12.30 02 32 23 20 01.23 21 13 10 03 -"


def _points(digits: str) -> NDArray[np.int64]:
    return np.array([[int(digit) for digit in word] for word in digits.split()])


def _triangles() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return twice the corners of all triangles, shape (t, 3, 3), and the pattern that each belongs to, shape (t,)."""
    triangles, pattern = [], []
    for index, faces in enumerate(FACES.split()):
        for face in faces.replace("-", "").replace(".", " ").split():
            apex, *loop = [int(edge, 16) for edge in face]
            for second, third in pairwise(loop):
                triangles += [(apex, second, third), (apex, third, second)]
                pattern += [index, 255 - index]
    return _points(EDGES)[np.array(triangles)], np.array(pattern)


def _segments() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return twice the ends of all lines, shape (l, 2, 2), and the pattern that each belongs to, shape (l,)."""
    ends, pattern = [], []
    for index, lines in enumerate(LINES.split()):
        for line in lines.replace("-", "").replace(".", " ").split():
            ends.append([int(side) for side in line])
            pattern.append(index)
    return _points(SIDES)[np.array(ends)], np.array(pattern)


TRIANGLES, TRIANGLE_PATTERN = _triangles()
SEGMENTS, SEGMENT_PATTERN = _segments()


def surface_and_volume(mask: NDArray[np.bool_], spacing_zyx: NDArray[np.float64]) -> tuple[float, float]:
    """Return the area (mm^2) of the mesh around a mask with an empty border, and the volume (mm^3) that it encloses.

    As in PyRadiomics the mesh has gaps where voxels inside and outside meet crosswise on a face, and the volume is then
    counted from the corner of the mask's array; it can be 0 for a few voxels that only touch at edges.
    """
    tally = np.zeros((256, 4), np.int64)
    _count_cubes(mask, tally)
    count, origin = tally[TRIANGLE_PATTERN, 0], 2 * tally[TRIANGLE_PATTERN, 1:]
    first, second, third = TRIANGLES[:, 0], TRIANGLES[:, 1], TRIANGLES[:, 2]
    # In whole numbers: six volumes of the tetrahedron under a triangle, and how it grows with the origin of the cube.
    under = (np.cross(first, second) * third).sum(axis=1)
    normal = np.cross(first, second) + np.cross(second, third) + np.cross(third, first)
    eightfold = (count * under).sum() + (origin * normal).sum()
    sides = (TRIANGLES[:, :2] - TRIANGLES[:, 2:]) / 2 * spacing_zyx
    areas = np.sqrt((np.cross(sides[:, 0], sides[:, 1]) ** 2).sum(axis=1)) / 2
    return float((count * areas).sum()), float(eightfold / 48 * spacing_zyx.prod())


def perimeter_and_surface(mask: NDArray[np.bool_], spacing_yx: NDArray[np.float64]) -> tuple[float, float]:
    """Return the length (mm) of the outline of a 2D mask with an empty border, and the area (mm^2) within."""
    inside = mask.astype(np.int64)
    pattern = inside[:-1, :-1] + 2 * inside[:-1, 1:] + 4 * inside[1:, 1:] + 8 * inside[1:, :-1]
    row, column = np.nonzero((pattern > 0) & (pattern < 15))
    tally = np.zeros((16, 3), np.int64)
    np.add.at(tally, pattern[row, column], np.stack([np.ones_like(row), row, column], axis=1))
    count, origin = tally[SEGMENT_PATTERN, 0], 2 * tally[SEGMENT_PATTERN, 1:]
    start, end = SEGMENTS[:, 0], SEGMENTS[:, 1]
    step = end - start
    turned = count * (start[:, 0] * end[:, 1] - end[:, 0] * start[:, 1])
    moved = origin[:, 0] * step[:, 1] - origin[:, 1] * step[:, 0]
    lengths = np.sqrt(((step / 2 * spacing_yx) ** 2).sum(axis=1))
    return float((count * lengths).sum()), float((turned + moved).sum() / 8 * spacing_yx.prod())


@compiled
def _count_cubes(mask, tally):
    """Add to ``tally`` (256, 4) for each cube with voxels on both sides: 1, and its origin in voxels (z, y, x)."""
    for z in range(mask.shape[0] - 1):
        for y in range(mask.shape[1] - 1):
            low = mask[z, y]
            low_next = mask[z, y + 1]
            high = mask[z + 1, y]
            high_next = mask[z + 1, y + 1]
            left = np.int64(0)  # the border is empty
            for x in range(mask.shape[2] - 1):
                right = (
                    np.int64(low[x + 1]) << 1
                    | np.int64(low_next[x + 1]) << 2
                    | np.int64(high[x + 1]) << 5
                    | np.int64(high_next[x + 1]) << 6
                )
                cube = left | right
                if cube != 0 and cube != 255:
                    tally[cube, 0] += 1
                    tally[cube, 1] += z
                    tally[cube, 2] += y
                    tally[cube, 3] += x
                left = (right & 2) >> 1 | (right & 4) << 1 | (right & 32) >> 1 | (right & 64) << 1
