from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import worked_example
from explained_models import run_here
from sklearn.ensemble import RandomForestClassifier

from hccoutcome.analysis import analyse
from hccoutcome.errors import EnvironmentNeeded, InputError
from hccoutcome.explanation import package_values
from hccoutcome.explanation.background import package_background
from hccoutcome.explanation.environment import FOLDER_VARIABLE
from hccoutcome.explanation.packages import explained, needs_shap
from hccoutcome.explanation.waterfall import waterfall_of_prediction
from hccoutcome.package.applicability import ImageFacts, PackageInputs
from hccoutcome.package.format import Package, PhaseNeed, RegionNeed, Requirements, VariableNeed
from hccoutcome.package.inputs import learn_columns, table_matrix
from hccoutcome.package.learned import LearnedModel, Part
from hccoutcome.package.learned_system import LearnedSystem
from hccoutcome.package.prediction import BASE, Applicability, Prediction
from hccoutcome.package.reading import read_package
from hccoutcome.package.reference import learned_reference
from hccoutcome.package.skops_file import dump_model
from hccoutcome.package.vectors import made_up_rows, make_vectors
from hccoutcome.package.writing import write_package

FEATURE = "arterial_tumor_original_glcm_Contrast"


def training_table(seed: int = 0):
    import pandas as pd

    draw = np.random.default_rng(seed)
    table = pd.DataFrame({"afp": draw.lognormal(4, 1, 120), "alb": draw.normal(38, 4, 120)})
    table["bclc"] = draw.choice(["A", "B", "C"], 120)
    table[FEATURE] = draw.lognormal(2, 0.5, 120)
    responded = (table["alb"] > 36) & (table[FEATURE] < 9.0)
    return table, responded.to_numpy()


def make_package(linear: bool = False) -> Package:
    """Return a package whose response depends on two inputs together, or one that is linear."""
    table, responded = training_table()
    columns = learn_columns(table)
    if linear:
        part = Part("both", columns, (0.3, -0.2, 0.5, 0.1), intercept=0.4, link="logistic")
    else:
        forest = RandomForestClassifier(12, max_depth=4, random_state=0).fit(table_matrix(columns, table), responded)
        part = Part("both", columns, model=forest)
    model = LearnedModel("response", (part,))
    package = Package(
        name="toy-forest",
        version="1.0.0",
        system="prime-r",
        title="Toy forest",
        endpoint="nothing",
        scale="probability",
        citation="Nobody, 2026",
        requirements=Requirements(
            modality="CT",
            phases=(PhaseNeed("arterial", ("portal",)),),
            regions=(RegionNeed("tumor"),),
            features=(FEATURE,),
            variables=(
                VariableNeed("afp", unit="ng/mL", meaning="AFP"),
                VariableNeed("alb", unit="g/L", meaning="albumin"),
                VariableNeed("bclc", "category", meaning="stage", codes=("A", "B", "C")),
            ),
        ),
        parameters="setting:\n  binWidth: 25\n",
        weights=model.to_json(),
        models={} if linear else {"both.skops": dump_model(part.model)},
        vectors=make_vectors(model, made_up_rows(columns, {name: table[name].tolist() for name in table})),
        card="# Toy\n",
        software={"hccoutcome": "0.1.0"},
    )
    numbers = {name: table[name].to_numpy() for name in ("afp", "alb")}
    features = {FEATURE: table[FEATURE].to_numpy()}
    return package.with_reference(learned_reference(features, numbers, package.settings_sha256, "toys", len(table)))


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Package:
    return read_package(write_package(make_package(), tmp_path_factory.mktemp("packages") / "toy-forest"))


INPUTS = PackageInputs(
    modality="CT",
    phases={"portal": ImageFacts((0.8, 0.8, 1.0), (300, 300, 100))},
    regions={"tumor": {"portal": 40.0}},
    features={FEATURE.replace("arterial", "portal"): 12.0},
    clinical={"afp": 300.0, "alb": 31.0, "bclc": "C"},
)


def predicted(package: Package) -> Prediction:
    """Return what the package says of the case, its feature by the name of the phase that was read."""
    outcome = LearnedSystem().compute(package, INPUTS)
    names = {FEATURE: FEATURE.replace("arterial", "portal")}
    contributions = tuple(replace(item, name=names.get(item.name, item.name)) for item in outcome.contributions)
    return Prediction(
        package.name,
        package.version,
        package.sha256,
        package.title,
        package.endpoint,
        outcome.score,
        package.scale,
        Applicability("ok"),
        contributions=contributions,
    )


@pytest.fixture(scope="module")
def found(package) -> Prediction:
    return explained(predicted(package), package, INPUTS, seed=2)


def test_a_forest_in_a_package_is_explained_without_a_patients_row(package, found) -> None:
    assert needs_shap(package)
    base, *inputs = found.contributions
    assert base.name == BASE
    assert base.value.startswith("rows made up from the training distribution")
    assert "exact Shapley values over all subsets" in base.value
    assert base.amount + sum(item.amount for item in inputs) == pytest.approx(found.score, abs=1e-9)
    assert (found.linear_scale, found.scale) == ("probability", "probability")
    amounts = {item.name: abs(item.amount) for item in inputs}
    assert min(amounts["alb"], amounts[FEATURE.replace("arterial", "portal")]) > amounts["afp"]
    waterfall = waterfall_of_prediction(found)
    assert waterfall.base_in_words.startswith("mean over the background: rows made up")


def test_the_same_seed_gives_the_same_amounts(package, found) -> None:
    assert explained(predicted(package), package, INPUTS, seed=2) == found


def test_a_linear_package_needs_no_process(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "nowhere"))
    package = read_package(write_package(make_package(linear=True), tmp_path / "toy"))
    prediction = predicted(package)
    assert not needs_shap(package)
    assert explained(prediction, package, INPUTS) is prediction
    assert waterfall_of_prediction(prediction).output_in_words == f"probability {prediction.score:.3g}"


def test_what_the_process_computes_for_a_linear_package_is_what_the_package_says(tmp_path: Path) -> None:
    package = read_package(write_package(make_package(linear=True), tmp_path / "toy"))
    row = {"afp": 300.0, "alb": 31.0, "bclc": "C", FEATURE: 12.0}
    found = package_values.explain_package(package, row)
    assert found.method == "exact"
    amounts = {item.name.replace("portal", "arterial"): item.amount for item in predicted(package).contributions}
    background = package_background(LearnedSystem().load(package).columns, package.reference).rows
    model = LearnedModel.from_json(package.weights)
    means = np.mean(
        [[item.amount for item in model.contributions(row, {})] for row in background.to_dict("records")], 0
    )
    expected = [amounts[name] - mean for name, mean in zip(found.names, means[1:], strict=True)]
    np.testing.assert_allclose(found.values[0], expected, atol=1e-9)
    assert found.base[0] == pytest.approx(means.sum(), abs=1e-9)
    assert found.output[0] == pytest.approx(np.log(predicted(package).score / (1 - predicted(package).score)))


def test_without_the_private_folder_the_sentence_reaches_the_user(package, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(EnvironmentNeeded, match=r"private folder with the PyPI package slicer==0\.0\.8"):
        explained(predicted(package), package, INPUTS)


def test_a_package_that_was_never_written_or_changed_meanwhile_is_refused(package) -> None:
    prediction = predicted(package)
    with pytest.raises(InputError, match="has to be written"):
        explained(prediction, replace(package, source=None), INPUTS)
    with pytest.raises(InputError, match="was changed while it was being applied"):
        explained(prediction, replace(package, sha256="0" * 64), INPUTS)


def test_what_the_analysis_loads_is_light() -> None:
    done = run_here(
        "import sys, hccoutcome.explanation.packages, hccoutcome.explanation.figures\n"
        "print([name for name in ('pandas', 'sklearn', 'shap', 'slicer') if name in sys.modules])"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_an_analysis_gives_the_score_with_or_without_its_explanation(package, tmp_path: Path, monkeypatch) -> None:
    case = worked_example.case()
    case = replace(case, clinical={"afp": 300.0, "alb": 31.0, "bclc": "C"})
    told = analyse(case, [package])
    (prediction,) = told.predictions
    assert prediction.contributions[0].name == BASE
    assert prediction.contributions[4].name == FEATURE
    assert "unexplained" not in told.provenance
    assert analyse(case, [package], explain=False).predictions[0].contributions[0].amount is None
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "nowhere"))
    without = analyse(case, [package])
    assert without.predictions[0].score == prediction.score
    assert "slicer==0.0.8" in without.provenance["unexplained"][package.name]
