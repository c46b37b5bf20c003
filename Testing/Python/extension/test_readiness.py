"""The repository is ready for the Extensions Index, and every check of that can fail: a copy is broken for each."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
LEFT_OUT = ("Testing/Python", "Testing/Oracle", "Testing/Benchmarks", "Testing/Studies")
PICTURE = "Resources/Screenshots/tutorial-case.png"


def load(name):
    path = ROOT / "Testing" / "CMake" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def readiness():
    path, known = list(sys.path), set(sys.modules)
    yield load("readiness")
    sys.path[:] = path
    for name in {"readiness", "licences", "lists"} - known:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def copy(readiness, tmp_path_factory):
    """A copy of the repository without its tests."""
    folder = tmp_path_factory.mktemp("readiness")
    for path in readiness.files_of(ROOT):
        name = path.relative_to(ROOT)
        if not name.as_posix().startswith(LEFT_OUT):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)
    return folder


@pytest.mark.parametrize("name", sorted(load("readiness").CHECKS))
def test_the_repository_passes(readiness, name):
    assert readiness.problems(ROOT, name) == []


def replaced(old, new):
    """A change of a text that must be there."""

    def change(path):
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{path.name} no longer holds {old!r}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    return change


def written(data):
    return lambda path: path.write_bytes(data)


def appended(text):
    return lambda path: path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def removed(path):
    path.unlink()


SAMPLES = "hccoutcome/gui/sample_data.py"
METADATA = "metadata in CMakeLists.txt"
ENTRY = "entry for the Index"
DEPENDENCIES = "licences of dependencies"
CITATION = "publications and citation"
TUTORIAL = "tutorial with pictures"
INSTALLED = "installation, downloads, removal"
INDEX, CMAKE, LICENCES = "HCCOutcome.json", "CMakeLists.txt", "Docs/installed.md"
BROKEN = [
    (METADATA, CMAKE, replaced("EXTENSION_CATEGORY", "EXTENSION_KIND"), "CATEGORY is not set"),
    (METADATA, CMAKE, replaced("project(HCC", "project(SlicerHCC"), "not begin with Slicer"),
    (METADATA, CMAKE, replaced(" For research only.", " A. B. C."), "has 4 sentences"),
    (METADATA, CMAKE, replaced("Radiomics PyTorch", "Radiomics\nPyTorch"), "DEPENDS is not"),
    (ENTRY, INDEX, replaced('"tier": 1', '"colour": 1'), "knows no colour"),
    (ENTRY, INDEX, replaced('"tier": 1', '"tier": 9'), "between 1 and 5"),
    (ENTRY, INDEX, replaced('"tier": 1', '"tier": "one"'), "knows no tier with 'one'"),
    (ENTRY, INDEX, replaced('    "SlicerRadiomics",\n', ""), "differ from EXTENSION_DEPENDS"),
    (ENTRY, INDEX, replaced("SlicerHCC.git", "HCC.git"), "name begins with Slicer"),
    (ENTRY, INDEX, replaced('"category"', '"enabled"'), "category is required"),
    (ENTRY, INDEX, removed, "HCCOutcome.json is missing"),
    ("icons", "HCCSurvival/Resources/Icons/HCCSurvival.png", written(b"GIF89a"), "not a PNG of 128 x 128"),
    ("icons", CMAKE, replaced("raw.githubusercontent.com", "github.com"), "no raw address"),
    ("screenshots", "Resources/Screenshots/habitats.png", removed, "habitats.png is not a PNG"),
    ("screenshots", "Resources/Screenshots/new.png", written(b""), "no page shows new.png"),
    ("licence", "LICENSE", replaced("Apache License", "License"), "not the Apache License"),
    ("README", "README.md", replaced("\n## How to cite", "\n## To cite"), "no section 'How to cite'"),
    ("README", "README.md", replaced("- **HCC Habitat** ", "- HCC Habitat "), "HCC Habitat has no sentence"),
    ("README", "README.md", replaced("![", "["), "no picture"),
    ("README", "README.md", replaced("(Docs/tutorial.md)", "(Docs/radiologist.md)"), "tutorial.md is not linked"),
    (CITATION, "CITATION.cff", replaced("\nversion: ", "\nversion: 9."), "another version"),
    (CITATION, "CITATION.cff", replaced("10.7150/", "10.9999/"), "10.7150/jca.111026 of README.md"),
    (CITATION, "CITATION.cff", replaced("\nauthors:", "\npeople:"), "has no authors"),
    (CITATION, "CITATION.cff", replaced("    journal: Front Oncol", "    journal: [Front Oncol"), "is no YAML"),
    (CITATION, "CITATION.cff", replaced("  - type: article", "  - kind: article"), "lacks type, title or authors"),
    (TUTORIAL, "Docs/tutorial.md", replaced("## 4. Segment", "## 4. Draw"), "speaks of 'segment'"),
    (TUTORIAL, "Docs/tutorial.md", replaced("## 1. Install", "## 1. Begin"), "speaks of"),
    (TUTORIAL, PICTURE, removed, "tutorial-case.png is missing"),
    (TUTORIAL, "Docs/tutorial.md", replaced("stand-in", "application"), "stand-in for the application"),
    (TUTORIAL, "hccoutcome/gui/module.py", replaced("/blob/main/", "/tree/main/"), "help does not lead to it"),
    ("sample data", SAMPLES, replaced('        checksums="SHA256:" + PUBLIC_SHA256,\n', ""), "without a SHA256"),
    ("sample data", "hccoutcome/gui/module.py", replaced("startupCompleted()", "aboutToQuit()"), "does not register"),
    ("sample data", "Resources/SampleData/patient-MR.png", removed, "patient-MR.png is not a PNG"),
    (DEPENDENCIES, LICENCES, replaced("| GPL | `ecos`, ", "| GPL | "), "ecos (GPL) is not listed"),
    (DEPENDENCIES, LICENCES, replaced("| MIT | ", "| MIT | `leftpad`, "), "leftpad is listed but"),
    (DEPENDENCIES, "README.md", replaced("`scikit-survival`, ", ""), "scikit-survival (GPL) is not in"),
    (DEPENDENCIES, LICENCES, replaced("`numba`, `numpy`", "`numpy`"), "numba (BSD) is not listed"),
    (INSTALLED, "Resources/requirements.txt", appended("leftpad>=1\n"), "`leftpad` is not in"),
    (INSTALLED, LICENCES, replaced("pip_uninstall", "remove"), "how to remove"),
    (INSTALLED, "hccoutcome/case.py", appended("urlopen\n"), "case.py reaches the network"),
    ("module files", "HCCResponse/HCCResponse.py", appended("import torch\n"), "imports torch at file scope"),
    ("module files", "HCCResponse/HCCResponse.py", appended("print(1)\n"), "runs something at file scope"),
    ("module files", "hccoutcome/gui/module.py", appended("for a in ():\n    pass\n"), "does something at file scope"),
    ("CMake lists", "hccoutcome/new.py", written(b""), "lacks ['new.py']"),
    ("CMake lists", CMAKE, replaced("3.20.6...3.28.0", "3.31"), "cmake_minimum_required"),
    ("size of the checkout", "Resources/Icons/large.png", written(bytes(1_000_001)), "larger than 1 MB"),
    ("texts", "Docs/cohort.md", written(b"one\r\ntwo"), "other line ends"),
    ("texts", "Docs/cohort.md", appended("/home" + "/somebody/x"), "a path of one machine"),
    ("texts", "Makefile", appended("# --index" + "-url x\n"), "a host of packages"),
]  # fmt: skip
"""Check, file, how it is broken, words of what the check finds."""


@pytest.mark.parametrize(("check", "file", "change", "words"), BROKEN)
def test_a_broken_copy_fails_with_what_to_do(readiness, copy, check, file, change, words):
    sound = readiness.problems(copy, check)
    with broken(copy / file, change):
        found = [problem for problem in readiness.problems(copy, check) if problem not in sound]
    assert any(words in problem for problem in found), found
    assert all(":" in problem or "has to" in problem for problem in found), "what to do is not said"
    assert readiness.problems(copy, check) == sound


@contextmanager
def broken(path, change):
    """Change a file and put it back as it was."""
    before = path.read_bytes() if path.exists() else None
    change(path)
    yield
    if before is None:
        path.unlink()
    else:
        path.write_bytes(before)


def test_every_check_was_seen_to_fail(readiness):
    assert {check for check, *_ in BROKEN} == set(readiness.CHECKS)


def test_the_command_prints_a_line_for_each_check_and_fails_where_one_fails(readiness, copy, capsys):
    readiness.main(["--root", str(copy)])
    lines = capsys.readouterr().out.splitlines()
    assert [line[6:] for line in lines if line.startswith(("ok    ", "FAIL  "))] == list(readiness.CHECKS)
    with broken(copy / "LICENSE", written(b"none")):
        assert readiness.main(["--root", str(copy)]) == 1
    assert "FAIL  licence\n      LICENSE is not the Apache License 2.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("expression", "field", "classifier", "text", "family"),
    [
        ("Apache-2.0 OR BSD-2-Clause", "", "", "", "Apache"),
        ("LGPL-3.0-only OR GPL-2.0-only", "", "", "", "LGPL"),
        ("", "MPL-2.0 AND MIT", "", "", "MPL"),
        ("", "GPLv3", "", "", "GPL"),
        ("", "Copyright of a foundation", "License :: OSI Approved :: BSD License", "", "BSD"),
        ("", "", "License :: OSI Approved", "MIT License\n\nCopyright", "MIT"),
        ("", "UNKNOWN", "", "", "unknown"),
    ],
)
def test_the_licence_is_read_where_the_package_states_it(readiness, expression, field, classifier, text, family):
    fields = {"License-Expression": expression, "License": field}
    assert readiness.licences.licence_of(fields, [classifier], text) == family


def test_what_was_installed_in_place_of_a_locked_version_is_not_compared(readiness):
    assert readiness.licences.installed_licence("numpy", {"0.0.1"}) is None
    assert readiness.licences.installed_licence("numpy", {"0.0.1", np.__version__}) == "BSD"


def test_licences_are_read_also_once_a_backport_finds_the_packages(readiness):
    pytest.importorskip("importlib_metadata", reason="only dask on Python 3.11 brings it")
    assert {name: readiness.licences.installed_licence(name) for name in ("numpy", "ecos")} == {
        "numpy": "BSD",
        "ecos": "GPL",
    }
