"""Discrimination of a binary outcome: ROC curve, AUC with DeLong's interval, DeLong's tests.

DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837; computed from midranks as Sun and Xu, IEEE Signal Process
Lett 2014;21:1389. An AUC of 0 or 1 has no DeLong variance: its interval is Newcombe's (Stat Med 2006;25:559, method 5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.optimize import brentq
from sklearn.metrics import roc_curve as sklearn_roc_curve

from hccoutcome.evaluation.estimate import Comparison, Estimate, Floats, normal_interval, quantile_of, tails, wald
from hccoutcome.evaluation.outcomes import check_binary, check_scores

DELONG = "DeLong"
NEWCOMBE = "Newcombe method 5 (DeLong's variance is 0)"


@dataclass(frozen=True)
class RocCurve:
    """ROC curve; arrays of shape (points,), from (0, 0) to (1, 1).

    Attributes:
        specificity, sensitivity: of "score >= threshold".
        thresholds: the first is infinite: nobody is called positive.
        auc: area under it.
        positives, negatives: patients with and without the outcome.
    """

    specificity: Floats
    sensitivity: Floats
    thresholds: Floats
    auc: Estimate
    positives: int
    negatives: int


@dataclass(frozen=True)
class RocBand:
    """Pointwise band of a ROC curve at fixed specificities; arrays of shape (points,)."""

    specificity: Floats
    lower: Floats
    upper: Floats
    level: float


def auc(y: ArrayLike, scores: ArrayLike, level: float = 0.95) -> Estimate:
    """Return the area under the ROC curve with DeLong's interval.

    Args:
        y: outcome of shape (patients,), True or 1 with it.
        scores: shape (patients,), higher where the outcome is expected.
        level: confidence level.

    Raises:
        InputError: a class with fewer than two patients, or scores that are not finite.
    """
    outcome = check_binary(y, least=2)
    values = check_scores(scores, len(outcome))
    areas, covariance = _delong(outcome, values[None])
    return _interval(float(areas[0]), float(covariance[0, 0]), int(outcome.sum()), int((~outcome).sum()), level)


def compare_aucs(y: ArrayLike, first: ArrayLike, second: ArrayLike, level: float = 0.95) -> Comparison:
    """Compare the AUCs of two scores of the same patients by DeLong's paired test.

    Raises:
        InputError: as ``auc``.
    """
    outcome = check_binary(y, least=2)
    scores = np.stack([check_scores(values, len(outcome)) for values in (first, second)])
    areas, covariance = _delong(outcome, scores)
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    # The three terms of equal scores cancel up to rounding only.
    error = math.sqrt(variance) if variance > 1e-14 else 0.0
    return wald(float(areas[0]), float(areas[1]), error, level, "DeLong, paired")


def compare_independent_aucs(
    first_y: ArrayLike, first: ArrayLike, second_y: ArrayLike, second: ArrayLike, level: float = 0.95
) -> Comparison:
    """Compare the AUCs of scores in two sets of patients by DeLong's unpaired test.

    The statistic has a t distribution with Satterthwaite's degrees of freedom, as pROC computes it.

    Raises:
        InputError: as ``auc``.
    """
    areas, variances, sizes = [], [], []
    for y, scores in ((first_y, first), (second_y, second)):
        outcome = check_binary(y, least=2)
        area, covariance = _delong(outcome, check_scores(scores, len(outcome))[None])
        areas.append(float(area[0]))
        variances.append(float(covariance[0, 0]))
        sizes.append(len(outcome))
    total = sum(variances)
    parts = sum(variance**2 / (size - 1) for variance, size in zip(variances, sizes, strict=True))
    df = total**2 / parts if parts > 0 else math.inf
    return wald(areas[0], areas[1], math.sqrt(total), level, "DeLong, unpaired", df)


def roc_curve(y: ArrayLike, scores: ArrayLike, level: float = 0.95) -> RocCurve:
    """Return the ROC curve with all its corners, and its area with DeLong's interval.

    Raises:
        InputError: as ``auc``.
    """
    outcome = check_binary(y, least=2)
    values = check_scores(scores, len(outcome))
    false_positive, true_positive, thresholds = sklearn_roc_curve(outcome, values, drop_intermediate=False)
    positives = int(outcome.sum())
    area = auc(outcome, values, level)
    return RocCurve(1 - false_positive, true_positive, thresholds, area, positives, len(outcome) - positives)


def roc_band(
    y: ArrayLike, scores: ArrayLike, *, seed: int, resamples: int = 1000, level: float = 0.95, points: int = 101
) -> RocBand:
    """Return a percentile bootstrap band of the sensitivity at each of ``points`` specificities.

    Patients are drawn again within each class, so that every resample has both.

    Raises:
        InputError: as ``auc``.
    """
    outcome = check_binary(y, least=2)
    values = check_scores(scores, len(outcome))
    positive, negative = values[outcome], values[~outcome]
    random = np.random.default_rng(seed)
    grid = np.linspace(0, 1, points)
    curves = np.empty((resamples, points))
    for row in curves:
        cases = np.sort(random.choice(positive, len(positive)))
        controls = np.sort(random.choice(negative, len(negative)))
        # The lowest threshold that calls at least this part of the controls negative.
        place = np.ceil(grid * len(controls) - 1e-9).astype(int)
        cut = np.concatenate([[-np.inf], controls])[place]
        row[:] = 1 - np.searchsorted(cases, cut, side="right") / len(cases)
    lower, upper = np.quantile(curves, tails(level), axis=0)
    return RocBand(grid, lower, upper, level)


def _delong(outcome: np.ndarray, scores: Floats) -> tuple[Floats, Floats]:
    """Return the AUC of each row of ``scores`` (rows, patients), and the covariance of the AUCs (rows, rows)."""
    positives, negatives = int(outcome.sum()), int((~outcome).sum())
    together = stats.rankdata(scores, axis=1)
    of_cases = (together[:, outcome] - stats.rankdata(scores[:, outcome], axis=1)) / negatives
    of_controls = 1 - (together[:, ~outcome] - stats.rankdata(scores[:, ~outcome], axis=1)) / positives
    covariance = np.atleast_2d(np.cov(of_cases)) / positives + np.atleast_2d(np.cov(of_controls)) / negatives
    return of_cases.mean(axis=1), covariance


def _interval(area: float, variance: float, positives: int, negatives: int, level: float) -> Estimate:
    if area in (0.0, 1.0):
        return _newcombe(area, positives, negatives, level)
    return normal_interval(area, math.sqrt(variance), level, DELONG, bounds=(0.0, 1.0))


def _newcombe(area: float, positives: int, negatives: int, level: float) -> Estimate:
    """Return Newcombe's interval of an AUC of 0 or 1: the other limit solves (area - t)^2 = z^2 V(t)."""
    z = quantile_of(level)
    half = (positives + negatives) / 2 - 1

    def excess(t: float) -> float:
        shape = 1 + half * ((1 - t) / (2 - t) + t / (1 + t))
        return (area - t) ** 2 - z**2 * t * (1 - t) * shape / (positives * negatives)

    # Where the area is 1, t = 1 solves it too: the search stays away from it.
    ends = (1e-12, 1 - 1e-12)
    limit = float(brentq(excess, *ends))
    return Estimate(area, min(area, limit), max(area, limit), level, NEWCOMBE)
