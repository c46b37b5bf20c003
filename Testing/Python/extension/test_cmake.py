"""The CMake side: the lists equal the files, and the extension installs with the real CMake and a stand-in Slicer."""

from __future__ import annotations

import importlib.util
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
INSTALLED = Path("lib/Slicer-5.12/qt-scripted-modules")


def load_lists():
    spec = importlib.util.spec_from_file_location("cmake_lists", ROOT / "Testing" / "CMake" / "lists.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lists = load_lists()


def test_every_cmake_list_equals_the_files_on_disk():
    found = lists.differences()
    assert not found, "run: python Testing/CMake/lists.py --write\n" + "\n".join(found)


@pytest.fixture
def small_tree(tmp_path):
    """A tree of the same shape with one module file and one resource."""
    for folder in (*lists.MODULES, lists.PACKAGE):
        (tmp_path / folder).mkdir()
        shutil.copy(ROOT / folder / "CMakeLists.txt", tmp_path / folder / "CMakeLists.txt")
        (tmp_path / folder / f"{folder}.py").write_text("")
    (tmp_path / "Resources").mkdir()
    (tmp_path / "Resources" / "file.txt").write_text("")
    lists.write(tmp_path)
    return tmp_path


def test_a_file_that_is_not_listed_is_named(small_tree):
    assert lists.differences(small_tree) == []
    (small_tree / "hccoutcome" / "new.py").write_text("")
    (small_tree / "Resources" / "file.txt").unlink()
    assert lists.differences(small_tree) == [
        "hccoutcome/CMakeLists.txt MODULE_PYTHON_SCRIPTS: lacks ['new.py'], has too much []",
        "hccoutcome/CMakeLists.txt EXTENSION_RESOURCES: lacks [], has too much ['file.txt']",
    ]


def test_the_metadata_stand_on_one_quoted_line_each():
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    for name in ("HOMEPAGE", "CATEGORY", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"):
        assert len(re.findall(rf'^set\(EXTENSION_{name} "[^"\n;]+"\)$', text, re.MULTILINE)) == 1, name
    assert 'set(EXTENSION_DEPENDS "SlicerRadiomics PyTorch")' in text
    assert re.search(r"^project\(HCCOutcome\)$", text, re.MULTILINE)


def test_the_icon_and_the_screenshots_that_the_index_shows_exist():
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    shown = re.findall(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/main/([^\s\"]+)", text)
    assert len(shown) >= 2
    for name in shown:
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize(
    "name", ["Resources/Icons/HCCOutcome.png", *(f"{m}/Resources/Icons/{m}.png" for m in lists.MODULES)]
)
def test_an_icon_is_square_of_128_pixels_and_small(name):
    header = (ROOT / name).read_bytes()
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", header[16:24]) == (128, 128)
    assert len(header) < 50_000


def test_the_minimum_cmake_is_one_that_slicer_5_10_and_5_12_have():
    # Slicer 5.10 asks for 3.20.6 at least (its CMakeLists.txt), 5.12 for 3.28.0.
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert text.startswith("cmake_minimum_required(VERSION 3.20.6...3.28.0 FATAL_ERROR)")


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def install_tree(tmp_path_factory):
    """The extension, configured, built and installed with the real CMake."""
    if shutil.which("cmake") is None:
        pytest.skip("there is no cmake on this machine")
    folder = tmp_path_factory.mktemp("cmake")
    # The extension has nothing to compile, so CMake is spared the search for a compiler.
    no_compiler = [
        f"-DCMAKE_{language}_COMPILER{what}" for language in ("C", "CXX") for what in ("=true", "_FORCED=ON")
    ]
    run(
        "cmake",
        "-S",
        str(ROOT),
        "-B",
        str(folder / "build"),
        f"-DSlicer_DIR={ROOT / 'Testing' / 'CMake'}",
        *no_compiler,
    )
    run("cmake", "--build", str(folder / "build"))
    run("cmake", "--install", str(folder / "build"), "--prefix", str(folder / "install"))
    return folder / "install" / INSTALLED


def test_the_install_tree_holds_modules_package_and_resources(install_tree):
    shipped = {path.relative_to(install_tree).as_posix() for path in install_tree.rglob("*") if path.is_file()}
    expected = {
        *(f"{name}.py" for name in lists.MODULES),
        *(f"Resources/UI/{name}.ui" for name in lists.MODULES),
        *(f"Resources/Icons/{name}.png" for name in lists.MODULES),
        *(f"hccoutcome/{name}" for name in lists.files_below(ROOT / "hccoutcome")),
        *(f"hccoutcome/Resources/{name}" for name in lists.files_below(ROOT / "Resources")),
    }
    assert shipped == expected


def test_the_installed_package_reads_its_own_resources(install_tree):
    code = (
        "import hccoutcome, pathlib\n"
        "from hccoutcome.package.reading import list_packages, read_package\n"
        "from hccoutcome.resources import resource\n"
        "home = pathlib.Path(hccoutcome.__file__).parent\n"
        "print(home)\n"
        "assert resource('Icons').parent == home / 'Resources'\n"
        "assert 'radscore-tace-ct' in [read_package(name).name for name in list_packages()]\n"
    )
    out = run(sys.executable, "-c", code, cwd=install_tree, env={"PYTHONPATH": str(install_tree)})
    assert Path(out.strip()) == install_tree / "hccoutcome"


def test_a_missing_file_stops_the_configuration(tmp_path):
    if shutil.which("cmake") is None:
        pytest.skip("there is no cmake on this machine")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.20.6)\nproject(Example NONE)\nfind_package(Slicer REQUIRED)\n"
        "include(${Slicer_USE_FILE})\nslicerMacroBuildScriptedModule(NAME Example SCRIPTS Example.py)\n"
    )
    command = ["cmake", "-S", str(tmp_path), "-B", str(tmp_path / "b"), f"-DSlicer_DIR={ROOT / 'Testing' / 'CMake'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "given nonexistent file or directory 'Example.py'" in " ".join(done.stderr.split())
