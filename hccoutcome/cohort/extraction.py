"""With which preparation and settings the features of a training table were extracted.

A package extracts the features of a new case itself, so it has to know. The folder of a cohort run says it; a table
from elsewhere needs the settings to be named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hccoutcome.errors import InputError
from hccoutcome.files import sha256_of
from hccoutcome.package.commands import COHORT_MANIFEST
from hccoutcome.package.format import Package
from hccoutcome.package.reading import list_packages, read_package
from hccoutcome.radiomics.settings import parse_settings
from hccoutcome.resources import resource
from hccoutcome.strict_json import parse_json


@dataclass(frozen=True)
class Extraction:
    """How features came about.

    Attributes:
        parameters: text of the radiomics parameter file.
        preparation: settings of ``hccoutcome.imaging.prepare.Preparation``, empty where images stay as they are.
        verified: whether the folder of the cohort run confirms it.
    """

    parameters: str
    preparation: Mapping[str, Any] = field(default_factory=dict)
    verified: bool = False


def find_extraction(features: Path, named: str | None) -> Extraction:
    """Return how the features of a table were extracted.

    Args:
        features: the table; beside it may lie the manifest of the cohort run that wrote it.
        named: package or parameter file (shipped name or path) with whose settings they were extracted; None where the
            manifest is to say it.

    Raises:
        InputError: neither says it, the manifest says otherwise, or the settings cannot be read.
    """
    manifest = features.with_name(COHORT_MANIFEST)
    run = parse_json(manifest.read_bytes(), manifest.name) if manifest.is_file() else None
    if run is not None and run.get("tables", {}).get(features.name) != sha256_of(features):
        raise InputError(f"'{features.name}' is not the table that the cohort run beside it wrote: run it again.")
    if named is None:
        if run is None:
            raise InputError(
                f"Nothing says how the features of '{features.name}' were extracted: name the package or parameter "
                "file with '--extraction NAME|FILE'."
            )
        named = _only_one(run, features.name)
    extraction, package = _named(named)
    if run is None:
        return extraction
    known = package is not None and package.settings_sha256 in run.get("settings_sha256", {}).values()
    if not known and named not in run.get("settings", []):
        raise InputError(
            f"The cohort run that wrote '{features.name}' did not use '{named}', but "
            f"{', '.join([*run.get('settings_sha256', {}), *run.get('settings', [])]) or 'nothing'}: name that."
        )
    return Extraction(extraction.parameters, extraction.preparation, verified=True)


def _only_one(run: Mapping[str, Any], table: str) -> str:
    used = [*run.get("settings_sha256", {}), *run.get("settings", [])]
    if len(used) != 1:
        raise InputError(
            f"The cohort run that wrote '{table}' used {', '.join(used) or 'no settings'}: name the one whose features "
            "are to be learned from with '--extraction'."
        )
    return str(used[0])


def _named(name: str) -> tuple[Extraction, Package | None]:
    """Return the settings of a package or a parameter file."""
    shipped = {path.stem: path for path in sorted(resource("Parameters").glob("*.yaml"))}
    path = shipped.get(name, Path(name))
    if path.is_file() and path.suffix.lower() in (".yaml", ".yml", ".json"):
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            raise InputError(f"The parameter file '{path.name}' should be text in UTF-8: save it again.") from None
        parse_settings(text)
        return Extraction(text), None
    if name not in list_packages() and not path.exists():
        raise InputError(
            f"'{name}' is neither a package nor a parameter file; packages are {', '.join(list_packages())}, parameter "
            f"files {', '.join(shipped)} or a path."
        )
    package = read_package(name)
    if not package.parameters:
        raise InputError(f"The package '{name}' extracts no features: name the one whose features the table holds.")
    return Extraction(package.parameters, package.preparation), package
