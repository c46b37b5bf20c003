"""Laplacian of Gaussian in a block of an image, equal to ITK's recursive filter on the whole image bit for bit.

The filter is Deriche's recursive approximation (Farneback and Westin, "Improving Deriche-style recursive Gaussian
filters", J Math Imaging Vis 26 (2006) 293). For each axis ITK takes the second derivative along it and smooths along
the others, each pass over the whole image in double precision with single-precision results, and adds up the three.
Here each pass keeps only what the block needs of it and runs over many lines at once; operations and their order are
those of ITK 5.4 (``RecursiveGaussianImageFilter``, ``LaplacianRecursiveGaussianImageFilter``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from hccoutcome.radiomics.lines import BATCH, as_lines, gather, scatter
from hccoutcome.radiomics.preprocess import Box


def laplacian_of_gaussian(
    image: NDArray[np.generic], box: Box, sigma: float, spacing_zyx: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Return the Laplacian of Gaussian, normalised across scales, inside a box.

    Args:
        image: The whole image, shape (z, y, x), at least four voxels along each axis.
        box: The block of the image to compute.
        sigma: Standard deviation of the Gaussian in mm.
        spacing_zyx: Voxel spacing in mm.
    """
    total = np.zeros([part.stop - part.start for part in box], np.float32)
    for axis in (2, 1, 0):
        part = _filter(image, axis, box[axis], _second_derivative(sigma, spacing_zyx[axis]))
        for other in (2, 1, 0):
            if other != axis:
                part = _filter(part, other, box[other], _smoothing(sigma, spacing_zyx[other]))
        factor = 1.0 / (spacing_zyx[axis] * spacing_zyx[axis])
        total = (total.astype(np.float64) + part.astype(np.float64) * factor).astype(np.float32)
    return total


def _filter(values: NDArray[np.generic], axis: int, keep: slice, taps: NDArray[np.float64]) -> NDArray[np.float32]:
    """Run the recursive filter along an axis and keep a part of that axis."""
    shape = (*values.shape[:axis], keep.stop - keep.start, *values.shape[axis + 1 :])
    result = np.empty(shape, np.float32)
    _run(as_lines(np.ascontiguousarray(values), axis), taps, keep.start, as_lines(result, axis))
    return result


@dataclass(frozen=True)
class _Poles:
    """The two damped oscillations of Deriche's series at a scale: their sines, cosines and decays."""

    sin1: float
    sin2: float
    cos1: float
    cos2: float
    exp1: float
    exp2: float

    @classmethod
    def at(cls, scale: float) -> _Poles:
        w1, l1, w2, l2 = 0.6681, -1.3932, 2.0787, -1.3732
        return cls(
            math.sin(w1 / scale),
            math.sin(w2 / scale),
            math.cos(w1 / scale),
            math.cos(w2 / scale),
            math.exp(l1 / scale),
            math.exp(l2 / scale),
        )

    def denominator(self) -> NDArray[np.float64]:
        """Return the feedback coefficients D1 to D4."""
        e1, e2 = self.exp1, self.exp2
        d4 = e1 * e1 * e2 * e2
        d3 = -2 * self.cos1 * e1 * e2 * e2
        d3 += -2 * self.cos2 * e2 * e1 * e1
        d2 = 4 * self.cos2 * self.cos1 * e1 * e2
        d2 += e1 * e1 + e2 * e2
        d1 = -2 * (e2 * self.cos2 + e1 * self.cos1)
        return np.array([d1, d2, d3, d4])

    def numerator(self, a1: float, b1: float, a2: float, b2: float) -> NDArray[np.float64]:
        """Return the feed-forward coefficients N0 to N3 of one order of derivative."""
        e1, e2 = self.exp1, self.exp2
        n1 = e2 * (b2 * self.sin2 - (a2 + 2 * a1) * self.cos2)
        n1 += e1 * (b1 * self.sin1 - (a1 + 2 * a2) * self.cos1)
        n2 = (a1 + a2) * self.cos2 * self.cos1
        n2 -= b1 * self.cos2 * self.sin1 + b2 * self.cos1 * self.sin2
        n2 *= 2 * e1 * e2
        n2 += a2 * e1 * e1 + a1 * e2 * e2
        n3 = e2 * e1 * e1 * (b2 * self.sin2 - a2 * self.cos2)
        n3 += e1 * e2 * e2 * (b1 * self.sin1 - a1 * self.cos1)
        return np.array([a1 + a2, n1, n2, n3])


_SMOOTH = (1.3530, 1.8151, -0.3531, 0.0902)
_CURVED = (-1.3563, 5.2318, 0.3446, -2.2355)


def _moments(n: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the sums of the coefficients weighted by 1, k and k^2."""
    return n[0] + n[1] + n[2] + n[3], n[1] + 2 * n[2] + 3 * n[3], n[1] + 4 * n[2] + 9 * n[3]


def _smoothing(sigma: float, spacing: float) -> NDArray[np.float64]:
    """Return all coefficients of the Gaussian itself."""
    poles = _Poles.at(sigma / spacing)
    d, n = poles.denominator(), poles.numerator(*_SMOOTH)
    unit = 1.0 / (2 * _moments(n)[0] / (1.0 + d[0] + d[1] + d[2] + d[3]) - n[0])
    return _all_taps(n * unit, d)


def _second_derivative(sigma: float, spacing: float) -> NDArray[np.float64]:
    """Return all coefficients of the Gaussian's second derivative, times sigma squared."""
    poles = _Poles.at(sigma / spacing)
    d, smooth, curved = poles.denominator(), poles.numerator(*_SMOOTH), poles.numerator(*_CURVED)
    sd = 1.0 + d[0] + d[1] + d[2] + d[3]
    dd = d[0] + 2 * d[1] + 3 * d[2] + 4 * d[3]
    ed = d[0] + 4 * d[1] + 9 * d[2] + 16 * d[3]
    (s0, d0, e0), (s2, d2, e2) = _moments(smooth), _moments(curved)
    beta = -(2 * s2 - sd * curved[0]) / (2 * s0 - sd * smooth[0])
    sn, dn, en = s2 + beta * s0, d2 + beta * d0, e2 + beta * e0
    alpha = en * sd * sd - ed * sn * sd - 2 * dn * dd * sd + 2 * dd * dd * sn
    alpha /= sd * sd * sd
    return _all_taps((curved + beta * smooth) * (sigma * sigma / alpha), d)


def _all_taps(n: NDArray[np.float64], d: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return N0..3, D1..4, M1..4 and the coefficients BN1..4, BM1..4 for a value that goes on beyond the ends."""
    m = np.array([n[1] - d[0] * n[0], n[2] - d[1] * n[0], n[3] - d[2] * n[0], -d[3] * n[0]])
    sn, sm = n[0] + n[1] + n[2] + n[3], m[0] + m[1] + m[2] + m[3]
    sd = 1.0 + d[0] + d[1] + d[2] + d[3]
    return np.stack([n, d, m, d * sn / sd, d * sm / sd])


@numba.njit(cache=True, nogil=True)
def _run(lines, taps, first, result):
    outer, n, inner = lines.shape
    data, forward, backward = np.zeros((n, BATCH)), np.empty((n, BATCH)), np.empty((n, BATCH))
    for o in range(outer):
        for start in range(0, inner, BATCH):
            gather(lines, o, start, data)
            _forward(data, taps, forward)
            _backward(data, taps, backward)
            forward += backward
            scatter(forward, first, result, o, start)


@numba.njit(cache=True, nogil=True)
def _forward(data, taps, out):
    n0, n1, n2, n3 = taps[0]
    d1, d2, d3, d4 = taps[1]
    b1, b2, b3, b4 = taps[3]
    for q in range(BATCH):
        edge = data[0, q]
        x1, x2, x3 = data[1, q], data[2, q], data[3, q]
        y0 = edge * n0 + edge * n1 + edge * n2 + edge * n3
        y1 = x1 * n0 + edge * n1 + edge * n2 + edge * n3
        y2 = x2 * n0 + x1 * n1 + edge * n2 + edge * n3
        y3 = x3 * n0 + x2 * n1 + x1 * n2 + edge * n3
        y0 -= edge * b1 + edge * b2 + edge * b3 + edge * b4
        y1 -= y0 * d1 + edge * b2 + edge * b3 + edge * b4
        y2 -= y1 * d1 + y0 * d2 + edge * b3 + edge * b4
        y3 -= y2 * d1 + y1 * d2 + y0 * d3 + edge * b4
        out[0, q], out[1, q], out[2, q], out[3, q] = y0, y1, y2, y3
    for p in range(4, data.shape[0]):
        for q in range(BATCH):
            value = data[p, q] * n0 + data[p - 1, q] * n1 + data[p - 2, q] * n2 + data[p - 3, q] * n3
            value -= out[p - 1, q] * d1 + out[p - 2, q] * d2 + out[p - 3, q] * d3 + out[p - 4, q] * d4
            out[p, q] = value


@numba.njit(cache=True, nogil=True)
def _backward(data, taps, out):
    m1, m2, m3, m4 = taps[2]
    d1, d2, d3, d4 = taps[1]
    b1, b2, b3, b4 = taps[4]
    last = data.shape[0] - 1
    for q in range(BATCH):
        edge = data[last, q]
        x1, x2 = data[last - 1, q], data[last - 2, q]
        y0 = edge * m1 + edge * m2 + edge * m3 + edge * m4
        y1 = edge * m1 + edge * m2 + edge * m3 + edge * m4
        y2 = x1 * m1 + edge * m2 + edge * m3 + edge * m4
        y3 = x2 * m1 + x1 * m2 + edge * m3 + edge * m4
        y0 -= edge * b1 + edge * b2 + edge * b3 + edge * b4
        y1 -= y0 * d1 + edge * b2 + edge * b3 + edge * b4
        y2 -= y1 * d1 + y0 * d2 + edge * b3 + edge * b4
        y3 -= y2 * d1 + y1 * d2 + y0 * d3 + edge * b4
        out[last, q], out[last - 1, q], out[last - 2, q], out[last - 3, q] = y0, y1, y2, y3
    for p in range(last - 4, -1, -1):
        for q in range(BATCH):
            value = data[p + 1, q] * m1 + data[p + 2, q] * m2 + data[p + 3, q] * m3 + data[p + 4, q] * m4
            value -= out[p + 1, q] * d1 + out[p + 2, q] * d2 + out[p + 3, q] * d3 + out[p + 4, q] * d4
            out[p, q] = value
