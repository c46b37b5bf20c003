"""Measures at times: cumulative/dynamic AUC, Brier score and its integral, with censoring weights of the training data.

AUC(t): Uno et al., J Am Stat Assoc 2007;102:527; its mean over time as Lambert and Chevret, Stat Methods Med Res
2016;25:2088. Brier score: Graf et al., Stat Med 1999;18:2529. Intervals are those of the infinitesimal jackknife, with
the censoring weights taken as known. Patients followed beyond the horizon count as event-free until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sksurv.nonparametric import SurvivalFunctionEstimator

from hccoutcome.errors import InputError
from hccoutcome.evaluation.censoring import CensoringCurve, check_times
from hccoutcome.evaluation.concordance import TIED
from hccoutcome.evaluation.estimate import Bools, Estimate, Floats, normal_interval
from hccoutcome.evaluation.outcomes import Survival, check_survival

METHOD = "infinitesimal jackknife, censoring weights as known"


@dataclass(frozen=True)
class TimeDependentAuc:
    """AUC at times.

    Attributes:
        times: months, shape (times,).
        auc: of patients with the event by then against those without, one for each time.
        cases, controls: numbers of these patients.
        mean: mean over the times, weighted by the decrease of the survival curve.
    """

    times: Floats
    auc: tuple[Estimate, ...]
    cases: tuple[int, ...]
    controls: tuple[int, ...]
    mean: Estimate


@dataclass(frozen=True)
class TimeDependentBrier:
    """Brier score at times, 0 is perfect.

    Attributes:
        times: months, shape (times,).
        score: one for each time.
        reference: score of the training data's Kaplan-Meier curve given to everybody, shape (times,).
        integrated: mean over the times (trapezoids); None for a single time.
        integrated_reference: of the reference.
        scaled: 1 - integrated / integrated_reference; None for a single time.
    """

    times: Floats
    score: tuple[Estimate, ...]
    reference: Floats
    integrated: Estimate | None
    integrated_reference: float | None
    scaled: float | None


def time_dependent_auc(
    y_train: Any, y: Any, risk: ArrayLike, times: Sequence[float] | Floats, level: float = 0.95
) -> TimeDependentAuc:
    """Return the AUC at each time.

    Args:
        y_train: outcome of the training patients, from which the censoring is estimated.
        y: outcome of the evaluated patients.
        risk: shape (patients,), or (patients, times) where the order of the risks changes with time; higher is worse.
        times: months, between the first event and the end of the common follow-up.
        level: confidence level.

    Raises:
        InputError: a time outside the common follow-up, or risks that do not fit or are not finite.
    """
    outcome = check_survival(y)
    asked = check_times(times, y_train, y)
    risks = _columns(risk, len(outcome.time), len(asked), "risk")
    weights = 1 / CensoringCurve(y_train)(outcome.time)
    parts = [_auc_at(outcome, risks[:, place], weights, float(time)) for place, time in enumerate(asked)]
    values = np.array([value for value, _ in parts])
    influences = np.stack([influence for _, influence in parts])
    drops = -np.diff(SurvivalFunctionEstimator().fit(outcome.structured).predict_proba(asked), prepend=1.0)
    share = drops / drops.sum()
    return TimeDependentAuc(
        times=asked,
        auc=tuple(_bounded(value, influence, level) for value, influence in zip(values, influences, strict=True)),
        cases=tuple(int((outcome.event & (outcome.time <= time)).sum()) for time in asked),
        controls=tuple(int((outcome.time > time).sum()) for time in asked),
        mean=_bounded(float(values @ share), share @ influences, level),
    )


def time_dependent_brier(
    y_train: Any, y: Any, survival: ArrayLike, times: Sequence[float] | Floats, level: float = 0.95
) -> TimeDependentBrier:
    """Return the Brier score at each time and its integral.

    Args:
        y_train, y, times, level: as in ``time_dependent_auc``; give each time once, in order.
        survival: predicted probability of surviving each time, shape (patients, times).

    Raises:
        InputError: as ``time_dependent_auc``, or a probability outside 0 to 1.
    """
    outcome = check_survival(y)
    asked = check_times(times, y_train, y)
    predicted = _columns(survival, len(outcome.time), len(asked), "probability of survival")
    if predicted.min() < 0 or predicted.max() > 1:
        raise InputError(
            f"A probability of survival lies between 0 and 1, found {predicted.min():g} to {predicted.max():g}: give "
            "probabilities, not risks."
        )
    curve = CensoringCurve(y_train)
    losses = _losses(outcome, predicted, asked, curve)
    common = SurvivalFunctionEstimator().fit(check_survival(y_train).structured).predict_proba(asked)
    reference = _losses(outcome, np.tile(common, (len(outcome.time), 1)), asked, curve).mean(axis=0)
    score = tuple(_mean(column, level) for column in losses.T)
    if len(asked) == 1:
        return TimeDependentBrier(asked, score, reference, None, None, None)
    span = asked[-1] - asked[0]
    integrated = _mean(np.trapezoid(losses, asked, axis=1) / span, level)
    integrated_reference = float(np.trapezoid(reference, asked) / span)
    scaled = 1 - integrated.value / integrated_reference
    return TimeDependentBrier(asked, score, reference, integrated, integrated_reference, scaled)


def _auc_at(outcome: Survival, risk: Floats, weights: Floats, time: float) -> tuple[float, Floats]:
    """Return AUC(t) and the influence of each patient on it."""
    cases, controls = _cases(outcome, time), outcome.time > time
    weight = weights[cases]
    ahead = risk[cases, None] - risk[controls]
    credit = np.where(np.abs(ahead) <= TIED, 0.5, ahead > 0)
    of_cases, of_controls = credit.mean(axis=1), weight @ credit / weight.sum()
    value = float(weight @ of_cases / weight.sum())
    influence = np.zeros(len(risk))
    influence[cases] = weight * (of_cases - value) / weight.sum()
    influence[controls] = (of_controls - value) / controls.sum()
    return value, influence


def _losses(outcome: Survival, survival: Floats, times: Floats, curve: CensoringCurve) -> Floats:
    """Return the weighted squared error of each patient at each time, shape (patients, times)."""
    own = 1 / curve(outcome.time)
    then = 1 / curve(times)
    dead = np.stack([_cases(outcome, time) for time in times], axis=1)
    alive = outcome.time[:, None] > times
    found: Floats = survival**2 * dead * own[:, None] + (1 - survival) ** 2 * alive * then
    return found


def _cases(outcome: Survival, time: float) -> Bools:
    return outcome.event & (outcome.time <= time)


def _mean(losses: Floats, level: float) -> Estimate:
    error = float(losses.std(ddof=1) / np.sqrt(len(losses)))
    return normal_interval(float(losses.mean()), error, level, METHOD, (0.0, float("inf")))


def _bounded(value: float, influence: Floats, level: float) -> Estimate:
    return normal_interval(float(value), float(np.linalg.norm(influence)), level, METHOD, (0.0, 1.0))


def _columns(values: ArrayLike, patients: int, times: int, name: str) -> Floats:
    """Return values of shape (patients, times); one column serves all times."""
    found = np.asarray(values, float)
    if found.ndim == 1:
        found = np.repeat(found[:, None], times, axis=1)
    if found.shape != (patients, times):
        raise InputError(
            f"A {name} for each of {patients} patients (and {times} times) is needed, found shape {found.shape}: align "
            "them, and give each time once and in order."
        )
    if not np.isfinite(found).all():
        raise InputError(f"A {name} is a finite number, found {np.count_nonzero(~np.isfinite(found))} that are not.")
    return found
