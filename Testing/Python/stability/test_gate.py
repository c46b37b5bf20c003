"""Reading repeated tables, the stability table and the gate, and ``hcc stability``."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from hccoutcome.cli import main
from hccoutcome.errors import InputError
from hccoutcome.stability.gate import (
    allowed_features,
    drop_unstable,
    regate,
    require_stable,
    stability_of,
    stability_table,
    variation_table,
)
from hccoutcome.stability.icc import intraclass_correlation
from hccoutcome.stability.ratings import Ratings, ratings_of, read_ratings
from hccoutcome.stability.table import COLUMNS, FeatureStability, Gate, StabilityTable, read_table, write_table
from hccoutcome.version import __version__

RAW = {  # subject, rater: steady, noisy, constant
    ("a", "1"): (1.0, 5.0, 3.0),
    ("a", "2"): (1.1, 9.0, 3.0),
    ("b", "1"): (2.0, 7.0, 3.0),
    ("b", "2"): (2.1, 4.0, 3.0),
    ("c", "1"): (3.2, 6.0, 3.0),
    ("c", "2"): (3.1, 7.5, 3.0),
}
NAMES = ("steady", "noisy", "constant")


def ratings() -> Ratings:
    return ratings_of([(s, r, dict(zip(NAMES, values, strict=True))) for (s, r), values in RAW.items()])


def write(path: Path, rows: list[list[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def table_file(tmp_path: Path) -> Path:
    rows = [[s, r, "mass", *values] for (s, r), values in RAW.items()]
    return write(tmp_path / "features.csv", [["patient", "reader", "label", *NAMES], *rows])


def test_only_the_steady_feature_passes_and_the_others_say_why() -> None:
    table = stability_table(ratings())
    assert table.stable == ("steady",)
    steady, noisy, constant = table.features
    assert steady.icc == intraclass_correlation(ratings().values).icc[0]
    assert noisy.reason == ""
    assert constant.reason == "ICC: all ratings are equal"
    assert (math.isnan(constant.icc), constant.cv, constant.stable) == (True, 0.0, False)


def test_the_gate_counts_the_limit_and_the_variation_where_asked() -> None:
    table = stability_table(ratings(), Gate(0.5))
    assert table.stable == ("steady",)
    assert regate(table, Gate(0.9, "lower")).stable == ()  # three subjects leave wide limits
    assert regate(table, Gate(0.5, cv=0.01)).stable == ()
    assert regate(table, Gate(None, cv=0.5)).stable == NAMES
    assert regate(table, Gate(None, cv=0.15)).stable == ("steady", "constant")


def test_a_threshold_is_stable_itself_and_undefined_never_is() -> None:
    assert Gate(0.75).passes(0.75, 0.1, math.nan)
    assert not Gate(0.75).passes(math.nan, 0.9, 0.0)
    assert not Gate(0.75, cv=0.15).passes(0.9, 0.9, 0.15)
    assert not Gate(None, cv=0.15).passes(0.9, 0.9, math.nan)


def test_training_drops_or_refuses_and_applying_shows() -> None:
    table = stability_table(ratings())
    kept, dropped = drop_unstable(table, ["noisy", "steady", "unknown"])
    assert kept == ("steady",)
    assert [item.feature for item in dropped] == ["noisy", "unknown"]
    require_stable(table, ["steady"])
    with pytest.raises(InputError, match=r"0\.75, found 2 of 3 that are not: noisy \(ICC -1\.22.*unknown \(not in"):
        require_stable(table, ["steady", "noisy", "unknown"])
    with pytest.raises(InputError, match="Training needs a stable feature, found none among 1 with ICC >= 0"):
        drop_unstable(table, ["noisy"])
    shown = stability_of(table, ["unknown", "steady"])
    assert shown[0].reason == "not in the stability table"
    assert shown[1] is table.features[0]


def test_a_table_survives_json(tmp_path: Path) -> None:
    perfect = ratings_of([(s, r, {"x": float(ord(s)), "y": 1.0}) for s in "ab" for r in "12"])
    for table in (stability_table(ratings(), Gate(0.8, "lower", 0.15)), stability_table(perfect, model="3,1")):
        again = read_table(write_table(tmp_path / "stability.json", table))
        assert repr(again) == repr(table)  # NaN is not equal to itself
        assert again.rows() == table.rows()
    assert table.features[0].f == math.inf


def damaged(place: int | None = None, **changes: object) -> str:
    """Return a sound table as text with changes to its fields, or to those of the feature at ``place``."""
    raw = stability_table(ratings()).to_dict()
    (raw if place is None else raw["features"][place]).update(changes)
    return json.dumps(raw)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"stability\.json should be JSON"),
        ("[]", "should be an object with named fields, found a list"),
        ('{"schema": 7}', "should have schema 1, found 7"),
        ('{"schema": true}', "'schema' should be a whole number, found true or false"),
        (damaged(subjects=-3), "'subjects' cannot be -3"),
        (damaged(subjects="3"), "'subjects' should be a whole number, found a text"),
        (damaged(raters=None), "'raters' should be a whole number, found null"),
        (damaged(gate={"icc": "high"}), "'icc' is a number or null, found 'high'"),
        (damaged(gate={"iccs": 1}), "no setting 'iccs'; did you mean 'icc'"),
        (damaged(note="x"), "unknown field 'note'"),
        (damaged(features={}), "'features' should be a list of features, found an object"),
        (damaged(0, fature="x"), "feature 1 has an unknown field 'fature'; did you mean 'feature'"),
        (damaged(0, icc=1.5), "feature 1: 'icc' cannot be 1.5"),
        (damaged(0, icc="inf"), "feature 1: 'icc' should be a number, found a text"),
        (damaged(0, f="infinite"), "feature 1: 'f' should be a number, found a text"),
        (damaged(0, p=-0.1), "feature 1: 'p' cannot be -0.1"),
        (damaged(0, cv=-1), "feature 1: 'cv' cannot be -1"),
        (damaged(0, stable="false"), "'stable' should be true or false, found a text"),
        (damaged(0, stable=False), "'steady' is called unstable, which its own numbers and thresholds contradict"),
        (damaged(1, stable=True), "'noisy' is called stable, which its own numbers and thresholds contradict"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "stability.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "stability.json")


def test_the_csv_file_is_no_gate(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'hcc stability --table FILE\.json', found 'stability\.csv'"):
        read_table(tmp_path / "stability.csv")
    with pytest.raises(InputError, match=r"'stability\.json' cannot be read \(No such file"):
        read_table(tmp_path / "stability.json")


def test_a_table_to_share_names_no_subject_rater_or_file() -> None:
    private = {"sources": {"Doe_John.csv": "ab" * 32}, "host": "reading-room-3"}
    table = stability_table(ratings(), provenance=private).shareable(["steady", "other"], "three patients")
    assert [item.feature for item in table.features] == ["steady"]
    expected = {"cohort": "three patients", "hccoutcome": __version__, "settings_sha256": "", "sources": ["ab" * 32]}
    assert table.provenance == expected
    assert table.shareable(["steady"]) == table


@pytest.mark.parametrize("policy", ["drop", "refuse"])
def test_training_takes_what_a_configured_gate_allows(policy: str) -> None:
    table = stability_table(ratings())
    assert allowed_features(table, ["steady"], policy=policy).kept == ("steady",)
    wider = allowed_features(table, ["constant", "steady"], Gate(None, cv=0.15), policy)
    assert (wider.kept, wider.dropped, wider.gate.cv) == (("constant", "steady"), (), 0.15)
    with pytest.raises(InputError, match=r"lower limit of the ICC >= 0\.97"):
        allowed_features(table, ["steady"], Gate(0.97, "lower"), policy)


def test_training_drops_or_refuses_by_policy() -> None:
    table = stability_table(ratings())
    found = allowed_features(table, ["noisy", "steady", "unknown"])
    assert found.kept == ("steady",)
    assert [item.feature for item in found.dropped] == ["noisy", "unknown"]
    with pytest.raises(InputError, match="found 2 of 3 that are not: noisy"):
        allowed_features(table, ["noisy", "steady", "unknown"], policy="refuse")
    with pytest.raises(InputError, match="did you mean 'drop'"):
        allowed_features(table, ["steady"], policy="drops")


def test_an_icc_is_not_asked_of_one_subject() -> None:
    alone = variation_table(ratings_of([("a", str(i), {"x": 10.0 + i}) for i in range(3)]), Gate(cv=0.15))
    assert allowed_features(alone, ["x"]).kept == ("x",)
    with pytest.raises(InputError, match="holds only the variation of one subject's repeats"):
        allowed_features(alone, ["x"], Gate(0.75))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"icc": 75}, "between -1 and 1, found 75"),
        ({"counts": "upper"}, "estimate or the lower limit, found 'upper'"),
        ({"cv": -0.1}, "positive, found -0.1"),
        ({"icc": None}, "needs a threshold"),
    ],
)
def test_a_gate_that_cannot_be_is_refused(values: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Gate(**values)


def test_a_feature_stands_once() -> None:
    with pytest.raises(InputError, match="names each feature once"):
        StabilityTable((FeatureStability("x"), FeatureStability("x")), Gate(), "2,1", 2, 2)


def test_repeats_of_one_subject_give_variation_alone() -> None:
    alone = ratings_of([("a", str(i), {"x": 10.0 + i, "y": 10.0**i}) for i in range(3)])
    table = variation_table(alone, Gate(0.75, cv=0.15))
    assert table.stable == ("x",)
    assert table.gate.icc is None
    assert table.features[0].cv == pytest.approx(1 / 11)
    assert table.features[0].reason == "ICC: one subject"


def test_missing_cells_pairs_and_separators_are_read(tmp_path: Path) -> None:
    path = tmp_path / "features.csv"
    path.write_text("\ufeffpatient;reader;x;y\na;1;1.5;2\na;2;;NaN\nb;1;3;4\n\n")
    found = read_ratings([path], "patient", "reader")
    assert (found.subjects, found.raters, found.features) == (("a", "b"), ("1", "2"), ("x", "y"))
    assert found.missing_pairs == (("b", "2"),)
    np.testing.assert_array_equal(found.values[:, 0], [[1.5, 2], [3, 4]])
    assert np.isnan(found.values[:, 1]).all()


def test_the_command_writes_a_row_a_feature(table_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out, kept = tmp_path / "new" / "stability.csv", tmp_path / "stability.json"
    columns = ["--subject", "patient", "--rater", "reader", "--ignore", "lab*"]
    assert main(["stability", str(table_file), *columns, "--icc", "3,1", "--out", str(out), "--table", str(kept)]) == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS == ("feature", "icc", "lower", "upper", "F", "p", "cv", "stable")
    expected = intraclass_correlation(ratings().values, "3,1")
    assert [row["feature"] for row in rows] == list(NAMES)
    assert float(rows[1]["icc"]) == expected.icc[1]
    assert float(rows[0]["F"]) == expected.f[0]
    assert [row["stable"] for row in rows] == ["true", "false", "false"]
    assert rows[2]["icc"] == ""
    said = capsys.readouterr().out
    assert "1 of 3 features are stable with ICC >= 0.75: ICC(3,1), 3 subjects, 2 raters" in said
    assert "Not defined for 1 feature: constant (ICC: all ratings are equal)" in said
    assert read_table(kept).model == "3,1"


def test_several_tables_are_one_study_and_missing_pairs_are_named(
    table_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    other = write(tmp_path / "d.csv", [["patient", "reader", "label", *NAMES], ["d", "2", "mass", 4, 5, 3]])
    columns = ["--subject", "patient", "--rater", "reader", "--ignore", "label", "--json"]
    assert main(["stability", str(table_file), str(other), *columns, "--out", str(tmp_path / "out.csv")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["subjects"], said["missing_pairs"]) == (4, [["d", "1"]])


HEADER = ["patient", "reader", "x"]
GOOD = [["a", "1", 1], ["a", "2", 2], ["b", "1", 3], ["b", "2", 4]]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([HEADER, *GOOD], ["--subject", "patients"], "no column 'patients'; did you mean 'patient'? It has patient"),
        ([HEADER, *GOOD], ["--rater", "patient"], "Subject and rater are two columns, found 'patient' for both"),
        ([HEADER, *GOOD], ["--ignore", "*"], "The table holds no feature"),
        ([HEADER, *GOOD[::2]], [], "Stability needs at least 2 raters or repeats, found '1' alone"),
        ([HEADER, *GOOD[:2]], [], "An ICC needs at least 2 subjects, found 'a' alone"),
        ([HEADER, *GOOD, ["b", "2", 4]], [], "Subject 'b' by rater '2' stands 2 times"),
        ([HEADER, *GOOD, ["c", "", 4]], [], "found 'c' and '': fill them in"),
        ([HEADER, *GOOD, ["c", "1", "1,5"]], [], "found '1,5' in column 'x', line 6 of 'features.csv'"),
        ([HEADER, *GOOD, ["c", "1"]], [], "Line 6 of 'features.csv' should have 3 cells as the header, found 2"),
        ([["patient", "reader", "x", "x"], ["a", "1", 1, 1]], [], "found 'x' 2 times"),
        ([HEADER], [], "found 1 lines in 'features.csv'"),
        ([HEADER, *GOOD], ["--icc", "2"], "An ICC is one of 1,1; 2,1; 3,1; 1,k; 2,k; 3,k, found '2'"),
        ([HEADER, *GOOD], ["--threshold", "75"], "between -1 and 1, found 75"),
    ],
)
def test_wrong_tables_get_their_sentence(
    rows: list, options: list, message: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = write(tmp_path / "features.csv", rows)
    arguments = ["stability", str(path), "--subject", "patient", "--rater", "reader", *options]
    assert main([*arguments, "--out", str(tmp_path / "out.csv")]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out.csv").exists()


def test_tables_with_other_columns_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    first = write(tmp_path / "one.csv", [HEADER, *GOOD])
    second = write(tmp_path / "two.csv", [["patient", "reader", "y"], *GOOD])
    columns = ["--subject", "patient", "--rater", "reader", "--out", str(tmp_path / "out.csv")]
    assert main(["stability", str(first), str(second), *columns]) == 2
    assert "found 'two.csv' to differ in x, y" in capsys.readouterr().err


def test_real_repeats_of_104_tumours_are_gated(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = data / "hcc_tace_tables" / "radiomics_original_sheared_translated.csv"
    columns = ["--subject", "patient_id", "--rater", "transformation", "--ignore", "segmentation_label"]
    assert main(["stability", str(path), *columns, "--out", str(tmp_path / "out.csv")]) == 0
    rows = {row["feature"]: row for row in csv.DictReader((tmp_path / "out.csv").read_text().splitlines())}
    assert len(rows) == 107
    # A shear keeps most of the volume and a translation all of it; intensities move with the mask.
    assert rows["original_shape_LeastAxisLength"]["stable"] == "true"
    assert rows["original_firstorder_Minimum"]["stable"] == "false"
    assert "107 features computed on the subjects with all ratings, 103 or more of 104" in capsys.readouterr().out
