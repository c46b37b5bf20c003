"""What all selectors share: DataFrames in and out, a mask of what is kept, and never an empty table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from hccoutcome.errors import InputError
from hccoutcome.evaluation.outcomes import check_binary, check_survival, is_survival

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_NOISE = 1e-10


def as_frame(table: Any) -> pd.DataFrame:
    """Return a table as a DataFrame; the columns of an array are called ``x0``, ``x1``...

    Raises:
        InputError: not two-dimensional, no row or no column, or a column name twice.
    """
    if isinstance(table, pd.DataFrame):
        frame = table
    else:
        values = np.atleast_2d(np.asarray(table))
        frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(values.shape[1])])
    if 0 in frame.shape:
        raise InputError(f"A table of at least one patient and one column was expected, found shape {frame.shape}.")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"Each column stands once in a table, found '{twice}' twice: keep one.")
    return frame


def as_numbers(table: Any) -> pd.DataFrame:
    """Return a table as a DataFrame of floats, missing values as NaN.

    Raises:
        InputError: a column holds text, or a value is infinite.
    """
    frame = as_frame(table)
    try:
        numbers = frame.astype(float)
    except (TypeError, ValueError) as error:
        text = next(name for name in frame.columns if not _is_numeric(frame[name]))
        raise InputError(
            f"Selection needs numbers, found text in the column '{text}': encode it first (ColumnEncoder)."
        ) from error
    infinite = numbers.columns[np.isinf(numbers.to_numpy()).any(axis=0)]
    if len(infinite):
        raise InputError(f"A finite number was expected, found an infinite one in '{infinite[0]}': correct it.")
    return numbers


def _is_numeric(column: pd.Series) -> bool:
    try:
        column.astype(float)
    except (TypeError, ValueError):
        return False
    return True


def checked_outcome(y: Any, patients: int) -> Any:
    """Return the outcome: booleans of shape (patients,), or a structured array of events and times.

    Raises:
        InputError: neither, or of another length.
    """
    if y is None:
        raise InputError("This selection needs the outcome, found none: give y.")
    checked: Any = check_survival(y).structured if is_survival(y) else check_binary(y)
    if len(checked) != patients:
        raise InputError(f"One outcome for each of {patients} patients was expected, found {len(checked)}: align them.")
    return checked


@dataclass(frozen=True)
class Scaling:
    """How columns are imputed and brought to mean 0 and deviation 1, learnt on some patients.

    Attributes:
        fill: shape (columns,), the median, which stands for what is missing; 0 where no value is known.
        centre, scale: shape (columns,), mean and deviation (that of n, as glmnet takes it) of the imputed columns.
        varies: shape (columns,), True where the column is not constant; a constant one becomes 0 throughout.
    """

    fill: Floats
    centre: Floats
    scale: Floats
    varies: Bools

    def apply(self, values: Floats) -> Floats:
        """Return imputed and standardised values of shape (patients, columns)."""
        filled = np.where(np.isnan(values), self.fill, values)
        return np.where(self.varies, (filled - self.centre) / self.scale, 0.0)


def learn_scaling(values: Floats) -> Scaling:
    """Learn from values of shape (patients, columns) how columns are imputed and standardised."""
    known = ~np.isnan(values)
    fill = np.array([np.median(c[k]) if k.any() else 0.0 for c, k in zip(values.T, known.T, strict=True)])
    filled = np.where(known, values, fill)
    centre, scale = filled.mean(axis=0), filled.std(axis=0)
    # Sums of many equal numbers leave rounding noise, which is no variation.
    varies = scale > _NOISE * np.maximum(np.abs(centre), np.finfo(float).tiny)
    return Scaling(fill, centre, np.where(varies, scale, 1.0), varies)


class Selector(TransformerMixin, BaseEstimator, ABC):
    """A transformer that keeps some columns of a DataFrame.

    Attributes:
        at_least: columns kept even if fewer pass, the best of the others first; ``fallback_`` says whether that
            happened. A model cannot be fitted on no column, and in a fold of a cross-validation it must not fail.
        support_: True for each column that is kept.
        ranking_: how good each column is, higher is better; NaN where it cannot be judged.
    """

    at_least: int = 1

    def fit(self, X: Any, y: Any = None) -> Selector:  # noqa: N803
        """Choose the columns to keep.

        Args:
            X: shape (patients, columns), numbers; NaN is missing.
            y: responders (booleans) or survival (structured array), where the selection needs the outcome.

        Raises:
            InputError: X or y are not what they should be.
        """
        frame = as_numbers(X)
        self.feature_names_in_ = np.asarray(frame.columns, dtype=object)
        self.n_features_in_ = frame.shape[1]
        passed, ranking = self._choose(frame, y)
        self.ranking_ = np.asarray(ranking, float)
        self.support_, self.fallback_ = _with_least(np.asarray(passed, bool), self.ranking_, self.at_least)
        return self

    @abstractmethod
    def _choose(self, frame: pd.DataFrame, y: Any) -> tuple[Bools, Floats]:
        """Return which columns pass, and how good each is."""

    def get_support(self, indices: bool = False) -> Any:
        """Return the mask of the kept columns, or their positions."""
        check_is_fitted(self, "support_")
        return np.flatnonzero(self.support_) if indices else self.support_

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the kept columns."""
        check_is_fitted(self, "support_")
        return self.feature_names_in_[self.support_]

    def transform(self, X: Any) -> pd.DataFrame:  # noqa: N803
        """Return the kept columns, values as they are.

        Raises:
            InputError: X lacks one of them.
        """
        check_is_fitted(self, "support_")
        return only(as_frame(X), self.get_feature_names_out())


def only(frame: pd.DataFrame, names: Any) -> pd.DataFrame:
    """Return columns of a table in the order asked.

    Raises:
        InputError: the table lacks one.
    """
    lacking = [name for name in names if name not in frame.columns]
    if lacking:
        raise InputError(f"The column '{lacking[0]}' was expected, as in training, found a table without it: add it.")
    return frame[list(names)]


def _with_least(passed: Bools, ranking: Floats, at_least: int) -> tuple[Bools, bool]:
    lacking = min(at_least, len(passed)) - int(passed.sum())
    if lacking <= 0:
        return passed, False
    merit = np.where(np.isnan(ranking), -np.inf, ranking)
    order = [i for i in np.argsort(-merit, kind="stable") if not passed[i]]
    passed = passed.copy()
    passed[order[:lacking]] = True
    return passed, True
