"""The published systems by name, and what a package of theirs says of a case."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from hccoutcome.errors import InputError, nearest
from hccoutcome.package.applicability import PackageInputs, judge, values_for
from hccoutcome.package.format import Package
from hccoutcome.package.linear import LinearScore
from hccoutcome.package.prediction import Applicability, Contribution, Prediction
from hccoutcome.package.writing import write_package
from hccoutcome.response import haic_mri
from hccoutcome.response.haic_mri import HaicClinical, HaicCR, HaicCRH
from hccoutcome.survival import radscore
from hccoutcome.survival.radscore import Radscore

LINEAR: Mapping[str, type[LinearScore]] = MappingProxyType(
    {kind.system: kind for kind in (Radscore, HaicClinical, HaicCR, HaicCRH)}
)
"""The systems whose packages hold a linear score."""


def load_score(package: Package) -> LinearScore:
    """Return the score in a package, standardised by the package's reference where it has one.

    Raises:
        InputError: no such system, or the weights do not read the inputs that the package asks for.
    """
    if package.system not in LINEAR:
        raise InputError(f"The package '{package.name}' belongs to no known system; {nearest(package.system, LINEAR)}.")
    score = LINEAR[package.system].from_json(package.weights, package.reference)
    read = {term.name for term in score.terms}
    asked = {*package.requirements.features, *(need.name for need in package.requirements.variables)}
    if read != asked:
        raise InputError(
            f"The weights of '{package.name}' read other inputs than package.json lists "
            f"({', '.join(sorted(read ^ asked))}): get the package again."
        )
    return score


def predict(package: Package, inputs: PackageInputs) -> Prediction:
    """Return what a package says of a case; where it refuses, no number at all.

    Raises:
        InputError: the package belongs to no known system or is not consistent in itself.
    """
    score = load_score(package)
    applicability = judge(package, inputs)
    if applicability.status == "refused":
        return _prediction(package, None, applicability)
    values = {name: float(value) for name, value in values_for(package, inputs).items()}
    number = float(score.predict([values])[0])
    if not math.isfinite(number):
        reason = "The inputs are so large that no finite score results: check the image and the record."
        return _prediction(package, None, Applicability("refused", (reason, *applicability.reasons)))
    units = {need.name: need.unit for need in package.requirements.variables}
    return _prediction(package, number, applicability, score.contributions(values, units))


def _prediction(
    package: Package,
    score: float | None,
    applicability: Applicability,
    contributions: tuple[Contribution, ...] = (),
    label: str = "",
) -> Prediction:
    return Prediction(
        package=package.name,
        version=package.version,
        sha256=package.sha256,
        title=package.title,
        endpoint=package.endpoint,
        score=score,
        scale=package.scale,
        applicability=applicability,
        label=label,
        contributions=contributions,
        citation=package.citation,
    )


def shipped_packages() -> tuple[Package, ...]:
    """Return the packages that need no training, made from the published coefficients and rules."""
    printed = (radscore.printed_package(), *haic_mri.printed_packages())
    return tuple(replace(package, software=dict(MADE_BY)) for package in printed)


MADE_BY: Mapping[str, str] = MappingProxyType({"hccoutcome": "0.1.0"})
"""The software that first wrote the shipped packages; nothing in them was computed by other software."""


def write_shipped_packages(folder: Path) -> tuple[Path, ...]:
    """Write the packages that need no training into ``Resources/Models``; maintainers call it after a change."""
    return tuple(write_package(package, folder / package.name) for package in shipped_packages())
