"""Where to look at a case: the point in which its slices cross, and which regions belong to which image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
import slicer

from hccoutcome.scene.exchange import LPS_TO_RAS, image_from_node, ras_directions, ras_origin, region_from_segment
from hccoutcome.scene.nodes import CaseNodes

Point = tuple[float, float, float]


def point_of_interest(nodes: CaseNodes, volume: slicer.vtkMRMLScalarVolumeNode) -> Point:
    """Return the RAS point in which to look at a volume.

    It lies in the largest axial section of the tumour; without a tumour in that of the liver, without either in the
    middle of the image.
    """
    for region in ("tumor", "liver"):
        for segmentation in nearest_first(nodes, volume):
            if segmentation.GetSegmentation().GetSegment(region) is not None:
                return largest_section(region_from_segment(segmentation, region))
    return middle_of(image_from_node(volume))


def nearest_first(nodes: CaseNodes, volume: slicer.vtkMRMLScalarVolumeNode) -> list[slicer.vtkMRMLSegmentationNode]:
    """Return a case's segmentations, that on the volume's own grid first."""
    return sorted(nodes.segmentations, key=lambda segmentation: not on_grid_of(segmentation, volume))


def on_grid_of(segmentation: slicer.vtkMRMLSegmentationNode, volume: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Say whether a segmentation was outlined on a volume, or on one of the same grid."""
    reference = segmentation.GetNodeReference(segmentation.GetReferenceImageGeometryReferenceRole())
    return reference is not None and _grid(reference) == _grid(volume)


def largest_section(mask: sitk.Image) -> Point:
    """Return the middle, in RAS, of the largest connected part in the axial section with most voxels of a mask."""
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(mask))
    indices = np.argwhere(parts)[:, ::-1]
    points = (ras_directions(mask) @ (indices * mask.GetSpacing()).T).T + ras_origin(mask)
    level = np.round((points[:, 2] - points[:, 2].min()) / mask.GetSpacing()[2]).astype(int)
    widest = level == np.bincount(level).argmax()
    part = parts[parts > 0][widest]
    section = points[widest][part == np.bincount(part).argmax()]
    nearest = np.linalg.norm(section - section.mean(axis=0), axis=1).argmin()
    return tuple(section[nearest].tolist())


def box_of(image: sitk.Image) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest RAS coordinates (mm) of an image's voxel centres."""
    return corners(image, [(0, size - 1) for size in image.GetSize()])


def corners(image: sitk.Image, ranges: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest RAS coordinates (mm) of a box of voxels, given by its index ranges (x, y, z)."""
    indices = np.array(np.meshgrid(*ranges)).reshape(3, -1).T
    points = (ras_directions(image) @ (indices * image.GetSpacing()).T).T + ras_origin(image)
    return points.min(axis=0), points.max(axis=0)


def middle_of(image: sitk.Image) -> Point:
    """Return the RAS point in the middle of an image."""
    centre = image.TransformContinuousIndexToPhysicalPoint([(size - 1) / 2 for size in image.GetSize()])
    return tuple((LPS_TO_RAS * centre).tolist())


def _grid(volume: slicer.vtkMRMLScalarVolumeNode) -> tuple[float, ...]:
    """Return what tells grids apart: size, spacing and bounds in RAS, to a hundredth of a millimetre."""
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    return (*volume.GetImageData().GetDimensions(), *(round(x, 2) for x in (*volume.GetSpacing(), *bounds)))
