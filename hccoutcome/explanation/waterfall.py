"""One case's output taken apart, step by step from base to output: plain data for figures, tables and scenes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.package.format import Package
from hccoutcome.package.linear import INTERCEPT
from hccoutcome.package.prediction import BASE, Contribution, Prediction

if TYPE_CHECKING:
    from hccoutcome.explanation.explanation import Explanation

TOLERANCE = 1e-6
ZERO_IN_WORDS = "every input 0"
INTERCEPT_IN_WORDS = "standardised inputs at the reference mean, others 0"
REFERENCE_IN_WORDS = "every feature at the reference mean, other inputs 0"
NO_BASE_IN_WORDS = "the score has no constant"
OTHERS = "other inputs"


@dataclass(frozen=True)
class Step:
    """What one input adds.

    Attributes:
        name: feature column or clinical variable.
        value: its value in words, with the unit.
        amount: what it adds, on the waterfall's scale.
    """

    name: str
    value: str
    amount: float


@dataclass(frozen=True)
class Waterfall:
    """The output of one case: ``base`` plus the amounts of all steps is ``output``.

    Attributes:
        title: what was computed.
        scale: what base, amounts and output are: ``"log-odds"``, ``"probability"``, ``"risk"``, ``"score"``...
        base: where the steps begin.
        base_in_words: what the base is.
        steps: the inputs, in the model's order.
        output: where the steps end.
        output_in_words: the output once more in other words (``"probability 0.62"``), empty where there are none.
    """

    title: str
    scale: str
    base: float
    base_in_words: str
    steps: tuple[Step, ...]
    output: float
    output_in_words: str = ""

    def __post_init__(self) -> None:
        """Refuse steps that do not lead from the base to the output."""
        reached = self.base + sum(step.amount for step in self.steps)
        if not abs(reached - self.output) <= TOLERANCE * max(1.0, abs(self.output), abs(self.base)):
            raise ValueError(f"the steps lead to {reached:.6g}, the output is {self.output:.6g}")

    def largest_first(self, most: int) -> tuple[Step, ...]:
        """Return the steps, the largest first; where there are more than ``most``, the rest as one last step.

        Then inputs that add nothing are among the rest.
        """
        ordered = sorted(self.steps, key=lambda step: -abs(step.amount))
        if len(ordered) <= most:
            return tuple(ordered)
        shown = [step for step in ordered if step.amount != 0][: most - 1]
        rest = ordered[len(shown) :]
        return (*shown, Step(f"{len(rest)} {OTHERS}", "", math.fsum(step.amount for step in rest)))

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a step from the base on: input, value, what it adds, and what is reached then."""
        rows: list[dict[str, Any]] = [{"input": "base", "value": self.base_in_words, "adds": "", "reached": self.base}]
        reached = self.base
        for step in self.largest_first(len(self.steps)):
            reached += step.amount
            rows.append({"input": step.name, "value": step.value, "adds": step.amount, "reached": reached})
        return rows

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "title": self.title,
            "scale": self.scale,
            "base": self.base,
            "base_in_words": self.base_in_words,
            "steps": [{"input": step.name, "value": step.value, "adds": step.amount} for step in self.steps],
            "output": self.output,
            "output_in_words": self.output_in_words,
        }


def waterfall_of(explanation: Explanation, case: str, title: str) -> Waterfall:
    """Return the SHAP values of one case as a waterfall.

    Raises:
        ValueError: the explanation has no such case.
    """
    row = explanation.case(case)
    values = [value_in_words(name, value) for name, value in zip(row.names, row.data.iloc[0], strict=True)]
    steps = map(Step, row.names, values, map(float, row.values[0]))
    output = float(row.output[0])
    return Waterfall(
        title=title,
        scale=row.scale,
        base=float(row.base[0]),
        base_in_words=f"mean over the background: {row.background}",
        steps=tuple(steps),
        output=output,
        output_in_words=_probability(output) if row.scale == "log-odds" else "",
    )


def waterfall_of_prediction(prediction: Prediction, package: Package | None = None) -> Waterfall | None:
    """Return what the inputs of a score add as a waterfall; None where the score is not the sum of its inputs.

    A linear score's values are exact. Those of features are relative to the reference cohort's mean where the
    package is given and carries a reference; else they begin at the intercept.

    Args:
        prediction: the score with its contributions.
        package: the package that gave it, with its reference.
    """
    amounts = [item.amount for item in prediction.contributions]
    if prediction.score is None or prediction.applicability.status == "refused" or not amounts:
        return None
    if any(amount is None or not math.isfinite(amount) for amount in amounts):
        return None
    scale = prediction.linear_scale
    output = _on_linear_scale(prediction.score, scale)
    bases = [item for item in prediction.contributions if item.name in (INTERCEPT, BASE)]
    base = math.fsum(item.amount or 0.0 for item in bases)
    inputs = [item for item in prediction.contributions if item not in bases]
    total = base + math.fsum(item.amount or 0.0 for item in inputs)
    # A score that is rounded, cut off or read from a table is no sum, whatever its inputs add.
    if not math.isfinite(output) or not abs(total - output) <= TOLERANCE * max(1.0, abs(output)):
        return None
    shifts = [_mean_amount(item, package) for item in inputs]
    steps = tuple(
        Step(item.name, _amount_in_words(item), (item.amount or 0.0) - (shift or 0.0))
        for item, shift in zip(inputs, shifts, strict=True)
    )
    return Waterfall(
        title=prediction.title,
        scale=scale,
        base=base + math.fsum(shift or 0.0 for shift in shifts),
        base_in_words=_base_in_words(bases, inputs, shifts),
        steps=steps,
        output=total,
        output_in_words=_probability(total) if scale == "log-odds" else prediction.label,
    )


def _base_in_words(
    bases: Sequence[Contribution], inputs: Sequence[Contribution], shifts: Sequence[float | None]
) -> str:
    if bases and bases[0].name == BASE:
        return f"mean over the background: {bases[0].value}"
    if any(shift is not None for shift in shifts):
        return REFERENCE_IN_WORDS
    if not bases:
        return NO_BASE_IN_WORDS
    return INTERCEPT_IN_WORDS if any(map(_is_standardised, inputs)) else ZERO_IN_WORDS


def _is_standardised(item: Contribution) -> bool:
    """Return whether an input adds something else than its coefficient times its value."""
    if item.coefficient is None or item.amount is None or isinstance(item.value, str):
        return False
    return not math.isclose(item.coefficient * item.value, item.amount, rel_tol=1e-9, abs_tol=1e-12)


def _mean_amount(item: Contribution, package: Package | None) -> float | None:
    """Return what an input adds at the reference mean, 0 where it is standardised; None where no reference tells."""
    reference = None if package is None else package.reference
    known = None if reference is None else reference.features.get(item.name)
    if known is None or item.coefficient is None:
        return None
    return 0.0 if _is_standardised(item) else item.coefficient * known.mean


def _on_linear_scale(score: float, scale: str) -> float:
    if scale != "log-odds":
        return score
    if score in (0.0, 1.0):
        return math.copysign(math.inf, score - 0.5)
    return math.log(score) - math.log1p(-score)


def _probability(log_odds: float) -> str:
    return f"probability {1 / (1 + math.exp(-log_odds)):.3g}" if abs(log_odds) < 700 else ""


def _amount_in_words(item: Contribution) -> str:
    return f"{value_in_words(item.name, item.value)}{f' {item.unit}' if item.unit else ''}"


def value_in_words(name: str, value: Any) -> str:
    """Return an input's value for a reader: four digits, yes or no for a binary variable, missing as such."""
    if isinstance(value, str):
        return value
    if value is None or math.isnan(value):
        return "missing"
    if name in VARIABLES and VARIABLES[name].kind == "binary":
        return "yes" if value else "no"
    return f"{float(value):.4g}"
