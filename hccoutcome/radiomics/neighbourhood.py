"""The box of voxels around each voxel of a map: its geometry, and its levels copied into a small padded block.

The block has an empty border as wide as the farthest neighbour, so that the kernels of a map need no tests for its
edge, and a voxel outside the image or outside what the kernel may look at is simply 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hccoutcome.radiomics.classes import TextureSettings
from hccoutcome.radiomics.levelgrid import neighbour_steps, unique_directions


@dataclass(frozen=True)
class Neighbourhood:
    """Where the voxels of the box lie, in the block and in the padded grid.

    Attributes:
        inner: Flat place in the block of each voxel of the box, in the order of a scan.
        reach: Offset (z, y, x) of each voxel of the box from its centre, shape (voxels, 3).
        block_size: Number of voxels of the block.
        offsets: Flat step in the block of each direction for GLCM.
        around: Flat step in the block to each neighbour for GLDM and NGTDM.
        touching: The same for GLRLM and GLSZM, whose neighbours touch.
        lines: For each touching direction the straight line that each voxel of the box lies on.
        directions: Steps (z, y, x) behind ``offsets``.
        touching_directions: Steps (z, y, x) behind ``touching``.
    """

    inner: NDArray[np.int64]
    reach: NDArray[np.int64]
    block_size: int
    offsets: NDArray[np.int64]
    around: NDArray[np.int64]
    touching: NDArray[np.int64]
    lines: NDArray[np.int64]
    directions: NDArray[np.int64]
    touching_directions: NDArray[np.int64]


def neighbourhood(radius: int, settings: TextureSettings, shape: tuple[int, ...] | None = None) -> Neighbourhood:
    """Return the geometry of a box of ``2 radius + 1`` voxels a side, flat where the settings force a plane.

    ``shape`` is that of the image that shows all boxes, see ``neighbour_steps``.
    """
    plane = (settings.force_2d, settings.force_2d_dimension)
    around = neighbour_steps(settings.distances, *plane, shape)
    directions = around[: len(around) // 2]
    touching = unique_directions((1,), *plane)
    border = max(settings.distances)
    extent = [radius] * 3
    if settings.force_2d:
        extent[settings.force_2d_dimension] = 0
    grid = np.meshgrid(*[np.arange(-n, n + 1) for n in extent], indexing="ij")
    reach = np.stack([axis.ravel() for axis in grid], axis=1)
    sides = np.array([2 * (n + border) + 1 for n in extent])
    strides = np.array([sides[1] * sides[2], sides[2], 1])
    return Neighbourhood(
        inner=(reach + np.array(extent) + border) @ strides,
        reach=reach,
        block_size=int(sides.prod()),
        offsets=directions @ strides,
        around=around @ strides,
        touching=touching @ strides,
        lines=np.stack([_lines(reach, step) for step in touching]),
        directions=directions,
        touching_directions=touching,
    )


def _lines(reach: NDArray[np.int64], step: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number for each voxel of the box that those on the same line along the step share."""
    axis = int(np.flatnonzero(step)[0])
    start = reach - reach[:, [axis]] * step[axis] * step
    return np.unique(start, axis=0, return_inverse=True)[1].reshape(-1)
