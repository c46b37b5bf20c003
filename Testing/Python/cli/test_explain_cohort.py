from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from hccoutcome.cli import main
from hccoutcome.cohort.explain import explain_cohort
from hccoutcome.cohort.explaining import CohortRequest
from hccoutcome.cohort.training import read_training_table
from hccoutcome.errors import InputError
from hccoutcome.evaluation.crossvalidation import derive_seed, out_of_fold
from hccoutcome.trainable import make_estimator

PATIENTS = 60


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """A cohort in which AFP shortens survival and albumin is noise."""
    draw = np.random.default_rng(0)
    afp, albumin = draw.lognormal(4, 1, PATIENTS), draw.normal(38, 4, PATIENTS)
    months = draw.exponential(30 * np.exp(-0.8 * (np.log(afp) - 4)))
    path = tmp_path_factory.mktemp("cohort") / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["case_id", "afp (ng/mL)", "alb (g/L)", "bclc", "os_months", "os_event", "mrecist"])
        for place in range(PATIENTS):
            response = "PR" if afp[place] < 60 else "PD"
            stage = "ABC"[place % 3]
            row = [f"P{place:02}", round(afp[place], 3), "" if place % 9 == 0 else round(albumin[place], 2), stage]
            rows.writerow([*row, round(min(months[place], 60), 2), int(months[place] < 60), response])
    return path


def request(table: Path, out: Path, system: str = "cox-ridge", **changes) -> CohortRequest:
    return CohortRequest(system, table, out, **{"modality": "clinical", **changes})


def test_a_cohort_is_explained_out_of_fold_in_a_process_of_its_own(capsys, table: Path, tmp_path: Path) -> None:
    words = ["explain", "cox-ridge", str(table), "--modality", "clinical", "--patient", "P05", "--seed", "3"]
    assert main([*words, "--out", str(tmp_path / "one")]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert "60 patients out of 5 folds, risk, exact; 100% clinical" in told.out
    names = {path.name for path in (tmp_path / "one").iterdir()}
    figures = {f"{name}.{kind}" for name in ("beeswarm", "waterfall-P05") for kind in ("png", "svg")}
    assert names == figures | {"explanation.csv", "explanation.json", "importance.csv"}
    explain_cohort(request(table, tmp_path / "two", patients=("P05",), seed=3))
    assert {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()
    }


def test_the_values_sum_to_the_predictions_of_the_cross_validation(table: Path, tmp_path: Path) -> None:
    explain_cohort(request(table, tmp_path, folds=4, seed=2))
    text = (tmp_path / "explanation.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    sums = {row["case_id"]: float(row["base"]) for row in rows}
    for row in rows:
        sums[row["case_id"]] += float(row["shap"])
    inputs, outcomes = read_training_table(table).survival_data()
    estimator = make_estimator("cox-ridge", modality="clinical", seed=2)
    expected = out_of_fold(estimator, inputs, outcomes, folds=4, seed=derive_seed(2, 0)).predictions[0]
    np.testing.assert_allclose([sums[case] for case in inputs.index], expected, atol=1e-9)
    ranked = list(csv.DictReader((tmp_path / "importance.csv").read_text(encoding="utf-8").splitlines()))
    assert ranked[0]["input"] == "afp"


def test_a_response_is_explained_where_the_system_learns_one(table: Path, tmp_path: Path) -> None:
    found = explain_cohort(request(table, tmp_path, "logistic-ridge"))
    assert (found.summary["task"], found.summary["scale"]) == ("response", "log-odds")
    assert found.summary["largest_error"] < 1e-6
    stored = json.loads((tmp_path / "explanation.json").read_text(encoding="utf-8"))
    assert stored["sources"].keys() == {"table.csv"}
    assert stored["background"] == "training part of each of 5 folds, 48 rows"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"system": "cox-rigde"}, "did you mean 'cox-ridge'"),
        ({"patients": ("P99",)}, "'P99' is not a patient with a known outcome"),
        ({"endpoint": "pfs"}, "The table should hold the endpoint 'pfs'"),
        ({"endpoint": "mrecist"}, "learns survival, asked for response"),
        ({"system": "logistic-ridge", "endpoint": "os"}, "learns response, asked for survival"),
        ({"endpoint": "mrecst"}, "'mrecst' is not an endpoint; did you mean 'mrecist'"),
        ({"modality": "imaging"}, "reads imaging columns and the table has none"),
        ({"folds": 50}, "50 folds need at least 50 patients"),
    ],
)
def test_what_cannot_be_explained_is_said(table: Path, tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        explain_cohort(request(table, tmp_path / "out", **changes))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--case", "folder"), "--case has no meaning for a cohort: leave it out, or call without TABLE.csv."),
        (("--folds", "0"), "expected a whole number from 1, found '0'"),
        (("--modality", "CT"), "The modality of a system is one of clinical, imaging, early, late, found 'CT'"),
    ],
)
def test_options_that_do_not_belong_are_told(capsys, table: Path, tmp_path: Path, words, message: str) -> None:
    assert main(["explain", "cox-ridge", str(table), *words, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err


def test_options_of_a_cohort_have_no_meaning_for_a_case(capsys, tmp_path: Path) -> None:
    words = ["explain", "albi", "--clinical", "x.json", "--features", "f.csv", "--out", str(tmp_path)]
    assert main(words) == 2
    assert "--features has no meaning for one case" in capsys.readouterr().err


def test_a_request_survives_json(table: Path, tmp_path: Path) -> None:
    found = request(table, tmp_path, ignore=("a*",), patients=("P1",), features=tmp_path / "f.csv")
    assert CohortRequest.from_json(json.loads(json.dumps(found.to_json()))) == found
