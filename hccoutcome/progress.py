"""Progress of long work, reported by a callback that may also stop it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Called with the fraction done (0 to 1) and a short present-tense message; may raise ``Cancelled``."""


def silent(fraction: float, message: str) -> None:
    """Report nothing."""


def part(progress: Progress, start: float, stop: float) -> Progress:
    """Return a progress callback that maps 0..1 of a step onto ``start``..``stop`` of the whole."""

    def report(fraction: float, message: str) -> None:
        progress(start + (stop - start) * min(max(fraction, 0.0), 1.0), message)

    return report
