"""From a case to its findings: what is extracted, what is refused, and what is written down about it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from hccoutcome.analysis import analyse, extract_features
from hccoutcome.case import Case
from hccoutcome.errors import InputError
from hccoutcome.findings import Findings
from hccoutcome.loading import load_case, read_case_folder
from hccoutcome.package.reading import read_package
from hccoutcome.radiomics.extraction import extract_region
from hccoutcome.radiomics.settings import load_settings


@pytest.fixture(scope="module")
def case(phantom: Path) -> Case:
    return load_case(read_case_folder(phantom))


@pytest.fixture(scope="module")
def findings(case: Case) -> Findings:
    return analyse(case, [read_package("radscore-tace-ct"), read_package("haic-mri-clinical")])


def test_a_score_is_the_printed_formula_on_the_extracted_features(case: Case, findings: Findings) -> None:
    values = extract_region(case.images["arterial"], case.masks["tumor"][0], load_settings("radscore"))
    expected = (
        0.1628708
        + 0.062126883 * values["gradient_glszm_ZoneEntropy"]
        - 3.097256224 * values["log-sigma-2-0-mm-3D_ngtdm_Contrast"]
        - 0.004368544 * values["log-sigma-4-0-mm-3D_glszm_SmallAreaEmphasis"]
        + 0.000134998 * values["square_firstorder_Variance"]
        + 0.000507638 * values["wavelet-HLL_ngtdm_Complexity"]
    )
    assert findings.predictions[0].score == pytest.approx(expected, rel=1e-12)


def test_only_the_region_and_phase_that_the_package_reads_are_extracted(findings: Findings) -> None:
    assert {name.split("_")[0] for name in findings.features} == {"arterial"}
    assert {name.split("_")[1] for name in findings.features} == {"tumor"}


def test_generated_data_is_said_to_be_so_with_every_number(findings: Findings) -> None:
    scores = [*findings.predictions, *findings.liver_scores]
    given = [prediction for prediction in scores if prediction.score is not None]
    assert len(given) >= 2
    assert all("generated data" in prediction.applicability.reasons[0] for prediction in given)


def test_findings_survive_the_way_through_json(findings: Findings) -> None:
    assert Findings.from_json(json.loads(json.dumps(findings.to_json(), allow_nan=False))) == findings


def test_the_provenance_names_inputs_settings_and_packages(case: Case, findings: Findings) -> None:
    provenance = findings.provenance
    assert provenance["inputs"] == case.sources
    assert [package["name"] for package in provenance["packages"]] == ["radscore-tace-ct", "haic-mri-clinical"]
    (extraction,) = provenance["extractions"]
    assert extraction["regions"] == {"tumor": ["arterial"]}
    assert extraction["settings"]["setting"]["binWidth"] == 25


def test_the_same_case_gives_the_same_numbers_again(case: Case, findings: Findings) -> None:
    again = analyse(case, [read_package("radscore-tace-ct")])
    assert dict(again.features) == dict(findings.features)


def test_another_phase_takes_the_missing_one_s_place_with_a_warning(case: Case) -> None:
    portal_only = dataclasses.replace(case, images={"portal": case.images["portal"]}, synthetic=False)
    (prediction,) = analyse(portal_only, [read_package("radscore-tace-ct")]).predictions
    assert prediction.score is not None
    assert prediction.applicability.status == "warning"
    assert any("arterial" in reason and "portal" in reason for reason in prediction.applicability.reasons)
    first, *others = (item.name for item in prediction.contributions)
    assert first == "intercept"
    assert all(name.startswith("portal_tumor_") for name in others)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda case: {"masks": {}}, "tumor"),
        (lambda case: {"images": {}}, "arterial"),
        (lambda case: {"modality": "MR"}, "CT"),
        (lambda case: {"masks": {"liver": case.masks["liver"]}}, "tumor"),
    ],
)
def test_a_case_that_lacks_what_a_package_needs_is_refused_without_a_number(case: Case, change, sentence) -> None:
    (prediction,) = analyse(dataclasses.replace(case, **change(case)), [read_package("radscore-tace-ct")]).predictions
    assert prediction.applicability.status == "refused"
    assert prediction.score is None
    assert prediction.contributions == ()
    assert sentence in " ".join(prediction.applicability.reasons)


def test_a_mask_on_another_grid_refuses_the_score_and_says_how_the_grids_differ(case: Case) -> None:
    mask = sitk.GetImageFromArray(np.ones((4, 5, 6), np.uint8))
    (prediction,) = analyse(
        dataclasses.replace(case, masks={"tumor": (mask,)}), [read_package("radscore-tace-ct")]
    ).predictions
    assert prediction.score is None
    assert "grid" in " ".join(prediction.applicability.reasons)


def test_a_region_too_small_for_texture_refuses_the_score(case: Case) -> None:
    array = np.zeros(sitk.GetArrayViewFromImage(case.masks["tumor"][0]).shape, np.uint8)
    array[20, 40, 30] = 1
    mask = sitk.GetImageFromArray(array)
    mask.CopyInformation(case.masks["tumor"][0])
    (prediction,) = analyse(
        dataclasses.replace(case, masks={"tumor": (mask,)}), [read_package("radscore-tace-ct")]
    ).predictions
    assert prediction.score is None


def test_features_are_given_for_every_region_on_every_image(case: Case, tmp_path: Path) -> None:
    settings = tmp_path / "small.yaml"
    settings.write_text("imageType: {Original: {}}\nfeatureClass: {firstorder: [Mean]}\n")
    features = extract_features(case, str(settings))
    assert list(features) == [
        f"{phase}_{region}_original_firstorder_Mean" for phase in case.images for region in case.masks
    ] or set(features) == {
        f"{phase}_{region}_original_firstorder_Mean" for phase in case.images for region in case.masks
    }


def test_features_asked_for_are_an_error_where_they_cannot_be_had(case: Case) -> None:
    mask = sitk.GetImageFromArray(np.ones((4, 5, 6), np.uint8))
    with pytest.raises(InputError, match="grid"):
        extract_features(dataclasses.replace(case, masks={"tumor": (mask,)}), "prime")
    with pytest.raises(InputError, match="at least one image and one mask"):
        extract_features(dataclasses.replace(case, masks={}), "prime")


def test_two_settings_that_give_one_name_keep_both_columns(case: Case, tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    text = "imageType: {Original: {}}\nfeatureClass: {firstorder: [Entropy, Mean]}\nsetting: {binWidth: %d}\n"
    one.write_text(text % 5)
    other.write_text(text % 50)
    only = dataclasses.replace(case, images={"arterial": case.images["arterial"]}, masks={"tumor": case.masks["tumor"]})
    features = analyse(only, [], settings=[str(one), str(other)]).features
    assert (
        features["arterial_tumor_original_firstorder_Entropy"]
        > features["arterial_tumor_original_firstorder_Entropy@other"]
    )
    mean = "arterial_tumor_original_firstorder_Mean"
    assert features[f"{mean}@other"] == features[mean], "which columns there are must not depend on values"


def test_the_features_of_a_package_bear_the_plain_names(case: Case) -> None:
    only = dataclasses.replace(case, images={"arterial": case.images["arterial"]}, masks={"tumor": case.masks["tumor"]})
    package = read_package("radscore-tace-ct")
    alone = analyse(only, [package]).features
    beside = analyse(only, [package], settings=["haic-mri"]).features
    assert {name: beside[name] for name in alone} == dict(alone)
    assert "arterial_tumor_original_shape_Elongation@haic-mri" in beside


def test_a_score_that_was_asked_for_is_not_repeated_among_the_liver_scores(case: Case) -> None:
    found = analyse(case, [read_package("albi")])
    assert [item.package for item in found.predictions] == ["albi"]
    assert "albi" not in {item.package for item in found.liver_scores}
    assert "child-pugh" in {item.package for item in found.liver_scores}


def test_a_package_for_another_modality_says_so_first(case: Case) -> None:
    (prediction,) = analyse(case, [read_package("haic-mri-cr")]).predictions
    assert "CT" in prediction.applicability.reasons[0]
    assert not any("N4" in reason for reason in prediction.applicability.reasons)


def test_a_warning_of_the_quality_table_goes_with_the_score(case: Case, findings: Findings) -> None:
    assert not [reason for reason in findings.predictions[0].applicability.reasons if "expected" in reason]
    swapped = {**case.images, "arterial": case.images["portal"], "portal": case.images["arterial"]}
    confused = dataclasses.replace(case, images=swapped, synthetic=False)
    found = analyse(confused, [read_package("radscore-tace-ct")]).predictions[0]
    assert found.score is not None
    assert found.applicability.status == "warning"
    assert found.applicability.reasons[0].startswith("image arterial, liver enhancement: expected not above the portal")


def test_a_tumour_mask_of_another_place_refuses_the_score(case: Case) -> None:
    mask = case.masks["tumor"][0]
    moved = sitk.GetImageFromArray(np.roll(sitk.GetArrayFromImage(mask), mask.GetSize()[0] // 3, axis=2))
    moved.CopyInformation(mask)
    misplaced = dataclasses.replace(case, masks={**case.masks, "tumor": (moved,)})
    found = analyse(misplaced, [read_package("radscore-tace-ct")]).predictions[0]
    assert found.score is None
    assert found.applicability.reasons[0].startswith("mask tumor, outside the liver: expected at most 10 %, found ")


def test_a_doubtful_clinical_value_goes_with_the_scores_that_follow_from_it(case: Case) -> None:
    doubtful = dataclasses.replace(case, images={}, masks={}, synthetic=False, clinical={**case.clinical, "tbil": 3.0})
    scores = {score.package: score for score in analyse(doubtful, []).liver_scores}
    assert {name: scores[name].applicability.status for name in ("albi", "bclc", "six-and-twelve")} == {
        "albi": "warning",
        "bclc": "warning",
        "six-and-twelve": "ok",
    }
    assert scores["albi"].applicability.reasons[0].startswith("clinical tbil, value: expected 4 to 500 umol/L, found 3")


def test_a_child_pugh_class_that_its_components_contradict_is_said_with_every_score_that_reads_it(case: Case) -> None:
    components = {"tbil": 60.0, "alb": 25.0, "inr": 2.5, "ascites": "moderate", "encephalopathy": "none"}
    record = {**case.clinical, **components, "child_pugh": "A"}
    contradictory = dataclasses.replace(case, images={}, masks={}, clinical=record)
    scores = {score.package: score for score in analyse(contradictory, []).liver_scores}
    sentence = "clinical child_pugh, agreement: expected C, found A."
    for name in ("bclc", "clip", "child-pugh"):
        assert any(reason.startswith(sentence) for reason in scores[name].applicability.reasons), name
    assert not any(sentence in reason for reason in scores["albi"].applicability.reasons)
