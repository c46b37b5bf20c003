"""Largest distances between vertices of the mesh around a mask: overall, and within planes across each axis.

The vertices lie halfway between a voxel inside and one outside, so twice their coordinates are whole numbers. The
farthest pair lies on convex hulls, and a vertex of the hull in space is also one of the hull of every plane through
it: so the planes' hulls, exact in whole numbers, give the diameters within planes, and the few points that are
vertices of the hull in all three of their planes are the candidates for the diameter in space.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hccoutcome.radiomics.kernels import compiled


def mesh_diameters(mask: NDArray[np.bool_], spacing: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return the largest distance (mm) in planes across z, y and x, and in space.

    Args:
        mask: Shape (z, y, x), with an empty border and something inside.
        spacing: In mm, (z, y, x).
    """
    within, candidates = [], []
    for axis in range(3):
        order = [axis, *[other for other in range(3) if other != axis]]
        corners = _hulls_of_planes(np.ascontiguousarray(mask.transpose(order)))
        within.append(_largest_in_planes(corners, spacing[order]))
        candidates.append(np.ravel_multi_index(tuple(corners[:, np.argsort(order)].T), [2 * n for n in mask.shape]))
    in_all = np.intersect1d(np.intersect1d(candidates[0], candidates[1], True), candidates[2], True)
    points = np.stack(np.unravel_index(in_all, [2 * n for n in mask.shape]), axis=1)
    return (*within, _largest(points / 2 * spacing))


def outline_diameter(mask: NDArray[np.bool_], spacing: NDArray[np.float64]) -> float:
    """Return the largest distance (mm) between vertices of the outline of a 2D mask (y, x) with an empty border."""
    corners = np.empty((4 * mask.shape[0], 3), np.int32)
    found = _hull(_rows_of_slice(mask), 0, corners, 0)
    return float(_largest(corners[:found] / 2 * np.array([0.0, *spacing])))


@compiled
def _hulls_of_planes(mask):
    """Return the hull vertices of every plane across the first axis, doubled coordinates, ordered by plane."""
    corners = np.empty((4 * mask.shape[0] * 2 * mask.shape[1], 3), np.int32)
    found = 0
    for z in range(mask.shape[0] - 1):
        found = _hull(_rows_of_slice(mask[z]), 2 * z, corners, found)
        found = _hull(_rows_between(mask[z], mask[z + 1]), 2 * z + 1, corners, found)
    return corners[:found]


@compiled
def _rows_of_slice(mask):
    """Return (row, leftmost, rightmost) of each row of vertices within a slice, doubled coordinates."""
    rows = np.empty((2 * mask.shape[0], 3), np.int64)
    found = 0
    for y in range(mask.shape[0] - 1):
        first, last = _ends(mask[y], mask[0])
        if first <= last:
            rows[found, 0], rows[found, 1], rows[found, 2] = 2 * y, 2 * first - 1, 2 * last + 1
            found += 1
        first, last = _ends(mask[y], mask[y + 1])
        if first <= last:
            rows[found, 0], rows[found, 1], rows[found, 2] = 2 * y + 1, 2 * first, 2 * last
            found += 1
    return rows[:found]


@compiled
def _rows_between(below, above):
    """Return (row, leftmost, rightmost) of each row of vertices between two slices, doubled coordinates."""
    rows = np.empty((below.shape[0], 3), np.int64)
    found = 0
    for y in range(below.shape[0]):
        first, last = _ends(below[y], above[y])
        if first <= last:
            rows[found, 0], rows[found, 1], rows[found, 2] = 2 * y, 2 * first, 2 * last
            found += 1
    return rows[:found]


@compiled
def _ends(row, other):
    """Return the first and the last place where two rows differ; the first is the greater where they do not."""
    first = 0
    last = row.size - 1
    while first < row.size and row[first] == other[first]:
        first += 1
    while last >= first and row[last] == other[last]:
        last -= 1
    return first, last


@compiled
def _hull(rows, plane, corners, found):
    """Append the strict vertices of the convex hull of the rows' ends to ``corners``; return their new number."""
    for side in (1, 2):
        start = found
        sign = 1 if side == 1 else -1
        for r in range(rows.shape[0]):
            y = rows[r, 0]
            x = rows[r, side]
            while found - start >= 2:
                rise = (corners[found - 1, 1] - corners[found - 2, 1]) * (x - corners[found - 2, 2])
                run = (corners[found - 1, 2] - corners[found - 2, 2]) * (y - corners[found - 2, 1])
                if sign * (rise - run) > 0:
                    break
                found -= 1
            if side == 1 or rows[r, 1] != rows[r, 2] or 0 < r < rows.shape[0] - 1:
                corners[found, 0], corners[found, 1], corners[found, 2] = plane, y, x
                found += 1
    return found


@compiled
def _largest_in_planes(corners, spacing):
    """Return the largest distance between two corners of the same plane; ``corners`` are ordered by plane."""
    best = 0.0
    start = 0
    while start < corners.shape[0]:
        stop = start
        while stop < corners.shape[0] and corners[stop, 0] == corners[start, 0]:
            stop += 1
        best = max(best, _largest(corners[start:stop] / 2 * spacing))
        start = stop
    return best


@compiled
def _largest(points):
    """Return the largest distance between two of the points, shape (n, 3)."""
    best = 0.0
    for i in range(points.shape[0]):
        for j in range(i):
            a = points[i, 0] - points[j, 0]
            b = points[i, 1] - points[j, 1]
            c = points[i, 2] - points[j, 2]
            best = max(best, a * a + b * b + c * c)
    return np.sqrt(best)
