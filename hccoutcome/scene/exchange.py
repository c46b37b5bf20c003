"""Between plain data and MRML nodes, in memory: images and volumes, masks and segments, tables and table nodes.

SimpleITK counts positions in LPS, MRML in RAS: the first two axes change sign. Spacing, axes and origin are handed
over one by one and never multiplied into a matrix, so that a round trip gives back the same numbers, oblique images
included.

An image with left-handed axes (one of them flipped) is the exception: Slicer's reader turns such files to right-handed
axes, so a volume node is given the reversed slices from the start. Every voxel stays where it was in the patient; only
the order of the slices is another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import SimpleITK as sitk
import slicer
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkDataArray, vtkDoubleArray, vtkLongLongArray, vtkStringArray
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkCommonMath import vtkMatrix4x4

Column = Sequence[float] | Sequence[int] | Sequence[str] | np.ndarray

LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
BINARY_LABELMAP = "Binary labelmap"
WIDENED = {np.dtype(np.int8): np.int16, np.dtype(np.int64): np.float64, np.dtype(np.uint64): np.float64}
"""Scalar types that Slicer's volume writer does not know, with the type that takes their place."""


def node_from_image(image: sitk.Image, name: str, scene: slicer.vtkMRMLScene | None = None) -> slicer.vtkMRMLVolumeNode:
    """Return a new scalar volume node with the image's voxels, scalar type and position.

    The scalar types that Slicer cannot write to a file become the next wider one: see ``WIDENED``. Left-handed axes
    become right-handed: see ``right_handed``.

    Args:
        image: 3D image of one component, LPS, mm.
        name: name of the node.
        scene: the scene to add the node to; without one the node stays outside any scene.
    """
    image = right_handed(image)
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(name)
    node.SetSpacing(*image.GetSpacing())
    node.SetIJKToRASDirections(*ras_directions(image).ravel())
    node.SetOrigin(*ras_origin(image))
    node.SetAndObserveImageData(_voxels(image))
    if scene is not None:
        scene.AddNode(node)
    return node


def right_handed(image: sitk.Image) -> sitk.Image:
    """Return an image with right-handed axes: as it is, or with its slices in reverse order, all at the same points."""
    if np.linalg.det(np.reshape(image.GetDirection(), (3, 3))) > 0:
        return image
    return sitk.Flip(image, (False, False, True), False)


def empty_grid(node: slicer.vtkMRMLVolumeNode) -> sitk.Image:
    """Return one voxel that lies where the first one of a volume node does: its lattice, without copying voxels."""
    image = sitk.Image(1, 1, 1, sitk.sitkUInt8)
    matrix = vtkMatrix4x4()
    node.GetIJKToRASDirectionMatrix(matrix)
    image.SetSpacing(node.GetSpacing())
    image.SetDirection(_lps_directions(matrix))
    image.SetOrigin((LPS_TO_RAS * node.GetOrigin() + 0.0).tolist())
    return image


def image_from_node(node: slicer.vtkMRMLVolumeNode) -> sitk.Image:
    """Return the voxels and position of a volume node as an image (3D, LPS, mm); the voxels are copied."""
    data = node.GetImageData()
    array = vtk_to_numpy(data.GetPointData().GetScalars()).reshape(data.GetDimensions()[::-1])
    image = sitk.GetImageFromArray(array)
    grid = empty_grid(node)
    image.SetSpacing(grid.GetSpacing())
    image.SetDirection(grid.GetDirection())
    image.SetOrigin(grid.GetOrigin())
    return image


def _lps_directions(matrix: vtkMatrix4x4) -> list[float]:
    """Return axes in RAS as SimpleITK's direction."""
    directions = np.array([[matrix.GetElement(row, column) for column in range(3)] for row in range(3)])
    return (LPS_TO_RAS[:, None] * directions + 0.0).ravel().tolist()


def ras_directions(image: sitk.Image) -> np.ndarray:
    """Return the image's axes as the columns of a 3x3 matrix in RAS."""
    return LPS_TO_RAS[:, None] * np.array(image.GetDirection()).reshape(3, 3) + 0.0


def ras_origin(image: sitk.Image) -> np.ndarray:
    """Return the centre of the first voxel in RAS (mm)."""
    return LPS_TO_RAS * np.array(image.GetOrigin()) + 0.0


def _voxels(image: sitk.Image) -> vtkImageData:
    """Return the voxels as VTK image data with unit spacing, as MRML keeps them."""
    data = vtkImageData()
    data.SetDimensions(*image.GetSize())
    array = sitk.GetArrayViewFromImage(image)
    data.GetPointData().SetScalars(_scalars(array.astype(WIDENED.get(array.dtype, array.dtype), copy=False)))
    return data


def _scalars(array: np.ndarray) -> vtkDataArray:
    """Return a copy of an array (z, y, x) as VTK scalars of the same type."""
    scalars = numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True)
    scalars.SetName("ImageScalars")
    return scalars


def segment_from_mask(mask: sitk.Image, name: str) -> slicer.vtkSegment:
    """Return a segment with the mask as its binary labelmap, cut to the box around it on the mask's own grid.

    Args:
        mask: 3D mask of 0 and 1 (uint8), not empty.
        name: name of the segment.
    """
    array = sitk.GetArrayViewFromImage(mask)
    box = [_extent(array.any(axis=axes)) for axes in ((0, 1), (0, 2), (1, 2))]
    (x0, x1), (y0, y1), (z0, z1) = box
    labelmap = slicer.vtkOrientedImageData()
    labelmap.SetExtent(x0, x1, y0, y1, z0, z1)
    labelmap.GetPointData().SetScalars(_scalars(array[z0 : z1 + 1, y0 : y1 + 1, x0 : x1 + 1]))
    labelmap.SetSpacing(*mask.GetSpacing())
    labelmap.SetOrigin(*ras_origin(mask))
    labelmap.SetDirections(ras_directions(mask).tolist())
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.AddRepresentation(BINARY_LABELMAP, labelmap)
    return segment


def _extent(filled: np.ndarray) -> tuple[int, int]:
    """Return the first and last index that is filled."""
    indices = np.flatnonzero(filled)
    return int(indices[0]), int(indices[-1])


def region_from_segment(segmentation: slicer.vtkMRMLSegmentationNode, segment_id: str) -> sitk.Image:
    """Return a segment as a mask (uint8, 0/1) on its own grid, cut to the box that Slicer keeps of it."""
    labelmap = slicer.vtkOrientedImageData()
    segmentation.GetBinaryLabelmapRepresentation(segment_id, labelmap)
    image = sitk.GetImageFromArray(_mask_array(labelmap))
    matrix = vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(matrix)
    first = matrix.MultiplyPoint((*labelmap.GetExtent()[::2], 1.0))[:3]
    labelmap.GetDirectionMatrix(matrix)
    image.SetSpacing(labelmap.GetSpacing())
    image.SetDirection(_lps_directions(matrix))
    image.SetOrigin((LPS_TO_RAS * first + 0.0).tolist())
    return image


def mask_from_segment(
    segmentation: slicer.vtkMRMLSegmentationNode, segment_id: str, reference: slicer.vtkMRMLVolumeNode
) -> sitk.Image:
    """Return a segment as a mask (uint8, 0/1) on the grid of a volume node.

    A segment on another grid is brought there by nearest neighbour, as Slicer itself does.
    """
    grid = image_from_node(reference)
    labelmap = slicer.vtkOrientedImageData()
    segmentation.GetBinaryLabelmapRepresentation(segment_id, labelmap)
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        labelmap, oriented_grid(grid), labelmap
    )
    mask = sitk.GetImageFromArray(_mask_array(labelmap))
    mask.CopyInformation(grid)
    return mask


def _mask_array(labelmap: slicer.vtkOrientedImageData) -> np.ndarray:
    """Return a labelmap's voxels as 0 and 1 (uint8), in the order (z, y, x)."""
    array = vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(labelmap.GetDimensions()[::-1])
    return (array != 0).astype(np.uint8)


def oriented_grid(image: sitk.Image) -> slicer.vtkOrientedImageData:
    """Return the grid of an image, without voxels, as a reference for resampling."""
    grid = slicer.vtkOrientedImageData()
    grid.SetDimensions(*image.GetSize())
    grid.SetSpacing(*image.GetSpacing())
    grid.SetOrigin(*ras_origin(image))
    grid.SetDirections(ras_directions(image).tolist())
    return grid


def node_from_table(
    columns: Mapping[str, Column], name: str, scene: slicer.vtkMRMLScene | None = None
) -> slicer.vtkMRMLTableNode:
    """Return a new table node: numbers stay numbers (NaN included), anything else becomes text.

    Slicer's table files know neither quotes nor line breaks inside a cell, so text goes into one line, with
    typographic quotes.

    Args:
        columns: values by column title, all of one length.
        name: name of the node.
        scene: the scene to add the node to; without one the node stays outside any scene.
    """
    node = slicer.vtkMRMLTableNode()
    node.SetName(name)
    for title, values in columns.items():
        node.AddColumn(_column(title, values))
    if scene is not None:
        scene.AddNode(node)
    return node


def table_from_node(node: slicer.vtkMRMLTableNode) -> dict[str, np.ndarray | list[str]]:
    """Return the columns of a table node: arrays for numbers, lists for text."""
    table = node.GetTable()
    columns = (table.GetColumn(index) for index in range(table.GetNumberOfColumns()))
    return {
        column.GetName(): [column.GetValue(row) for row in range(column.GetNumberOfValues())]
        if isinstance(column, vtkStringArray)
        else vtk_to_numpy(column).copy()
        for column in columns
    }


def _column(title: str, values: Column) -> vtkDataArray | vtkStringArray:
    """Return one column: whole numbers, numbers or text, by what it holds."""
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        column, convert = vtkLongLongArray(), int
    elif array.dtype.kind == "f":
        column, convert = vtkDoubleArray(), float
    else:
        column, convert = vtkStringArray(), _cell
    column.SetName(title)
    for value in values:
        column.InsertNextValue(convert(value))
    return column


def _cell(value: object) -> str:
    """Return a text that Slicer's table files can hold."""
    return " ".join(str(value).split()).replace('"', "”")
