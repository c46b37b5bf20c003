"""``hcc atom``: four packages and a case, or a table of scores, give the recommendation with its reasoning."""

from __future__ import annotations

import csv
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hccoutcome.cli import main

HEADER = "case_id,TACE,HAIC,TC,HC,received,response,survived_1y\n"


def run(capsys, *words: object) -> tuple[int, str, str]:
    status = main(["atom", *map(str, words)])
    said = capsys.readouterr()
    return status, said.out, said.err


# --- a case -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deep(tmp_path_factory) -> Path:
    """Case folders and packages of small networks, whose medians decide what is recommended."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
    pytest.importorskip("monai", reason="MONAI is not installed: pip install hccoutcome[deep]")
    torch.set_num_threads(1)
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "deep"))
    from planted_cases import write_case
    from small_packages import selection_package, tci_package

    from hccoutcome.package.writing import write_package

    root = tmp_path_factory.mktemp("atom")
    record = {"age": 61.0, "sex": "male", "alb": 36.0}
    for name, synthetic in (("case", True), ("patient", False)):
        write_case(root / name, "case-1", 0.8, record, "CT", synthetic, np.random.default_rng(1))
    targets = {"tace": "response", "haic": "response", "tc": "one-year survival", "hc": "one-year survival"}
    for name, target in targets.items():
        for kind, median in (("easy", 0.01), ("hard", 0.99)):
            package = replace(selection_package(target, median=median)[0], name=f"{name}-{kind}")
            write_package(package, root / f"{name}-{kind}")
    write_package(tci_package()[0], root / "tci")
    write_package(replace(selection_package(variables=False)[0], name="vit"), root / "vit")
    return root


def options(root: Path, **kinds: str) -> list[str]:
    return [word for name, kind in kinds.items() for word in (f"--{name}", str(root / f"{name}-{kind}"))]


def test_the_recommendation_comes_with_its_reasoning(deep, tmp_path, capsys):
    words = options(deep, tace="easy", haic="hard", tc="hard", hc="easy")
    status, said, _ = run(capsys, *words, "--case", deep / "case", "--out", tmp_path)
    assert status == 0
    data = json.loads((tmp_path / "atom.json").read_text(encoding="utf-8"))
    assert data["recommendation"]["plan"] == "TACE"
    assert data["rule"]["medians"] == {"TACE": 0.01, "HAIC": 0.99, "TC": 0.99, "HC": 0.01}
    assert data["synthetic"]
    assert [step["model"] for step in data["recommendation"]["steps"]] == ["TACE", "HAIC", "TC"]
    scores = {item["package"]: item["score"] for item in data["predictions"]}
    assert len(set(scores.values())) == 1  # the same weights four times: the medians decide
    page = (tmp_path / "atom.md").read_text(encoding="utf-8")
    assert page.strip() == said.strip()
    for part in ("TACE is expected to bring benefit, without systemic treatment.", "## Stage 1", "## Stage 2",
                 "against the median 0.0100 reaches it", "| HC | hc-easy |", "not a medical device"):  # fmt: skip
        assert part in page


def test_what_is_missing_is_named_and_the_status_says_so(deep, tmp_path, capsys):
    status, said, _ = run(capsys, *options(deep, tace="easy", tc="easy"), "--case", deep / "case", "--out", tmp_path)
    assert status == 2
    assert "not compared with HAIC" in said
    assert "No package was given for HAIC, HC." in said


def test_a_package_that_refuses_counts_as_missing(deep, tmp_path, capsys):
    words = options(deep, tace="easy", haic="easy", tc="easy", hc="easy")
    status, said, complaint = run(capsys, *words, "--case", deep / "patient", "--out", tmp_path)
    assert status == 2
    assert "No recommendation." in said
    assert complaint.count("generated cases") == 4
    refused = re.findall(r"^hcc: (\w+) has no score, ([\w-]+) refused: ", complaint, re.MULTILINE)
    assert refused == [(name.upper(), f"{name}-easy") for name in ("tace", "haic", "tc", "hc")]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--tace", "{root}/tc-easy", "--haic", "{root}/haic-easy"], "TACE predicts objective response"),
        (["--tc", "{root}/tace-easy"], "TC predicts one-year survival"),
        (["--tace", "{root}/tci"], "found tci"),
        (["--tace", "{root}/vit"], "found selection-vit for response in 'vit': give a SELECTION package"),
        (["--tace", "albi"], "holds no network"),
        (["--tace", "{root}/tace-easy", "--haic", "{root}/tace-easy"], "One package was given for HAIC and for TACE"),
        ([], "found none"),
        (["--tace", "{root}/tace-easy", "--rule", "rule.json"], "--rule holds medians"),
        (["--tace", "{root}/tace-easy", "--scores", "table.csv"], "a package or a case besides"),
    ],
)
def test_wrong_packages_are_refused(words, says, deep, tmp_path, capsys):
    given = [word.format(root=deep) for word in words]
    status, _, complaint = run(capsys, *given, "--case", deep / "case", "--out", tmp_path / "out")
    assert status == 2
    assert says in complaint
    assert not (tmp_path / "out").exists()


# --- a table of scores ------------------------------------------------------------------------------------------------


def table(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "scores.csv"
    path.write_text(header + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_table_gives_each_patient_a_plan_and_the_agreement(tmp_path, capsys):
    scores = table(
        tmp_path,
        "a,0.9,0.1,0.9,0.1,TC,1,1",
        "b,0.9,0.1,0.1,0.1,TACE,1,",
        "c,0.1,0.9,0.1,0.9,TACE,0,",
        "d,0.1,0.1,,,HAIC,no,yes",
        "e,,0.9,,,,,",
    )
    out = tmp_path / "out"
    status, said, _ = run(capsys, "--scores", scores, "--out", out, "--json")
    assert status == 0
    data = json.loads(said)
    assert data["plans"] == {"HC": 1, "TACE": 1, "TC": 1, "against": 1, "open": 1}
    assert "own models alone" in data["note"]
    with (out / "atom.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["plan"] for row in rows] == ["TC", "TACE", "HC", "against", ""]
    assert rows[4]["missing"] == "TACE HC"
    with (out / "agreement.csv").open(encoding="utf-8") as file:
        tace, haic, tc = csv.DictReader(file)
    assert (tace["consistent_benefit"], tace["consistent_patients"], tace["inconsistent_patients"]) == ("2", "2", "1")
    assert (haic["received"], haic["against_benefit"], haic["against_patients"]) == ("HAIC", "0", "1")
    assert (tc["stage"], tc["consistent_share"], tc["p_against"]) == ("2", "1.0", "")
    status, said, _ = run(capsys, "--scores", scores, "--out", out)
    assert "stage 1, received TACE:\n  consistent: 2/2 (100.0%), " not in said  # one p for the other group
    assert "inconsistent: 0/1 (0.0%), p = 0.333, odds ratio of the consistent against these no limit (95% CI" in said
    assert tace["odds_ratio_inconsistent"] == tace["odds_ratio_inconsistent_upper"] == "inf"


def test_medians_of_ones_own_replace_the_papers(tmp_path, capsys):
    rule = tmp_path / "rule.json"
    medians = {"TACE": 0.95, "HAIC": 0.05, "TC": 0.5, "HC": 0.5}
    rule.write_text(json.dumps({"medians": medians, "source": "mine", "better_by": "score"}), encoding="utf-8")
    scores = table(tmp_path, "a,0.9,0.1,0.9,0.1", header="case_id,tace,haic,tc,hc\n")
    status, said, _ = run(capsys, "--scores", scores, "--rule", rule, "--out", tmp_path / "out", "--json")
    assert (status, json.loads(said)["plans"]) == (0, {"HAIC": 1})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("case_id,TACE\na,high\n", "Line 2.*'high'"),
        ("case_id,TACE\na,1.4\n", "Line 2.*1.4"),
        ("case_id,TACE\n,0.4\n", "Line 2.*no case_id"),
        ("case_id,TACE,tace\na,0.4,0.4\n", "twice"),
        ("case_id,TAC\na,0.4\n", "did you mean 'TACE'"),
        ("case_id,received\na,TACE\n", "scores in columns"),
        ("case_id,TACE,received\na,0.4,surgery\n", "Line 2.*SURGERY"),
        ("case_id,TACE,received,response\na,0.4,TACE,maybe\n", "Line 2.*maybe"),
        ("case_id,TACE,received,response\na,0.4,TACE,1\na,0.4,TACE,1\n", "2 times"),
    ],
)
def test_a_wrong_table_is_a_sentence(text, says, tmp_path, capsys):
    path = tmp_path / "scores.csv"
    path.write_text(text, encoding="utf-8")
    status, _, complaint = run(capsys, "--scores", path, "--out", tmp_path / "out")
    assert status == 2

    assert re.search(says, complaint)
