"""PRIME-S: overall survival from clinical variables and radiomics by survival support vector machines.

PRIME (Supplementary Method, "Late Fusion Strategy for Survival Models" and "Early Fusion Strategy"): a FastSurvivalSVM
for each modality, its parameter by cross-validation; late fusion weighs the modalities by the exponential of their
C-index on the training part; early fusion reads both modalities in one machine.

Left open there and decided here:
- Risks of two machines have no common scale, so each is standardised by mean and deviation of its training part first.
- The paper tunes "on the test set"; here tuning, selection, imputation and scaling stay inside ``fit``.
- How columns are selected for survival is not printed: as for response, by univariate Cox models (p below 0.05; where
  fewer pass, the best ones do) and elastic net, here for Cox.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sksurv.svm import FastSurvivalSVM

from hccoutcome.evaluation.crossvalidation import StratifiedFolds
from hccoutcome.package.estimator import (
    SurvivalEstimator,
    check_modality,
    concordance,
    linear_part,
    part_name,
    prepared,
    survival_of,
)
from hccoutcome.package.learned import LearnedModel, Part
from hccoutcome.selection.filters import StabilityGate
from hccoutcome.selection.lasso import ElasticNetSelector
from hccoutcome.selection.univariate import UnivariateFilter
from hccoutcome.stability.table import StabilityTable

ALPHAS = tuple(2.0**power for power in range(-12, 3, 2))
"""Weights of the ranking errors among which cross-validation chooses; the smaller, the simpler the machine."""
RANK_RATIO = 1.0
"""Ranking alone: with any regression of times, scikit-survival predicts times and the sign turns."""

SELECTION_FOLDS, PENALTIES = 5, 30
"""Of the elastic net, whose own cross-validation runs inside every fold that tunes."""


class PrimeS(SurvivalEstimator):
    """Risk of death; higher is worse.

    Args:
        modality: ``"clinical"``, ``"imaging"``, ``"early"`` or ``"late"`` fusion.
        alphas: weights of the ranking errors to try.
        threshold: largest p of the univariate Cox models.
        at_least: columns of a modality kept in any case.
        stability: table of the imaging columns' stability, None where it was not measured.
        inner_folds: folds of the cross-validation that tunes, inside the training part.
        random_state: seed of folds and machines.

    Attributes of a fitted one (beside those of every system):
        alphas_: weight chosen, by part.
        concordances_: C-index on the training part, by part.
    """

    def __init__(
        self,
        modality: str = "late",
        *,
        alphas: Sequence[float] = ALPHAS,
        threshold: float = 0.05,
        at_least: int = 3,
        stability: StabilityTable | None = None,
        inner_folds: int = 5,
        random_state: int | None = 0,
    ) -> None:
        self.modality = modality
        self.alphas = alphas
        self.threshold = threshold
        self.at_least = at_least
        self.stability = stability
        self.inner_folds = inner_folds
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> PrimeS:  # noqa: N803
        """Learn the risk from a table and outcomes (event, time in months).

        Raises:
            InputError: too few patients or events, or no column of a modality.
        """
        check_modality(self.modality)
        outcome = survival_of(y)
        names = ("clinical", "imaging") if self.modality == "late" else (part_name(self.modality),)
        self.alphas_: dict[str, float] = {}
        self.concordances_: dict[str, float] = {}
        parts = [self._part(name, X, outcome) for name in names]
        weights = fusion_weights(self.concordances_)
        model = LearnedModel("survival", tuple(replace(part, weight=weights[part.name]) for part in parts))
        return self._learned(model, X)

    def _part(self, name: str, table: pd.DataFrame, outcome: np.ndarray) -> Part:
        """Return a modality's machine, its risk standardised by the training part."""
        columns, values = prepared(table, name)
        alpha = self._tuned_alpha(values, outcome)
        kept = self._selected(values, outcome)
        coefficients = self._coefficients(values[kept].to_numpy(), outcome, alpha)
        part = linear_part(name, [column for column in columns if column.name in kept], coefficients)
        risk = part.output(values[[column.name for column in part.columns]].to_numpy(), "survival")
        self.alphas_[name] = alpha
        self.concordances_[name] = concordance(outcome, risk)
        return replace(part, centre=float(risk.mean()), scale=float(risk.std()) or 1.0)

    def _selected(self, values: pd.DataFrame, outcome: np.ndarray) -> list[str]:
        """Return the columns that pass, in the table's order."""
        seed = self.random_state or 0
        steps: list[tuple[str, Any]] = [
            ("univariate", UnivariateFilter(self.threshold, at_least=self.at_least)),
            (
                "elastic net",
                ElasticNetSelector(
                    folds=SELECTION_FOLDS, penalties=PENALTIES, random_state=seed, at_least=self.at_least
                ),
            ),
        ]
        if self.stability is not None:
            steps.insert(0, ("stability", StabilityGate(self.stability)))
        return [str(name) for name in Pipeline(steps).fit(values, outcome).get_feature_names_out()]

    def _coefficients(self, values: np.ndarray, outcome: np.ndarray, alpha: float) -> np.ndarray:
        """Return what one unit of each column adds to the risk."""
        machine = FastSurvivalSVM(alpha, rank_ratio=RANK_RATIO, max_iter=1000, random_state=self.random_state)
        with warnings.catch_warnings():
            # At the minimum no step of a float makes the loss smaller.
            warnings.filterwarnings("ignore", message=".*precision loss", category=ConvergenceWarning)
            machine.fit(values, _without_zero(outcome))
        # With ranking alone scikit-survival predicts minus the product with its coefficients.
        return -machine.coef_

    def _tuned_alpha(self, values: pd.DataFrame, outcome: np.ndarray) -> float:
        """Return the weight with the highest mean C-index over the inner folds; of equal ones the smallest."""
        found: dict[float, list[float]] = {float(alpha): [] for alpha in sorted(self.alphas)}
        for train, test in StratifiedFolds(self.inner_folds, self.random_state or 0).split(values, outcome):
            kept = self._selected(values.iloc[train], outcome[train])
            inner = values[kept].to_numpy()
            for alpha, scores in found.items():
                risk = inner[test] @ self._coefficients(inner[train], outcome[train], alpha)
                scores.append(concordance(outcome[test], risk))
        return max(found, key=lambda alpha: float(np.mean(found[alpha])))


def _without_zero(outcome: np.ndarray) -> np.ndarray:
    """Return the outcome with all times a month later where one is 0, which the library refuses.

    Ranking reads the order of the times alone.
    """
    if outcome["time"].min() > 0:
        return outcome
    later = outcome.copy()
    later["time"] += 1.0
    return later


def fusion_weights(concordances: Mapping[str, float]) -> dict[str, float]:
    """Return the weight of each part, proportional to the exponential of its C-index on the training part."""
    raw = {name: float(np.exp(value)) for name, value in concordances.items()}
    return {name: value / sum(raw.values()) for name, value in raw.items()}
