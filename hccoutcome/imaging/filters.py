"""Run a SimpleITK filter so that it reports its progress and can be stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import SimpleITK as sitk

from hccoutcome.errors import Cancelled
from hccoutcome.progress import Progress

Result = TypeVar("Result")


class Watch:
    """Passes a filter's progress on; a ``Cancelled`` raised by the callback aborts the filter.

    An exception must not cross ITK's C++ frames, so it is kept and raised again when the filter has returned.
    """

    def __init__(self, process: sitk.ProcessObject, progress: Progress, message: str) -> None:
        self._process = process
        self._progress = progress
        self._message = message
        self.stopped: Cancelled | None = None

    def report(self, fraction: float) -> None:
        """Report a fraction done, and abort the filter where the callback says stop."""
        if self.stopped is None:
            try:
                self._progress(fraction, self._message)
            except Cancelled as stop:
                self.stopped = stop
                self._process.Abort()

    def run(self, call: Callable[[], Result]) -> Result:
        """Call the filter.

        Raises:
            Cancelled: the progress callback asked to stop.
        """
        try:
            result = call()
        except RuntimeError:
            if self.stopped is not None:
                raise self.stopped from None
            raise
        if self.stopped is not None:
            raise self.stopped
        return result


def watched(process: sitk.ProcessObject, call: Callable[[], Result], progress: Progress, message: str) -> Result:
    """Call a filter that knows the fraction it has done, e.g. ``watched(n4, lambda: n4.Execute(image), ...)``."""
    watch = Watch(process, progress, message)
    process.AddCommand(sitk.sitkProgressEvent, lambda: watch.report(process.GetProgress()))
    return watch.run(call)
