"""The private folder from which shap gets the small package that it calls ``slicer``.

shap imports ``slicer`` and means a package of that name on PyPI; in 3D Slicer, and beside ``slicer-core``, the name
belongs to the application. So that package lies by itself in a folder that no path names. ``load_shap`` puts the folder
first on the path for as long as shap is being imported and takes it off again, so that no process started later finds
it; and it refuses where the application's ``slicer`` is loaded already. What needs shap therefore runs in a process of
its own (``hccoutcome.cohort.explain``).
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import importlib.metadata
import os
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from hccoutcome.errors import EnvironmentNeeded

FOLDER_VARIABLE = "HCC_SHAP_FOLDER"
"""Environment variable that names the private folder where it lies elsewhere."""
SHARED = Path("share", "hccoutcome", "shap")
"""The folder within the data path of the Python installation, as the Makefile fills it."""
DISTRIBUTION, VERSION = "slicer", "0.0.8"
"""The one package that the folder may hold: shap 0.51 asks for exactly this version."""
SHAP = "shap>=0.51,<0.52"
SHAP_NEEDS = ("numba", "pandas>=2.3,<4", "scikit-learn>=1.6", "cloudpickle", "packaging>20.9", "typing-extensions")
"""What shap needs beside numpy, scipy and tqdm, which are there already."""

_NEIGHBOURS = {"__pycache__", "bin"}
_CONTENTS = {DISTRIBUTION, f"{DISTRIBUTION}-{VERSION}.dist-info"}


def default_folder() -> Path:
    """Return where the private folder is made: beside the Python installation, or at home where that is read-only."""
    data = Path(sysconfig.get_path("data"))
    return data / SHARED if os.access(data, os.W_OK) else _home_folder()


def _home_folder() -> Path:
    return Path.home() / ".hccoutcome" / "shap"


def private_folder() -> Path:
    """Return the private folder after checking what is in it.

    Raises:
        EnvironmentNeeded: there is none, or it holds something else than the package as it was published.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    known = [Path(named)] if named else [Path(sysconfig.get_path("data")) / SHARED, _home_folder()]
    for folder in known:
        if folder.is_dir():
            check_folder(folder)
            return folder.resolve()
    raise EnvironmentNeeded(
        f"Explanations of this model need shap and a private folder with the PyPI package {DISTRIBUTION}=={VERSION}, "
        f"found none at '{known[0]}': run 'python -m pip install {' '.join(pip_arguments(default_folder()))}', never "
        "without --target, since 3D Slicer's own package bears the same name."
    )


def pip_arguments(folder: Path) -> list[str]:
    """Return what ``pip install`` is given to fill the private folder: nothing enters the main environment.

    In 3D Slicer: ``slicer.util.pip_install(pip_arguments(default_folder()))``.
    """
    package = f"{DISTRIBUTION}=={VERSION}"
    return ["--only-binary", ":all:", "--no-deps", "--upgrade", "--target", str(folder), package]


def shap_pip_arguments() -> tuple[list[str], list[str]]:
    """Return what ``pip install`` is given, one after the other, to have shap without the package called ``slicer``."""
    return ["--only-binary", ":all:", *SHAP_NEEDS], ["--only-binary", ":all:", "--no-deps", SHAP]


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds anything but the package as published: whatever lies there comes first on the path.

    Raises:
        EnvironmentNeeded: names what is missing, strange or changed.
    """
    found = {path.name for path in folder.iterdir()} - _NEIGHBOURS
    if found != _CONTENTS:
        odd = ", ".join(sorted(found ^ _CONTENTS))
        raise _wrong(folder, f"should hold {DISTRIBUTION} {VERSION} and nothing else; look at {odd}")
    metadata = importlib.metadata.Distribution.at(folder / f"{DISTRIBUTION}-{VERSION}.dist-info")
    listed = {str(file): file.hash for file in metadata.files or ()}
    sources = {path.relative_to(folder).as_posix(): path for path in (folder / DISTRIBUTION).rglob("*.py")}
    if f"{DISTRIBUTION}/__init__.py" not in sources:
        raise _wrong(folder, f"should hold {DISTRIBUTION}/__init__.py")
    for name, path in sources.items():
        stated = listed.get(name)
        if stated is None or stated.mode != "sha256" or stated.value != _record_hash(path.read_bytes()):
            raise _wrong(folder, f"holds '{name}', which is not as it was published")


def _record_hash(content: bytes) -> str:
    """Return a SHA256 as wheels write it: URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode("ascii")


def _wrong(folder: Path, what: str) -> EnvironmentNeeded:
    return EnvironmentNeeded(
        f"The private folder '{folder}' of shap {what}: remove it and run 'python -m pip install "
        f"{' '.join(pip_arguments(folder))}'."
    )


def load_shap() -> ModuleType:
    """Return shap, imported with the private folder.

    The process keeps PyPI's ``slicer`` afterwards; processes that it starts do not find it.

    Raises:
        EnvironmentNeeded: shap or its folder is missing, or this process has loaded the application's ``slicer``.
    """
    folder = private_folder()
    loaded = sys.modules.get("slicer")
    if loaded is not None and not _lies_in(loaded, folder):
        raise EnvironmentNeeded(
            "This process has loaded 3D Slicer's own package 'slicer', which shap would take for another of that name: "
            "compute explanations in a process of their own, as 'hcc explain' does."
        )
    try:
        # shap's plots, which nobody calls, use what matplotlib means to give up.
        with (
            _first_on_path(folder),
            _uncompiled(),
            warnings.catch_warnings(action="ignore", category=PendingDeprecationWarning),
        ):
            return importlib.import_module("shap")
    except ModuleNotFoundError as error:
        first, second = (f"'python -m pip install {' '.join(words)}'" for words in shap_pip_arguments())
        raise EnvironmentNeeded(
            f"Explanations of this model need the Python package '{error.name}', which is not installed here: run "
            f"{first}, then {second}."
        ) from error


def _lies_in(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve().is_relative_to(folder)


@contextmanager
def _uncompiled() -> Iterator[None]:
    """Leave loops that are defined meanwhile to Python: shap would compile its small ones anew in every process.

    That takes seconds, and they are no faster for it.
    """
    import numba

    config: Any = numba.config
    before, config.DISABLE_JIT = config.DISABLE_JIT, True
    try:
        yield
    finally:
        config.DISABLE_JIT = before


@contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
