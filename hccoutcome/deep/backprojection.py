"""Maps on the planes of a network, brought back into the space of the image that the planes were taken from.

A plane knows where each of its pixels lies in the patient (``frames.Frame``), so a voxel of the image finds its value
by its own position: linear between the pixels of a plane and between neighbouring planes of a phase, whatever the axes
of image and plane. Beyond the outer planes a value holds for half a plane or half a voxel, whichever is thicker, so
that a plane between two slices still colours one of them. Where no plane lies there is no value (NaN).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from hccoutcome.deep.frames import Frame
from hccoutcome.deep.inputs import NetworkInput
from hccoutcome.imaging.geometry import Geometry
from hccoutcome.imaging.itk import image_from_array

Values = NDArray[np.floating]
_PARALLEL = 1e-6
"""Largest difference of direction cosines and of pixels in the plane by which two planes count as one stack."""


def frame_of_cells(frame: Frame, rows: int, columns: int) -> Frame:
    """Return the frame of a map in fewer and larger cells (patches, features of a convolution) over the same plane."""
    step = np.array([frame.size[0] / columns, frame.size[1] / rows])
    affine = frame.affine.copy()
    affine[:3, :2] *= step
    affine[:3, 3] += frame.affine[:3, :2] @ ((step - 1) / 2)
    return Frame(affine, (columns, rows))


def back_projected(seen: NetworkInput, maps: Sequence[Values], phase: str, image: sitk.Image) -> sitk.Image | None:
    """Return the maps of a phase's planes as a volume in the image that they were taken from.

    Args:
        seen: what the network saw.
        maps: one for each of its planes, shape (rows, columns), in as many cells as there are; planes that are missing
            or come from a screenshot are passed over.
        phase: whose planes.
        image: of that phase.

    Returns:
        float32 on the grid of the image, cut to the voxels that have a value and NaN where others lie between them;
        None where no plane of the phase has a place in the image.
    """
    found = [
        (frame_of_cells(plane.frame, *values.shape), np.asarray(values, np.float64))
        for plane, values in zip(seen.planes, maps, strict=True)
        if plane.phase == phase and plane.present and plane.frame is not None
    ]
    if not found:
        return None
    heights = heights_of([frame for frame, _ in found])
    order = np.argsort(heights, kind="stable")
    stack = np.stack([found[number][1] for number in order])
    return _volume(found[int(order[0])][0], heights[order], stack, image)


def heights_of(frames: Sequence[Frame]) -> NDArray[np.float64]:
    """Return where planes lie along their common normal in mm, from the first one.

    Raises:
        ValueError: they are not parallel, or lie beside each other.
    """
    first = frames[0].affine
    normal = _normal(first)
    places = []
    for frame in frames:
        shift = frame.affine[:3, 3] - first[:3, 3]
        height = float(shift @ normal)
        turned = np.abs(frame.affine[:3, :2] - first[:3, :2]).max()
        aside = np.abs(shift - height * normal).max()
        if turned > _PARALLEL or aside > _PARALLEL * max(1.0, np.abs(first[:3, 3]).max()):
            raise ValueError("the planes of a phase are no stack")
        places.append(height)
    return np.array(places)


def _normal(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    return affine[:3, 2] / np.linalg.norm(affine[:3, 2])


def _volume(frame: Frame, heights: NDArray[np.float64], stack: Values, image: sitk.Image) -> sitk.Image | None:
    """Return the values of a stack of planes, the lowest first, at the voxels of an image.

    Args:
        frame: of the lowest plane.
        heights: of all of them above it, ascending from 0.
        stack: values (planes, rows, columns).
        image: whose voxels ask.
    """
    grid = Geometry.from_image(image)
    normal = _normal(frame.affine)
    thickness = max(float(np.linalg.norm(frame.affine[:3, 2])), float(np.abs(normal @ grid.affine[:3, :3]).sum()))
    low, high = _box(frame, heights, thickness / 2, grid)
    if (low > high).any():
        return None
    row, column, height = _places(frame, grid, low, high)
    # Half-open, so that a plane in the middle between two slices colours one of them.
    inside = (height >= heights[0] - thickness / 2) & (height < heights[-1] + thickness / 2)
    for place, cells in ((row, stack.shape[1]), (column, stack.shape[2])):
        inside &= (place >= -0.5) & (place < cells - 0.5)
    if not inside.any():
        return None
    plane = np.interp(height[inside], heights, np.arange(len(heights)))
    values = np.full(inside.shape, np.nan, np.float32)
    values[inside] = map_coordinates(stack, [plane, row[inside], column[inside]], order=1, mode="nearest")
    return _cut(values, inside, grid, low)


def _box(
    frame: Frame, heights: NDArray[np.float64], reach: float, grid: Geometry
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the outer voxel indices (x, y, z) that a stack may reach, within the grid."""
    corners = np.array(
        [
            frame.affine @ [column - 0.5, row - 0.5, 0.0, 1.0] + np.append(_normal(frame.affine) * height, 0.0)
            for column in (0, frame.size[0])
            for row in (0, frame.size[1])
            for height in (heights[0] - reach, heights[-1] + reach)
        ]
    )
    index = np.linalg.solve(grid.affine, corners.T)[:3]
    low = np.maximum(np.floor(index.min(axis=1)).astype(int), 0)
    high = np.minimum(np.ceil(index.max(axis=1)).astype(int), np.array(grid.size) - 1)
    return low, high


def _places(
    frame: Frame, grid: Geometry, low: NDArray[np.int64], high: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return row, column and height in mm of the voxels of a box, each of shape (z, y, x)."""
    to_plane = np.linalg.solve(frame.affine, grid.affine)
    to_plane[2] *= np.linalg.norm(frame.affine[:3, 2])
    axes = [np.arange(start, stop + 1, dtype=np.float64) for start, stop in zip(low, high, strict=True)]
    x, y, z = axes[0][None, None, :], axes[1][None, :, None], axes[2][:, None, None]
    column, row, height = (a * x + b * y + c * z + d for a, b, c, d in to_plane[:3])
    return row, column, height


def _cut(values: NDArray[np.float32], inside: NDArray[np.bool_], grid: Geometry, low: NDArray[np.int64]) -> sitk.Image:
    """Return the voxels that have a value as an image on the same lattice."""
    found = np.argwhere(inside)
    first, last = found.min(axis=0), found.max(axis=0) + 1
    part = values[tuple(slice(a, b) for a, b in zip(first, last, strict=True))]
    affine = grid.affine
    affine[:3, 3] = (grid.affine @ [*(low + first[::-1]), 1.0])[:3]
    return image_from_array(np.ascontiguousarray(part), affine)
