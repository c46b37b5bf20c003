"""Tables of mixed columns as matrices of codes, in which SHAP may mix rows: text, missing and tiny values alike.

shap mixes the columns of a row with those of background rows in one matrix of floats, and takes two values for one
where ``numpy.isclose`` does, as it always does among values of the order of 1e-9. So every distinct value of a column
gets a whole number, missing ones too, and the model is shown the values again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hccoutcome.errors import InputError

MOST_LEVELS = 50_000
"""From about twice this number on, ``numpy.isclose`` would take neighbouring codes for one."""


@dataclass(frozen=True)
class Coding:
    """The distinct values of each column of some tables, in their order of appearance.

    Attributes:
        levels: for each column a series of its distinct values, of the column's own type.
    """

    levels: tuple[pd.Series, ...]

    @classmethod
    def of(cls, *tables: pd.DataFrame) -> Coding:
        """Return the coding of all values in tables that have the same columns."""
        together = pd.concat(tables)
        levels = tuple(
            together[name].drop_duplicates().reset_index(drop=True).rename(name) for name in together.columns
        )
        longest = max(map(len, levels), default=0)
        if longest > MOST_LEVELS:
            raise InputError(f"Explanations take up to {MOST_LEVELS} distinct values a column, found {longest}.")
        return cls(levels)

    def encode(self, table: pd.DataFrame) -> np.ndarray:
        """Return the codes of a table, shape (rows, columns), float."""
        columns = [pd.Index(levels).get_indexer(pd.Index(table[levels.name])).astype(float) for levels in self.levels]
        return np.column_stack(columns) if columns else np.empty((len(table), 0))

    def decode(self, codes: np.ndarray) -> pd.DataFrame:
        """Return the table behind codes of shape (rows, columns)."""
        rows = codes.astype(np.intp)
        columns = {levels.name: levels.array.take(rows[:, place]) for place, levels in enumerate(self.levels)}
        return pd.DataFrame(columns, index=[f"row{row}" for row in range(len(rows))])
