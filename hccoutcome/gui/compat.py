"""The differences between Slicer 5.10 and 5.12: installing Python packages, and the Python that runs the worker.

Nothing else asks for a version. The ``slicer`` module is handed in: only the scene and the module files import it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from packaging.requirements import Requirement

import hccoutcome
from hccoutcome.errors import EnvironmentNeeded
from hccoutcome.gui.translate import _
from hccoutcome.resources import resource

KEPT = ("numpy", "scipy", "SimpleITK", "pydicom", "requests", "vtk", "Pillow", "highdicom")
"""What Slicer ships and nothing may replace: its installed version is a constraint of every installation."""

LISTS: Mapping[str, tuple[str, ...]] = {
    "analysis": ("requirements.txt",),
    "segmentation": ("requirements.txt", "requirements-segmentation.txt"),
    "learned": ("requirements.txt", "requirements-learned.txt"),
    "survival": ("requirements.txt", "requirements-learned.txt", "requirements-survival.txt"),
    "explanation": ("requirements.txt", "requirements-learned.txt"),
    "deep": ("requirements.txt",),
}
"""Files in Resources with what is needed, by what it is needed for."""
COPYLEFT = {"pymaxflow": "GPL-3.0", "scikit-survival": "GPL-3.0", "ecos": "GPL-3.0"}
"""Licences that a user should know before such a package is installed; all others are permissive."""
_BRINGS = {"scikit-survival": ("ecos",)}
"""Packages with such a licence that another one brings along."""


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


def missing_for(purpose: str) -> list[Requirement]:
    """Return the requirements of a purpose (a key of ``LISTS``) that are not installed, each once."""
    found = [requirement for name in LISTS[purpose] for requirement in missing_requirements(resource(name))]
    return list({requirement.name.lower(): requirement for requirement in found}.values())


def ensure_requirements(slicer: ModuleType, purpose: str, requester: str) -> None:
    """Install what a purpose (a key of ``LISTS``) lacks, after asking once; on the main thread only.

    Args:
        slicer: Slicer's module.
        purpose: what the packages are for.
        requester: who asks, for the question's title.

    Raises:
        EnvironmentNeeded: the user declined, or the installation failed.
    """
    missing = missing_for(purpose)
    shap = shap_steps() if purpose == "explanation" else ()
    if missing or shap:
        _ask_and_install(slicer, missing, shap, requester)
    if purpose == "deep":
        ensure_torch(slicer)


def _ask_and_install(
    slicer: ModuleType, missing: list[Requirement], shap: Sequence[Sequence[str]], requester: str
) -> None:
    listed = [*map(str, missing), *(("shap",) if shap else ())]
    try:
        if not slicer.util.confirmOkCancelDisplay(
            question(missing, len(listed)),
            _("{requester} - Install Python Packages").format(requester=requester),
            detailedText="\n".join(f"- {name}" for name in listed),
        ):
            raise RuntimeError("declined")
        with _constraints() as constraints:
            if missing:
                _install(slicer, missing, constraints, requester)
            for arguments in shap:
                _with_progress(slicer, [["-c", str(constraints), *arguments]], ["shap"], requester)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        raise EnvironmentNeeded(
            f"This needs the Python packages {', '.join(listed)}; they were not installed ({error}): press the button "
            "again and agree, or look at the error log."
        ) from error
    importlib.invalidate_caches()


def question(missing: Sequence[Requirement], count: int) -> str:
    """Return what the user is asked: how many packages, and every licence among them that is not permissive."""
    names = {requirement.name.lower(): requirement.name for requirement in missing}
    brought = {name: name for owner in names for name in _BRINGS.get(owner, ())}
    sentences = [
        _("{count} Python packages need to be installed into Slicer's Python. It may take some minutes.").format(
            count=count
        ),
        *(
            _("{package} is under the {licence}, unlike this extension, which is under the Apache License 2.0.").format(
                package=written, licence=COPYLEFT[name]
            )
            for name, written in {**names, **brought}.items()
            if name in COPYLEFT
        ),
        _("Nothing that Slicer ships is replaced. Continue?"),
    ]
    return "\n\n".join(sentences)


def _install(slicer: ModuleType, missing: list[Requirement], constraints: Path, requester: str) -> None:
    """Install with a progress dialog: ``slicer.packaging`` has one from 5.12 on."""
    try:
        slicer_packaging = importlib.import_module(f"{slicer.__name__}.packaging")
    except ModuleNotFoundError:
        steps = [["-c", str(constraints), str(requirement)] for requirement in missing]
        _with_progress(slicer, steps, [str(requirement) for requirement in missing], requester)
        return
    slicer_packaging.pip_ensure(missing, constraints=constraints, prompt_install=False, requester=requester)


def _with_progress(slicer: ModuleType, steps: Sequence[Sequence[str]], names: Sequence[str], requester: str) -> None:
    """Run pip once for each package, with a dialog that names it."""
    dialog = slicer.util.createProgressDialog(
        value=0, maximum=len(steps), windowTitle=_("{requester} - installing").format(requester=requester)
    )
    try:
        for done, (arguments, name) in enumerate(zip(steps, names, strict=True)):
            dialog.labelText = _("Installing {package}...").format(package=name)
            dialog.value = done
            slicer.app.processEvents()
            slicer.util.pip_install(list(arguments))
    finally:
        dialog.close()


def shap_steps() -> tuple[list[str], ...]:
    """Return what pip is given, one call after the other, until shap and its private folder are there.

    Never the PyPI package that shap calls ``slicer`` into the main environment: it would replace Slicer's own.
    """
    from hccoutcome.explanation.environment import default_folder, pip_arguments, private_folder, shap_pip_arguments

    steps: list[list[str]] = []
    if importlib.util.find_spec("shap") is None:
        steps += shap_pip_arguments()
    try:
        private_folder()
    except EnvironmentNeeded:
        steps.append(pip_arguments(default_folder()))
    return tuple(steps)


def ensure_torch(slicer: ModuleType) -> None:
    """Have PyTorch installed by the PyTorch extension, which chooses the build for this machine.

    Raises:
        EnvironmentNeeded: the extension is not there, or the user declined.
    """
    if importlib.util.find_spec("torch") is not None:
        return
    try:
        utilities = importlib.import_module("PyTorchUtils")
    except ModuleNotFoundError as error:
        raise EnvironmentNeeded(
            "This needs PyTorch, which the extension 'PyTorch' installs: install that extension in the Extensions "
            "Manager and restart Slicer."
        ) from error
    if utilities.PyTorchUtilsLogic().installTorch(askConfirmation=True) is None:
        raise EnvironmentNeeded("This needs PyTorch, which was not installed: press the button again and agree.")


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
