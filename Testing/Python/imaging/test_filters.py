"""Iterative filters: told progress, stopped at once, one thread while they run."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from hccoutcome.errors import Cancelled
from hccoutcome.imaging.filters import one_thread, watched


def n4() -> tuple[sitk.N4BiasFieldCorrectionImageFilter, sitk.Image]:
    """Return a filter that makes exactly twenty iterations, and an image for it."""
    process = sitk.N4BiasFieldCorrectionImageFilter()
    process.SetMaximumNumberOfIterations([20])
    process.SetConvergenceThreshold(0.0)
    values = np.random.default_rng(0).uniform(50, 150, (16, 16, 16)).astype(np.float32)
    return process, sitk.GetImageFromArray(values)


def registration() -> tuple[sitk.ImageRegistrationMethod, sitk.Image]:
    """Return a registration that would make some twenty iterations, and an image for it."""
    process = sitk.ImageRegistrationMethod()
    process.SetMetricAsMeanSquares()
    process.SetOptimizerAsRegularStepGradientDescent(1e-3, 1e-9, 20, gradientMagnitudeTolerance=1e-12)
    process.SetInitialTransform(sitk.TranslationTransform(3), inPlace=False)
    return process, n4()[1]


def test_progress_is_told_after_each_iteration():
    process, image = n4()
    told: list[tuple[float, str]] = []
    watched(process, lambda: process.Execute(image), 20, lambda *what: told.append(what), "Working")
    assert told == [(pytest.approx(done / 20), "Working") for done in range(1, 21)]


def test_a_stop_ends_the_filter_and_not_only_the_reports():
    process, image = registration()
    iterations: list[int] = []
    process.AddCommand(sitk.sitkIterationEvent, lambda: iterations.append(1))

    def stop(fraction: float, message: str) -> None:
        if fraction > 0.2:
            raise Cancelled("stopped by the user")

    with pytest.raises(Cancelled, match="stopped by the user"):
        watched(process, lambda: process.Execute(image, sitk.Shrink(image, (2, 2, 2))), 20, stop, "Working")
    assert len(iterations) < 10


def test_a_stop_of_n4_is_answered_when_it_has_ended():
    process, image = n4()
    told: list[float] = []

    def stop(fraction: float, message: str) -> None:
        told.append(fraction)
        raise Cancelled("stopped by the user")

    with pytest.raises(Cancelled, match="stopped by the user"):
        watched(process, lambda: process.Execute(image), 20, stop, "Working")
    assert told == [1 / 20]


def test_a_filters_own_error_is_passed_on():
    process, _ = n4()
    with pytest.raises(RuntimeError):
        watched(process, lambda: process.Execute(sitk.Image(3, 3, sitk.sitkVectorFloat32)), 20, print, "Working")


def test_the_number_of_threads_is_put_back_even_after_an_error():
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    with pytest.raises(ValueError, match="wrong"), one_thread():
        assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == 1
        raise ValueError("wrong")
    assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == before
