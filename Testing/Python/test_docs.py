"""The documentation is true: links lead somewhere, commands run as written, names and options exist."""

from __future__ import annotations

import argparse
import ast
import csv
import json
import os
import re
import shlex
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest
from cohort_manifest import write_manifest
from synthetic_dicom import write_series

from hccoutcome.cli import build_parser
from hccoutcome.cohort.merge import RESULT_COLUMNS
from hccoutcome.findings import Findings
from hccoutcome.package.prediction import Contribution, Prediction
from hccoutcome.package.reading import list_packages, read_package
from hccoutcome.status import VERDICTS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "Docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
SCREENSHOTS = ROOT / "Resources" / "Screenshots"
FOLLOWED = (DOCS / "researcher.md", DOCS / "cohort.md", DOCS / "tables.md")
"""The pages whose commands are run, in the order in which a reader meets them."""
HEADLESS = ("Slicer", "--no-main-window", "--python-script")
OTHER_PROGRAMS_OPTIONS = {"--no-main-window", "--python-script", "--write"}
"""Options of Slicer and of the maintainers' scripts that the pages name."""


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and what the comment above it says."""

    language: str
    text: str
    comment: str

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command."""
        return [shlex.split(line) for line in self.text.replace("\\\n", " ").splitlines() if line.strip()]


def blocks(path: Path) -> list[Block]:
    pattern = r"(?:^ *<!-- (?P<comment>[^\n]*?) -->\n)?^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$"
    return [
        Block(
            match["language"],
            "".join(line.removeprefix(match["indent"]) for line in match["text"].splitlines(keepends=True)),
            match["comment"] or "",
        )
        for match in re.finditer(pattern, path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    ]


def shell_commands(first_word: str) -> list[list[str]]:
    return [
        words
        for path in PAGES
        for block in blocks(path)
        if block.language == "sh"
        for words in block.commands
        if words[0] == first_word
    ]


def subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return every command's parser by its words: ``"analyse"``, ``"package list"``."""
    found = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                deeper = subparsers(inner)
                found.update({f"{name} {rest}": leaf for rest, leaf in deeper.items()} or {name: inner})
    return found


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    return {name for name in parser._option_string_actions if name.startswith("--")}


COMMANDS = subparsers(build_parser())
IN_FULL = ("analyse", "features", "cohort", "package reference", "deidentify", "series", "phantom")
"""For the others the pages lead to ``--help``."""
OPTIONS = options_of(build_parser()).union(*map(options_of, COMMANDS.values()))


# --- links and pictures -------------------------------------------------------------------------------------------


def slug(heading: str) -> str:
    """Return the anchor that a heading has on GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_and_picture_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.is_relative_to(ROOT), f"{target} leads out of the repository"
        assert file.is_file(), f"{target} is missing"
        assert not anchor or anchor in anchors(file), f"{file.name} has no heading for {target}"


def test_every_page_can_be_reached_from_the_readme():
    reached, waiting = set(), [PAGES[0]]
    while waiting:
        path = waiting.pop()
        reached.add(path)
        linked = [path.parent / name for name in re.findall(r"\]\(([^)\s#]+\.md)", path.read_text(encoding="utf-8"))]
        waiting += [file.resolve() for file in linked if file.resolve() not in reached]
    assert set(PAGES) <= reached


def test_screenshots_are_small_pictures_that_pages_show():
    files = sorted(SCREENSHOTS.iterdir())
    shown = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    for file in files:
        header = file.read_bytes()[:24]
        assert header[:8] == b"\x89PNG\r\n\x1a\n", file.name
        assert min(struct.unpack(">II", header[16:24])) >= 400, file.name
        assert file.stat().st_size < 300_000, file.name
        assert f"Screenshots/{file.name})" in shown, f"no page shows {file.name}"
    assert sum(file.stat().st_size for file in files) < 1_000_000


# --- names --------------------------------------------------------------------------------------------------------


def test_every_hcc_line_is_understood_by_the_parser():
    lines = shell_commands("hcc")
    assert len(lines) > 10
    for words in lines:
        build_parser().parse_args(words[1:])
    for words in shell_commands(HEADLESS[0]):
        assert tuple(words[:3]) == HEADLESS
        assert words[3].endswith("hccoutcome/headless.py")
        build_parser().parse_args(words[4:])


def test_every_command_is_shown():
    lines = [" ".join(words) for words in shell_commands("hcc")]
    for name in COMMANDS:
        assert any(line.startswith(f"hcc {name} ") or line == f"hcc {name}" for line in lines), f"hcc {name}"


@pytest.mark.parametrize("name", IN_FULL)
def test_every_option_of_the_commands_that_the_pages_treat_in_full_is_named(name):
    text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    missing = {option for option in options_of(COMMANDS[name]) if not re.search(rf"{option}(?![\w-])", text)}
    assert not missing


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_option_that_a_page_names_exists(path):
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", re.sub(r"<!--.*?-->", "", path.read_text(encoding="utf-8"))))
    assert named <= OPTIONS | OTHER_PROGRAMS_OPTIONS


def test_every_make_target_and_variable_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    lines = [words[1:] for words in shell_commands("make")]
    lines += [shlex.split(line) for line in re.findall(r"`make ([^`]+)`", text)]
    assert len(lines) > 5
    for words in lines:
        for word in words:
            variable, separator, _ = word.partition("=")
            pattern = rf"^{variable} *\?=" if separator else rf"^{word}:"
            assert re.search(pattern, makefile, re.MULTILINE), word


def test_the_developer_page_names_every_room():
    rooms = {path.name for path in (ROOT / "hccoutcome").iterdir() if (path / "__init__.py").is_file()}
    assert not {room for room in rooms if f"`{room}/`" not in page("developer.md")}


def test_the_words_for_the_verdicts_are_those_of_report_and_window():
    for status, words in VERDICTS.items():
        assert f"| `{status}` | {words} |" in page("statistician.md")
        assert f"**{words}**" in page("radiologist.md")


@pytest.mark.parametrize("name", ["radiologist.md", "tutorial.md"])
def test_what_a_page_calls_by_name_stands_in_the_windows(name):
    """Names in italics (captions take a whole line) are texts of the windows or titles of tables."""
    known = {"HCC Outcome"}
    for path in (*ROOT.glob("Resources/UI/*.ui"), *ROOT.glob("HCC*/Resources/UI/*.ui")):
        known |= {(text.text or "").replace("&", "") for text in ElementTree.parse(path).iter("string")}
    for room in ("gui", "scene", "habitat"):
        for path in (ROOT / "hccoutcome" / room).glob("*.py"):
            tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            known |= {node.value for node in tree if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    text = re.sub(r"^\*[^*]+\*$", "", page(name), flags=re.MULTILINE)
    named = {" ".join(found.split()) for found in re.findall(r"(?<![*\w])\*([^*]+)\*(?![*\w])", text)}
    assert len(named) > 10
    assert not {word for word in named if not {word, f"{word}...", f"{word}:", f"Habitats: {word}"} & known}


def test_the_fields_of_a_result_are_named():
    names = {*Findings("P001").to_json(), *(field.name for field in (*fields(Prediction), *fields(Contribution)))}
    assert not {name for name in names if f"`{name}`" not in page("statistician.md")}


def test_every_package_has_a_page_with_its_coefficients():
    text = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "systems").iterdir())
    for name in list_packages():
        assert f"`{name}`" in text, name
        for term in read_package(name).weights.get("terms", ()):
            printed = {f"{term['coefficient']}", f"{term['coefficient']:.4f}"}
            assert any(f"| {number} |" in text for number in printed), (name, term)


# --- commands -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """An empty home, ``hcc`` and a stand-in for ``Slicer`` on the path, and a folder with what a reader has."""
    root = tmp_path_factory.mktemp("docs")
    work, tools = root / "work", root / "bin"
    work.mkdir()
    for name, line in (("hcc", 'exec "$PYTHON" -m hccoutcome.cli "$@"'), ("Slicer", 'shift 2; exec "$PYTHON" "$@"')):
        tools.mkdir(exist_ok=True)
        (tools / name).write_text(f"#!/bin/sh\n{line}\n")
        (tools / name).chmod(0o755)
    write_series(work / "dicom", SeriesDescription="Liver arterial", StudyDate="20240229")
    write_features_of_a_cohort(work / "mri" / "features.csv")
    write_manifest(work / "mri" / "features.csv", read_package("haic-mri-cr"))
    for block in (block for path in FOLLOWED for block in blocks(path)):
        if block.comment.startswith("file: "):
            file = work / block.comment.removeprefix("file: ")
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
    return root


def write_features_of_a_cohort(path: Path) -> None:
    """Write the features of ``haic-mri-cr`` of 40 made-up cases, as ``hcc cohort`` writes them."""
    names = read_package("haic-mri-cr").requirements.features
    values = np.random.default_rng(0).normal(10, 2, (40, len(names)))
    path.parent.mkdir()
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["case_id", *names])
        rows.writerows([f"P{number:03}", *row] for number, row in enumerate(values.tolist()))


def run(workplace: Path, folder: Path, script: str) -> str:
    """Run shell lines as a reader would and return what they print."""
    environment = {
        **os.environ,
        "HOME": str(workplace),
        "PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{workplace / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["sh", "-ec", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    assert done.stderr == "", f"{script}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(workplace):
    """The folder that the radiologist's page lays out for Slicer."""
    (block,) = [block for block in blocks(DOCS / "radiologist.md") if block.language == "sh"]
    run(workplace, ROOT, block.text)
    return workplace / "HCCOutcome"


@pytest.fixture(scope="module")
def followed(workplace, installed):
    """The folder in which every line of the pages was run, and what was printed."""
    printed = [
        run(workplace, workplace / "work", block.text)
        for path in FOLLOWED
        for block in blocks(path)
        if block.language == "sh" and not block.comment.startswith("not run: ")
    ]
    return workplace / "work", "".join(printed)


def test_the_folder_for_slicer_has_the_modules_their_windows_and_the_package(installed):
    for name in ("HCCHabitat", "HCCResponse", "HCCSurvival"):
        assert (installed / f"{name}.py").is_file()
        assert (installed / "Resources" / "UI" / f"{name}.ui").is_file()
        assert (installed / "Resources" / "Icons" / f"{name}.png").is_file()
    assert (installed / "hccoutcome" / "Resources" / "Models" / "albi" / "package.json").is_file()
    assert [path.name for path in installed.glob("*.py")] == sorted(path.name for path in installed.glob("HCC*.py"))


def test_the_lines_on_one_case_write_what_the_page_says(followed):
    work, printed = followed
    assert {path.name for path in (work / "result").iterdir()} == {
        "result.json",
        "features.csv",
        "report.html",
        "scene.mrb",
    }
    assert {path.name for path in (work / "result2").iterdir()} == {"result.json", "features.csv"}
    assert (work / "result3" / "result.json").is_file(), "the headless script has not written its result"
    result = json.loads((work / "result" / "result.json").read_text(encoding="utf-8"))
    assert [item["package"] for item in result["results"]] == ["radscore-tace-ct", "albi"]
    assert all(item["score"] is not None for item in result["results"])
    header = (work / "features.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert len(header) == 107
    assert "107 features written to features.csv" in printed


def test_the_lines_on_a_cohort_write_what_the_page_says(followed):
    work, printed = followed
    assert printed.count("2 of 2 cases are done") == 2
    for name in ("manifest.json", "failures.csv", "jobs/P001/log.txt", "cases/P002/result.json"):
        assert (work / "cohort" / name).is_file(), name
    rows = list(csv.DictReader((work / "cohort" / "results.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 4
    assert tuple(rows[0]) == RESULT_COLUMNS
    assert ", ".join(f"`{column}`" for column in RESULT_COLUMNS) in page("cohort.md")


def test_the_other_lines_write_what_the_page_says(followed):
    work, printed = followed
    assert "radscore-tace-ct 1.0.0 is intact" in printed
    assert (work / "stability.csv").is_file()
    assert (work / "habitats" / "habitats.seg.nrrd").is_file()
    assert (work / "habitat1.csv").read_text(encoding="utf-8").startswith("portal_habitat1_original_shape_")
    assert "Reference of 40 cases written to reference.json" in printed
    assert json.loads((work / "reference.json").read_text(encoding="utf-8"))["cohort"] == "our patients 2021 to 2024"
    assert re.search(r"^arterial +CT +5 images", printed, re.MULTILINE)
    assert (work / "anonymous" / "HCC_0001" / "01-arterial" / "0001.dcm").is_file()
    assert (work / "anonymous" / "deidentification.csv").is_file()
