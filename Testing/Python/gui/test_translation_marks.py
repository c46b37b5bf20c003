"""What a user reads in the windows is marked for translation, as Slicer looks it up: a literal within ``_()``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted([*(ROOT / "hccoutcome" / "gui").glob("*.py"), *ROOT.glob("HCC*/HCC*.py")])
PROSE = re.compile(r"[A-Z][a-z]+ |[a-z] [a-z]|^[A-Z][a-z]+$")
MARKS = {"_", "translate"}
ERRORS = {"InputError", "EnvironmentNeeded", "HCCError", "RuntimeError"}
"""Their sentences are the same on the command line and in the log."""
READ_BY_NOBODY = {
    "clinical_rules.py": {"case id", "patient id"},
    "compat.py": {"Pillow"},
    "habitat_panels.py": {"Measure", "Value", "Meaning"},
    "network_panels.py": {"Package", "Message"},
    "rules.py": {"portal vein", "hepatic vein", "vena cava"},
    "sample_data.py": {"Liver CT (CC BY-SA 4.0)", "Synthetic HCC patient, CT", "Synthetic HCC patient, MR"},
    "window.py": {"The analysis failed"},
}
"""Names of columns and packages, words that are looked for, names of samples, lines of the log."""


def unmarked(path: Path) -> Iterator[str]:
    """Yield literals that read like prose, but for docstrings, errors and what is marked."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    passed: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            passed |= {id(item.value) for item in node.body if isinstance(item, ast.Expr)}
        called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        of_tests = isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        if called in MARKS | ERRORS or isinstance(node, ast.Raise) or of_tests:
            passed |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in passed and PROSE.search(node.value) and not node.value.startswith("<"):
            yield node.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_texts_are_marked(path):
    assert set(unmarked(path)) - READ_BY_NOBODY.get(path.name, set()) == set()


def test_the_exceptions_are_still_there():
    found = {path.name: set(unmarked(path)) for path in FILES}
    assert all(texts <= found[name] for name, texts in READ_BY_NOBODY.items())


@pytest.mark.parametrize(
    ("code", "texts"),
    [
        ('"""A docstring."""\nlabel.setText("Press the button")', ["Press the button"]),
        ('label.setText(_("Press the button"))', []),
        ('f"Found {count} habitats in it"', ["Found ", " habitats in it"]),
        ('raise InputError("A name was expected")', []),
        ('names = {"portal": "p"}', []),
    ],
)
def test_the_search_finds_what_is_not_marked(code, texts, tmp_path):
    (tmp_path / "code.py").write_text(code, encoding="utf-8")
    assert sorted(unmarked(tmp_path / "code.py")) == sorted(texts)
