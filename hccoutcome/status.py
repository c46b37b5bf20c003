"""The verdict on an input: usable, usable with a warning, or refused; always with its reasons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "refused"]
VERDICTS: dict[Status, str] = {"ok": "Applicable", "warning": "Use with care", "refused": "Not applicable"}
"""What a verdict means for a score, in the words of every window and report."""

_SEVERITY: dict[Status, int] = {"ok": 0, "warning": 1, "refused": 2}


def worst(statuses: Iterable[Status]) -> Status:
    """Return the most severe of several verdicts; ``"ok"`` where there is none."""
    return max(statuses, key=_SEVERITY.__getitem__, default="ok")


@dataclass(frozen=True)
class QualityItem:
    """One line of the quality table: what was checked on what, what was found and what was expected.

    Attributes:
        subject: ``"image portal"``, ``"mask tumor"``, ``"clinical afp"``...
        check: what was looked at: ``"spacing"``, ``"orientation"``, ``"range"``...
        found: the value found, with its unit.
        expected: the value expected, with its unit.
        status: the verdict.
        note: for a warning or refusal, one sentence with what to do; otherwise empty.
    """

    subject: str
    check: str
    found: str
    expected: str
    status: Status = "ok"
    note: str = ""
