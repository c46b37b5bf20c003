"""Perturbation studies of several cases become one table, with the ICC that fits how they were drawn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from perturbation_case import case

from hccoutcome.cli import main
from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import Geometry
from hccoutcome.stability.inspection import describe, inspected, on_whole_grid
from hccoutcome.stability.perturbation import Perturbation, PerturbationSettings
from hccoutcome.stability.perturber import perturbations
from hccoutcome.stability.studies import read_studies
from hccoutcome.stability.table import read_table

SETTINGS = {"featureClass": {"firstorder": ["Mean", "Range"]}, "imageType": {"Original": {}}}


@pytest.fixture
def studies(tmp_path: Path) -> list[Path]:
    """Run ``hcc perturb`` on two cases and return the folders."""
    (tmp_path / "parameters.json").write_text(json.dumps(SETTINGS))
    folders = []
    for number, noise in enumerate((3.0, 9.0)):
        image, mask = case(noise)
        paths = [tmp_path / f"{name}{number}.nrrd" for name in ("image", "mask")]
        sitk.WriteImage(image + 20 * number, str(paths[0]))
        sitk.WriteImage(mask, str(paths[1]))
        folders.append(tmp_path / f"case{number}")
        assert perturb(tmp_path, folders[-1], number) == 0
    return folders


def perturb(home: Path, folder: Path, number: int, *more: str) -> int:
    inputs = ["--image", str(home / f"image{number}.nrrd"), "--mask", str(home / f"mask{number}.nrrd")]
    options = ["--settings", str(home / "parameters.json"), "--n", "3", "--no-scene", "--out", str(folder), *more]
    return main(["perturb", *inputs, *options])


def test_folders_of_one_seed_share_their_raters(
    studies: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out, kept = tmp_path / "stability.csv", tmp_path / "stability.json"
    assert main(["stability", *map(str, studies), "--out", str(out), "--table", str(kept)]) == 0
    said = capsys.readouterr().out
    assert "ICC(2,1), 2 subjects, 3 raters" in said
    assert "ICC(2,1) fits these studies: cases share a seed" in said
    table = read_table(kept)
    assert (table.model, table.provenance["seed"]) == ("2,1", [1])
    assert sorted(table.provenance["sources"]) == ["case0/features.csv", "case1/features.csv"]
    assert table.provenance["settings_sha256"] == json.loads((studies[0] / "study.json").read_text())["radiomics"][
        "settings_sha256"
    ]  # fmt: skip


def test_folders_of_other_seeds_have_raters_of_their_own(studies: list[Path], tmp_path: Path) -> None:
    assert perturb(tmp_path, studies[1], 1, "--seed", "2") == 0
    assert read_studies(studies).model == "1,1"


def test_the_form_that_was_asked_for_goes_before(studies: list[Path], tmp_path: Path) -> None:
    kept = tmp_path / "stability.json"
    options = ["--icc", "1,1", "--out", str(tmp_path / "stability.csv"), "--table", str(kept)]
    assert main(["stability", *map(str, studies), *options]) == 0
    assert read_table(kept).model == "1,1"


def test_studies_made_in_other_ways_are_not_joined(studies: list[Path], tmp_path: Path) -> None:
    assert perturb(tmp_path, studies[1], 1, "--chain", "V") == 0
    with pytest.raises(InputError, match="found other perturbations in 'case1' than in 'case0'"):
        read_studies(studies)
    (tmp_path / "parameters.json").write_text(json.dumps({**SETTINGS, "setting": {"binWidth": 5}}))
    assert perturb(tmp_path, studies[1], 1) == 0
    with pytest.raises(InputError, match="found other radiomics settings in 'case1'"):
        read_studies(studies)


def test_wrong_paths_get_their_sentence(studies: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    table, (first, second) = studies[0] / "features.csv", studies
    for paths, options, message in (
        ([first], [], "An ICC needs at least 2 subjects, found 'case0' alone"),
        ([first, first], [], "Subject 'case0' by rater '1' stands 2 times"),
        ([first, table], [], "found 1 folders among 2 paths"),
        ([first, second], ["--subject", "x"], "name their columns themselves, found --subject"),
        ([first, tmp_path], [], "holds study.json and features.csv, found"),
        ([table], ["--subject", "subject"], "needs --subject COLUMN and --rater COLUMN, found no --rater"),
    ):
        capsys.readouterr()
        assert main(["stability", *map(str, paths), *options, "--out", str(tmp_path / "out.csv")]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("chain", ["V", "RTVC"])
def test_a_perturbed_mask_lies_on_the_original_image_where_it_was(chain: str) -> None:
    image, mask = case()
    grid = Geometry.from_image(image)
    settings = PerturbationSettings(chain, rotation_degrees=30.0)
    for found in perturbations(image, mask, settings, 3, (1, 2, 3)):
        shown = inspected(found.perturbation, found.mask, grid)
        whole = on_whole_grid(shown.mask, grid)
        assert Geometry.from_image(whole) == grid
        # Reference: SimpleITK's own resampling of the whole mask; half a voxel of the border may differ.
        expected = sitk.GetArrayFromImage(
            sitk.Resample(found.mask, image, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
        ).astype(bool)
        inside = sitk.GetArrayFromImage(whole).astype(bool)
        dice = 2 * np.count_nonzero(expected & inside) / (np.count_nonzero(expected) + np.count_nonzero(inside))
        assert dice == 1 if chain == "V" else dice > 0.95


def test_a_mask_beside_the_image_is_not_shown() -> None:
    image, mask = case()
    away = sitk.Image(mask)
    away.SetOrigin((500.0, 500.0, 500.0))
    grid = Geometry.from_image(image)
    assert inspected(Perturbation(1, 1), mask * 0, grid) is None
    assert inspected(Perturbation(1, 1), away, grid) is None


def test_perturbations_are_described() -> None:
    assert describe(Perturbation(3, 1, 5.2, growth=-0.11, contour=True)) == (
        "Perturbation 3: turned 5.2 degrees, volume -11 %, contour redrawn"
    )
    assert describe(Perturbation(4, 1, shift=(0.5, 0.0, -0.25), noise=1.0)) == (
        "Perturbation 4: shifted 0.50, 0.00, -0.25 voxels, noise added"
    )
    assert describe(Perturbation(5, 1)) == "Perturbation 5: nothing changed"
