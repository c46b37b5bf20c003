"""A model learned from a cohort, as a package holds it: one part for each modality, weighed together.

A part turns its columns into an output: linear ones by coefficients alone, others by a model file. The score is
``sum of weight x (output - centre) / scale`` over the parts. A single part has weight 1, centre 0 and scale 1, so that
its output is the score; late fusion puts the outputs on one scale first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import expit

from hccoutcome.errors import InputError
from hccoutcome.package.inputs import Column, matrix, table_matrix
from hccoutcome.package.linear import INTERCEPT, LINKS, Link
from hccoutcome.package.prediction import Contribution
from hccoutcome.strict_json import Fields, one_of

if TYPE_CHECKING:
    import pandas as pd

Task = Literal["response", "survival"]
TASKS: tuple[Task, ...] = ("response", "survival")
PARTS = ("clinical", "imaging", "both")
"""Names of parts: the modality whose columns they read; early fusion reads both."""
WHERE = "weights.json"


@dataclass(frozen=True)
class Part:
    """What one part of a model computes.

    Attributes:
        name: one of ``PARTS``.
        columns: its inputs, in order.
        coefficients: what one unit of a prepared input adds; None where a model file computes the output.
        intercept: output before the link where all prepared inputs are 0.
        link: ``"logistic"`` where the linear predictor is turned into a probability.
        centre: subtracted from the output, its mean over the training part.
        scale: divides it then, its standard deviation over the training part.
        weight: of this part in the score.
        model: the fitted model of a part without coefficients, None before its file was read.
    """

    name: str
    columns: tuple[Column, ...]
    coefficients: tuple[float, ...] | None = None
    intercept: float = 0.0
    link: Link = "identity"
    centre: float = 0.0
    scale: float = 1.0
    weight: float = 1.0
    model: Any = field(default=None, compare=False, repr=False)

    def output(self, inputs: np.ndarray, task: Task) -> np.ndarray:
        """Return the part's output for prepared inputs of shape (rows, columns), shape (rows,)."""
        if self.coefficients is not None:
            predictor = self.intercept + inputs @ np.array(self.coefficients, dtype=float)
            return expit(predictor) if self.link == "logistic" else predictor
        found = self.model.predict_proba(inputs)[:, 1] if task == "response" else self.model.predict(inputs)
        return np.asarray(found, dtype=float)

    def weighed(self, inputs: np.ndarray, task: Task) -> np.ndarray:
        """Return what the part adds to the score, shape (rows,)."""
        return self.weight * ((self.output(inputs, task) - self.centre) / self.scale)

    def to_json(self) -> dict[str, Any]:
        """Return the part as JSON data."""
        return {
            "name": self.name,
            "columns": [column.to_json() for column in self.columns],
            "coefficients": None if self.coefficients is None else list(self.coefficients),
            "intercept": self.intercept,
            "link": self.link,
            "centre": self.centre,
            "scale": self.scale,
            "weight": self.weight,
        }

    @classmethod
    def from_json(cls, data: Any, where: str) -> Part:
        """Return the part that ``to_json`` wrote.

        Raises:
            InputError: names the fault.
        """
        fields = Fields(data, where)
        numbers = fields.value("coefficients", list, "a list of numbers", None)
        part = cls(
            name=one_of(fields.text("name"), PARTS, where),
            columns=tuple(
                Column.from_json(item, f"{where}, column {place}")
                for place, item in enumerate(fields.objects("columns"), 1)
            ),
            coefficients=None if numbers is None else tuple(_number(item, where) for item in numbers),
            intercept=fields.number("intercept"),
            link=one_of(fields.text("link"), LINKS, where),
            centre=fields.number("centre"),
            scale=fields.number("scale"),
            weight=fields.number("weight"),
        )
        fields.done()
        names = [column.name for column in part.columns]
        if not names or len(set(names)) != len(names) or part.scale <= 0:
            raise InputError(f"{where} should read each column once, on a scale above 0: get the package again.")
        if part.coefficients is not None and len(part.coefficients) != len(names):
            raise InputError(f"{where} should have a coefficient for each of its columns: get the package again.")
        return part


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{where}: 'coefficients' should hold numbers only: get the package again.")
    return float(value)


@dataclass(frozen=True)
class LearnedModel:
    """A learned model: its task and its parts."""

    task: Task
    parts: tuple[Part, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The inputs of all parts, in order."""
        return tuple(column for part in self.parts for column in part.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that the model reads, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def files(self) -> dict[str, str]:
        """Model file of each part that needs one, by the part's name."""
        return {part.name: f"{part.name}.skops" for part in self.parts if part.coefficients is None}

    @property
    def is_linear(self) -> bool:
        """Whether contributions of the inputs add up to the score, or to the log-odds behind it."""
        linear = all(part.coefficients is not None for part in self.parts)
        return linear and (len(self.parts) == 1 or all(part.link == "identity" for part in self.parts))

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Return the score of each row, shape (rows,): a probability of response, or a risk (higher is worse)."""
        return self._score([matrix(part.columns, rows) for part in self.parts])

    def predict_table(self, table: pd.DataFrame) -> np.ndarray:
        """Return the score of each row of a table, shape (rows,)."""
        return self._score([table_matrix(part.columns, table) for part in self.parts])

    def _score(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        weighed = [part.weighed(values, self.task) for part, values in zip(self.parts, inputs, strict=True)]
        return np.asarray(np.sum(weighed, axis=0))

    def contributions(self, row: Mapping[str, Any], units: Mapping[str, str]) -> tuple[Contribution, ...]:
        """Return what the intercept and each input add to the score, or to its log-odds; they sum to it.

        Args:
            row: value by column; what is missing counts as the training median.
            units: unit by column, for those that have one.

        Returns:
            The intercept and one contribution a column; without coefficients and amounts where the model is not linear.
        """
        if not self.is_linear:
            return tuple(Contribution(c.name, _shown(c, row), units.get(c.name, "")) for c in self.columns)
        base = sum(part.weight * (part.intercept - part.centre) / part.scale for part in self.parts)
        found = [Contribution(INTERCEPT, 1.0, coefficient=base, amount=base)]
        for part in self.parts:
            (prepared,) = matrix(part.columns, [row])
            for column, coefficient, value in zip(part.columns, part.coefficients or (), prepared, strict=True):
                weight = part.weight * coefficient / part.scale
                shown, unit = _shown(column, row), units.get(column.name, "")
                found.append(Contribution(column.name, shown, unit, weight / column.scale, float(weight * value)))
        return tuple(found)

    def with_models(self, models: Mapping[str, Any]) -> LearnedModel:
        """Return the model with the fitted models of its parts, by the part's name."""
        parts = tuple(replace(part, model=models.get(part.name, part.model)) for part in self.parts)
        return replace(self, parts=parts)

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``weights.json``; model files lie beside it."""
        return {"model": "learned", "task": self.task, "parts": [part.to_json() for part in self.parts]}

    @classmethod
    def from_json(cls, weights: Mapping[str, Any]) -> LearnedModel:
        """Return the model that ``to_json`` wrote, its model files not yet read.

        Raises:
            InputError: names the fault.
        """
        fields = Fields(weights, WHERE)
        one_of(fields.text("model"), ("learned",), f"{WHERE}, 'model'")
        model = cls(
            task=one_of(fields.text("task"), TASKS, f"{WHERE}, 'task'"),
            parts=tuple(
                Part.from_json(item, f"{WHERE}, part {place}") for place, item in enumerate(fields.objects("parts"), 1)
            ),
        )
        fields.done()
        if not model.parts or len(set(model.names)) != len(model.names):
            raise InputError(f"{WHERE} should have parts that read different columns: get the package again.")
        if len({part.name for part in model.parts}) != len(model.parts):
            raise InputError(f"{WHERE} should name every part once: get the package again.")
        return model


def _shown(column: Column, row: Mapping[str, Any]) -> float | str:
    """Return a value as a reader sees it."""
    value = row.get(column.name)
    return value if isinstance(value, str) else "missing" if np.isnan(column.number(value)) else float(value)  # type: ignore[arg-type]
