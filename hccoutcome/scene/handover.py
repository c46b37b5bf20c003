"""Voxels of the scene written for a worker, a little at a time, so that a window stays alive meanwhile.

Volumes are written straight from the node's own memory, slab by slab, as NRRD that is not compressed. A region is put
together from the boxes that Slicer keeps of its segments; nothing of the size of the image is computed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import slicer
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from hccoutcome.scene.exchange import empty_grid

SLAB_BYTES = 8 << 20
"""How much is written in one go: some ten milliseconds' worth."""
LATTICE_TOLERANCE = 0.01
"""Voxels by which two grids may differ and still count as one: nearest neighbours are then the same voxels."""
_TYPES = {
    "int8": "int8", "uint8": "uint8", "int16": "int16", "uint16": "uint16", "int32": "int32", "uint32": "uint32",
    "int64": "int64", "uint64": "uint64", "float32": "float", "float64": "double",
}  # fmt: skip

Steps = Generator[float, None, None]
"""Yields the fraction done after each step."""


@dataclass(frozen=True)
class Part:
    """A piece of a region on a grid: what is inside (z, y, x), and the index (x, y, z) of its first voxel."""

    inside: np.ndarray
    start: tuple[int, int, int]


def write_volume(volume: slicer.vtkMRMLVolumeNode, path: Path) -> Steps:
    """Write a volume node as NRRD."""
    array = voxels_of(volume)
    yield from _write(path, empty_grid(volume), array.shape, array.dtype, _slabs(array))


def write_region(parts: Iterable[Part], volume: slicer.vtkMRMLVolumeNode, path: Path) -> Steps:
    """Write the union of some parts as a mask (uint8, 0/1) on the grid of a volume node."""
    shape = volume.GetImageData().GetDimensions()[::-1]
    yield from _write(path, empty_grid(volume), shape, np.dtype(np.uint8), _union(list(parts), shape))


def voxels_of(volume: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return the voxels of a volume node (z, y, x) without copying them."""
    data = volume.GetImageData()
    return vtk_to_numpy(data.GetPointData().GetScalars()).reshape(data.GetDimensions()[::-1])


def part_of_segment(
    segmentation: slicer.vtkMRMLSegmentationNode, segment_id: str, volume: slicer.vtkMRMLVolumeNode
) -> Part | None:
    """Return a segment as a part on the grid of a volume node, by nearest neighbour as Slicer itself does.

    None where nothing of it lies in the volume.
    """
    labelmap = slicer.vtkOrientedImageData()
    segmentation.GetBinaryLabelmapRepresentation(segment_id, labelmap)
    if labelmap.IsEmpty():
        return None
    low, high = _box_on_grid(labelmap, volume)
    if (low > high).any():
        return None
    shift = _shift(labelmap, volume)
    if shift is None:
        box = _grid_box(volume, low, high)
        slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(labelmap, box, labelmap)
        inside = _inside(labelmap)
    else:
        low = np.array(labelmap.GetExtent()[::2]) + shift
        cut = np.maximum(-low, 0)
        inside = _inside(labelmap)[cut[2] :, cut[1] :, cut[0] :]
        low = low + cut
        room = np.array(volume.GetImageData().GetDimensions()) - low
        inside = inside[: room[2], : room[1], : room[0]]
    return Part(inside, (int(low[0]), int(low[1]), int(low[2]))) if inside.any() else None


def _inside(labelmap: slicer.vtkOrientedImageData) -> np.ndarray:
    return vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(labelmap.GetDimensions()[::-1]) != 0


def _shift(labelmap: slicer.vtkOrientedImageData, volume: slicer.vtkMRMLVolumeNode) -> np.ndarray | None:
    """Return what is added to a labelmap's indices to have the volume's, None where they lie on different lattices."""
    to_world, to_index = vtkMatrix4x4(), vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(to_world)
    volume.GetRASToIJKMatrix(to_index)
    vtkMatrix4x4.Multiply4x4(to_index, to_world, to_world)
    way = np.array([[to_world.GetElement(row, column) for column in range(4)] for row in range(3)])
    size = max(volume.GetImageData().GetDimensions())
    whole = np.round(way[:, 3])
    same = np.abs(way[:, :3] - np.eye(3)).max() * size < LATTICE_TOLERANCE
    return whole.astype(int) if same and np.abs(way[:, 3] - whole).max() < LATTICE_TOLERANCE else None


def _box_on_grid(
    labelmap: slicer.vtkOrientedImageData, volume: slicer.vtkMRMLVolumeNode
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last index (x, y, z) of a volume's voxels that a labelmap can reach."""
    to_world, to_index = vtkMatrix4x4(), vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(to_world)
    volume.GetRASToIJKMatrix(to_index)
    extent = np.add(np.reshape(labelmap.GetExtent(), (3, 2)), (-0.5, 0.5))
    corners = [to_world.MultiplyPoint((x, y, z, 1.0)) for x in extent[0] for y in extent[1] for z in extent[2]]
    indices = np.array([to_index.MultiplyPoint(corner)[:3] for corner in corners])
    low = np.floor(indices.min(axis=0)).astype(int) - 1
    high = np.ceil(indices.max(axis=0)).astype(int) + 1
    return np.maximum(low, 0), np.minimum(high, np.array(volume.GetImageData().GetDimensions()) - 1)


def _grid_box(volume: slicer.vtkMRMLVolumeNode, low: np.ndarray, high: np.ndarray) -> slicer.vtkOrientedImageData:
    """Return a box of a volume's grid, without voxels, as a reference for resampling."""
    box = slicer.vtkOrientedImageData()
    matrix = vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    box.SetImageToWorldMatrix(matrix)
    box.SetExtent(*np.column_stack([low, high]).ravel().tolist())
    return box


def _slabs(array: np.ndarray) -> Iterator[np.ndarray]:
    """Yield an array in slabs of slices."""
    step = max(1, SLAB_BYTES // max(1, array[:1].nbytes))
    for first in range(0, array.shape[0], step):
        yield array[first : first + step]


def _union(parts: list[Part], shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield the union of some parts in slabs of slices (uint8)."""
    step = max(1, SLAB_BYTES // (shape[1] * shape[2]))
    for first in range(0, shape[0], step):
        slab = np.zeros((min(step, shape[0] - first), *shape[1:]), np.uint8)
        for part in parts:
            x, y, z = part.start
            depth, height, width = part.inside.shape
            top, bottom = max(z, first), min(z + depth, first + slab.shape[0])
            if top < bottom:
                slab[top - first : bottom - first, y : y + height, x : x + width] |= part.inside[top - z : bottom - z]
        yield slab


def _write(path: Path, grid: sitk.Image, shape: tuple[int, ...], kind: np.dtype, slabs: Iterable[np.ndarray]) -> Steps:
    done = 0
    with path.open("wb") as file:
        file.write(_header(grid, shape, kind))
        for slab in slabs:
            file.write(np.ascontiguousarray(slab).astype(kind.newbyteorder("<"), copy=False).data)
            done += slab.shape[0]
            yield done / shape[0]


def _header(grid: sitk.Image, shape: tuple[int, ...], kind: np.dtype) -> bytes:
    """Return the header of a NRRD file (LPS, mm) on the lattice of an image."""
    axes = np.reshape(grid.GetDirection(), (3, 3)) * np.array(grid.GetSpacing())
    lines = (
        "NRRD0004",
        f"type: {_TYPES[kind.name]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(str(size) for size in reversed(shape))}",
        f"space directions: {' '.join(_vector(axis) for axis in axes.T)}",
        "kinds: domain domain domain",
        *(("endian: little",) if kind.itemsize > 1 else ()),
        "encoding: raw",
        f"space origin: {_vector(grid.GetOrigin())}",
    )
    return ("\n".join(lines) + "\n\n").encode("ascii")


def _vector(values: Iterable[float]) -> str:
    return f"({','.join(repr(float(value)) for value in values)})"
