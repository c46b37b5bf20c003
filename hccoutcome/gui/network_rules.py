"""What the panels of networks decide, apart from Qt: whether they can start, and how what was found reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hccoutcome.gui.models import Model
from hccoutcome.gui.rules import Chosen, ready, variable_titles
from hccoutcome.gui.translate import _
from hccoutcome.report.advice import CAUTION, not_given_in_words, steps_by_stage
from hccoutcome.report.wording import phase_title
from hccoutcome.treatment.atom import ARTERIAL, Advice

METHOD_TITLES: Mapping[str, str] = {
    "gradcam": "Grad-CAM",
    "rollout": _("Attention"),
    "shap": "SHAP",
}
SHOWN_VARIABLES = 5


def ready_for_atom(chosen: Chosen, models: Mapping[str, Model], errors: Mapping[str, str]) -> tuple[bool, str]:
    """Return whether ATOM can be asked and, if not, the one thing to do next.

    Args:
        chosen: what is chosen of the case.
        models: the packages that can be used, by model of ATOM.
        errors: what is wrong with the other packages that were named, by model of ATOM.
    """
    if errors:
        return False, _("Correct the package of {models}.").format(models=_listed(errors))
    if not set(models) & set(ARTERIAL):
        return False, _("Choose the package of TACE, of HAIC, or of both.")
    return _ready(chosen, models)


def ready_for_maps(chosen: Chosen, model: Model | None) -> tuple[bool, str]:
    """Return whether a network's view can be mapped and, if not, the one thing to do next."""
    if model is None:
        return False, _("Add a package with a network: hcc train selection, tci or dlopctr writes one.")
    return _ready(chosen, {model.name: model})


def _ready(chosen: Chosen, models: Mapping[str, Model]) -> tuple[bool, str]:
    needs = {model.name: model.needs for model in models.values()}
    return ready(replace(chosen, models=tuple(needs), needs=needs))


def advice_in_words(advice: Advice) -> str:
    """Return what ATOM recommends, a paragraph each: the outcome, the steps of each stage, what is missing, caution."""
    stages = [
        "\n".join((f"{title}:", *(f"\u2022 {sentence}" for sentence in sentences)))
        for title, sentences in steps_by_stage(advice.recommendation).items()
    ]
    refused: dict[str, list[str]] = {}
    for model, text in advice.remarks.items():
        if advice.scores[model] is None:
            refused.setdefault(text, []).append(model)
    remarks = [f"{_listed(models)}: {text}" for text, models in refused.items()]
    if len(remarks) < len(advice.remarks) and any(advice.remarks.values()):
        remarks.append(_("Whether the scores may be used stands beside each in the results."))
    parts = (advice.recommendation.text, *stages, not_given_in_words(advice), "\n".join(remarks), CAUTION)
    return "\n\n".join(filter(None, parts))


def maps_in_words(data: Mapping[str, Any], asked: str) -> str:
    """Return what there is to say of maps: the score, the parts of phases and variables, what a reader should know.

    Args:
        data: content of ``maps.json``.
        asked: the device that was asked for.
    """
    lines = [_("Score explained: {score:.4g}, computed on {device}.").format(**data)]
    if asked not in ("auto", data["device"]):
        lines.append(_("{device} could not be used, so the processor computed it.").format(device=asked.upper()))
    shares = {phase_title(name): value for name, value in data["phases"].items()}
    variables = sorted(data["variables"], key=lambda name: -abs(data["variables"][name]))[:SHOWN_VARIABLES]
    titles = dict(zip(variables, variable_titles(variables), strict=True))
    shares.update({titles[name]: data["variables"][name] for name in variables})
    if shares:
        lines.append("; ".join(f"{name} {value:.3g}" for name, value in shares.items()) + ".")
    return " ".join((*lines, *data["notes"]))


def _listed(names: Any) -> str:
    return ", ".join(names)
