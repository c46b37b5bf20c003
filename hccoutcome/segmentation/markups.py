"""Prompts from 3D Slicer's markup files (``.mrk.json``): a ROI is a box, fiducials are clicks, a curve is a stroke.

The files follow the schema ``markups-schema-v1.0.x``. Positions are in LPS or RAS as ``coordinateSystem`` says (LPS
where it says nothing); a ROI's ``orientation`` is a 3 x 3 matrix, row by row, whose columns are its axes.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hccoutcome.errors import InputError
from hccoutcome.segmentation.prompts import Box, Clicks, Point, Stroke
from hccoutcome.strict_json import Fields, one_of, parse_json

_TO_LPS = {"LPS": np.ones(3), "RAS": np.array([-1.0, -1.0, 1.0]), "0": np.array([-1.0, -1.0, 1.0]), "1": np.ones(3)}
"""Signs by name; the numbers are what early files wrote for RAS and LPS."""
_LINES, _POINTS = ("Curve", "ClosedCurve", "Line"), ("Fiducial",)
_OUTSIDE = ("outside", "-")
"""How the label of a click begins that does not belong to the region."""
_MOST_POINTS = 100_000


def read_roi(path: Path) -> Box:
    """Return the one ROI of a markup file as a box.

    Raises:
        InputError: the file cannot be read, is no markup file, or holds no or more than one usable ROI.
    """
    found = _markups(path)
    rois = [(fields, signs) for kind, fields, signs in found if kind == "ROI"]
    if len(rois) != 1:
        listed = ", ".join(kind for kind, _, _ in found) or "nothing"
        raise InputError(f"'{path.name}' was expected to hold one ROI, found {listed}: save the ROI alone.")
    fields, signs = rois[0]
    if fields.value("insideOut", bool, "true or false", False):
        raise InputError(f"The ROI of '{path.name}' is turned inside out: turn that off and save it again.")
    kind = fields.value("roiType", str, "a text", "Box")
    if kind not in ("Box", "BoundingBox"):
        raise InputError(f"The ROI of '{path.name}' was expected to be a box, found type '{kind}': draw a box.")
    centre = signs * _numbers(fields, "center", 3)
    size = _numbers(fields, "size", 3)
    if (size <= 0).any():
        listed = " x ".join(f"{value:g}" for value in size)
        raise InputError(f"The ROI of '{path.name}' was expected to have some size, found {listed} mm: draw it larger.")
    axes = signs[:, None] * _numbers(fields, "orientation", 9, np.diag(signs).ravel()).reshape(3, 3)
    if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-4):
        raise InputError(f"The axes of the ROI of '{path.name}' are not at right angles: draw the ROI again.")
    return Box(_point(centre), tuple(float(value) for value in axes.ravel()), _point(size / 2))


def read_seeds(path: Path) -> Clicks | Stroke:
    """Return the points of a markup file: clicks where it holds fiducials only, strokes where it holds a curve.

    Fiducials whose label begins with ``outside`` or ``-`` do not belong to the region.

    Raises:
        InputError: the file cannot be read, is no markup file, or holds no point that was placed in the region.
    """
    inside: list[Point] = []
    outside: list[Point] = []
    strokes: list[tuple[Point, ...]] = []
    for kind, fields, signs in _markups(path):
        if kind not in (*_LINES, *_POINTS):
            raise InputError(
                f"'{path.name}' was expected to hold fiducials or curves, found a {kind}: save those alone."
            )
        points = _control_points(fields, signs)
        if kind in _LINES and points:
            row = [point for _, point in points]
            strokes.append((*row, row[0]) if kind == "ClosedCurve" else tuple(row))
        elif kind in _POINTS:
            for label, point in points:
                (outside if label.strip().lower().startswith(_OUTSIDE) else inside).append(point)
    if strokes:
        return Stroke((*strokes, *((point,) for point in inside)), tuple(outside))
    if not inside:
        raise InputError(f"'{path.name}' was expected to hold at least one point in the region, found none: place one.")
    return Clicks(tuple(inside), tuple(outside))


def _markups(path: Path) -> list[tuple[str, Fields, np.ndarray]]:
    """Return the type, the fields and the signs towards LPS of each markup in a file."""
    data = Fields(_parsed(path), f"'{path.name}'")
    found = []
    for number, entry in enumerate(data.value("markups", list, "a list of markups"), start=1):
        fields = Fields(entry, f"'{path.name}', markup {number}")
        kind = fields.text("type")
        system = str(fields.value("coordinateSystem", (str, int), "LPS or RAS", "LPS"))
        signs = _TO_LPS[one_of(system, tuple(_TO_LPS), f"{fields.where}, coordinateSystem")]
        unit = fields.value("coordinateUnits", (str, list), "a text", "mm")
        if "mm" not in (unit if isinstance(unit, list) else [unit]):
            raise InputError(f"{fields.where}: positions were expected in mm, found {unit}: save them in mm.")
        found.append((kind, fields, signs))
    return found


def _parsed(path: Path) -> Any:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"The markup file '{path.name}' was expected, found no such file: check the path.") from None
    except OSError as error:
        raise InputError(f"The markup file '{path.name}' cannot be read ({error.strerror}): check the path.") from error
    return parse_json(content.removeprefix(codecs.BOM_UTF8), f"'{path.name}'")


def _control_points(fields: Fields, signs: np.ndarray) -> list[tuple[str, Point]]:
    """Return the label and position of the points that were placed."""
    entries = fields.objects("controlPoints")
    if len(entries) > _MOST_POINTS:
        raise InputError(f"{fields.where} holds {len(entries)} points, more than anyone places: give fewer.")
    points = []
    for number, entry in enumerate(entries, start=1):
        point = Fields(entry, f"{fields.where}, point {number}")
        if point.value("positionStatus", str, "a text", "defined") == "defined":
            label = point.value("label", str, "a text", "")
            points.append((label, _point(signs * _numbers(point, "position", 3))))
    return points


def _numbers(fields: Fields, name: str, count: int, default: Sequence[float] | np.ndarray | None = None) -> np.ndarray:
    found = fields.value(name, list, f"a list of {count} numbers", None)
    if found is None and default is not None:
        return np.asarray(default, dtype=float)
    right = found is not None and len(found) == count
    if not right or not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in found):
        raise InputError(f"{fields.where}: '{name}' should be a list of {count} numbers, found {found}: correct it.")
    return np.array(found, dtype=float)


def _point(values: np.ndarray) -> Point:
    x, y, z = (float(value) for value in values)
    return x, y, z
