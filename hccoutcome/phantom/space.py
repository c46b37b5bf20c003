"""The space that a phantom is drawn in: a grid with coordinates in mm, and smooth random fields.

Coordinates are LPS with the origin in the middle of the image: x to the patient's left, y to the back, z to the head.
Arrays are (z, y, x).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hccoutcome.phantom.settings import FIELD_OF_VIEW, Vector

Array = np.ndarray
Points = tuple[Array, Array, Array]
Box = tuple[slice, slice, slice]

WHOLE: Box = (slice(None), slice(None), slice(None))
_REACH = tuple(extent / 2 + 20 for extent in FIELD_OF_VIEW)
# Deviation of a cubic B-spline with independent coefficients of deviation 1: the kernel's squared integral is 151/315.
_SPLINE_DEVIATION = (151 / 315) ** 1.5
BEND = 3.0
"""Standard deviation in mm of the displacement that makes a patient's organs irregular."""
_SCALES = ((0.94, 1.03), (0.93, 1.06), (0.96, 1.04))
_STEP = 0.866  # knots per length at which the spline's kernel is as wide as a Gaussian of half that length


@dataclass(frozen=True)
class Field:
    """A smooth random field with mean 0 and deviation 1, the same on every grid.

    It is a cubic B-spline with random coefficients on a mesh in mm.

    Attributes:
        coefficients: on the mesh (z, y, x).
        step: distance of the mesh's knots in mm.
    """

    coefficients: Array
    step: float

    def at(self, axes: Sequence[Array]) -> Array:
        """Return the field's values (z, y, x; float32) on a grid with these coordinates in mm along x, y and z."""
        values = self.coefficients
        for axis, (places, reach) in zip((2, 1, 0), zip(axes, _REACH, strict=True), strict=True):
            values = self._along(values, axis, (places + reach) / self.step)
        return values

    def _along(self, values: Array, axis: int, knots: Array) -> Array:
        first = np.floor(knots).astype(int)
        part = (knots - first).astype(np.float32)
        weights = (
            (1 - part) ** 3 / 6,
            (3 * part**3 - 6 * part**2 + 4) / 6,
            (-3 * part**3 + 3 * part**2 + 3 * part + 1) / 6,
            part**3 / 6,
        )
        broad = [1, 1, 1]
        broad[axis] = -1
        # Summed tap by tap, not by a matrix product, whose last digit depends on the number of threads.
        return sum(
            weight.reshape(broad) * values.take(first + tap, axis, mode="clip") for tap, weight in enumerate(weights)
        )


def draw_field(rng: np.random.Generator, length: float) -> Field:
    """Return a random field that varies over ``length`` mm."""
    step = _STEP * length
    nx, ny, nz = (int(2 * reach / step) + 4 for reach in _REACH)
    coefficients = rng.standard_normal((nz, ny, nx), np.float32)
    return Field(coefficients / np.float32(_SPLINE_DEVIATION), step)


@dataclass(frozen=True)
class Space:
    """A grid and its coordinates, bent a little so that nothing is a perfect ellipse.

    Attributes:
        spacing: voxel size in mm (x, y, z).
        scale: size of the patient along x, y, z; 1 for the average.
        axes: coordinates in mm along x, y and z.
        bent: x, y and z of every voxel with a smooth random displacement (each of the grid's shape).
    """

    spacing: Vector
    scale: Vector
    axes: Points
    bent: Points

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the grid's arrays (z, y, x)."""
        return self.bent[0].shape

    @property
    def edge(self) -> float:
        """Width in mm of the ramp by which a shape's border is anti-aliased."""
        return float(np.mean(self.spacing))

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in mL."""
        return float(np.prod(self.spacing)) / 1000

    def points(self, box: Box = WHOLE) -> Points:
        """Return the bent coordinates inside a box."""
        x, y, z = (axis[box] for axis in self.bent)
        return x, y, z

    def straight(self, box: Box = WHOLE) -> Points:
        """Return the straight coordinates inside a box, which broadcast to its shape."""
        x, y, z = self.axes_of(box)
        return x[None, None, :], y[None, :, None], z[:, None, None]

    def axes_of(self, box: Box = WHOLE) -> Points:
        """Return the straight coordinates along x, y and z inside a box."""
        x, y, z = (axis[part] for axis, part in zip(self.axes, box[::-1], strict=True))
        return x, y, z

    def field(self, field: Field, box: Box = WHOLE) -> Array:
        """Return a field's values inside a box."""
        return field.at(self.axes_of(box))

    def box(self, low: Sequence[float], high: Sequence[float], margin: float = 10.0) -> Box:
        """Return the slices (z, y, x) that hold everything between bent coordinates (mm), as far as it can be bent."""
        return self.straight_box(np.multiply(low, self.scale) - margin, np.multiply(high, self.scale) + margin)

    def straight_box(self, low: Sequence[float] | Array, high: Sequence[float] | Array) -> Box:
        """Return the slices (z, y, x) that hold everything between straight coordinates (mm)."""
        slices = []
        for axis in (2, 1, 0):
            places = self.axes[axis]
            first, last = int(np.searchsorted(places, low[axis])), int(np.searchsorted(places, high[axis]))
            slices.append(slice(max(first - 1, 0), min(last + 1, places.size)))
        return slices[0], slices[1], slices[2]

    def bend(self, place: Sequence[float]) -> Array:
        """Return the bent coordinates of the voxel next to a place in straight ones."""
        x, y, z = (int(np.argmin(np.abs(axis - value))) for axis, value in zip(self.axes, place, strict=True))
        return np.array([axis[z, y, x] for axis in self.bent], float)


@dataclass(frozen=True)
class Build:
    """What makes one patient's frame differ from another's.

    Attributes:
        scale: size along x, y, z; 1 for the average.
        bending: displacement along x, y and z in standard deviations of ``BEND``.
    """

    scale: Vector
    bending: tuple[Field, Field, Field]


def draw_build(rng: np.random.Generator) -> Build:
    """Return the frame of a patient."""
    x, y, z = (float(rng.uniform(low, high)) for low, high in _SCALES)
    return Build((x, y, z), (draw_field(rng, 55.0), draw_field(rng, 55.0), draw_field(rng, 55.0)))


def make_space(spacing: Vector, build: Build) -> Space:
    """Return the grid that fills the field of view with voxels of a size in mm (x, y, z), bent to a patient's frame."""
    counts = [round(extent / width) for extent, width in zip(FIELD_OF_VIEW, spacing, strict=True)]
    x, y, z = (
        ((np.arange(count) - (count - 1) / 2) * width).astype(np.float32)
        for count, width in zip(counts, spacing, strict=True)
    )
    straight = (x[None, None, :], y[None, :, None], z[:, None, None])
    bent = [
        axis / np.float32(scale) + np.float32(BEND) * field.at((x, y, z))
        for axis, scale, field in zip(straight, build.scale, build.bending, strict=True)
    ]
    return Space(spacing, build.scale, (x, y, z), (bent[0], bent[1], bent[2]))
