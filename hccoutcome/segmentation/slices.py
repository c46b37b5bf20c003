"""A lesion outlined slice by slice with a box in each: from the middle outwards, and between the slices by shape.

Plain arrays: a slice has the shape (rows, columns), a rectangle is (column, row, column, row) in pixels, ends included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from hccoutcome.case import Modality
from hccoutcome.errors import InputError
from hccoutcome.segmentation.prompts import Box

Rectangle = tuple[float, float, float, float]

WINDOW_HU = (-160.0, 240.0)
"""What MedSAM saw of CT: level 40, width 400 HU (its ``pre_CT_MR.py``)."""
MR_PERCENTILES = (0.5, 99.5)


def as_seen(voxels: np.ndarray, modality: Modality) -> np.ndarray:
    """Return an image as MedSAM was trained to see it, 0 to 255 (uint8).

    CT is cut to its soft-tissue window; MR to the percentiles of what is not zero, zero staying zero.
    """
    values = voxels.astype(np.float64)
    if modality == "CT":
        low, high = WINDOW_HU
    else:
        inside = values[values > 0]
        if not inside.size:
            raise InputError("An MR image was expected to hold positive values, found none: give the image itself.")
        low, high = np.percentile(inside, MR_PERCENTILES)
    cut = np.clip(values, low, high)
    spread = cut.max() - cut.min()
    seen = (cut - cut.min()) / spread * 255 if spread else np.zeros_like(cut)
    if modality != "CT":
        seen[values == 0] = 0
    return seen.astype(np.uint8)


def squared(pixels: np.ndarray, size: int) -> np.ndarray:
    """Return a slice resized to a square and scaled to 0..1 (float32), as MedSAM does.

    Its ``skimage.transform.resize`` (cubic, with smoothing where it shrinks) is here in SciPy's terms.
    """
    factors = np.divide(pixels.shape, size)
    values = pixels.astype(np.float64)
    if (factors > 1).any():
        values = ndimage.gaussian_filter(values, np.maximum(0, (factors - 1) / 2), mode="mirror")
    values = ndimage.zoom(values, 1 / factors, order=3, mode="mirror", grid_mode=True)
    values = np.clip(values, pixels.min(), pixels.max()).astype(np.uint8).astype(np.float32)
    spread = max(float(values.max() - values.min()), 1e-8)
    return (values - values.min()) / spread


def rectangles(box: Box, image: sitk.Image) -> dict[int, Rectangle]:
    """Return the rectangle that a box, oblique or not, has in each slice of an image that it meets.

    Raises:
        InputError: the box meets no slice.
    """
    corners = np.array([image.TransformPhysicalPointToContinuousIndex(point.tolist()) for point in box.points])
    # Corners are numbered by their three signs in binary: those that differ in one form an edge.
    edges = [(a, b) for a in range(8) for b in range(a + 1, 8) if (a ^ b).bit_count() == 1]
    columns, rows, slices = image.GetSize()
    first, last = (int(end) for end in (np.ceil(corners[:, 2].min()), np.floor(corners[:, 2].max())))
    if first > last:  # thinner than a slice
        first = last = round(float(corners[:, 2].mean()))
    found = {}
    for index in range(max(first, 0), min(last, slices - 1) + 1):
        points = _crossing(corners, edges, float(np.clip(index, corners[:, 2].min(), corners[:, 2].max())))
        low = np.clip(points.min(axis=0)[:2], 0, (columns - 1, rows - 1))
        high = np.clip(points.max(axis=0)[:2], 0, (columns - 1, rows - 1))
        if (high > low).all():
            found[index] = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    if not found:
        raise InputError("The box was expected to lie in the image, found it beside: draw it on this very image.")
    return found


def _crossing(corners: np.ndarray, edges: Sequence[tuple[int, int]], height: float) -> np.ndarray:
    """Return where the edges of a box cross a slice, shape (n, 3)."""
    points = []
    for a, b in edges:
        start, stop = corners[a], corners[b]
        low, high = sorted((start[2], stop[2]))
        if not low <= height <= high:
            continue
        if high - low < 1e-9:
            points += [start, stop]
        else:
            points.append(start + (stop - start) * (height - start[2]) / (stop[2] - start[2]))
    return np.array(points)


def slices_to_do(found: Sequence[int], step: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the slices to outline, the middle one first: upwards from it, and downwards; both ends are among them."""
    low, high = min(found), max(found)
    middle = (low + high) // 2
    up = sorted({*range(middle, high + 1, step), high})
    down = sorted({*range(middle, low - 1, -step), low}, reverse=True)
    return tuple(up), tuple(down[1:])


def outline(
    predict: Callable[[int, Rectangle], np.ndarray],
    found: Mapping[int, Rectangle],
    step: int,
    margin: tuple[float, float],
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield slices with the masks that a predictor gives from the boxes in them.

    The middle slice has the box itself. Each further one has the rectangle around the mask before it, grown by a margin
    and cut to the box: a lesion is smaller towards its ends than a box is (the way of MedSAM's own 3D inference).

    Args:
        predict: returns the mask (bool) of a slice from a rectangle in it.
        found: the box's rectangle by slice.
        step: distance of the slices to outline.
        margin: in pixels along columns and rows.
    """
    (middle, *up), down = slices_to_do(tuple(found), step)
    first = predict(middle, found[middle])
    yield middle, first
    around = _grown(first, margin) if first.any() else found[middle]
    for indices in (up, down):
        last = around
        for index in indices:
            mask = predict(index, _meet(last, found.get(index, found[middle])))
            yield index, mask
            last = _grown(mask, margin) if mask.any() else last


def _grown(mask: np.ndarray, margin: tuple[float, float]) -> Rectangle:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return (columns[0] - margin[0], rows[0] - margin[1], columns[-1] + margin[0], rows[-1] + margin[1])


def _meet(one: Rectangle, other: Rectangle) -> Rectangle:
    """Return what two rectangles have in common, the other one where they have nothing."""
    low = (max(one[0], other[0]), max(one[1], other[1]))
    high = (min(one[2], other[2]), min(one[3], other[3]))
    return (*low, *high) if low[0] < high[0] and low[1] < high[1] else other


def between(masks: Mapping[int, np.ndarray], spacing: tuple[float, float], slices: int) -> np.ndarray:
    """Return masks of all slices: those between two that are known by the mean of their distances to the border.

    Args:
        masks: mask (bool) by slice.
        spacing: of rows and columns in mm.
        slices: number of slices.

    Returns:
        Voxels (slices, rows, columns), bool.
    """
    known = sorted(masks)
    voxels = np.zeros((slices, *masks[known[0]].shape), bool)
    for index in known:
        voxels[index] = masks[index]
    for low, high in pairwise(known):
        if high - low < 2 or not (masks[low].any() and masks[high].any()):
            continue
        ends = [_signed_distance(masks[index], spacing) for index in (low, high)]
        for index in range(low + 1, high):
            part = (index - low) / (high - low)
            voxels[index] = (1 - part) * ends[0] + part * ends[1] > 0
    return voxels


def _signed_distance(mask: np.ndarray, spacing: tuple[float, float]) -> np.ndarray:
    """Return the distance to the border in mm, positive inside."""
    inside, outside = (ndimage.distance_transform_edt(part, spacing) for part in (mask, ~mask))
    return inside - outside
