"""Radscore trained anew: a survival score of radiomic features by LASSO-Cox.

Sun Z et al., J Hepatocell Carcinoma 2024;11:385-397, appendices E4 to E6: reproducible features of the arterial tumour
(ICC above 0.8), LASSO-Cox with cross-validated penalty; the score is the linear predictor. The printed score stands in
``hccoutcome.survival.radscore``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from hccoutcome.package.estimator import SurvivalEstimator, linear_part, prepared, survival_of
from hccoutcome.package.learned import LearnedModel
from hccoutcome.selection.filters import StabilityGate
from hccoutcome.selection.lasso import LassoCoxSelector
from hccoutcome.stability.table import Gate, StabilityTable

GATE = Gate(icc=0.8)
"""Appendix E6: features with an ICC above 0.8 are reproducible."""


class RadscoreLasso(SurvivalEstimator):
    """Linear predictor of a LASSO-Cox regression on the imaging columns; higher is worse.

    Args:
        stability: table of the columns' stability, None where it was not measured.
        folds: of the cross-validation that chooses the penalty, inside the training part.
        random_state: seed of its folds.
    """

    def __init__(
        self, *, stability: StabilityTable | None = None, folds: int = 10, random_state: int | None = 0
    ) -> None:
        self.stability = stability
        self.folds = folds
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> RadscoreLasso:  # noqa: N803
        """Learn the score from a table and outcomes (event, time in months).

        Where the penalty lets no feature in, the first that would enter stands alone with a coefficient of 0: the score
        then says nothing, as the data do.

        Raises:
            InputError: too few patients or events, or no imaging column.
        """
        outcome = survival_of(y)
        columns, values = prepared(X, "imaging")
        lasso = LassoCoxSelector(folds=self.folds, random_state=self.random_state or 0)
        Pipeline([("stability", StabilityGate(self.stability, GATE)), ("lasso", lasso)]).fit(values, outcome)
        kept = [str(name) for name in lasso.get_feature_names_out()]
        coefficients = lasso.raw_coefficients_.reindex(kept, fill_value=0.0).to_numpy(float)
        by_name = {column.name: column for column in columns}
        part = linear_part("imaging", [by_name[name] for name in kept], coefficients)
        return self._learned(LearnedModel("survival", (part,)), X)
