"""How a line of the quality table comes about."""

from __future__ import annotations

from hccoutcome.status import QualityItem, Status


def line(
    subject: str, check: str, found: str, expected: str, advice: str = "", status: Status = "warning"
) -> QualityItem:
    """Return a line that is fine without advice, and has the status where there is some."""
    return QualityItem(subject, check, found, expected, status if advice else "ok", advice)


def percent(part: float) -> str:
    """Return a part of a whole as text: ``12 %``, ``0.4 %``."""
    return f"{100 * part:.0f} %" if part >= 0.1 or part == 0 else f"{100 * part:.2g} %"


def lengths(values: tuple[float, ...]) -> str:
    """Return lengths as text: ``0.78 x 0.78 x 2.5 mm``."""
    return " x ".join(f"{value:.3g}" for value in values) + " mm"
