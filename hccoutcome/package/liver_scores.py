"""Liver function and staging scores as packages: the rules are those of ``hccoutcome.clinical.scores``."""

from __future__ import annotations

from dataclasses import dataclass

from hccoutcome.clinical.liver_score import LiverScore, ScoreDefinition
from hccoutcome.clinical.scores import LIVER_SCORES, definition
from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.errors import InputError
from hccoutcome.package.applicability import PackageInputs
from hccoutcome.package.card import Card
from hccoutcome.package.format import Package, Range, Requirements, VariableKind, VariableNeed
from hccoutcome.package.prediction import Contribution
from hccoutcome.package.system import Outcome

SYSTEM = "liver-score"


@dataclass(frozen=True)
class LiverScoreSystem:
    """The system of all liver scores; ``settings`` of its packages name the score."""

    def check(self, package: Package) -> None:
        """Refuse a package that names no known score."""
        self.definition(package)

    def definition(self, package: Package) -> ScoreDefinition:
        """Return the rule that a package stands for."""
        if set(package.settings) != {"score"}:
            raise InputError(f"The package '{package.name}' should have the one setting 'score': get it again.")
        return definition(str(package.settings["score"]))

    def compute(self, package: Package, inputs: PackageInputs) -> Outcome:
        """Return the score with the points of its inputs, or which inputs it lacks."""
        try:
            found = self.definition(package).compute(inputs.clinical)
        except InputError as error:
            return Outcome(None, refusal=str(error))
        return Outcome(found.value, found.label, _contributions(found, package.scale))


def _contributions(found: LiverScore, scale: str) -> tuple[Contribution, ...]:
    """Return the inputs; what one adds is only defined where the number is their sum, not for a stage."""
    return tuple(
        Contribution(
            name=name,
            value=value,
            unit=VARIABLES[name].unit,
            coefficient=None if scale == "score" else amount,
            amount=None if scale == "stage" else amount,
        )
        for name, value, amount in found.items
    )


def printed_packages() -> tuple[Package, ...]:
    """Return one package for each score, in the order in which reports list them."""
    return tuple(map(_package, LIVER_SCORES.values()))


def _package(score: ScoreDefinition) -> Package:
    return Package(
        name=score.name,
        version="1.0.0",
        system=SYSTEM,
        title=score.title,
        endpoint=score.endpoint,
        scale=score.scale,
        citation=score.citation,
        requirements=Requirements(variables=tuple(map(variable_need, score.needs))),
        settings={"score": score.name},
        card=_card(score).markdown(),
    )


def variable_need(name: str) -> VariableNeed:
    """Return the need for a variable of the schema; whether the score can do without it, its own rule decides."""
    variable = VARIABLES[name]
    kinds: dict[str, VariableKind] = {"integer": "number", "binary": "binary", "category": "category"}
    kind = kinds.get(variable.kind, "number")
    return VariableNeed(
        name=name,
        kind=kind,
        unit=variable.unit,
        meaning=variable.title,
        possible=Range(*variable.limits) if kind == "number" else Range(),
        codes=tuple(code.value for code in variable.codes) if kind == "category" else (),
        optional=True,
    )


def _card(score: ScoreDefinition) -> Card:
    inputs = ", ".join(f"{VARIABLES[name].title} {_in_unit(name)}".strip() for name in score.needs)
    return Card(
        title=score.title,
        intended_use=f"To give the published {score.title} ({score.endpoint}) beside the other results of a case.",
        cohort="The published rule as it stands; nothing was trained. For its cohorts see the source.",
        inputs=f"{inputs}. No image is read.\n\nRule: {score.rule}.",
        figures=(),
        figures_source="This package has no figures of its own; for the published ones see the source.",
        limits=(
            "The score is only as good as the clinical record; a value with a wrong unit inside the possible range "
            "cannot be noticed.",
            "Nothing is filled in: where an input that could change the score is missing, no score is given.",
        ),
        citation=score.citation,
    )


def _in_unit(name: str) -> str:
    unit = VARIABLES[name].unit
    return f"[{unit}]" if unit else ""
