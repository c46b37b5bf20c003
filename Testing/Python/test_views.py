"""No view of an image outlives it: SimpleITK's views do not keep it alive, so one of a temporary reads freed memory."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    path
    for folder in ("hccoutcome", "HCC*", "Testing", "Docs")
    for top in ROOT.glob(folder)
    for path in top.rglob("*.py")
]


def views_of_temporaries(text: str) -> list[int]:
    """Return the lines in which a view is taken of what a call or an operator returns."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) == "GetArrayViewFromImage"
        and isinstance(node.args[0], (ast.Call, ast.BinOp, ast.Compare, ast.UnaryOp))
    ]


def test_a_view_of_a_temporary_is_found():
    assert views_of_temporaries("sitk.GetArrayViewFromImage(make()).sum()") == [1]
    assert views_of_temporaries("a = 1\nGetArrayViewFromImage(image != 0)") == [2]
    assert views_of_temporaries("sitk.GetArrayViewFromImage(image).sum()\nsitk.GetArrayFromImage(make())") == []


def test_no_view_of_a_temporary_is_taken():
    assert len(FILES) > 100
    found = {path.name: views_of_temporaries(path.read_text(encoding="utf-8")) for path in FILES}
    assert not {name: lines for name, lines in found.items() if lines}
