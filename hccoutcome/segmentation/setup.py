"""Where a person's own engines lie: which Python, which weights, which device. One small JSON file in the home folder.

``hcc engine`` writes it. Nothing in it is downloaded, installed or looked for on the network.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hccoutcome.errors import InputError, nearest
from hccoutcome.files import write_json
from hccoutcome.segmentation.devices import DEVICES, Device
from hccoutcome.strict_json import Fields, one_of, parse_json

FILE_VARIABLE = "HCC_ENGINES"
"""Environment variable that names another file than the one in the home folder."""

ENGINE_SETTINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "totalsegmentator": ("python", "weights", "device"),
        "nnunet": ("python", "model", "labels", "device", "trusted"),
        "monai": ("python", "model", "weights", "device"),
        "medsam": ("python", "weights", "device"),
    }
)
"""What can be set of each engine."""


@dataclass(frozen=True)
class Setup:
    """What a person has set of one engine.

    Attributes:
        python: the Python that runs it; None for the one found, or this very one.
        model: folder (nnU-Net) or JSON file (MONAI) that describes the network.
        weights: folder or file with the weights.
        labels: which of the network's labels make up which region, ``liver=1+2,tumor=2``; empty to go by their names.
        device: on which it computes.
        trusted: SHA256 of the model folder that the person said is their own; empty for none.
    """

    python: Path | None = None
    model: Path | None = None
    weights: Path | None = None
    labels: str = ""
    device: Device = "auto"
    trusted: str = ""

    def to_json(self) -> dict[str, str]:
        """Return what was set as JSON data."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: str(value) for name, value in found.items() if value not in (None, "", "auto")}


def setup_file() -> Path:
    """Return the file with the setups."""
    named = os.environ.get(FILE_VARIABLE)
    return Path(named) if named else Path.home() / ".hccoutcome" / "engines.json"


def read_setups() -> dict[str, Setup]:
    """Return the setup of each engine that has one.

    Raises:
        InputError: the file is not what ``write_setup`` writes.
    """
    path = setup_file()
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"The engines' file '{path}' cannot be read ({error.strerror}): mend or remove it.") from error
    whole = Fields(parse_json(content, f"'{path.name}'"), f"'{path.name}'")
    setups = {
        name: _setup(Fields(whole.object(name), f"'{path.name}', {name}"), ENGINE_SETTINGS[name])
        for name in ENGINE_SETTINGS
        if whole.object(name, None) is not None
    }
    whole.done()
    return setups


def read_setup(engine: str) -> Setup:
    """Return the setup of one engine; an empty one where nothing was set."""
    return read_setups().get(engine, Setup())


def _setup(found: Fields, known: tuple[str, ...]) -> Setup:
    values: dict[str, Any] = {name: found.text(name, None) for name in known}
    found.done()
    given: dict[str, Any] = {name: value for name, value in values.items() if value}
    if "device" in given:
        one_of(given["device"], DEVICES, f"{found.where}, device")
    paths: dict[str, Any] = {name: Path(given[name]) for name in ("python", "model", "weights") if name in given}
    return Setup(**{**given, **paths})


def change_setup(engine: str, changes: Mapping[str, Any]) -> Setup:
    """Change what is set of an engine, write the file and return the new setup.

    Paths must exist and are kept whole; another model is not trusted any more.

    Raises:
        InputError: the engine has no such setting, or a path does not exist.
        EnvironmentNeeded: the file cannot be written.
    """
    if engine not in ENGINE_SETTINGS:
        raise InputError(f"'{engine}' is no engine that can be set up; {nearest(engine, ENGINE_SETTINGS)}.")
    setups = read_setups()
    values = {name: _checked(engine, name, value) for name, value in changes.items()}
    if "model" in values:
        values = {"trusted": "", **values}
    setups[engine] = replace(setups.get(engine, Setup()), **values)
    write_json(setup_file(), {name: setup.to_json() for name, setup in setups.items() if setup != Setup()})
    return setups[engine]


def _checked(engine: str, name: str, value: Any) -> Any:
    if name not in ENGINE_SETTINGS[engine]:
        known = ", ".join(word for word in ENGINE_SETTINGS[engine] if word != "trusted")
        raise InputError(f"The engine '{engine}' has no setting '{name}', it has {known}: leave it out.")
    if isinstance(value, Path):
        # Not resolved: a virtual environment's Python is a link, and works as what it is called.
        value = value.expanduser().absolute()
        if not value.exists():
            raise InputError(
                f"The {name} of '{engine}' {'were' if name == 'weights' else 'was'} expected at '{value}', found "
                "nothing there: check the path."
            )
    return value


def forget_setup(engine: str) -> None:
    """Forget what was set of an engine."""
    setups = {name: setup for name, setup in read_setups().items() if name != engine}
    write_json(setup_file(), {name: setup.to_json() for name, setup in setups.items()})


def program_beside(python: Path | None, name: str) -> Path | None:
    """Return a program of a Python's environment, or the one on the path where no Python is named; None without."""
    if python is None:
        found = shutil.which(name)
        return None if found is None else Path(found)
    folder = python.parent
    for place in (folder / name, folder / f"{name}.exe", folder / "Scripts" / f"{name}.exe"):
        if place.is_file():
            return place
    return None


def python_beside(program: Path) -> Path:
    """Return the Python of the environment in which a program lies; this very one where there is none beside it."""
    # A program on the path may be a link into the environment that holds it.
    for folder in (program.parent, program.resolve().parent, program.parent.parent):
        for name in ("python", "python3", "python.exe"):
            if (folder / name).is_file():
                return folder / name
    return Path(sys.executable)


def installed_version(python: Path, package: str) -> str:
    """Return the version of a package that a Python has installed, by the names of its folders; empty without.

    Nothing is started, so it is asked in a window too. A package installed in an unusual place is not seen.
    """
    home = python.parent.parent if python.parent.name in ("bin", "Scripts") else python.parent
    pattern = re.compile(rf"{re.escape(package).replace('-', '[-_.]')}-([^-]+)\.dist-info", re.IGNORECASE)
    for site in (*home.glob("lib/python3*/site-packages"), home / "Lib" / "site-packages"):
        for entry in site.iterdir() if site.is_dir() else ():
            if found := pattern.fullmatch(entry.name):
                return found[1]
    return ""
