"""What people really bring: every table ends in one useful sentence or in the right result."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from simulated_patients import write_tables

from hccoutcome.cli import main

Rows = list[list[str]]


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> tuple[Path, Path]:
    return write_tables(tmp_path_factory.mktemp("cohort"))


def changed(source: Path, target: Path, change: Callable[[Rows], Rows]) -> Path:
    with source.open(newline="", encoding="utf-8") as stream:
        rows = change(list(csv.reader(stream)))
    with target.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
    return target


def column(name: str, value: str) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        at = rows[0].index(name)
        return [rows[0], *([*row[:at], value, *row[at + 1 :]] for row in rows[1:])]

    return change


def named(change: Callable[[str], str]) -> Callable[[Rows], Rows]:
    return lambda rows: [rows[0], *([change(row[0]), *row[1:]] for row in rows[1:])]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda rows: [["patient", *rows[0][1:]], *rows[1:]], "needs a column 'case_id', found patient, age"),
        (lambda rows: [*rows, rows[1]], "'P000' stands 2 times: keep one row a case"),
        (lambda rows: [*rows, [rows[1][0].lower(), *rows[1][1:]]], "'P000' stands 2 times"),
        (lambda rows: rows[:1], "has a header and at least one case, found 1 lines"),
        (column("age", "old"), "is a number in years with a point before decimals, found 'old'"),
        (column("os_months", "13,7"), "is a number in months with a point before decimals, found '13,7'"),
        (column("os_months", "05.06.2021"), "found '05.06.2021'"),
        (column("os_event", "2"), "os_event"),
        (column("age", "inf"), "Age (age) is inf, expected a finite number"),
        (column("os_event", "0"), "Learning survival needs at least 10 events, found 0"),
        (lambda rows: rows[:4], "Learning survival needs at least 10 events, found"),
    ],
)
def test_a_table_that_cannot_be_learned_from_is_answered_in_a_sentence(tables, tmp_path, capsys, change, sentence):
    table = changed(tables[0], tmp_path / "table.csv", change)
    assert main(["train", "cox-ridge", str(table), "--modality", "clinical", "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("hcc: ")
    assert sentence in told
    assert not (tmp_path / "out").exists()


def test_one_class_only_is_no_response_to_learn(tables, tmp_path, capsys) -> None:
    table = changed(tables[0], tmp_path / "table.csv", column("mrecist", "PR"))
    for words in (["train", "logistic-ridge", str(table), "--modality", "clinical"],
                  ["evaluate", "logistic-ridge:clinical", str(table)]):  # fmt: skip
        assert main([*words, "--endpoint", "mrecist", "--out", str(tmp_path / words[0])]) == 2
        told = capsys.readouterr().err
        assert "found 0 of the rarer kind: use a larger cohort" in told or "80 with the outcome and 0 without" in told


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (named(lambda name: name.removeprefix("P").lstrip("0") or "0"), "found no case in both"),
        (named(lambda name: f"P{int(name[1:])}"), "seems to be named 'P000' and 'P0', 'P001' and 'P1'"),
        (named(lambda name: name.lower()), "seems to be named 'P000' and 'p000'"),
        (named(lambda name: f"X{name}"), "found no case in both (the table begins with 'P000', the features with 'XP0"),
    ],
)
def test_features_of_patients_named_otherwise_are_not_joined(tables, tmp_path, capsys, change, sentence) -> None:
    features = changed(tables[1], tmp_path / "features.csv", change)
    assert main(["table", "check", str(tables[0]), "--features", str(features)]) == 2
    told = capsys.readouterr()
    assert sentence in told.out + told.err


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace("os_months", " os_months "),
    ],
)
def test_what_programs_do_to_text_changes_nothing(tables, tmp_path, capsys, change) -> None:
    table = tmp_path / "table.csv"
    assert main(["table", "check", str(tables[0])]) == 0
    plain = capsys.readouterr().out
    table.write_bytes(change(tables[0].read_text(encoding="utf-8").replace("\r\n", "\n")).encode())
    assert main(["table", "check", str(table)]) == 0
    assert capsys.readouterr().out == plain
