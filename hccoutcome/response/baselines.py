"""What a new response system is held against: logistic regression with a ridge penalty, and one staging score alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from hccoutcome.evaluation.crossvalidation import tuned
from hccoutcome.package.estimator import (
    SINGLE_MODEL_MODALITIES,
    ResponseEstimator,
    check_modality,
    gated,
    linear_part,
    part_name,
    prepared,
    response_of,
    score_alone,
)
from hccoutcome.package.inputs import Column
from hccoutcome.package.learned import LearnedModel
from hccoutcome.package.ridge import rotated
from hccoutcome.stability.table import StabilityTable

STRENGTHS = tuple(float(strength) for strength in np.logspace(-4, 1, 11))
"""Inverse ridge penalties among which cross-validation chooses."""


class LogisticRidge(ResponseEstimator):
    """Logistic regression with a ridge penalty chosen by cross-validated log-likelihood inside ``fit``.

    Args:
        modality: ``"clinical"``, ``"imaging"`` or ``"early"`` (both).
        strengths: inverse penalties to try.
        stability: table of the imaging columns' stability, None where it was not measured.
        inner_folds: folds of the cross-validation that chooses.
        random_state: seed of its folds.
    """

    def __init__(
        self,
        modality: str = "early",
        *,
        strengths: Sequence[float] = STRENGTHS,
        stability: StabilityTable | None = None,
        inner_folds: int = 5,
        random_state: int | None = 0,
    ) -> None:
        self.modality = modality
        self.strengths = strengths
        self.stability = stability
        self.inner_folds = inner_folds
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: Any) -> LogisticRidge:  # noqa: N803
        """Learn the probability of response from a table and booleans, True for a response.

        Raises:
            InputError: too few patients of a kind, or no usable column.
        """
        check_modality(self.modality, SINGLE_MODEL_MODALITIES)
        response = response_of(y)
        columns, values = gated(*prepared(X, self.modality), self.stability)
        turned, axes = rotated(values.to_numpy())
        search = tuned(
            LogisticRegression(solver="newton-cholesky", max_iter=200),
            {"C": self.strengths},
            folds=self.inner_folds,
            seed=self.random_state or 0,
            scoring="neg_log_loss",
        ).fit(turned, response)
        fitted = search.best_estimator_
        self.classes_ = np.array([False, True])
        self.strength_ = float(search.best_params_["C"])
        self.model_ = logistic_model(part_name(self.modality), columns, axes @ fitted.coef_[0], fitted.intercept_[0])
        return self


class ResponseByScore(ResponseEstimator):
    """One score alone, ALBI or BCLC, in a logistic regression: what a new system has to add something to.

    Args:
        name: ``"albi"`` or ``"bclc"``.
    """

    def __init__(self, name: str = "bclc") -> None:
        self.name = name

    def fit(self, X: pd.DataFrame, y: Any) -> ResponseByScore:  # noqa: N803
        """Learn the log-odds of one deviation of the score.

        Raises:
            InputError: the table lacks the score, or too few patients of a kind.
        """
        response = response_of(y)
        columns, values = score_alone(X, self.name)
        # The weakest penalty keeps the coefficient finite where the score tells responders from others perfectly.
        fitted = LogisticRegression(C=1e3, solver="newton-cholesky", tol=1e-8).fit(values.to_numpy(), response)
        self.classes_ = np.array([False, True])
        self.model_ = logistic_model("clinical", columns, fitted.coef_[0], fitted.intercept_[0])
        return self


def logistic_model(name: str, columns: Sequence[Column], coefficients: np.ndarray, intercept: float) -> LearnedModel:
    """Return a fitted logistic regression as a learned model of one part."""
    return LearnedModel("response", (linear_part(name, columns, coefficients, intercept, link="logistic"),))
