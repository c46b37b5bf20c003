"""What SELECTION is compared with: features of a ResNet-50 by logistic regression, and two clinical models.

SELECTION (eClinicalMedicine 2024;75:102808, "Unresectable hepatocellular carcinoma multimodal transformer", Table 2):
features of a pretrained ResNet-50 and clinical variables are reduced together by selection, and a logistic regression
reads what is left. The third comparator, a ViT on images alone, is SELECTION's own network without clinical variables.

Left open there and decided here:
- The selection is not named: univariate tests, |r| above 0.9 and LASSO with 10-fold cross-validation, in ``fit``.
- The two clinical models are only called 1 and 2: here the first is a logistic regression on those of the 20 variables
  that stay significant together, the second the BCLC stage alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from hccoutcome.deep.selection_inputs import VARIABLES
from hccoutcome.errors import InputError
from hccoutcome.package.estimator import ResponseEstimator, prepared, response_of
from hccoutcome.response.baselines import ResponseByScore, logistic_model
from hccoutcome.response.crh import HaicModel
from hccoutcome.selection.filters import CorrelationFilter
from hccoutcome.selection.lasso import LassoSelector
from hccoutcome.selection.univariate import UnivariateFilter

CORRELATED = 0.9


class CnnLogistic(ResponseEstimator):
    """Probability of the outcome from features of a ResNet-50 (``deep.cnn_features``) and clinical variables.

    Args:
        threshold: largest p of the univariate tests.
        at_least: columns kept in any case.
        folds: of the cross-validation of LASSO, inside the training part.
        random_state: seed of its folds.
    """

    def __init__(
        self, *, threshold: float = 0.05, at_least: int = 5, folds: int = 10, random_state: int | None = 0
    ) -> None:
        self.threshold = threshold
        self.at_least = at_least
        self.folds = folds
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: Any) -> CnnLogistic:  # noqa: N803
        """Learn from a table and booleans, True for the outcome that the score is the probability of.

        Raises:
            InputError: too few patients of a kind, or no column that varies.
        """
        response = response_of(y)
        _, values = prepared(X, "both")
        chain = Pipeline(
            [
                ("univariate", UnivariateFilter(threshold=self.threshold, at_least=self.at_least)),
                ("correlation", CorrelationFilter(CORRELATED)),
                ("lasso", LassoSelector(folds=self.folds, random_state=self.random_state or 0)),
            ]
        )
        chosen = [str(name) for name in chain.fit(values, response).get_feature_names_out()]
        columns, kept = prepared(X[chosen], "both")
        fitted = LogisticRegression(solver="newton-cholesky").fit(kept.to_numpy(), response)
        self.classes_ = np.array([False, True])
        self.model_ = logistic_model("both", columns, fitted.coef_[0], float(fitted.intercept_[0]))
        return self


def clinical_models(random_state: int = 0) -> Mapping[str, ResponseEstimator]:
    """Return the two clinical models, not fitted, by name; both read clinical columns alone."""
    return {
        "clinical-1": HaicModel("clinical", random_state=random_state),
        "clinical-2": ResponseByScore("bclc"),
    }


def variables_of(table: pd.DataFrame) -> list[str]:
    """Return the variables of SELECTION that a table has, in the paper's order.

    Raises:
        InputError: it has none of them.
    """
    found = [name for name in VARIABLES if name in table.columns]
    if not found:
        raise InputError(f"SELECTION reads {', '.join(VARIABLES)}; the table has none of them: add clinical columns.")
    return found
