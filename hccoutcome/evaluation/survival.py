"""Survival of groups: Kaplan-Meier curves with numbers at risk, log-rank test, median and restricted mean.

Intervals of a curve are Greenwood's on the log(-log) scale (Kalbfleisch and Prentice), those of the median the times at
which the curve's limits reach one half (Brookmeyer and Crowley, Biometrics 1982;38:29).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sksurv.compare import compare_survival
from sksurv.nonparametric import kaplan_meier_estimator

from hccoutcome.errors import InputError
from hccoutcome.evaluation.estimate import Comparison, Estimate, Floats, Integers, normal_interval, wald
from hccoutcome.evaluation.outcomes import as_structured, check_groups, check_survival

GREENWOOD = "Greenwood, log(-log) scale"


@dataclass(frozen=True)
class Median:
    """Median survival in months; None where the curve, or its limit, does not fall to one half."""

    value: float | None
    lower: float | None
    upper: float | None
    level: float

    def __str__(self) -> str:
        shown = ["not reached" if part is None else f"{part:.1f}" for part in (self.value, self.lower, self.upper)]
        return f"{shown[0]} ({100 * self.level:g}% CI {shown[1]} to {shown[2]})"


@dataclass(frozen=True)
class KaplanMeier:
    """Kaplan-Meier curve; arrays of shape (times,), the first at 0 months, where everybody is alive.

    Attributes:
        name: of the group.
        times: months at which somebody had the event or left.
        survival, lower, upper: probability of surviving the time, with limits.
        at_risk: patients just before the time.
        events, censored: patients who had the event, or left, at the time.
        median: median survival.
        level: confidence level.
    """

    name: str
    times: Floats
    survival: Floats
    lower: Floats
    upper: Floats
    at_risk: Integers
    events: Integers
    censored: Integers
    median: Median
    level: float

    @property
    def patients(self) -> int:
        """Number of patients."""
        return int(self.events.sum() + self.censored.sum())

    def at(self, months: float) -> Estimate | None:
        """Return the probability of surviving so many months, None after the last patient left alive."""
        if months > self.times[-1] and self.survival[-1] > 0:
            return None
        place = int(np.searchsorted(self.times, months, side="right")) - 1
        limits = float(self.lower[place]), float(self.upper[place])
        return Estimate(float(self.survival[place]), *limits, self.level, GREENWOOD)

    def number_at_risk(self, months: Sequence[float]) -> tuple[int, ...]:
        """Return how many patients were still followed just before each time."""
        left = np.concatenate([[0], np.cumsum(self.events + self.censored)])
        places = np.searchsorted(self.times, months, side="left")
        return tuple(int(self.patients - left[place]) for place in places)


@dataclass(frozen=True)
class LogRank:
    """Log-rank test of equal survival.

    Attributes:
        chi_square, df, p: statistic, degrees of freedom (groups - 1), p value.
        groups: names, in order.
        patients, observed, expected: patients, events, and events expected if survival were equal, by group.
    """

    chi_square: float
    df: int
    p: float
    groups: tuple[str, ...]
    patients: tuple[int, ...]
    observed: tuple[int, ...]
    expected: tuple[float, ...]


def kaplan_meier(y: Any, name: str = "all", level: float = 0.95) -> KaplanMeier:
    """Return the Kaplan-Meier curve of patients; without events it stays at 1.

    Raises:
        InputError: ``y`` is no survival outcome.
    """
    outcome = check_survival(y, least_events=0)
    times, survival, limits = kaplan_meier_estimator(outcome.event, outcome.time, conf_level=level, conf_type="log-log")
    events = np.array([int((outcome.event & (outcome.time == time)).sum()) for time in times])
    leaving = np.array([int((outcome.time == time).sum()) for time in times])
    if times[0] > 0:
        times, survival = np.concatenate([[0.0], times]), np.concatenate([[1.0], survival])
        limits = np.concatenate([[[1.0], [1.0]], limits], axis=1)
        events, leaving = np.concatenate([[0], events]), np.concatenate([[0], leaving])
    # The limits of a probability of 0 or 1 are itself.
    lower, upper = (np.where(np.isfinite(limit), limit, survival) for limit in limits)
    at_risk = len(outcome.time) - np.concatenate([[0], np.cumsum(leaving)[:-1]])
    median = Median(_first_below(times, survival), _first_below(times, lower), _first_below(times, upper), level)
    return KaplanMeier(name, times, survival, lower, upper, at_risk, events, leaving - events, median, level)


def kaplan_meier_by_group(y: Any, groups: ArrayLike, level: float = 0.95) -> tuple[KaplanMeier, ...]:
    """Return the curve of each group, in the order of the groups' names.

    Raises:
        InputError: ``y`` is no survival outcome, or a patient has no group.
    """
    outcome = check_survival(y, least_events=0)
    labels = check_groups(groups, len(outcome.time), least=1)
    chosen = outcome.structured
    return tuple(kaplan_meier(chosen[labels == label], str(label), level) for label in np.unique(labels))


def median_follow_up(y: Any, level: float = 0.95) -> Median:
    """Return the median follow-up by the reverse Kaplan-Meier method (Schemper and Smith, 1996).

    Raises:
        InputError: ``y`` is no survival outcome.
    """
    outcome = check_survival(y, least_events=0)
    return kaplan_meier(as_structured(~outcome.event, outcome.time), level=level).median


def log_rank(y: Any, groups: ArrayLike) -> LogRank:
    """Test whether two or more groups survive alike.

    Raises:
        InputError: no event, fewer than two groups, a patient without a group.
    """
    outcome = check_survival(y)
    labels = check_groups(groups, len(outcome.time))
    chi_square, p, table, _ = compare_survival(outcome.structured, labels, return_stats=True)
    return LogRank(
        chi_square=float(chi_square),
        df=len(table) - 1,
        p=float(p),
        groups=tuple(map(str, table.index)),
        patients=tuple(map(int, table["counts"])),
        observed=tuple(map(int, table["observed"])),
        expected=tuple(map(float, table["expected"])),
    )


def restricted_mean(y: Any, months: float, level: float = 0.95) -> Estimate:
    """Return the mean survival up to a time: the area under the Kaplan-Meier curve.

    The variance is Greenwood's: sum over the events of (area beyond them)^2 d / (n (n - d)) (Klein and Moeschberger,
    2003, section 4.5). lifelines' "variance" is that of the patients' times, not of the mean.

    Raises:
        InputError: the time is not positive, or lies beyond the follow-up.
    """
    value, error = _area(y, months)
    return normal_interval(value, error, level, "Greenwood", (0.0, months))


def compare_restricted_means(first: Any, second: Any, months: float, level: float = 0.95) -> Comparison:
    """Compare the mean survival up to a time of two groups of patients.

    Raises:
        InputError: as ``restricted_mean``.
    """
    (one, of_one), (two, of_two) = (_area(y, months) for y in (first, second))
    return wald(one, two, math.hypot(of_one, of_two), level, "restricted mean, z")


def _area(y: Any, months: float) -> tuple[float, float]:
    """Return the area under the Kaplan-Meier curve up to a time, and its standard error."""
    curve = kaplan_meier(check_survival(y, least_events=0))
    if not 0 < months < math.inf or (months > curve.times[-1] and curve.survival[-1] > 0):
        raise InputError(
            f"A restricted mean ends inside the follow-up of {curve.times[-1]:g} months, found {months:g}: choose less."
        )
    inside = curve.times < months
    widths = np.diff(np.append(curve.times[inside], months))
    areas = widths * curve.survival[inside]
    beyond = areas[::-1].cumsum()[::-1]  # from each time on
    died, followed = curve.events[inside], curve.at_risk[inside]
    terms = (died > 0) & (followed > died)  # where all die, nothing lies beyond
    variance = (beyond[terms] ** 2 * died[terms] / (followed[terms] * (followed[terms] - died[terms]))).sum()
    return float(areas.sum()), math.sqrt(variance)


def _first_below(times: Floats, curve: Floats) -> float | None:
    """Return the first time at which a curve has fallen to one half, None where it does not."""
    below = np.flatnonzero(curve <= 0.5 + 1e-12)
    return float(times[below[0]]) if len(below) else None
