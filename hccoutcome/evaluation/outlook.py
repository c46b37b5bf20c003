"""Probabilities of survival for systems that give a risk only: Cox's model of one covariate, the risk.

A model's risks for its own training patients are too good to learn this from. It is learned from risks of patients left
out by a cross-validation inside the training part, so that inside ``out_of_fold`` everything stays nested.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sksurv.linear_model import CoxPHSurvivalAnalysis

from hccoutcome.evaluation.crossvalidation import derive_seed, out_of_fold, predict, selected_columns, with_seed
from hccoutcome.evaluation.estimate import Floats

_TINY = 1e-6
"""Ridge penalty that keeps Cox's model defined where all risks are the same, and moves no digit otherwise."""


class WithSurvival(BaseEstimator):
    """A survival system with ``predict_survival_function`` beside its own risk.

    Args:
        estimator: with ``predict`` (risk, higher is worse).
        folds: of the cross-validation inside the training part, from which survival is learned.
        random_state: seed of its folds.

    Attributes of a fitted one:
        model_: the system, fitted on all patients.
        selected_features_: columns that it uses, empty where it does not say.
        hazard_: Cox's model of the standardised risk.
    """

    def __init__(self, estimator: BaseEstimator, *, folds: int = 3, random_state: int | None = None) -> None:
        self.estimator = estimator
        self.folds = folds
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: Any) -> WithSurvival:  # noqa: N803
        """Learn the risk, and survival from the risks of patients left out.

        Raises:
            InputError: too few patients for the folds, or what the system itself refuses.
        """
        seed = self.random_state or 0
        left_out = out_of_fold(self.estimator, X, y, folds=self.folds, seed=seed).predictions[0]
        self.model_ = with_seed(self.estimator, derive_seed(seed)).fit(X, y)
        self.selected_features_ = selected_columns(self.model_, list(map(str, X.columns)))
        self.centre_, self.scale_ = float(left_out.mean()), float(left_out.std()) or 1.0
        self.hazard_ = CoxPHSurvivalAnalysis(alpha=_TINY).fit(self._standardised(left_out), y)
        return self

    def predict(self, X: pd.DataFrame) -> Floats:  # noqa: N803
        """Return the system's own risk, shape (patients,)."""
        return predict(self.model_, X)

    def predict_survival_function(self, X: pd.DataFrame) -> Any:  # noqa: N803
        """Return the survival curve of each patient as a step function."""
        return self.hazard_.predict_survival_function(self._standardised(self.predict(X)))

    def _standardised(self, risk: Floats) -> Floats:
        return (np.asarray(risk)[:, None] - self.centre_) / self.scale_
