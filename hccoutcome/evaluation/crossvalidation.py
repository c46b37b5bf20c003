"""Predictions for patients that the model never saw: stratified, repeated K-fold cross-validation.

The estimator is cloned and fitted anew in each fold, so that everything it learns (imputation, scaling, selection,
tuning) is learned from that fold's training part. With an estimator that tunes itself, such as ``tuned`` returns, this
is nested cross-validation.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline

from hccoutcome.errors import InputError
from hccoutcome.evaluation.classification import Rule, choose_threshold
from hccoutcome.evaluation.estimate import Bools, Floats, Integers
from hccoutcome.evaluation.outcomes import check_binary, check_groups, check_survival, is_survival
from hccoutcome.evaluation.threads import one_thread_each
from hccoutcome.progress import Progress, silent


@dataclass(frozen=True)
class OutOfFold:
    """What models said about patients that they had not seen.

    Attributes:
        cases: case of each patient.
        y: outcome, as it was given.
        predictions: probability of response, or risk, of shape (repeats, patients). Risks of different folds come from
            different models: compare them inside a fold, or by ``percentiles``.
        percentiles: part of the fold's own training predictions that lie below, shape (repeats, patients).
        fold: fold in which a patient was held out, shape (repeats, patients).
        thresholds: of each fold, from its training part: by ``threshold_rule`` for a response, the median risk for
            survival; shape (repeats, folds).
        survival: probability of surviving ``times``, shape (repeats, patients, times); None where none were asked for.
        times: months.
        selected: names of the columns that each fold's model used, repeat after repeat; empty where models do not say.
    """

    cases: tuple[str, ...]
    y: NDArray[Any]
    predictions: Floats
    percentiles: Floats
    fold: Integers
    thresholds: Floats
    survival: Floats | None
    times: tuple[float, ...]
    selected: tuple[tuple[str, ...], ...]

    @property
    def mean_prediction(self) -> Floats:
        """Probability of response of each patient, averaged over the repeats, shape (patients,)."""
        return np.asarray(self.predictions.mean(axis=0))

    @property
    def mean_percentile(self) -> Floats:
        """Place among the training predictions, averaged over the repeats, shape (patients,): one scale for all."""
        return np.asarray(self.percentiles.mean(axis=0))

    @property
    def mean_survival(self) -> Floats:
        """Probability of surviving each time, averaged over the repeats, shape (patients, times).

        Raises:
            InputError: no times were asked for.
        """
        if self.survival is None:
            raise InputError("No survival probabilities were kept: name times when the cross-validation is run.")
        return np.asarray(self.survival.mean(axis=0))

    @property
    def positive(self) -> Bools:
        """Whether the prediction reaches the threshold of its fold, shape (repeats, patients)."""
        own = np.take_along_axis(self.thresholds, self.fold, axis=1)
        return np.asarray(self.predictions >= own)

    @property
    def positive_in_most(self) -> Bools:
        """Whether a patient is positive in at least half of the repeats, shape (patients,)."""
        return np.asarray(self.positive.mean(axis=0) >= 0.5)

    @property
    def selection_frequency(self) -> dict[str, float]:
        """Part of the models that used each column, the most frequent first; empty where models do not say."""
        counts = Counter(name for names in self.selected for name in names)
        models = self.thresholds.size
        return {name: count / models for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))}


class StratifiedFolds:
    """Splits that keep the part of responders (or of events) alike in all folds; for ``cv=`` of scikit-learn too.

    With groups (e.g. several lesions of a patient, or centres) a group is never split.
    """

    def __init__(self, folds: int = 5, seed: int = 0) -> None:
        self.folds = folds
        self.seed = seed

    def split(self, X: Any, y: Any, groups: ArrayLike | None = None) -> Iterator[tuple[Integers, Integers]]:  # noqa: N803
        """Yield the rows of the training part and of the held-out part of each fold.

        Raises:
            InputError: fewer than 2 folds, or fewer events, responders or non-responders than folds.
        """
        strata = _strata(y)
        _check_folds(strata, self.folds, groups, of_survival=is_survival(y))
        if groups is None:
            with warnings.catch_warnings():
                # Fewer censored patients than folds do no harm.
                warnings.filterwarnings("ignore", "The least populated class", UserWarning)
                splits = list(StratifiedKFold(self.folds, shuffle=True, random_state=self.seed).split(strata, strata))
            yield from splits
        else:
            splitter = StratifiedGroupKFold(self.folds, shuffle=True, random_state=self.seed)
            yield from splitter.split(strata, strata, check_groups(groups, len(strata), least=self.folds))

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: N803
        """Return the number of folds."""
        return self.folds


def tuned(
    estimator: BaseEstimator, grid: Mapping[str, Sequence[Any]], *, folds: int = 5, seed: int = 0, scoring: Any = None
) -> GridSearchCV:
    """Return an estimator that chooses its parameters by cross-validation inside ``fit``.

    Inside ``out_of_fold`` this makes the cross-validation nested.

    Args:
        estimator: what to tune.
        grid: values to try, by parameter.
        folds: inner folds, stratified by response or event.
        seed: of the inner folds.
        scoring: as scikit-learn takes it; None: AUC of a classifier, the estimator's own score (the C-index) otherwise.
    """
    if scoring is None and hasattr(estimator, "predict_proba"):
        scoring = "roc_auc"
    return GridSearchCV(estimator, dict(grid), cv=StratifiedFolds(folds, seed), scoring=scoring, error_score="raise")


def out_of_fold(
    estimator: BaseEstimator,
    X: pd.DataFrame,  # noqa: N803
    y: Any,
    *,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    groups: ArrayLike | None = None,
    n_jobs: int = 1,
    times: Sequence[float] = (),
    threshold_rule: Rule = "youden",
    threshold_target: float | None = None,
    threshold_folds: int = 0,
    progress: Progress = silent,
) -> OutOfFold:
    """Return predictions for every patient from models that never saw them.

    Args:
        estimator: with ``predict_proba`` for a response; ``predict`` (higher is worse) for survival.
        X: a row for each patient, index the case.
        y: booleans, or a structured array (event, time).
        folds: held-out parts, stratified by response or event.
        repeats: how often all is done with other folds.
        seed: of the folds, and of every parameter ``random_state`` of the estimator that is None.
        groups: patients (rows) with the same value are held out together.
        n_jobs: processes; the result does not depend on it.
        times: months at which survival probabilities are kept (needs ``predict_survival_function``).
        threshold_rule, threshold_target: how a response's threshold is chosen, see ``choose_threshold``.
        threshold_folds: 0 chooses thresholds on the predictions for the training part itself; otherwise on those of a
            cross-validation inside the training part with so many folds, which costs as many fits and flatters less.
        progress: told how many models are done.

    Raises:
        InputError: too few patients for the folds, rows that do not match, a prediction that is not finite.
    """
    check_table(X, y)
    if repeats < 1:
        raise InputError(f"Cross-validation is done at least once, found {repeats} repeats: ask for 1 or more.")
    of_response = not is_survival(y)
    outcome = check_binary(y) if of_response else check_survival(y).structured
    jobs = [
        (repeat, number, train, held)
        for repeat in range(repeats)
        for number, (train, held) in enumerate(
            StratifiedFolds(folds, derive_seed(seed, repeat)).split(X, outcome, groups),
        )
    ]
    rule = _ThresholdRule(threshold_rule, threshold_target, threshold_folds)
    done = []
    with one_thread_each():
        parts = Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(_one_fold)(
                estimator, X, outcome, train, held, tuple(times), derive_seed(seed, repeat, number), rule, groups
            )
            for repeat, number, train, held in jobs
        )
        for part in parts:
            done.append(part)
            progress(len(done) / len(jobs), f"cross-validating, {len(done)} of {len(jobs)} models")
    shape = (repeats, len(X))
    predictions, percentiles, fold = np.empty(shape), np.empty(shape), np.empty(shape, np.int64)
    thresholds = np.empty((repeats, folds))
    survival = np.empty((*shape, len(times))) if len(times) else None
    for (repeat, number, _, held), part in zip(jobs, done, strict=True):
        predictions[repeat, held], percentiles[repeat, held] = part.predictions, part.percentiles
        fold[repeat, held] = number
        thresholds[repeat, number] = part.threshold
        if survival is not None:
            survival[repeat, held] = part.survival
    return OutOfFold(
        cases=tuple(map(str, X.index)),
        y=outcome,
        predictions=predictions,
        percentiles=percentiles,
        fold=fold,
        thresholds=thresholds,
        survival=survival,
        times=tuple(map(float, times)),
        selected=tuple(part.selected for part in done),
    )


def fold_models(
    estimator: BaseEstimator,
    X: pd.DataFrame,  # noqa: N803
    y: Any,
    *,
    folds: int = 5,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> Iterator[tuple[Any, Integers, Integers]]:
    """Yield each fold's model with its training rows and its held-out rows, as ``out_of_fold`` fits it the first time.

    The arguments are those of ``out_of_fold``.

    Raises:
        InputError: too few patients for the folds, rows that do not match.
    """
    check_table(X, y)
    outcome = check_survival(y).structured if is_survival(y) else check_binary(y)
    splits = StratifiedFolds(folds, derive_seed(seed, 0)).split(X, outcome, groups)
    for number, (train, held) in enumerate(splits):
        model = with_seed(estimator, derive_seed(seed, 0, number)).fit(X.iloc[train], outcome[train])
        yield model, train, held


def predict(model: Any, X: pd.DataFrame) -> Floats:  # noqa: N803
    """Return the probability of response, or the risk of a model without ``predict_proba``; shape (patients,).

    Raises:
        InputError: a prediction is not finite.
    """
    found = model.predict_proba(X)[:, 1] if hasattr(model, "predict_proba") else model.predict(X)
    values = np.asarray(found, float)
    if not np.isfinite(values).all():
        lost = int(np.count_nonzero(~np.isfinite(values)))
        raise InputError(
            f"{type(model).__name__} gave no finite prediction for {lost} of {len(values)} patients: impute and scale "
            "inside the estimator, or penalise it more."
        )
    return values


def survival_at(model: Any, X: pd.DataFrame, times: Sequence[float]) -> Floats:  # noqa: N803
    """Return the probability of surviving each time, shape (patients, times).

    Before a model's first event time it is 1, after its last the last value holds.

    Raises:
        InputError: the model has no survival function.
    """
    if not hasattr(model, "predict_survival_function"):
        raise InputError(f"{type(model).__name__} gives a risk only, no survival probability: ask for no times.")
    rows = []
    for function in model.predict_survival_function(X):
        known = np.concatenate([[-np.inf], function.x])
        levels = np.concatenate([[1.0], function.y])
        rows.append(levels[np.searchsorted(known, times, side="right") - 1])
    return np.asarray(rows, float)


def selected_columns(model: Any, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that a fitted model uses, as far as it says: empty where it does not.

    A model says so by ``selected_features_``, or as a pipeline whose steps before the last one name their columns.
    """
    model = getattr(model, "best_estimator_", model)
    if hasattr(model, "selected_features_"):
        return tuple(map(str, model.selected_features_))
    if isinstance(model, Pipeline) and len(model) > 1:
        last = selected_columns(model[-1], columns)
        if last:
            return last
        try:
            names = model[:-1].get_feature_names_out(list(columns))
        except AttributeError:  # a step that does not name its columns
            return ()
        return tuple(map(str, names))
    return ()


def with_seed(estimator: BaseEstimator, seed: int) -> BaseEstimator:
    """Return an unfitted copy in which every parameter ``random_state`` that is None holds a seed."""
    copy = clone(estimator)
    parameters = copy.get_params(deep=True)
    names = [name for name in parameters if name.rpartition("__")[2] == "random_state" and parameters[name] is None]
    copy.set_params(**{name: derive_seed(seed, place) for place, name in enumerate(sorted(names))})
    return copy


def derive_seed(*numbers: int) -> int:
    """Return a seed that belongs to these numbers alone.

    Raises:
        InputError: a number is negative.
    """
    if min(numbers) < 0:
        raise InputError(f"A seed is a whole number from 0 on, found {min(numbers)}: choose another.")
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 1)


def check_table(X: Any, y: Any) -> None:  # noqa: N803
    """Check that patients come as a table with one row a case, as long as the outcomes.

    Raises:
        InputError: it is no table, has another length, or a case twice.
    """
    if not isinstance(X, pd.DataFrame):
        raise InputError(f"Patients come as a pandas DataFrame, found {type(X).__name__}: name the columns and cases.")
    if len(X) != len(y):
        raise InputError(f"Every row needs its outcome, found {len(X)} rows and {len(y)} outcomes: align them by case.")
    if X.index.has_duplicates:
        twice = X.index[X.index.duplicated()][0]
        raise InputError(f"Each case has one row, found '{twice}' more than once: a patient in two folds is a leak.")


@dataclass(frozen=True)
class _ThresholdRule:
    rule: Rule
    target: float | None
    folds: int


@dataclass(frozen=True)
class _Part:
    """What one fold's model said about its held-out patients."""

    predictions: Floats
    percentiles: Floats
    survival: Floats | None
    threshold: float
    selected: tuple[str, ...]


def _one_fold(
    estimator: BaseEstimator,
    X: pd.DataFrame,  # noqa: N803
    y: NDArray[Any],
    train: Integers,
    held: Integers,
    times: tuple[float, ...],
    seed: int,
    rule: _ThresholdRule,
    groups: ArrayLike | None,
) -> _Part:
    model = with_seed(estimator, seed).fit(X.iloc[train], y[train])
    predictions, known = predict(model, X.iloc[held]), predict(model, X.iloc[train])
    below = np.searchsorted(np.sort(known), predictions, side="left")
    return _Part(
        predictions=predictions,
        percentiles=below / len(known),
        survival=survival_at(model, X.iloc[held], times) if times else None,
        threshold=_threshold(estimator, X.iloc[train], y[train], known, seed, rule, groups, train),
        selected=selected_columns(model, list(map(str, X.columns))),
    )


def _threshold(
    estimator: BaseEstimator,
    X: pd.DataFrame,  # noqa: N803
    y: NDArray[Any],
    known: Floats,
    seed: int,
    rule: _ThresholdRule,
    groups: ArrayLike | None,
    train: Integers,
) -> float:
    """Return the threshold of one training part; ``known`` are the predictions of the part's own model for it."""
    if is_survival(y):
        return float(np.median(known))
    if rule.folds:
        inner_groups = None if groups is None else np.asarray(groups)[train]
        inner = out_of_fold(estimator, X, y, folds=rule.folds, seed=seed, groups=inner_groups)
        known = inner.predictions[0]
    return choose_threshold(y, known, rule.rule, rule.target).value


def _strata(y: Any) -> Bools:
    return check_survival(y).event if is_survival(y) else check_binary(y)


def _check_folds(strata: Bools, folds: int, groups: ArrayLike | None, of_survival: bool) -> None:
    if folds < 2:
        raise InputError(f"Cross-validation needs at least 2 folds, found {folds}: 5 is usual.")
    events, others = int(strata.sum()), int((~strata).sum())
    if of_survival and groups is None and events < folds:
        raise InputError(f"{folds} folds need at least {folds} patients with the event, found {events}: ask for fewer.")
    if not of_survival and groups is None and min(events, others) < folds:
        raise InputError(
            f"{folds} folds need at least {folds} patients with and {folds} without the outcome, found "
            f"{events} and {others}: ask for fewer folds."
        )
