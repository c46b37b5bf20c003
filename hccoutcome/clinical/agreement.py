"""Stated classes and stages against what the other entries of a record give."""

from __future__ import annotations

from dataclasses import dataclass

from hccoutcome.clinical.bclc import bclc, bclc_missing
from hccoutcome.clinical.derive import Conflict, derive
from hccoutcome.clinical.liver_function import child_pugh_from_components
from hccoutcome.clinical.liver_score import Record


@dataclass(frozen=True)
class _Found:
    """What the entries give: the variable, the value that it should have, and this in words."""

    name: str
    value: float | str
    words: str


def contradictions(record: Record) -> tuple[Conflict, ...]:
    """Return every stated value that contradicts what follows from the other entries, one conflict a variable.

    Beside what follows without any rule of a score, these are the Child-Pugh class and points against the five
    components, and the BCLC stage against the one by the 2022 update.

    Args:
        record: as ``parse_record`` returns it.
    """
    known = {conflict.name: conflict for conflict in derive(record).conflicts}
    for found in (*_child_pugh(record), *_bclc(record)):
        if found.name in record and record[found.name] != found.value:
            known.setdefault(found.name, _conflict(found, record[found.name]))
    return tuple(known.values())


def _child_pugh(record: Record) -> tuple[_Found, ...]:
    score = child_pugh_from_components(record)
    if score is None:
        return ()
    words = f"bilirubin, albumin, coagulation, ascites and encephalopathy give {score.label}"
    return (
        _Found("child_pugh_points", score.value, words),
        _Found("child_pugh", score.label.split()[1], words),
    )


def _bclc(record: Record) -> tuple[_Found, ...]:
    if "bclc" not in record or bclc_missing(record):
        return ()
    stage = bclc(record).label
    return (_Found("bclc", stage.split()[-1], f"the other entries give {stage} (2022 update)"),)


def _conflict(found: _Found, stated: float | str) -> Conflict:
    shown, expected = (value if isinstance(value, str) else f"{value:g}" for value in (stated, found.value))
    note = (
        f"{found.name} is {shown}, while {found.words}; a score that reads {found.name} uses the value given, one that "
        "reads the other entries uses these: check which is right."
    )
    return Conflict(found.name, shown, expected, note)
