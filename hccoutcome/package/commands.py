"""What ``hcc package list|show|verify|card|reference|stability`` answers, as plain data and text."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hccoutcome.errors import InputError
from hccoutcome.package.format import Package, PhaseNeed, Range, VariableNeed
from hccoutcome.package.learned_system import LearnedSystem
from hccoutcome.package.reading import check_parameters, list_packages, poses_as_shipped, read_package
from hccoutcome.package.reference import Reference, reference_from_table
from hccoutcome.package.schema import manifest_of, parse_manifest
from hccoutcome.package.stability import describe_table, in_words, input_stability
from hccoutcome.package.writing import write_package
from hccoutcome.stability.table import StabilityTable, read_table
from hccoutcome.strict_json import parse_json

_BESIDE_THE_MANIFEST = ("weights", "reference", "stability")
POSES_AS_SHIPPED = "has the name of a shipped package and another content: use it only if you know who made it."
SETTINGS_UNKNOWN = (
    "takes the table at its word: its features must have been extracted with this package's preparation and settings."
)
PREPARATION_UNKNOWN = "takes the table at its word: its images must have been prepared as this package prepares them."


def list_all(folders: Iterable[Path] = ()) -> list[dict[str, Any]]:
    """Return what every shipped package and those in ``folders`` are: name, version, title, endpoint and hash."""
    folders = tuple(folders)
    packages = [read_package(name, folders) for name in list_packages(folders)]
    return [{**_identity(p), "title": p.title, "endpoint": p.endpoint} for p in packages]


def show(name_or_path: str | Path, folders: Iterable[Path] = ()) -> dict[str, Any]:
    """Return ``package.json``, the weights and the stability table of a package."""
    package = read_package(name_or_path, folders)
    reference = None if package.reference is None else package.reference.cohort
    table = None if package.stability is None else package.stability.to_dict()
    return {**manifest_of(package), "weights": dict(package.weights), "reference": reference, "stability": table}


def verify(name_or_path: str | Path, folders: Iterable[Path] = ()) -> dict[str, Any]:
    """Return name, version and hashes of a package that is intact and can be applied, and what speaks against its use.

    Raises:
        InputError: it is not; the message names the first fault.
    """
    package = read_package(name_or_path, folders)
    check_parameters(package)
    if package.weights.get("model") == "learned":
        learned = LearnedSystem()
        learned.check(package)
        learned.load(package)
    warnings = [POSES_AS_SHIPPED] if poses_as_shipped(package) else []
    return {**_identity(package), "files": dict(package.files), "intact": True, "warnings": warnings}


def card(name_or_path: str | Path, folders: Iterable[Path] = ()) -> dict[str, Any]:
    """Return the model card of a package as Markdown."""
    package = read_package(name_or_path, folders)
    return {**_identity(package), "card": package.card}


def as_text(action: str, answers: Sequence[Mapping[str, Any]]) -> str:
    """Return the answers of ``list_all``, ``show``, ``verify`` or ``card`` for a reader.

    Args:
        action: ``"list"``, ``"show"``, ``"verify"`` or ``"card"``.
        answers: what the functions returned, one for each package.
    """
    if action == "list":
        width = max((len(answer["name"]) for answer in answers), default=0)
        return "\n".join(f"{a['name']:<{width}}  {a['version']:<8}  {a['title']}" for a in answers)
    if action == "verify":
        return "\n".join(map(_verified_text, answers))
    if action == "card":
        return "\n\n".join(answer["card"].rstrip() for answer in answers)
    return "\n\n".join(map(_show_text, answers))


def _verified_text(answer: Mapping[str, Any]) -> str:
    lines = [f"{answer['name']} {answer['version']} is intact, sha256 {answer['sha256']}"]
    return "\n".join([*lines, *(f"warning: {answer['name']} {warning}" for warning in answer["warnings"])])


def _identity(package: Package) -> dict[str, Any]:
    return {"name": package.name, "version": package.version, "sha256": package.sha256}


def _show_text(answer: Mapping[str, Any]) -> str:
    """Return what a package is and needs, one line an item."""
    package = parse_manifest({key: value for key, value in answer.items() if key not in _BESIDE_THE_MANIFEST})
    if answer["stability"] is not None:
        package = package.with_stability(StabilityTable.from_dict(answer["stability"]))
    needs = package.requirements
    lines = [
        f"{package.title} ({package.name} {package.version})",
        f"predicts    {package.endpoint}; {package.scale}",
        f"source      {package.citation}",
        f"modality    {needs.modality or 'no image needed'}",
        *(f"phase       {_phase(need)}" for need in needs.phases),
        *(f"region      {need.region}, {need.least_ml:g} mL or more" for need in needs.regions),
        *(f"variable    {_variable(need)}" for need in needs.variables),
        *(f"feature     {_feature(name, package)}" for name in needs.features),
    ]
    if package.stability is not None:
        lines.append(f"stability   {describe_table(package.stability)}")
    if needs.reference:
        lines.append(f"reference   {answer['reference'] or 'needed, from your own cohort'}")
    return "\n".join([*lines, f"sha256      {package.sha256}"])


COHORT_MANIFEST = "manifest.json"
"""File beside a cohort's tables that says with which packages they were made."""


def make_reference(package: Package, table: Path, cohort: str) -> Reference:
    """Return the reference distribution of a cohort for a package.

    Args:
        package: a package with radiomic features.
        table: the merged feature table of a ``hcc cohort`` run of this package, beside its manifest: the same names
            stand for other values where images were prepared in another way, so a table from elsewhere is refused.
        cohort: which cohort, in words.

    Raises:
        InputError: the package reads no features, the table cannot be read, lacks something or was changed, or the run
            was not one of a package with the same settings.
    """
    if not package.requirements.features:
        raise InputError(f"The package '{package.name}' reads no features, so it needs no reference.")
    try:
        with Path(table).open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise InputError(f"The feature table '{Path(table).name}' cannot be read: give a CSV in UTF-8.") from None
    recipe = _recipe_of(package, Path(table))
    features = package.requirements.features
    own = [{name: row.get(f"{name}@{recipe}") or row.get(name) for name in features} for row in rows]
    return reference_from_table(own, features, package.settings_sha256, cohort)


def _recipe_of(package: Package, table: Path) -> str:
    """Return the name of the package whose settings are the same and which names columns that several settings give.

    Raises:
        InputError: no run of a package with the same settings wrote the table.
    """
    manifest = table.with_name(COHORT_MANIFEST)
    how = f"run 'hcc cohort TABLE.csv --package {package.name} --out DIR' and give DIR/{table.name}"
    if not manifest.is_file():
        raise InputError(f"A reference is made from the features of a cohort run, found no {manifest.name}: {how}.")
    run = parse_json(manifest.read_bytes(), manifest.name)
    recipes = {sha256: name for name, sha256 in reversed(run.get("settings_sha256", {}).items())}
    if package.settings_sha256 not in recipes:
        raise InputError(
            f"The table was made with other preparation or extraction settings than those of '{package.name}': {how}."
        )
    if run.get("tables", {}).get(table.name) != hashlib.sha256(table.read_bytes()).hexdigest():
        raise InputError(f"The table '{table.name}' is not the one that the cohort run wrote: {how}.")
    return str(recipes[package.settings_sha256])


def attach_stability(
    name_or_path: str | Path, table: Path, target: Path, cohort: str = "", name: str = ""
) -> dict[str, Any]:
    """Write a package with the stability of its features, and return what was attached and what speaks against its use.

    Args:
        name_or_path: the package.
        table: JSON file of ``hcc stability --table``.
        target: folder or zip to write.
        cohort: whom the table was measured on, in words.
        name: name of the new package; the same where empty.

    Raises:
        InputError: one of them cannot be read, or the table measured no feature of the package.
    """
    package = read_package(name_or_path)
    if not package.requirements.features:
        raise InputError(f"The package '{package.name}' reads no features, so it needs no stability table.")
    measured = read_table(Path(table))
    warnings = _extracted_otherwise(package, measured)
    package = replace(package.with_stability(measured, cohort), name=name or package.name)
    written = read_package(write_package(package, target))
    status = [found.status for feature in written.requirements.features if (found := input_stability(written, feature))]
    return {
        **_identity(written),
        "path": str(target),
        "features": {word: status.count(word) for word in ("stable", "unstable", "not measured")},
        "warnings": [*warnings, *([POSES_AS_SHIPPED] if poses_as_shipped(written) else [])],
    }


def _extracted_otherwise(package: Package, table: StabilityTable) -> list[str]:
    """Refuse a table of features of other settings, and return what cannot be told about how they were extracted."""
    from hccoutcome.radiomics.settings import parse_settings

    stated = table.provenance.get("settings_sha256", "")
    if not stated:
        return [SETTINGS_UNKNOWN]
    if stated != parse_settings(package.parameters).sha256():
        raise InputError(
            f"The table was measured with other radiomics settings than those of '{package.name}': extract the repeats "
            "with the package's parameters.yaml."
        )
    return [PREPARATION_UNKNOWN] if package.preparation else []


def attached_text(answer: Mapping[str, Any]) -> str:
    """Return the answer of ``attach_stability`` for a reader."""
    counts = ", ".join(f"{count} {status}" for status, count in answer["features"].items())
    lines = [f"{answer['name']} {answer['version']} with the stability of its features ({counts}): {answer['path']}"]
    return "\n".join([*lines, *(f"warning: {answer['name']} {warning}" for warning in answer["warnings"])])


def _feature(name: str, package: Package) -> str:
    stability = in_words(input_stability(package, name))
    return f"{name}, {stability}" if stability else name


def _phase(need: PhaseNeed) -> str:
    parts = [need.phase]
    if need.substitutes:
        parts.append(f"or with a warning {', '.join(need.substitutes)}")
    if need.in_plane_mm != Range():
        parts.append(f"pixels {need.in_plane_mm} mm")
    if need.slice_mm != Range():
        parts.append(f"slices {need.slice_mm} mm apart")
    return ", ".join(parts)


def _variable(need: VariableNeed) -> str:
    values = {"number": f"{need.possible} {need.unit}", "binary": "0 or 1", "category": ", ".join(need.codes)}
    optional = ", where known" if need.optional else ""
    return f"{need.name}: {need.meaning}, {values[need.kind].strip()}{optional}"
