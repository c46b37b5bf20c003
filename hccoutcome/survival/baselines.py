"""What a new survival system is held against: Cox with a ridge penalty, tree ensembles, and one staging score alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from sksurv.ensemble import GradientBoostingSurvivalAnalysis, RandomSurvivalForest
from sksurv.linear_model import CoxPHSurvivalAnalysis

from hccoutcome.evaluation.crossvalidation import StratifiedFolds
from hccoutcome.package.estimator import (
    SINGLE_MODEL_MODALITIES,
    SurvivalEstimator,
    check_modality,
    gated,
    linear_part,
    part_name,
    prepared,
    score_alone,
    survival_of,
)
from hccoutcome.package.learned import LearnedModel, Part
from hccoutcome.package.ridge import rotated
from hccoutcome.stability.table import StabilityTable

PENALTIES = tuple(float(penalty) for penalty in np.logspace(0, 4, 9))
"""Ridge penalties among which cross-validation chooses, from next to none to next to no model."""


class CoxRidge(SurvivalEstimator):
    """Cox regression with a ridge penalty chosen by cross-validation inside ``fit``; the risk is the log hazard.

    Args:
        modality: ``"clinical"``, ``"imaging"`` or ``"early"`` (both).
        penalties: ridge penalties to try.
        stability: table of the imaging columns' stability, None where it was not measured.
        inner_folds: folds of the cross-validation that chooses.
        random_state: seed of its folds.
    """

    def __init__(
        self,
        modality: str = "early",
        *,
        penalties: Sequence[float] = PENALTIES,
        stability: StabilityTable | None = None,
        inner_folds: int = 5,
        random_state: int | None = 0,
    ) -> None:
        self.modality = modality
        self.penalties = penalties
        self.stability = stability
        self.inner_folds = inner_folds
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> CoxRidge:  # noqa: N803
        """Learn the log hazard from a table and outcomes (event, time in months).

        Raises:
            InputError: too few patients or events, or no usable column.
        """
        check_modality(self.modality, SINGLE_MODEL_MODALITIES)
        outcome = survival_of(y)
        columns, values = gated(*prepared(X, self.modality), self.stability)
        turned, axes = rotated(values.to_numpy())
        splits = list(StratifiedFolds(self.inner_folds, self.random_state or 0).split(turned, outcome))
        self.penalty_ = max(self.penalties, key=lambda penalty: held_out_likelihood(turned, outcome, penalty, splits))
        model = ridge_cox(turned, outcome, self.penalty_)
        part = linear_part(part_name(self.modality), columns, axes @ model.coef_)
        return self._learned(LearnedModel("survival", (part,)), X)


def ridge_cox(values: np.ndarray, outcome: np.ndarray, penalty: float) -> CoxPHSurvivalAnalysis:
    """Return Cox's model with a ridge penalty; a Newton step that overflows is halved by the library, in silence."""
    with np.errstate(over="ignore"):
        return CoxPHSurvivalAnalysis(alpha=penalty).fit(values, outcome)


def held_out_likelihood(
    values: np.ndarray, outcome: np.ndarray, penalty: float, splits: Sequence[tuple[np.ndarray, np.ndarray]]
) -> float:
    """Return the cross-validated partial log-likelihood of a ridge penalty (Verweij and van Houwelingen 1993).

    What the held-out patients add to the likelihood of all, by coefficients learned without them; much less noisy than
    their C-index.

    Args:
        values: shape (patients, columns).
        outcome: structured array (event, time), shape (patients,).
        penalty: of the sum of squared coefficients.
        splits: places of the training and held-out patients of each fold.
    """
    added = 0.0
    for train, _ in splits:
        model = ridge_cox(values[train], outcome[train], penalty)
        hazard = values @ model.coef_
        added += partial_likelihood(outcome, hazard) - partial_likelihood(outcome[train], hazard[train])
    return added


def partial_likelihood(outcome: np.ndarray, log_hazard: np.ndarray) -> float:
    """Return Cox's partial log-likelihood with ties by Breslow's method."""
    at_risk = outcome["time"] >= outcome["time"][outcome["event"]][:, None]
    sums = logsumexp(np.where(at_risk, log_hazard, -np.inf), axis=1)
    return float((log_hazard[outcome["event"]] - sums).sum())


class _Ensemble(SurvivalEstimator):
    """A tree ensemble on all columns of a modality."""

    modality: str

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> _Ensemble:  # noqa: N803
        """Learn the risk from a table and outcomes (event, time in months).

        Raises:
            InputError: too few patients or events, or no usable column.
        """
        check_modality(self.modality, SINGLE_MODEL_MODALITIES)
        outcome = survival_of(y)
        columns, values = prepared(X, self.modality)
        model = without_patients(self._ensemble().fit(values.to_numpy(), outcome))
        part = Part(part_name(self.modality), columns, model=model)
        risk = part.output(values.to_numpy(), "survival")
        part = replace(part, centre=float(risk.mean()), scale=float(risk.std()) or 1.0)
        return self._learned(LearnedModel("survival", (part,)), X)

    def _ensemble(self) -> Any:
        raise NotImplementedError


class SurvivalForest(_Ensemble):
    """Random survival forest (Ishwaran 2008); the risk is the expected number of events, standardised.

    Args:
        modality: ``"clinical"``, ``"imaging"`` or ``"early"`` (both).
        n_estimators: trees.
        min_samples_leaf: fewest patients in a leaf.
        random_state: seed of the trees.
    """

    def __init__(
        self,
        modality: str = "early",
        *,
        n_estimators: int = 200,
        min_samples_leaf: int = 10,
        random_state: int | None = 0,
    ) -> None:
        self.modality = modality
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.random_state = random_state

    def _ensemble(self) -> Any:
        return RandomSurvivalForest(
            self.n_estimators,
            min_samples_leaf=self.min_samples_leaf,
            low_memory=True,
            random_state=self.random_state,
        )


class SurvivalBoosting(_Ensemble):
    """Gradient boosting of Cox's partial likelihood (Ridgeway 1999); the risk is the log hazard, standardised.

    Args:
        modality: ``"clinical"``, ``"imaging"`` or ``"early"`` (both).
        n_estimators: trees.
        learning_rate: of each tree's share.
        subsample: part of the patients that each tree sees.
        random_state: seed.
    """

    def __init__(
        self,
        modality: str = "early",
        *,
        n_estimators: int = 100,
        learning_rate: float = 0.05,
        subsample: float = 0.8,
        random_state: int | None = 0,
    ) -> None:
        self.modality = modality
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.subsample = subsample
        self.random_state = random_state

    def _ensemble(self) -> Any:
        return GradientBoostingSurvivalAnalysis(
            n_estimators=self.n_estimators,
            learning_rate=self.learning_rate,
            max_depth=2,
            subsample=self.subsample,
            random_state=self.random_state,
        )


class SurvivalByScore(SurvivalEstimator):
    """One score alone, ALBI or BCLC, in a Cox model: what a new system has to add something to.

    Args:
        name: ``"albi"`` or ``"bclc"``.
    """

    def __init__(self, name: str = "bclc") -> None:
        self.name = name

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> SurvivalByScore:  # noqa: N803
        """Learn the log hazard of one deviation of the score.

        Raises:
            InputError: the table lacks the score, or too few patients or events.
        """
        outcome = survival_of(y)
        columns, values = score_alone(X, self.name)
        model = CoxPHSurvivalAnalysis().fit(values.to_numpy(), outcome)
        return self._learned(LearnedModel("survival", (linear_part("clinical", columns, model.coef_),)), X)


def without_patients(model: Any) -> Any:
    """Return a fitted ensemble without patients' times and weights, and generators: predicting needs none of them."""
    for name in ("_baseline_model", "_rng", "train_score_", "oob_improvement_", "oob_scores_", "oob_score_"):
        if hasattr(model, name):
            delattr(model, name)
    for member in (model, *np.ravel(model.estimators_)):
        if hasattr(member, "is_event_time_"):
            # Only their lengths are looked at, where risks alone are kept.
            member.unique_times_, member.is_event_time_ = np.zeros(1), np.zeros(1, bool)
        if hasattr(member, "_sample_weight"):
            member._sample_weight = None
        if isinstance(member.random_state, np.random.RandomState):
            member.random_state = None
    return model
