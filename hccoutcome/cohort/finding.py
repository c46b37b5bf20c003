"""What is found in a training table: facts, doubts and faults, each as one sentence about a column or a patient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hccoutcome.status import Status

_NAMED_ONE_BY_ONE = 3
_LISTED = 8


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Attributes:
        subject: ``"table"``, ``"column ALB"``, ``"patient P003"``, ``"features"``, ``"outcome os"``.
        status: ``"ok"`` for a fact, ``"warning"`` for a doubt, ``"refused"`` for what keeps the table from being used.
        note: one sentence; for doubts and faults it says what to do.
    """

    subject: str
    status: Status
    note: str


def listed(names: Sequence[str]) -> str:
    """Return names for a message, the first few where there are many."""
    shown = ", ".join(names[:_LISTED])
    return f"{shown} and {len(names) - _LISTED} more" if len(names) > _LISTED else shown


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``"1 event"``, ``"12 events"``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def of_patients(subject: str, status: Status, notes: Iterable[tuple[str, str]]) -> list[Finding]:
    """Return the findings on one subject in several patients: one each, or one for all where they are many.

    Args:
        subject: what the findings have in common: ``"column ALB"``.
        status: their verdict.
        notes: patient and sentence.
    """
    notes = list(notes)
    if len(notes) <= _NAMED_ONE_BY_ONE:
        return [Finding(f"patient {case}", status, note) for case, note in notes]
    cases = listed([case for case, _ in notes])
    return [Finding(subject, status, f"{len(notes)} patients ({cases}); the first: {notes[0][1]}")]
