"""Resample images and masks to a spacing or onto another grid, in physical space.

Extent convention (IBSI 2.4, "align grid centres"): the new grid has the old one's centre and directions, and the fewest
voxels that cover the old extent, outer voxel edges included: ``ceil(size x spacing / new spacing)`` of them. Every new
voxel centre therefore lies inside the old extent, and nothing has to be invented at the border.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError, nearest
from hccoutcome.imaging.geometry import Geometry

Interpolation = Literal["bspline", "linear"]
INTERPOLATORS = {"bspline": sitk.sitkBSpline, "linear": sitk.sitkLinear}
_COUNT_TOLERANCE = 1e-4
"""Fraction of a voxel by which a rounded spacing in a file's header may enlarge the extent without a further voxel."""


def spacing_of(spacing: float | Sequence[float], image: sitk.Image) -> tuple[float, ...]:
    """Return one spacing in mm for each axis: one number counts for all, and 0 keeps the image's own.

    Raises:
        InputError: the spacing is negative, not finite or has another number of axes than the image.
    """
    asked = np.atleast_1d(np.asarray(spacing, dtype=float))
    values = np.full(image.GetDimension(), asked[0]) if asked.size == 1 else asked
    if values.size != image.GetDimension() or not np.isfinite(values).all() or (values < 0).any():
        raise InputError(
            "A spacing is one length in mm, or one for each axis (0 keeps the image's own), "
            f"found {list(asked)}: correct the setting 'spacing'."
        )
    return tuple(float(new or old) for new, old in zip(values, image.GetSpacing(), strict=True))


def grid_with_spacing(image: sitk.Image, spacing: float | Sequence[float] = 1.0) -> Geometry:
    """Return the grid of another spacing that covers an image's extent, centred on it (see the module's text)."""
    new = np.array(spacing_of(spacing, image))
    old, size = np.array(image.GetSpacing()), np.array(image.GetSize())
    count = np.maximum(np.ceil(size * old / new - _COUNT_TOLERANCE), 1).astype(int)
    # Half the difference of the extents, less half the difference of the voxels, along the image's own axes.
    first = ((size - 1) - (count - 1) * new / old) / 2
    origin = image.TransformContinuousIndexToPhysicalPoint([float(value) for value in first])
    return Geometry(tuple(map(int, count)), tuple(map(float, new)), origin, image.GetDirection())


def resample_image(
    image: sitk.Image,
    grid: Geometry,
    interpolation: Interpolation = "bspline",
    transform: sitk.Transform | None = None,
    outside: float | None = None,
) -> sitk.Image:
    """Return an image on another grid, as float32 (float64 stays).

    Args:
        image: scalar image.
        grid: where the new voxels lie.
        interpolation: ``"bspline"`` (order 3, may overshoot at edges) or ``"linear"``.
        transform: maps points of the grid to points of the image (mm); the identity where None.
        outside: value of voxels outside the image; its minimum where None (air in CT, background in MR).

    Raises:
        InputError: the interpolation is not known.
    """
    if interpolation not in INTERPOLATORS:
        raise InputError(f"'{interpolation}' is not a known interpolation; {nearest(interpolation, INTERPOLATORS)}.")
    real = image if image.GetPixelID() == sitk.sitkFloat64 else sitk.Cast(image, sitk.sitkFloat32)
    fill = float(sitk.GetArrayViewFromImage(image).min()) if outside is None else outside
    return _resample(real, grid, INTERPOLATORS[interpolation], transform, fill)


def resample_mask(mask: sitk.Image, grid: Geometry, transform: sitk.Transform | None = None) -> sitk.Image:
    """Return a mask (uint8, 0/1) on another grid by nearest neighbour; outside it nothing is marked."""
    return _resample(sitk.Cast(mask != 0, sitk.sitkUInt8), grid, sitk.sitkNearestNeighbor, transform, 0)


def to_spacing(
    image: sitk.Image, spacing: float | Sequence[float] = 1.0, interpolation: Interpolation = "bspline"
) -> sitk.Image:
    """Return an image at another spacing (mm), isotropic 1 mm by default."""
    return resample_image(image, grid_with_spacing(image, spacing), interpolation)


def _resample(
    image: sitk.Image, grid: Geometry, interpolator: int, transform: sitk.Transform | None, outside: float
) -> sitk.Image:
    moved = transform if transform is not None else sitk.Transform(image.GetDimension(), sitk.sitkIdentity)
    return sitk.Resample(
        image, grid.size, moved, interpolator, grid.origin, grid.spacing, grid.direction, outside, image.GetPixelID()
    )
