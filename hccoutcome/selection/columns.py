"""From a table with gaps and categories to numbers that a model can take, with what the training patients teach."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from hccoutcome.clinical.variables import VARIABLES, as_number
from hccoutcome.errors import InputError
from hccoutcome.selection.base import as_frame, as_numbers, only

MISSING_SUFFIX = "=missing"


class ColumnEncoder(TransformerMixin, BaseEstimator):
    """Impute and encode the columns of a training table.

    Categories become the number that the schema gives them (Child-Pugh A, B, C are 1, 2, 3), but for nominal ones,
    whose categories have no order: those become one column for each category seen in training except the first, called
    ``tumor_morphology=massive``. What is missing becomes the median (the commonest value of yes-or-no variables and
    categories) of the patients that ``fit`` saw. Columns of which these have no value are left out.

    Args:
        nominal: ``"one-hot"``, or ``"code"`` to use the schema's numbers for nominal categories too.
        indicators: add a column ``<name>=missing`` for every column with gaps in training.
        log10: columns whose logarithm is taken, for long-tailed ones (``("afp",)``); their values must be positive.

    Attributes:
        sources_: the column of the table that each column of the result comes from.
        fill_: what stands for a missing value, by column of the table.
        empty_: columns without any value in training.
        categories_: the categories of nominal variables seen in training, by variable; the first has no column.
    """

    def __init__(
        self,
        nominal: Literal["one-hot", "code"] = "one-hot",
        indicators: bool = False,
        log10: tuple[str, ...] = (),
    ) -> None:
        self.nominal = nominal
        self.indicators = indicators
        self.log10 = log10

    def fit(self, X: Any, y: Any = None) -> ColumnEncoder:  # noqa: N803
        """Learn what stands for missing values.

        Raises:
            InputError: text in a column that is no categorical variable, or of no known category.
        """
        if self.nominal not in ("one-hot", "code"):
            raise InputError(f"Nominal categories become 'one-hot' or 'code', found '{self.nominal}': choose one.")
        frame = as_frame(X)
        self.feature_names_in_ = np.asarray(frame.columns, dtype=object)
        self.n_features_in_ = frame.shape[1]
        numbers = self._numbers(frame)
        known = numbers.notna().any()
        self.empty_ = [str(name) for name in numbers.columns[~known]]
        self.fill_ = {str(name): _typical(numbers[name]) for name in numbers.columns[known]}
        gaps = numbers.columns[numbers.isna().any() & known]
        self.with_gaps_ = [str(name) for name in gaps] if self.indicators else []
        self.categories_ = {n: _seen(n, numbers[n].fillna(self.fill_[n])) for n in self.fill_ if self._is_nominal(n)}
        self.sources_ = {column: name for name in self.fill_ for column in self._columns_of(name)}
        self.sources_ |= {f"{name}{MISSING_SUFFIX}": name for name in self.with_gaps_}
        return self

    def transform(self, X: Any) -> pd.DataFrame:  # noqa: N803
        """Return numbers without gaps.

        Raises:
            InputError: X lacks a column, or holds text that is no category.
        """
        check_is_fitted(self, "fill_")
        numbers = self._numbers(only(as_frame(X), self.fill_))
        filled = numbers.fillna(self.fill_)
        parts = {column: part for name in self.fill_ for column, part in self._encoded(name, filled[name]).items()}
        parts |= {f"{name}{MISSING_SUFFIX}": numbers[name].isna().astype(float) for name in self.with_gaps_}
        return pd.DataFrame(parts, index=numbers.index)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the resulting columns."""
        check_is_fitted(self, "sources_")
        return np.asarray(list(self.sources_), dtype=object)

    def _numbers(self, frame: pd.DataFrame) -> pd.DataFrame:
        coded = {name: _coded(name, frame[name]) for name in frame.columns if not is_numeric_dtype(frame[name])}
        numbers = as_numbers(frame.assign(**coded))
        for name in (name for name in self.log10 if name in numbers):
            if (numbers[name] <= 0).any():
                raise InputError(f"A logarithm needs values above 0, found {numbers[name].min():g} in '{name}'.")
            numbers[name] = np.log10(numbers[name])
        return numbers

    def _is_nominal(self, name: str) -> bool:
        return self.nominal == "one-hot" and name in VARIABLES and VARIABLES[name].nominal

    def _columns_of(self, name: str) -> list[str]:
        if name not in self.categories_:
            return [name]
        return [f"{name}={value}" for value in list(self.categories_[name])[1:]]

    def _encoded(self, name: str, column: pd.Series) -> dict[str, pd.Series]:
        if name not in self.categories_:
            return {name: column}
        others = list(self.categories_[name].items())[1:]
        return {f"{name}={value}": (column == number).astype(float) for value, number in others}


def _seen(name: str, column: pd.Series) -> dict[str, float]:
    """Return the categories of a variable that a column holds, with their numbers."""
    return {code.value: code.number for code in VARIABLES[name].codes if (column == code.number).any()}


def _coded(name: str, column: pd.Series) -> pd.Series:
    """Return a column of texts as the schema's numbers; numbers stay."""

    def number(value: Any) -> float:
        if pd.isna(value):
            return np.nan
        return as_number(name, value) if isinstance(value, str) else float(value)

    if name not in VARIABLES and any(isinstance(value, str) for value in column):
        raise InputError(
            f"Text belongs to clinical variables only, found some in the column '{name}': make it numbers."
        )
    return column.map(number).astype(float)


def _typical(column: pd.Series) -> float:
    """Return what stands for a missing value: the commonest value of what has codes, otherwise the median."""
    name = str(column.name)
    coded = name in VARIABLES and VARIABLES[name].kind in ("binary", "category")
    return float(column.mode().iloc[0] if coded else column.median())
