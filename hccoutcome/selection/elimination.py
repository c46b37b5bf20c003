"""Recursive feature elimination (Guyon 2002), with the number of features by cross-validation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from hccoutcome.errors import InputError
from hccoutcome.evaluation.outcomes import is_survival
from hccoutcome.selection.base import Bools, Floats, Selector, checked_outcome, learn_scaling
from hccoutcome.selection.penalised import PathSettings, concordance, stratified_folds

_COX_PENALTY, _COX_MIX = 0.1, 1e-3
"""A ridge, but for the trace of an absolute penalty that the solver cannot do without."""


class RecursiveElimination(Selector):
    """Fit a model, drop the columns with the smallest weights, and again, until few are left.

    Columns are imputed and standardised before each fit, so that weights can be compared.

    Args:
        estimator: has ``coef_`` or ``feature_importances_`` once fitted; where None, logistic regression with a ridge
            (C = 1) for response and a Cox model with a ridge for survival.
        features: number to keep; where None, the one with the best mean AUC or C-index in cross-validation, the
            smallest of equals. The whole elimination is done anew in each fold.
        step: share of the remaining columns that is dropped at a time, at least one.
        folds: of the cross-validation.
        random_state: of the folds.

    Attributes:
        curve_: mean and standard error of AUC or C-index by number of features, where these were chosen; otherwise
            None.
        order_: the columns, those that were dropped last first.
    """

    def __init__(
        self,
        estimator: Any = None,
        features: int | None = None,
        step: float = 0.1,
        folds: int = 5,
        random_state: int = 0,
        at_least: int = 1,
    ) -> None:
        self.estimator = estimator
        self.features = features
        self.step = step
        self.folds = folds
        self.random_state = random_state
        self.at_least = at_least

    def _choose(self, frame: pd.DataFrame, y: Any) -> tuple[Bools, Floats]:
        if not 0 < self.step < 1:
            raise InputError(f"A step is a share between 0 and 1, found {self.step:g}: 0.1 is usual.")
        outcome = checked_outcome(y, len(frame))
        values = frame.to_numpy(float)
        self.curve_ = None
        count = self.features
        if count is None:
            self.curve_ = self._curve(values, outcome)
            count = int(self.curve_["mean"].idxmax())
        rank = self._rank(learn_scaling(values).apply(values), outcome)
        self.order_ = [str(name) for name in frame.columns[np.argsort(rank)]]
        return rank < count, -rank.astype(float)

    def _walk(self, x: Floats, y: NDArray[Any]) -> Iterator[tuple[NDArray[np.intp], Any, NDArray[np.intp]]]:
        """Yield the columns that are left, the model of them, and these columns with the largest weight first."""
        left = np.arange(x.shape[1])
        while True:
            model = self._model(y).fit(x[:, left], y)
            ranked = left[np.argsort(-_weights(model, len(left)), kind="stable")]
            yield left, model, ranked
            if len(left) == 1:
                return
            left = np.sort(ranked[: len(left) - max(1, math.floor(self.step * len(left)))])

    def _rank(self, x: Floats, y: NDArray[Any]) -> NDArray[np.intp]:
        """Return the place of each column, 0 for the one that is left at the end."""
        rank = np.empty(x.shape[1], int)
        # Each round orders what is left; a later one puts those that it still has in their place.
        for _, _, ranked in self._walk(x, y):
            rank[ranked] = np.arange(len(ranked))
        return rank

    def _model(self, y: NDArray[Any]) -> Any:
        if self.estimator is not None:
            return clone(self.estimator)
        if not is_survival(y):
            return LogisticRegression(solver="liblinear")
        from sksurv.linear_model import CoxnetSurvivalAnalysis

        return CoxnetSurvivalAnalysis(alphas=[_COX_PENALTY], l1_ratio=_COX_MIX)

    def _curve(self, values: Floats, y: NDArray[Any]) -> pd.DataFrame:
        """Return mean and standard error of the discrimination by number of features."""
        found: dict[int, list[float]] = {}
        for train, test in stratified_folds(y, PathSettings(folds=self.folds, seed=self.random_state)):
            x = learn_scaling(values[train]).apply(values)
            for left, model, _ in self._walk(x[train], y[train]):
                found.setdefault(len(left), []).append(concordance(y[test], self._score(model, x[np.ix_(test, left)])))
        rows = {size: (np.mean(c), np.std(c, ddof=1) / math.sqrt(len(c))) for size, c in sorted(found.items())}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "error"]).rename_axis("features")

    def _score(self, model: Any, x: Floats) -> Floats:
        if hasattr(model, "predict_proba"):
            return np.asarray(model.predict_proba(x)[:, 1], float)
        score = model.decision_function(x) if hasattr(model, "decision_function") else model.predict(x)
        return np.asarray(score, float)


def _weights(model: Any, columns: int) -> Floats:
    """Return how much each column counts in a model, shape (columns,)."""
    weights = getattr(model, "coef_", None)
    if weights is None:
        weights = getattr(model, "feature_importances_", None)
    if weights is None:
        raise InputError(
            f"Elimination needs weights, found none in {type(model).__name__}: use a linear model or a forest."
        )
    return np.abs(np.asarray(weights, float)).reshape(-1, columns).max(axis=0)
