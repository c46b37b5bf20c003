"""Lattices of voxels: cutting a block out of an image, turning and shifting its grid, sampling on the result."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hccoutcome.imaging.geometry import Geometry

Block = tuple[slice, slice, slice]
"""A block of voxels, slices in the order z, y, x."""


def block_around(mask: NDArray[np.bool_], spacing_zyx: tuple[float, ...], margin_mm: float) -> Block:
    """Return the block that holds a mask and ``margin_mm`` around it, as far as the image goes."""
    others = ((1, 2), (0, 2), (0, 1))
    block = []
    for axes, step, length in zip(others, spacing_zyx, mask.shape, strict=True):
        span = np.flatnonzero(mask.any(axis=axes))
        margin = int(np.ceil(margin_mm / step))
        block.append(slice(max(int(span[0]) - margin, 0), min(int(span[-1]) + 1 + margin, length)))
    return block[0], block[1], block[2]


def cut(grid: Geometry, block: Block) -> Geometry:
    """Return the part of a grid that a block holds."""
    start = np.array([part.start for part in reversed(block)], np.float64)
    size = tuple(part.stop - part.start for part in reversed(block))
    origin = grid.affine @ np.append(start, 1.0)
    return replace(grid, size=size, origin=tuple(map(float, origin[:3])))


def image_on(array: NDArray[np.generic], grid: Geometry) -> sitk.Image:
    """Return an array (z, y, x) as an image on a grid."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
    return image


def turned(grid: Geometry, centre: NDArray[np.float64], degrees: float, shift: tuple[float, float, float]) -> Geometry:
    """Return a grid turned in its slice plane about a point and then shifted.

    Args:
        grid: the grid.
        centre: the point that stays, in mm (x, y, z).
        degrees: angle about the grid's own third axis.
        shift: fraction of a voxel along each of its own axes x, y, z.
    """
    axes = np.reshape(grid.direction, (3, 3))
    angle = np.radians(degrees)
    plane = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    turn = axes @ plane @ axes.T
    direction = axes @ plane
    origin = centre + turn @ (np.array(grid.origin) - centre) + direction @ (np.array(shift) * grid.spacing)
    return replace(grid, origin=tuple(origin.tolist()), direction=tuple(direction.ravel().tolist()))


def block_of(part: Geometry, grid: Geometry, margin: int = 0) -> Block:
    """Return the smallest block of ``grid`` that covers another grid and ``margin`` voxels around it."""
    corners = np.array([(*corner, 1.0) for corner in product(*((-0.5, n - 0.5) for n in part.size))])
    index = (np.linalg.solve(grid.affine, part.affine) @ corners.T)[:3]
    first, last = np.floor(index.min(axis=1) + 0.5 + 1e-6), np.ceil(index.max(axis=1) - 0.5 - 1e-6)
    low = np.clip(first.astype(int) - margin, 0, np.array(grid.size) - 1)
    high = np.clip(last.astype(int) + margin + 1, low + 1, grid.size)
    x, y, z = (slice(int(start), int(stop)) for start, stop in zip(low, high, strict=True))
    return z, y, x


def holds(grid: Geometry, part: Geometry) -> bool:
    """Say whether a box of voxels lies wholly inside a grid, its outer edges included."""
    corners = np.array([(*corner, 1.0) for corner in product(*((-0.5, n - 0.5) for n in part.size))])
    index = (np.linalg.solve(grid.affine, part.affine) @ corners.T)[:3]
    edge = np.array(grid.size)[:, None] - 0.5
    return bool(((index >= -0.5 - 1e-6) & (index <= edge + 1e-6)).all())


def sample(image: sitk.Image, grid: Geometry, interpolator: int) -> sitk.Image:
    """Return an image on another grid; beyond the image its border goes on. One thread, for the caller has several."""
    resample = sitk.ResampleImageFilter()
    resample.SetNumberOfThreads(1)
    resample.SetSize(grid.size)
    resample.SetOutputSpacing(grid.spacing)
    resample.SetOutputOrigin(grid.origin)
    resample.SetOutputDirection(grid.direction)
    resample.SetInterpolator(interpolator)
    resample.SetUseNearestNeighborExtrapolator(True)
    return resample.Execute(image)
