"""Stationary wavelet bands of a block of an image, equal to ``pywt.swtn`` on the whole image bit for bit.

A band at a voxel depends on as many neighbours as the filter is long, so only the block and that margin are read. As in
PyRadiomics the image goes on periodically, after an axis of odd length has been made even by repeating its first slice.
The sums run in PyWavelets' order (``downsampling_convolution_periodization``), which differs where the filter reaches
over the end of the image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numba
import numpy as np
import pywt
from numpy.typing import NDArray

from hccoutcome.radiomics.preprocess import Box


def wavelet_bands(
    image: NDArray[np.generic], box: Box, wavelet: str, axes: Sequence[int], level: int, start_level: int
) -> Iterator[tuple[int, str, NDArray[np.floating]]]:
    """Yield the detail bands of each level and at the end the last approximation, inside a box.

    Args:
        image: The whole image, shape (z, y, x); single precision stays single, all else becomes double.
        box: The block of the image to compute.
        wavelet: A discrete wavelet by PyWavelets' name.
        axes: The axes to filter, in the order of the letters of the band's name.
        level: Number of levels that yield bands.
        start_level: Number of levels of low-pass filtering before them.

    Yields:
        Level counted from 1, band such as ``LLH``, and the values in ``box``.
    """
    low, high = _taps(wavelet, np.float32 if image.dtype == np.float32 else np.float64)
    half, length = low.size // 2, low.size
    window = [(part.start, part.stop) for part in box]
    windows = [window]  # from the last level back to the first: what each needs of the one before
    for _ in range(start_level + level):
        window = [
            (first + half - length + 1, last + half) if axis in axes else (first, last)
            for axis, (first, last) in enumerate(window)
        ]
        windows.append(window)
    periods = [n + n % 2 for n in image.shape]
    block = _gather(image, windows.pop(), periods)
    approximation = "L" * len(axes)
    for step in range(start_level + level):
        window = windows.pop()
        for name, values in _split(block, window, periods, axes, low, high, details=step >= start_level):
            if name == approximation:
                block = values
            else:
                inner = tuple(
                    slice(part.start - first, part.stop - first) for part, (first, _) in zip(box, window, strict=True)
                )
                yield step - start_level + 1, name, np.ascontiguousarray(values[inner])
    yield level, approximation, block


def _taps(wavelet: str, dtype: type[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the low- and high-pass filter as PyWavelets holds them in this precision: its response to an impulse."""
    length = pywt.Wavelet(wavelet).dec_len
    impulse = np.zeros(2 * length, dtype)
    impulse[length] = 1
    low, high = pywt.swt(impulse, wavelet, level=1)[0]
    first = length - length // 2
    return low[first : first + length], high[first : first + length]


def _gather(image: NDArray[np.generic], window: list[tuple[int, int]], periods: list[int]) -> NDArray[np.floating]:
    """Read a window that may reach over the ends of the periodic image."""
    for axis, ((first, last), period) in enumerate(zip(window, periods, strict=True)):
        n = image.shape[axis]
        if first >= 0 and last <= n:
            image = image[(slice(None),) * axis + (slice(first, last),)]
        else:
            image = np.take(image, np.arange(first, last) % period % n, axis=axis)
    return np.ascontiguousarray(image, np.float32 if image.dtype == np.float32 else np.float64)


def _split(
    block: NDArray[np.floating],
    window: list[tuple[int, int]],
    periods: list[int],
    axes: Sequence[int],
    low: NDArray[np.floating],
    high: NDArray[np.floating],
    details: bool,
) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Yield the bands of one level, the approximation first; depth first, so that few lie in memory at a time."""

    def descend(values: NDArray[np.floating], name: str) -> Iterator[tuple[str, NDArray[np.floating]]]:
        if len(name) == len(axes):
            yield name, values
            return
        axis = axes[len(name)]
        for letter, taps in (("L", low), ("H", high)):
            if letter == "L" or details:
                part = _convolve(values, taps, axis, window[axis], periods[axis])
                yield from descend(part, name + letter)

    yield from descend(block, "")


def _convolve(
    values: NDArray[np.floating], taps: NDArray[np.floating], axis: int, window: tuple[int, int], period: int
) -> NDArray[np.floating]:
    """Filter along one axis; ``values`` starts ``len(taps) - 1 - len(taps) // 2`` before the window."""
    count = window[1] - window[0]
    places, order = _tap_order(taps.size, window, period)
    shape = (*values.shape[:axis], count, *values.shape[axis + 1 :])
    result = np.empty(shape, values.dtype)
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    if inner == 1:
        _along_rows(values.reshape(outer, -1), taps, places, order, result.reshape(outer, count))
    else:
        _along_planes(values.reshape(outer, -1, inner), taps, places, order, result.reshape(outer, count, inner))
    return result


def _tap_order(length: int, window: tuple[int, int], period: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each output the place of its inputs and the taps, each shape (outputs, taps), in PyWavelets' order."""
    half = length // 2
    order = np.empty((window[1] - window[0], length), np.int64)
    for row, output in enumerate(range(*window)):
        beyond = output % period + half - period  # how far the filter reaches over the end
        turned = max(min(beyond + 1, length), 0)
        order[row, :turned] = np.arange(turned - 1, -1, -1)
        order[row, turned:] = np.arange(turned, length)
    places = np.arange(order.shape[0])[:, None] + (length - 1) - order
    return places, order


@numba.njit(cache=True, nogil=True)
def _along_rows(values, taps, places, order, result):
    count = result.shape[1]
    last = taps.size - 1
    for row in range(values.shape[0]):
        line = result[row]
        line[:] = values[row, last : last + count] * taps[0]
        for t in range(1, taps.size):
            source = values[row, last - t : last - t + count]
            tap = taps[t]
            for p in range(count):
                line[p] += source[p] * tap
        for p in range(count):
            if order[p, 0] != 0:
                total = values[row, places[p, 0]] * taps[order[p, 0]]
                for t in range(1, taps.size):
                    total += values[row, places[p, t]] * taps[order[p, t]]
                line[p] = total


@numba.njit(cache=True, nogil=True)
def _along_planes(values, taps, places, order, result):
    for o in range(values.shape[0]):
        for p in range(result.shape[1]):
            line = result[o, p]
            line[:] = values[o, places[p, 0]] * taps[order[p, 0]]
            for t in range(1, taps.size):
                source = values[o, places[p, t]]
                tap = taps[order[p, t]]
                for q in range(line.size):
                    line[q] += source[q] * tap
