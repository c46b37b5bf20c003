"""The differences between Slicer 5.10 and 5.12: installing Python packages, and the Python that runs the worker.

Nothing else asks for a version. The ``slicer`` module is handed in: only the scene and the module files import it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from packaging.requirements import Requirement

from hccoutcome.errors import EnvironmentNeeded
from hccoutcome.gui.translate import _
from hccoutcome.resources import resource

KEPT = ("numpy", "scipy", "SimpleITK", "pydicom", "requests", "vtk", "Pillow", "highdicom", "torch")
"""What Slicer and its extensions bring and nothing may replace: its version is a constraint of every installation."""

LISTS: Mapping[str, tuple[str, ...]] = {
    "analysis": ("requirements.txt",),
    "segmentation": ("requirements.txt", "requirements-segmentation.txt"),
    "learned": ("requirements.txt", "requirements-learned.txt"),
    "survival": ("requirements.txt", "requirements-learned.txt", "requirements-survival.txt"),
    "explanation": ("requirements.txt", "requirements-learned.txt"),
    "deep": ("requirements.txt", "requirements-networks.txt"),
}
"""Files in Resources with what is needed, by what it is needed for."""
REASONS: Mapping[str, str] = {
    "analysis": _("to measure images and to apply models"),
    "segmentation": _("to outline lesions and liver without any network"),
    "learned": _("to apply models that were learned from a cohort"),
    "survival": _("to apply learned models of survival"),
    "explanation": _("to tell what each input adds to a score; without it the scores come all the same"),
    "deep": _("to run networks"),
}
OPTIONAL = ("explanation",)
"""What can be declined and the work is done without it."""
MEGABYTES: Mapping[str, int] = {
    "numba": 213,
    "pywavelets": 10,
    "pyyaml": 3,
    "jinja2": 1,
    "matplotlib": 75,
    "psutil": 1,
    "tqdm": 1,
    "scikit-learn": 56,
    "skops": 2,
    "pymaxflow": 4,
    "scikit-survival": 25,
    "pandas": 77,
    "monai": 117,
    "safetensors": 1,
    "shap": 6,
}
"""What a package takes on the disk with what it brings along, as installed on Linux with Python 3.11."""
TORCH_SIZE = _("1 to 6 GB")
COPYLEFT = {"pymaxflow": "GPL-3.0", "scikit-survival": "GPL-3.0", "ecos": "GPL-3.0"}
"""Licences that a user should know before such a package is installed; all others are permissive."""
_BRINGS = {"scikit-survival": ("ecos",)}
"""Packages with such a licence that another one brings along."""


@dataclass(frozen=True)
class Missing:
    """What a purpose lacks.

    Attributes:
        requirements: Python packages.
        shap: what pip is given for shap, one call after the other.
        torch: whether PyTorch is missing, which its own extension installs.
    """

    requirements: tuple[Requirement, ...] = ()
    shap: tuple[tuple[str, ...], ...] = ()
    torch: bool = False

    def __bool__(self) -> bool:
        return bool(self.requirements or self.shap or self.torch)

    @property
    def names(self) -> list[str]:
        """What is missing, as a user reads it."""
        return [*(["PyTorch"] * self.torch), *map(str, self.requirements), *(["shap"] * bool(self.shap))]


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


def missing_for(purpose: str) -> Missing:
    """Return what a purpose (a key of ``LISTS``) lacks, each package once."""
    found = [requirement for name in LISTS[purpose] for requirement in missing_requirements(resource(name))]
    return Missing(
        requirements=tuple({requirement.name.lower(): requirement for requirement in found}.values()),
        shap=shap_steps() if purpose == "explanation" else (),
        torch=purpose == "deep" and importlib.util.find_spec("torch") is None,
    )


def united(found: Iterable[Missing]) -> Missing:
    """Return what several purposes lack together, each package once."""
    found = list(found)
    requirements = {item.name.lower(): item for missing in found for item in missing.requirements}
    shap = next((missing.shap for missing in found if missing.shap), ())
    return Missing(tuple(requirements.values()), shap, any(missing.torch for missing in found))


def ensure_requirements(
    slicer: ModuleType, purposes: Sequence[str], requester: str, declined: set[str] | None = None
) -> None:
    """Install what purposes (keys of ``LISTS``) lack, after asking once for all; on the main thread only.

    Args:
        slicer: Slicer's module.
        purposes: what the packages are for.
        requester: who asks, for the question's title.
        declined: purposes that the user did not want before, which are not asked for again; what the work is done
            without (``OPTIONAL``) and is declined now is added.

    Raises:
        EnvironmentNeeded: the user declined what the work cannot do without, or the installation failed.
    """
    declined = set() if declined is None else declined
    asked = [purpose for purpose in dict.fromkeys(purposes) if purpose not in declined]
    lacking = {purpose: missing for purpose in asked if (missing := missing_for(purpose))}
    if not lacking:
        return
    missing = united(lacking.values())
    if missing.torch:
        _torch_extension()
    listed = ", ".join(missing.names)
    if not slicer.util.confirmOkCancelDisplay(
        question(lacking),
        _("{requester} - Install Python Packages").format(requester=requester),
        detailedText="\n".join(f"- {name}" for name in missing.names),
    ):
        declined.update(purpose for purpose in lacking if purpose in OPTIONAL)
        if set(lacking) <= declined:
            return
        raise EnvironmentNeeded(
            f"This needs the Python packages {listed}; they were not installed (declined): press the button again and "
            "agree, or choose what does without them."
        )
    try:
        _install_all(slicer, missing, requester)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        raise EnvironmentNeeded(
            f"This needs the Python packages {listed}; they were not installed ({error}): press the button again and "
            "agree, or look at the error log."
        ) from error
    importlib.invalidate_caches()


def _install_all(slicer: ModuleType, missing: Missing, requester: str) -> None:
    """Install what was agreed to, PyTorch first: what needs it finds the build for this machine and keeps it."""
    if missing.torch and _torch_extension().PyTorchUtilsLogic().installTorch(askConfirmation=False) is None:
        raise RuntimeError("the extension 'PyTorch' could not install it")
    with _constraints() as constraints:
        if missing.requirements:
            _install(slicer, list(missing.requirements), constraints, requester)
        for arguments in missing.shap:
            _with_progress(slicer, [["-c", str(constraints), *arguments]], ["shap"], requester)


def _torch_extension() -> ModuleType:
    """Return the module of the extension that chooses the build of PyTorch for this machine.

    Raises:
        EnvironmentNeeded: it is not installed.
    """
    try:
        return importlib.import_module("PyTorchUtils")
    except ModuleNotFoundError as error:
        raise EnvironmentNeeded(
            "This needs PyTorch, which the extension 'PyTorch' installs: install that extension in the Extensions "
            "Manager and restart Slicer."
        ) from error


def question(lacking: Mapping[str, Missing]) -> str:
    """Return what the user is asked: how many packages, what for, how large, and licences that are not permissive."""
    missing = united(lacking.values())
    names = {requirement.name.lower(): requirement.name for requirement in missing.requirements}
    brought = {name: name for owner in names for name in _BRINGS.get(owner, ())}
    known = [*names, *(["shap"] * bool(missing.shap))]
    size = max(10, 10 * round(sum(MEGABYTES.get(name, 0) for name in known) / 10))
    sentences = [
        _("{count} Python packages need to be installed into Slicer's Python. It may take some minutes.").format(
            count=len(missing.names)
        ),
        "\n".join(f"\u2022 {REASONS[purpose]}: {', '.join(found.names)}" for purpose, found in lacking.items()),
        _("They take about {size} MB on the disk.").format(size=size) if known else "",
        _("PyTorch takes {size} more, by the graphics card of this machine.").format(size=TORCH_SIZE)
        if missing.torch
        else "",
        *(
            _("{package} is under the {licence}, unlike this extension, which is under the Apache License 2.0.").format(
                package=written, licence=COPYLEFT[name]
            )
            for name, written in {**names, **brought}.items()
            if name in COPYLEFT
        ),
        _("Nothing that Slicer ships is replaced. Continue?"),
    ]
    return "\n\n".join(filter(None, sentences))


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


def shap_steps() -> tuple[tuple[str, ...], ...]:
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
    return tuple(map(tuple, steps))


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
