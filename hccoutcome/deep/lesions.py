"""Where the tumour lies in an axial mask: its largest cross-section, its largest lesion, its box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from hccoutcome.imaging.geometry import Geometry
from hccoutcome.imaging.resample import grid_with_spacing


@dataclass(frozen=True)
class CrossSection:
    """The largest axial cross-section of a region.

    Attributes:
        height: continuous index of its plane along the slices of the mask.
        low, high: outer voxel indices (x, y) of its box there.
        area: in mm2.
    """

    height: float
    low: tuple[int, int]
    high: tuple[int, int]
    area: float

    @property
    def centre(self) -> NDArray[np.float64]:
        """Continuous index (x, y, z) of the middle of its box."""
        return np.array([*((low + high) / 2 for low, high in zip(self.low, self.high, strict=True)), self.height])


def largest_cross_section(mask: sitk.Image, thickness: float = 1.0) -> CrossSection:
    """Return the axial plane in which a region is largest, among planes ``thickness`` mm apart.

    The mask goes to the new planes by nearest neighbour, so that a thick slice fills several of them equally: of those
    the middle one counts, at most half of ``thickness`` from the slice itself.

    Args:
        mask: axial mask (``frames.axial``), not empty.
        thickness: distance of the planes in mm.
    """
    voxels = sitk.GetArrayViewFromImage(mask) != 0
    sizes = voxels.sum(axis=(1, 2))
    heights = plane_heights(mask, thickness)
    nearest = np.clip(np.floor(heights + 0.5).astype(int), 0, len(sizes) - 1)
    largest = np.flatnonzero(sizes[nearest] == sizes[nearest].max())
    run = largest[: np.flatnonzero(np.diff(np.append(largest, np.inf)) != 1)[0] + 1]
    plane = int(run[(len(run) - 1) // 2])
    rows, columns = (np.flatnonzero(voxels[nearest[plane]].any(axis=axis)) for axis in (1, 0))
    width, depth, _ = mask.GetSpacing()
    return CrossSection(
        float(heights[plane]),
        (int(columns[0]), int(rows[0])),
        (int(columns[-1]), int(rows[-1])),
        float(sizes[nearest[plane]] * width * depth),
    )


def plane_heights(image: sitk.Image, thickness: float) -> NDArray[np.float64]:
    """Return the continuous slice indices of planes ``thickness`` mm apart that cover an image, aligned by centre."""
    grid = grid_with_spacing(image, (0.0, 0.0, thickness))
    start = np.linalg.solve(Geometry.from_image(image).affine, [*grid.origin, 1.0])[2]
    return start + np.arange(grid.size[2]) * thickness / image.GetSpacing()[2]


def largest_lesion(mask: sitk.Image) -> sitk.Image:
    """Return the largest part of a mask by volume; parts that touch at a corner are one, and of equal ones the first.

    Returns:
        A mask on the same grid.
    """
    voxels = sitk.GetArrayViewFromImage(mask) != 0
    parts, _ = ndimage.label(voxels, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    lesion = sitk.GetImageFromArray((parts == sizes.argmax()).astype(np.uint8))
    lesion.CopyInformation(mask)
    return lesion


def box_of(mask: sitk.Image) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the outer voxel indices (x, y, z) of a mask that is not empty."""
    inside = np.argwhere(sitk.GetArrayViewFromImage(mask) != 0)
    return inside.min(axis=0)[::-1], inside.max(axis=0)[::-1]
