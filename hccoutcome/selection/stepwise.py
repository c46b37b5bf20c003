"""The classical table: each variable alone, then those that pass together (Table 3 of paper 003, Table S1 of 001)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from hccoutcome.errors import InputError
from hccoutcome.evaluation.outcomes import is_survival
from hccoutcome.selection.base import Bools, Floats, Selector, checked_outcome, learn_scaling
from hccoutcome.selection.models import RegressionTable, regression
from hccoutcome.selection.univariate import univariate_table

_NUMBERS = ("ratio", "low", "high", "p")


class _UnivariateMultivariate(Selector):
    """Keep the columns that stay significant together, of those that are significant alone.

    Args:
        entry: largest p alone that enters the multivariate model.
        stay: largest p in the multivariate model that is kept; None keeps all that entered.
        events_per_variable: the multivariate model takes at most one column for so many events (or patients of the
            rarer response), those with the smallest p alone first.

    Attributes:
        table_: one row a column: ``patients``, ``ratio``, ``low``, ``high``, ``p`` alone; ``multivariate_ratio``,
            ``multivariate_low``, ``multivariate_high``, ``multivariate_p`` together (NaN for those that did not enter);
            and ``method``, how it was fitted alone. Alone, patients without a value are left out; together, missing
            values are imputed by the median of the patients that ``fit`` saw.
        multivariate_: the multivariate model; None where nothing entered.
        notes_: one sentence for everything out of the ordinary.
    """

    _family: Literal["logistic", "cox"]

    def __init__(
        self,
        entry: float = 0.05,
        stay: float | None = 0.05,
        events_per_variable: float = 5.0,
        at_least: int = 1,
    ) -> None:
        self.entry = entry
        self.stay = stay
        self.events_per_variable = events_per_variable
        self.at_least = at_least

    def _choose(self, frame: pd.DataFrame, y: Any) -> tuple[Bools, Floats]:
        outcome = checked_outcome(y, len(frame))
        if is_survival(outcome) != (self._family == "cox"):
            wanted = "survival (events and times)" if self._family == "cox" else "responders (booleans)"
            raise InputError(f"{type(self).__name__} needs {wanted}, found another outcome: use the other estimator.")
        alone = self._alone(frame, outcome)
        p = alone["p"].to_numpy(float)
        entered = self._entered(p, outcome)
        self.notes_: tuple[str, ...] = ()
        self.multivariate_ = self._together(frame, outcome, entered)
        self.table_ = alone.join(self._columns())
        with np.errstate(divide="ignore"):
            merit = -np.log(p)
        if self.multivariate_ is None:
            return np.zeros(frame.shape[1], bool), merit
        together = self.table_["multivariate_p"].to_numpy(float)
        limit = 1.0 if self.stay is None else self.stay
        return np.nan_to_num(together, nan=2.0) <= limit, merit

    def _alone(self, frame: pd.DataFrame, y: Any) -> pd.DataFrame:
        raise NotImplementedError

    def _entered(self, p: Floats, y: Any) -> list[int]:
        """Return the columns that enter, in the order of the table."""
        rarer = int(y["event"].sum()) if self._family == "cox" else int(min(y.sum(), (~y).sum()))
        most = max(1, int(rarer // self.events_per_variable))
        ranked = np.argsort(np.nan_to_num(p, nan=2.0), kind="stable")
        return sorted(int(i) for i in ranked[:most] if p[i] <= self.entry)

    def _together(self, frame: pd.DataFrame, y: Any, entered: list[int]) -> RegressionTable | None:
        if not entered:
            self.notes_ = (f"No column has p <= {self.entry:g} alone.",)
            return None
        chosen = frame.iloc[:, entered]
        fill = learn_scaling(chosen.to_numpy(float)).fill
        model = regression(chosen.fillna(dict(zip(chosen.columns, fill, strict=True))), y)
        self.notes_ = model.notes
        return model

    def _columns(self) -> pd.DataFrame:
        names = [f"multivariate_{name}" for name in _NUMBERS]
        if self.multivariate_ is None:
            return pd.DataFrame(columns=names, dtype=float)
        return self.multivariate_.table[list(_NUMBERS)].set_axis(names, axis=1)


class UnivariateMultivariateLogistic(_UnivariateMultivariate):
    """Univariate, then multivariate logistic regression; ratios are odds ratios."""

    _family: Literal["logistic", "cox"] = "logistic"

    def _alone(self, frame: pd.DataFrame, y: Any) -> pd.DataFrame:
        rows = [_logistic_row(frame[[name]], y) for name in frame.columns]
        return pd.DataFrame(rows, index=frame.columns)


class UnivariateMultivariateCox(_UnivariateMultivariate):
    """Univariate, then multivariate Cox regression; ratios are hazard ratios."""

    _family: Literal["logistic", "cox"] = "cox"

    def _alone(self, frame: pd.DataFrame, y: Any) -> pd.DataFrame:
        table = univariate_table(frame, y)
        alone = table[["patients", "hr", "hr_low", "hr_high", "p"]]
        alone = alone.set_axis(["patients", *_NUMBERS], axis=1)
        return alone.assign(method=np.where(table["note"] == "", "maximum likelihood", table["note"]))


def _logistic_row(column: pd.DataFrame, y: Bools) -> dict[str, Any]:
    known = column.iloc[:, 0].notna().to_numpy()
    row: dict[str, Any] = {"patients": int(known.sum()), **dict.fromkeys(_NUMBERS, np.nan)}
    if not known.any() or y[known].all() or not y[known].any():
        return {**row, "method": "one outcome only"}
    if column.iloc[known, 0].nunique() < 2:
        return {**row, "method": "does not vary"}
    model = regression(column[known], y[known])
    return {**row, **model.table.iloc[0][list(_NUMBERS)].to_dict(), "method": model.method}
