"""The differences between Slicer 5.10 and 5.12: installing Python packages, and the Python that runs the worker.

Nothing else asks for a version. The ``slicer`` module is handed in: only the scene and the module files import it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from packaging.requirements import Requirement

import hccoutcome
from hccoutcome.errors import EnvironmentNeeded

KEPT = ("numpy", "scipy", "SimpleITK", "pydicom", "requests", "vtk", "Pillow", "highdicom")
"""What Slicer ships and nothing may replace: its installed version is a constraint of every installation."""


def read_requirements(path: Path) -> list[Requirement]:
    """Return the requirements in a file: one a line, ``#`` begins a comment."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def missing_requirements(path: Path) -> list[Requirement]:
    """Return the requirements in a file that are not installed, or not in a version that will do."""
    return [requirement for requirement in read_requirements(path) if not _satisfied(requirement)]


def _satisfied(requirement: Requirement) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)


def ensure_requirements(slicer: ModuleType, path: Path, requester: str) -> None:
    """Install what is missing of a requirements file, after asking; on the main thread only.

    Args:
        slicer: Slicer's module.
        path: the requirements file.
        requester: who asks, for the question's title.

    Raises:
        EnvironmentNeeded: the user declined, or the installation failed.
    """
    missing = missing_requirements(path)
    if not missing:
        return
    names = ", ".join(str(requirement) for requirement in missing)
    with _constraints() as constraints:
        try:
            _install(slicer, missing, constraints, requester)
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
            raise EnvironmentNeeded(
                f"The analysis needs these Python packages: {names}; they were not installed ({error}): "
                "press Apply again and agree, or look at the error log."
            ) from error
    importlib.invalidate_caches()


def _install(slicer: ModuleType, missing: list[Requirement], constraints: Path, requester: str) -> None:
    """Ask and install: ``slicer.packaging`` does both from 5.12 on."""
    try:
        slicer_packaging = importlib.import_module(f"{slicer.__name__}.packaging")
    except ModuleNotFoundError:
        slicer_packaging = None
    if slicer_packaging is not None:
        slicer_packaging.pip_ensure(missing, constraints=constraints, requester=requester)
        return
    listed = "\n".join(f"- {requirement}" for requirement in missing)
    question = f"{len(missing)} Python packages need to be installed. Continue?"
    if not slicer.util.confirmOkCancelDisplay(question, f"{requester} - Install Python Packages", detailedText=listed):
        raise RuntimeError("declined")
    slicer.util.pip_install(["-c", str(constraints), *(str(requirement) for requirement in missing)])


@contextmanager
def _constraints() -> Iterator[Path]:
    """Yield a constraints file: wheels only, and the versions that Slicer came with."""
    lines = ["--only-binary :all:"]
    for name in KEPT:
        try:
            lines.append(f"{name}=={importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    with tempfile.TemporaryDirectory(prefix="hcc-") as folder:
        path = Path(folder) / "constraints.txt"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        yield path


def worker_python() -> str:
    """Return the Python that runs the worker: Slicer's own, or the running one outside Slicer.

    Raises:
        EnvironmentNeeded: there is none.
    """
    found = shutil.which("PythonSlicer")
    if found is None and Path(sys.executable).stem.lower().startswith("python"):
        found = sys.executable
    if found is None:
        raise EnvironmentNeeded("Slicer's Python (PythonSlicer) was not found beside Slicer: install Slicer again.")
    return found


def worker_environment() -> Mapping[str, str]:
    """Return the environment of the worker: this one's, and this package on the path."""
    package_home = str(Path(hccoutcome.__file__).resolve().parent.parent)
    paths = [package_home, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
