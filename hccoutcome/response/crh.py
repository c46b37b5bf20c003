"""Clinical, CR and CRH trained on a cohort: early response to HAIC from clinical variables, MRI and habitats.

Front Oncol 2026, doi 10.3389/fonc.2026.1764150, sections 2.7 and 2.8: clinical variables by univariate, then
multivariate logistic regression; radiomic features of the tumour, and of its habitats, by stability (ICC of at least
0.8, coefficient of variation below 15 %), |r| above 0.9, recursive elimination and LASSO with 10-fold cross-validation.
The three kinds enter one after the other: Clinical, Clinical-Radiomics (CR), Clinical-Radiomics-Habitat (CRH). The
printed models stand in ``hccoutcome.response.haic_mri``.

Left open there and decided here:
- The paper does not print how many features recursive elimination leaves: as many as discriminate best in
  cross-validation inside the training part.
- The final regression has scikit-learn's default ridge penalty on standardised inputs: with a dozen inputs and a
  hundred patients an unpenalised one has no finite optimum in many resamples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from hccoutcome.clinical.columns import clinical_columns, imaging_columns
from hccoutcome.errors import InputError
from hccoutcome.naming import parse_feature_name
from hccoutcome.package.estimator import ResponseEstimator, check_modality, prepared, response_of
from hccoutcome.response.baselines import logistic_model
from hccoutcome.selection.elimination import RecursiveElimination
from hccoutcome.selection.filters import CorrelationFilter, StabilityGate
from hccoutcome.selection.lasso import LassoSelector
from hccoutcome.selection.stepwise import UnivariateMultivariateLogistic
from hccoutcome.stability.table import Gate, StabilityTable

KINDS = ("clinical", "cr", "crh")
GATE = Gate(icc=0.8, cv=0.15)
"""Section 2.7: intraclass correlation of at least 0.8 between observers, coefficient of variation below 15 %."""
CORRELATED = 0.9


class HaicModel(ResponseEstimator):
    """Probability of an early objective response.

    Args:
        kind: ``"clinical"``, ``"cr"`` (with the tumour's radiomic features) or ``"crh"`` (with those of its habitats).
        stability: table of the imaging columns' stability, None where it was not measured.
        folds: of the cross-validation of elimination and LASSO, inside the training part.
        random_state: seed of their folds.
    """

    def __init__(
        self,
        kind: str = "crh",
        *,
        stability: StabilityTable | None = None,
        folds: int = 10,
        random_state: int | None = 0,
    ) -> None:
        self.kind = kind
        self.stability = stability
        self.folds = folds
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: Any) -> HaicModel:  # noqa: N803
        """Learn the probability of response from a table and booleans, True for a response.

        Raises:
            InputError: too few patients of a kind, or the table lacks clinical, radiomic or habitat columns.
        """
        check_modality(self.kind, KINDS)
        response = response_of(y)
        groups = columns_by_kind(X)
        chosen = self._clinical(X[groups["clinical"]], response)
        for group in ("radiomic", "habitat")[: KINDS.index(self.kind)]:
            if not groups[group]:
                raise InputError(f"The model '{self.kind}' reads {group} features and the table has none: add them.")
            chosen += self._imaging(X[groups[group]], response)
        columns, values = prepared(X[chosen], "both")
        fitted = LogisticRegression(solver="newton-cholesky", tol=1e-8).fit(values.to_numpy(), response)
        self.classes_ = np.array([False, True])
        name = "clinical" if self.kind == "clinical" else "both"
        self.model_ = logistic_model(name, columns, fitted.coef_[0], float(fitted.intercept_[0]))
        return self

    def _clinical(self, table: pd.DataFrame, response: np.ndarray) -> list[str]:
        """Return the clinical columns that stay significant together."""
        _, values = prepared(table, "clinical")
        return [str(n) for n in UnivariateMultivariateLogistic().fit(values, response).get_feature_names_out()]

    def _imaging(self, table: pd.DataFrame, response: np.ndarray) -> list[str]:
        """Return the features of one kind that pass the chain of section 2.7."""
        _, values = prepared(table, "imaging")
        seed = self.random_state or 0
        chain = Pipeline(
            [
                ("stability", StabilityGate(self.stability, GATE)),
                ("correlation", CorrelationFilter(CORRELATED)),
                ("elimination", RecursiveElimination(folds=self.folds, random_state=seed)),
                ("lasso", LassoSelector(folds=self.folds, random_state=seed)),
            ]
        )
        return [str(name) for name in chain.fit(values, response).get_feature_names_out()]


def columns_by_kind(table: pd.DataFrame) -> dict[str, list[str]]:
    """Return the clinical columns of a table, those measured on the whole tumour, and those of its habitats."""
    names = [str(name) for name in table.columns]
    imaging = imaging_columns(names)
    habitats = [name for name in imaging if parse_feature_name(name).region.startswith("habitat")]
    return {
        "clinical": clinical_columns(names),
        "radiomic": [name for name in imaging if name not in set(habitats)],
        "habitat": habitats,
    }
