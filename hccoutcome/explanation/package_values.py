"""SHAP values of one case for a learned package, whose background is made up from the package's own reference.

``python -m hccoutcome.explanation.package_values FOLDER`` answers what ``explanation.packages`` asks.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hccoutcome.errors import InputError
from hccoutcome.explanation.background import package_background
from hccoutcome.explanation.child import answer
from hccoutcome.explanation.explanation import Explanation
from hccoutcome.explanation.shap_values import ShapSettings, explain
from hccoutcome.package.format import Package
from hccoutcome.package.learned import LearnedModel
from hccoutcome.package.learned_system import LearnedSystem
from hccoutcome.package.reading import read_package
from hccoutcome.package.reference import parse_reference
from hccoutcome.progress import Progress, silent
from hccoutcome.strict_json import canonical_json

Row = Mapping[str, float | str]


class Applied:
    """A package's model as an estimator that tables are shown to."""

    def __init__(self, model: LearnedModel) -> None:
        """Keep the model, which reads the columns that its parts name."""
        self.model = model
        self.selected_features_ = model.names

    def predict(self, table: pd.DataFrame) -> np.ndarray:
        """Return the score of each row, shape (rows,)."""
        return self.model.predict_table(table)


class AppliedResponse(Applied):
    """A package's response model, whose score is the probability of response."""

    def predict_proba(self, table: pd.DataFrame) -> np.ndarray:
        """Return the probabilities of no response and of response, shape (rows, 2)."""
        response = self.model.predict_table(table)
        return np.column_stack([1 - response, response])


def explain_package(package: Package, row: Row, seed: int = 0, progress: Progress = silent) -> Explanation:
    """Return the SHAP values of one case for a learned package; where they are not exact, shap is needed.

    Args:
        package: a learned package.
        row: value by the model's column, as ``package.learned_system.model_row`` gives it; what is missing is left out.
        seed: of background and permutations.
        progress: told how far the work is.

    Raises:
        InputError: the package is damaged, or its model does not give its stored results here.
        EnvironmentNeeded: shap, its private folder or a library of the model is missing.
    """
    model = LearnedSystem().load(package)
    background = package_background(model.columns, package.reference, seed=seed)
    case = pd.DataFrame([[row.get(name) for name in model.names]], ["case"], list(model.names), dtype=object)
    for name in model.names:
        if not isinstance(row.get(name), str) and background.rows[name].dtype != object:
            case[name] = case[name].astype(float)
    estimator = AppliedResponse(model) if model.task == "response" else Applied(model)
    settings = ShapSettings(background=len(background.rows), seed=seed)
    return explain(estimator, case, background.rows, settings, background.in_words, progress)


def reply(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Return the SHAP values that a request asks for, both as JSON data."""
    package = read_package(request["package"])
    if package.sha256 != request["sha256"]:
        raise InputError(f"The package '{package.name}' was changed while it was being applied: run again.")
    if request["reference"] is not None:
        package = package.with_reference(parse_reference(canonical_json(request["reference"]), "reference"))
    found = explain_package(package, request["row"], request["seed"], progress)
    return {
        "values": dict(zip(found.names, map(float, found.values[0]), strict=True)),
        "base": float(found.base[0]),
        "scale": found.scale,
        "method": found.method,
        "background": found.background,
    }


if __name__ == "__main__":
    sys.exit(answer(reply))
