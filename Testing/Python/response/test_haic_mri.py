"""Clinical, CR and CRH are what the paper prints, with the reading of its lost minus signs that its cohort supports."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from cohort_manifest import write_manifest

from hccoutcome.imaging.preparation import Preparation
from hccoutcome.naming import parse_feature_name
from hccoutcome.package.applicability import ImageFacts, PackageInputs
from hccoutcome.package.commands import make_reference
from hccoutcome.package.format import Package
from hccoutcome.package.linear import LinearScore
from hccoutcome.package.reading import read_package
from hccoutcome.package.reference import Distribution, Reference
from hccoutcome.radiomics.settings import parse_settings
from hccoutcome.response.haic_mri import DP, LAP, PRE, PVP, HaicClinical, HaicCR, HaicCRH
from hccoutcome.systems import predict

SCORES: dict[str, LinearScore] = {
    "haic-mri-clinical": HaicClinical(),
    "haic-mri-cr": HaicCR(),
    "haic-mri-crh": HaicCRH(),
}


@pytest.fixture
def paper(data: Path) -> str:
    path = data.parent / "papers" / "003_ae43346c8e864245.txt"
    if not path.is_file():
        pytest.skip("the paper's text lies not beside the real data")
    return path.read_text(encoding="utf-8")


def coefficients(score: LinearScore) -> list[float]:
    return [score.intercept, *(term.coefficient for term in score.terms)]


def test_the_coefficients_are_those_of_the_formulas_in_their_order(paper: str) -> None:
    """The formulas are the only place of the text where numbers stand with a colon, as in 0:6212."""
    printed = re.findall(r"(\+?) *(\d:\d{4})\b", paper)
    ours = [value for score in SCORES.values() for value in coefficients(score)]
    assert [float(number.replace(":", ".")) for _, number in printed] == [abs(value) for value in ours]


def test_a_coefficient_is_positive_where_its_plus_sign_survived(paper: str) -> None:
    signs = [sign for sign, _ in re.findall(r"(\+?) *(\d:\d{4})\b", paper)]
    ours = [value for score in SCORES.values() for value in coefficients(score)]
    intercepts = {0, 3, 12}
    assert len(signs) == len(ours) == 27
    for place, (sign, value) in enumerate(zip(signs, ours, strict=True)):
        if place not in intercepts:
            assert (sign == "+") == (value > 0), f"coefficient {place}: {value}"


def test_the_features_of_cr_are_those_of_its_formula_in_their_order(paper: str) -> None:
    """The formula stands between the lines of a table, and its scan spells glrlm as glrim."""
    formula = paper[paper.index("CR Model score = ") : paper.index("CRH Model score")]
    pattern = r"(DP|LAP|PVP|PRE) _ Original _ ?original _ ?(\w+) _ (\w+)"
    printed = [
        (phase, f"original_{group.replace('glrim', 'glrlm')}_{feature}")
        for phase, group, feature in re.findall(pattern, formula)
    ]
    phases = {DP: "DP", LAP: "LAP", PVP: "PVP", PRE: "PRE"}
    ours = [(phases[name.phase], name.radiomic) for name in map(parse_feature_name, HaicCR().standardised)]
    assert printed == ours


def test_the_features_of_crh_are_those_behind_its_coefficients(paper: str) -> None:
    formula = paper[paper.index("CRH Model score") : paper.index("No signi cant redundancy")]
    names = re.findall(r"\d:\d{4}((?:(?!\d:\d{4})[^+])*)", formula.replace("\n", " "))
    printed = [re.sub(r"[\s_]+", "", name).lower() for name in names][3:]
    phases = {DP: "dp", LAP: "lap", PVP: "pvp", PRE: "pre"}
    ours = []
    for term in HaicCRH().terms[2:]:
        phase, region, radiomic = term.name.split("_", 2)
        where = "original" if region == "tumor" else region
        ours.append(f"{phases[phase]}{where}{radiomic}".replace("_", "").lower())
    assert printed == ours


def at_the_means(score: LinearScore, invasion: float, diameter: float) -> float:
    """Return the probability at the cohort's means: a standardised feature is 0 there."""
    known = {name: Distribution(1.0, 1.0, 0.0, 2.0) for name in score.standardised}
    reference = Reference("the paper's", 105, "0" * 64, known)
    row = {"vascular_invasion": invasion, "tumor_diameter": diameter, **dict.fromkeys(known, 1.0)}
    return float(score.with_reference(reference).predict([row])[0])


def test_the_mean_probability_is_the_share_of_responders() -> None:
    """54.3% respond; 65% have vascular invasion and the diameter is about 10 cm."""
    means = [at_the_means(score, 68 / 105, 10.0) for score in SCORES.values()]
    assert [round(mean, 2) for mean in means] == [0.56, 0.56, 0.55]


def test_the_means_are_those_of_table_1(paper: str) -> None:
    """The mean diameter is not printed; 10 cm divides the cohort into 51 and 54."""
    assert "Yes 68(64.76)" in paper
    assert "10 51(48.57)" in paper
    assert ">10 54(51.43)" in paper
    assert "CR+PR 57(54.29)" in paper


def test_with_plus_signs_throughout_the_mean_would_not_fit() -> None:
    """The check can fail: a larger tumour that favours the response would give 83% responders."""
    wrong = LinearScore(0.6212, tuple(type(t)(t.name, abs(t.coefficient)) for t in HaicClinical().terms), "logistic")
    assert at_the_means(wrong, 68 / 105, 10.0) > 0.8


def test_the_clinical_score_by_hand() -> None:
    """0.6212 + 0.4103 - 0.0652 x 8 = 0.5099; 1 / (1 + exp(-0.5099)) = 0.624783."""
    found = predict(
        read_package("haic-mri-clinical"), PackageInputs(clinical={"vascular_invasion": 1.0, "tumor_diameter": 8.0})
    )
    assert found.score == pytest.approx(0.624783, abs=1e-6)
    assert found.applicability.status == "ok"
    assert found.applicability.reasons == ()
    assert [item.unit for item in found.contributions] == ["", "", "cm"]


@pytest.mark.parametrize(
    ("clinical", "reason"),
    [
        ({"tumor_diameter": 8.0}, "'vascular_invasion' (macrovascular invasion of the portal or hepatic vein) is miss"),
        ({"vascular_invasion": 1.0}, "'tumor_diameter' (diameter of the largest tumour) is missing"),
        ({"vascular_invasion": 2.0, "tumor_diameter": 8.0}, "should be 0 (no) or 1 (yes), found 2: correct it."),
        ({"vascular_invasion": 1.0, "tumor_diameter": 80.0}, "is 80 cm, possible is 0.1 to 40 cm."),
    ],
)
def test_the_clinical_score_refuses_wrong_inputs(clinical: dict, reason: str) -> None:
    found = predict(read_package("haic-mri-clinical"), PackageInputs(clinical=clinical))
    assert found.applicability.status == "refused"
    assert found.score is None
    assert found.contributions == ()
    assert reason in found.applicability.reasons[0]


def complete(package: Package, seed: int = 0) -> PackageInputs:
    """Return made-up inputs in which nothing is missing."""
    needs = package.requirements
    values = np.random.default_rng(seed).normal(100.0, 20.0, len(needs.features))
    phases = [need.phase for need in needs.phases]
    return PackageInputs(
        modality="MR",
        phases={phase: ImageFacts((1.0, 1.0, 3.0), (300, 300, 70)) for phase in phases},
        regions={need.region: dict.fromkeys(phases, 20.0) for need in needs.regions},
        features=dict(zip(needs.features, map(float, values), strict=True)),
        clinical={"vascular_invasion": 1.0, "tumor_diameter": 8.0},
    )


@pytest.mark.parametrize("name", ["haic-mri-cr", "haic-mri-crh"])
def test_a_single_case_without_reference_is_refused_and_told_how_to_make_one(name: str) -> None:
    package = read_package(name)
    found = predict(package, complete(package))
    assert found.applicability.status == "refused"
    assert (found.score, found.contributions) == (None, ())
    assert found.applicability.reasons == (
        "The paper does not print the mean and deviation that standardise its radiomic features, so a single case "
        f"needs a reference table from your own cohort: run 'hcc package reference {name} FEATURES.csv --out "
        f"reference.json' and give it with '--reference {name}=reference.json'.",
    )


@pytest.mark.parametrize("name", ["haic-mri-cr", "haic-mri-crh"])
def test_with_a_reference_a_case_has_a_score_worked_out_from_z_scores(name: str, tmp_path: Path) -> None:
    package = read_package(name)
    columns = package.requirements.features
    cohort = np.random.default_rng(7).normal(100.0, 20.0, (60, len(columns)))
    table = tmp_path / "features.csv"
    np.savetxt(table, cohort, delimiter=",", header=",".join(columns), comments="", fmt="%.17g")
    inputs = complete(package)
    found = predict(
        package.with_reference(make_reference(package, write_manifest(table, package), "sixty made-up cases")), inputs
    )
    z = (np.array([inputs.features[name] for name in columns]) - cohort.mean(axis=0)) / cohort.std(axis=0)
    intercept, invasion, diameter, *radiomic = coefficients(SCORES[name])
    predictor = intercept + invasion * 1.0 + diameter * 8.0 + float(np.dot(radiomic, z))
    assert found.score == pytest.approx(1 / (1 + np.exp(-predictor)), rel=1e-9)
    assert sum(item.amount for item in found.contributions) == pytest.approx(predictor, rel=1e-9)


def test_crh_needs_three_habitats_and_cr_none() -> None:
    assert [need.region for need in HaicCRH.needs.regions] == ["tumor", "habitat1", "habitat2", "habitat3"]
    assert [need.region for need in HaicCR.needs.regions] == ["tumor"]
    assert [need.phase for need in HaicCR.needs.phases] == [PRE, LAP, PVP, DP]


@pytest.mark.parametrize("name", ["haic-mri-cr", "haic-mri-crh"])
def test_the_parameter_file_is_that_of_the_original_image(name: str) -> None:
    package = read_package(name)
    settings = parse_settings(package.parameters)
    assert [kind.name for kind in settings.image_types] == ["Original"]


@pytest.mark.parametrize("name", ["haic-mri-cr", "haic-mri-crh"])
def test_the_preparation_is_that_of_section_2_5(name: str) -> None:
    found = Preparation.from_dict(read_package(name).preparation)
    assert (found.bias_correction, found.spacing) == (True, (1.0, 1.0, 1.0))
    assert (found.registration, found.reference_phase) == ("rigid", PVP)
    assert (found.normalisation, found.output_range) == ("minmax", (0.0, 255.0))
