"""What the windows decide, apart from Qt: what is missing before a start, what names mean, how results read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hccoutcome.case import check_case_id
from hccoutcome.clinical.entry import is_missing, variable_of
from hccoutcome.clinical.record import parse_record
from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.errors import InputError
from hccoutcome.findings import Findings
from hccoutcome.gui.translate import _
from hccoutcome.imaging.phase import guess_phase
from hccoutcome.package.prediction import Applicability, Prediction
from hccoutcome.report.outlook_words import in_short, result_in_words
from hccoutcome.status import VERDICTS

PHASE_TITLES = {
    "precontrast": _("the phase before contrast"),
    "arterial": _("the arterial phase"),
    "portal": _("the portal venous phase"),
    "delayed": _("the delayed phase"),
}


@dataclass(frozen=True)
class Needs:
    """What a model, or several together, read of a case.

    Attributes:
        phases: for each phase read, the phases that may serve: itself first, then its substitutes.
        regions: regions read on those phases.
        variables: clinical variables by schema name.
    """

    phases: tuple[tuple[str, ...], ...] = ()
    regions: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """What the user has chosen so far.

    Attributes:
        case_id: name of the case.
        phases: phases that have a volume.
        regions: regions that have at least one segment.
        clinical: clinical record as typed, by schema name.
        models: names of the models (or parameter files) to apply.
        needs: what each of these models reads, by its name.
        problem: what is wrong with the case whatever is done with it, empty where nothing is.
    """

    case_id: str = ""
    phases: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    clinical: Mapping[str, str] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    needs: Mapping[str, Needs] = field(default_factory=dict)
    problem: str = ""


def phase_title(phase: str) -> str:
    """Return a phase as a sentence names it."""
    return PHASE_TITLES.get(phase, phase)


def variable_titles(names: Iterable[str]) -> list[str]:
    """Return clinical variables as a sentence names them."""
    return [VARIABLES[name].title if name in VARIABLES else name for name in names]


def ready(chosen: Chosen) -> tuple[bool, str]:
    """Return whether the analysis can start and, if not, the one thing to do next.

    It can start when at least one of the chosen models has its images and regions: the others will be refused with
    their reasons, which is an answer too.
    """
    if chosen.problem:
        return False, chosen.problem
    if not chosen.models:
        return False, _("Choose at least one model.")
    message = case_id_error(chosen.case_id) or record_error(chosen.clinical)
    if message:
        return False, message
    lacking = [_lacks(chosen, chosen.needs[name]) for name in chosen.models]
    if all(lacking):
        return False, lacking[0]
    return True, _("Ready.")


def _lacks(chosen: Chosen, needs: Needs) -> str:
    """Return the sentence on the first image or region that a model lacks, empty where it has them all."""
    for alternatives in needs.phases:
        if not set(alternatives) & set(chosen.phases):
            return _("Choose the volume of {phases}.").format(phases=_(" or ").join(map(phase_title, alternatives)))
    for region in needs.regions:
        if region not in chosen.regions:
            habitats = _(", or find the habitats in HCC Habitat and press 'Use for CRH' there")
            return _("Say which segment is the region '{region}'{or_habitats}.").format(
                region=region, or_habitats=habitats if region.startswith("habitat") else ""
            )
    if not needs.phases and needs.variables and not any(not is_missing(v) for v in chosen.clinical.values()):
        return _("Fill in the clinical record: {variables}.").format(
            variables=", ".join(variable_titles(needs.variables))
        )
    return ""


def record_error(typed: Mapping[str, str]) -> str:
    """Return the sentence on the first entry of a clinical record that cannot be read, empty where all can."""
    for name, text in typed.items():
        try:
            parse_record({name: text})
        except InputError as error:
            return str(error)
    return ""


def case_id_error(case_id: str) -> str:
    """Return the sentence on a case's name that cannot be, empty where it can."""
    try:
        check_case_id(case_id)
    except InputError as error:
        return str(error)
    return ""


def folder_error(path: str) -> str:
    """Return the sentence on a folder in which files cannot be kept, empty where they can or none is named."""
    try:
        found = _instead_of_folder(Path(path)) if path else ""
    except (OSError, ValueError):
        found = _("a name that the system does not take")
    if not found:
        return ""
    return _("Files are kept in a folder that can be written to, found {found}: choose another, or none.").format(
        found=found
    )


def _instead_of_folder(folder: Path) -> str:
    """Return what is there instead of a folder that can be written to, empty where there is one or it can be made."""
    if not folder.exists():
        parent = folder.parent
        return "" if parent.is_dir() and os.access(parent, os.W_OK) else _("one that is not there")
    if folder.is_file():
        return _("a file")
    return "" if folder.is_dir() and os.access(folder, os.W_OK) else _("another")


def file_error(path: str) -> str:
    """Return the sentence on a file that is not there, empty where it is or none is named."""
    # At a name that the system does not take nothing can be.
    with suppress(OSError, ValueError):
        if not path or Path(path).is_file():
            return ""
    return _("A file was expected at '{path}', found none: check the path.").format(path=path)


def volumes_error(volumes: Mapping[str, tuple[str, str]]) -> str:
    """Return the sentence on a volume that was chosen for two phases, empty where none was.

    Args:
        volumes: identifier and name of the volume of each phase.
    """
    chosen: dict[str, str] = {}
    for phase, (identifier, name) in volumes.items():
        if identifier in chosen:
            return _("'{name}' is chosen for {first} and for {second}: correct one of them.").format(
                name=name, first=phase_title(chosen[identifier]), second=phase_title(phase)
            )
        chosen[identifier] = phase
    return ""


def patients_error(patients: Iterable[tuple[str, int | None]]) -> str:
    """Return the sentence on volumes of different patients, empty where they are of one or it is not known.

    Args:
        patients: name of each volume, and the patient under whom it lies.
    """
    known = [(name, patient) for name, patient in patients if patient is not None]
    other = next((name for name, patient in known if patient != known[0][1]), None)
    if other is None:
        return ""
    return _(
        "'{first}' and '{second}' lie under different patients: choose volumes of one, or put them under one patient "
        "in the module Data."
    ).format(first=known[0][0], second=other)


def guess_phases(names: Mapping[str, str], by_dicom: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the volume of each phase of which exactly one speaks.

    Args:
        names: name of each volume by its identifier.
        by_dicom: phase by identifier where DICOM tells it; it stands in where a name says nothing.

    Returns:
        Identifier by canonical phase; a phase that several volumes claim is left to the user.
    """
    claims: dict[str, list[str]] = {}
    for identifier, name in names.items():
        phase = guess_phase(name) or (by_dicom or {}).get(identifier)
        if phase is not None:
            claims.setdefault(phase, []).append(identifier)
    return {phase: identifiers[0] for phase, identifiers in claims.items() if len(identifiers) == 1}


_REGION_WORDS: Mapping[str, tuple[str, ...]] = {
    "portalvein": ("portal vein", "portalvein", "portal_vein"),
    "tumor": ("tumor", "tumour", "lesion", "hcc", "neoplasm", "carcinoma", "mass"),
    "liver": ("liver", "foie", "leber"),
    "artery": ("artery", "arteries", "aorta"),
    "vein": ("hepatic vein", "vena cava", "vein"),
    "vessel": ("vessel",),
}


def guess_region(segment_name: str) -> str | None:
    """Return the region that a segment's name speaks of; the first in the order of the list where it names several.

    A tumour comes before the liver, so that "liver tumour" is a tumour, and a numbered habitat before both.
    """
    word = segment_name.lower()
    habitat = re.search(r"habitat[ _-]*([1-9][0-9]?)\b", word)
    if habitat:
        return f"habitat{habitat[1]}"
    return next((region for region, words in _REGION_WORDS.items() if any(w in word for w in words)), None)


def variable_hint(name: str) -> str:
    """Return what may be entered for a variable: its range with the unit, or its categories."""
    variable = VARIABLES[name]
    if variable.kind == "binary":
        allowed = _("yes or no")
    elif variable.kind == "category":
        allowed = _("one of {codes}").format(codes=", ".join(code.value for code in variable.codes))
    else:
        low, high = variable.limits
        allowed = (
            _("{low:g} to {high:g} {unit}; another unit may be written after the number")
            .format(low=low, high=high, unit=variable.unit)
            .strip()
        )
    return f"{variable.title}: {allowed}." + (f" {variable.description.capitalize()}." if variable.description else "")


def record_from_json(text: str) -> dict[str, str]:
    """Return a clinical record in JSON as typed text by schema name: the record itself, or a case with one.

    Raises:
        InputError: it is not such a record, or holds a variable that is not known.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"A clinical record is JSON, found something else ({error.msg}): choose another file."
        ) from None
    data = data.get("clinical", data) if isinstance(data, dict) else data
    if not isinstance(data, dict):
        raise InputError("A clinical record is an object of names and values: choose another file.")
    return {variable_of(name)[0].name: _as_typed(value) for name, value in data.items() if not is_missing(value)}


def _as_typed(value: Any) -> str:
    """Return a value as a user would type it: 1.0 as "1", so that it may also stand for yes."""
    if isinstance(value, Mapping):
        return f"{_as_typed(value.get('value'))} {value.get('unit', '')}".strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def score_rows(findings: Findings) -> list[tuple[str, str, str]]:
    """Return title, value and verdict of every score, predictions before liver scores."""
    return [
        (prediction.title, value_in_words(prediction), VERDICTS[prediction.applicability.status])
        for prediction in shown(findings)
    ]


def of_outcome(findings: Findings, response: bool) -> Findings | None:
    """Return the findings with the predictions of response alone, or of all else; None where there are none."""
    kept = tuple(item for item in findings.predictions if is_of_response(item.endpoint) == response)
    return replace(findings, predictions=kept) if kept else None


def is_of_response(endpoint: str) -> bool:
    """Return whether an endpoint, in words, is the response to a treatment."""
    return "response" in endpoint


def shown(findings: Findings) -> tuple[Prediction, ...]:
    """Return the scores in reading order, a liver score that was also asked for only once."""
    asked = {prediction.package for prediction in findings.predictions}
    return (*findings.predictions, *(score for score in findings.liver_scores if score.package not in asked))


def value_in_words(prediction: Prediction) -> str:
    """Return a score in words where the system has words for it, otherwise the number with its scale; and survival."""
    if prediction.score is None:
        return _("no number")
    told, (label, _notes) = in_short(prediction), label_and_notes(prediction.label)
    return f"{result_in_words(replace(prediction, label=label))}{f': {told}' if told else ''}"


def label_and_notes(label: str) -> tuple[str, str]:
    """Return what a label says of the score, and apart from it its sentences on how the score came about."""
    parts = label.split("; ")
    notes = [part for part in parts if part.endswith(".")]
    return "; ".join(part for part in parts if part not in notes), " ".join(notes)


def applicability_in_words(applicability: Applicability) -> str:
    """Return the verdict and its reasons as one paragraph."""
    return " ".join((f"{VERDICTS[applicability.status]}.", *applicability.reasons))


def quality_rows(findings: Findings) -> list[tuple[str, str, str, str]]:
    """Return subject, find, verdict and what to do, of every line of the quality table; the worst first."""
    order = {"refused": 0, "warning": 1, "ok": 2}
    words = {"refused": _("Not usable"), "warning": _("Look at this"), "ok": _("Good")}
    items = sorted(findings.quality, key=lambda item: order[item.status])
    return [(f"{item.subject}: {item.check}", item.found, words[item.status], item.note) for item in items]


def summary(findings: Findings, tables: Sequence[str]) -> str:
    """Return one line on what an analysis has brought into the scene."""
    kind = _(" of the synthetic case") if findings.synthetic else ""
    count = _("{count:,} features, ").format(count=len(findings.features)) if findings.features else ""
    return _("Done{kind}: {count}{tables} tables in the scene.").format(kind=kind, count=count, tables=len(tables))
