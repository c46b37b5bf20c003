"""Where the voxels of an image lie: comparing grids, naming their difference, moving a mask between equal lattices.

SimpleITK's filters demand grids equal to a millionth of a voxel, which files do not keep: NIfTI stores single-precision
numbers, DICOM rounded decimals. Here two grids are the same where no corner lies further apart than ``TOLERANCE_MM``;
whatever is handed on then carries exactly the image's own grid, so that SimpleITK and PyRadiomics agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError

TOLERANCE_MM = 0.01
"""Largest distance in mm between equal corners of two grids that count as the same; 1% of a 1 mm voxel."""


@dataclass(frozen=True)
class Geometry:
    """The grid of an image, in SimpleITK's terms (LPS, mm).

    Attributes:
        size: number of voxels along x, y, z.
        spacing: distance of voxel centres along x, y, z in mm.
        origin: position of the centre of voxel (0, 0, 0) in mm.
        direction: 3 x 3 direction cosines, row by row; its columns are the axes.
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]

    @classmethod
    def from_image(cls, image: sitk.Image) -> Geometry:
        """Return the grid of a 3D image."""
        return cls(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())

    @property
    def affine(self) -> np.ndarray:
        """The 4 x 4 matrix from voxel index (x, y, z) to position in mm (LPS)."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(self.direction, (3, 3)) * np.asarray(self.spacing)
        matrix[:3, 3] = self.origin
        return matrix

    @property
    def corner_indices(self) -> np.ndarray:
        """Voxel indices of the eight corners, shape (8, 4), homogeneous."""
        return np.array([(*corner, 1) for corner in product(*((0, n - 1) for n in self.size))], dtype=float)

    @property
    def corners(self) -> np.ndarray:
        """Positions of the eight corner voxels in mm, shape (8, 3)."""
        return (self.corner_indices @ self.affine.T)[:, :3]


def _geometry(grid: sitk.Image | Geometry) -> Geometry:
    return grid if isinstance(grid, Geometry) else Geometry.from_image(grid)


def same_geometry(a: sitk.Image | Geometry, b: sitk.Image | Geometry, tolerance_mm: float = TOLERANCE_MM) -> bool:
    """Say whether two images share one grid: equal size and no corner further apart than the tolerance."""
    a, b = _geometry(a), _geometry(b)
    if tuple(a.size) != tuple(b.size):
        return False
    return bool(np.linalg.norm(a.corners - b.corners, axis=1).max() <= tolerance_mm)


def describe_difference(a: sitk.Image | Geometry, b: sitk.Image | Geometry) -> str:
    """Return in words how two grids differ: ``spacing 0.78 x 0.78 x 2.5 mm against 1 x 1 x 1 mm``.

    Returns an empty text where they are the same.
    """
    a, b = _geometry(a), _geometry(b)
    if same_geometry(a, b):
        return ""
    parts = [_differing("size", a.size, b.size, " x ", " voxels"), _differing("spacing", a.spacing, b.spacing, " x ")]
    parts.append(_differing("origin", a.origin, b.origin, ", "))
    if not np.allclose(a.direction, b.direction, atol=1e-4):
        parts.append(f"axes {_axes(a)} against {_axes(b)}")
    found = [part for part in parts if part]
    if not found:
        apart = np.linalg.norm(a.corners - b.corners, axis=1).max()
        found = [f"corners {apart:.3g} mm apart"]
    return "; ".join(found)


def _differing(name: str, a: tuple, b: tuple, joint: str, unit: str = " mm") -> str:
    if np.allclose(a, b, rtol=1e-5, atol=TOLERANCE_MM / 10):
        return ""
    for digits in (4, 6, 9):
        left, right = (joint.join(f"{value:.{digits}g}" for value in values) for values in (a, b))
        if left != right:
            break
    return f"{name} {left}{unit} against {right}{unit}"


def _axes(grid: Geometry) -> str:
    """Name the axes by the patient's directions: ``LPS`` where x runs to the left, y to the back, z to the head."""
    return sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(grid.direction) + (
        "" if np.allclose(np.abs(grid.direction), np.abs(np.round(grid.direction)), atol=1e-4) else " (oblique)"
    )


@dataclass(frozen=True)
class _LatticeMap:
    """How voxel indices of a grid map to those of another on the same lattice: signed permutation and shift."""

    axes: tuple[int, ...]
    signs: tuple[int, ...]
    shift: tuple[int, ...]


def _lattice_map(source: Geometry, target: Geometry) -> _LatticeMap | None:
    matrix = np.linalg.solve(target.affine, source.affine)
    whole = np.round(matrix)
    turn = whole[:3, :3]
    if not (np.abs(turn).sum(axis=0) == 1).all() or not (np.abs(turn).sum(axis=1) == 1).all():
        return None
    apart = (target.affine @ (whole - matrix) @ source.corner_indices.T)[:3]
    if np.linalg.norm(apart, axis=0).max() > TOLERANCE_MM:
        return None
    axes = np.abs(turn).argmax(axis=1)
    signs = turn[np.arange(3), axes]
    return _LatticeMap(tuple(map(int, axes)), tuple(map(int, signs)), tuple(map(int, whole[:3, 3])))


def same_lattice(a: sitk.Image | Geometry, b: sitk.Image | Geometry) -> bool:
    """Say whether the voxels of two images coincide wherever both have any: same, flipped, permuted or cropped grids.

    A mask saved by another program is often flipped (NIfTI's axes against DICOM's) or cropped (``.seg.nrrd``, DICOM
    SEG); on the same lattice it can be brought to the image's grid without interpolation.
    """
    return _lattice_map(_geometry(a), _geometry(b)) is not None


def apart_mm(a: sitk.Image | Geometry, b: sitk.Image | Geometry) -> float:
    """Return how far the middles of two grids of equally many voxels lie apart in mm; 0 for grids of other sizes.

    Flipping or permuting the axes moves no middle; a crop has another size. So a distance above ``TOLERANCE_MM`` means
    that one of the two grids was moved as a whole.
    """
    a, b = _geometry(a), _geometry(b)
    if sorted(a.size) != sorted(b.size):
        return 0.0
    return float(np.linalg.norm(a.corners.mean(axis=0) - b.corners.mean(axis=0)))


def on_grid(mask: sitk.Image, image: sitk.Image) -> sitk.Image:
    """Return a mask on exactly the grid of an image on the same lattice, zero where the mask has no voxels.

    Raises:
        InputError: the lattices differ, or a part of the outlined region lies outside the image.
    """
    source, target = Geometry.from_image(mask), Geometry.from_image(image)
    if same_geometry(source, target):
        moved = sitk.Image(mask)
        moved.CopyInformation(image)
        return moved
    way = _lattice_map(source, target)
    if way is None:
        raise InputError(
            "The mask was expected on the grid of its image, but they differ: "
            f"{describe_difference(source, target)} (mask against image): resample the mask or outline it again."
        )
    return _moved(mask, image, way)


def _moved(mask: sitk.Image, image: sitk.Image, way: _LatticeMap) -> sitk.Image:
    voxels = sitk.GetArrayViewFromImage(mask).transpose(2, 1, 0).transpose(way.axes)
    voxels = voxels[tuple(slice(None, None, sign) for sign in way.signs)]
    target = np.zeros(image.GetSize(), dtype=voxels.dtype)
    starts = [at if sign > 0 else at - n + 1 for at, sign, n in zip(way.shift, way.signs, voxels.shape, strict=True)]
    spans = [
        (max(start, 0), max(min(start + n, size), 0))
        for start, n, size in zip(starts, voxels.shape, target.shape, strict=True)
    ]
    if all(stop > start for start, stop in spans):
        inside = tuple(slice(low - start, high - start) for (low, high), start in zip(spans, starts, strict=True))
        target[tuple(slice(*span) for span in spans)] = voxels[inside]
    lost = np.count_nonzero(voxels) - np.count_nonzero(target)
    if lost:
        raise InputError(
            f"The mask was expected inside its image, but {lost} of its {np.count_nonzero(voxels)} voxels lie outside: "
            "give the image on which it was outlined."
        )
    moved = sitk.GetImageFromArray(np.ascontiguousarray(target.transpose(2, 1, 0)))
    moved.CopyInformation(image)
    return moved
