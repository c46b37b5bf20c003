"""What of a fitted estimator is explained: its output as a function of a table, on a named scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hccoutcome.errors import InputError
from hccoutcome.evaluation.crossvalidation import selected_columns
from hccoutcome.explanation.words import Scale

Function = Callable[[pd.DataFrame], np.ndarray]
"""From a table of n rows to n outputs."""


def additive_scale(estimator: Any) -> Scale:
    """Return the scale on which a linear model's inputs add up: log-odds of response, or the survival risk itself."""
    return "log-odds" if hasattr(estimator, "predict_proba") else "risk"


def other_scale(estimator: Any) -> Scale:
    """Return the scale on which any other model is explained: a probability may be 0 or 1 and has no log-odds then."""
    return "probability" if hasattr(estimator, "predict_proba") else "risk"


def output_function(estimator: Any, scale: Scale) -> Function:
    """Return an estimator's output on a scale.

    Args:
        estimator: fitted; of response with ``predict_proba``, of survival with ``predict`` (higher is worse).
        scale: ``"log-odds"`` or ``"probability"`` of response, or ``"risk"``.

    Raises:
        InputError: the estimator has no such output.
    """
    method = "predict" if scale == "risk" else "predict_proba"
    if not hasattr(estimator, method):
        raise InputError(
            f"An explanation on the scale '{scale}' needs a model with {method}, found none: choose another."
        )
    if scale == "risk":
        return lambda table: np.asarray(estimator.predict(table), dtype=float).reshape(len(table))
    if scale == "probability":
        return lambda table: _probabilities(estimator, table)[:, 1]
    return lambda table: _log_odds(_probabilities(estimator, table))


def _probabilities(estimator: Any, table: pd.DataFrame) -> np.ndarray:
    """Return the probabilities of no response and of response, shape (rows, 2)."""
    found = np.asarray(estimator.predict_proba(table), dtype=float)
    if found.ndim != 2 or found.shape[1] != 2:
        raise InputError(f"A response model gives two probabilities a case, found an array of shape {found.shape}.")
    return found


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Return log(p / (1 - p)) from both columns, since 1 - p loses its digits where p is near 1."""
    with np.errstate(divide="ignore"):
        logs = np.log(probabilities)
    with np.errstate(invalid="ignore"):
        return logs[:, 1] - logs[:, 0]


def columns_read(estimator: Any, columns: Sequence[str]) -> list[str]:
    """Return the columns that a fitted estimator says it uses, in their order; all where it does not say.

    Whoever relies on it checks that the other columns do not matter: what imputes may read them too.
    """
    said = set(selected_columns(estimator, columns))
    return [name for name in columns if name in said] if said and said <= set(columns) else list(columns)
