from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from explained_models import run_here

from hccoutcome.errors import EnvironmentNeeded
from hccoutcome.explanation import environment
from hccoutcome.explanation.environment import (
    FOLDER_VARIABLE,
    check_folder,
    default_folder,
    load_shap,
    pip_arguments,
    private_folder,
    shap_pip_arguments,
)

IS_MRML = "import slicer; assert hasattr(slicer, 'vtkMRMLScene'); slicer.vtkMRMLScene(); print('MRML')"
USE_SHAP = (
    "import numpy as np; from hccoutcome.explanation.environment import load_shap; shap = load_shap(); "
    "found = shap.PermutationExplainer(lambda x: x.sum(1), np.zeros((2, 3)), seed=0)(np.ones((1, 3)), silent=True); "
    "print(found[0, :2].values.tolist())"
)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A private folder of one's own, to be spoilt."""
    return Path(shutil.copytree(private_folder(), tmp_path / "shap"))


def test_the_folder_of_this_installation_holds_the_package_as_published() -> None:
    folder = private_folder()
    check_folder(folder)
    assert (folder / "slicer" / "__init__.py").is_file()


WORKER = f"""
import multiprocessing, subprocess, sys

def look():
    {IS_MRML}

if __name__ == "__main__":
    {USE_SHAP}
    sys.stdout.flush()
    subprocess.run([sys.executable, "-c", {IS_MRML!r}], check=True)
    child = multiprocessing.get_context("spawn").Process(target=look)
    child.start()
    child.join()
    assert child.exitcode == 0
"""
APPLICATION = f"""
import subprocess, sys
import slicer
scene = slicer.vtkMRMLScene()
worker = subprocess.run([sys.executable, sys.argv[1]], capture_output=True, text=True)
assert worker.returncode == 0, worker.stderr
print("worker:", *worker.stdout.split("\\n"))
import slicer as again
assert again is slicer and again.vtkMRMLScene and scene.GetNumberOfNodes() == 0
del sys.modules["slicer"]
{IS_MRML}
after = subprocess.run([sys.executable, "-c", {IS_MRML!r}], capture_output=True, text=True)
assert after.returncode == 0, after.stderr
print("after:", after.stdout.strip())
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> list[str]:
    """What the application's process prints that has ``slicer`` before, while and after a worker of its own uses shap.

    The worker starts processes in turn, in both ways, which look for ``slicer`` too.
    """
    pytest.importorskip("slicer", reason="slicer-core is not installed: pip install hccoutcome[host]")
    script = tmp_path_factory.mktemp("worker") / "worker.py"
    script.write_text(WORKER)
    done = run_here(APPLICATION, str(script))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().split("\n")


def test_slicer_is_still_mrml_after_shap_was_used_in_a_worker_process(told: list[str]) -> None:
    assert told[0].startswith("worker: [1.0, 1.0]")
    assert told[1:] == ["MRML", "after: MRML"]


def test_processes_that_a_worker_starts_do_not_find_the_private_folder(told: list[str]) -> None:
    assert told[0].split()[3:] == ["MRML", "MRML"]


def test_a_process_with_the_applications_slicer_is_refused() -> None:
    pytest.importorskip("slicer", reason="slicer-core is not installed: pip install hccoutcome[host]")
    with pytest.raises(EnvironmentNeeded, match="has loaded 3D Slicer's own package 'slicer'"):
        load_shap()
    assert "shap" not in sys.modules
    assert hasattr(sys.modules["slicer"], "vtkMRMLScene")


def test_without_the_folder_one_sentence_says_what_to_run(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(EnvironmentNeeded, match=r"slicer==0\.0\.8.*--no-deps --upgrade --target"):
        load_shap()


def test_without_shap_one_sentence_says_what_to_run(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['shap'] = None\n"
        "from hccoutcome.errors import EnvironmentNeeded\n"
        "from hccoutcome.explanation.environment import load_shap\n"
        "try:\n    load_shap()\nexcept EnvironmentNeeded as error:\n    print(error)\n"
    )
    done = run_here(script)
    assert done.returncode == 0, done.stderr
    assert "--no-deps shap>=0.51,<0.52" in done.stdout


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "numpy").mkdir(), "nothing else; look at numpy"),
        (lambda folder: (folder / "sitecustomize.py").write_text(""), r"look at sitecustomize\.py"),
        (lambda folder: shutil.rmtree(folder / "slicer"), "look at slicer"),
        (lambda folder: (folder / "slicer" / "__init__.py").write_text("x = 1"), "not as it was published"),
        (lambda folder: (folder / "slicer" / "more.py").write_text(""), r"'slicer/more\.py', which is not"),
        (lambda folder: (folder / "slicer" / "__init__.py").unlink(), "should hold slicer/__init__"),
    ],
)
def test_a_folder_with_anything_else_is_refused(copied: Path, monkeypatch, spoil, message: str) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(copied))
    check_folder(copied)
    spoil(copied)
    with pytest.raises(EnvironmentNeeded, match=message):
        private_folder()


def test_the_recipe_never_installs_into_the_main_environment(tmp_path: Path) -> None:
    words = pip_arguments(tmp_path)
    assert words[-1] == "slicer==0.0.8"
    assert words[words.index("--target") + 1] == str(tmp_path)
    assert "--no-deps" in words
    needs, alone = shap_pip_arguments()
    assert "--no-deps" in alone
    assert not [word for word in (*needs, *alone) if word.startswith("slicer")]
    lock = (Path(__file__).resolve().parents[3] / "requirements" / "shap.txt").read_text(encoding="utf-8")
    assert words[-1] in lock


def test_the_folder_is_made_where_one_may_write(monkeypatch) -> None:
    assert default_folder().name == "shap"
    monkeypatch.setattr(environment.os, "access", lambda *_: False)
    assert default_folder() == Path.home() / ".hccoutcome" / "shap"
