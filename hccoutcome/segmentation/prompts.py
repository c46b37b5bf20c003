"""What a person points at: a box around a lesion, clicks in it, a rough stroke. Plain data in mm (LPS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError

PromptKind = Literal["none", "box", "clicks", "stroke"]
PROMPTS: dict[PromptKind, str] = {
    "none": "the image alone",
    "box": "a box around it",
    "clicks": "clicks in it",
    "stroke": "a rough stroke in it",
}
"""What an engine may need, in words."""

_LEAST_WIDTH = 0.5
"""In mm; a box of one voxel of a finer image is taken too."""

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Box:
    """A box in space, which may lie oblique to the image.

    Attributes:
        centre: its middle in mm (LPS).
        axes: 3 x 3 matrix, row by row, whose columns are the directions of its edges.
        half: half widths along these in mm.
    """

    centre: Point
    axes: tuple[float, ...]
    half: Point
    kind: ClassVar[PromptKind] = "box"

    @classmethod
    def along(cls, axes: np.ndarray, low: np.ndarray, high: np.ndarray) -> Box:
        """Return the box between two corners that are given along some axes (columns of a 3 x 3 matrix)."""
        centre = axes @ ((np.asarray(low) + np.asarray(high)) / 2)
        half = (np.asarray(high) - np.asarray(low)) / 2
        return cls(_point(centre), tuple(float(v) for v in np.ravel(axes)), _point(half))

    @classmethod
    def from_voxels(cls, image: sitk.Image, bounds: Sequence[int]) -> Box:
        """Return the box that holds the voxels ``i0,i1,j0,j1,k0,k1`` (x, y, z; ends included) of an image.

        Raises:
            InputError: there are not six whole numbers, an end lies before its start, or voxels lie outside the image.
        """
        if len(bounds) != 6:
            raise InputError(f"A box is given as six voxel indices i0,i1,j0,j1,k0,k1, found {len(bounds)}: correct it.")
        low, high = np.array(bounds[::2]), np.array(bounds[1::2])
        for name, first, last, count in zip("ijk", low, high, image.GetSize(), strict=True):
            if not 0 <= first <= last < count:
                raise InputError(
                    f"The box's {name} was expected from 0 to {count - 1}, the smaller one first, found {first} to "
                    f"{last}: correct it."
                )
        axes = np.reshape(image.GetDirection(), (3, 3))
        middle = image.TransformContinuousIndexToPhysicalPoint([float(v) for v in (low + high) / 2])
        half = (high - low + 1) * np.array(image.GetSpacing()) / 2
        return cls(_point(middle), tuple(float(v) for v in np.ravel(axes)), _point(half))

    @property
    def points(self) -> np.ndarray:
        """Its eight corners in mm (LPS), shape (8, 3)."""
        signs = np.array(list(np.ndindex(2, 2, 2))) * 2 - 1
        return np.array(self.centre) + signs * np.array(self.half) @ np.reshape(self.axes, (3, 3)).T

    def to_json(self) -> dict[str, Any]:
        """Return the box as JSON data."""
        return {"kind": self.kind, "centre": list(self.centre), "axes": list(self.axes), "half": list(self.half)}


@dataclass(frozen=True)
class Clicks:
    """Points in the region and, where given, points that do not belong to it; mm (LPS)."""

    inside: tuple[Point, ...]
    outside: tuple[Point, ...] = ()
    kind: ClassVar[PromptKind] = "clicks"

    @property
    def points(self) -> np.ndarray:
        """The points in the region, shape (n, 3)."""
        return np.array(self.inside)

    @property
    def lines(self) -> tuple[np.ndarray, ...]:
        """Each point as a stroke of its own."""
        return tuple(np.array([point]) for point in self.inside)

    def to_json(self) -> dict[str, Any]:
        """Return the clicks as JSON data."""
        return {"kind": self.kind, "inside": [list(p) for p in self.inside], "outside": [list(p) for p in self.outside]}


@dataclass(frozen=True)
class Stroke:
    """Rough lines in the region, each a row of points, and points that do not belong to it; mm (LPS)."""

    strokes: tuple[tuple[Point, ...], ...]
    outside: tuple[Point, ...] = ()
    kind: ClassVar[PromptKind] = "stroke"

    @property
    def points(self) -> np.ndarray:
        """All points in the region, shape (n, 3)."""
        return np.array([point for line in self.strokes for point in line])

    @property
    def lines(self) -> tuple[np.ndarray, ...]:
        """The lines, each of shape (n, 3)."""
        return tuple(np.array(line) for line in self.strokes)

    def to_json(self) -> dict[str, Any]:
        """Return the strokes as JSON data."""
        return {
            "kind": self.kind,
            "strokes": [[list(point) for point in line] for line in self.strokes],
            "outside": [list(point) for point in self.outside],
        }


Prompt = Box | Clicks | Stroke


def dense(line: np.ndarray, step: float) -> np.ndarray:
    """Return a polyline (n, 3) with points at most ``step`` apart."""
    pieces = [line[:1]]
    for a, b in pairwise(line):
        count = max(int(np.ceil(np.linalg.norm(b - a) / step)), 1)
        pieces.append(a + (b - a) * np.linspace(0, 1, count + 1)[1:, None])
    return np.concatenate(pieces)


def kind_of(prompt: Prompt | None) -> PromptKind:
    """Return the kind of a prompt; ``"none"`` where there is none."""
    return "none" if prompt is None else prompt.kind


def check_in_image(prompt: Prompt, image: sitk.Image, phase: str = "") -> None:
    """Refuse a prompt that does not lie in the image.

    Args:
        prompt: what a person pointed at.
        image: on which.
        phase: name of the image where the person pointed at another one.

    Raises:
        InputError: a click lies outside, or the box's middle does, or the box is no size of a lesion in this image.
    """
    if isinstance(prompt, Box):
        _check_size(prompt, image)
    points = [prompt.centre] if isinstance(prompt, Box) else prompt.points
    size = np.array(image.GetSize())
    for point in points:
        index = np.array(image.TransformPhysicalPointToContinuousIndex([float(v) for v in point]))
        if (index < -0.5).any() or (index > size - 0.5).any():
            found = ", ".join(f"{v:.1f}" for v in point)
            raise InputError(
                f"The {'box' if isinstance(prompt, Box) else 'point'} was expected inside the "
                f"{f'{phase} ' if phase else ''}image, found one at ({found}) mm (LPS), which lies outside: "
                + ("leave that phase out." if phase else "draw it on this very image.")
            )


def _check_size(box: Box, image: sitk.Image) -> None:
    """Refuse a box that is thinner than any lesion, or larger than the image."""
    widths = 2 * np.array(box.half)
    diagonal = float(np.linalg.norm(np.array(image.GetSize()) * image.GetSpacing()))
    if widths.min() < min(_LEAST_WIDTH, *image.GetSpacing()) or widths.max() > diagonal:
        found = " x ".join(f"{width:.4g}" for width in widths)
        raise InputError(
            f"The box was expected to be at least {_LEAST_WIDTH:g} mm wide and no larger than the image, found "
            f"{found} mm: draw it around the lesion."
        )


def _point(values: Sequence[float] | np.ndarray) -> Point:
    x, y, z = (float(value) for value in values)
    return x, y, z
