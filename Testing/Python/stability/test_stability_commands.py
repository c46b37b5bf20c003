"""What else ``hcc stability`` and ``hcc agree`` answer: test and retest, one subject alone, outlines of readers."""

from __future__ import annotations

import csv
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from perturbation_case import case

from hccoutcome.cli import main
from hccoutcome.errors import InputError
from hccoutcome.stability.perturbation import Perturbation
from hccoutcome.stability.ratings import ratings_of
from hccoutcome.stability.retest import COLUMNS, retest_rows
from hccoutcome.stability.table import read_table
from hccoutcome.stability.writing import check_study_folder, clear_study, mask_path, write_mask


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """Write two features of eight patients by three readers."""
    random = np.random.default_rng(4)
    path = tmp_path / "features.csv"
    lines = ["patient,reader,x,y"]
    for patient in range(8):
        for reader in "ABC":
            x, y = 10 + patient + random.normal(0, 0.3), 5 + random.normal(0, 1)
            lines.append(f"p{patient},{reader},{x:.6f},{y:.6f}")
    path.write_text("\n".join(lines))
    return path


def stability(path: Path, *more: str) -> int:
    return main(["stability", str(path), "--subject", "patient", "--rater", "reader", *more])


def test_test_and_retest_are_a_row_for_each_feature_and_pair(features: Path, tmp_path: Path) -> None:
    assert stability(features, "--out", str(tmp_path / "s.csv"), "--retest", str(tmp_path / "retest.csv")) == 0
    found = rows(tmp_path / "retest.csv")
    assert tuple(found[0]) == COLUMNS
    assert [(row["first"], row["second"], row["feature"]) for row in found] == [
        (first, second, name) for first, second in combinations("ABC", 2) for name in "xy"
    ]
    values = {
        reader: np.array([float(row["x"]) for row in rows(features) if row["reader"] == reader]) for reader in "ABC"
    }
    for row in (item for item in found if item["feature"] == "x"):
        # Bland and Altman 1999 by hand: mean and 1.96 deviations of the differences.
        difference = values[row["first"]] - values[row["second"]]
        assert float(row["bias"]) == pytest.approx(difference.mean())
        assert float(row["agreement_upper"]) == pytest.approx(difference.mean() + 1.959964 * difference.std(ddof=1))
    within = np.stack(list(values.values())).var(axis=0, ddof=1).mean() ** 0.5
    assert float(found[0]["repeatability"]) == pytest.approx(1.959964 * 2**0.5 * within, rel=1e-6)


def test_many_raters_are_not_compared_pair_by_pair() -> None:
    many = ratings_of([(s, str(r), {"x": float(r)}) for s in "ab" for r in range(11)])
    with pytest.raises(InputError, match="2 to 10 raters pair by pair, found 11: give the raters to compare"):
        list(retest_rows(many))
    with pytest.raises(InputError, match="at least 2 subjects, found 'a' alone"):
        list(retest_rows(ratings_of([("a", str(r), {"x": float(r)}) for r in range(2)])))


def test_one_subject_is_gated_by_its_variation_where_asked(
    features: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    alone = tmp_path / "one.csv"
    alone.write_text("\n".join(features.read_text().splitlines()[:4]))
    assert stability(alone, "--out", str(tmp_path / "s.csv")) == 2
    assert "or gate by the coefficient of variation alone with --cv 0.15" in capsys.readouterr().err
    kept = tmp_path / "s.json"
    assert stability(alone, "--cv", "0.15", "--out", str(tmp_path / "s.csv"), "--table", str(kept)) == 0
    assert "no ICC of one subject, 1 subject, 3 raters" in capsys.readouterr().out
    table = read_table(kept)
    assert (table.model, table.gate.icc, table.gate.cv) == ("", None, 0.15)
    assert {row["icc"] for row in rows(tmp_path / "s.csv")} == {""}


def written(folder: Path) -> list[str]:
    _, mask = case()
    masks = {"A": mask, "B": sitk.BinaryDilate(mask, (1, 1, 0)), "C": mask}
    options = []
    for reader, outline in masks.items():
        sitk.WriteImage(outline, str(folder / f"{reader}.nrrd"))
        options += ["--mask", f"{reader}={folder / reader}.nrrd"]
    return options


def test_outlines_of_readers_are_compared_in_pairs(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "agreement.csv"
    assert main(["agree", *written(tmp_path), "--out", str(out)]) == 0
    assert "A and C: Dice 1.000, surface Dice 1.000 within 1 mm, Hausdorff 0.0 mm" in capsys.readouterr().out
    found = rows(out)
    assert [(row["first"], row["second"]) for row in found] == [("A", "B"), ("A", "C"), ("B", "C")]
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*(sitk.ReadImage(str(tmp_path / f"{reader}.nrrd")) for reader in "AB"))
    assert float(found[0]["dice"]) == pytest.approx(overlap.GetDiceCoefficient())
    assert float(found[0]["second_ml"]) > float(found[0]["first_ml"])
    assert main(["agree", *written(tmp_path), "--json", "--out", str(out)]) == 0
    assert len(json.loads(capsys.readouterr().out)["pairs"]) == 3


def test_wrong_calls_of_agree_get_their_sentence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    masks = written(tmp_path)
    moved = sitk.ReadImage(str(tmp_path / "A.nrrd"))
    moved.SetOrigin((0.0, 0.0, 0.0))
    sitk.WriteImage(moved, str(tmp_path / "moved.nrrd"))
    for options, message in (
        (masks[:2], "needs the masks of at least 2 raters, found 1"),
        ([*masks[:2], *masks[:2]], "Each reader's mask is given once as READER=PATH"),
        (["--mask", str(tmp_path / "A.nrrd")], "Each reader's mask is given once as READER=PATH"),
        ([*masks[:2], "--mask", f"D={tmp_path / 'moved.nrrd'}"], "A and D: Masks are compared on one grid"),
        ([*masks[:2], "--mask", f"D={tmp_path / 'none.nrrd'}"], "none.nrrd"),
        ([*masks, "--tolerance", "-1"], "A tolerance in mm is not negative"),
    ):
        assert main(["agree", *options, "--out", str(tmp_path / "a.csv")]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1


def test_what_is_read_is_not_written_over(features: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    before = features.read_bytes()
    assert stability(features, "--out", str(features)) == 2
    assert "A result is written beside what is read" in capsys.readouterr().err
    assert stability(features, "--out", str(tmp_path / "s.csv"), "--table", str(tmp_path / "s.csv")) == 2
    assert "Each result has a file of its own" in capsys.readouterr().err
    assert features.read_bytes() == before
    assert not (tmp_path / "s.csv").exists()
    masks, outline = written(tmp_path), tmp_path / "A.nrrd"
    before = outline.read_bytes()
    assert main(["agree", *masks, "--out", str(outline)]) == 2
    assert "A result is written beside what is read" in capsys.readouterr().err
    assert outline.read_bytes() == before


def test_five_real_segmenters_agree_as_simpleitk_measures(data: Path, tmp_path: Path) -> None:
    folder = data / "brain_4seq_mri"
    names = {path.name.split("_")[1].split("-")[0]: path for path in sorted(folder.glob("seg_*.nii.gz"))}
    options = [part for name, path in names.items() for part in ("--mask", f"{name}={path}#1")]
    assert main(["agree", *options, "--out", str(tmp_path / "a.csv")]) == 0
    found = rows(tmp_path / "a.csv")
    assert len(found) == 10
    for row in found[::4]:
        overlap = sitk.LabelOverlapMeasuresImageFilter()
        pair = (sitk.ReadImage(str(names[row[end]])) == 1 for end in ("first", "second"))
        overlap.Execute(*pair)
        assert float(row["dice"]) == pytest.approx(overlap.GetDiceCoefficient())


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e999"])
def test_an_infinite_rating_is_no_missing_one(features: Path, tmp_path: Path, capsys, cell: str) -> None:
    lines = features.read_text().splitlines()
    lines[1] = lines[1].rpartition(",")[0] + f",{cell}"
    features.write_text("\n".join(lines))
    assert stability(features, "--out", str(tmp_path / "s.csv")) == 2
    assert f"A feature is a finite number, found '{cell}' in column 'y', line 2" in capsys.readouterr().err


def test_a_study_takes_away_nothing_that_no_study_wrote(tmp_path: Path) -> None:
    """A folder of 'hcc cohort' holds a features.csv, too."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    (folder / "features.csv").write_text("case_id,x\nP1,1\n")
    clear_study(folder)
    assert (folder / "features.csv").is_file()
    with pytest.raises(InputError, match=r"'features.csv' in the folder 'cohort' was not written by hcc perturb"):
        check_study_folder(folder)


def test_a_study_takes_away_what_an_earlier_one_wrote(tmp_path: Path) -> None:
    mask = sitk.Image(4, 4, 4, sitk.sitkUInt8)
    own = write_mask(mask_path(tmp_path, _perturbation(3)), mask, "perturbation 3")
    by_hand = write_mask(mask_path(tmp_path, _perturbation(4)), mask, "my outline")
    (tmp_path / "notes.txt").write_text("keep")
    (tmp_path / "study.json").write_text(json.dumps({"perturbation": {"seed": 1}, "radiomics": {}}))
    (tmp_path / "stability.csv").write_text("feature\n")
    with pytest.raises(InputError, match=r"perturbation-004.seg.nrrd' .* was not written by hcc perturb"):
        check_study_folder(tmp_path)
    clear_study(tmp_path)
    assert not own.exists()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["notes.txt", by_hand.name]


def _perturbation(index: int) -> Perturbation:
    return Perturbation(index, seed=1)
