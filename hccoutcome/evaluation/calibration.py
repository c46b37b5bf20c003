"""Calibration: do patients who were given 30% have the outcome in 30 of 100 cases?

Intercept and slope: Cox, Biometrika 1958;45:562, as in Van Calster et al., BMC Med 2019;17:230. The curve is a local
linear regression (lowess, without robustness weights) of the outcome on the probability, with a pointwise percentile
bootstrap band; ICI, E50 and E90 are the mean, median and 90% quantile of its distance from the diagonal (Austin and
Steyerberg, Stat Med 2019;38:4051). Survival is calibrated at one time, by Kaplan-Meier in groups of equal size.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import statsmodels.api as sm
from numpy.typing import ArrayLike
from statsmodels.nonparametric.smoothers_lowess import lowess

from hccoutcome.errors import InputError
from hccoutcome.evaluation.classification import WILSON, wilson
from hccoutcome.evaluation.estimate import Bools, Estimate, Floats, normal_interval, tails
from hccoutcome.evaluation.outcomes import as_structured, check_binary, check_probabilities, check_survival
from hccoutcome.evaluation.survival import KaplanMeier, kaplan_meier

EDGE = 1e-3
"""Probabilities of 0 and 1 have no logit: for intercept and slope they are moved this far inside."""
SPAN = 0.75
"""Part of the patients that each point of the curve looks at."""
_LEAST_DISTINCT = 5
"""Fewer different probabilities have no curve."""


@dataclass(frozen=True)
class CalibrationLine:
    """Logistic recalibration.

    Attributes:
        intercept: calibration in the large, with the slope held at 1: 0 where as many have the outcome as were
            predicted, above 0 where more have it.
        slope: 1 is right, below 1 the probabilities are too extreme (overfitting); None where they are all the same, or
            separate the classes completely.
        observed, expected: patients with the outcome, and sum of the probabilities.
        moved: probabilities that were moved inside by ``EDGE``.
    """

    intercept: Estimate
    slope: Estimate | None
    observed: int
    expected: float
    moved: int


@dataclass(frozen=True)
class CalibrationGroup:
    """Patients with similar predictions.

    Attributes:
        patients: how many.
        predicted: their mean predicted probability.
        observed: part of them with the outcome (or surviving), with interval; None where the follow-up ends before.
    """

    patients: int
    predicted: float
    observed: Estimate | None


@dataclass(frozen=True)
class CalibrationCurve:
    """Observed against predicted probability.

    Attributes:
        predicted: shape (points,), from the lowest to the highest prediction; empty where there are too few different
            ones.
        observed, lower, upper: lowess curve and its band, shape (points,).
        level: of the band.
        groups: of equal size, for points beside the curve.
        ici, e50, e90: distance of the curve from the diagonal over the patients; None without a curve.
        ece: expected calibration error over the groups.
    """

    predicted: Floats
    observed: Floats
    lower: Floats
    upper: Floats
    level: float
    groups: tuple[CalibrationGroup, ...]
    ici: float | None
    e50: float | None
    e90: float | None
    ece: float


@dataclass(frozen=True)
class SurvivalCalibration:
    """Observed against predicted survival at one time.

    Attributes:
        months: the time.
        groups: of equal size, from the lowest predicted survival on.
        observed: of all patients, by Kaplan-Meier; None where the follow-up ends before.
        predicted: mean over all patients.
        ratio: observed over expected events, with the interval of the observed; None where one of them has no value.
    """

    months: float
    groups: tuple[CalibrationGroup, ...]
    observed: Estimate | None
    predicted: float
    ratio: Estimate | None


def calibration_line(y: ArrayLike, probabilities: ArrayLike, level: float = 0.95) -> CalibrationLine:
    """Return intercept and slope of the logistic recalibration, with Wald intervals.

    Raises:
        InputError: a class is missing, or a probability is missing or outside 0 to 1.
    """
    outcome = check_binary(y)
    values = check_probabilities(probabilities, len(outcome))
    inside = np.clip(values, EDGE, 1 - EDGE)
    logits = np.log(inside / (1 - inside))
    ones = np.ones((len(outcome), 1))
    large = sm.GLM(outcome.astype(float), ones, sm.families.Binomial(), offset=logits).fit()
    return CalibrationLine(
        intercept=normal_interval(float(large.params[0]), float(large.bse[0]), level, "Wald"),
        slope=None if _without_slope(outcome, logits) else _slope(outcome, logits, level),
        observed=int(outcome.sum()),
        expected=float(values.sum()),
        moved=int(np.count_nonzero(values != inside)),
    )


def calibration_curve(
    y: ArrayLike,
    probabilities: ArrayLike,
    *,
    seed: int,
    groups: int = 5,
    resamples: int = 500,
    level: float = 0.95,
    points: int = 50,
) -> CalibrationCurve:
    """Return the calibration curve with its band, and groups of equal size with Wilson intervals.

    Args:
        y: outcome, shape (patients,).
        probabilities: shape (patients,).
        seed: of the bootstrap over the patients.
        groups: of equal size, fewer where probabilities tie.
        resamples: bootstrap samples.
        level: of band and intervals.
        points: at which the curve is computed.

    Raises:
        InputError: a probability is missing or outside 0 to 1, or fewer than 2 patients a group.
    """
    outcome = check_binary(y)
    values = check_probabilities(probabilities, len(outcome))
    parts = [
        CalibrationGroup(len(rows), float(values[rows].mean()), _observed(outcome[rows], level))
        for rows in _equal_groups(values, groups)
    ]
    misses = [part.patients * abs(part.predicted - part.observed.value) for part in parts if part.observed]
    ece = float(sum(misses) / len(values))
    if len(np.unique(values)) < _LEAST_DISTINCT:
        none = np.empty(0)
        return CalibrationCurve(none, none, none, none, level, tuple(parts), None, None, None, ece)
    grid = np.linspace(values.min(), values.max(), points)
    curve = _lowess(outcome, values, grid)
    lower, upper = _band(outcome, values, grid, seed, resamples, level)
    misses_of_curve = np.abs(np.interp(values, grid, curve) - values)
    e50, e90 = (float(part) for part in np.quantile(misses_of_curve, (0.5, 0.9)))
    ici = float(misses_of_curve.mean())
    return CalibrationCurve(
        grid, curve, np.minimum(lower, curve), np.maximum(upper, curve), level, tuple(parts), ici, e50, e90, ece
    )


def survival_calibration(
    y: Any, survival: ArrayLike, months: float, *, groups: int = 4, level: float = 0.95
) -> SurvivalCalibration:
    """Return predicted against observed survival at a time.

    Args:
        y: structured array (event, time).
        survival: predicted probability of surviving ``months``, shape (patients,).
        months: the time.
        groups: of equal size by prediction.
        level: confidence level.

    Raises:
        InputError: a probability is missing or outside 0 to 1, the time is not positive, or fewer than 2 patients a
            group.
    """
    outcome = check_survival(y)
    values = check_probabilities(survival, len(outcome.time))
    if not 0 < months < np.inf:
        raise InputError(f"Survival is calibrated at a positive number of months, found {months:g}: name a time.")
    parts = []
    for rows in _equal_groups(values, groups):
        curve = kaplan_meier(as_structured(outcome.event[rows], outcome.time[rows]), level=level)
        parts.append(CalibrationGroup(len(rows), float(values[rows].mean()), curve.at(months)))
    everybody: KaplanMeier = kaplan_meier(outcome, level=level)
    observed, predicted = everybody.at(months), float(values.mean())
    ratio = None
    if observed is not None and predicted < 1:
        value, lower, upper = (
            (1 - part) / (1 - predicted) for part in (observed.value, observed.upper, observed.lower)
        )
        ratio = Estimate(value, lower, upper, level, f"{observed.method}, of the observed")
    return SurvivalCalibration(months, tuple(parts), observed, predicted, ratio)


def _without_slope(outcome: Bools, logits: Floats) -> bool:
    """Return whether all predictions are the same, or those of one class all lie on one side of the other's."""
    cases, controls = logits[outcome], logits[~outcome]
    separate = cases.min() >= controls.max() or cases.max() <= controls.min()
    return bool(np.ptp(logits) < 1e-9 or separate)


def _slope(outcome: Bools, logits: Floats, level: float) -> Estimate:
    fitted = sm.GLM(outcome.astype(float), sm.add_constant(logits), sm.families.Binomial()).fit()
    return normal_interval(float(fitted.params[1]), float(fitted.bse[1]), level, "Wald")


def _observed(outcome: Bools, level: float) -> Estimate:
    lower, upper = wilson(int(outcome.sum()), len(outcome), level)
    return Estimate(float(outcome.mean()), lower, upper, level, WILSON)


def _equal_groups(values: Floats, groups: int) -> list[np.ndarray]:
    """Return the rows of groups of equal size in the order of the values; equal values stay together."""
    if groups < 1 or len(values) < 2 * groups:
        raise InputError(f"{groups} groups need at least {2 * groups} patients, found {len(values)}: ask for fewer.")
    borders = np.unique(np.quantile(values, np.linspace(0, 1, groups + 1)[1:-1]))
    place = np.searchsorted(borders, values, side="left")
    return [np.flatnonzero(place == number) for number in np.unique(place)]


def _lowess(outcome: Bools, values: Floats, grid: Floats) -> Floats:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # a resample may leave a point without neighbours: NaN
        found = lowess(outcome.astype(float), values, frac=SPAN, it=0, xvals=grid)
    return np.clip(np.asarray(found, float), 0, 1)


def _band(
    outcome: Bools, values: Floats, grid: Floats, seed: int, resamples: int, level: float
) -> tuple[Floats, Floats]:
    random = np.random.default_rng(seed)
    drawn = np.empty((resamples, len(grid)))
    for row in drawn:
        rows = random.integers(0, len(values), len(values))
        row[:] = _lowess(outcome[rows], values[rows], grid)
    lower, upper = np.nanquantile(drawn, tails(level), axis=0)
    return np.asarray(lower), np.asarray(upper)
