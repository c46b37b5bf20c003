"""Planes that a network reads, as places in the patient: every pixel has a position in mm.

An image is first turned so that its axes run as close to left, back and head as they can without interpolation: planes
are axial and look the same whatever the file's axes, and oblique images keep their obliqueness.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hccoutcome.imaging.geometry import Geometry
from hccoutcome.imaging.itk import image_from_array
from hccoutcome.imaging.resample import INTERPOLATORS, Interpolation

SPLINE_REACH = 16
"""Voxels on either side that a spline reads: those further away count less than a part in 1e8."""


@dataclass(frozen=True, eq=False)
class Frame:
    """Where the pixels of one plane lie.

    Attributes:
        affine: 4 x 4 matrix from (column, row, plane, 1) to mm (LPS); its third column points across the plane, as long
            as the plane is thick.
        size: number of columns and rows.
    """

    affine: NDArray[np.float64]
    size: tuple[int, int]

    @property
    def geometry(self) -> Geometry:
        """The grid of the plane as an image one voxel thick."""
        spacing = np.linalg.norm(self.affine[:3, :3], axis=0)
        direction = (self.affine[:3, :3] / spacing).ravel().tolist()
        return Geometry((*self.size, 1), tuple(spacing.tolist()), tuple(self.affine[:3, 3].tolist()), tuple(direction))


def axial(image: sitk.Image) -> sitk.Image:
    """Return an image with its axes turned and flipped to the nearest of left, back and head; no voxel moves."""
    return sitk.DICOMOrient(image, "LPS")


def frame_around(
    image: sitk.Image, centre: NDArray[np.float64], columns: int, rows: int, pixel: float, thickness: float = 1.0
) -> Frame:
    """Return a plane of an axial image around a point.

    Args:
        image: image whose first two axes span the plane.
        centre: continuous index (x, y, z) of the plane's middle in the image.
        columns: number of columns.
        rows: number of rows.
        pixel: width of a pixel in mm.
        thickness: of the plane in mm.
    """
    axes = np.reshape(image.GetDirection(), (3, 3))
    affine = np.eye(4)
    affine[:3, :3] = axes * [pixel, pixel, thickness]
    middle = np.array(image.TransformContinuousIndexToPhysicalPoint(np.asarray(centre, float).tolist()))
    affine[:3, 3] = middle - affine[:3, :3] @ [(columns - 1) / 2, (rows - 1) / 2, 0.0]
    return Frame(affine, (columns, rows))


def sample(
    image: sitk.Image, frame: Frame, outside: float, interpolation: Interpolation = "linear"
) -> NDArray[np.float32]:
    """Return the grey levels of an image in a plane, shape (rows, columns); ``outside`` where it does not reach."""
    grid = frame.geometry
    real = sitk.Cast(image, sitk.sitkFloat32)
    identity = sitk.Transform(3, sitk.sitkIdentity)
    plane = sitk.Resample(
        real,
        grid.size,
        identity,
        INTERPOLATORS[interpolation],
        grid.origin,
        grid.spacing,
        grid.direction,
        outside,
        sitk.sitkFloat32,
    )
    return sitk.GetArrayFromImage(plane)[0]


def slice_by_spline(image: sitk.Image, frame: Frame) -> sitk.Image:
    """Return the slice at the height of a plane by a one-dimensional cubic spline along the slices.

    Args:
        image: axial image.
        frame: plane between its slices, or up to half a slice beyond them; there the outer slice counts.

    Returns:
        An image of one slice, with the columns and rows of ``image``, whose middle lies in the plane.
    """
    height = image.TransformPhysicalPointToContinuousIndex(frame.affine[:3, 3].tolist())[2]
    slices = image.GetSize()[2]
    inside = min(max(height, 0.0), slices - 1.0)
    low = max(int(inside) - SPLINE_REACH, 0)
    high = min(int(inside) + 2 + SPLINE_REACH, slices)
    voxels = sitk.GetArrayViewFromImage(image)[low:high]
    plane = np.tensordot(_spline_weights(high - low, inside - low), voxels, axes=1)
    affine = Geometry.from_image(image).affine
    affine[:3, 3] += affine[:3, 2] * height
    return image_from_array(np.ascontiguousarray(plane[None], dtype=np.float32), affine)


def _spline_weights(slices: int, place: float) -> NDArray[np.float64]:
    """Return by how much each slice counts in a cubic spline at a place: a spline is linear in what it goes through."""
    if slices == 1:
        return np.ones(1)
    # A window that only shows what a package reads does not wait for it.
    from scipy.interpolate import make_interp_spline

    return make_interp_spline(np.arange(slices), np.eye(slices), k=min(3, slices - 1))(place)


def part_around(image: sitk.Image, grid: Geometry, margin: int = SPLINE_REACH) -> sitk.Image:
    """Return the part of an image that a grid with the same axes covers, ``margin`` voxels more on each side.

    What is interpolated on the grid is that of the whole image, and takes a fraction of the time.
    """
    corners = np.linalg.solve(Geometry.from_image(image).affine, np.c_[grid.corners, np.ones(8)].T)[:3]
    size = np.array(image.GetSize())
    low = np.clip(np.floor(corners.min(axis=1)).astype(int) - margin, 0, size - 1)
    high = np.clip(np.ceil(corners.max(axis=1)).astype(int) + margin + 1, low + 1, size)
    return sitk.RegionOfInterest(image, (high - low).tolist(), low.tolist())
