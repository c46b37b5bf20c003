"""Local binary patterns in two and three dimensions, with the values of scikit-image and of PyRadiomics' own 3D code.

Sources: Ojala et al., IEEE TPAMI 24 (2002) 971 (2D); Banerjee et al., ACCV 2012 Workshops, LNCS 7728 (3D).
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import sph_harm_y

_METHODS = {"default": 0, "ror": 1, "uniform": 2, "var": 3}
_CHUNK = 20_000
"""Voxels handled at once in 3D; bounds the memory and changes no value."""

# The icosahedron of edge length 1.05 inscribed in the unit sphere, in trimesh's order of corners and faces.
_A, _B = 0.5257311121191336, 0.85065080835204
_CORNERS = np.array(
    [
        [-_A, _B, 0.0],
        [_A, _B, 0.0],
        [-_A, -_B, 0.0],
        [_A, -_B, 0.0],
        [0.0, -_A, _B],
        [0.0, _A, _B],
        [0.0, -_A, -_B],
        [0.0, _A, -_B],
        [_B, 0.0, -_A],
        [_B, 0.0, _A],
        [-_B, 0.0, -_A],
        [-_B, 0.0, _A],
    ]
)
_FACES = np.array(
    [
        [0, 11, 5],
        [0, 5, 1],
        [0, 1, 7],
        [0, 7, 10],
        [0, 10, 11],
        [1, 5, 9],
        [5, 11, 4],
        [11, 10, 2],
        [10, 7, 6],
        [7, 1, 8],
        [3, 9, 4],
        [3, 4, 2],
        [3, 2, 6],
        [3, 6, 8],
        [3, 8, 9],
        [4, 9, 5],
        [2, 4, 11],
        [6, 2, 10],
        [8, 6, 7],
        [9, 8, 1],
    ]
)


def local_binary_pattern(
    image: NDArray[np.generic], rows: slice, columns: slice, samples: int, radius: float, method: str
) -> NDArray[np.float64]:
    """Return the pattern code of a block of a slice, as ``skimage.feature.local_binary_pattern`` of the whole slice.

    Args:
        image: The whole slice, shape (rows, columns).
        rows: The block's rows.
        columns: The block's columns.
        samples: Number of neighbours on the circle.
        radius: The circle's radius in pixels; neighbours outside the image count as 0.
        method: ``default``, ``ror``, ``uniform`` or ``var`` (undefined, NaN, where all neighbours are equal).
    """
    angles = 2 * np.pi * np.arange(samples, dtype=np.float64) / samples
    reach = float(np.float32(radius))
    result = np.empty((rows.stop - rows.start, columns.stop - columns.start))
    _patterns(
        np.ascontiguousarray(image, np.float64),
        rows.start,
        columns.start,
        np.round(-reach * np.sin(angles), 5),
        np.round(reach * np.cos(angles), 5),
        _METHODS[method],
        result,
    )
    return result


@numba.njit(cache=True, nogil=True)
def _patterns(image, first_row, first_column, row_offsets, column_offsets, method, result):
    samples = row_offsets.size
    texture = np.empty(samples)
    above = np.empty(samples, np.int64)
    for r in range(result.shape[0]):
        for c in range(result.shape[1]):
            row, column = first_row + r, first_column + c
            for s in range(samples):
                texture[s] = _interpolate(image, row + row_offsets[s], column + column_offsets[s])
                above[s] = 1 if texture[s] - image[row, column] >= 0 else 0
            result[r, c] = _code(texture, above, method)


@numba.njit(cache=True, nogil=True)
def _interpolate(image, row, column):
    """Interpolate linearly, 0 outside the image."""
    top, left = int(np.floor(row)), int(np.floor(column))
    bottom, right = int(np.ceil(row)), int(np.ceil(column))
    down, across = row - top, column - left
    upper = (1 - across) * _pixel(image, top, left) + across * _pixel(image, top, right)
    lower = (1 - across) * _pixel(image, bottom, left) + across * _pixel(image, bottom, right)
    return (1 - down) * upper + down * lower


@numba.njit(cache=True, nogil=True)
def _pixel(image, row, column):
    if row < 0 or row >= image.shape[0] or column < 0 or column >= image.shape[1]:
        return 0.0
    return image[row, column]


@numba.njit(cache=True, nogil=True)
def _code(texture, above, method):
    samples = above.size
    if method < 2:
        code = 0
        for s in range(samples):
            code += above[s] << s
        smallest = code
        if method == 1:
            for _ in range(1, samples):
                code = (code >> 1) | ((code & 1) << (samples - 1))
                smallest = min(smallest, code)
        return float(smallest)
    if method == 3:
        return _variance(texture)
    changes = 0
    for s in range(samples - 1):
        changes += abs(above[s] - above[s + 1])
    return float(above.sum()) if changes <= 2 else float(samples + 1)


@numba.njit(cache=True, nogil=True)
def _variance(texture):
    total = 0.0
    squares = 0.0
    for value in texture:
        total += value
        squares += value * value
    variance = (squares - (total * total) / texture.size) / texture.size
    return variance if variance != 0 else np.nan


def icosphere(subdivisions: int, radius: float) -> NDArray[np.float64]:
    """Return the corners of a subdivided icosahedron on a sphere, shape (n, 3), by the steps of ``trimesh``."""
    corners, faces = _CORNERS.copy(), _FACES
    for _ in range(subdivisions):
        corners, faces = _subdivide(corners, faces)
        corners = _onto_sphere(corners, radius)
    return corners if subdivisions else _onto_sphere(corners, radius)


def _onto_sphere(corners: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    lengths = np.sqrt(np.dot(corners**2, [1, 1, 1]))
    return corners + corners / lengths[:, None] * (radius - lengths)[:, None]


def _subdivide(corners: NDArray[np.float64], faces: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Split each triangle into four at the middles of its edges."""
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    _, first, place = np.unique(edges[:, ::-1], axis=0, return_index=True, return_inverse=True)
    middles = corners[edges[first]].mean(axis=1)
    m = place.reshape(-1, 3) + len(corners)
    parts = np.column_stack(
        [faces[:, 0], m[:, 0], m[:, 2], m[:, 0], faces[:, 1], m[:, 1], m[:, 2], m[:, 1], faces[:, 2], m]
    )
    return np.vstack((corners, middles)), parts.reshape(-1, 3)


def spherical_patterns(
    image: NDArray[np.generic], voxels: tuple[NDArray[np.int64], ...], levels: int, radius: float, subdivisions: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the 3D pattern of each voxel: the energy of its signed neighbourhood by degree, and its kurtosis.

    Args:
        image: The whole image, shape (z, y, x).
        voxels: Indices (z, y, x) of the n voxels.
        levels: Number of degrees of the spherical harmonics, from degree 0.
        radius: Radius of the sphere in voxels.
        subdivisions: How often the icosahedron of sample points is subdivided.

    Returns:
        Energies, shape (n, levels), and kurtosis of the samples, shape (n,); NaN where all samples are equal.
    """
    points = icosphere(subdivisions, radius)
    degrees, harmonics = _harmonics(points, levels, radius)
    coefficients = ndimage.spline_filter(image, order=3, output=np.float64, mode="constant")
    energies, kurtosis = [], []
    for start in range(0, len(voxels[0]), _CHUNK):
        part = tuple(index[start : start + _CHUNK] for index in voxels)
        energy, peak = _sphere(coefficients, image[part], np.array(part), points, degrees, harmonics)
        energies.append(energy)
        kurtosis.append(peak)
    return np.concatenate(energies), np.concatenate(kurtosis)


def _harmonics(
    points: NDArray[np.float64], levels: int, radius: float
) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    """Return the degree of each spherical harmonic and its values at the points, shape (points, harmonics).

    PyRadiomics hands the polar angle over as the azimuth and the reverse; its features are defined by that.
    """
    polar = np.arccos(np.true_divide(points[:, 2], radius))
    azimuth = np.arctan2(points[:, 1], points[:, 0])
    pairs = [(degree, order) for degree in range(levels) for order in range(-degree, degree + 1)]
    values = [sph_harm_y(degree, order, azimuth, polar) for degree, order in pairs]
    return np.array([degree for degree, _ in pairs]), np.column_stack(values)


def _sphere(
    coefficients: NDArray[np.float64],
    centres: NDArray[np.generic],
    voxels: NDArray[np.int64],
    points: NDArray[np.float64],
    degrees: NDArray[np.int64],
    harmonics: NDArray[np.complex128],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from scipy.stats import kurtosis  # takes half a second to import and serves this image type alone

    places = voxels.T[None, :, :] + points[:, None, :]
    samples = ndimage.map_coordinates(coefficients, places.T, centres.dtype, 3, prefilter=False)  # (voxels, points)
    above = np.greater_equal(samples, centres[:, None]).astype(int)
    weights = np.multiply(above[:, :, None], harmonics[None, :, :]).sum(axis=1)
    parts = [
        np.multiply(weights[:, None, degrees == degree], harmonics[None, :, degrees == degree]).sum(axis=2)
        for degree in range(degrees[-1] + 1)
    ]
    energies = np.real(np.sqrt(np.sum(np.stack(parts, axis=2) ** 2, axis=1)))  # sums in PyRadiomics' order
    with np.errstate(invalid="ignore"):
        peaks = kurtosis(samples, axis=1)
    return energies, np.real(peaks)
