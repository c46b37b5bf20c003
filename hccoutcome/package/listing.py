"""What ``hcc package list|show|verify|card|reference`` answers, as plain data and text."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hccoutcome.errors import InputError
from hccoutcome.package.format import Package, PhaseNeed, Range, VariableNeed
from hccoutcome.package.reading import list_packages, read_package
from hccoutcome.package.reference import Reference, reference_from_table
from hccoutcome.package.schema import manifest_of


def package_rows(folders: Iterable[Path] = ()) -> list[dict[str, str]]:
    """Return one row a package: name, version, title, endpoint and hash; all of them verified."""
    folders = tuple(folders)
    packages = [read_package(name, folders) for name in list_packages(folders)]
    return [
        {"name": p.name, "version": p.version, "title": p.title, "endpoint": p.endpoint, "sha256": p.sha256}
        for p in packages
    ]


def list_text(folders: Iterable[Path] = ()) -> str:
    """Return the packages as lines of text: name, version and title in columns."""
    rows = package_rows(folders)
    width = max((len(row["name"]) for row in rows), default=0)
    return "\n".join(f"{row['name']:<{width}}  {row['version']:<8}  {row['title']}" for row in rows)


def show(package: Package) -> dict[str, Any]:
    """Return ``package.json`` and the weights of a package as JSON data."""
    return {**manifest_of(package), "sha256": package.sha256, "weights": dict(package.weights)}


def show_text(package: Package) -> str:
    """Return what a package is and needs, as text."""
    needs = package.requirements
    lines = [
        f"{package.title} ({package.name} {package.version})",
        f"predicts    {package.endpoint}; {package.scale}",
        f"source      {package.citation}",
        f"modality    {needs.modality or 'no image needed'}",
        *(f"phase       {_phase(need)}" for need in needs.phases),
        *(f"region      {need.region}, {need.least_ml:g} mL or more" for need in needs.regions),
        *(f"variable    {_variable(need)}" for need in needs.variables),
        *(f"feature     {name}" for name in needs.features),
    ]
    if needs.reference:
        found = package.reference
        lines.append(f"reference   {'needed, from your own cohort' if found is None else found.cohort}")
    return "\n".join([*lines, f"sha256      {package.sha256}"])


def verify_report(name_or_path: str | Path, folders: Iterable[Path] = ()) -> dict[str, Any]:
    """Return name, version and hashes of a package that is intact.

    Raises:
        InputError: it is not; the message names the first fault.
    """
    package = read_package(name_or_path, folders)
    return {"name": package.name, "version": package.version, "sha256": package.sha256, "files": dict(package.files)}


def make_reference(package: Package, table: Path, cohort: str) -> Reference:
    """Return the reference distribution of a cohort for a package.

    Args:
        package: a package with radiomic features.
        table: CSV of features extracted with the package's settings, one row a case, columns by the naming rule: the
            merged feature table of ``hcc cohort``.
        cohort: which cohort, in words.

    Raises:
        InputError: the package reads no features, or the table cannot be read or lacks something.
    """
    if not package.requirements.features:
        raise InputError(f"The package '{package.name}' reads no features, so it needs no reference.")
    try:
        with Path(table).open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise InputError(f"The feature table '{Path(table).name}' cannot be read: give a CSV in UTF-8.") from None
    return reference_from_table(rows, package.requirements.features, package.settings_sha256, cohort)


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
    return f"{need.name}: {need.meaning}, {values[need.kind].strip()}"
