from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hccoutcome.cli import main
from hccoutcome.cohort.explain import explain_case
from hccoutcome.cohort.explaining import CaseRequest
from hccoutcome.errors import EnvironmentNeeded, InputError
from hccoutcome.explanation.child import ask
from hccoutcome.loading import case_files
from hccoutcome.package.reading import read_package
from hccoutcome.package.reference import Distribution, Reference, write_reference

RECORD = {"vascular_invasion": 1, "tumor_diameter": {"value": 62, "unit": "mm"}}


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "record.json"
    path.write_text(json.dumps(RECORD))
    return path


def explain(capsys, *words: object) -> tuple[int, str, str]:
    status = main(["explain", *map(str, words)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_case_is_explained_in_figure_table_and_numbers_the_same_each_time(capsys, record, tmp_path) -> None:
    words = ("haic-mri-clinical", "--clinical", record, "--case-id", "P1", "--out")
    status, told, complained = explain(capsys, *words, tmp_path / "one")
    assert (status, complained) == (0, "")
    assert "Clinical score (HAIC): log-odds" in told
    assert "+0.4103  vascular_invasion (yes)" in told
    assert sorted(files(tmp_path / "one")) == [
        "explanation.csv",
        "explanation.json",
        "waterfall.png",
        "waterfall.svg",
    ]
    found = json.loads((tmp_path / "one" / "explanation.json").read_text(encoding="utf-8"))
    assert found["base"] + sum(step["adds"] for step in found["steps"]) == pytest.approx(found["output"], abs=1e-12)
    assert found["output"] == pytest.approx(0.6212 + 0.4103 - 0.0652 * 6.2)
    assert found["package"]["sha256"] == read_package("haic-mri-clinical").sha256
    rows = list(csv.DictReader((tmp_path / "one" / "explanation.csv").read_text(encoding="utf-8").splitlines()))
    assert float(rows[-1]["reached"]) == pytest.approx(found["output"])
    assert explain(capsys, *words, tmp_path / "two", "--json")[0] == 0
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_reference_moves_the_base(capsys, phantom: Path, tmp_path: Path) -> None:
    package = read_package("radscore-tace-ct")
    features = {name: Distribution(1.0, 0.5, 0.0, 5.0) for name in package.requirements.features}
    write_reference(Reference("ours", 40, package.settings_sha256, features), tmp_path / "reference.json")
    words = ("radscore-tace-ct", "--case", phantom, "--reference", f"radscore-tace-ct={tmp_path / 'reference.json'}")
    status, told, _ = explain(capsys, *words, "--out", tmp_path / "out")
    assert status == 0
    assert "base: every feature at the reference mean" in told
    found = json.loads((tmp_path / "out" / "explanation.json").read_text(encoding="utf-8"))
    coefficients = [term["coefficient"] for term in package.weights["terms"]]
    assert found["base"] == pytest.approx(0.1628708 + sum(coefficients))
    assert found["synthetic"] is True
    assert "warning: The case is generated data" in told


def test_what_the_process_refuses_is_said_in_one_sentence(capsys, record, tmp_path) -> None:
    words = ("haic-mri-clinic", "--clinical", record, "--case-id", "P1", "--out", tmp_path / "out")
    status, _, complained = explain(capsys, *words)
    assert status == 2
    assert complained.count("\n") == 1
    assert "There is no package 'haic-mri-clinic'" in complained
    assert not files(tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--reference", "albi=x.json"), "A reference is given for 'albi'"),
        (("--referense", "x"), "did you mean '--reference'"),
        (("--image", "x"), "PHASE=PATH"),
    ],
)
def test_wrong_options_are_told_at_once(capsys, record, tmp_path, words, message: str) -> None:
    rest = ("--clinical", record, "--case-id", "P1", "--out", tmp_path / "out")
    status, _, complained = explain(capsys, "haic-mri-clinical", *words, *rest)
    assert status == 2
    assert message in complained
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("radscore-tace-ct", "radscore-tace-ct gave no score: The package needs the arterial phase"),
        ("albi", "albi gave no score: ALBI needs tbil, alb"),
        ("bclc", "The score of 'bclc' is read from a table or a rule and is not the sum of its inputs"),
    ],
)
def test_a_score_that_is_none_or_no_sum_is_not_explained(tmp_path: Path, package: str, message: str) -> None:
    clinical = {"ecog": 0, "child_pugh": "A", "tumor_number": 1, "tumor_diameter": 3, "vascular_invasion": 0}
    (tmp_path / "record.json").write_text(json.dumps({**clinical, "extrahepatic_metastasis": 0}))
    case = case_files(None, [], [], tmp_path / "record.json", case_id="P1", modality=None)
    with pytest.raises(InputError, match=message):
        explain_case(CaseRequest(case, package, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_importing_the_command_loads_nothing_heavy() -> None:
    script = (
        "import sys, hccoutcome.cli as c; c.build_parser(); "
        "print([name for name in ('shap', 'pandas', 'matplotlib', 'slicer', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_process_that_dies_is_reported_with_its_last_words(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "dies.py").write_text(
        "import os, sys\nsys.stderr.write('out of luck\\n')\nsys.stderr.flush()\nos._exit(7)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(EnvironmentNeeded, match=r"exit status 7(.|\n)*out of luck"):
        ask("dies", {})


def test_a_process_that_refuses_is_believed_and_its_progress_told(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "refuses.py").write_text(
        "import sys\nfrom hccoutcome.errors import InputError\nfrom hccoutcome.explanation.child import answer\n"
        "def reply(request, progress):\n    progress(0.5, 'half')\n    print('noise')\n"
        "    if request['refuse']:\n        raise InputError('not that')\n    return {'got': request}\n"
        "sys.exit(answer(reply))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    told: list = []
    assert ask("refuses", {"refuse": False}, lambda *words: told.append(words)) == {"got": {"refuse": False}}
    assert told[-1] == (0.5, "half")
    with pytest.raises(InputError, match="not that"):
        ask("refuses", {"refuse": True})


def test_a_package_is_found_by_its_path_from_here(capsys, record, tmp_path, monkeypatch) -> None:
    """The process that explains works in a folder of its own."""
    shutil.copytree(read_package("haic-mri-clinical").source, tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    status, told, _ = explain(capsys, "./mine", "--clinical", record.name, "--case-id", "P1", "--out", "out")
    assert status == 0
    assert "Clinical score (HAIC): log-odds" in told
    assert (tmp_path / "out" / "waterfall.svg").is_file()
