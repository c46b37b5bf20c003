"""From a table to a package that one new case needs nothing else for: figures, inputs, curves, the same bytes again."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from simulated_patients import patients, write_tables

from hccoutcome.cli import main
from hccoutcome.cohort.extraction import Extraction, find_extraction
from hccoutcome.cohort.packaging import TrainSettings, joined, learning_data, train_package
from hccoutcome.cohort.training import read_training_table
from hccoutcome.cohort.training_card import doubts_of
from hccoutcome.errors import InputError
from hccoutcome.evaluation.crossvalidated import cross_validated
from hccoutcome.evaluation.crossvalidation import derive_seed, out_of_fold
from hccoutcome.package.applicability import ImageFacts, PackageInputs
from hccoutcome.package.reading import read_package
from hccoutcome.package.writing import package_files, write_package
from hccoutcome.radiomics.settings import load_settings
from hccoutcome.resources import resource
from hccoutcome.stability.table import FeatureStability, Gate, StabilityTable
from hccoutcome.systems import predict
from hccoutcome.trainable import make_estimator

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = resource("Parameters", "hcc-tace-seg.yaml").read_text(encoding="utf-8")
QUICK = {"folds": 3, "repeats": 2, "extraction": Extraction(SETTINGS)}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return write_tables(tmp_path_factory.mktemp("patients"))


@pytest.fixture(scope="module")
def cohort(tables):
    return read_training_table(*tables)


@pytest.fixture(scope="module")
def trained(cohort):
    return train_package(cohort, TrainSettings("cox-ridge", "os", modality="early", **QUICK))


def case_inputs(case: str, **changes) -> PackageInputs:
    """What an analysis would find of one of the patients."""
    row = patients(80)[0].loc[case]
    known = {name: value for name, value in row.items() if value is not None and value == value}
    found = {
        "modality": "CT",
        "phases": {"arterial": ImageFacts((0.8, 0.8, 2.5), (512, 512, 90))},
        "regions": {"tumor": {"arterial": 30.0}},
        "features": {name: value for name, value in known.items() if name.startswith("arterial")},
        "clinical": {name: value for name, value in known.items() if not name.startswith("arterial")},
    }
    return PackageInputs(**{**found, **changes})


def test_a_case_needs_nothing_but_the_package(tmp_path, cohort, trained):
    package = read_package(write_package(trained.package, tmp_path / "package"))
    estimator = make_estimator("cox-ridge", modality="early").fit(*cohort.survival_data("os"))
    complete = cohort.X.dropna().index[:5]
    for case in complete:
        found = predict(package, case_inputs(case))
        assert found.score == pytest.approx(estimator.predict(cohort.X.loc[[case]])[0], rel=1e-9)
        assert found.label in ("low risk", "high risk")
        assert found.scale == "log hazard"
        assert sum(item.amount for item in found.contributions) == pytest.approx(found.score)


def test_the_figures_of_the_card_are_those_of_the_cross_validation(cohort, trained):
    table, outcome = cohort.survival_data("os")
    by_hand = joined(
        [
            out_of_fold(make_estimator("cox-ridge", modality="early"), table, outcome, folds=3, seed=derive_seed(0, r))
            for r in range(2)
        ]
    )
    estimate = cross_validated(by_hand)
    row = f"| C-index (Harrell) | {estimate.value:.3f} | {estimate.lower:.3f} to {estimate.upper:.3f} | 3-fold cross-va"
    assert row in trained.package.card
    np.testing.assert_array_equal(by_hand.predictions, trained.cross_validation.predictions)
    assert "(flatters)" in trained.package.card
    assert "nested cross-validation (3 folds, 2 repeats)" in trained.package.card
    assert f"{len(table)} patients with a known outcome, {outcome['event'].sum()} events" in trained.package.card


def test_requirements_are_those_of_the_columns_that_the_model_reads(trained):
    needs = trained.package.requirements
    assert needs.modality == "CT"
    assert [need.phase for need in needs.phases] == ["arterial"]
    assert [need.region for need in needs.regions] == ["tumor"]
    assert {need.name for need in needs.variables} == {"age", "afp", "bclc", "sex", "cirrhosis"}
    assert needs.most_missing == 1
    age = next(need for need in needs.variables if need.name == "age")
    ages = patients(80)[0]["age"].dropna()
    assert (age.usual.low, age.usual.high) == (np.quantile(ages, 0.01), np.quantile(ages, 0.99))
    assert age.stand_in == f"the training cohort's median, {ages.median():.4g} years"
    bclc = next(need for need in needs.variables if need.name == "bclc")
    assert bclc.stand_in.startswith("the training cohort's median, ")
    assert bclc.codes == ("0", "A", "B", "C", "D")


def test_the_reference_tells_quantiles_and_no_row(trained, cohort):
    reference = trained.package.reference
    name = "arterial_tumor_original_firstorder_Mean"
    values = cohort.X[name].dropna()
    known = reference.features[name]
    assert known.quantiles == pytest.approx(tuple(values.quantile([0.05, 0.25, 0.5, 0.75, 0.95])))
    assert (known.low, known.high) == pytest.approx(tuple(values.quantile([0.01, 0.99])))
    assert set(reference.variables) == {"age", "afp", "cirrhosis"} - {"cirrhosis"}
    assert reference.cases == len(cohort.X)
    text = b"".join(package_files(trained.package).values()).decode("utf-8")
    assert not [case for case in cohort.patients if case in text]
    told = {value for value in values if repr(float(value)) in text}
    assert told <= {*known.quantiles, float(values.median())}, "a value that is no quantile"


def test_a_case_outside_of_the_training_cohort_is_warned_about(trained, cohort):
    inputs = case_inputs(cohort.X.dropna().index[0])
    name = "arterial_tumor_original_firstorder_Mean"
    far = predict(trained.package, case_inputs("P000", features={**inputs.features, name: 900.0},
                                               clinical={**inputs.clinical, "age": 99.0}))  # fmt: skip
    assert far.applicability.status == "warning"
    assert any(f"'{name}' is 900, outside the" in reason for reason in far.applicability.reasons)
    assert any("'age' (Age) is 99 years, the package was made on" in reason for reason in far.applicability.reasons)
    assert predict(trained.package, case_inputs("P000", modality="MR")).score is None
    assert predict(trained.package, case_inputs("P000", features={})).score is None


def test_survival_by_score_and_by_group_travels_with_the_package(trained, cohort):
    prognosis = trained.package.prognosis
    assert prognosis.endpoint == "os"
    assert prognosis.low.cases + prognosis.high.cases == len(cohort.X)
    assert prognosis.curve.coefficient > 0
    estimator = make_estimator("cox-ridge", modality="early").fit(*cohort.survival_data("os"))
    assert prognosis.cut == pytest.approx(estimator.cut_)
    better, worse = (prognosis.curve.survival(prognosis.cut + shift)[0] for shift in (-0.5, 0.5))
    assert np.all(better[1:] > worse[1:])


@pytest.mark.parametrize(
    ("system", "endpoint", "changes"),
    [
        ("prime-r", "mrecist", {"modality": "late", "candidates": ("gradient-boosting",)}),
        ("prime-s", "os", {"modality": "late"}),
        ("logistic-ridge", "mrecist", {"modality": "early"}),
        ("survival-forest", "os", {"modality": "clinical"}),
        ("survival-boosting", "os", {"modality": "imaging"}),
        ("radscore", "os", {}),
        ("clinical", "mrecist", {}),
        ("cr", "mrecist", {"images": "CT"}),
        ("bclc", "os", {}),
        ("bclc", "mrecist", {}),
    ],
)
def test_every_system_ends_in_a_package_that_applies(tmp_path, cohort, system, endpoint, changes):
    settings = TrainSettings(system, endpoint, **{**QUICK, "repeats": 1, "folds": 2, **changes})
    trained = train_package(cohort, settings)
    package = read_package(write_package(trained.package, tmp_path / "package"))
    found = predict(package, case_inputs(cohort.X.dropna().index[0]))
    assert found.score is not None, found.applicability.reasons
    assert (found.scale == "probability") == (endpoint == "mrecist")
    assert package.settings["system"] == system
    assert package.software["scikit-learn"]
    if package.scale == "probability":
        assert 0 <= found.score <= 1
        assert package.prognosis is None


def test_training_again_gives_the_same_bytes_in_another_process(tmp_path, tables, cohort):
    arguments = [
        "train", "prime-r", str(tables[0]), "--features", str(tables[1]), "--modality", "imaging", "--seed", "5",
        "--candidate", "gradient-boosting", "--extraction", "hcc-tace-seg", "--folds", "2", "--repeats", "1",
    ]  # fmt: skip
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from hccoutcome.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--out", str(tmp_path / "other")],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert other.returncode == 0, other.stderr
    assert main([*arguments, "--out", str(tmp_path / "here")]) == 0
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("here", "other")]
    assert files[0] == files[1]
    assert "imaging.skops" in files[0]


def test_crh_is_trained_by_the_command_and_asks_a_case_for_the_habitats_that_it_reads(tmp_path):
    table, features = write_tables(tmp_path / "crh", 100)
    found = pd.read_csv(features, index_col=0)
    signal = patients(100)[1] + np.random.default_rng(3).normal(size=100)
    found.assign(**{"arterial_habitat2_original_firstorder_Kurtosis": signal}).to_csv(features)
    arguments = ["train", "crh", str(table), "--features", str(features), "--images", "MR", "--extraction", "haic-mri"]
    assert main([*arguments, "--folds", "2", "--repeats", "1", "--out", str(tmp_path / "package")]) == 0
    package = read_package(tmp_path / "package")
    assert package.requirements.modality == "MR"
    assert "habitat2" in {need.region for need in package.requirements.regions}
    assert "arterial_habitat2_original_firstorder_Kurtosis" in package.requirements.features


def test_the_command_says_what_came_out(tmp_path, tables, capsys):
    arguments = ["train", "bclc", str(tables[0]), "--folds", "3", "--repeats", "1", "--out", str(tmp_path / "b.zip")]
    assert main([*arguments, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["columns"] == ["bclc"]
    assert 0.5 < answer["value"] < 1
    assert answer["sha256"] == read_package(tmp_path / "b.zip").sha256
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "BCLC stage alone (clinical, overall survival): bclc-os-clinical 1.0.0" in printed
    assert f"C-index {answer['value']:.3f} (95% CI " in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prim-r", "{table}"], "'prim-r' is not a system that can be trained; did you mean 'prime-r'"),
        (["prime-s", "{table}"], "The model reads imaging columns and the table has none"),
        (["prime-s", "{table}", "--features", "{features}"], "Nothing says how the features of 'features.csv' were"),
        (["prime-s", "{table}", "--features", "{features}", "--extraction", "prim"], "'prim' is neither a package nor"),
        (["prime-s", "{table}", "--modality", "clinical", "--endpoint", "osx"], "'osx' is not an endpoint; did you"),
        (["prime-s", "{table}", "--modality", "clinical", "--endpoint", "pfs"], "should hold the endpoint 'pfs'"),
        (["prime-s", "{table}", "--modality", "clinical", "--endpoint", "mrecist"], "PRIME-S learns survival, asked"),
        (["prime-s", "{table}", "--modality", "late-fusion"], "does not read 'late-fusion'; Known: clinical"),
        (["albi", "{table}"], "reads 'albi' alone and the table lacks it"),
        (["bclc", "nothing.csv"], "'nothing.csv' cannot be read"),
        (["bclc", "{table}", "--folds", "1"], "at least 2 folds"),
        (["bclc", "{table}", "--stability", "none.json"], "none.json"),
    ],
)
def test_wrong_input_is_answered_in_one_sentence(tmp_path, tables, capsys, arguments, message):
    named = [word.format(table=tables[0], features=tables[1]) for word in arguments]
    assert main(["train", *named, "--repeats", "1", "--out", str(tmp_path / "x")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "x").exists()


def test_a_folder_with_other_things_is_refused_before_training(tmp_path, tables, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["train", "bclc", str(tables[0]), "--out", str(tmp_path)]) == 2
    assert "exists and is not a model package" in capsys.readouterr().err


def test_unstable_features_are_left_out_and_the_table_travels_along(cohort):
    names = cohort.imaging
    entries = tuple(FeatureStability(name, icc=0.9 if "Mean" in name else 0.2, stable="Mean" in name, subjects=20)
                    for name in names)  # fmt: skip
    table = StabilityTable(entries, Gate(0.75), "A-1", 20, 3)
    settings = TrainSettings("radscore", "os", stability=table, **{**QUICK, "repeats": 1, "folds": 2})
    package = train_package(cohort, settings).package
    assert package.requirements.features == ("arterial_tumor_original_firstorder_Mean",)
    assert [item.feature for item in package.stability.features] == list(package.requirements.features)


# --- where the features come from -------------------------------------------------------------------------------------


def manifest(folder: Path, features: Path, **changes) -> None:
    found = {
        "tables": {features.name: hashlib.sha256(features.read_bytes()).hexdigest()},
        "settings": ["hcc-tace-seg"],
        "settings_sha256": {},
        **changes,
    }
    (folder / "manifest.json").write_text(json.dumps(found), encoding="utf-8")


def test_the_manifest_of_a_cohort_run_says_it(tmp_path):
    _, features = write_tables(tmp_path)
    manifest(tmp_path, features)
    found = find_extraction(features, None)
    assert (found.parameters, found.preparation, found.verified) == (SETTINGS, {}, True)
    assert find_extraction(features, "hcc-tace-seg") == found
    with pytest.raises(InputError, match="did not use 'prime', but hcc-tace-seg: name that"):
        find_extraction(features, "prime")
    mri = read_package("haic-mri-cr")
    manifest(tmp_path, features, settings=[], settings_sha256={"haic-mri-cr": mri.settings_sha256})
    found = find_extraction(features, None)
    assert (found.parameters, found.preparation) == (mri.parameters, mri.preparation)
    manifest(tmp_path, features, settings=["prime", "radscore"])
    with pytest.raises(InputError, match="used prime, radscore: name the one"):
        find_extraction(features, None)
    manifest(tmp_path, features, tables={})
    with pytest.raises(InputError, match="is not the table that the cohort run beside it wrote"):
        find_extraction(features, None)


def test_settings_may_be_named_where_no_run_says_it(tmp_path):
    _, features = write_tables(tmp_path)
    assert find_extraction(features, "hcc-tace-seg") == Extraction(SETTINGS)
    own = tmp_path / "own.yaml"
    own.write_text("setting:\n  binWidth: 10\n", encoding="utf-8")
    assert find_extraction(features, str(own)).parameters == own.read_text(encoding="utf-8")
    assert find_extraction(features, "radscore-tace-ct").parameters == read_package("radscore-tace-ct").parameters
    with pytest.raises(InputError, match="The package 'albi' extracts no features"):
        find_extraction(features, "albi")
    own.write_text("setting:\n  binWidht: 10\n", encoding="utf-8")
    with pytest.raises(InputError, match="binWid"):
        find_extraction(features, str(own))


def test_the_shipped_settings_extract_the_107_features_of_the_original_image():
    settings = load_settings("hcc-tace-seg")
    assert sum(len(group.features) for group in settings.classes) == 107
    assert [kind.name for kind in settings.image_types] == ["Original"]


def test_endpoints_are_found_by_name(cohort):
    assert learning_data(cohort, "os").endpoint == "overall survival"
    found = learning_data(cohort, "mrecist")
    assert (found.task, found.endpoint) == ("response", "objective response (CR or PR by mRECIST)")
    with pytest.raises(InputError, match="'mrecits' is not an endpoint; did you mean 'mrecist'"):
        learning_data(cohort, "mrecits")


def _changed(tables, folder, change):
    """Read the clinical table after a change of its frame."""
    table = pd.read_csv(tables[0], dtype=str, keep_default_na=False)
    change(table).to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


def test_figures_too_good_to_be_true_are_doubted_where_they_are_told(tables, tmp_path, capsys) -> None:
    leaking = _changed(tables, tmp_path, lambda table: table.assign(diabetes=(table["mrecist"] == "PR").astype(int)))
    words = ["logistic-ridge", str(leaking), "--modality", "clinical", "--folds", "3", "--repeats", "1"]
    assert main(["train", *words, "--out", str(tmp_path / "leaking")]) == 0
    doubt = "is a leak until proven otherwise: look for columns that follow from the outcome."
    assert doubt in capsys.readouterr().out
    assert doubt in (tmp_path / "leaking" / "card.md").read_text(encoding="utf-8")


def test_a_model_below_chance_is_not_said_to_reach_it(cohort) -> None:
    X, y = cohort.response_data("mrecist")
    found = out_of_fold(make_estimator("logistic-ridge", modality="clinical"), X, y, folds=3)
    reversed_ = replace(found, predictions=1 - np.where(y, 0.9, 0.1)[None] + 0.01 * found.predictions)
    (doubt,) = doubts_of(reversed_, cohort)
    assert "AUC lies below 0.5: the model does worse than chance" in doubt
    assert doubts_of(found, cohort) == ()


def test_equal_rows_under_several_names_are_doubted(tables, tmp_path) -> None:
    def change(table):
        return pd.concat([table, table.iloc[:3].assign(case_id=["one more", "two more", "three more"])])

    table = read_training_table(_changed(tables, tmp_path, change))
    made = train_package(table, TrainSettings("cox-ridge", "os", modality="clinical", folds=2, repeats=1))
    assert any(doubt.startswith("3 rows stand in the table under more than one name") for doubt in made.doubts)
    assert "3 rows stand in the table under more than one name" in made.package.card


def test_a_name_that_no_package_may_have_is_refused_before_the_work(cohort) -> None:
    settings = TrainSettings("cox-ridge", "os", modality="clinical", name="My model", folds=3, repeats=10**6)
    with pytest.raises(InputError, match="'name' should be lower case letters, digits and dashes, found 'My model'"):
        train_package(cohort, settings)
