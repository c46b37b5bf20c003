"""The two ways of installing packages, and the worker's Python."""

from __future__ import annotations

import importlib.metadata
import sys
import types
from pathlib import Path

import numpy
import pytest

import hccoutcome
from hccoutcome.errors import EnvironmentNeeded
from hccoutcome.gui import compat
from hccoutcome.resources import resource

REQUESTER = "HCC Outcome"


@pytest.fixture
def requirements(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("# comment\nnumpy>=1\nno-such-package>=2  # why\nnumpy>99\npip; python_version < '3'\n")
    return path


def slicer_5_10(agree):
    """Slicer 5.10: slicer.util.pip_install(requirements: str | list) and no slicer.packaging."""
    module = types.ModuleType("slicer_5_10")
    module.asked, module.installed = [], []

    def confirm(text, windowTitle=None, parent=None, **kwargs):
        module.asked.append((text, windowTitle, kwargs))
        return agree

    def pip_install(requirements):
        constraints = requirements[requirements.index("-c") + 1]
        module.installed.append((requirements, Path(constraints).read_text(encoding="utf-8")))

    module.util = types.SimpleNamespace(confirmOkCancelDisplay=confirm, pip_install=pip_install)
    return module


@pytest.fixture
def slicer_5_12(monkeypatch):
    """Slicer 5.12: slicer.packaging.pip_ensure(requirements, constraints=, requester=)."""
    module = types.ModuleType("slicer_5_12")
    module.__path__ = []
    packaging = types.ModuleType("slicer_5_12.packaging")
    packaging.calls, packaging.error = [], None

    def pip_ensure(requirements, constraints=None, skip_packages=None, prompt_install=True, requester=None):
        text = Path(constraints).read_text(encoding="utf-8")
        packaging.calls.append(([str(r) for r in requirements], text, prompt_install, requester))
        if packaging.error is not None:
            raise packaging.error

    packaging.pip_ensure = pip_ensure
    monkeypatch.setitem(sys.modules, "slicer_5_12", module)
    monkeypatch.setitem(sys.modules, "slicer_5_12.packaging", packaging)
    return module


def test_only_what_is_missing_or_too_old_is_asked_for(requirements):
    assert [str(item) for item in compat.missing_requirements(requirements)] == ["no-such-package>=2", "numpy>99"]


def test_nothing_is_asked_where_nothing_is_missing(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("numpy>=1\n")
    compat.ensure_requirements(types.ModuleType("no_slicer"), path, REQUESTER)


def test_5_10_asks_and_installs_wheels_that_keep_slicers_own_packages(requirements):
    slicer = slicer_5_10(agree=True)
    compat.ensure_requirements(slicer, requirements, REQUESTER)
    ((question, title, more),) = slicer.asked
    assert question == "2 Python packages need to be installed. Continue?"
    assert title == "HCC Outcome - Install Python Packages"
    assert more == {"detailedText": "- no-such-package>=2\n- numpy>99"}
    ((arguments, constraints),) = slicer.installed
    assert arguments[2:] == ["no-such-package>=2", "numpy>99"]
    assert constraints.splitlines()[0] == "--only-binary :all:"
    assert f"numpy=={numpy.__version__}" in constraints.splitlines()


def test_5_10_declined_is_a_sentence_and_installs_nothing(requirements):
    slicer = slicer_5_10(agree=False)
    with pytest.raises(EnvironmentNeeded, match="needs these Python packages: no-such-package>=2, numpy>99; they were"):
        compat.ensure_requirements(slicer, requirements, REQUESTER)
    assert slicer.installed == []


def test_5_12_leaves_asking_and_installing_to_slicer_packaging(requirements, slicer_5_12):
    compat.ensure_requirements(slicer_5_12, requirements, REQUESTER)
    ((names, constraints, prompt, requester),) = sys.modules["slicer_5_12.packaging"].calls
    assert names == ["no-such-package>=2", "numpy>99"]
    assert constraints.startswith("--only-binary :all:\n")
    assert prompt is True
    assert requester == REQUESTER


def test_5_12_declined_is_a_sentence(requirements, slicer_5_12):
    sys.modules["slicer_5_12.packaging"].error = RuntimeError("User declined package installation")
    with pytest.raises(EnvironmentNeeded, match=r"\(User declined package installation\): press Apply again and agree"):
        compat.ensure_requirements(slicer_5_12, requirements, REQUESTER)


def test_the_shipped_requirements_have_lower_bounds_and_replace_nothing_of_slicers():
    shipped = compat.read_requirements(resource("requirements.txt"))
    kept = {name.lower() for name in compat.KEPT}
    for requirement in shipped:
        assert any(part.operator in (">=", "~=") for part in requirement.specifier), requirement
        assert not any(part.operator in ("==", "===") for part in requirement.specifier), requirement
        assert requirement.name.lower() not in kept


def test_the_shipped_requirements_are_those_of_the_package(request):
    declared = {
        requirement.name.lower(): requirement
        for requirement in map(compat.Requirement, importlib.metadata.requires("hccoutcome"))
        if requirement.marker is None
    }
    for requirement in compat.read_requirements(resource("requirements.txt")):
        assert requirement.specifier == declared[requirement.name.lower()].specifier, requirement


def test_the_worker_runs_on_pythonslicer_where_there_is_one(monkeypatch):
    monkeypatch.setattr(compat.shutil, "which", lambda name: f"/slicer/bin/{name}")
    assert compat.worker_python() == "/slicer/bin/PythonSlicer"


def test_the_worker_runs_on_this_python_outside_slicer(monkeypatch):
    monkeypatch.setattr(compat.shutil, "which", lambda name: None)
    assert compat.worker_python() == sys.executable


def test_no_python_at_all_is_a_sentence(monkeypatch):
    monkeypatch.setattr(compat.shutil, "which", lambda name: None)
    monkeypatch.setattr(compat.sys, "executable", "/slicer/bin/SlicerApp-real")
    with pytest.raises(EnvironmentNeeded, match="PythonSlicer\\) was not found beside Slicer: install Slicer again"):
        compat.worker_python()


def test_the_worker_finds_this_package(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    first, second = compat.worker_environment()["PYTHONPATH"].split(compat.os.pathsep)
    assert hccoutcome.__file__.startswith(first)
    assert second == "/elsewhere"
