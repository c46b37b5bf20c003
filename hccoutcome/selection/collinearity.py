"""Variance inflation: how far a column follows from the others (Belsley 1980)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.outliers_influence import variance_inflation_factor

from hccoutcome.selection.base import as_numbers, learn_scaling

SEVERE = 10.0
"""A variance inflation factor beyond this means multicollinearity (paper 003)."""
_PERFECT = 1e10


def vif_table(X: Any) -> pd.DataFrame:  # noqa: N803
    """Return the variance inflation factor of each column.

    Args:
        X: shape (patients, columns), numbers; missing values are imputed by the median.

    Returns:
        One row a column: ``vif``, ``tolerance`` (1 / vif), ``severe`` (vif > 10) and ``note``. A column that follows
        from the others has an infinite factor, one that does not vary has none.
    """
    frame = as_numbers(X)
    values = frame.to_numpy(float)
    scaling = learn_scaling(values)
    x = scaling.apply(values)
    factors = np.full(frame.shape[1], np.nan)
    varying = np.flatnonzero(scaling.varies)
    with_constant = np.column_stack([np.ones(len(x)), x[:, varying]])
    with np.errstate(divide="ignore"), warnings.catch_warnings():
        # The very thing that is looked for.
        warnings.filterwarnings("ignore", message="The design matrix is (rank-deficient|poorly conditioned)")
        for position, column in enumerate(varying, start=1):
            factors[column] = variance_inflation_factor(with_constant, position)
    factors[factors > _PERFECT] = np.inf
    notes = np.select([~scaling.varies, np.isinf(factors)], ["does not vary", "follows from the other columns"], "")
    return pd.DataFrame(
        {"vif": factors, "tolerance": 1 / factors, "severe": factors > SEVERE, "note": notes}, index=frame.columns
    )
