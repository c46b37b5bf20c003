"""What a published system does with its packages: one interface for linear scores, point tables and what follows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from hccoutcome.errors import InputError
from hccoutcome.package.applicability import PackageInputs, values_for
from hccoutcome.package.format import Package
from hccoutcome.package.linear import LinearScore
from hccoutcome.package.prediction import Contribution


@dataclass(frozen=True)
class Outcome:
    """What a package computes for a case that fits it.

    Attributes:
        score: the number, None where the inputs do not allow one after all.
        label: the number in words, empty where there is nothing to add.
        contributions: the inputs used, in the model's order.
        refusal: where there is no score, one sentence that says why.
    """

    score: float | None
    label: str = ""
    contributions: tuple[Contribution, ...] = ()
    refusal: str = ""


class System(Protocol):
    """A published system."""

    def check(self, package: Package) -> None:
        """Refuse a package of this system that is not consistent in itself.

        Raises:
            InputError: names the inconsistency.
        """

    def compute(self, package: Package, inputs: PackageInputs) -> Outcome:
        """Return what a checked package computes for a case that it did not refuse."""


@dataclass(frozen=True)
class LinearSystem:
    """A system whose packages hold a linear score of the class ``kind``."""

    kind: type[LinearScore]

    def check(self, package: Package) -> None:
        """Refuse weights that read other inputs than ``package.json`` asks for."""
        read = {term.name for term in self.load(package).terms}
        asked = {*package.requirements.features, *(need.name for need in package.requirements.variables)}
        if read != asked:
            raise InputError(
                f"The weights of '{package.name}' read other inputs than package.json lists "
                f"({', '.join(sorted(read ^ asked))}): get the package again."
            )

    def load(self, package: Package) -> LinearScore:
        """Return the score in a package, standardised by its reference where it has one."""
        return self.kind.from_json(package.weights, package.reference)

    def compute(self, package: Package, inputs: PackageInputs) -> Outcome:
        """Return the score and what each input adds to the linear predictor."""
        score = self.load(package)
        values = {name: float(value) for name, value in values_for(package, inputs).items()}
        number = float(score.predict([values])[0])
        if not math.isfinite(number):
            return Outcome(None, refusal="The inputs are so large that no finite score results: check the image.")
        units = {need.name: need.unit for need in package.requirements.variables}
        return Outcome(number, contributions=score.contributions(values, units))
