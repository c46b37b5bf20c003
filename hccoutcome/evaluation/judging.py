"""Everything that is measured of a system's predictions, and of two systems against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hccoutcome.errors import InputError
from hccoutcome.evaluation.calibration import calibration_curve, calibration_line, survival_calibration
from hccoutcome.evaluation.classification import agreement, brier
from hccoutcome.evaluation.concordance import compare_concordance, harrell, uno
from hccoutcome.evaluation.cox import check_proportional_hazards, hazard_ratio
from hccoutcome.evaluation.crossvalidated import compare_cross_validated, cross_validated
from hccoutcome.evaluation.crossvalidation import OutOfFold
from hccoutcome.evaluation.decision import DecisionCurves, decision_curves, survival_decision_curves
from hccoutcome.evaluation.discrimination import auc, compare_aucs, roc_band, roc_curve
from hccoutcome.evaluation.estimate import Bools, Comparison, Estimate, Floats
from hccoutcome.evaluation.outcomes import is_survival
from hccoutcome.evaluation.study import Followed, Predicted, ResponseFigures, SubgroupFigure, SurvivalFigures, Versus
from hccoutcome.evaluation.subgroups import forest
from hccoutcome.evaluation.survival import kaplan_meier, log_rank
from hccoutcome.evaluation.timedependent import time_dependent_auc, time_dependent_brier

GROUPS = ("low risk", "high risk")
Found = TypeVar("Found")


class _Notes:
    """What could not be measured, and why."""

    def __init__(self) -> None:
        self._sentences: list[str] = []

    def attempt(self, what: str, measure: Callable[[], Found]) -> Found | None:
        """Return a measurement; where the patients do not allow it, None, and keep the reason."""
        try:
            return measure()
        except InputError as error:
            self._sentences.append(f"{what} could not be measured: {error}")
            return None

    def sentences(self) -> tuple[str, ...]:
        """Return what was kept, each once."""
        return tuple(dict.fromkeys(self._sentences))


def judge_response(y: Bools, given: Predicted, *, seed: int) -> ResponseFigures:
    """Return what can be measured of predicted responses.

    Args:
        y: response of the study's patients, shape (patients,).
        given: the predictions.
        seed: of bands.

    Raises:
        InputError: fewer than two responders or non-responders among the patients with a prediction.
    """
    outcome, scores = y[given.known], given.prediction[given.known]
    finished, notes = auc(outcome, scores), _Notes()
    score = line = curve = None
    if given.probability:
        score = brier(outcome, scores)
        line = calibration_line(outcome, scores)
        curve = notes.attempt("The calibration curve", lambda: calibration_curve(outcome, scores, seed=seed))
    return ResponseFigures(
        label=given.label,
        patients=len(outcome),
        events=int(outcome.sum()),
        main=finished if given.found is None else cross_validated(given.found),
        finished=finished,
        roc=roc_curve(outcome, scores),
        band=roc_band(outcome, scores, seed=seed),
        classes=None if given.positive is None else agreement(outcome, given.positive[given.known]),
        brier=score,
        line=line,
        curve=curve,
        notes=notes.sentences(),
    )


def judge_survival(
    y: NDArray[Any], given: Predicted, subgroups: pd.DataFrame, times: Sequence[float], months: float
) -> SurvivalFigures:
    """Return what can be measured of predicted survival.

    Args:
        y: outcome (event, time) of the study's patients, shape (patients,).
        given: the predictions.
        subgroups: levels of each patient, a column for each variable.
        times: months of ``given.survival``; AUC and Brier score are measured there.
        months: horizon of the calibration, one of ``times``.

    Raises:
        InputError: no event or no comparable pair among the patients with a prediction.
    """
    outcome, place = y[given.known], given.place[given.known]
    finished, notes = harrell(outcome, place), _Notes()
    score = calibration = None
    if given.survival is not None:
        survival = given.survival[given.known]
        at = list(times).index(months)
        score = notes.attempt("The Brier score", lambda: time_dependent_brier(outcome, outcome, survival, times))
        calibration = notes.attempt("Calibration", lambda: survival_calibration(outcome, survival[:, at], months))
    return SurvivalFigures(
        label=given.label,
        patients=len(outcome),
        events=int(outcome["event"].sum()),
        main=finished if given.found is None else cross_validated(given.found),
        finished=finished,
        uno=notes.attempt("Uno's C", lambda: uno(outcome, outcome, place)),
        auc=notes.attempt("The AUC over time", lambda: time_dependent_auc(outcome, outcome, place, times)),
        brier=score,
        calibration=calibration,
        **_risk_groups(outcome, given, subgroups, notes),
        notes=notes.sentences(),
    )


def _risk_groups(outcome: NDArray[Any], given: Predicted, subgroups: pd.DataFrame, notes: _Notes) -> dict[str, Any]:
    """Return curves, test, hazard ratio, check and forest of the two risk groups."""
    if given.positive is None:
        return {}
    high = given.positive[given.known]
    groups = tuple(
        kaplan_meier(outcome[chosen], name) for chosen, name in zip((~high, high), GROUPS, strict=True) if chosen.any()
    )
    exposed = high.astype(int)
    return {
        "groups": groups,
        "log_rank": notes.attempt("The log-rank test", lambda: log_rank(outcome, np.array(GROUPS)[exposed])),
        "ratio": notes.attempt("The hazard ratio of the risk groups", lambda: hazard_ratio(outcome, exposed)),
        "hazards": notes.attempt(
            "Whether hazards are proportional",
            lambda: check_proportional_hazards(outcome, pd.DataFrame({GROUPS[1]: exposed.astype(float)})),
        ),
        "forest": notes.attempt("The subgroups", lambda: forest(outcome, high, subgroups[given.known])),
    }


def judge_followed(
    y: NDArray[Any], given: Predicted, low: Bools, rule: str, name: str, endpoint: str
) -> Followed | None:
    """Return how patients fared later by their predicted response; None where it is known of one group only.

    Args:
        y: what became of the study's patients (event, time), NaN times where not known, shape (patients,).
        given: the predictions of the response.
        low: who should fare better by them.
        rule: who that is, in words.
        name, endpoint: of the survival, and in words.
    """
    known = given.known & ~np.isnan(y["time"])
    outcome, high = y[known], ~low[known]
    if not outcome["event"].any() or high.all() or not high.any():
        return None
    notes, groups = _Notes(), np.array(GROUPS)[high.astype(int)]
    return Followed(
        label=given.label,
        name=name,
        endpoint=endpoint,
        rule=rule,
        patients=len(outcome),
        events=int(outcome["event"].sum()),
        groups=tuple(kaplan_meier(outcome[groups == group], group) for group in GROUPS),
        log_rank=notes.attempt("The log-rank test", lambda: log_rank(outcome, groups)),
        ratio=notes.attempt(
            "The hazard ratio of the predicted groups", lambda: hazard_ratio(outcome, high.astype(int))
        ),
        notes=notes.sentences(),
    )


def compare_all(y: NDArray[Any], predicted: Sequence[Predicted]) -> tuple[Versus, ...]:
    """Return comparisons of the systems, each on the patients for whom both have a prediction.

    Pairs in which neither is the first system nor anything but a baseline are left out.
    """
    pairs = [pair for pair in combinations(predicted, 2) if pair[0] is predicted[0] or not pair[1].baseline]
    found = (_compare(y, first, second) for first, second in pairs)
    return tuple(item for item in found if item is not None)


def _compare(y: NDArray[Any], first: Predicted, second: Predicted) -> Versus | None:
    both = first.known & second.known
    of_survival = is_survival(y)
    one, two = (given.place[both] if of_survival else given.prediction[both] for given in (first, second))
    try:
        finished = (compare_concordance if of_survival else compare_aucs)(y[both], one, two)
    except InputError:  # too few patients have both
        return None
    figure = "C-index" if of_survival else "AUC"
    return Versus(first.label, second.label, figure, int(both.sum()), _inside_folds(first, second, both), finished)


def _inside_folds(first: Predicted, second: Predicted, both: Bools) -> Comparison | None:
    """Compare inside the folds of the cross-validation that at least one of two systems went through.

    Predictions of different folds come from different models: compared over all patients, a cross-validated system
    would lose against a package, whose scores come from one.
    """
    folds = first.found or second.found
    if folds is None:
        return None
    try:
        return compare_cross_validated(_on_folds(first, folds, both), _on_folds(second, folds, both))
    except InputError:  # no fold holds two patients with both who can be compared
        return None


def _on_folds(given: Predicted, folds: OutOfFold, rows: Bools) -> OutOfFold:
    """Return the predictions for some patients, laid out on the folds of a cross-validation."""
    own = given.found or replace(folds, predictions=np.tile(given.prediction, (len(folds.fold), 1)))
    return replace(
        own,
        cases=tuple(case for case, chosen in zip(own.cases, rows, strict=True) if chosen),
        y=own.y[rows],
        predictions=own.predictions[:, rows],
        percentiles=own.percentiles[:, rows],
        fold=own.fold[:, rows],
        survival=None,
    )


def decision(
    y: NDArray[Any], predicted: Sequence[Predicted], times: Sequence[float], months: float | None
) -> tuple[DecisionCurves | None, tuple[str, ...]]:
    """Return the decision curves of all systems that give probabilities, on the patients for whom all of these do.

    Args:
        y: outcome of the study's patients.
        predicted: the systems.
        times: months of the predicted survival.
        months: horizon for survival, None for a response.

    Returns:
        The curves, None where there are none, and why.
    """
    notes = _Notes()
    if months is None:
        shown = {given.label: given.prediction for given in predicted if given.probability}
    else:
        at = list(times).index(months)
        shown = {given.label: 1 - given.survival[:, at] for given in predicted if given.survival is not None}
    if not shown:
        return None, ()
    known = np.all([given.known for given in predicted if given.label in shown], axis=0)
    values = {label: risk[known] for label, risk in shown.items()}

    def curves() -> DecisionCurves:
        # Bands of several curves hide each other.
        resamples = 300 if len(values) == 1 else 0
        if months is None:
            return decision_curves(y[known], values, resamples=resamples)
        return survival_decision_curves(y[known], values, months, resamples=resamples)

    return notes.attempt("The decision curves", curves), notes.sentences()


def figures_in_subgroups(
    y: NDArray[Any], predicted: Sequence[Predicted], subgroups: pd.DataFrame
) -> tuple[SubgroupFigure, ...]:
    """Return AUC or C of the finished predictions in each level of each variable."""
    rows = []
    for given in predicted:
        values = given.place if is_survival(y) else given.prediction
        for name in subgroups.columns:
            for level in sorted(subgroups[name].dropna().unique(), key=str):
                chosen = given.known & (subgroups[name] == level).to_numpy(bool)
                rows.append(_in_subgroup(y[chosen], values[chosen], given.label, str(name), str(level)))
    return tuple(rows)


def _in_subgroup(y: NDArray[Any], values: Floats, label: str, name: str, level: str) -> SubgroupFigure:
    figure: Estimate | None
    try:
        figure = figure_of(y, values)
    except InputError:  # one class only, or nobody to compare with
        figure = None
    events = int((y["event"] if is_survival(y) else y).sum())
    return SubgroupFigure(label, name, level, len(y), events, figure)


def figure_of(y: NDArray[Any], values: Floats) -> Estimate:
    """Return the AUC of a response or Harrell's C of survival.

    Raises:
        InputError: one class only, no event, or nobody to compare with.
    """
    return harrell(y, values) if is_survival(y) else auc(y, values)
