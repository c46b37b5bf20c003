"""How survival follows from a risk: Cox's model of one covariate, and the curves of risk groups for packages."""

from __future__ import annotations

import numpy as np
from sksurv.linear_model import CoxPHSurvivalAnalysis

from hccoutcome.errors import InputError
from hccoutcome.evaluation.survival import kaplan_meier
from hccoutcome.package.prognosis import GroupCurve, Prognosis, ScoreCurve

LEAST_AT_RISK = 10
"""A package's curves end where fewer patients of the cohort are left."""
LEAST_IN_A_GROUP = 5
"""They also end where fewer of a risk group are left."""


def high_risk(percentiles: np.ndarray) -> np.ndarray:
    """Return who is at high risk in most repeats of a cross-validation: at least half of the training part lies below.

    Args:
        percentiles: part of the fold's training risks below that of a held-out patient, shape (repeats, patients).
    """
    return np.asarray((percentiles >= 0.5).mean(axis=0) >= 0.5)


def score_curve(outcome: np.ndarray, risk: np.ndarray, times: np.ndarray) -> ScoreCurve:
    """Return Cox's model of survival by a risk, ties by Breslow's method.

    Args:
        outcome: structured array (event, time), shape (patients,).
        risk: shape (patients,); of patients that the risk was not learned from, or the curve flatters.
        times: months at which the baseline is wanted.
    """
    event, time = outcome["event"], outcome["time"]
    coefficient = 0.0
    if risk.std() > 0:
        # On the scale of deviations: Newton's steps leave the range of numbers where a risk hardly varies.
        scaled = (risk - risk.mean()) / risk.std()
        fitted = CoxPHSurvivalAnalysis(ties="breslow").fit(scaled[:, None], outcome)
        coefficient = float(fitted.coef_[0] / risk.std())
    deaths = np.sort(time[event])
    at_risk = time >= deaths[:, None]
    weight = np.exp(coefficient * risk) * at_risk
    sums = [(weight * risk**power).sum(axis=1) for power in range(3)]
    information = float((sums[2] / sums[0] - (sums[1] / sums[0]) ** 2).sum())
    until = np.searchsorted(deaths, times, side="right")

    def up_to(steps: np.ndarray) -> tuple[float, ...]:
        return tuple(float(value) for value in np.concatenate([[0.0], np.cumsum(steps)])[until])

    return ScoreCurve(
        coefficient=coefficient,
        variance=1 / information if information > 1e-12 else 0.0,
        hazard=up_to(1 / sums[0]),
        variation=up_to(1 / sums[0] ** 2),
        leverage=up_to(sums[1] / sums[0] ** 2),
    )


def make_prognosis(
    endpoint: str, outcome: np.ndarray, risk: np.ndarray, high: np.ndarray, cut: float, source: str
) -> Prognosis:
    """Return what a package tells of its cohort, on a grid of whole months.

    Args:
        endpoint: name of the endpoint: ``"os"``.
        outcome: structured array (event, time in months), shape (patients,).
        risk: out-of-fold risk, shape (patients,).
        high: whether a patient was in the high risk group of the model that did not see it, shape (patients,).
        cut: median risk of the final model's training cohort.
        source: how risk and groups came about, in words.

    Raises:
        InputError: too few patients for curves.
    """
    groups = [outcome[~high], outcome[high]]
    months = np.arange(int(outcome["time"].max()) + 1)
    left = [(group["time"] >= months[:, None]).sum(axis=1) for group in groups]
    enough = (np.minimum(*left) >= LEAST_IN_A_GROUP) & (left[0] + left[1] >= LEAST_AT_RISK)
    if not enough[0]:
        raise InputError(
            f"Survival curves of risk groups need at least {LEAST_IN_A_GROUP} patients in each group, found "
            f"{left[0][0]} and {left[1][0]}: use a larger cohort."
        )
    months = months[: int(enough.sum())]
    low_curve, high_curve = (_group_curve(group, months) for group in groups)
    return Prognosis(
        endpoint=endpoint,
        months=tuple(int(month) for month in months),
        cut=cut,
        low=low_curve,
        high=high_curve,
        curve=score_curve(outcome, risk, months),
        source=source,
    )


def _group_curve(outcome: np.ndarray, months: np.ndarray) -> GroupCurve:
    curve = kaplan_meier(outcome)
    places = np.searchsorted(curve.times, months, side="right") - 1
    return GroupCurve(
        cases=len(outcome),
        events=int(outcome["event"].sum()),
        survival=tuple(float(value) for value in curve.survival[places]),
        lower=tuple(float(value) for value in curve.lower[places]),
        upper=tuple(float(value) for value in curve.upper[places]),
        at_risk=curve.number_at_risk([float(month) for month in months]),
    )
