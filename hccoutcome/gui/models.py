"""The models a window offers, and what each of them needs of a case."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hccoutcome.gui.rules import Needs, is_of_response, phase_title, variable_titles
from hccoutcome.package.format import Package
from hccoutcome.package.reading import list_packages, read_package
from hccoutcome.systems import system_of


@dataclass(frozen=True)
class Model:
    """A model as a window shows it.

    Attributes:
        name: name of the package or parameter file; of the user's own package, where it lies.
        title: what a reader calls it.
        about: what it predicts, what it needs and where it comes from.
        needs: what it reads of a case.
        wants_reference: whether it gives no number without a reference table of the user's own cohort.
        of_response: whether it predicts the response to a treatment.
    """

    name: str
    title: str
    about: str
    needs: Needs
    wants_reference: bool = False
    of_response: bool = False


def response_models() -> tuple[Model, ...]:
    """Return the shipped packages that predict the response to a treatment."""
    return tuple(model for model in map(_model, _packages()) if model.of_response)


def survival_models() -> tuple[Model, ...]:
    """Return the shipped packages that predict survival, grade liver function or give a stage; image models first."""
    models = [model for model in map(_model, _packages()) if not model.of_response]
    return tuple(sorted(models, key=lambda model: not model.needs.phases))


def own_model(path: str) -> Model:
    """Return the user's own package at a path as a model, after checking that it can be applied.

    Raises:
        InputError: it is no package, damaged, or of an unknown system.
    """
    package = read_package(path)
    system_of(package)
    return replace(_model(package), name=path)


def _packages() -> list[Package]:
    return [read_package(name) for name in list_packages()]


def _model(package: Package) -> Model:
    needs = Needs(
        phases=tuple((need.phase, *need.substitutes) for need in package.requirements.phases),
        regions=tuple(need.region for need in package.requirements.regions),
        variables=tuple(need.name for need in package.requirements.variables),
    )
    wants_reference = package.requirements.reference and package.reference is None
    sentences = [
        f"Predicts {package.endpoint}.",
        f"Needs {_in_words(package, needs)}.",
        "Gives no number for one case without a reference table of your own cohort (hcc package reference makes one)."
        if wants_reference
        else "",
        package.citation,
    ]
    about = " ".join(filter(None, sentences))
    return Model(package.name, package.title, about, needs, wants_reference, is_of_response(package.endpoint))


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
