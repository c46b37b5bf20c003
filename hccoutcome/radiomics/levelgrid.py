"""The region as the kernels walk it: grey levels made dense, padded, flat, with the stretches of rows that hold it.

A flat index ``p`` and a neighbour ``p + offset`` need no test for the border, because the padding is empty (0) and as
wide as the farthest neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hccoutcome.errors import InputError

MOST_LEVELS = 65535


@dataclass(frozen=True)
class LevelGrid:
    """Dense grey levels of one region.

    Attributes:
        codes: Flat padded grid, uint16: 0 outside the region, else 1 + the place of the voxel's level in ``levels``.
        rows: Flat start and stop of the stretch of each row that holds the region, shape (rows, 2).
        strides: Flat step along z, y and x.
        shape: Sides of the region's box, without the padding.
        levels: The grey levels that occur, ascending, float64, shape (n,).
        counts: Voxels of each of these levels, shape (n,).
    """

    codes: NDArray[np.uint16]
    rows: NDArray[np.int64]
    strides: tuple[int, int, int]
    shape: tuple[int, ...]
    levels: NDArray[np.float64]
    counts: NDArray[np.int64]

    def flat_offsets(self, directions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the flat step of each direction, shape (d, 3) in (z, y, x)."""
        return directions @ np.array(self.strides, np.int64)


def level_grid(levels: NDArray[np.integer], padding: int) -> LevelGrid:
    """Crop a grid of grey levels (0 outside the region) to the region, make its levels dense and pad it.

    Args:
        levels: Grey levels, shape (z, y, x), whole numbers from 0 up.
        padding: Voxels of empty border: the largest distance of any neighbour.

    Raises:
        InputError: The region is empty, or it holds more distinct levels than a kernel can index.
    """
    inner = np.ascontiguousarray(levels[_bounding_box(levels)])
    totals = np.bincount(inner.ravel())
    totals[0] = 0
    present = np.flatnonzero(totals)
    if present.size > MOST_LEVELS:
        raise InputError(f"the region holds {present.size} grey levels, at most {MOST_LEVELS} fit: use wider bins")
    code = np.zeros(totals.size, np.uint16)
    code[present] = np.arange(1, present.size + 1)
    padded = np.zeros([side + 2 * padding for side in inner.shape], np.uint16)
    padded[tuple(slice(padding, padding + side) for side in inner.shape)] = np.take(code, inner)
    return LevelGrid(
        codes=padded.ravel(),
        rows=_occupied_rows(padded),
        strides=(padded.shape[1] * padded.shape[2], padded.shape[2], 1),
        shape=inner.shape,
        levels=present.astype(np.float64),
        counts=totals[present],
    )


def _bounding_box(levels: NDArray[np.integer]) -> tuple[slice, ...]:
    inside = levels > 0
    box = []
    for axis in range(3):
        hit = np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))
        if not hit.size:
            raise InputError("the region holds no voxel: draw it, or name another label")
        box.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return tuple(box)


def _occupied_rows(padded: NDArray[np.uint16]) -> NDArray[np.int64]:
    """Return flat start and stop of the stretch from the first to the last region voxel of each row that has one."""
    width = padded.shape[2]
    inside = padded.reshape(-1, width) != 0
    row = np.flatnonzero(inside.any(axis=1))
    first = inside[row].argmax(axis=1)
    last = width - inside[row, ::-1].argmax(axis=1)
    return np.stack([row * width + first, row * width + last], axis=1).astype(np.int64)


def unique_directions(
    distances: tuple[int, ...],
    force_2d: bool = False,
    force_2d_dimension: int = 0,
    shape: tuple[int, ...] | None = None,
) -> NDArray[np.int64]:
    """Return one of each pair of opposite steps (z, y, x) to the neighbours at the distances, shape (d, 3).

    Distance 1 gives the 13 directions of 26 neighbours. The arguments are those of :func:`neighbour_steps`.
    """
    steps = neighbour_steps(distances, force_2d, force_2d_dimension, shape)
    return steps[: len(steps) // 2]


def neighbour_steps(
    distances: tuple[int, ...],
    force_2d: bool = False,
    force_2d_dimension: int = 0,
    shape: tuple[int, ...] | None = None,
) -> NDArray[np.int64]:
    """Return the steps (z, y, x) to all neighbours at the distances in PyRadiomics' order, shape (2 d, 3).

    The second half holds the opposites of the first, but where a distance stands more than once: then PyRadiomics takes
    as many steps as all distances together have, and goes through the list of different steps as often as it takes.

    Args:
        distances: In the infinity norm: distance 1 gives the 26 neighbours of a voxel.
        force_2d: Whether steps out of a plane are left out.
        force_2d_dimension: The axis perpendicular to that plane.
        shape: Sides of the region's box; steps that are longer, and so find no neighbour, are left out.
    """
    reach = max(distances)
    steps = np.stack(np.meshgrid(*[np.arange(reach, -reach - 1, -1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    kept = np.isin(np.abs(steps).max(axis=1), distances)
    if force_2d:
        kept &= steps[:, force_2d_dimension] == 0
    if shape is not None:
        kept &= (np.abs(steps) < np.array(shape)).all(axis=1)
    steps = steps[kept].astype(np.int64)
    count = sum(int((np.abs(steps).max(axis=1) == distance).sum()) for distance in distances)
    return np.resize(steps, (count, 3))


def direction_lengths(
    directions: NDArray[np.int64], spacing_zyx: tuple[float, float, float], norm: str
) -> NDArray[np.float64]:
    """Return the length in mm of each direction, shape (d, 3), in the manhattan, euclidean or infinity norm."""
    steps = np.abs(directions) * np.asarray(spacing_zyx, np.float64)
    if norm == "manhattan":
        return steps.sum(axis=1)
    return np.sqrt((steps**2).sum(axis=1)) if norm == "euclidean" else steps.max(axis=1)
