"""PRIME-R: response to interventional, targeted and immunotherapy from clinical variables and radiomics.

PRIME (Supplementary Method, "Base Models for Classification Tasks", "Model Hyperparameter Tuning", "Early Fusion
Strategy"): univariate tests (t and Mann-Whitney) and elastic net select columns of each modality, five kinds of
classifier with their grids compete by cross-validated AUC, and both modalities are fused early (one classifier reads
both) or late (the two probabilities are weighed).

Left open there and decided here:
- The paper tunes "by five-fold cross-validation on the test set"; here everything is learned from the training part,
  selection anew in each inner fold.
- The weights of the late fusion are not printed: they are those with the smallest Brier score on the inner folds'
  held-out probabilities of the two chosen classifiers.
- A column passes the univariate step where either test has p below 0.05; where fewer pass, the best ones do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

from hccoutcome.errors import InputError, nearest
from hccoutcome.evaluation.crossvalidation import StratifiedFolds
from hccoutcome.package.estimator import (
    ResponseEstimator,
    check_modality,
    part_name,
    prepared,
    response_of,
)
from hccoutcome.package.learned import LearnedModel, Part
from hccoutcome.response.candidates import (
    CANDIDATES,
    FEWEST_OF_A_CLASS,
    Configuration,
    fitted,
    held_out_probabilities,
)
from hccoutcome.selection.filters import StabilityGate
from hccoutcome.selection.lasso import ElasticNetSelector
from hccoutcome.selection.univariate import UnivariateFilter
from hccoutcome.stability.table import StabilityTable

SELECTION_FOLDS, PENALTIES = 5, 30
"""Of the elastic net, whose own cross-validation runs inside every fold that tunes."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """What won in one modality.

    Attributes:
        configuration: the classifier with its parameters.
        auc: mean AUC over the inner folds, by which it won.
        held_out: its probability of response for each training patient from the inner fold that left the patient out.
    """

    configuration: Configuration
    auc: float
    held_out: np.ndarray


class PrimeR(ResponseEstimator):
    """Probability of response.

    Args:
        modality: ``"clinical"``, ``"imaging"``, ``"early"`` or ``"late"`` fusion.
        candidates: names of the classifiers that compete; of equally good ones the first wins.
        threshold: largest p of the univariate tests.
        at_least: columns of a modality kept in any case.
        stability: table of the imaging columns' stability, None where it was not measured.
        inner_folds: folds of the cross-validation that tunes, inside the training part.
        random_state: seed of folds and classifiers.

    Attributes of a fitted one (beside those of every system):
        chosen_: what won, by part.
    """

    def __init__(
        self,
        modality: str = "late",
        *,
        candidates: Sequence[str] = CANDIDATES,
        threshold: float = 0.05,
        at_least: int = 3,
        stability: StabilityTable | None = None,
        inner_folds: int = 5,
        random_state: int | None = 0,
    ) -> None:
        self.modality = modality
        self.candidates = candidates
        self.threshold = threshold
        self.at_least = at_least
        self.stability = stability
        self.inner_folds = inner_folds
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: Any) -> PrimeR:  # noqa: N803
        """Learn the probability of response from a table and booleans, True for a response.

        Raises:
            InputError: too few patients of a kind, no column of a modality, or an unknown candidate.
        """
        check_modality(self.modality)
        check_candidates(self.candidates)
        response = response_of(y, FEWEST_OF_A_CLASS)
        names = ("clinical", "imaging") if self.modality == "late" else (part_name(self.modality),)
        self.classes_ = np.array([False, True])
        self.chosen_: dict[str, Chosen] = {}
        parts = [self._part(name, X, response) for name in names]
        if len(parts) == 2:
            weight = fusion_weight(response, *(self.chosen_[part.name].held_out for part in parts))
            parts = [replace(part, weight=w) for part, w in zip(parts, (weight, 1 - weight), strict=True)]
        self.model_ = LearnedModel("response", tuple(parts))
        return self

    def _part(self, name: str, table: pd.DataFrame, response: np.ndarray) -> Part:
        """Return a modality's best classifier, trained on the whole training part."""
        seed = self.random_state or 0
        columns, values = prepared(table, name)
        chosen = self._best(values, response, seed)
        self.chosen_[name] = chosen
        kept = self._selected(values, response, seed)
        model = fitted(chosen.configuration, values[kept].to_numpy(), response, seed)
        return Part(name, tuple(column for column in columns if column.name in kept), model=model)

    def _selected(self, values: pd.DataFrame, response: np.ndarray, seed: int) -> list[str]:
        """Return the columns that pass, in the table's order."""
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
        return [str(name) for name in Pipeline(steps).fit(values, response).get_feature_names_out()]

    def _best(self, values: pd.DataFrame, response: np.ndarray, seed: int) -> Chosen:
        """Return the configuration with the highest mean AUC over the inner folds."""
        held_out: dict[Configuration, np.ndarray] = {}
        aucs: dict[Configuration, list[float]] = {}
        for train, test in StratifiedFolds(self.inner_folds, seed).split(values, response):
            kept = self._selected(values.iloc[train], response[train], seed)
            inner = values[kept].to_numpy()
            for candidate in self.candidates:
                found = held_out_probabilities(candidate, inner[train], response[train], inner[test], seed)
                for configuration, probability in found.items():
                    held_out.setdefault(configuration, np.empty(len(response)))[test] = probability
                    aucs.setdefault(configuration, []).append(float(roc_auc_score(response[test], probability)))
        means = {configuration: float(np.mean(values)) for configuration, values in aucs.items()}
        best = max(means, key=lambda configuration: means[configuration])
        return Chosen(best, means[best], held_out[best])


def check_candidates(candidates: Sequence[str]) -> None:
    """Refuse candidates that there are not.

    Raises:
        InputError: none, or an unknown one; the message names the nearest.
    """
    unknown = [name for name in candidates if name not in CANDIDATES]
    if unknown or not candidates:
        asked = unknown[0] if unknown else "none"
        raise InputError(f"'{asked}' is not a candidate of PRIME-R; {nearest(asked, CANDIDATES)}.")


def fusion_weight(response: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of the first of two probabilities that makes the Brier score of their mixture smallest.

    ``sum (y - w a - (1 - w) b)^2`` has its minimum at ``sum (y - b)(a - b) / sum (a - b)^2``, kept between 0 and 1.
    """
    difference = first - second
    square = float(difference @ difference)
    return 0.5 if square == 0 else float(np.clip((response - second) @ difference / square, 0.0, 1.0))
