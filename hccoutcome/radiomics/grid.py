"""Resample only the part of an image that a region needs, with ITK's values to the last bit.

``sitk.Resample`` computes the B-spline coefficients of the whole volume, which takes most of the time for a small
region in a large scan. Here only the part around the region is read: the recursive filter forgets what lies far away
(its pole is -0.27), and the code proves for each line that nothing out of reach can change a bit, or reads more. The
arithmetic and its order follow ITK 5.4 (``BSplineDecompositionImageFilter``, ``BSplineInterpolateImageFunction``,
``ResampleImageFilter``), including its truncation of results to whole numbers in whole-number images.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hccoutcome.radiomics.lines import BATCH, as_lines, gather, scatter

POLE = math.sqrt(3.0) - 2.0
MARGIN = 64
"""Voxels beyond the region's support that the recursive filter runs in (y, z); widened where they do not suffice."""

_HORIZON = math.ceil(math.log(1e-10) / math.log(abs(POLE)))

Block = tuple[slice, ...]
Scale = Callable[[NDArray[np.generic]], NDArray[np.generic]]


@dataclass(frozen=True)
class Grid:
    """A sampling grid in SimpleITK's order (x, y, z): size in voxels, spacing and origin in mm, direction by rows."""

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]

    @classmethod
    def of(cls, image: sitk.Image) -> Grid:
        """Return the grid of an image."""
        return cls(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())

    def apply_to(self, image: sitk.Image) -> sitk.Image:
        """Set spacing, origin and direction of ``image`` and return it."""
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)
        return image

    def matrices(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return ITK's own index-to-physical and physical-to-index matrices, each 3 x 3 (x, y, z)."""
        probe = sitk.Image(1, 1, 1, sitk.sitkUInt8)
        probe.SetSpacing(self.spacing)
        probe.SetDirection(self.direction)
        units = np.eye(3).tolist()
        forward = [probe.TransformContinuousIndexToPhysicalPoint(unit) for unit in units]
        backward = [probe.TransformPhysicalPointToContinuousIndex(unit) for unit in units]
        return np.array(forward).T.copy(), np.array(backward).T.copy()


class _Owner:
    """Lends an image's memory to numpy and keeps the image alive as long as the array lives."""

    def __init__(self, image: sitk.Image) -> None:
        self.image = image
        self.__array_interface__ = sitk.GetArrayViewFromImage(image).__array_interface__


def array_view(image: sitk.Image) -> NDArray[np.generic]:
    """Return the values of an image, axes (z, y, x), read-only and without a copy."""
    return np.asarray(_Owner(image))


def line_indices(source: Grid, target: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where each scan line (along x) of the target lies in the source, as ITK computes it.

    Returns:
        First continuous index and the step over the whole line, each shape (z, y, 3) with components x, y, z.
    """
    forward, _ = target.matrices()
    _, backward = source.matrices()
    starts = np.empty((target.size[2], target.size[1], 3))
    steps = np.empty_like(starts)
    _trace_lines(
        np.array(target.origin), forward, np.array(source.origin), backward, float(target.size[0]), starts, steps
    )
    return starts, steps


def resample_nearest(array: NDArray[np.generic], source: Grid, target: Grid) -> NDArray[np.generic]:
    """Resample an array (z, y, x) with the nearest voxel; 0 outside. Equals ``sitk.sitkNearestNeighbor``."""
    result = np.zeros(target.size[::-1], array.dtype)
    _nearest(array, *line_indices(source, target), result)
    return result


def support(source: Grid, target: Grid) -> tuple[slice, ...]:
    """Return the block of the source (slices z, y, x) whose coefficients the cubic B-spline of the target touches."""
    starts, steps = line_indices(source, target)
    ends = starts + steps
    low = np.minimum(starts, ends).min(axis=(0, 1))
    high = np.maximum(starts, ends).max(axis=(0, 1))
    blocks = []
    for axis in range(3):
        first = max(min(int(np.floor(low[axis])) - 3, source.size[axis] - 8), 0)
        last = min(max(int(np.ceil(high[axis])) + 4, 8), source.size[axis])
        blocks.append(slice(first, last))
    return tuple(reversed(blocks))


def resample_bspline(image: NDArray[np.generic], source: Grid, target: Grid, scale: Scale) -> NDArray[np.generic]:
    """Resample with a cubic B-spline; 0 outside the source. Equals ``sitk.sitkBSpline`` bit for bit.

    Args:
        image: The whole source, shape (z, y, x).
        source: Its grid.
        target: The grid of the result.
        scale: Returns a new array of the values to resample in a block, float64 or the source's own type.
    """
    block = support(source, target)
    for margin in (MARGIN, 4 * MARGIN, max(image.shape)):
        wide = (*(_widened(block[axis], margin, image.shape[axis]) for axis in (0, 1)), slice(0, image.shape[2]))
        values = scale(image[wide])
        coefficients = _coefficients(values.astype(np.float64, copy=False), wide, block, image.shape)
        if coefficients is not None:
            break
    result = np.zeros(target.size[::-1], values.dtype)
    offset = np.array([part.start for part in reversed(block)])
    _cubic(coefficients, offset, np.array(source.size), *line_indices(source, target), *_range(result.dtype), result)
    return result


def _widened(part: slice, margin: int, n: int) -> slice:
    return slice(max(part.start - margin, 0), min(part.stop + margin, n))


def _range(dtype: np.dtype) -> tuple[float, float]:
    """Return the smallest and largest value of a type; ITK clamps to them before it drops the fraction."""
    limits = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    return float(limits.min), float(limits.max)


def _coefficients(
    array: NDArray[np.float64], wide: Block, block: Block, shape: tuple[int, ...]
) -> NDArray[np.float64] | None:
    """Return the B-spline coefficients of ``block``, or None where the margin does not determine their last bit."""
    for axis in (2, 1, 0):
        low, high = block[axis].start - wide[axis].start, wide[axis].stop - block[axis].stop
        at_start, at_end = wide[axis].start == 0, wide[axis].stop == shape[axis]
        lines = as_lines(array, axis)
        if lines.shape[1] > 1 and not _filter_lines(lines, at_start, at_end, low, high, max(lines.max(), -lines.min())):
            return None
        keep = [slice(None)] * 3
        keep[axis] = slice(low, array.shape[axis] - high)
        array = np.ascontiguousarray(array[tuple(keep)])
    return array


@numba.njit(cache=True, nogil=True)
def _trace_lines(origin, forward, source_origin, backward, length, starts, steps):
    for k in range(starts.shape[0]):
        for j in range(starts.shape[1]):
            first = _to_source(0.0, j, k, origin, forward, source_origin, backward)
            last = _to_source(length, j, k, origin, forward, source_origin, backward)
            for axis in range(3):
                starts[k, j, axis] = first[axis]
                steps[k, j, axis] = last[axis] - first[axis]


@numba.njit(cache=True, nogil=True)
def _to_source(i, j, k, origin, forward, source_origin, backward):
    point = np.empty(3)
    for row in range(3):
        value = origin[row] + forward[row, 0] * i
        value += forward[row, 1] * j
        value += forward[row, 2] * k
        point[row] = value - source_origin[row]
    index = np.empty(3)
    for row in range(3):
        value = 0.0
        for column in range(3):
            value += backward[row, column] * point[column]
        index[row] = value
    return index


@numba.njit(cache=True, nogil=True)
def _nearest(array, starts, steps, result):
    nz, ny, nx = array.shape
    length = float(result.shape[2])
    for k in range(result.shape[0]):
        for j in range(result.shape[1]):
            for i in range(result.shape[2]):
                alpha = i / length
                x = starts[k, j, 0] + alpha * steps[k, j, 0]
                y = starts[k, j, 1] + alpha * steps[k, j, 1]
                z = starts[k, j, 2] + alpha * steps[k, j, 2]
                if x >= -0.5 and y >= -0.5 and z >= -0.5 and x < nx - 0.5 and y < ny - 0.5 and z < nz - 0.5:
                    result[k, j, i] = array[_round(z), _round(y), _round(x)]


@numba.njit(cache=True, nogil=True, inline="always")
def _round(value):
    """Round halves up, by ITK's instruction for it."""
    return int(np.rint(2.0 * value + 0.5)) >> 1


@numba.njit(cache=True, nogil=True)
def _filter_lines(lines, at_start, at_end, low, high, largest):
    """Turn values into coefficients along the middle axis; False where the margins do not settle the last bit."""
    outer, n, inner = lines.shape
    gain = (1.0 - POLE) * (1.0 - 1.0 / POLE)
    bound = 2.0 * gain * largest + 1.0
    settled = True
    batch = np.empty((n, min(BATCH, inner)))
    for o in range(outer):
        for first in range(0, inner, BATCH):
            part = batch[:, : gather(lines, o, first, batch)]
            part *= gain
            settled &= _causal(part, at_start, low, bound) and _anticausal(part, at_end, high, bound)
            scatter(part, 0, lines, o, first)
    return settled


@numba.njit(cache=True, nogil=True)
def _causal(line, at_start, low, bound):
    """Run the forward recursion. Away from the image's start two runs bracket the unknown state: rounding is monotone,
    so where both have met, every state in between has given the same bits."""
    n, inner = line.shape
    first = 1
    if at_start:
        _start(line)
    else:
        first = low
        for q in range(inner):
            under = over = line[0, q]
            under -= bound
            over += bound
            for p in range(1, low):
                under = line[p, q] + POLE * under
                over = line[p, q] + POLE * over
            line[low - 1, q] = under
            if under != over:
                return False
    for p in range(first, n):
        for q in range(inner):
            line[p, q] += POLE * line[p - 1, q]
    return True


@numba.njit(cache=True, nogil=True)
def _anticausal(line, at_end, high, bound):
    """Run the backward recursion, away from the image's end with the same bracket."""
    n, inner = line.shape
    last = n - 1
    if at_end:
        factor = POLE / (POLE * POLE - 1.0)
        for q in range(inner):
            line[last, q] = factor * (POLE * line[last - 1, q] + line[last, q])
    else:
        last = n - high
        for q in range(inner):
            under, over = -bound, bound
            for p in range(n - 1, last - 1, -1):
                under = POLE * (under - line[p, q])
                over = POLE * (over - line[p, q])
            line[last, q] = under
            if under != over:
                return False
    for p in range(last - 1, -1, -1):
        for q in range(inner):
            line[p, q] = POLE * (line[p + 1, q] - line[p, q])
    return True


@numba.njit(cache=True, nogil=True)
def _start(line):
    """Set the first value of the causal recursion (Unser 1999, box 2)."""
    n, inner = line.shape
    if n > _HORIZON:
        for q in range(inner):
            power = POLE
            total = line[0, q]
            for p in range(1, _HORIZON):
                total += power * line[p, q]
                power *= POLE
            line[0, q] = total
        return
    for q in range(inner):
        power = POLE
        inverse = 1.0 / POLE
        back = POLE ** float(n - 1)
        total = line[0, q] + back * line[n - 1, q]
        back *= back * inverse
        for p in range(1, n - 1):
            total += (power + back) * line[p, q]
            power *= POLE
            back *= inverse
        line[0, q] = total / (1.0 - power * power)


@numba.njit(cache=True, nogil=True)
def _cubic(coefficients, offset, size, starts, steps, smallest, largest, result):
    length = float(result.shape[2])
    index = np.empty((3, 4), np.int64)
    weight = np.empty((3, 4))
    for k in range(result.shape[0]):
        for j in range(result.shape[1]):
            for i in range(result.shape[2]):
                alpha = i / length
                inside = True
                for axis in range(3):
                    at = starts[k, j, axis] + alpha * steps[k, j, axis]
                    inside = inside and at >= -0.5 and at < size[axis] - 0.5
                    _weights(at, size[axis], offset[axis], index[axis], weight[axis])
                if inside:
                    result[k, j, i] = min(max(_sum(coefficients, index, weight), smallest), largest)


@numba.njit(cache=True, nogil=True, inline="always")
def _weights(at, size, offset, index, weight):
    """Set the four coefficients' places (mirrored at the ends of the image) and weights; ITK floors in single."""
    first = math.floor(np.float32(at)) - 1
    w = at - float(first + 1)
    weight[3] = (1.0 / 6.0) * w * w * w
    weight[0] = (1.0 / 6.0) + 0.5 * w * (w - 1.0) - weight[3]
    weight[2] = w + weight[0] - 2.0 * weight[3]
    weight[1] = 1.0 - weight[0] - weight[2] - weight[3]
    last = size - 1
    for tap in range(4):
        place = first + tap
        if size == 1:
            place = 0
        else:
            if place < 0:
                place = -place
            if place >= last:
                place = abs(last - (place - last))  # ITK reads beside the image where it is two voxels wide
        index[tap] = place - offset


@numba.njit(cache=True, nogil=True, inline="always")
def _sum(coefficients, index, weight):
    """Sum 64 weighted coefficients, x fastest, each weight multiplied in the order x, y, z."""
    total = 0.0
    for c in range(4):
        for b in range(4):
            for a in range(4):
                w = weight[0, a] * weight[1, b] * weight[2, c]
                total += w * coefficients[index[2, c], index[1, b], index[0, a]]
    return total
