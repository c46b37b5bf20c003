"""ATOM: which intra-arterial therapy, and whether systemic treatment is worth adding, by four survival scores.

ATOM (eClinicalMedicine 2024;75:102808, "Comprehensive AI-based treatment decision model") compares the scores that four
SELECTION models give a patient with the median score of each training set: a score that reaches the median means low
risk, that is, benefit expected. Stage 1 chooses between TACE and HAIC by the probability of objective response, or
advises against both; stage 2 asks, by the probability of living for a year, whether the chosen one with systemic
treatment (TC, HC) is worth it.

The text leaves open what its Figure 3b draws, and was read so: of two therapies that reach their medians the one with
the higher score is the better (both are probabilities of the same event); where the scores are equal, the one further
above its median; where that is equal too, TACE, which is named first, and the reasoning says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from hccoutcome.errors import InputError, nearest
from hccoutcome.resources import resource
from hccoutcome.strict_json import Fields, one_of, parse_json

MODELS = ("TACE", "HAIC", "TC", "HC")
ARTERIAL = ("TACE", "HAIC")
WITH_SYSTEMIC = {"TACE": "TC", "HAIC": "HC"}
"""The model that judges an intra-arterial therapy combined with systemic treatment."""
PREDICTS = {
    "TACE": "objective response to TACE",
    "HAIC": "objective response to HAIC",
    "TC": "one-year survival after TACE with systemic treatment",
    "HC": "one-year survival after HAIC with systemic treatment",
}
PRINTED = "atom-printed.json"

BetterBy = Literal["score", "margin"]
Plan = Literal["TACE", "HAIC", "TC", "HC", "against"]
AGAINST: Plan = "against"


@dataclass(frozen=True)
class AtomRule:
    """The thresholds of ATOM.

    Attributes:
        medians: median score of the training set by model, for the models that there are.
        source: whose medians they are, in words.
        better_by: what decides between two therapies that reach their medians: the ``"score"``, or its ``"margin"``
            above the median.
    """

    medians: Mapping[str, float]
    source: str
    better_by: BetterBy = "score"

    def __post_init__(self) -> None:
        for name, value in self.medians.items():
            if name not in MODELS:
                raise InputError(f"'{name}' is not a model of ATOM; {nearest(name, MODELS)}.")
            _check_probability(value, f"The median score of {name}")

    def to_json(self) -> dict[str, Any]:
        """Return the rule as JSON data."""
        return {"better_by": self.better_by, "medians": dict(self.medians), "source": self.source}

    @classmethod
    def from_json(cls, data: Any, where: str) -> AtomRule:
        """Return the rule that ``to_json`` wrote.

        Raises:
            InputError: names the fault.
        """
        fields = Fields(data, where)
        medians = Fields(fields.object("medians"), f"{where}, 'medians'")
        rule = cls(
            medians={name: medians.number(name) for name in fields.object("medians")},
            source=fields.text("source"),
            better_by=one_of(fields.text("better_by"), get_args(BetterBy), where),
        )
        fields.done()
        return rule


def read_rule(path: Path) -> AtomRule:
    """Return the rule in a JSON file.

    Raises:
        InputError: no such file, or not a rule.
    """
    if not path.is_file():
        raise InputError(f"The rule of ATOM was expected in '{path.name}', found no such file: check its name.")
    return AtomRule.from_json(parse_json(path.read_bytes(), path.name), path.name)


def printed_rule() -> AtomRule:
    """Return the rule with the medians of the paper, which hold for the scores of the paper's own models alone."""
    return read_rule(resource("Parameters", PRINTED))


@dataclass(frozen=True)
class Step:
    """One question on the way, with its answer.

    Attributes:
        stage: 1 or 2.
        model: whose score is asked about; both, where they are compared.
        text: question and answer in one sentence.
        score: of the model, None where it is missing or two are compared.
        median: the threshold, likewise.
        answer: whether the median is reached; None where there is no answer.
    """

    stage: int
    model: str
    text: str
    score: float | None = None
    median: float | None = None
    answer: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON data."""
        return dict(vars(self))


@dataclass(frozen=True)
class Recommendation:
    """What ATOM recommends, with the whole way to it.

    Attributes:
        therapy: ``"TACE"`` or ``"HAIC"``; None where neither is recommended, or it cannot be told.
        systemic: whether systemic treatment is worth adding; None where that was not asked or cannot be told.
        against: True where both models advise against intra-arterial therapy.
        missing: models without a score that were needed to tell, in the order of ``MODELS``.
        steps: questions and answers in their order.
    """

    therapy: str | None
    systemic: bool | None
    against: bool
    missing: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def complete(self) -> bool:
        """Whether no model was missing on the way."""
        return not self.missing

    @property
    def plan(self) -> Plan | None:
        """The recommendation in a word, None where it is not complete."""
        if not self.complete:
            return None
        if self.against or self.therapy is None:
            return AGAINST
        return WITH_SYSTEMIC[self.therapy] if self.systemic else self.therapy  # type: ignore[return-value]

    @property
    def text(self) -> str:
        """The recommendation in one sentence."""
        lacking = f" The recommendation is open as long as {_listed(self.missing)} {_lacks(self.missing)}."
        if self.against:
            return "Against intra-arterial therapy: neither TACE nor HAIC is expected to bring benefit."
        if self.therapy is None:
            return f"No recommendation.{lacking}"
        first = f"{self.therapy} is expected to bring benefit"
        if any(model in ARTERIAL for model in self.missing):
            first += f", not compared with {_listed(self.missing[:1])}"
        if self.systemic is None:
            return f"{first}; whether to add systemic treatment cannot be told.{lacking}"
        second = "with systemic treatment" if self.systemic else "without systemic treatment"
        return f"{first}, {second}." + ("" if self.complete else lacking)

    def to_json(self) -> dict[str, Any]:
        """Return the recommendation as JSON data."""
        return {
            "plan": self.plan,
            "therapy": self.therapy,
            "systemic": self.systemic,
            "against": self.against,
            "complete": self.complete,
            "missing": list(self.missing),
            "text": self.text,
            "steps": [step.to_json() for step in self.steps],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Recommendation:
        """Return the recommendation that ``to_json`` wrote."""
        return cls(
            therapy=data["therapy"],
            systemic=data["systemic"],
            against=data["against"],
            missing=tuple(data["missing"]),
            steps=tuple(Step(**item) for item in data["steps"]),
        )


@dataclass(frozen=True)
class Advice:
    """What ATOM says of one case, with what it rests on.

    Attributes:
        models: name of the package by model of ATOM.
        rule: the thresholds: the median of each package's training part.
        recommendation: what is recommended, with its reasoning.
        scores: by model that had a package, None where it refused the case.
        remarks: what those packages say of the case, by model.
    """

    models: Mapping[str, str]
    rule: AtomRule
    recommendation: Recommendation
    scores: Mapping[str, float | None]
    remarks: Mapping[str, str]

    @property
    def not_given(self) -> tuple[str, ...]:
        """The models for which there was no package."""
        return tuple(model for model in MODELS if model not in self.models)

    def to_json(self) -> dict[str, Any]:
        """Return the advice as JSON data."""
        return {
            "recommendation": self.recommendation.to_json(),
            "rule": self.rule.to_json(),
            "models": dict(self.models),
            "scores": dict(self.scores),
            "remarks": dict(self.remarks),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Advice:
        """Return the advice that ``to_json`` wrote."""
        rule = AtomRule.from_json(data["rule"], "The rule of ATOM")
        return cls(
            models=dict(data["models"]),
            rule=rule,
            recommendation=Recommendation.from_json(data["recommendation"]),
            scores=dict(data["scores"]),
            remarks=dict(data["remarks"]),
        )


def recommend(scores: Mapping[str, float | None], rule: AtomRule) -> Recommendation:
    """Return what ATOM recommends.

    Stage 1: a therapy whose score reaches its median is expected to bring benefit; of two, the better is chosen; of
    none, the advice is against both. Stage 2: the chosen therapy with systemic treatment is worth it where the score of
    its model reaches the median. A model without a score is named, and what depends on it stays open.

    Args:
        scores: probability by model; one that is absent or None is missing.
        rule: the thresholds.

    Raises:
        InputError: a score of an unknown model, or one that is no probability.
    """
    _check_scores(scores)
    first = [_asked(1, model, scores, rule) for model in ARTERIAL]
    reached = [step for step in first if step.answer]
    unknown = [step.model for step in first if step.answer is None]
    if not reached:
        return Recommendation(None, None, not unknown, tuple(unknown), (*first, _none_reached(unknown)))
    best, compared = _better(reached, rule)
    second = _asked(2, WITH_SYSTEMIC[best.model], scores, rule)
    missing = (*unknown, *[second.model] * (second.answer is None))
    return Recommendation(best.model, second.answer, False, missing, (*first, *compared, second))


def _asked(stage: int, model: str, scores: Mapping[str, float | None], rule: AtomRule) -> Step:
    """Return whether a model's score reaches its median."""
    score, median = scores.get(model), rule.medians.get(model)
    about = f"SELECTION-{model} ({PREDICTS[model]})"
    if score is None or median is None:
        what = "score" if score is None else "median of the training set"
        return Step(stage, model, f"{about}: there is no {what}, so this stays open.", score, median)
    reached = score >= median
    told = "reaches it: low risk, benefit expected" if reached else "does not reach it: high risk, no benefit expected"
    return Step(stage, model, f"{about}: {score:.4f} against the median {median:.4f} {told}.", score, median, reached)


def _none_reached(unknown: list[str]) -> Step:
    if unknown:
        return Step(1, " and ".join(ARTERIAL), f"Nothing is recommended or advised against without {_listed(unknown)}.")
    return Step(1, " and ".join(ARTERIAL), "Neither reaches its median: advice against intra-arterial therapy.")


def _better(reached: list[Step], rule: AtomRule) -> tuple[Step, tuple[Step, ...]]:
    """Return the better of the steps that were reached, and where there are two, how it was chosen."""
    if len(reached) == 1:
        return reached[0], ()
    by = {"score": lambda step: step.score, "margin": _margin}
    words = {"score": "the higher score", "margin": "the larger margin above its median"}
    order = [rule.better_by, *(name for name in get_args(BetterBy) if name != rule.better_by)]
    model = " and ".join(step.model for step in reached)
    for name in order:
        # max keeps the first of equal ones, so the others decide only where one is really larger.
        best = max(reached, key=by[name])
        if any(by[name](step) < by[name](best) for step in reached):
            text = f"Both reach their medians: {best.model} has {words[name]} ({_told(reached, by[name])})."
            return best, (Step(1, model, text),)
    text = f"Both reach their medians and are equal in score and margin: {reached[0].model} is named first, no more."
    return reached[0], (Step(1, model, text),)


def _margin(step: Step) -> float:
    # Beyond the digits that scores and medians are given with, a difference is that of rounding.
    return round((step.score or 0.0) - (step.median or 0.0), 12)


def _told(steps: list[Step], by: Any) -> str:
    return ", ".join(f"{step.model} {by(step):.4f}" for step in steps)


def _check_scores(scores: Mapping[str, float | None]) -> None:
    for name, value in scores.items():
        if name not in MODELS:
            raise InputError(f"'{name}' is not a model of ATOM; {nearest(name, MODELS)}.")
        if value is not None:
            _check_probability(value, f"The score of {name}")


def _check_probability(value: float, what: str) -> None:
    if not (math.isfinite(value) and 0 <= value <= 1):
        raise InputError(f"{what} is a probability from 0 to 1, found {value:g}: check where it comes from.")


def _listed(names: Any) -> str:
    return " and ".join(names)


def _lacks(names: tuple[str, ...]) -> str:
    return "is missing" if len(names) == 1 else "are missing"
