"""A perturbation study: its features are those of the masks it gives, its files are complete, and it can be stopped."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from perturbation_case import case

from hccoutcome.case import MaskFile
from hccoutcome.cli import main
from hccoutcome.errors import Cancelled, InputError
from hccoutcome.imaging.reading import read_mask
from hccoutcome.radiomics.extraction import extract_region
from hccoutcome.radiomics.settings import RadiomicsSettings
from hccoutcome.stability.gate import stability_table, variation_table
from hccoutcome.stability.perturbation import PerturbationSettings
from hccoutcome.stability.perturber import perturbations
from hccoutcome.stability.ratings import read_ratings
from hccoutcome.stability.study import perturb_case
from hccoutcome.stability.table import Gate, read_table

CLASSES = {"shape": [], "firstorder": [], "glcm": ["Contrast", "JointEnergy"]}
RESAMPLED = RadiomicsSettings.from_dict(
    {
        "imageType": {"Original": {}, "LoG": {"sigma": [2.0]}},
        "featureClass": CLASSES,
        "setting": {"normalize": True, "normalizeScale": 100, "resampledPixelSpacing": [1.5, 1.5, 1.5], "binWidth": 20},
    }
)
AS_IS = RadiomicsSettings.from_dict({"featureClass": CLASSES, "setting": {"binWidth": 5}})
GLOBAL = RadiomicsSettings.from_dict(
    {"imageType": {"Original": {}, "Square": {}}, "featureClass": {"firstorder": []}, "setting": {"normalize": True}}
)


def by_index(study, index: int) -> dict[str, float]:
    return dict(zip(study.features, study.values[index - 1].tolist(), strict=True))


def assert_same(found: dict[str, float], expected: dict[str, float], rtol: float = 1e-12) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=rtol, abs=1e-9), name


def test_resampled_features_are_those_of_the_original_image_and_the_perturbed_mask() -> None:
    image, mask = case()
    masks = {}
    study = perturb_case(
        image, mask, RESAMPLED, PerturbationSettings("RTVC"), 3, 5, on_mask=lambda p, m: masks.update({p.index: m})
    )
    assert list(masks) == [1, 2, 3]
    assert_same(dict(study.original), extract_region(image, mask, RESAMPLED))
    for index, perturbed in masks.items():
        assert_same(by_index(study, index), extract_region(image, perturbed, RESAMPLED))
    assert np.unique(study.values[:, 0]).size == 3


def test_pyradiomics_gives_the_same_features_of_perturbations() -> None:
    pytest.importorskip("radiomics", reason="PyRadiomics, the oracle, is not installed")
    image, mask = case()
    fast, theirs = (
        perturb_case(image, mask, RESAMPLED, PerturbationSettings("RTVC"), 2, 5, engine=engine, workers=1)
        for engine in ("fast", "pyradiomics")
    )
    for index in (1, 2):
        assert_same(by_index(fast, index), by_index(theirs, index), rtol=1e-6)


@pytest.mark.parametrize("radiomics", [AS_IS, GLOBAL], ids=["local", "whole image"])
def test_without_resampling_image_and_mask_are_sampled_on_the_turned_grid(radiomics: RadiomicsSettings) -> None:
    image, mask = case()
    chain = PerturbationSettings("RTVC")
    study = perturb_case(image, mask, radiomics, chain, 2, 5)
    (first,) = perturbations(image, mask, chain, 5, [1])
    found = by_index(study, 1)
    sampled = sitk.Resample(
        image,
        first.mask,
        sitk.Transform(),
        sitk.sitkBSpline,
        0.0,
        sitk.sitkFloat64,
        useNearestNeighborExtrapolator=True,
    )
    inside = sitk.GetArrayFromImage(sampled)[sitk.GetArrayFromImage(first.mask) == 1]
    if radiomics.parameters.normalize:
        original = sitk.GetArrayFromImage(image)
        inside = (inside - original.mean()) / original.std(ddof=1)
    # The study interpolates a block around the region, whose border B-splines forget within a few voxels.
    assert found["original_firstorder_Mean"] == pytest.approx(inside.mean(), rel=1e-4)
    assert found["original_firstorder_Maximum"] == pytest.approx(inside.max(), rel=1e-3)


@pytest.mark.parametrize("radiomics", [RESAMPLED, AS_IS, GLOBAL], ids=["resampled", "local", "whole image"])
def test_a_chain_that_does_nothing_gives_the_original_features(radiomics: RadiomicsSettings) -> None:
    image, mask = case()
    nothing = PerturbationSettings("NRTV", 0.0, 0.0, 0.0, 0.0)
    study = perturb_case(image, mask, radiomics, nothing, 2)
    assert_same(by_index(study, 2), dict(study.original))
    barely = PerturbationSettings("NRT", 1e-9, 1e-9, 0.0, 1e-12)  # the same by the way of noise and of a turned grid
    assert_same(by_index(perturb_case(image, mask, radiomics, barely, 2), 2), dict(study.original), rtol=2e-3)


def test_filters_that_look_at_the_whole_image_see_it() -> None:
    image, mask = case(around=36)
    image[0, 0, 0] = 900.0  # rules the square of all voxels
    barely = PerturbationSettings("R", 1e-9)
    found = by_index(perturb_case(image, mask, GLOBAL, barely, 2), 1)
    assert_same(found, extract_region(image, mask, GLOBAL), rtol=2e-3)


def test_a_region_at_the_border_of_the_image_is_extracted_although_its_turned_box_reaches_out() -> None:
    image, mask = case(centre=(12, 22, 11))
    study = perturb_case(image, mask, RESAMPLED, PerturbationSettings("R", 40.0), 3, 5)
    assert study.failures == {}
    mean = study.features.index("original_firstorder_Mean")
    assert study.values[:, mean] == pytest.approx(study.original["original_firstorder_Mean"], rel=0.05)


def test_noise_moves_intensities_and_no_shape() -> None:
    image, mask = case()
    study = perturb_case(image, mask, RESAMPLED, PerturbationSettings("N"), 3)
    shape = [name.startswith("original_shape") for name in study.features]
    np.testing.assert_array_equal(np.ptp(study.values[:, shape], axis=0), 0)
    assert (np.ptp(study.values[:, ~np.array(shape)], axis=0) > 0).mean() > 0.9
    assert [item.dice for item in study.agreement] == [1, 1, 1]


def test_workers_change_no_bit() -> None:
    image, mask = case()
    chain = PerturbationSettings("NRTVC")
    alone, together = (perturb_case(image, mask, RESAMPLED, chain, 4, workers=workers) for workers in (1, 3))
    np.testing.assert_array_equal(alone.values, together.values)
    assert alone.rows() == together.rows()


def test_another_label_is_extracted_too() -> None:
    image, mask = case()
    five = RESAMPLED.with_values(label=5)
    chain = PerturbationSettings("RV")
    np.testing.assert_array_equal(
        perturb_case(image, mask, five, chain, 2).values, perturb_case(image, mask, RESAMPLED, chain, 2).values
    )


def test_a_perturbation_that_fails_is_reported_and_the_others_stand() -> None:
    image, mask = case()
    count = int(sitk.GetArrayViewFromImage(mask).sum())
    picky = AS_IS.with_values(minimumROISize=count - 1)
    study = perturb_case(image, mask, picky, PerturbationSettings("V"), 6, 1)
    shrunk = [item.index for item in study.perturbations if item.growth < 0]
    assert 0 < len(shrunk) < 6
    assert sorted(study.failures) == shrunk
    assert all("more than" in reason for reason in study.failures.values())
    assert np.isnan(study.values[shrunk[0] - 1]).all()
    assert study.rows()[shrunk[0] - 1]["dice"] is None
    table = variation_table(study.ratings("a"))
    assert np.isfinite([item.cv for item in table.features]).all()


def test_a_study_can_be_stopped() -> None:
    image, mask = case()
    seen = []

    def stop_after_two(fraction: float, message: str) -> None:
        seen.append((fraction, message))
        if fraction >= 0.2:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled, match="stopped"):
        perturb_case(image, mask, AS_IS, PerturbationSettings("V"), 10, progress=stop_after_two)
    assert seen[0] == (0.0, "Extracts perturbation 1 of 10")
    assert [fraction for fraction, _ in seen] == sorted(fraction for fraction, _ in seen)


def test_perturbations_of_several_cases_give_an_icc() -> None:
    studies = []
    for number, noise in enumerate((2.0, 6.0, 12.0)):
        image, mask = case(noise=noise)
        studies.append(perturb_case(image, mask, AS_IS, PerturbationSettings("RV"), 4).ratings(f"case{number}"))
    joined = [
        (ratings.subjects[0], rater, dict(zip(ratings.features, row.tolist(), strict=True)))
        for ratings in studies
        for rater, row in zip(ratings.raters, ratings.values[0], strict=True)
    ]
    from hccoutcome.stability.ratings import ratings_of

    table = stability_table(ratings_of(joined), Gate(0.75), "1,1")
    assert 0 < len(table.stable) < len(table.features)


@pytest.mark.parametrize(
    ("n", "factor", "message"),
    [(1, 1, "at least 2 perturbations, found 1"), (2, 0, "found an empty mask")],
)
def test_wrong_studies_are_refused(n: int, factor: int, message: str) -> None:
    image, mask = case()
    with pytest.raises(InputError, match=message):
        perturb_case(image, mask * factor, AS_IS, n=n)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    image, mask = case()
    paths = tmp_path / "image.nrrd", tmp_path / "mask.nrrd", tmp_path / "parameters.json"
    sitk.WriteImage(image, str(paths[0]))
    sitk.WriteImage(mask, str(paths[1]))
    paths[2].write_text(json.dumps(RESAMPLED.to_dict()))
    return paths


def test_the_command_writes_tables_and_masks_that_extract_again(
    files: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    image, mask, parameters = map(str, files)
    out = tmp_path / "study"
    options = ["--settings", parameters, "--n", "3", "--seed", "2", "--no-scene", "--out", str(out)]
    assert main(["perturb", "--image", f"arterial={image}", "--mask", f"tumor={mask}", *options]) == 0
    assert "over 3 perturbations (RVC, seed 2)" in capsys.readouterr().out
    ratings = read_ratings([out / "features.csv"], "subject", "perturbation")
    assert (ratings.subjects, ratings.raters) == (("study",), ("1", "2", "3"))
    assert ratings.features[0] == "arterial_tumor_original_shape_Elongation"
    again = read_mask(MaskFile(out / "masks" / "perturbation-002.seg.nrrd"))
    expected = extract_region(sitk.ReadImage(image), again, RESAMPLED)
    np.testing.assert_allclose(ratings.values[0, 1], list(expected.values()), rtol=1e-12)
    done = list(csv.DictReader((out / "perturbations.csv").read_text().splitlines()))
    assert [row["perturbation"] for row in done] == ["1", "2", "3"]
    assert 0.5 < float(done[0]["dice"]) < 1
    stability = list(csv.DictReader((out / "stability.csv").read_text().splitlines()))
    assert len(stability) == len(ratings.features)
    assert {row["icc"] for row in stability} == {""}
    assert {row["stable"] for row in stability} == {"true", "false"}
    study = json.loads((out / "study.json").read_text())
    assert study["perturbation"]["seed"] == 2
    assert study["radiomics"]["settings_sha256"] == RESAMPLED.sha256()
    assert read_table(out / "stability.json").provenance["settings_sha256"] == RESAMPLED.sha256()
    assert len((out / "original.csv").read_text().splitlines()) == 2


def test_a_shorter_study_leaves_nothing_of_a_longer_one(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    image, mask, parameters = map(str, files)
    out = tmp_path / "study"
    call = ["perturb", "--image", image, "--mask", mask, "--settings", parameters, "--no-scene", "--out", str(out)]
    assert main([*call, "--n", "3"]) == 0
    for name in ("scene.mrb", "notes.txt"):
        (out / name).write_text("earlier")
    assert main([*call, "--n", "2"]) == 0
    assert sorted(path.name for path in (out / "masks").iterdir()) == [
        "perturbation-001.seg.nrrd",
        "perturbation-002.seg.nrrd",
    ]
    assert (out / "notes.txt").exists()
    assert not (out / "scene.mrb").exists()


def test_an_image_that_is_constant_in_the_region_is_refused() -> None:
    image, mask = case()
    with pytest.raises(InputError, match="expected to vary inside the region, found 7 in all"):
        perturb_case(image * 0 + 7, mask, AS_IS, n=2)


def test_plain_paths_leave_the_names_of_features_alone(
    files: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    image, mask, parameters = map(str, files)
    out = tmp_path / "study"
    options = ["--settings", parameters, "--n", "2", "--subject", "p1", "--json", "--no-scene", "--out", str(out)]
    assert main(["perturb", "--image", image, "--mask", mask, *options]) == 0
    assert json.loads(capsys.readouterr().out)["perturbations"] == 2
    header = (out / "features.csv").read_text().splitlines()[0]
    assert header.startswith("subject,perturbation,original_shape_Elongation")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--chain": "RVQ"}, "found 'RVQ': write RVC or NTCV"),
        ({"--n": "1"}, "at least 2 perturbations, found 1"),
        ({"--n": "0"}, "expected a whole number from 1, found '0'"),
        ({"--seed": "-1"}, "A seed is from 0"),
        ({"--subject": "John Doe"}, "A case needs a name of 1 to 64 letters"),
        ({"--settings": "primes"}, "There is no parameter file 'primes'"),
        ({"--image": "nowhere.nii.gz"}, "nowhere.nii.gz"),
        ({"--image": "portel={image}", "--mask": "tumor={mask}"}, "'portel' is not a known phase"),
        ({"--image": "portal={image}"}, "are both given as NAME=PATH"),
        ({"--mask": "{other}"}, "The mask was expected on the grid of its image"),
        ({"--cv": "0"}, "is positive, found 0"),
    ],
)
def test_wrong_calls_get_their_sentence(
    changes: dict[str, str], message: str, files: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    image, mask, parameters = map(str, files)
    moved = sitk.ReadImage(mask)
    moved.SetOrigin((0.3, 0.0, 0.0))
    sitk.WriteImage(moved, str(tmp_path / "other.nrrd"))
    options = {"--image": image, "--mask": mask, "--settings": parameters, "--out": str(tmp_path / "study")}
    options |= {
        key: text.format(image=image, mask=mask, other=tmp_path / "other.nrrd") for key, text in changes.items()
    }
    assert main(["perturb", *(part for pair in options.items() for part in pair)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_the_real_tumour_keeps_its_place_and_its_study_is_that_of_its_masks(data: Path) -> None:
    folder = data / "ircadb17_ct"
    image = sitk.ReadImage(str(folder / "ct.nii.gz"))
    mask = sitk.Cast(sitk.ReadImage(str(folder / "livertumor1.nii.gz")) != 0, sitk.sitkUInt8)
    settings = RadiomicsSettings.from_dict(
        {"featureClass": {"shape": ["VoxelVolume"], "firstorder": []}, "setting": {"resampledPixelSpacing": [1, 1, 1]}}
    )
    masks = {}
    study = perturb_case(
        image, mask, settings, PerturbationSettings("RTVC"), 2, on_mask=lambda p, m: masks.update({p.index: m})
    )
    assert_same(by_index(study, 2), extract_region(image, masks[2], settings))
    for item, agreement in zip(study.perturbations, study.agreement, strict=True):
        assert agreement.volumes_ml[0] == pytest.approx(85.6, abs=0.1)
        assert agreement.volumes_ml[1] == pytest.approx(85.6 * (1 + item.growth), rel=0.05)
        assert 0.75 < agreement.dice < 1
        assert agreement.hausdorff95_mm < 12
