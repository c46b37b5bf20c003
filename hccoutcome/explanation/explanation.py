"""SHAP values with everything that is needed to read them, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from hccoutcome.clinical.columns import is_clinical
from hccoutcome.explanation.words import METHODS, Method, Scale

TOLERANCE = 1e-6
"""Base and values have to sum to the output within this, relative to the largest of them."""


@dataclass(frozen=True)
class Explanation:
    """SHAP values of n cases and m inputs: ``base + values.sum(axis=1)`` is the model's output.

    Attributes:
        data: the inputs explained, index the cases, shape (n, m).
        values: SHAP value of each input of each case, shape (n, m).
        base: mean output over the background, shape (n,); out of fold it is that of each case's own model.
        output: the model's output, shape (n,).
        scale: what the output is.
        method: how the values were computed.
        background: what stands in for an input that is left out, in words.
        provenance: settings and seeds, JSON data.
    """

    data: pd.DataFrame
    values: np.ndarray
    base: np.ndarray
    output: np.ndarray
    scale: Scale
    method: Method
    background: str
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse values that do not sum to the output: that would be a wrong explanation."""
        n, m = self.data.shape
        if self.values.shape != (n, m) or self.base.shape != (n,) or self.output.shape != (n,):
            raise ValueError(f"{n} cases and {m} inputs do not fit values of shape {self.values.shape}")
        size = max(1.0, float(np.abs(self.values).max(initial=0.0)), float(np.abs(self.output).max(initial=0.0)))
        error = self.error
        if not error <= TOLERANCE * size:
            raise ValueError(f"base and SHAP values miss the output by {error:.3g}")

    @property
    def cases(self) -> tuple[str, ...]:
        """Names of the cases."""
        return tuple(map(str, self.data.index))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(map(str, self.data.columns))

    @property
    def error(self) -> float:
        """Largest difference between base plus values and output."""
        if not self.cases:
            return 0.0
        return float(np.abs(self.base + self.values.sum(axis=1) - self.output).max())

    @property
    def importance(self) -> np.ndarray:
        """Mean absolute SHAP value of each input, shape (m,)."""
        return np.abs(self.values).mean(axis=0)

    @property
    def ranking(self) -> tuple[str, ...]:
        """Names of the inputs, the most important first; equal ones in their own order."""
        return tuple(self.names[place] for place in np.argsort(-self.importance, kind="stable"))

    @property
    def shares(self) -> dict[str, float]:
        """Share of clinical and of imaging inputs in the importance of all; empty where nothing matters."""
        total = float(self.importance.sum())
        clinical = float(self.importance[[is_clinical(name) for name in self.names]].sum())
        return {"clinical": clinical / total, "imaging": 1 - clinical / total} if total > 0 else {}

    def case(self, name: str) -> Explanation:
        """Return the explanation of one case."""
        return self.cases_at([self.cases.index(name)])

    def cases_at(self, places: Sequence[int]) -> Explanation:
        """Return the explanation of the cases at these places."""
        rows = list(places)
        return Explanation(
            self.data.iloc[rows],
            self.values[rows],
            self.base[rows],
            self.output[rows],
            self.scale,
            self.method,
            self.background,
            self.provenance,
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a case and input: value, SHAP value, base and output; missing values empty."""
        return [
            {
                "case_id": case,
                "input": name,
                "value": None if pd.isna(value) else value,
                "shap": float(shap),
                "base": float(base),
                "output": float(output),
                "scale": self.scale,
            }
            for case, values, shaps, base, output in zip(
                self.cases, self.data.itertuples(index=False), self.values, self.base, self.output, strict=True
            )
            for name, value, shap in zip(self.names, values, shaps, strict=True)
        ]

    def summary(self) -> dict[str, Any]:
        """Return what the values mean, as JSON data: scale, method, background, importance, settings."""
        importance = dict(zip(self.names, map(float, self.importance), strict=True))
        return {
            "cases": len(self.cases),
            "scale": self.scale,
            "method": self.method,
            "method_in_words": METHODS[self.method],
            "background": self.background,
            "importance": {name: importance[name] for name in self.ranking},
            "shares": self.shares,
            "largest_error": self.error,
            **self.provenance,
        }
