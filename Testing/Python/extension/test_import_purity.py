"""Importing a module file loads nothing heavy, and its window opens before any package was installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MODULES = ("HCCHabitat", "HCCResponse", "HCCSurvival")
HEAVY = (
    "torch",
    "sklearn",
    "pandas",
    "radiomics",
    "numba",
    "highdicom",
    "matplotlib",
    "scipy",
    "SimpleITK",
    "hccoutcome",
)
SHARED_BASE = ["hccoutcome", "hccoutcome.gui", "hccoutcome.gui.module", "hccoutcome.version"]
"""The base classes of the modules, and what importing them takes: nothing but the application."""
INSTALLED_ON_DEMAND = (
    "numba",
    "llvmlite",
    "pywt",
    "yaml",
    "jinja2",
    "matplotlib",
    "psutil",
    "sklearn",
    "highdicom",
    "dicomanonymizer",
    "safetensors",
    "skops",
    "sksurv",
    "pandas",
    "shap",
)

NOT_IN_SLICER = ("highdicom", "dicomanonymizer", "pydicom", "pandas", "slicer", "torch", "radiomics", "dask")

START = """
import sys
sys.path.insert(0, {host!r})
from standin import application
"""


def python(code: str) -> str:
    code = START.format(host=str(ROOT / "Testing" / "Host")) + code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", MODULES)
def test_importing_a_module_file_loads_nothing_heavy(name):
    # The scene of the stand-in needs numpy and SimpleITK itself: what counts is what the module file adds.
    code = f"""
from pathlib import Path
application.start()
heavy = {HEAVY!r}
for loaded in [m for m in sys.modules if m.startswith(heavy)]:
    del sys.modules[loaded]
application.load_module(Path({str(ROOT)!r}) / {name!r} / ({name!r} + '.py'))
print(sorted(m for m in sys.modules if m.startswith(heavy)))
"""
    assert python(code).strip() == str(SHARED_BASE)


def test_the_windows_open_before_anything_was_installed():
    code = f"""
import importlib.abc
from pathlib import Path
import slicer.util
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split('.')[0] in {INSTALLED_ON_DEMAND!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Absent())
application.start()
for name in {MODULES!r}:
    module, _ = application.load_module(Path({str(ROOT)!r}) / name / (name + '.py'))
    window = application.open_window(module)
    application.enter(window)
    print(window.window.ui.applyButton.text)
    application.close_window(window)
"""
    assert python(code).split() == ["Apply"] * 3


def test_the_worker_needs_nothing_that_slicer_lacks_and_the_extension_does_not_ask_for(phantom, tmp_path):
    """Slicer 5.10 has neither highdicom nor pydicom 3: the window hands the voxels over as NRRD."""
    from hccoutcome.jobs import AnalyseJob
    from hccoutcome.loading import read_case_folder

    job = AnalyseJob(
        read_case_folder(phantom), ("haic-mri-clinical",), tmp_path / "out", ("haic-mri",), scene=False, report=False
    )
    job.save(tmp_path)
    code = f"""
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split('.')[0] in {NOT_IN_SLICER!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Absent())
from hccoutcome.worker import main
sys.exit(main([{str(tmp_path)!r}]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "result.json").is_file()
