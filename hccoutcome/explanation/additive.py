"""Exact Shapley values of models that are additive in their inputs: linear ones with all that goes before them.

Where ``f(x) = a + sum_j h_j(x_j)``, each input entering by a function of its own, the Shapley value of input j against
a background is ``h_j(x_j) - mean_b h_j(b_j)`` (Lundberg and Lee, NeurIPS 2017, corollary 1, of a linear model). Median
imputation, scaling, one-hot coding and a linear score are such a model on the linear scale, and so are boosted stumps.
``h_j`` up to a constant is read off the model itself by changing one input of one row at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hccoutcome.explanation.coding import Coding
from hccoutcome.explanation.outputs import Function

MIXTURES = 256
"""Random mixtures of rows on which additivity is tried, besides all rows themselves."""
TOLERANCE = 1e-8
"""What numbers may differ by, relative to the largest, and still be the same."""
ROUNDING = 1e-15
"""A few units in the last place of a probability."""


@dataclass(frozen=True)
class AdditiveModel:
    """A function taken apart into what each value of each column adds.

    Attributes:
        coding: the values of each column.
        constant: the output for the first value of every column.
        parts: for each column what each of its values adds to the constant; zero for the first.
    """

    coding: Coding
    constant: float
    parts: tuple[np.ndarray, ...]

    def amounts(self, codes: np.ndarray) -> np.ndarray:
        """Return what every column adds, shape of ``codes`` (rows, columns)."""
        rows = codes.astype(np.intp)
        columns = [part[rows[:, place]] for place, part in enumerate(self.parts)]
        return np.column_stack(columns) if columns else np.zeros(codes.shape)


def take_apart(function: Function, coding: Coding, varying: Sequence[int], chunk: int = 2048) -> AdditiveModel:
    """Return a function as if it were additive; ``is_additive`` tells whether it is.

    Args:
        function: from a table to an output for each row.
        coding: the values of all columns of the table.
        varying: places of the columns that the function reads; the others add nothing.
        chunk: rows shown to the function at once.
    """
    sizes = [len(levels) for levels in coding.levels]
    steps = [(place, code) for place in varying for code in range(1, sizes[place])]
    codes = np.zeros((len(steps) + 1, len(sizes)))
    for row, (place, code) in enumerate(steps, 1):
        codes[row, place] = code
    outputs = np.concatenate(
        [function(coding.decode(codes[start : start + chunk])) for start in range(0, len(codes), chunk)]
    )
    parts = [np.zeros(size) for size in sizes]
    for (place, code), output in zip(steps, outputs[1:], strict=True):
        parts[place][code] = output - outputs[0]
    return AdditiveModel(coding, float(outputs[0]), tuple(parts))


def is_additive(
    model: AdditiveModel, function: Function, codes: np.ndarray, seed: int, from_probabilities: bool = False
) -> bool:
    """Return whether a function equals its additive form on rows and on random mixtures of them.

    A function that differs from it in a share p of all mixtures passes with probability (1 - p)^256.

    Args:
        model: the additive form.
        function: the function itself.
        codes: rows that were explained or stand in the background, shape (rows, columns).
        seed: of the mixtures.
        from_probabilities: True where the outputs are log-odds computed from probabilities.
    """
    draw = np.random.default_rng(seed)
    first, second = (codes[draw.integers(len(codes), size=MIXTURES)] for _ in range(2))
    mixed = np.where(draw.random(first.shape) < draw.random((MIXTURES, 1)), first, second)
    rows = np.vstack([codes, mixed])
    outputs = function(model.coding.decode(rows))
    expected = model.constant + model.amounts(rows).sum(axis=1)
    if not (np.isfinite(outputs).all() and np.isfinite(expected).all()):
        return False
    allowed = TOLERANCE * max(1.0, float(np.abs(outputs).max()))
    # Log-odds come from probabilities, whose distance from 1 has lost all but a few digits where they are large.
    lost = ROUNDING * np.exp(np.minimum(np.abs(outputs), 700.0)) if from_probabilities else 0.0
    return bool(np.all(np.abs(outputs - expected) <= allowed + lost))


def exact_values(model: AdditiveModel, rows: np.ndarray, background: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the Shapley values of coded rows, shape (rows, columns), and the mean output over a coded background."""
    means = model.amounts(background).mean(axis=0)
    return model.amounts(rows) - means, model.constant + float(means.sum())
