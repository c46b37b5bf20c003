"""Where predicted responders begin, from a cross-validation: the threshold of a package and what it may be worth.

A threshold on predictions for the training patients themselves suits a model that knows them by heart and nobody else.
It is therefore chosen on their out-of-fold predictions, those of all repeats together. What such a threshold is worth
is measured the same way: the classes of each fold by a threshold chosen on the patients outside the fold.
"""

from __future__ import annotations

import numpy as np

from hccoutcome.evaluation.classification import Classification, Rule, agreement, choose_threshold
from hccoutcome.evaluation.crossvalidation import OutOfFold
from hccoutcome.evaluation.estimate import Bools


def out_of_fold_threshold(found: OutOfFold, rule: Rule = "youden", target: float | None = None) -> float | None:
    """Return the threshold on the out-of-fold predictions of all repeats; None where none tells two classes apart.

    Args:
        found: a cross-validation of response.
        rule, target: as ``choose_threshold`` takes them.

    Raises:
        InputError: a class is missing, or the rule is unknown.
    """
    value = _chosen(found, np.ones(len(found.y), bool), rule, target)
    both = found.predictions.min() < value <= found.predictions.max()
    return value if both else None


def classes_by_others(found: OutOfFold, rule: Rule = "youden", target: float | None = None) -> Bools:
    """Return each patient's class by the threshold of the patients outside of the fold, shape (repeats, patients).

    The thresholds never see the patients that they judge. The models behind the other patients' predictions do, each
    among its training patients: what is left of that in one number is small, and stated here.

    Raises:
        InputError: outside of a fold a class is missing.
    """
    classes = np.empty(found.predictions.shape, bool)
    for repeat, folds in enumerate(found.fold):
        for number in np.unique(folds):
            held = folds == number
            classes[repeat, held] = found.predictions[repeat, held] >= _chosen(found, ~held, rule, target)
    return classes


def threshold_agreement(found: OutOfFold, rule: Rule = "youden", target: float | None = None) -> Classification:
    """Return how classes by ``classes_by_others``, in at least half of the repeats, agree with the outcomes."""
    most = classes_by_others(found, rule, target).mean(axis=0) >= 0.5
    return agreement(found.y, most)


def _chosen(found: OutOfFold, patients: Bools, rule: Rule, target: float | None) -> float:
    """Return the threshold by some patients' predictions of all repeats."""
    repeats = len(found.predictions)
    return choose_threshold(
        np.tile(found.y[patients], repeats), found.predictions[:, patients].ravel(), rule, target
    ).value
