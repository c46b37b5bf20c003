"""Inverse probability of censoring weights, and the time up to which they are defined.

A weight 1 / G(t) needs patients in the training data who were still followed at t. Beyond them nothing can be said, so
every weighted measure ends at ``horizon``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sksurv.nonparametric import CensoringDistributionEstimator

from hccoutcome.errors import InputError
from hccoutcome.evaluation.estimate import Floats
from hccoutcome.evaluation.outcomes import check_survival


class CensoringCurve:
    """Kaplan-Meier estimate G of the probability of still being followed, from training data."""

    def __init__(self, y_train: Any) -> None:
        self._curve = CensoringDistributionEstimator().fit(check_survival(y_train, least_events=0).structured)

    @property
    def end(self) -> float:
        """The last time at which G is known and above 0."""
        return float(self._curve.unique_time_[self._curve.prob_ > 0][-1])

    def __call__(self, times: Floats) -> Floats:
        """Return G at times up to ``end``; infinite beyond it, so that a weight there is 0."""
        found = np.full(len(times), np.inf)
        known = times <= self.end
        if known.any():
            found[known] = self._curve.predict_proba(times[known])
        return found


def horizon(y_train: Any, y: Any) -> float:
    """Return the last time in months at which measures of ``y`` with weights from ``y_train`` are defined.

    It is the last time with training patients under follow-up, and lies before the last time of ``y``, so that somebody
    is left to compare with.

    Raises:
        InputError: there is no such time.
    """
    outcome = check_survival(y)
    end = CensoringCurve(y_train).end
    known = outcome.time[(outcome.time <= end) & (outcome.time < outcome.time.max())]
    if not len(known) or not np.isfinite(end):
        raise InputError(
            f"Evaluation needs follow-up in both sets of patients, found training follow-up until {end:g} months and "
            f"the first evaluated time at {outcome.time.min():g}: use the same unit of time in both."
        )
    return float(known.max())


def check_times(times: Sequence[float] | Floats, y_train: Any, y: Any) -> Floats:
    """Return increasing evaluation times, shape (times,), that lie between the first event and the horizon.

    Raises:
        InputError: a time lies outside, is not finite, or none is given.
    """
    asked = np.unique(np.asarray(times, float))
    if not len(asked) or not np.isfinite(asked).all():
        raise InputError(f"Evaluation times are months, found {list(times)}: name at least one.")
    outcome = check_survival(y)
    first, last = float(outcome.time[outcome.event].min()), horizon(y_train, y)
    wrong = asked[(asked < first) | (asked > last)]
    if len(wrong):
        raise InputError(
            f"Evaluation times lie between the first event at {first:g} and the end of the common follow-up at "
            f"{last:g} months, found {wrong[0]:g}: choose others, or see evaluation_times."
        )
    return asked


def evaluation_times(y_train: Any, y: Any, points: int = 50) -> Floats:
    """Return evenly spaced times from the first tenth to the last tenth of the events inside the horizon.

    Raises:
        InputError: no event lies before the horizon.
    """
    outcome = check_survival(y)
    last = horizon(y_train, y)
    inside = outcome.time[outcome.event & (outcome.time <= last)]
    if not len(inside):
        raise InputError(f"No event lies before the end of the common follow-up at {last:g} months: follow up longer.")
    first, end = (float(time) for time in np.quantile(inside, (0.1, 0.9)))
    return np.unique(np.linspace(first, end, points))
