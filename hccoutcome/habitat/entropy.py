"""Local entropy: how disordered the grey levels around each voxel are."""

from __future__ import annotations

import numba
import numpy as np

LEVELS = 32
"""Equal bins between the lowest and highest grey level of the region."""


def local_entropy(values: np.ndarray, inside: np.ndarray, radius: int, levels: int = LEVELS) -> np.ndarray:
    """Return the Shannon entropy (bits) of the grey levels in a cube around each voxel of a region.

    Voxels outside the region do not count, so that the tumour's edge does not look disordered (Haralick's entropy of
    a first-order histogram, taken in a sliding window).

    Args:
        values: grey levels, shape (n,), in the order of ``inside``'s true voxels.
        inside: the region, array (z, y, x) of bool with n true voxels.
        radius: half width of the cube in voxels: 1 takes 3 x 3 x 3.
        levels: number of equal bins from the lowest to the highest value; one bin where they are equal.

    Returns:
        Entropies, shape (n,), from 0 to log2 of the number of voxels in the cube.
    """
    low, high = values.min(), values.max()
    scaled = (values - low) * (levels / (high - low)) if high > low else np.zeros_like(values)
    codes = np.minimum(scaled.astype(np.int64), levels - 1)
    grid = np.full([length + 2 * radius for length in inside.shape], -1, dtype=np.int64)
    core = tuple(slice(radius, radius + length) for length in inside.shape)
    grid[core][inside] = codes
    places = np.argwhere(inside) + radius
    return _entropies(grid, places, radius, levels)


@numba.njit(cache=True, nogil=True)
def _entropies(grid: np.ndarray, places: np.ndarray, radius: int, levels: int) -> np.ndarray:
    found = np.empty(places.shape[0])
    counts = np.zeros(levels, np.int64)
    for n in range(places.shape[0]):
        z, y, x = places[n]
        counts[:] = 0
        total = 0
        for dz in range(-radius, radius + 1):
            for dy in range(-radius, radius + 1):
                for dx in range(-radius, radius + 1):
                    code = grid[z + dz, y + dy, x + dx]
                    if code >= 0:
                        counts[code] += 1
                        total += 1
        entropy = 0.0
        for count in counts:
            if count:
                share = count / total
                entropy -= share * np.log2(share)
        found[n] = entropy
    return found
