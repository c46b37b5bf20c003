"""Keep the lists of files in the CMakeLists.txt equal to the files on disk.

``python Testing/CMake/lists.py`` says what differs (exit status 1 where anything does); ``--write`` writes the lists.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("HCCHabitat", "HCCResponse", "HCCSurvival")
PACKAGE = "hccoutcome"
_NOT_SHIPPED = {"__pycache__", "CMakeLists.txt", "Screenshots"}
"""Screenshots are for the documentation and the Extensions Index, not for the installation."""


def files_below(folder: Path) -> list[str]:
    """Return the shipped files below ``folder``, relative to it and sorted; hidden files and caches are not shipped."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(
        path.as_posix()
        for path in paths
        if not any(part in _NOT_SHIPPED or part.startswith(".") for part in path.parts)
    )


def expected_lists(root: Path = ROOT) -> Iterator[tuple[Path, Mapping[str, list[str]]]]:
    """Yield every CMakeLists.txt that holds lists, with what each of its lists should hold."""
    for folder in (*MODULES, PACKAGE):
        files = files_below(root / folder)
        lists = {
            "MODULE_PYTHON_SCRIPTS": [name for name in files if name.endswith(".py")],
            "MODULE_PYTHON_RESOURCES": [name for name in files if not name.endswith(".py")],
        }
        if folder == PACKAGE:
            lists["EXTENSION_RESOURCES"] = files_below(root / "Resources")
        yield root / folder / "CMakeLists.txt", lists


def read_list(text: str, name: str) -> list[str]:
    """Return the entries of ``set(<name> ...)``."""
    return _pattern(name).search(text)["entries"].split()


def with_list(text: str, name: str, entries: list[str]) -> str:
    """Return ``text`` with the entries of ``set(<name> ...)`` replaced, one a line."""
    lines = "".join(f"  {entry}\n" for entry in entries)
    return _pattern(name).sub(lambda _: f"set({name}\n{lines}  )", text, count=1)


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"set\({name}\n(?P<entries>[^)]*)\)")


def differences(root: Path = ROOT) -> list[str]:
    """Return one line for each list that differs from the files: what it lacks and what it has too much."""
    found = []
    for path, lists in expected_lists(root):
        text = path.read_text(encoding="utf-8")
        for name, entries in lists.items():
            listed = read_list(text, name)
            missing, unknown = sorted(set(entries) - set(listed)), sorted(set(listed) - set(entries))
            if listed != entries:
                found.append(f"{path.relative_to(root)} {name}: lacks {missing}, has too much {unknown}")
    return found


def write(root: Path = ROOT) -> None:
    """Write all lists."""
    for path, lists in expected_lists(root):
        text = path.read_text(encoding="utf-8")
        for name, entries in lists.items():
            text = with_list(text, name, entries)
        path.write_text(text, encoding="utf-8", newline="\n")


def main() -> int:
    """Compare or write, as asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the lists instead of comparing them")
    if parser.parse_args().write:
        write()
    found = differences()
    print("\n".join(found) or "All lists equal the files.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
