"""Radscore is what the paper prints, coefficient by coefficient."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hccoutcome.package.applicability import ImageFacts, PackageInputs
from hccoutcome.package.prediction import Prediction
from hccoutcome.package.reading import read_package
from hccoutcome.radiomics.settings import parse_settings
from hccoutcome.survival.radscore import COEFFICIENTS, INTERCEPT, NEEDS, Radscore
from hccoutcome.systems import predict

# The formula of appendix E6 with made-up values, worked out by hand.
VALUES = {
    "gradient_glszm_ZoneEntropy": 6.5,
    "log-sigma-2-0-mm-3D_ngtdm_Contrast": 0.02,
    "log-sigma-4-0-mm-3D_glszm_SmallAreaEmphasis": 0.7,
    "square_firstorder_Variance": 1200.0,
    "wavelet-HLL_ngtdm_Complexity": 310.0,
}
BY_HAND = 0.1628708 + 0.4038247395 - 0.06194512448 - 0.0030579808 + 0.1619976 + 0.15736778


@pytest.fixture
def paper(data: Path) -> str:
    path = data.parent / "papers" / "001_a9f58de23fbbac5a.txt"
    if not path.is_file():
        pytest.skip("the paper's text lies not beside the real data")
    return path.read_text(encoding="utf-8")


def inputs(phase: str, **changes) -> PackageInputs:
    given = {
        "modality": "CT",
        "phases": {phase: ImageFacts((0.8, 0.8, 5.0), (512, 512, 40))},
        "regions": {"tumor": {phase: 80.0}},
        "features": {f"{phase}_tumor_{name}": value for name, value in VALUES.items()},
    }
    return PackageInputs(**{**given, **changes})


def test_the_coefficients_are_those_of_the_appendix(paper: str) -> None:
    formula = paper[paper.index("Radscore = ") : paper.index("Table S1")]
    assert float(re.search(r"Radscore = (\S+)", formula)[1]) == INTERCEPT
    printed = re.findall(r"(\S+)\s+×\s*(-?[0-9.]+)", formula)
    assert len(printed) == 5
    # R writes '.' where PyRadiomics writes '-' in the names of filtered images.
    ours = {re.sub(r"[-.]", ".", name): coefficient for name, coefficient in COEFFICIENTS}
    assert {name: float(number) for name, number in printed} == ours


def test_the_coefficients_are_those_of_the_table(paper: str) -> None:
    table = paper[paper.index("Table S2") :]
    for name, coefficient in COEFFICIENTS:
        row = table[table.index(re.sub(r"[-]", ".", name)) :].splitlines()
        assert float(row[1]) == coefficient, name


def test_a_score_worked_out_by_hand() -> None:
    row = {f"arterial_tumor_{name}": value for name, value in VALUES.items()}
    assert Radscore().predict([row])[0] == pytest.approx(BY_HAND, rel=1e-9)


def test_the_package_gives_the_same_score() -> None:
    found = predict(read_package("radscore-tace-ct"), inputs("arterial"))
    assert found.applicability.status == "ok"
    assert found.score == pytest.approx(BY_HAND, rel=1e-9)
    assert sum(item.amount for item in found.contributions) == pytest.approx(found.score, rel=1e-12)


def test_the_portal_phase_is_taken_with_a_warning() -> None:
    found = predict(read_package("radscore-tace-ct"), inputs("portal"))
    assert found.applicability.status == "warning"
    assert found.applicability.reasons[0].startswith("The package was made on the arterial phase, which is missing")
    assert found.score == pytest.approx(BY_HAND, rel=1e-9)


def nothing_but_a_refusal(found: Prediction) -> bool:
    return found.score is None and found.contributions == () and found.label == "" and bool(found.applicability.reasons)


@pytest.mark.parametrize(
    "changes",
    [
        {"modality": "MR"},
        {"regions": {"liver": {"arterial": 1500.0}}},
        {"regions": {"tumor": {"arterial": 0.01}}},
        {"features": {}},
        {"phases": {"delayed": ImageFacts((0.8, 0.8, 5.0), (512, 512, 40))}},
    ],
)
def test_a_refused_case_has_no_number_anywhere(changes: dict) -> None:
    found = predict(read_package("radscore-tace-ct"), inputs("arterial", **changes))
    assert found.applicability.status == "refused"
    assert nothing_but_a_refusal(found)


def test_a_score_beyond_all_numbers_is_refused() -> None:
    features = {name: 1e308 for name in inputs("arterial").features}
    features["arterial_tumor_log-sigma-2-0-mm-3D_ngtdm_Contrast"] = -1e308
    found = predict(read_package("radscore-tace-ct"), inputs("arterial", features=features))
    assert found.applicability.reasons[0].startswith("The inputs are so large that no finite score results")
    assert nothing_but_a_refusal(found)


def test_the_parameter_file_extracts_every_feature_of_the_score() -> None:
    """Image types and classes of the package's parameter file cover the five features."""
    settings = parse_settings(read_package("radscore-tace-ct").parameters)
    kinds = {kind.name.lower() for kind in settings.image_types}
    classes = {group.name for group in settings.classes}
    for name in NEEDS.features:
        image_type, group, _ = name.removeprefix("arterial_tumor_").split("_")
        assert image_type.split("-")[0] in kinds
        assert group in classes
