"""The probability from which a package predicts a response: chosen on its training cohort, never on whom it judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from hccoutcome.errors import InputError
from hccoutcome.strict_json import Fields, one_of

ThresholdRule = Literal["youden"]
CLASSES = ("no response predicted", "response predicted")
JudgedOn = Literal["cross-validation", "held out"]
PredictedOutcome = Literal["response", "one-year survival"]
_JUDGED_ON: JudgedOn = "cross-validation"
_OUTCOME: PredictedOutcome = "response"
CRITERIA: Mapping[ThresholdRule, str] = MappingProxyType(
    {"youden": "the largest sum of sensitivity and specificity (Youden)"}
)
"""What makes a threshold the best one, in words, by the name of the rule."""


@dataclass(frozen=True)
class Rate:
    """A proportion with its 95% limits."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class ClassThreshold:
    """The threshold of a response package.

    Attributes:
        value: probability from which a response is predicted, between 0 and 1.
        rule: a key of ``CRITERIA``.
        patients: of the training cohort that it was chosen on.
        sensitivity, specificity: on patients without whom the threshold was chosen.
        source: how threshold and rates came about, in words.
        judged_on: whether these were left out by a cross-validation, or held out of training altogether.
        outcome: what is predicted.
    """

    value: float
    rule: ThresholdRule
    patients: int
    sensitivity: Rate
    specificity: Rate
    source: str
    judged_on: JudgedOn = _JUDGED_ON
    outcome: PredictedOutcome = _OUTCOME

    @property
    def criterion(self) -> str:
        """What makes it the best threshold, in words."""
        return CRITERIA[self.rule]

    def predicts_response(self, probability: float) -> bool:
        """Return whether a probability reaches the threshold."""
        return probability >= self.value

    def called(self, probability: float) -> str:
        """Return the class of a probability in words: for a response one of ``CLASSES``."""
        return f"{'' if self.predicts_response(probability) else 'no '}{self.outcome} predicted"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data; what is usual is left out, as packages had it before there was anything else."""
        usual = {"judged_on": _JUDGED_ON, "outcome": _OUTCOME}
        return {name: value for name, value in asdict(self).items() if usual.get(name) != value}


def parse_threshold(data: Mapping[str, Any], where: str) -> ClassThreshold:
    """Return the threshold that ``to_json`` wrote, checked field by field.

    Raises:
        InputError: names the fault.
    """
    fields = Fields(data, where)
    threshold = ClassThreshold(
        value=fields.number("value"),
        rule=one_of(fields.text("rule"), CRITERIA, f"{where}, 'rule'"),
        patients=fields.value("patients", int, "a whole number"),
        sensitivity=_rate(fields.object("sensitivity"), f"{where}, 'sensitivity'"),
        specificity=_rate(fields.object("specificity"), f"{where}, 'specificity'"),
        source=fields.text("source"),
        judged_on=one_of(fields.text("judged_on", _JUDGED_ON), get_args(JudgedOn), f"{where}, 'judged_on'"),
        outcome=one_of(fields.text("outcome", _OUTCOME), get_args(PredictedOutcome), f"{where}, 'outcome'"),
    )
    fields.done()
    if not 0 < threshold.value < 1 or threshold.patients < 1:
        raise InputError(
            f"{where} should be a probability between 0 and 1 chosen on at least one patient, found "
            f"{threshold.value:g} on {threshold.patients}: get the package again."
        )
    return threshold


def _rate(data: Mapping[str, Any], where: str) -> Rate:
    fields = Fields(data, where)
    rate = Rate(fields.number("value"), fields.number("lower"), fields.number("upper"))
    fields.done()
    if not 0 <= rate.lower <= rate.value <= rate.upper <= 1:
        raise InputError(f"{where} should be a proportion between its limits, from 0 to 1: get the package again.")
    return rate
