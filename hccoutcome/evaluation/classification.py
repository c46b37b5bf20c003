"""Classes by a threshold that was chosen on training data: the confusion matrix and its rates with intervals.

Rates that are proportions have Wilson intervals. F1 = 2J / (1 + J) with J = TP / (TP + FP + FN): its interval is that
of J, carried over. The Brier score's interval is that of a mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from statsmodels.stats.proportion import proportion_confint

from hccoutcome.errors import InputError, nearest
from hccoutcome.evaluation.estimate import Estimate, normal_interval
from hccoutcome.evaluation.outcomes import check_binary, check_probabilities, check_scores

Rule = Literal["youden", "sensitivity", "specificity"]
WILSON = "Wilson"


@dataclass(frozen=True)
class Threshold:
    """A threshold and where it comes from; a patient is positive where the score reaches ``value``.

    Attributes:
        value: the threshold, halfway between two neighbouring scores of the training data.
        rule: ``youden`` (largest sensitivity + specificity), or the smallest loss of the other rate that keeps
            ``sensitivity`` or ``specificity`` at ``target``.
        target: that rate, None for ``youden``.
        sensitivity, specificity: in the training data, which flatter.
        patients: of the training data.
    """

    value: float
    rule: str
    target: float | None
    sensitivity: float
    specificity: float
    patients: int


@dataclass(frozen=True)
class Classification:
    """How classes and outcomes agree; a rate whose denominator is 0 is None.

    Attributes:
        threshold: scores from here on are positive.
        true_positive, false_positive, false_negative, true_negative: patients.
        sensitivity, specificity, ppv, npv, accuracy, f1: rates.
    """

    threshold: float
    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int
    sensitivity: Estimate | None
    specificity: Estimate | None
    ppv: Estimate | None
    npv: Estimate | None
    accuracy: Estimate | None
    f1: Estimate | None


@dataclass(frozen=True)
class Brier:
    """Brier score of probabilities.

    Attributes:
        score: mean squared difference of probability and outcome; 0 is perfect.
        reference: score of the prevalence given to everybody.
        scaled: 1 - score / reference: the part of it that the model explains, None where everybody has one outcome.
    """

    score: Estimate
    reference: float
    scaled: float | None


def choose_threshold(y: ArrayLike, scores: ArrayLike, rule: Rule = "youden", target: float | None = None) -> Threshold:
    """Return the threshold that a rule gives on training data; never call it with the patients it is measured on.

    Of equally good thresholds the lowest is taken, so that fewer responders are missed.

    Raises:
        InputError: a class is missing, the rule is unknown, or its target is missing or not between 0 and 1.
    """
    outcome = check_binary(y)
    values = check_scores(scores, len(outcome))
    _check_rule(rule, target)
    distinct = np.unique(values)
    # The lowest calls everybody positive, the highest nobody; the others lie between neighbours.
    nobody = np.nextafter(distinct[-1:], np.inf)
    candidates = np.concatenate([distinct[:1], distinct[:-1] + np.diff(distinct) / 2, nobody])
    sensitivity = _share_reaching(values[outcome], candidates)
    specificity = 1 - _share_reaching(values[~outcome], candidates)
    if rule == "youden":
        goodness = sensitivity + specificity
    elif rule == "sensitivity":
        goodness = np.where(sensitivity >= float(target or 0) - 1e-12, specificity, -1)
    else:
        goodness = np.where(specificity >= float(target or 0) - 1e-12, sensitivity, -1)
    best = int(np.flatnonzero(goodness >= goodness.max() - 1e-12)[0])
    return Threshold(
        float(candidates[best]), rule, target, float(sensitivity[best]), float(specificity[best]), len(values)
    )


def classify(y: ArrayLike, scores: ArrayLike, threshold: float, level: float = 0.95) -> Classification:
    """Return how the classes "score >= threshold" agree with the outcome; one class may be missing from the outcome.

    Raises:
        InputError: outcome or scores are missing somewhere.
    """
    outcome = check_binary(y, least=0)
    return agreement(outcome, check_scores(scores, len(outcome)) >= threshold, threshold, level)


def agreement(y: ArrayLike, positive: ArrayLike, threshold: float = math.nan, level: float = 0.95) -> Classification:
    """Return how given classes agree with the outcome, e.g. classes by each fold's own threshold.

    Raises:
        InputError: outcome or classes are missing somewhere or differ in length.
    """
    outcome, called = check_binary(y, least=0), check_binary(positive, least=0)
    if outcome.shape != called.shape:
        raise InputError(f"One class for each of {len(outcome)} patients is needed, found {len(called)}: align them.")
    tp, fp = int((outcome & called).sum()), int((~outcome & called).sum())
    fn, tn = int((outcome & ~called).sum()), int((~outcome & ~called).sum())
    return Classification(
        threshold=float(threshold),
        true_positive=tp,
        false_positive=fp,
        false_negative=fn,
        true_negative=tn,
        sensitivity=proportion(tp, tp + fn, level),
        specificity=proportion(tn, tn + fp, level),
        ppv=proportion(tp, tp + fp, level),
        npv=proportion(tn, tn + fn, level),
        accuracy=proportion(tp + tn, len(outcome), level),
        f1=_f1(tp, fp, fn, level),
    )


def proportion(count: int, total: int, level: float = 0.95) -> Estimate | None:
    """Return a proportion with Wilson's interval, None where there is nothing to count."""
    if total == 0:
        return None
    lower, upper = wilson(count, total, level)
    return Estimate(count / total, lower, upper, level, WILSON)


def wilson(count: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Return the limits of Wilson's interval of a proportion, which hold it in spite of rounding."""
    lower, upper = proportion_confint(count, total, alpha=1 - level, method="wilson")
    return min(float(lower), count / total), max(float(upper), count / total)


def brier(y: ArrayLike, probabilities: ArrayLike, level: float = 0.95) -> Brier:
    """Return the Brier score (Brier, Mon Weather Rev 1950;78:1) with the interval of a mean.

    Raises:
        InputError: values outside 0 to 1 or missing, fewer than two patients.
    """
    outcome = check_binary(y, least=0)
    values = check_probabilities(probabilities, len(outcome))
    if len(values) < 2:
        raise InputError("A Brier score with an interval needs at least 2 patients, found 1: evaluate on more.")
    losses = (values - outcome) ** 2
    error = float(losses.std(ddof=1)) / math.sqrt(len(losses))
    prevalence = float(outcome.mean())
    reference = prevalence * (1 - prevalence)
    score = normal_interval(float(losses.mean()), error, level, "normal, of a mean", (0.0, 1.0))
    return Brier(score, reference, 1 - score.value / reference if reference > 0 else None)


def _share_reaching(values: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Return the part of the values that is at least as large as each candidate."""
    below = np.searchsorted(np.sort(values), candidates, side="left")
    return np.asarray(1 - below / len(values))


def _f1(tp: int, fp: int, fn: int, level: float) -> Estimate | None:
    overlap = proportion(tp, tp + fp + fn, level)
    if overlap is None:
        return None
    value, lower, upper = (2 * j / (1 + j) for j in (overlap.value, overlap.lower, overlap.upper))
    return Estimate(value, lower, upper, level, "Wilson, by way of TP / (TP + FP + FN)")


def _check_rule(rule: str, target: float | None) -> None:
    if rule not in get_args(Rule):
        raise InputError(f"'{rule}' is no rule for a threshold; {nearest(rule, get_args(Rule))}.")
    if rule != "youden" and (target is None or not 0 < target <= 1):
        raise InputError(f"The rule '{rule}' needs a target above 0 and at most 1, found {target}: 0.9 asks for 90%.")
