"""A patient's values as a model reads them: categories as numbers, missing ones filled in, every column on one scale.

Variables whose usual values span three orders of magnitude or more (AFP, PIVKA-II, CRP) enter by their logarithm: on
their own scale one extreme patient would decide a coefficient, and the coefficient the risk of the next extreme one.

What is learned (which columns, their fill, centre and scale) is learned in ``fit`` from the training part alone and is
plain data, so that a package computes the very same numbers without any library.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hccoutcome.clinical.columns import is_clinical
from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.errors import InputError, nearest
from hccoutcome.strict_json import Fields

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Column:
    """One input of a model: ``(number - centre) / scale``, with ``fill`` for the number where it is missing.

    The number is the value, the code of a category, or the value's logarithm to the base 10.

    Attributes:
        name: feature column, clinical variable or index.
        fill: median of the training patients of whom the value was known.
        centre: mean of the training patients after filling; 0 where the model reads plain numbers.
        scale: standard deviation (divisor n) after filling; 1 where the model reads plain numbers.
        codes: number of each category, empty for numbers.
        logarithm: whether the number is the value's logarithm.
    """

    name: str
    fill: float
    centre: float = 0.0
    scale: float = 1.0
    codes: Mapping[str, float] = field(default_factory=dict)
    logarithm: bool = False

    def number(self, value: Any) -> float:
        """Return the number behind a value: NaN where it is missing.

        Raises:
            InputError: a text that is none of the categories, or a value from 0 down where its logarithm is read.
        """
        if value is None:
            return np.nan
        if not isinstance(value, str):
            return self._logarithm(float(value)) if self.logarithm else float(value)
        if value not in self.codes:
            wanted = nearest(value, self.codes) if self.codes else "a number is expected"
            raise InputError(f"'{self.name}' is '{value}', which the model does not know; {wanted}: correct it.")
        return self.codes[value]

    def _logarithm(self, value: float) -> float:
        if value <= 0:
            raise InputError(f"'{self.name}' should be above 0, found {value:g}: correct it.")
        return float(np.log10(value))

    def value(self, number: float) -> float | str:
        """Return the value behind a number: the opposite of ``number``; the category with the nearest code."""
        if self.codes:
            return min(self.codes, key=lambda code: abs(self.codes[code] - number))
        return float(10.0**number) if self.logarithm else number

    def numbers(self, values: Iterable[Any]) -> np.ndarray:
        """Return what the model reads for several patients, shape (patients,)."""
        found = self.plain(values)
        return (np.where(np.isnan(found), self.fill, found) - self.centre) / self.scale

    def plain(self, values: Iterable[Any]) -> np.ndarray:
        """Return the numbers behind several values, NaN where missing, shape (patients,)."""
        as_they_are = not self.codes and not self.logarithm
        if as_they_are and isinstance(values, np.ndarray) and values.dtype == np.float64:
            return values
        return np.array([self.number(value) for value in values], dtype=float)

    def to_json(self) -> dict[str, Any]:
        """Return the column as JSON data."""
        return {
            "name": self.name,
            "fill": self.fill,
            "centre": self.centre,
            "scale": self.scale,
            "codes": dict(self.codes),
            "logarithm": self.logarithm,
        }

    @classmethod
    def from_json(cls, data: Any, where: str) -> Column:
        """Return the column that ``to_json`` wrote.

        Raises:
            InputError: names the fault.
        """
        fields = Fields(data, where)
        codes = Fields(fields.object("codes"), f"{where}, 'codes'")
        column = cls(
            name=fields.text("name"),
            fill=fields.number("fill"),
            centre=fields.number("centre"),
            scale=fields.number("scale"),
            codes={code: codes.number(code) for code in fields.object("codes")},
            logarithm=fields.value("logarithm", bool, "true or false"),
        )
        fields.done()
        if column.scale <= 0:
            raise InputError(f"{where}: 'scale' should be above 0, found {column.scale:g}: get the package again.")
        return column


def matrix(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Return what a model reads of each row, shape (rows, columns); what a row lacks is filled in."""
    read = [column.numbers(row.get(column.name) for row in rows) for column in columns]
    return np.column_stack(read) if read else np.empty((len(rows), 0))


def table_matrix(columns: Sequence[Column], table: pd.DataFrame) -> np.ndarray:
    """Return what a model reads of each row of a table, shape (rows, columns).

    Raises:
        InputError: the table lacks a column.
    """
    for column in columns:
        if column.name not in table.columns:
            raise InputError(
                f"The model was fitted on the column '{column.name}', which the table lacks: add it, empty where it is "
                "not known."
            )
    values = _values([column.name for column in columns], table)
    read = [column.numbers(values[column.name]) for column in columns]
    return np.column_stack(read) if read else np.empty((len(table), 0))


def learn_columns(table: pd.DataFrame, standardise: bool = True) -> tuple[Column, ...]:
    """Return the columns of a training table that can be read: those with at least two different values.

    Args:
        table: one row a patient; missing values are NaN or None, categories text.
        standardise: whether the model reads deviations from the mean, or plain numbers.

    Raises:
        InputError: a text that is no category of the schema's variable, or an infinite number.
    """
    values = _values(list(table.columns), table)
    columns = (_learn(str(name), values[name], standardise) for name in table.columns)
    return tuple(column for column in columns if column is not None)


def _values(names: Sequence[str], table: pd.DataFrame) -> dict[str, Iterable[Any]]:
    """Return the values of some columns by name; numbers in one go, since a table may have thousands of them."""
    kinds = dict(zip(table.columns, table.dtypes, strict=True))
    plain = [name for name in names if kinds[name] == np.float64]
    numbers = dict(zip(plain, table[plain].to_numpy().T, strict=True))
    return {name: numbers[name] if name in numbers else table[name] for name in names}


def _learn(name: str, values: Iterable[Any], standardise: bool) -> Column | None:
    codes = {code.value: float(code.number) for code in VARIABLES[name].codes} if _is_category(name) else {}
    plain = Column(name, np.nan, codes=codes, logarithm=spans_magnitudes(name))
    found = plain.plain(values)
    if np.isinf(found).any():
        raise InputError(f"The column '{name}' holds an infinite number: correct it or leave the cell empty.")
    known = found[~np.isnan(found)]
    if len(known) == 0 or np.all(known == known[0]):
        return None
    fill = float(np.median(known))
    filled = np.where(np.isnan(found), fill, found)
    centre, scale = float(filled.mean()), float(filled.std())
    # Numbers that only differ by rounding would be blown up into noise.
    if scale <= 1e-12 * abs(centre):
        return None
    if not standardise:
        centre, scale = 0.0, 1.0
    return replace(plain, fill=fill, centre=centre, scale=scale)


def spans_magnitudes(name: str) -> bool:
    """Return whether usual values of a clinical variable span three orders of magnitude or more."""
    variable = VARIABLES.get(name)
    return variable is not None and variable.kind == "number" and 0 < 1000 * variable.typical[0] <= variable.typical[1]


def _is_category(name: str) -> bool:
    return name in VARIABLES and VARIABLES[name].kind == "category"


def columns_of_modality(names: Iterable[str], modality: str) -> list[str]:
    """Return the columns of a modality among some, in their order.

    Args:
        names: columns of a table.
        modality: ``"clinical"``, ``"imaging"``, or anything else for both.

    Raises:
        InputError: there is none.
    """
    names = list(names)
    wanted = {"clinical": is_clinical, "imaging": lambda name: not is_clinical(name)}.get(modality)
    found = [name for name in names if wanted is None or wanted(name)]
    if not found:
        raise InputError(
            f"The model reads {modality} columns and the table has none: "
            f"{'give the features of the images' if modality == 'imaging' else 'add clinical columns'}."
        )
    return found
