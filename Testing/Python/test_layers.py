"""The layers of the package: imports go down, slicer and vtk only in scene, qt and ctk only in gui and the modules."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "hccoutcome"

# From the top down: a file may import from its own layer and from those below. A room stands for all files in it.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("cli", "gui", "headless"),
    ("cohort", "worker", "jobs"),
    ("scene", "report"),
    ("analysis", "findings", "systems", "trainable"),
    ("response", "survival", "treatment"),
    ("package", "evaluation", "explanation", "selection", "deep"),
    ("segmentation", "radiomics", "habitat", "stability"),
    ("loading", "phantom"),
    ("imaging", "clinical"),
    ("case",),
    ("errors", "files", "naming", "processes", "progress", "resources", "status", "strict_json", "version"),
)
LEVEL = {name: len(LAYERS) - depth for depth, names in enumerate(LAYERS) for name in names}
OWNERS = {"slicer": {"scene"}, "vtk": {"scene"}, "vtkmodules": {"scene"}, "qt": {"gui"}, "ctk": {"gui"}}
# The base classes of the modules are the application's own, and Qt; translations are looked up by who asks.
OF_THE_APPLICATION = (PACKAGE / "gui" / "module.py", PACKAGE / "gui" / "translate.py")


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Return the full names of all modules that a file imports, local imports too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import"
            names.add(node.module or "")
            if node.module == "hccoutcome":
                names.update(f"hccoutcome.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    if path == PACKAGE / "__init__.py":
        return
    here = room(path)
    assert here in LEVEL, f"{path} belongs to no layer: name it in LAYERS"
    for name in imported(path):
        top, _, rest = name.partition(".")
        if top == "hccoutcome" and rest and rest != "__version__":
            there = rest.split(".")[0]
            assert LEVEL[there] <= LEVEL[here], f"{path} imports {name}, which lies above it"
        allowed = OWNERS.get(top)
        may = allowed is None or here in allowed or path in OF_THE_APPLICATION
        assert may, f"{path} imports {top}, which only {allowed} may"


def test_layers_name_only_what_exists_or_is_planned() -> None:
    planned = {"treatment", "evaluation", "explanation", "selection", "deep", "segmentation", "habitat", "stability"}
    present = {room(path) for path in files()} - {"__init__"}
    missing = set(LEVEL) - planned - present
    assert not missing, f"LAYERS names rooms that do not exist: {missing}"
