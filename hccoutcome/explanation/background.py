"""Background rows for a package on one case: made from what the package tells of its training cohort, no patient's row.

A package tells quantiles of the numbers that its model reads, and of every input the mean and deviation with which it
is standardised. From these come rows whose columns have those distributions (Latin hypercube sampling: McKay, Beckman
and Conover, Technometrics 1979) and are independent of each other; indices follow from the variables of their row where
those are told. Where only mean and deviation are told, a yes or no has that share, and any other input is taken for
normal, a category for its nearest code. For a model that is additive in its inputs independence makes no difference,
since its SHAP values depend on the distribution of each input alone. For any other model the values are those in a
cohort whose inputs vary independently, which real ones do not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from hccoutcome.clinical.indices import INDICES
from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.errors import InputError
from hccoutcome.package.inputs import Column
from hccoutcome.package.reference import QUANTILES, Distribution, Reference

ROWS = 100
ENDS = (0.01, 0.99)
"""What ``low`` and ``high`` of a distribution with quantiles are; none of the others reach beyond them either."""

Value = float | str | None


@dataclass(frozen=True)
class Background:
    """Background rows and what they are.

    Attributes:
        rows: one row each, columns the model's inputs.
        in_words: how they were made, for whoever reads the explanation.
    """

    rows: pd.DataFrame
    in_words: str


def package_background(
    columns: Sequence[Column], reference: Reference | None, rows: int = ROWS, seed: int = 0
) -> Background:
    """Return background rows for a model.

    Each column depends on its own name and the seed alone, so that another column more or less changes nothing.

    Args:
        columns: the model's inputs.
        reference: the training distribution, None where there is none: then all inputs stay at their medians.
        rows: how many rows.
        seed: of the order of the values within the columns.
    """
    known = {} if reference is None else {**reference.variables, **reference.features}
    drawn = {name: _values(name, found, rows, seed) for name, found in known.items()}
    made: dict[str, list[Value]] = {}
    still = []
    for column in columns:
        if column.name in drawn:
            made[column.name] = drawn[column.name]
        elif column.name in INDICES and set(INDICES[column.name].needs) <= set(drawn):
            made[column.name] = _index(column, drawn, rows)
        elif _is_standardised(column):
            made[column.name] = _from_column(column, rows, seed)
        else:
            made[column.name] = [column.value(column.fill)] * rows
            still.append(column.name)
    index = [f"made up {row}" for row in range(rows)]
    return Background(pd.DataFrame(made, index=index), _in_words(still, len(columns)))


def _is_standardised(column: Column) -> bool:
    return (column.centre, column.scale) != (0.0, 1.0)


def _in_words(still: Sequence[str], columns: int) -> str:
    if len(still) == columns:
        return "every input at its training median"
    words = "rows made up from the training distribution of each input, the inputs independent of each other"
    return f"{words}; at the training median: {', '.join(still)}" if still else words


def _probabilities(name: str, rows: int, seed: int) -> np.ndarray:
    """Return the middles of ``rows`` equal parts of 0 to 1 in the random order of a column."""
    draw = np.random.default_rng([seed, *hashlib.sha256(name.encode("utf-8")).digest()])
    return draw.permutation((np.arange(rows) + 0.5) / rows)


def _values(name: str, known: Distribution, rows: int, seed: int) -> list[Value]:
    """Return values with a distribution, one for each of ``rows`` equal parts of it, in random order."""
    probabilities = _probabilities(name, rows, seed)
    kind = VARIABLES[name].kind if name in VARIABLES else "number"
    if kind == "binary":
        return [float(value) for value in probabilities >= 1 - known.mean]
    values = _quantiles(known, probabilities)
    return [float(value) for value in (np.round(values) if kind == "integer" else values)]


def _from_column(column: Column, rows: int, seed: int) -> list[Value]:
    """Return values with the mean and deviation by which a column is standardised, within two deviations."""
    known = Distribution(
        column.centre, column.scale, column.centre - 2 * column.scale, column.centre + 2 * column.scale
    )
    return [column.value(float(value or 0.0)) for value in _values(column.name, known, rows, seed)]


def _quantiles(known: Distribution, probabilities: np.ndarray) -> np.ndarray:
    """Return a distribution's values at probabilities: between its quantiles, or as a normal one within its range."""
    if known.quantiles:
        places = (ENDS[0], *QUANTILES, ENDS[1])
        return np.interp(probabilities, places, (known.low, *known.quantiles, known.high))
    normal = NormalDist(known.mean, known.deviation)
    return np.clip([normal.inv_cdf(float(probability)) for probability in probabilities], known.low, known.high)


def _index(column: Column, drawn: Mapping[str, Sequence[Value]], rows: int) -> list[Value]:
    """Return an index of each row from the variables of that row; the median where a denominator is zero."""
    index = INDICES[column.name]
    return [_one_index(column, [float(drawn[need][row] or 0.0) for need in index.needs]) for row in range(rows)]


def _one_index(column: Column, values: Sequence[float]) -> float:
    try:
        return INDICES[column.name].function(*values)
    except InputError:
        return column.fill
