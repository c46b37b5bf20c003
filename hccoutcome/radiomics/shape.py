"""Size and shape of a region, from its mesh and from the principal axes of its voxels (IBSI 1 manual, section 3.1).

Where PyRadiomics lets rounding in: its principal axes come from centred coordinates in floating point, so an axis of
length 0 (a flat or straight region that lies askew in the grid) comes out as about 1e-7 mm; here it is exactly 0,
because the sums of coordinates are kept in whole numbers. The volume of the mesh is exact as well: where it is 0, for
a few voxels that touch at edges only, the ratios to it are infinite instead of about 1e16.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hccoutcome.errors import InputError
from hccoutcome.radiomics.diameters import mesh_diameters, outline_diameter
from hccoutcome.radiomics.features import SHAPE, SHAPE_2D
from hccoutcome.radiomics.mesh import perimeter_and_surface, surface_and_volume


def shape_features(mask: NDArray[np.bool_], spacing_zyx: tuple[float, float, float]) -> dict[str, float]:
    """Return all 3D shape features.

    Args:
        mask: The region, shape (z, y, x), at least one voxel.
        spacing_zyx: In mm.
    """
    inside = _cropped_with_border(mask)
    spacing = np.asarray(spacing_zyx, np.float64)
    area, volume = surface_and_volume(inside, spacing)
    in_slice, in_column, in_row, in_space = mesh_diameters(inside, spacing)
    least, minor, major = principal_axes(inside, spacing)
    sphere = float(np.cbrt(36 * np.pi * volume**2))
    values = {
        "Compactness1": volume / (area**1.5 * np.sqrt(np.pi)),
        "Compactness2": 36 * np.pi * volume**2 / area**3,
        "Elongation": _ratio(minor, major),
        "Flatness": _ratio(least, major),
        "LeastAxisLength": least,
        "MajorAxisLength": major,
        "Maximum2DDiameterColumn": in_column,
        "Maximum2DDiameterRow": in_row,
        "Maximum2DDiameterSlice": in_slice,
        "Maximum3DDiameter": in_space,
        "MeshVolume": volume,
        "MinorAxisLength": minor,
        "SphericalDisproportion": _ratio(area, sphere),
        "Sphericity": sphere / area,
        "SurfaceArea": area,
        "SurfaceVolumeRatio": _ratio(area, volume),
        "VoxelVolume": inside.sum() * spacing.prod(),
    }
    return {name: float(values[name]) for name in SHAPE}


def shape_2d_features(mask: NDArray[np.bool_], spacing_yx: tuple[float, float]) -> dict[str, float]:
    """Return all 2D shape features.

    Args:
        mask: The region, shape (y, x), at least one pixel; for another plane its two axes in the same order.
        spacing_yx: In mm, of these two axes.
    """
    inside = _cropped_with_border(mask)
    spacing = np.asarray(spacing_yx, np.float64)
    perimeter, surface = perimeter_and_surface(inside, spacing)
    minor, major = principal_axes(inside, spacing)
    circle = 2 * np.sqrt(np.pi * surface)
    values = {
        "Elongation": _ratio(minor, major),
        "MajorAxisLength": major,
        "MaximumDiameter": outline_diameter(inside, spacing),
        "MeshSurface": surface,
        "MinorAxisLength": minor,
        "Perimeter": perimeter,
        "PerimeterSurfaceRatio": perimeter / surface,
        "PixelSurface": inside.sum() * spacing.prod(),
        "SphericalDisproportion": perimeter / circle,
        "Sphericity": circle / perimeter,
    }
    return {name: float(values[name]) for name in SHAPE_2D}


def principal_axes(mask: NDArray[np.bool_], spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 4 sqrt(eigenvalue) of the covariance of the voxel centres (mm), ascending, one for each axis."""
    scatter, voxels = _scatter(mask)
    covariance = scatter.astype(np.float64) / voxels**2 * np.outer(spacing, spacing)
    eigenvalues = np.maximum(np.linalg.eigvalsh(covariance), 0.0)
    eigenvalues[: _nullity(scatter)] = 0.0
    return 4 * np.sqrt(eigenvalues)


def _scatter(mask: NDArray[np.bool_]) -> tuple[NDArray[np.object_], int]:
    """Return n sum(p q) - sum(p) sum(q) for all pairs of voxel coordinates, exact whole numbers, and n."""
    axes = range(mask.ndim)
    index = [np.arange(side) for side in mask.shape]
    along = [mask.sum(axis=tuple(other for other in axes if other != axis)) for axis in axes]
    voxels = int(mask.sum())
    total = [int(index[axis] @ along[axis]) for axis in axes]
    scatter = np.zeros((mask.ndim, mask.ndim), object)
    for i in axes:
        scatter[i, i] = voxels * int(index[i] ** 2 @ along[i]) - total[i] ** 2
        for j in range(i):
            flat = mask.sum(axis=tuple(other for other in axes if other not in (i, j)))
            scatter[i, j] = scatter[j, i] = voxels * int(index[j] @ flat @ index[i]) - total[i] * total[j]
    return scatter, voxels


def _nullity(scatter: NDArray[np.object_]) -> int:
    """Return how many eigenvalues of a whole-number scatter matrix are exactly 0, from the sums of its minors."""
    size = len(scatter)
    pairs = [(i, j) for i in range(size) for j in range(i)]
    if sum(scatter[i, i] for i in range(size)) == 0:
        return size
    if sum(scatter[i, i] * scatter[j, j] - scatter[i, j] ** 2 for i, j in pairs) == 0:
        return size - 1
    return int(size == 3 and _determinant(scatter) == 0)


def _determinant(m: NDArray[np.object_]) -> int:
    return int(
        m[0, 0] * (m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1])
        - m[0, 1] * (m[1, 0] * m[2, 2] - m[1, 2] * m[2, 0])
        + m[0, 2] * (m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0])
    )


def _ratio(above: float, below: float) -> float:
    """Return the quotient: infinite where only ``below`` is 0, NaN where both are."""
    if below:
        return above / below
    return np.inf if above else np.nan


def _cropped_with_border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask cropped to what is set, with an empty border of one voxel."""
    box = []
    for axis in range(mask.ndim):
        hit = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        if not hit.size:
            raise InputError("the region holds no voxel: draw it, or name another label")
        box.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return np.pad(np.asarray(mask[tuple(box)], np.bool_), 1)
