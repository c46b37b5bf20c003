"""Figures of a cross-validation with intervals: pairs are compared inside folds, repeats are averaged.

Predictions of different folds come from different models and need not share a scale, so AUC and C compare the patients
of one fold only (the sum of all concordant pairs by that of all comparable ones; with folds of equal size, the average
over the folds of LeDell et al., Electron J Stat 2015;9:1583). The interval takes the patients as a sample and keeps the
models fixed: it does not hold how much they would vary with other training patients.
"""

from __future__ import annotations

import math

import numpy as np

from hccoutcome.errors import InputError
from hccoutcome.evaluation.concordance import PairSums, as_estimate, binary_as_survival, pair_sums
from hccoutcome.evaluation.crossvalidation import OutOfFold
from hccoutcome.evaluation.estimate import Comparison, Estimate, wald
from hccoutcome.evaluation.outcomes import check_survival, is_survival


def cross_validated(found: OutOfFold, level: float = 0.95) -> Estimate:
    """Return the cross-validated AUC of a response, or Harrell's C of survival.

    Raises:
        InputError: no fold holds a comparable pair.
    """
    repeats = _repeats(found)
    value = float(np.mean([part.value for part in repeats]))
    events = repeats[0].events
    return as_estimate(value, [part.influence for part in repeats], events, level)


def compare_cross_validated(first: OutOfFold, second: OutOfFold, level: float = 0.95) -> Comparison:
    """Compare two systems that were cross-validated on the same patients, by their joint jackknife.

    Raises:
        InputError: other patients or outcomes, or as ``cross_validated``.
    """
    if first.cases != second.cases or (first.y != second.y).any():
        raise InputError("Two systems are compared on the same patients in the same order, found others: align them.")
    values, influences = [], []
    for found in (first, second):
        repeats = _repeats(found)
        values.append(float(np.mean([part.value for part in repeats])))
        influences.append(np.mean([part.influence for part in repeats], axis=0))
    error = float(np.linalg.norm(influences[0] - influences[1]))
    return wald(values[0], values[1], error, level, "infinitesimal jackknife, paired, within folds")


def _repeats(found: OutOfFold) -> list[PairSums]:
    outcome = check_survival(found.y) if is_survival(found.y) else binary_as_survival(found.y)
    repeats = [pair_sums(outcome, risk, strata=fold) for risk, fold in zip(found.predictions, found.fold, strict=True)]
    if any(math.isnan(part.value) for part in repeats):
        raise InputError(
            "No fold holds two patients that can be compared: ask for fewer folds, or evaluate on more patients."
        )
    return repeats
