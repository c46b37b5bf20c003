"""Licences of what the lock files install, by the installed packages' own metadata, and the page that lists them.

``python Testing/CMake/licences.py`` says what differs (exit status 1 where anything does); ``--write`` writes the
lists.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = Path("Docs/installed.md")
BEGIN, END = "<!-- begin: {name} -->", "<!-- end: {name} -->"
LISTS = {"run": "requirements/run.txt", "test": "requirements/test.txt"}
"""Lock file by the name of its list in the page; the second lists what the first does not."""
PATTERNS = {
    "LGPL": r"\bLGPL|Lesser General Public",
    "GPL": r"\bGPL|GNU General Public",
    "MPL": r"\bMPL|Mozilla Public",
    "Apache": r"\bApache",
    "BSD": r"\b0?BSD\b",
    "MIT": r"\bMIT\b",
    "Python": r"\bPSF|Python Software Foundation",
}
"""What a licence is known by in a package's metadata; what asks most of a user comes first."""
PERMISSIVE = ("Apache", "BSD", "MIT", "Python")


def licence_of(metadata: Mapping[str, str | None], classifiers: list[str], text: str = "") -> str:
    """Return the family of a package's licence, "unknown" where nothing names one.

    Args:
        metadata: ``License-Expression`` and ``License``.
        classifiers: trove classifiers.
        text: the licence file, read where the metadata name no licence.
    """
    stated = [
        metadata.get("License-Expression") or "",
        " ".join(line for line in classifiers if line.startswith("License ::")),
        (metadata.get("License") or "")[:200],
        text[:2000],
    ]
    for source in stated:
        found = {family: match.start() for family, word in PATTERNS.items() if (match := re.search(word, source))}
        demanding = [family for family in found if family not in PERMISSIVE]
        if found:
            return demanding[0] if demanding else min(found, key=found.__getitem__)
    return "unknown"


def installed_licence(name: str, versions: Collection[str] = ()) -> str | None:
    """Return the family of an installed package's licence.

    None where it is not installed (another system's), or in none of the versions, should any be named: what takes the
    place of a locked package may state its licence in another way, or not at all.
    """
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    if versions and distribution.version not in versions:
        return None
    metadata = distribution.metadata
    files = [file for file in distribution.files or () if re.search(r"(?i)licen[cs]e|copying", file.name)]
    text = "".join(Path(str(file.locate())).read_text(encoding="utf-8", errors="replace")[:2000] for file in files[:1])
    fields = {key: metadata.get(key) for key in ("License-Expression", "License")}
    return licence_of(fields, metadata.get_all("Classifier") or [], text)


def locked_packages(lock: Path) -> dict[str, set[str]]:
    """Return the versions in a lock file by name, in the order of names; another Python may take another version."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return dict(sorted(found.items()))


def packages_of(root: Path, name: str) -> dict[str, set[str]]:
    """Return the packages of one list of the page with their versions."""
    known = {} if name == "run" else locked_packages(root / LISTS["run"])
    locked = locked_packages(root / LISTS[name])
    return {package: versions for package, versions in locked.items() if package not in known}


def listed_packages(page: str, name: str) -> dict[str, str]:
    """Return the family of each package in one list of the page."""
    begin, end = (mark.format(name=name) for mark in (BEGIN, END))
    if begin not in page or end not in page:
        return {}
    rows = re.findall(r"^\| (\w+) \| (`.+`) \|$", page.split(begin)[1].split(end)[0], re.MULTILINE)
    return {package.strip("`"): family for family, packages in rows for package in packages.split(", ")}


def differences(root: Path = ROOT) -> list[str]:
    """Return one line for each package that the page does not list with the licence that its metadata state."""
    page = (root / PAGE).read_text(encoding="utf-8")
    found = []
    for name in LISTS:
        listed, locked = listed_packages(page, name), packages_of(root, name)
        found += [f"{package} is listed but not in {LISTS[name]}" for package in sorted(set(listed) - set(locked))]
        for package, versions in locked.items():
            stated = installed_licence(package, versions)
            if package not in listed:
                found.append(f"{package} ({stated or 'not installed here'}) is not listed")
            elif stated not in (None, listed[package]):
                found.append(f"{package} is listed under {listed[package]}, its own metadata say {stated}")
    return found


def write(root: Path = ROOT) -> None:
    """Write the lists into the page; a package that is not installed here keeps its place."""
    path = root / PAGE
    page = path.read_text(encoding="utf-8")
    for name in LISTS:
        begin, end = (mark.format(name=name) for mark in (BEGIN, END))
        known = listed_packages(page, name)
        families: dict[str, list[str]] = {}
        for package, versions in packages_of(root, name).items():
            families.setdefault(installed_licence(package, versions) or known.get(package, "unknown"), []).append(
                package
            )
        order = [*PATTERNS, "unknown"]
        rows = [
            f"| {family} | {', '.join(f'`{package}`' for package in families[family])} |"
            for family in sorted(families, key=order.index)
        ]
        table = "\n".join(("| licence | packages |", "| --- | --- |", *rows))
        before, rest = page.split(begin)
        page = f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}"
    path.write_text(page, encoding="utf-8", newline="\n")


def main() -> int:
    """Compare or write, as asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the lists instead of comparing them")
    if parser.parse_args().write:
        write()
    found = differences()
    print("\n".join(found) or "The page lists every package with its licence.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
