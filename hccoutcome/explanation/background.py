"""Background rows for a package on one case: made from the training cohort's distribution, none of them a patient.

A package carries no patient's row. What it may carry is how each input was distributed: quantiles of a number, shares
of the values of a code, the share that was missing. From these come rows whose columns have those distributions (Latin
hypercube sampling: McKay, Beckman and Conover, Technometrics 1979) and are independent of each other. For a model that
is additive in its inputs that makes no difference, since its SHAP values depend on the distribution of each input
alone. For any other model they are those in a cohort whose inputs vary independently, which real ones do not.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from hccoutcome.errors import InputError
from hccoutcome.package.reference import Distribution
from hccoutcome.strict_json import Fields

ROWS = 100
STEPS = 20
"""A number keeps its quantiles at every 5%, the smallest and the largest value included."""
MOST_LEVELS = 10
"""A number with no more values than these keeps them with their shares: a count, a grade, a yes or no."""
IN_WORDS = "rows made from the training cohort's distribution of each input, the inputs independent of each other"

Value = float | str


@dataclass(frozen=True)
class Marginal:
    """How one input was distributed in the training cohort: by quantiles, or by the shares of a few values.

    Attributes:
        quantiles: of the known values, at equally spaced probabilities from 0 to 1; empty where ``levels`` has values.
        levels: values and their shares among the known ones, the shares summing to 1; else empty.
        missing: share of the cases without a value.
    """

    quantiles: tuple[float, ...] = ()
    levels: tuple[tuple[Value, float], ...] = ()
    missing: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no distribution."""
        shares = [share for _, share in self.levels]
        ascending = all(low <= high for low, high in zip(self.quantiles, self.quantiles[1:], strict=False))
        whole = not shares or (min(shares) >= 0 and math.isclose(sum(shares), 1.0, abs_tol=1e-6))
        if bool(self.quantiles) == bool(self.levels) or not ascending or not whole or not 0 <= self.missing < 1:
            raise InputError(
                "The distribution of an input has quantiles that ascend, or values with shares that sum to 1, and a "
                f"share missing below 1, found {self}: make the package again."
            )

    def values(self, probabilities: np.ndarray) -> list[Value]:
        """Return the value at each probability (0 to 1) among the known ones."""
        if self.levels:
            ends = np.cumsum([share for _, share in self.levels])
            places = np.minimum(np.searchsorted(ends, probabilities, side="right"), len(self.levels) - 1)
            return [self.levels[place][0] for place in places]
        grid = np.linspace(0.0, 1.0, len(self.quantiles))
        return [float(value) for value in np.interp(probabilities, grid, self.quantiles)]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "quantiles": list(self.quantiles),
            "levels": [{"value": value, "share": share} for value, share in self.levels],
            "missing": self.missing,
        }

    @classmethod
    def from_json(cls, data: Any, where: str) -> Marginal:
        """Return the distribution that ``to_json`` wrote.

        Raises:
            InputError: names the fault.
        """
        fields = Fields(data, where)
        quantiles = fields.value("quantiles", list, "a list of numbers", [])
        levels = tuple(_level(item, where) for item in fields.objects("levels"))
        missing = fields.number("missing", 0.0)
        fields.done()
        if not all(type(value) in (int, float) for value in quantiles):
            raise InputError(f"{where}: 'quantiles' should hold numbers only: get the package again.")
        return cls(tuple(map(float, quantiles)), levels, missing)


def _level(data: Any, where: str) -> tuple[Value, float]:
    fields = Fields(data, f"{where}, 'levels'")
    value = fields.value("value", (int, float, str), "a number or a text")
    share = fields.number("share")
    fields.done()
    return (value if isinstance(value, str) else float(value)), share


def marginals_of(table: pd.DataFrame) -> dict[str, Marginal]:
    """Return the distribution of each column of a training table; no row of it can be put together from them.

    Raises:
        InputError: a column has no value at all.
    """
    return {str(name): _marginal(table[name]) for name in table.columns}


def _marginal(column: pd.Series) -> Marginal:
    known = column.dropna()
    if known.empty:
        raise InputError(f"The column '{column.name}' has no value in the training cohort: leave it out.")
    missing = 1.0 - len(known) / len(column)
    numeric = pd.api.types.is_numeric_dtype(known)
    known = known.astype(float) if numeric else known.astype(str)
    if numeric and known.nunique() > MOST_LEVELS:
        quantiles = np.quantile(known, np.linspace(0.0, 1.0, STEPS + 1))
        return Marginal(tuple(map(float, quantiles)), missing=missing)
    shares = known.value_counts(normalize=True).sort_index()
    levels = tuple((value if isinstance(value, str) else float(value), float(share)) for value, share in shares.items())
    return Marginal(levels=levels, missing=missing)


def marginal_of_distribution(known: Distribution) -> Marginal:
    """Return the distribution of a feature of which only mean, deviation and range are known, as if it were normal."""
    if known.low == known.high:
        return Marginal(levels=((known.mean, 1.0),))
    normal = NormalDist(known.mean, known.deviation)
    inner = [min(max(normal.inv_cdf(step / STEPS), known.low), known.high) for step in range(1, STEPS)]
    return Marginal((known.low, *inner, known.high))


def synthetic_background(marginals: Mapping[str, Marginal], rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Return rows whose columns have the given distributions and are independent of each other.

    Each column depends on its own name and the seed alone, so that another column more or less changes nothing.

    Args:
        marginals: distribution by column.
        rows: how many rows.
        seed: of the order of the values within the columns.
    """
    columns = {name: _column(name, marginal, rows, seed) for name, marginal in marginals.items()}
    return pd.DataFrame(columns, index=[f"synthetic{row}" for row in range(rows)])


def _column(name: str, marginal: Marginal, rows: int, seed: int) -> pd.Series:
    draw = np.random.default_rng([seed, *hashlib.sha256(name.encode("utf-8")).digest()])
    known = max(1, rows - round(rows * marginal.missing))
    values: list[Value | None] = list(marginal.values((np.arange(known) + 0.5) / known))
    texts = any(isinstance(value, str) for value in values)
    values += [None if texts else math.nan] * (rows - known)
    return pd.Series([values[place] for place in draw.permutation(rows)], dtype=object if texts else float).to_numpy()
