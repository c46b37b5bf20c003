"""Inputs with the results that a package's weights gave when they were made: proof that they still give them.

Libraries change; a model file read by another version than the one that wrote it is only used if it gives the stored
results. The inputs are made up from the training cohort's quantiles: no patient stands among them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hccoutcome.errors import InputError
from hccoutcome.package.inputs import Column
from hccoutcome.package.learned import LearnedModel
from hccoutcome.package.skops_file import FAULTS
from hccoutcome.strict_json import Fields

WHERE = "vectors.json"
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
MIXED_ROWS = 6
TOLERANCE = 1e-6
"""By how much a result may differ, relative to the largest stored one: rounding on another machine is far below it."""

Row = dict[str, float | str | None]


def made_up_rows(columns: Sequence[Column], values: Mapping[str, Sequence[Any]], seed: int = 0) -> list[Row]:
    """Return rows of a model's inputs: all at one quantile, quantiles mixed, and everything missing.

    Args:
        columns: the model's inputs.
        values: value of every training patient by column, None or NaN where missing.
        seed: of the mixtures.
    """
    draw = np.random.default_rng(seed)
    levels = [[level] * len(columns) for level in LEVELS]
    levels += draw.choice(LEVELS, size=(MIXED_ROWS, len(columns))).tolist()
    rows: list[Row] = [
        {column.name: _at(column, values[column.name], level) for column, level in zip(columns, row, strict=True)}
        for row in levels
    ]
    return [*rows, {column.name: None for column in columns}]


def _at(column: Column, values: Sequence[Any], level: float) -> float | str:
    """Return a quantile of a column; of a category, the code there."""
    numbers = np.array([column.number(value) for value in values], dtype=float)
    known = numbers[~np.isnan(numbers)]
    return column.value(float(np.quantile(known, level, method="lower" if column.codes else "linear")))


def make_vectors(model: LearnedModel, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the content of ``vectors.json``: rows and what the model gives for them."""
    return {"rows": [dict(row) for row in rows], "expected": [float(value) for value in model.predict(rows)]}


def check_vectors(model: LearnedModel, vectors: Mapping[str, Any], package: str, versions: str) -> None:
    """Refuse a model that does not give its stored results.

    Args:
        model: the model with its files read.
        vectors: content of ``vectors.json``.
        package: name of the package, for the message.
        versions: how the libraries here differ from those that made it, empty where they do not.

    Raises:
        InputError: a result differs, or there is none.
    """
    fields = Fields(vectors, WHERE)
    rows, expected = fields.objects("rows"), fields.value("expected", list, "a list of numbers")
    fields.done()
    if not rows or len(rows) != len(expected) or any(type(value) not in (int, float) for value in expected):
        raise InputError(f"{WHERE} should hold a result for each of its rows: get the package again.")
    why = f" They were made with {versions}." if versions else ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = model.predict(rows)
    except FAULTS as error:
        raise InputError(f"The weights of '{package}' cannot be computed with here ({error}).{why}") from error
    scale = max(1.0, max(abs(value) for value in expected))
    worst = max(abs(a - b) for a, b in zip(found, expected, strict=True))
    if math.isnan(worst) or worst > TOLERANCE * scale:
        raise InputError(
            f"The weights of '{package}' give other results here than when they were made (they differ by {worst:.2g}):"
            f" do not use the package with these libraries.{why}"
        )
