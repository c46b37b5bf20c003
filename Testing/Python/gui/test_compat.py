"""The two ways of installing packages, and the worker's Python."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import types
from pathlib import Path

import numpy
import pytest

import hccoutcome
from hccoutcome.errors import EnvironmentNeeded
from hccoutcome.gui import compat
from hccoutcome.processes import own_environment
from hccoutcome.resources import resource

REQUESTER = "HCC Outcome"


WANTED = "# comment\nnumpy>=1\nno-such-package>=2  # why\nnumpy>99\npip; python_version < '3'\n"


@pytest.fixture
def lists(tmp_path, monkeypatch):
    """Requirement lists of our own, so that something is missing whatever is installed here."""
    (tmp_path / "requirements.txt").write_text(WANTED)
    (tmp_path / "gpl.txt").write_text("PyMaxflow>=99\nscikit-survival>=99\n")
    (tmp_path / "none.txt").write_text("numpy>=1\n")
    monkeypatch.setattr(compat, "resource", tmp_path.joinpath)
    given = {
        "analysis": ("requirements.txt",),
        "segmentation": ("requirements.txt", "gpl.txt"),
        "nothing": ("none.txt",),
    }
    monkeypatch.setattr(compat, "LISTS", {**given, "explanation": ("none.txt",), "deep": ("none.txt",)})
    monkeypatch.setattr(compat, "REASONS", {name: f"for {name}" for name in compat.LISTS})
    return tmp_path


class Dialog:
    """qt.QProgressDialog as slicer.util.createProgressDialog gives it."""

    def __init__(self):
        self.labelText, self.value, self.closed = "", 0, False

    def close(self):
        self.closed = True


def slicer_5_10(agree, error=None):
    """Slicer 5.10: slicer.util.pip_install(requirements: str | list) and no slicer.packaging."""
    module = types.ModuleType("slicer_5_10")
    module.asked, module.installed, module.dialogs, module.shown = [], [], [], []

    def confirm(text, windowTitle=None, parent=None, **kwargs):
        module.asked.append((text, windowTitle, kwargs))
        return agree

    def pip_install(requirements):
        constraints = requirements[requirements.index("-c") + 1]
        module.installed.append((requirements, Path(constraints).read_text(encoding="utf-8")))
        if error is not None:
            raise error

    def create_dialog(parent=None, value=0, maximum=100, labelText="", windowTitle="Processing...", **kwargs):
        module.dialogs.append(Dialog())
        return module.dialogs[-1]

    def process_events():
        module.shown.append(module.dialogs[-1].labelText)

    module.util = types.SimpleNamespace(
        confirmOkCancelDisplay=confirm, pip_install=pip_install, createProgressDialog=create_dialog
    )
    module.app = types.SimpleNamespace(processEvents=process_events)
    return module


@pytest.fixture
def slicer_5_12(monkeypatch):
    """Slicer 5.12: slicer.packaging.pip_ensure(requirements, constraints=, prompt_install=, requester=)."""
    module = slicer_5_10(agree=True)
    module.__name__ = "slicer_5_12"
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


def test_only_what_is_missing_or_too_old_is_asked_for(lists):
    found = compat.missing_requirements(lists / "requirements.txt")
    assert [str(item) for item in found] == ["no-such-package>=2", "numpy>99"]


def test_nothing_is_asked_where_nothing_is_missing(lists):
    compat.ensure_requirements(types.ModuleType("no_slicer"), ["nothing"], REQUESTER)


def test_5_10_asks_once_and_installs_wheels_that_keep_slicers_own_packages_with_a_dialog(lists):
    slicer = slicer_5_10(agree=True)
    compat.ensure_requirements(slicer, ["analysis"], REQUESTER)
    ((text, title, more),) = slicer.asked
    assert text.startswith("2 Python packages need to be installed into Slicer's Python.")
    assert text.endswith("Nothing that Slicer ships is replaced. Continue?")
    assert "GPL" not in text
    assert title == "HCC Outcome - Install Python Packages"
    assert more == {"detailedText": "- no-such-package>=2\n- numpy>99"}
    assert [arguments[2:] for arguments, _ in slicer.installed] == [["no-such-package>=2"], ["numpy>99"]]
    for _, constraints in slicer.installed:
        assert constraints.splitlines()[0] == "--only-binary :all:"
        assert f"numpy=={numpy.__version__}" in constraints.splitlines()
    assert slicer.shown == ["Installing no-such-package>=2...", "Installing numpy>99..."]
    assert slicer.dialogs[-1].closed


def test_packages_under_the_gpl_are_named_before_they_are_installed(lists):
    slicer = slicer_5_10(agree=False)
    with pytest.raises(EnvironmentNeeded, match="declined"):
        compat.ensure_requirements(slicer, ["segmentation"], REQUESTER)
    ((text, _, _),) = slicer.asked
    for name in ("PyMaxflow", "scikit-survival", "ecos"):
        assert f"{name} is under the GPL-3.0, unlike this extension" in text
    assert slicer.installed == []


def test_5_10_declined_is_a_sentence_and_installs_nothing(lists):
    slicer = slicer_5_10(agree=False)
    with pytest.raises(EnvironmentNeeded, match="needs the Python packages no-such-package>=2, numpy>99; they were"):
        compat.ensure_requirements(slicer, ["analysis"], REQUESTER)
    assert slicer.installed == []


def test_an_installation_that_fails_is_a_sentence_and_its_dialog_is_gone(lists):
    slicer = slicer_5_10(agree=True, error=compat.subprocess.CalledProcessError(1, "pip"))
    with pytest.raises(EnvironmentNeeded, match="they were not installed"):
        compat.ensure_requirements(slicer, ["analysis"], REQUESTER)
    assert slicer.dialogs[-1].closed


def test_5_12_leaves_installing_to_slicer_packaging_and_asks_but_once(lists, slicer_5_12):
    compat.ensure_requirements(slicer_5_12, ["analysis"], REQUESTER)
    ((names, constraints, prompt, requester),) = sys.modules["slicer_5_12.packaging"].calls
    assert names == ["no-such-package>=2", "numpy>99"]
    assert constraints.startswith("--only-binary :all:\n")
    assert prompt is False, "it was asked already, with the licences"
    assert requester == REQUESTER
    assert len(slicer_5_12.asked) == 1


def test_5_12_failing_is_a_sentence(lists, slicer_5_12):
    sys.modules["slicer_5_12.packaging"].error = RuntimeError("no network")
    with pytest.raises(EnvironmentNeeded, match=r"\(no network\): press the button again and agree"):
        compat.ensure_requirements(slicer_5_12, ["analysis"], REQUESTER)


def test_shap_goes_in_without_the_package_of_slicers_own_name(lists, monkeypatch):
    """The main environment never gets PyPI's 'slicer': it would replace Slicer's."""
    from hccoutcome.explanation import environment

    monkeypatch.setattr(compat.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv(environment.FOLDER_VARIABLE, str(lists / "no-folder"))
    steps = compat.shap_steps()
    assert [word for word in steps[0] if "shap" in word] == []
    assert "--no-deps" in steps[1]
    main = [word for step in steps[:2] for word in step]
    assert not any(word == "slicer" or word.startswith("slicer=") for word in main)
    assert "--target" in steps[2]
    assert "slicer==0.0.8" in steps[2]


def test_shap_that_is_there_is_left_alone(lists):
    assert compat.shap_steps() == ()


@pytest.fixture
def torch_extension(monkeypatch):
    """The extension 'PyTorch': PyTorchUtilsLogic().installTorch(askConfirmation=...) gives the module, or None."""
    monkeypatch.setattr(compat.importlib.util, "find_spec", lambda name: None if name == "torch" else object())

    class Logic:
        given, asked = object(), []

        def installTorch(self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None):
            self.asked.append(askConfirmation)
            return self.given

    module = types.ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = Logic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    return Logic


def test_without_its_extension_pytorch_is_a_sentence_before_anything_is_asked(lists, monkeypatch):
    monkeypatch.setattr(compat.importlib.util, "find_spec", lambda name: None)
    slicer = slicer_5_10(agree=True)
    with pytest.raises(EnvironmentNeeded, match="install that extension in the Extensions Manager"):
        compat.ensure_requirements(slicer, ["analysis", "deep"], REQUESTER)
    assert (slicer.asked, slicer.installed) == ([], [])


def test_torch_comes_first_through_its_own_extension_and_is_asked_for_with_all_else(lists, torch_extension):
    slicer = slicer_5_10(agree=True)
    compat.ensure_requirements(slicer, ["analysis", "deep"], REQUESTER)
    ((text, _, more),) = slicer.asked
    assert text.startswith("3 Python packages need")
    assert "for deep: PyTorch" in text
    assert "PyTorch takes 1 to 6 GB more" in text
    assert more["detailedText"].splitlines() == ["- PyTorch", "- no-such-package>=2", "- numpy>99"]
    assert torch_extension.asked == [False], "asked once, by us"
    assert len(slicer.installed) == 2
    torch_extension.given = None
    with pytest.raises(EnvironmentNeeded, match=r"PyTorch.*could not install it"):
        compat.ensure_requirements(slicer_5_10(agree=True), ["deep"], REQUESTER)


def test_what_the_work_does_without_can_be_declined_and_is_not_asked_for_again(lists, monkeypatch):
    steps = (("--no-deps", "shap"),)
    monkeypatch.setattr(compat, "shap_steps", lambda: steps)
    slicer, declined = slicer_5_10(agree=False), set()
    for _ in range(2):
        compat.ensure_requirements(slicer, ["nothing", "explanation"], REQUESTER, declined)
    ((text, _, _),) = slicer.asked
    assert "for explanation: shap" in text
    assert declined == {"explanation"}
    assert slicer.installed == []


def test_what_the_work_needs_is_asked_for_again_without_what_was_declined(lists, monkeypatch):
    monkeypatch.setattr(compat, "shap_steps", lambda: (("--no-deps", "shap"),))
    slicer, declined = slicer_5_10(agree=False), set()
    for _ in range(2):
        with pytest.raises(EnvironmentNeeded, match="agree, or choose what does without them"):
            compat.ensure_requirements(slicer, ["analysis", "explanation"], REQUESTER, declined)
    assert ["shap" in text for text, _, _ in slicer.asked] == [True, False]


def test_the_question_says_what_for_and_how_large():
    missing = {
        "analysis": compat.Missing((compat.Requirement("numba>=1"),)),
        "survival": compat.Missing((compat.Requirement("numba>=1"), compat.Requirement("scikit-survival>=0.2"))),
    }
    text = compat.question(missing)
    assert text.startswith("2 Python packages need")
    assert "to measure images and to apply models: numba>=1\n" in text
    assert "to apply learned models of survival: numba>=1, scikit-survival>=0.2" in text
    assert "They take about 240 MB on the disk." in text
    assert "ecos is under the GPL-3.0" in text


SHIPPED = sorted({name for names in compat.LISTS.values() for name in names})


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_requirements_have_lower_bounds_and_replace_nothing_of_slicers(name):
    kept = {name.lower() for name in compat.KEPT}
    for requirement in compat.read_requirements(resource(name)):
        assert any(part.operator in (">=", "~=") for part in requirement.specifier), requirement
        assert not any(part.operator in ("==", "===") for part in requirement.specifier), requirement
        assert requirement.name.lower() not in kept
        assert requirement.name.lower() not in ("torch", "slicer", "pyradiomics"), "these come in ways of their own"


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_requirements_are_those_of_the_package(name):
    declared = {
        requirement.name.lower(): requirement
        for requirement in map(compat.Requirement, importlib.metadata.requires("hccoutcome"))
        if requirement.name.lower() != "hccoutcome"
    }
    for requirement in compat.read_requirements(resource(name)):
        assert requirement.specifier == declared[requirement.name.lower()].specifier, requirement


def test_every_shipped_requirement_has_a_size_and_every_purpose_a_reason():
    listed = {item.name.lower() for name in SHIPPED for item in compat.read_requirements(resource(name))}
    assert listed | {"shap"} == set(compat.MEGABYTES)
    assert set(compat.REASONS) == set(compat.LISTS)


def test_every_package_under_the_gpl_is_known_as_such():
    listed = {item.name.lower() for name in SHIPPED for item in compat.read_requirements(resource(name))}
    assert {"pymaxflow", "scikit-survival"} <= listed & set(compat.COPYLEFT)


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
    first, second = own_environment()["PYTHONPATH"].split(os.pathsep)
    assert hccoutcome.__file__.startswith(first)
    assert second == "/elsewhere"
