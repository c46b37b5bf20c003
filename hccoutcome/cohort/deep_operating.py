"""What a network's package says of a score: from where the outcome is predicted, and what became of its cohort."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hccoutcome.cohort.deep_fitting import Fitted, Rows
from hccoutcome.cohort.deep_settings import DeepTrainSettings, Outcome
from hccoutcome.deep.samples import Split
from hccoutcome.errors import InputError
from hccoutcome.evaluation.classification import Classification, agreement, choose_threshold
from hccoutcome.evaluation.crossvalidation import OutOfFold
from hccoutcome.evaluation.operating import out_of_fold_threshold, threshold_agreement
from hccoutcome.package.prognosis import Prognosis
from hccoutcome.package.threshold import ClassThreshold, JudgedOn, PredictedOutcome, Rate, ThresholdRule
from hccoutcome.survival.outlook import high_risk, make_prognosis

Scores = NDArray[np.float64]
RULE: ThresholdRule = "youden"
LEAST_SPREAD = 1e-3
"""Of logarithms of hazards: a network that tells patients apart by less has no risk groups."""
_CROSSED = (
    "Chosen on the places of {patients} patients among the training scores of networks that never saw them ({folds} "
    "folds), since every network has a scale of its own; it is the score at that place among this one's training "
    "scores. Sensitivity and specificity are those of places chosen in the same way without the fold that they judge, "
    "with Wilson's intervals."
)
_HELD_OUT = (
    "Chosen on the scores of the {training} patients that the network learned from and the {validation} that told when "
    "to stop. Sensitivity and specificity are those of {test} patients held out of both, with Wilson's intervals."
)
_MONTHLY = (
    "Risks and groups of each patient are those of networks that did not see the patient ({folds} folds), brought to "
    "this one's scale by their places among the training scores; curves stand on whole months and end where fewer than "
    "10 patients, or 5 of a group, are left."
)
_MONTHLY_HELD_OUT = (
    "Curves are those of the {patients} patients from whom no weight was learned ({validation} of them told when to "
    "stop), by the network itself; they stand on whole months and end where fewer than 10 patients, or 5 of a group, "
    "are left."
)


def threshold_of(
    outcome: Outcome,
    scores: Scores,
    split: Split,
    test: Rows,
    crossed: OutOfFold | None,
    settings: DeepTrainSettings,
) -> ClassThreshold | None:
    """Return the score from which a network predicts the outcome; None for survival and where none tells two classes.

    Args:
        outcome: of all patients.
        scores: of all patients.
        split: who trained, and who told when to stop.
        test: who had no part in the training.
        crossed: the cross-validation, None without one.
        settings: what is trained.
    """
    if settings.target == "survival":
        return None
    where: JudgedOn
    try:
        if crossed is not None:
            places = on_one_scale(crossed)
            chosen, where = out_of_fold_threshold(places, RULE), "cross-validation"
            value = None if chosen is None else float(np.quantile(scores[split.training], chosen))
            classes, patients = threshold_agreement(places, RULE), len(crossed.y)
            how = _CROSSED.format(patients=patients, folds=settings.folds)
        else:
            own = np.concatenate([split.training, split.validation])
            value, where = _chosen(outcome.happened[own], scores[own]), "held out"
            classes = agreement(outcome.happened[test], scores[test] >= (1.0 if value is None else value))
            sizes = {"training": len(split.training), "validation": len(split.validation), "test": len(test)}
            patients, how = len(own), _HELD_OUT.format(**sizes)
    except InputError:  # a class is missing outside of a fold: no threshold can be judged
        return None
    if value is None or not 0 < value < 1:
        return None
    return _threshold(value, patients, classes, how, where, settings)


def on_one_scale(crossed: OutOfFold) -> OutOfFold:
    """Return a cross-validation with the place among the fold's training scores in the place of each score."""
    return replace(crossed, predictions=crossed.percentiles)


def _chosen(outcome: NDArray[np.bool_], scores: Scores) -> float | None:
    """Return the threshold on some patients' scores; None where it calls all of them alike."""
    value = choose_threshold(outcome, scores, RULE).value
    return value if scores.min() < value <= scores.max() else None


def _threshold(
    value: float,
    patients: int,
    classes: Classification,
    how: str,
    where: JudgedOn,
    settings: DeepTrainSettings,
) -> ClassThreshold | None:
    if classes.sensitivity is None or classes.specificity is None:
        return None
    sensitivity, specificity = (
        Rate(rate.value, rate.lower, rate.upper) for rate in (classes.sensitivity, classes.specificity)
    )
    outcome: PredictedOutcome = "one-year survival" if settings.target == "one-year survival" else "response"
    return ClassThreshold(value, RULE, patients, sensitivity, specificity, how, where, outcome)


def prognosis_of(
    outcome: Outcome,
    scores: Scores,
    fitted: Fitted,
    test: Rows,
    crossed: OutOfFold | None,
    settings: DeepTrainSettings,
) -> Prognosis | None:
    """Return what became of the cohort of a network of survival, by risk groups at its training median.

    None for another outcome, and where too few patients are left that it did not learn from.

    Args:
        outcome: of all patients.
        scores: of all patients.
        fitted: the network.
        test: who had no part in the training.
        crossed: the cross-validation, None without one.
        settings: what is trained.
    """
    if settings.target != "survival":
        return None
    rows = np.sort(np.concatenate([fitted.split.validation, test]))
    y, risk, high = outcome.y(rows), scores[rows], scores[rows] >= fitted.config.median
    how = _MONTHLY_HELD_OUT.format(patients=len(rows), validation=len(fitted.split.validation))
    if crossed is not None:
        y, high = crossed.y, high_risk(crossed.percentiles)
        risk = np.quantile(scores[fitted.split.training], crossed.percentiles[0])
        how = _MONTHLY.format(folds=settings.folds)
    if not y["event"].any() or risk.std() < LEAST_SPREAD:
        return None
    try:
        return make_prognosis(settings.endpoint, y, risk, high, fitted.config.median, how)
    except InputError:
        return None
