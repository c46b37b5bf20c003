"""What follows from a clinical record without any judgement: body mass index, vein invasion, classes from points."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

Record = Mapping[str, float | str]
_BMI_TOLERANCE = 0.05


@dataclass(frozen=True)
class Conflict:
    """A value that differs from what follows from the others."""

    name: str
    found: str
    expected: str
    note: str


@dataclass(frozen=True)
class Derived:
    """A record with what follows from it.

    Attributes:
        record: the given values, never changed, and the derived ones.
        notes: one sentence for each derived value.
        conflicts: given values that contradict what follows from the others.
    """

    record: dict[str, float | str]
    notes: tuple[str, ...]
    conflicts: tuple[Conflict, ...]


def _number(record: Record, name: str) -> float | None:
    value = record.get(name)
    return None if value is None else float(value)


def _bmi(record: Record) -> float | None:
    height, weight = _number(record, "height"), _number(record, "weight")
    return None if height is None or weight is None else weight / (height / 100) ** 2


def _any(record: Record, *names: str) -> float | None:
    """One where any is known to be above zero, zero where all are known to be zero, None otherwise."""
    values = [_number(record, name) for name in names]
    if any(value is not None and value > 0 for value in values):
        return 1.0
    return None if None in values else 0.0


def _portal_vein_thrombus(record: Record) -> float | None:
    return _any(record, "pvtt")


def _vascular_invasion(record: Record) -> float | None:
    portal = record.get("portal_vein_thrombus", _portal_vein_thrombus(record))
    return _any({**record, "portal": portal} if portal is not None else record, "portal", "hvtt")


def _hepatitis(record: Record) -> float | None:
    return _any(record, "hbv", "hcv")


def _tumor_morphology(record: Record) -> str | None:
    number = _number(record, "tumor_number")
    if number is None:
        return None
    return "uninodular" if number == 1 else "multinodular"


def _tumor_over_half(record: Record) -> float | None:
    extent = _number(record, "tumor_extent")
    return None if extent is None else float(extent > 50)


def _child_pugh(record: Record) -> str | None:
    points = _number(record, "child_pugh_points")
    return None if points is None else child_pugh_class(points)


def child_pugh_class(points: float) -> str:
    """Return the Child-Pugh class of 5 to 15 points: A up to 6, B up to 9, C above (Pugh 1973)."""
    return "A" if points <= 6 else "B" if points <= 9 else "C"


_Rule = tuple[Callable[[Record], "float | str | None"], str]
RULES: Mapping[str, _Rule] = MappingProxyType(
    {
        "bmi": (_bmi, "weight and height"),
        "portal_vein_thrombus": (_portal_vein_thrombus, "the VP grade"),
        "vascular_invasion": (_vascular_invasion, "thrombus in the portal and hepatic veins"),
        "hepatitis": (_hepatitis, "hepatitis B and C"),
        "tumor_morphology": (_tumor_morphology, "the number of tumours"),
        "tumor_over_half": (_tumor_over_half, "the share of the liver taken by tumour"),
        "child_pugh": (_child_pugh, "the Child-Pugh points"),
    }
)
"""Rule and its inputs in words, by the variable that it gives; later rules may use what earlier ones gave."""

SOURCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "bmi": ("height", "weight"),
        "portal_vein_thrombus": ("pvtt",),
        "vascular_invasion": ("portal_vein_thrombus", "hvtt"),
        "hepatitis": ("hbv", "hcv"),
        "tumor_morphology": ("tumor_number",),
        "tumor_over_half": ("tumor_extent",),
        "child_pugh": ("child_pugh_points",),
    }
)
"""Inputs that decide every value of the variable that a rule gives.

One of them may decide some values: a thrombus in the portal vein alone makes an invasion, but its absence makes none.
"""


def derive(record: Record) -> Derived:
    """Add to a record what follows from it; what the record states stands as it is.

    Args:
        record: as ``parse_record`` returns it.
    """
    full = dict(record)
    notes: list[str] = []
    conflicts: list[Conflict] = []
    for name, (rule, source) in RULES.items():
        value = rule(full)
        if value is None:
            continue
        if name not in full:
            full[name] = value
            notes.append(f"{name} = {_shown(value)} follows from {source}.")
        elif not _agrees(name, full[name], value):
            conflicts.append(_conflict(name, full[name], value, source))
    return Derived(full, tuple(notes), tuple(conflicts))


def _conflict(name: str, found: float | str, expected: float | str, source: str) -> Conflict:
    note = (
        f"{name} is {_shown(found)}, while {source} give {_shown(expected)}; the value given is used: "
        "check which one is right."
    )
    return Conflict(name, _shown(found), _shown(expected), note)


def _agrees(name: str, found: float | str, expected: float | str) -> bool:
    if name == "tumor_morphology" and found == "massive":
        return True
    if name == "bmi":
        return math.isclose(float(found), float(expected), rel_tol=_BMI_TOLERANCE)
    return found == expected


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
