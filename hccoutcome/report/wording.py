"""Words for what the package only names: phases, planes, verdicts, scales. Plain text for reports and scenes."""

from __future__ import annotations

from hccoutcome.status import Status

PHASE_TITLES = {
    "precontrast": "Before contrast",
    "arterial": "Arterial phase",
    "portal": "Portal venous phase",
    "delayed": "Delayed phase",
    "hepatobiliary": "Hepatobiliary phase",
    "t1ce": "T1 with contrast",
}
"""Title by phase, where it is more than the name in capitals."""

CHECKED: dict[Status, str] = {"ok": "as expected", "warning": "doubtful", "refused": "not usable"}
"""What a verdict means for an input, in words."""


def phase_title(phase: str) -> str:
    """Return what a reader calls a phase or sequence: ``"Portal venous phase"``, ``"T1"``."""
    return PHASE_TITLES.get(phase, phase.upper())
