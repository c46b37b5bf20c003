"""``hcc evaluate``: its files, the same each time, the report's honesty, and what wrong input is answered."""

from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from simulated_patients import write_tables
from sklearn.metrics import roc_auc_score

from hccoutcome.cli import main

QUICK = ("--folds", "2", "--repeats", "1")
ITEMS = (
    "1 2 3a 3b 3c 4 5a 5b 6a 6b 6c 7 8a 8b 8c 9a 9b 9c 10 11 12a 12b 12c 12d 12e 12f 12g 13 14 15 16 17 18a 18b 18c "
    "18d 18e 18f 19 20a 20b 20c 21 22 23a 23b 24 25 26 27a 27b 27c"
)
"""The numbers of TRIPOD+AI's items (Collins et al., BMJ 2024;385:e078378, table 2)."""
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """A page taken apart: elements, text, rows of its tables; every element has to be closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text, self._open = "", []
        self.feed(html)
        self.close()
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"closes {tag} out of order"

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data + " "
        if "td" in self._open or "th" in self._open:
            self.rows[-1][-1] += data

    def values(self, tag: str, attribute: str) -> list[str]:
        return [
            str(attributes[attribute]) for name, attributes in self.elements if name == tag and attribute in attributes
        ]


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> tuple[Path, Path]:
    return write_tables(tmp_path_factory.mktemp("patients"))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def response(tables, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("response")
    words = ("logistic-ridge:clinical", tables[0], "--features", tables[1], *QUICK, "--leaks", "2", "--out", out)
    assert main(["evaluate", *map(str, words)]) == 0
    return out


@pytest.fixture(scope="module")
def survival(tables, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("survival")
    words = ("bclc", tables[0], "--endpoint", "os", *QUICK, "--adjust", "age", "--added", "cirrhosis")
    assert main(["evaluate", *map(str, (*words, "--treatment", "cirrhosis", "--match", "age", "--out", out))]) == 0
    return out


def test_a_response_leaves_figures_tables_numbers_and_a_report(response) -> None:
    names = set(files(response))
    figures = ("flow", "roc", "calibration", "decision", "leaks", "correlations")
    figures += tuple(f"{kind}-logistic-ridge-clinical" for kind in ("calibration", "confusion", "sankey"))
    assert {f"figures/{name}.{kind}" for name in figures for kind in ("png", "svg")} <= names
    tables = (
        "figures",
        "comparisons",
        "flow",
        "characteristics",
        "missing",
        "subgroup_figures",
        "selection",
        "decision",
    )
    assert {f"tables/{name}.csv" for name in (*tables, "predictions", "roc", "calibration")} <= names
    assert {"metrics.json", "report.html"} <= names


def test_survival_leaves_its_own(survival) -> None:
    names = set(files(survival))
    figures = ("auc-over-time", "brier-over-time", "km-bclc", "calibration-bclc", "forest-bclc", "cox", "km-matched")
    assert {f"figures/{name}.{kind}" for name in figures for kind in ("png", "svg")} <= names
    tables = ("survival", "over_time", "forest", "cox", "balance")
    assert {f"tables/{name}.csv" for name in tables} <= names
    metrics = json.loads((survival / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["multivariable"]["nested"]["df"] == 1
    assert metrics["matched"]["pairs"] > 0


def test_the_tables_say_what_the_numbers_say(response) -> None:
    metrics = json.loads((response / "metrics.json").read_text(encoding="utf-8"))
    rows = list(csv.DictReader((response / "tables" / "predictions.csv").read_text(encoding="utf-8").splitlines()))
    label = "logistic-ridge clinical"
    outcome = [int(row["response"]) for row in rows]
    figures = metrics["systems"][label]["figures"]
    expected = roc_auc_score(outcome, [float(row[label]) for row in rows])
    assert figures["auc_of_finished_predictions"]["value"] == pytest.approx(expected)
    positive = [int(row[f"{label}: positive"]) for row in rows]
    hits = sum(one and other for one, other in zip(outcome, positive, strict=True))
    assert metrics["systems"][label]["classes"]["true_positive"] == hits
    told = list(csv.DictReader((response / "tables" / "figures.csv").read_text(encoding="utf-8").splitlines()))
    for row in told:
        if row["system"] == label and row["figure"] in figures:
            assert float(row["lower"]) == figures[row["figure"]]["lower"]
            assert row["method"]


def test_the_same_seed_gives_the_same_bytes(tables, response, tmp_path, capsys) -> None:
    words = ("logistic-ridge:clinical", tables[0], "--features", tables[1], *QUICK, "--leaks", "2", "--out", tmp_path)
    assert main(["evaluate", *map(str, words), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert files(tmp_path) == files(response)
    assert {str(Path(path).relative_to(tmp_path)) for path in answer["files"]} == set(files(tmp_path))
    assert answer["metrics"] == json.loads((response / "metrics.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["response", "survival"])
def test_the_report_needs_nothing_else_and_names_no_patient(name, request) -> None:
    out = request.getfixturevalue(name)
    html = (out / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.values("img", "src"))
    assert len(page.values("img", "src")) == len(list((out / "figures").glob("*.svg")))
    assert all(page.values("img", "alt"))
    anchors = set(page.values("h2", "id"))
    links = page.values("a", "href")
    assert links
    assert all(link.removeprefix("#") in anchors for link in links)
    patients = [f"P{number:03}" for number in range(80)]
    others = [path for path in files(out) if path != "tables/predictions.csv"]
    for path in others:
        if not path.endswith(".png"):
            assert not any(patient.encode() in (out / path).read_bytes() for patient in patients), path
    assert str(out) not in html


def test_every_item_of_the_checklist_is_answered_or_left_to_the_author(response, survival) -> None:
    for out in (response, survival):
        page = Page((out / "report.html").read_text(encoding="utf-8"))
        start = next(place for place, row in enumerate(page.rows) if row[:1] == ["Item"])
        items = page.rows[start + 1 :]
        assert " ".join(row[0] for row in items) == ITEMS
        for number, topic, answer in items:
            assert topic, number
            assert answer.strip(), number
        by_number = {row[0]: row[2] for row in items}
        assert by_number["17"] == by_number["18a"] == "Not known to the software: write it here."
        assert "2-fold cross-validation, 1 repeat" in by_number["12a"]


def test_the_summary_is_said_in_the_terminal_and_in_the_report(tables, tmp_path, capsys) -> None:
    assert main(["evaluate", "bclc", str(tables[0]), "--endpoint", "mrecist", *QUICK, "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    sentences = [line[2:] for line in told.splitlines() if line[:2] in ("+ ", "! ", "x ")]
    assert len(sentences) >= 4
    assert all(sentence in page.text for sentence in sentences)
    assert "say nothing about other hospitals" in sentences[-1]


def test_figures_of_an_earlier_study_go_and_the_users_own_files_stay(tables, tmp_path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "tables").mkdir()
    for name in ("figures/km-prime-s-late.png", "figures/photo.png", "tables/forest.csv", "tables/mine.csv"):
        (tmp_path / name).write_text("before")
    assert main(["evaluate", "bclc", str(tables[0]), "--endpoint", "mrecist", *QUICK, "--out", str(tmp_path)]) == 0
    left = files(tmp_path)
    assert {"figures/photo.png", "tables/mine.csv"} <= set(left)
    assert not {"figures/km-prime-s-late.png", "tables/forest.csv"} & set(left)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("prime-x", "TABLE"), "'prime-x' is neither a system, a shipped package nor the path of one"),
        (("prime-s", "nothing.csv"), "The training table 'nothing.csv' cannot be read"),
        (
            ("prime-s", "TABLE", "--endpoint", "mrecist"),
            "predicts survival and the endpoint 'mrecist' is one of response",
        ),
        (("bclc", "TABLE", "--endpoint", "os", "--adjust", "agee"), "no column 'agee'; did you mean 'age'"),
        (("bclc", "TABLE", "--endpoint", "os", "--seed", "-1"), "A seed is a whole number from 0 on, found -1"),
        (("albi", "TABLE", "--endpoint", "os"), "the table lacks it: add bilirubin and albumin"),
        (("bclc", "TABLE", "--folds", "0"), "expected a whole number from 1, found '0'"),
    ],
)
def test_wrong_input_is_answered_with_a_sentence(tables, tmp_path, capsys, words, sentence) -> None:
    given = [str(tables[0]) if word == "TABLE" else word for word in words]
    assert main(["evaluate", *given, "--out", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.err.startswith("hcc: ")
    assert not (tmp_path / "out" / "report.html").exists()


def test_real_patients_give_the_order_of_figures_that_is_expected(data, tmp_path, capsys) -> None:
    """HCC-TACE-Seg: a ridge Cox model on clinical variables reaches a C-index near 0.6, far from the 0.9 of a leak."""
    source = data / "hcc_tace_tables"
    table = source / "HCC-TACE-Seg_clinical_data-V2.xlsx"
    assert main(["table", "convert", str(table), "--map", "hcc-tace-seg", "--out", str(tmp_path)]) == 0
    words = ("cox-ridge:clinical", tmp_path / "table.csv", *QUICK, "--out", tmp_path / "study")
    assert main(["evaluate", *map(str, words)]) == 0
    metrics = json.loads((tmp_path / "study" / "metrics.json").read_text(encoding="utf-8"))
    found = metrics["systems"]["cox-ridge clinical"]["figures"]["c_index"]
    assert metrics["patients"] == 105
    assert metrics["events"] == 93
    assert 0.45 < found["value"] < 0.75
    assert found["upper"] - found["lower"] > 0.1
