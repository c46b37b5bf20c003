"""The models a window offers, and what each of them needs of a case."""

from __future__ import annotations

from dataclasses import dataclass

from hccoutcome.gui.rules import Needs, phase_title, variable_titles
from hccoutcome.package.format import Package
from hccoutcome.package.reading import list_packages, read_package


@dataclass(frozen=True)
class Model:
    """A model as a window shows it.

    Attributes:
        name: name of the package or parameter file.
        title: what a reader calls it.
        about: what it predicts, what it needs and where it comes from.
        needs: what it reads of a case.
    """

    name: str
    title: str
    about: str
    needs: Needs


def response_models() -> tuple[Model, ...]:
    """Return the shipped packages that predict the response to a treatment."""
    return tuple(_model(package) for package in _packages() if "response" in package.endpoint)


def survival_models() -> tuple[Model, ...]:
    """Return the shipped packages that predict survival, grade liver function or give a stage; image models first."""
    packages = [package for package in _packages() if "response" not in package.endpoint]
    return tuple(_model(package) for package in sorted(packages, key=lambda package: not package.requirements.phases))


def _packages() -> list[Package]:
    return [read_package(name) for name in list_packages()]


def _model(package: Package) -> Model:
    needs = Needs(
        phases=tuple((need.phase, *need.substitutes) for need in package.requirements.phases),
        regions=tuple(need.region for need in package.requirements.regions),
        variables=tuple(need.name for need in package.requirements.variables),
    )
    sentences = [
        f"Predicts {package.endpoint}.",
        f"Needs {_in_words(package, needs)}.",
        "Gives no number for one case without a reference table of your own cohort (hcc package reference makes one)."
        if package.requirements.reference and package.reference is None
        else "",
        package.citation,
    ]
    return Model(package.name, package.title, " ".join(filter(None, sentences)), needs)


def _in_words(package: Package, needs: Needs) -> str:
    """Return what a package needs: ``"CT of the arterial phase or the portal venous phase; the region tumor"``."""
    parts = []
    if needs.phases:
        phases = (" or ".join(phase_title(name) for name in names) for names in needs.phases)
        parts.append(f"{package.requirements.modality or 'images'} of {', '.join(phases)}")
    if needs.regions:
        parts.append(f"the region{'s'[: len(needs.regions) - 1]} {', '.join(needs.regions)}")
    if needs.variables:
        parts.append(f"of the record: {', '.join(variable_titles(needs.variables))}")
    return "; ".join(parts) or "nothing"
