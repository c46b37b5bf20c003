"""Run an iterative SimpleITK filter so that it repeats exactly, reports its progress and can be stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import SimpleITK as sitk

from hccoutcome.errors import Cancelled
from hccoutcome.progress import Progress

Result = TypeVar("Result")


@contextmanager
def one_thread() -> Iterator[None]:
    """Let ITK work in one thread; the setting of the process is put back as it was.

    Threads add up metrics and histograms in the order in which they finish. That changes the last digits, and after
    hundreds of iterations the result. A filter's own ``SetNumberOfThreads`` does not reach the objects inside it.
    """
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def watched(
    process: sitk.ProcessObject, call: Callable[[], Result], iterations: int, progress: Progress, message: str
) -> Result:
    """Call a filter in one thread, telling its progress after each of at most so many iterations.

    A rigid registration ends with the iteration at which it is stopped. N4 and the optimiser of splines cannot be
    stopped from outside and run on for some seconds first.

    Args:
        process: the filter.
        call: runs it, e.g. ``lambda: n4.Execute(image)``.
        iterations: most iterations that it makes.
        progress: told the part of these that are done; may stop the work.
        message: what to tell with it.

    Raises:
        Cancelled: the progress callback asked to stop.
    """
    done = 0
    stopped: list[Cancelled] = []

    def report() -> None:
        # An exception must not cross ITK's C++ frames, so it is kept and raised again when the filter has returned.
        nonlocal done
        done += 1
        if not stopped:
            try:
                progress(min(1.0, done / iterations), message)
            except Cancelled as stop:
                stopped.append(stop)
                # ITK's own abort flag is heeded by neither; a registration has a stop of its own.
                if isinstance(process, sitk.ImageRegistrationMethod):
                    process.StopRegistration()

    process.AddCommand(sitk.sitkIterationEvent, report)
    process.SetNumberOfThreads(1)
    with one_thread():
        result = call()
    if stopped:
        raise stopped[0]
    return result
