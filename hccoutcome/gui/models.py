"""The models a window offers, and what each of them needs of a case."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hccoutcome.cohort.network_packages import rule_of
from hccoutcome.deep.package import DEEP, DeepConfig
from hccoutcome.deep.relevance import methods_of
from hccoutcome.explanation.packages import needs_shap
from hccoutcome.gui.rules import Needs, is_of_response, phase_title, variable_titles
from hccoutcome.gui.translate import _
from hccoutcome.package.container import MODEL_SUFFIX
from hccoutcome.package.format import Package
from hccoutcome.package.reading import list_packages, read_outline
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
        methods: how it can be found out what its network looks at; none where it holds no network.
        libraries: what libraries it needs besides those of every analysis (keys of ``gui.compat.LISTS``).
    """

    name: str
    title: str
    about: str
    needs: Needs
    wants_reference: bool = False
    of_response: bool = False
    methods: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()


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
    package = read_outline(path)
    system_of(package)
    return replace(_model(package), name=path)


def atom_model(model: str, path: str) -> Model:
    """Return the package at a path as one of ATOM's models, after checking that it is one.

    Raises:
        InputError: it is no package, damaged, or no SELECTION that predicts what the model must.
    """
    package = read_outline(path)
    rule_of({model: package})
    return replace(_model(package), name=path)


def _packages() -> list[Package]:
    return [read_outline(name) for name in list_packages()]


def _libraries(package: Package) -> tuple[str, ...]:
    """Return what a package needs besides: networks, learned models, and SHAP to explain them."""
    if package.weights.get("model") == DEEP:
        return ("deep",)
    if not any(name.endswith(MODEL_SUFFIX) for name in package.models):
        return ()
    learned = "learned" if is_of_response(package.endpoint) else "survival"
    return (learned, "explanation") if needs_shap(package) else (learned,)


def _methods(package: Package) -> tuple[str, ...]:
    if package.weights.get("model") != DEEP:
        return ()
    return methods_of(DeepConfig.from_json(package.weights).system)


def _model(package: Package) -> Model:
    needs = Needs(
        phases=tuple((need.phase, *need.substitutes) for need in package.requirements.phases),
        regions=tuple(need.region for need in package.requirements.regions),
        variables=tuple(need.name for need in package.requirements.variables),
    )
    wants_reference = package.requirements.reference and package.reference is None
    sentences = [
        _("Predicts {endpoint}.").format(endpoint=package.endpoint),
        _("Needs {inputs}.").format(inputs=_in_words(package, needs)),
        _(
            "Gives no number for one case without a reference table of your own cohort (hcc package reference makes "
            "one)."
        )
        if wants_reference
        else "",
        package.citation,
    ]
    about = " ".join(filter(None, sentences))
    return Model(
        name=package.name,
        title=package.title,
        about=about,
        needs=needs,
        wants_reference=wants_reference,
        of_response=is_of_response(package.endpoint),
        methods=_methods(package),
        libraries=_libraries(package),
    )


def _in_words(package: Package, needs: Needs) -> str:
    """Return what a package needs: ``"CT of the arterial phase or the portal venous phase; the region tumor"``."""
    parts = []
    if needs.phases:
        phases = (_(" or ").join(phase_title(name) for name in names) for names in needs.phases)
        parts.append(f"{package.requirements.modality or 'images'} of {', '.join(phases)}")
    if needs.regions:
        parts.append(
            (_("the region {regions}") if len(needs.regions) == 1 else _("the regions {regions}")).format(
                regions=", ".join(needs.regions)
            )
        )
    if needs.variables:
        parts.append(_("of the record: {variables}").format(variables=", ".join(variable_titles(needs.variables))))
    return "; ".join(parts) or "nothing"
