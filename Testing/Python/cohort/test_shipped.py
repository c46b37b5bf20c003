"""The packages trained on open data: what their data give, what their cards admit, and how they meet other cases."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hccoutcome.cohort.packaging import learning_data
from hccoutcome.cohort.shipped import KINDS, OpenData, main, read_open_data, settings_of_all
from hccoutcome.package.applicability import ImageFacts, PackageInputs
from hccoutcome.package.commands import verify
from hccoutcome.package.learned import LearnedModel
from hccoutcome.package.reading import read_package
from hccoutcome.systems import predict
from hccoutcome.trainable import make_estimator

NAMES = tuple(f"tace-{what}-{kind}" for what in ("response", "survival") for kind in KINDS)
FIGURE = re.compile(r"\| (?P<name>AUC|C-index \(Harrell\)) \| (?P<value>[\d.]+) \| (?P<low>[\d.]+) to (?P<high>[\d.]+)")
RECORD = {
    "age": 66.0, "sex": "male", "ecog": 0.0, "hbv": 1.0, "hcv": 0.0, "hepatitis": 1.0, "cirrhosis": 1.0, "smoking": 1.0,
    "alcohol": 0.0, "diabetes": 0.0, "afp": 300.0, "tumor_diameter": 7.5, "tumor_morphology": "multinodular",
    "tumor_over_half": 0.0, "portal_vein_thrombus": 0.0, "vascular_invasion": 0.0, "metastasis": 0.0, "lymph_node": 0.0,
    "bclc": "B", "child_pugh": "A",
}  # fmt: skip


@pytest.fixture(scope="module")
def open_data(data: Path) -> OpenData:
    return read_open_data(data / "hcc_tace_tables")


def inputs(name: str, phase: str = "arterial", **changes) -> PackageInputs:
    """A case at the training cohort's medians."""
    reference = read_package(name).reference
    values = {column: known.quantiles[2] for column, known in reference.features.items()}
    given = {
        "modality": "CT",
        "phases": {phase: ImageFacts((0.8, 0.8, 2.5), (512, 512, 90))},
        "regions": {"tumor": {phase: 80.0}},
        "features": {column.replace("arterial", phase): value for column, value in values.items()},
        "clinical": RECORD,
    }
    return PackageInputs(**{**given, **changes})


@pytest.mark.parametrize("name", NAMES)
def test_the_packages_are_intact_small_and_linear(name: str) -> None:
    assert verify(name)["intact"]
    package = read_package(name)
    assert LearnedModel.from_json(package.weights).is_linear
    assert package.models == {}
    assert sum(path.stat().st_size for path in package.source.iterdir()) < 150_000


@pytest.mark.parametrize("name", NAMES)
def test_the_cards_say_how_little_is_known(name: str) -> None:
    card = read_package(name).card
    found = FIGURE.search(card)
    value, low, high = (float(found[part]) for part in ("value", "low", "high"))
    assert low < value < high
    # Far above what a ridge regression reaches on these data would mean a leak.
    assert value < (0.75 if "response" in name else 0.68)
    assert "HCC-TACE-Seg" in card
    assert "there is no external validation" in card
    assert ("that it tells nothing is not excluded" in card) == (low <= 0.5)
    assert ("without the phase of their CT" in card) == ("clinical" not in name)
    assert ("mRECIST by reader 1 of three" in card) == ("response" in name)
    assert "HCC_0" not in card


@pytest.mark.parametrize("name", NAMES)
def test_a_response_has_a_threshold_and_the_card_says_what_it_is_worth(name: str) -> None:
    package = read_package(name)
    assert (package.threshold is not None) == ("response" in name)
    if package.threshold is not None:
        assert package.threshold.patients == 95
        for rate, title in (
            (package.threshold.sensitivity, "sensitivity"),
            (package.threshold.specificity, "specific"),
        ):
            assert rate.lower < rate.value < rate.upper
            row = next(line for line in package.card.splitlines() if line.startswith(f"| {title}"))
            assert f"| {rate.value:.3f} | {rate.lower:.3f} to {rate.upper:.3f} |" in row
        assert f"{package.threshold.value:.4g}, the threshold with the largest sum" in package.card


@pytest.mark.parametrize("name", NAMES)
def test_the_packages_apply_to_a_case(name: str) -> None:
    found = predict(read_package(name), inputs(name))
    assert found.score is not None
    assert sum(item.amount for item in found.contributions) == pytest.approx(
        np.log(found.score / (1 - found.score)) if found.scale == "probability" else found.score
    )
    reasons = " ".join(found.applicability.reasons)
    assert ("nothing confirms it" in reasons) == ("clinical" not in name)
    assert found.applicability.status == ("ok" if "clinical" in name else "warning")


def test_the_portal_phase_coarse_voxels_and_other_images_have_their_verdict() -> None:
    name = "tace-survival-imaging"
    portal = predict(read_package(name), inputs(name, "portal"))
    assert any("made on the arterial phase, which is missing" in reason for reason in portal.applicability.reasons)
    coarse = inputs(name, phases={"arterial": ImageFacts((0.8, 0.8, 7.5), (512, 512, 40))})
    reasons = predict(read_package(name), coarse).applicability.reasons
    assert any("voxels of the arterial image have 4.8 mm3 and the package was made on" in reason for reason in reasons)
    assert predict(read_package(name), inputs(name, modality="MR")).score is None
    assert predict(read_package(name), inputs(name, regions={})).score is None


@pytest.mark.parametrize("name", ["tace-response-clinical", "tace-survival-clinical"])
def test_six_of_twenty_variables_may_be_missing(name: str) -> None:
    package = read_package(name)
    assert len(package.requirements.variables) == 20
    names = list(RECORD)
    for missing, status in ((0, "ok"), (6, "warning"), (7, "refused")):
        clinical = {key: RECORD[key] for key in names[missing:]}
        assert predict(package, PackageInputs(clinical=clinical)).applicability.status == status


@pytest.mark.parametrize("name", ["tace-survival-clinical", "tace-survival-imaging", "tace-survival-fusion"])
def test_survival_packages_tell_groups_and_curves(name: str) -> None:
    prognosis = read_package(name).prognosis
    assert prognosis.low.cases + prognosis.high.cases == 103
    assert prognosis.low.events + prognosis.high.events == 92
    mid, low, high = prognosis.curve.survival(prognosis.cut)
    year = 12
    assert 0.5 < low[year] < mid[year] < high[year] < 0.95


@pytest.mark.parametrize("name", NAMES)
def test_the_same_data_give_the_same_weights(open_data: OpenData, name: str) -> None:
    """``python -m hccoutcome.cohort.shipped DATA Resources/Models`` writes them; cross-validating takes a minute."""
    settings = next(item for item in settings_of_all(open_data) if item.name == name)
    data = learning_data(open_data.cohort, settings.endpoint, settings.reader)
    estimator = make_estimator(
        settings.system, task=data.task, modality=settings.modality, seed=settings.seed, stability=settings.stability
    ).fit(data.X, data.y)
    package = read_package(name)
    shipped = LearnedModel.from_json(package.weights)
    assert estimator.model_.names == shipped.names
    np.testing.assert_allclose(estimator.model_.predict_table(data.X), shipped.predict_table(data.X), rtol=1e-6)
    assert package.settings["patients"] == len(data.X)
    assert package.settings["seed"] == settings.seed


def test_the_open_data_are_those_of_the_card(open_data: OpenData) -> None:
    assert open_data.cohort.X.shape[0] == 103
    assert len(open_data.cohort.imaging) == 107
    response, known = open_data.cohort.response("mrecist", "1")
    assert (known.sum(), response.sum()) == (95, 61)
    assert open_data.voxels == pytest.approx((0.858, 3.052), abs=1e-3)
    assert len(open_data.stability.stable) == 23


def test_settings_of_the_extraction_explain_the_table(open_data: OpenData) -> None:
    """Bins of 25 and no resampling: the mean grey level index follows from the mean and the lowest level."""
    table = open_data.cohort.X.filter(like="arterial_tumor_original_")
    column = {name: table[f"arterial_tumor_original_{name}"] for name in
              ("firstorder_Mean", "firstorder_Minimum", "glcm_JointAverage", "firstorder_Energy",
               "firstorder_RootMeanSquared")}  # fmt: skip
    lowest = np.floor(column["firstorder_Minimum"] / 25) * 25
    index = (column["firstorder_Mean"] - lowest) / 25 + 0.5
    assert (index - column["glcm_JointAverage"]).abs().median() < 0.1
    voxels = column["firstorder_Energy"] / column["firstorder_RootMeanSquared"] ** 2
    assert (voxels - voxels.round()).abs().max() < 1e-3


def test_wrong_data_are_answered_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), str(tmp_path / "out")]) == 2
    assert "should hold 'HCC-TACE-Seg_clinical_data-V2.xlsx' and does not" in capsys.readouterr().err


def test_the_page_tells_the_thresholds_of_the_packages() -> None:
    page = (Path(__file__).parents[3] / "Docs" / "systems" / "hcc-tace-seg.md").read_text(encoding="utf-8")
    for kind in KINDS:
        told = read_package(f"tace-response-{kind}").threshold
        rates = [f"{r.value:.2f} ({r.lower:.2f} to {r.upper:.2f})" for r in (told.sensitivity, told.specificity)]
        assert f"| `tace-response-{kind}` | {told.value:.3f} | {rates[0]} | {rates[1]} |" in page
