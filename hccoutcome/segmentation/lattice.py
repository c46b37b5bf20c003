"""A small even lattice around a lesion, on which the built-in engine works, and the way back to the image.

Arrays are (z, y, x); positions on a lattice are mm along its own axes from its first voxel, in the same order. A box
may lie oblique to the image, so a lattice carries its own axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

_MOST_VOXELS = 2e6
"""On a lattice around a lesion; a box of 18 cm at 1.5 mm has as many."""
WINDOW = (-200.0, 400.0)
"""HU that the engine tells apart; all tissue but bone and lung lies within."""
_MR_SPAN = (0.0, 200.0)
"""Where the 1st and the 99th percentile of MR voxels are put, so that they spread like soft tissue in HU."""


@dataclass(frozen=True)
class Lattice:
    """An even lattice of voxels in space.

    Attributes:
        origin: position of the first voxel in mm (LPS).
        axes: 3 x 3 matrix whose columns are the directions of x, y and z (LPS).
        spacing: distance of neighbours in mm, the same along all axes.
        shape: number of voxels along z, y, x.
    """

    origin: np.ndarray
    axes: np.ndarray
    spacing: float
    shape: tuple[int, int, int]

    @classmethod
    def around(cls, centre: np.ndarray, axes: np.ndarray, half: np.ndarray, spacing: float) -> Lattice:
        """Return the lattice that covers a box: its centre (LPS), axes and half widths along x, y, z in mm."""
        count = np.maximum(np.ceil(2 * np.asarray(half) / spacing).astype(int) + 1, 4)
        origin = np.asarray(centre) - axes @ ((count - 1) * spacing / 2)
        return cls(origin, np.asarray(axes), spacing, (int(count[2]), int(count[1]), int(count[0])))

    @property
    def centre(self) -> np.ndarray:
        """The lattice's middle in mm from its first voxel (z, y, x)."""
        return (np.array(self.shape) - 1) * self.spacing / 2

    def places(self) -> np.ndarray:
        """Return the position of every voxel in mm (z, y, x from the first voxel), shape (3, z, y, x)."""
        ranges = (np.arange(n, dtype=np.float32) * np.float32(self.spacing) for n in self.shape)
        return np.stack(np.meshgrid(*ranges, indexing="ij"))

    def local(self, points: np.ndarray) -> np.ndarray:
        """Return points (n, 3) in mm (LPS) as positions on the lattice (n, 3) in mm (z, y, x)."""
        return ((np.atleast_2d(points) - self.origin) @ self.axes)[:, ::-1]

    def as_image(self, voxels: np.ndarray) -> sitk.Image:
        """Return an array on the lattice as an image."""
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing((self.spacing,) * 3)
        image.SetOrigin([float(value) for value in self.origin])
        image.SetDirection([float(value) for value in np.ravel(self.axes)])
        return image

    def sample(
        self,
        image: sitk.Image,
        sigma: float = 0.0,
        outside: float = WINDOW[0],
        window: tuple[float, float] = WINDOW,
        *,
        extend: bool = False,
    ) -> np.ndarray:
        """Return an image on the lattice (float32), cut to ``window`` and smoothed by ``sigma`` mm before.

        Beyond its ends the image is ``outside``, or goes on as it ends where ``extend``.
        """
        near = sitk.Clamp(sitk.Cast(_crop(image, self, 3 * sigma), sitk.sitkFloat32), sitk.sitkFloat32, *window)
        if sigma and min(near.GetSize()) >= 4:
            near = sitk.SmoothingRecursiveGaussian(near, sigma)
        return _resample(near, self.as_image(np.zeros(self.shape, np.uint8)), outside, extend)

    def mask_on(self, level: np.ndarray, image: sitk.Image) -> np.ndarray:
        """Return where a level (float, > 0 inside) is positive, on the grid of an image (bool; z, y, x)."""
        mask = np.zeros(image.GetSize()[::-1], bool)
        low, high = _span(image, self)
        if (high > low).all():
            start, size = [int(v) for v in low], [int(v) for v in high - low]
            grid = sitk.RegionOfInterest(image, size, start)
            part = _resample(self.as_image(level.astype(np.float32)), grid, -1.0) > 0
            mask[tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True))] = part
        return mask


def affordable(half: np.ndarray, spacing: float) -> float:
    """Return the spacing of a lattice of these half widths in mm, coarser where it would hold too many voxels."""
    return float(max(spacing, (float(np.prod(2 * half)) / _MOST_VOXELS) ** (1 / 3)))


def _resample(image: sitk.Image, grid: sitk.Image, outside: float, extend: bool = False) -> np.ndarray:
    moved = sitk.Resample(image, grid, sitk.Transform(), sitk.sitkLinear, outside, sitk.sitkFloat32, extend)
    return sitk.GetArrayFromImage(moved)


def _span(image: sitk.Image, lattice: Lattice, margin: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the end index (x, y, z) of the image's voxels that the lattice reaches."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    last = (np.array(lattice.shape[::-1]) - 1) * lattice.spacing
    for corner in np.ndindex(2, 2, 2):
        point = lattice.origin + lattice.axes @ (np.array(corner) * (last + 2 * margin) - margin)
        index = np.array(image.TransformPhysicalPointToContinuousIndex([float(v) for v in point]))
        low, high = np.minimum(low, index), np.maximum(high, index)
    size = np.array(image.GetSize())
    return np.clip(np.floor(low) - 1, 0, size).astype(int), np.clip(np.ceil(high) + 2, 0, size).astype(int)


def _crop(image: sitk.Image, lattice: Lattice, margin: float) -> sitk.Image:
    low, high = _span(image, lattice, margin)
    low = np.minimum(low, np.array(image.GetSize()) - 1)
    high = np.maximum(high, low + 1)
    return sitk.RegionOfInterest(image, [int(v) for v in high - low], [int(v) for v in low])


def like_ct(image: sitk.Image, lattice: Lattice) -> sitk.Image:
    """Return MR, whose grey levels have no unit, with the levels around a lattice spread like soft tissue in HU."""
    low, high = np.percentile(sitk.GetArrayFromImage(_crop(image, lattice, 0.0)), (1, 99))
    scale = (_MR_SPAN[1] - _MR_SPAN[0]) / max(float(high - low), 1e-6)
    return sitk.ShiftScale(sitk.Cast(image, sitk.sitkFloat32), -float(low) + _MR_SPAN[0] / scale, scale)


def image_axes(image: sitk.Image) -> np.ndarray:
    """Return an image's directions as the columns of a 3 x 3 matrix."""
    return np.reshape(image.GetDirection(), (3, 3))


def extent_of(image: sitk.Image) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the greatest coordinates (LPS, mm) of an image's outermost voxels."""
    size = np.array(image.GetSize())
    corners = points_of(image, [np.array(corner) * (size - 1) for corner in np.ndindex(2, 2, 2)])
    return corners.min(axis=0), corners.max(axis=0)


def points_of(image: sitk.Image, indices: Sequence[Sequence[float] | np.ndarray]) -> np.ndarray:
    """Return voxel indices (x, y, z; fractions allowed) as positions in mm (LPS), shape (n, 3)."""
    return np.array([image.TransformContinuousIndexToPhysicalPoint([float(v) for v in index]) for index in indices])
