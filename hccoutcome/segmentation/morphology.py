"""Distances, parts and minimum cuts of masks on an even lattice."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage


def minimum_cut(voxels: np.ndarray, odds: np.ndarray, smooth: float, contrast: float) -> np.ndarray:
    """Return where voxels are inside, given their log-odds and that a border is cheap where grey levels jump."""
    import maxflow

    graph = maxflow.GraphFloat(voxels.size, 3 * voxels.size)
    nodes = graph.add_grid_nodes(voxels.shape)
    for axis in range(voxels.ndim):
        jump = np.diff(voxels, axis=axis, append=np.take(voxels, [-1], axis=axis))
        weight = smooth * (np.exp(-(jump**2) / (2 * contrast**2)) + 0.1)
        structure = np.zeros((3,) * voxels.ndim)
        structure[tuple(2 if k == axis else 1 for k in range(voxels.ndim))] = 1
        graph.add_grid_edges(nodes, weight, structure, symmetric=True)
    graph.add_grid_tedges(nodes, np.maximum(odds, 0), np.maximum(-odds, 0))
    graph.maxflow()
    return ~graph.get_grid_segments(nodes)


def distance(mask: np.ndarray, spacing: float) -> np.ndarray:
    """Return the distance in mm from each voxel of a mask to its outermost voxels (0 there and outside)."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    far = sitk.SignedMaurerDistanceMap(image, insideIsPositive=True, squaredDistance=False, useImageSpacing=False)
    return np.maximum(sitk.GetArrayFromImage(far), 0) * np.float32(spacing)


def distance_within(mask: np.ndarray, radius: float, spacing: float) -> np.ndarray:
    """Return the voxels at most ``radius`` mm from a mask."""
    return distance(~mask, spacing) < radius


def largest(mask: np.ndarray) -> np.ndarray:
    """Return the largest connected part of a mask."""
    parts, number = ndimage.label(mask)
    if number < 2:
        return mask
    return parts == np.bincount(parts.ravel())[1:].argmax() + 1


def bounding(mask: np.ndarray) -> tuple[slice, slice, slice]:
    """Return the box of a mask as slices; everything where it is empty."""
    spans = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not all(span.size for span in spans):
        return slice(None), slice(None), slice(None)
    z, y, x = (slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    return z, y, x


def ball(radius: float, spacing: float) -> np.ndarray:
    """Return a ball as a structuring element."""
    reach = int(np.ceil(radius / spacing))
    axes = np.mgrid[-reach : reach + 1, -reach : reach + 1, -reach : reach + 1] * spacing
    return (axes**2).sum(axis=0) <= radius**2 + 1e-6


def without_bridges(mask: np.ndarray, radius: float, spacing: float) -> np.ndarray:
    """Return the largest part of a mask once bridges narrower than twice ``radius`` mm are cut, not smoothed else."""
    deep = distance(mask, spacing) > radius
    if not deep.any():
        return largest(mask)
    # Opening by a ball rounds corners, the sharpest of which lie farther away by the square root of three.
    return largest(mask & distance_within(largest(deep), 3**0.5 * (radius + spacing), spacing))
