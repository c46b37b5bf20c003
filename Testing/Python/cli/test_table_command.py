"""``hcc table``: what a user sees, and what is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hccoutcome.cli import main

GOOD = (
    "case_id,age,ALB (g/dL),lym,os_weeks,os_event,mrecist",
    *(f"p{n},{50 + n},{3.5 + n / 50},{1 + n / 30},{20 + 3 * n},{n % 2},{n % 4 + 1}" for n in range(24)),
)


def write(folder: Path, *lines: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_good_table_has_facts_and_status_0(tmp_path: Path, capsys) -> None:
    assert main(["table", "check", str(write(tmp_path, *GOOD))]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "table.csv: 24 patients, 3 clinical variables, 1 computed indices, 0 features" in printed.out
    assert "outcome mrecist: 12 responders among 24 patients." in printed.out
    assert "outcome os: 12 events among 24 patients; times from 4.6 to 20.47 months, median 12.5." in printed.out
    assert "Faults" not in printed.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.csv"], "a check writes nothing"


def test_faults_are_listed_and_status_2(tmp_path: Path, capsys) -> None:
    path = write(tmp_path, "case_id,agee,afp,os_months,os_event", "p1,60,-3,5,", "p1,61,400,5,1")
    assert main(["table", "check", str(path)]) == 2
    printed = capsys.readouterr()
    assert "Faults: the table cannot be used before they are mended:" in printed.out
    assert "did you mean 'age'" in printed.out
    assert printed.err == "hcc: table.csv cannot be used: 2 faults, listed above.\n"


def test_the_check_can_be_written_and_read_by_machines(tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert main(["table", "check", str(write(tmp_path, *GOOD)), "--json", "--out", str(out)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["patients"] == 24
    assert {item["name"] for item in answer["columns"]} == {"age", "alb", "lym", "pni"}
    assert sorted(path.name for path in out.iterdir()) == ["columns.csv", "findings.csv", "table.csv"]
    assert (out / "table.csv").read_text(encoding="utf-8").splitlines()[1].startswith("p0,50.0,35.0,1.0,")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["table", "check", "absent.csv"], "The training table 'absent.csv' cannot be read: No such file"),
        (["table", "check", "table.csv", "--features", "no.csv"], "The feature table 'no.csv' cannot be read"),
        (["table", "convert", "table.csv", "--map", "nothing", "--out", "o"], "A mapping is a file or one of those"),
        (["table", "chek"], "invalid choice: 'chek'"),
    ],
)
def test_wrong_input_ends_with_one_sentence(tmp_path: Path, monkeypatch, capsys, arguments, sentence) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, *GOOD)
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert "Traceback" not in printed.err


def test_a_table_is_translated_and_checked(tmp_path: Path, capsys) -> None:
    mapping = {
        "schema": 1,
        "title": "Made up",
        "table": {"case": "ID", "columns": {"age": {"from": "Age"}}},
        "features": {"case": "ID", "prefix": "portal_tumor_", "columns": ["original_*"]},
    }
    write(tmp_path, json.dumps(mapping), name="map.json")
    source = write(tmp_path, "ID,Age", "a,60", "b,70", name="source.csv")
    features = write(tmp_path, "ID,original_glcm_Idm", "a,0.5", "b,0.25", name="radiomics.csv")
    out = tmp_path / "out"
    words = ["table", "convert", str(source), "--map", str(tmp_path / "map.json"), "--features", str(features)]
    assert main([*words, "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["features.csv", "table.csv"]
    assert main(["table", "check", str(out / "table.csv"), "--features", str(out / "features.csv")]) == 0
    assert "2 patients, 1 clinical variables, 0 computed indices, 1 features" in capsys.readouterr().out
