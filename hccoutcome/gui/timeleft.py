"""How long work will take yet, judged by how far it has come."""

from __future__ import annotations

import time
from collections.abc import Callable

from hccoutcome.gui.translate import _

LEAST_FRACTION, LEAST_SECONDS = 0.05, 2.0
"""Before that much is done and that much time has passed, nothing is said: a guess would only jump about."""


class TimeLeft:
    """Tells the time left from the fraction done."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start to count.

        Args:
            clock: tells the time in seconds.
        """
        self._clock = clock
        self._start = clock()

    def seconds(self, fraction: float) -> float | None:
        """Return how many seconds are left at a fraction done (0 to 1), None where it is too early to say."""
        passed = self._clock() - self._start
        if fraction < LEAST_FRACTION or passed < LEAST_SECONDS:
            return None
        return passed * (1.0 - min(fraction, 1.0)) / fraction

    def words(self, fraction: float) -> str:
        """Return the time left as a reader hears it, empty where it is too early to say."""
        left = self.seconds(fraction)
        if left is None:
            return ""
        if left < 60:
            return _("about {seconds} s left").format(seconds=max(5, 5 * round(left / 5)))
        return _("about {minutes} min left").format(minutes=round(left / 60))
