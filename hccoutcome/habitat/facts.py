"""What a habitat package says of itself, read and verified without the libraries that apply it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hccoutcome.errors import InputError
from hccoutcome.files import sha256_of_json
from hccoutcome.loading import read_json

MODEL_FILE, CARD_FILE = "habitat-model.json", "card.md"
FORMAT, FORMAT_VERSION = "hccoutcome habitat model", 1


@dataclass(frozen=True)
class PackageFacts:
    """A habitat package in a few words.

    Attributes:
        method: the method that it was learnt by, and is applied by.
        k: number of habitats.
        phases: the phases that a patient needs.
        patients: number of patients learnt from.
        prepared: whether it prepares the images itself.
    """

    method: str
    k: int
    phases: tuple[str, ...]
    patients: int
    prepared: bool


def read_facts(folder: Path) -> PackageFacts:
    """Return what a package says of itself.

    Raises:
        InputError: there is none, it was changed since it was written, or another version wrote it.
    """
    data = read_model_data(folder)
    try:
        return PackageFacts(
            method=str(data["settings"]["method"]),
            k=len(data["partition"]["centres"]),
            phases=tuple(data["phases"]),
            patients=int(data["patients"]),
            prepared=data["preparation"] is not None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise incomplete(folder, error) from error


def read_model_data(folder: Path) -> Mapping[str, Any]:
    """Return the JSON data of a package's model, verified by its SHA256 but not yet understood.

    Raises:
        InputError: there is none, it was changed since it was written, or another version wrote it.
    """
    path = folder / MODEL_FILE
    found = False
    # In a folder of a name that the system does not take, as one that is too long, nothing is.
    with suppress(OSError, ValueError):
        found = path.is_file()
    if not found:
        raise InputError(
            f"A habitat package is a folder with {MODEL_FILE}, found none in '{folder}': check the path, or learn one "
            "from a cohort."
        )
    content = read_json(path)
    data = content.get("model") if isinstance(content, Mapping) else None
    if not isinstance(data, Mapping) or data.get("format") != FORMAT or data.get("version") != FORMAT_VERSION:
        raise InputError(
            f"'{path.name}' in '{folder.name}' was expected to be a {FORMAT} of version {FORMAT_VERSION}, found "
            "something else: learn the habitats again with this version."
        )
    if sha256_of_json(data) != content.get("sha256"):
        raise InputError(
            f"'{path.name}' in '{folder.name}' does not have the content that was written (its SHA256 differs): get "
            "the package again from where it was made."
        )
    return data


def incomplete(folder: Path, error: Exception) -> InputError:
    """Return the error of a package whose model lacks something."""
    return InputError(
        f"'{MODEL_FILE}' in '{folder.name}' was expected to hold a complete model, found {error!r}: learn the "
        "habitats again."
    )
