"""Studies from a table to the figures: equal to direct calls of the library, told of what is wrong, chance on noise."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import CoxPHFitter
from simulated_patients import write_tables
from sklearn.metrics import brier_score_loss, confusion_matrix, roc_auc_score
from sksurv.metrics import brier_score, concordance_index_censored
from sksurv.util import Surv

from hccoutcome.cohort.evaluate import evaluate
from hccoutcome.cohort.evaluate_contenders import contenders_of, endpoint_of, verified_packages
from hccoutcome.cohort.evaluate_packages import masked
from hccoutcome.cohort.evaluate_patients import published_subgroups, read_study_cohort
from hccoutcome.cohort.evaluate_settings import StudySettings
from hccoutcome.cohort.extraction import Extraction
from hccoutcome.cohort.packaging import TrainSettings, train_package
from hccoutcome.cohort.training import read_training_table
from hccoutcome.errors import InputError
from hccoutcome.evaluation.cox import hazard_ratio, with_and_without
from hccoutcome.evaluation.crossvalidated import compare_cross_validated, cross_validated
from hccoutcome.evaluation.crossvalidation import out_of_fold
from hccoutcome.evaluation.estimate import Estimate
from hccoutcome.evaluation.matching import match
from hccoutcome.evaluation.outlook import WithSurvival
from hccoutcome.package.reading import read_package
from hccoutcome.package.writing import write_package
from hccoutcome.report.study_tables import tables_of
from hccoutcome.report.study_words import verdict
from hccoutcome.resources import resource
from hccoutcome.survival.outlook import high_risk
from hccoutcome.trainable import make_estimator

QUICK = {"folds": 2, "repeats": 2}
NOTHING_ELSE = {**QUICK, "baselines": False}


def rewritten(path: Path, to: Path, change) -> Path:
    """Write a table changed by a function of its rows."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    change(rows)
    with to.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return to


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> tuple[Path, Path]:
    return write_tables(tmp_path_factory.mktemp("patients"))


@pytest.fixture(scope="module")
def other_tables(tmp_path_factory) -> tuple[Path, Path]:
    return write_tables(tmp_path_factory.mktemp("others"), 60, seed=5)


@pytest.fixture(scope="module")
def response_study(tables):
    names = ("logistic-ridge:clinical", "logistic-ridge:imaging")
    return evaluate(read_study_cohort(*tables), StudySettings(names, **QUICK))


@pytest.fixture(scope="module")
def survival_study(tables):
    return evaluate(read_study_cohort(*tables), StudySettings(("cox-ridge:clinical",), **QUICK))


@pytest.fixture(scope="module")
def package(tables, tmp_path_factory) -> Path:
    extraction = Extraction(resource("Parameters", "hcc-tace-seg.yaml").read_text(encoding="utf-8"))
    settings = TrainSettings("cox-ridge", "os", modality="early", extraction=extraction, **QUICK)
    made = train_package(read_training_table(*tables), settings).package
    return write_package(made, tmp_path_factory.mktemp("package") / "cox")


def test_a_response_is_measured_as_the_library_measures_it(tables, response_study) -> None:
    X, y = read_training_table(*tables).response_data("mrecist")
    first, second = (
        out_of_fold(make_estimator("logistic-ridge", modality=modality), X, y, **QUICK)
        for modality in ("clinical", "imaging")
    )
    item = response_study.figures[0]
    assert item.main == cross_validated(first)
    assert item.finished.value == pytest.approx(roc_auc_score(y, first.mean_prediction))
    assert item.brier.score.value == pytest.approx(brier_score_loss(y, first.mean_prediction))
    classes = confusion_matrix(y, first.positive_in_most).ravel().tolist()
    found = item.classes
    assert [found.true_negative, found.false_positive, found.false_negative, found.true_positive] == classes
    fitted = make_estimator("logistic-ridge", modality="clinical").fit(X, y)
    assert item.apparent.value == pytest.approx(roc_auc_score(y, fitted.predict_proba(X)[:, 1]))
    assert response_study.versus[0].systems == compare_cross_validated(first, second)


def test_survival_is_measured_as_the_library_measures_it(tables, survival_study) -> None:
    X, y = read_training_table(*tables).survival_data("os")
    found = out_of_fold(
        WithSurvival(make_estimator("cox-ridge", modality="clinical")), X, y, **QUICK, times=survival_study.times
    )
    item = survival_study.figures[0]
    assert item.main == cross_validated(found)
    given = survival_study.predicted[0]
    np.testing.assert_array_equal(given.survival, found.mean_survival)
    high = high_risk(found.percentiles)
    np.testing.assert_array_equal(given.positive, high)
    known = pd.DataFrame({"high": high.astype(float), "time": y["time"], "event": y["event"]})
    reference = CoxPHFitter().fit(known, "time", "event").hazard_ratios_["high"]
    assert item.ratio.hazard_ratio.value == pytest.approx(reference, rel=1e-4)
    assert [curve.patients for curve in item.groups] == [int((~high).sum()), int(high.sum())]
    assert survival_study.months == 12.0
    assert item.calibration.months == 12.0


def test_every_figure_can_be_recomputed_from_the_table_of_predictions(survival_study) -> None:
    table = pd.DataFrame(tables_of(survival_study)["predictions"].rows)
    label, item = "cox-ridge clinical", survival_study.figures[0]
    event, months = table["event"] == 1, table["months"].to_numpy(float)
    place = table[f"{label}: place"].to_numpy(float)
    assert item.finished.value == pytest.approx(concordance_index_censored(event, months, place)[0])
    y = Surv.from_arrays(event, months)
    at = survival_study.times.index(12.0)
    survival = table[f"{label}: survival at 12 months"].to_numpy(float)
    assert item.brier.score[at].value == pytest.approx(brier_score(y, y, survival, 12.0)[1][0])


def test_risk_groups_of_a_cross_validation_are_not_believed_beyond_its_c_index(survival_study) -> None:
    """On noise the hazard ratio of cross-validated groups misses 1 in more than 5% of cohorts."""

    def told(lower: float, ratio: Estimate) -> tuple[str, str]:
        item = survival_study.figures[0]
        main = replace(item.main, lower=lower)
        changed = replace(item, main=main, ratio=replace(item.ratio, hazard_ratio=ratio))
        sentences = verdict(replace(survival_study, figures=(changed, *survival_study.figures[1:])))
        (found,) = (sentence for sentence in sentences if "hazard ratio of high" in sentence.text)
        return found.status, found.text

    apart = Estimate(2.9, 1.6, 5.3, 0.95, "Wald")
    assert told(0.55, apart) == ("ok", told(0.55, apart)[1])
    status, text = told(0.44, apart)
    assert status == "warning"
    assert "the interval of the C-index, which counts how much folds share, includes 0.5" in text
    status, text = told(0.44, Estimate(0.3, 0.1, 0.6, 0.95, "Wald"))
    assert status == "warning"
    assert "those at high risk lived longer" in text


def test_baselines_stand_beside_and_are_left_out_on_demand(survival_study, response_study, tables) -> None:
    assert [given.label for given in survival_study.predicted] == ["cox-ridge clinical", "bclc"]
    assert [given.baseline for given in response_study.predicted] == [False, False, True]
    alone = evaluate(read_study_cohort(*tables), StudySettings(("bclc",), endpoint="mrecist", **NOTHING_ELSE))
    assert [given.baseline for given in alone.predicted] == [False]
    np.testing.assert_array_equal(alone.predicted[0].place, response_study.predicted[2].place)


def test_the_number_of_processes_changes_nothing(tables, survival_study) -> None:
    settings = StudySettings(("bclc",), endpoint="os", **NOTHING_ELSE)
    again = evaluate(read_study_cohort(*tables), settings, workers=2)
    np.testing.assert_array_equal(again.predicted[0].survival, survival_study.predicted[1].survival)


def test_the_flow_counts_everybody(tables, tmp_path) -> None:
    def change(rows) -> None:
        for row in rows[:4]:
            row["mrecist"] = ""
        rows[10]["case_id"] = "stranger"

    table = rewritten(tables[0], tmp_path / "table.csv", change)
    study = evaluate(read_study_cohort(table, tables[1]), StudySettings(("bclc",), endpoint="mrecist", **NOTHING_ELSE))
    assert [step.patients for step in study.flow] == [80, 79, 75]
    assert [left.patients for step in study.flow for left in step.left] == [1, 4]
    assert f"{study.events} responders" in study.flow[-1].what
    # Names of patients stay in the table: neither the stranger nor who has features alone is told.
    assert not any("stranger" in doubt or "P010" in doubt for doubt in study.doubts)
    assert study.doubts[-1] == "2 doubts about single patients: 'hcc table check' tells them."


# --- packages --------------------------------------------------------------------------------------------------------


def test_a_package_is_applied_to_every_patient_as_to_one_case(package, other_tables) -> None:
    study = evaluate(read_study_cohort(*other_tables), StudySettings((str(package),), **NOTHING_ELSE))
    X, y = read_training_table(*other_tables).survival_data("os")
    given, item, applied = study.predicted[0], study.figures[0], study.applied[0]
    assert given.way == "external"
    assert applied.scored + applied.refused == len(X)
    # A missing feature is refused, and so are more missing variables than the package allows; fewer are filled in.
    missing = X[["age", "afp", "bclc", "sex", "cirrhosis"]].isna().sum(axis=1)
    lacking = X["arterial_tumor_original_firstorder_Mean"].isna() | (
        missing > read_package(package).requirements.most_missing
    )
    np.testing.assert_array_equal(~given.known, lacking)
    assert applied.refused == lacking.sum() > 0
    assert (missing[given.known] > 0).any()
    known = given.known
    expected = concordance_index_censored(y["event"][known], y["time"][known], given.prediction[known])[0]
    assert item.main.value == pytest.approx(expected)
    assert item.patients == known.sum()
    assert study.flow[-1].branch
    assert "whether the features were extracted with the package's own" in applied.unchecked[-1]


def test_a_package_gives_the_scores_of_the_estimator_behind_it(package, tables, other_tables) -> None:
    learned = make_estimator("cox-ridge", modality="early").fit(*read_training_table(*tables).survival_data("os"))
    study = evaluate(read_study_cohort(*other_tables), StudySettings((str(package),), **NOTHING_ELSE))
    X, _ = read_training_table(*other_tables).survival_data("os")
    given = study.predicted[0]
    np.testing.assert_allclose(given.prediction[given.known], learned.predict(X)[given.known], atol=1e-9)
    np.testing.assert_array_equal(given.positive[given.known], given.prediction[given.known] >= learned.cut_)


def test_a_package_on_the_table_that_it_learned_from_is_no_validation(package, tables, tmp_path) -> None:
    study = evaluate(read_study_cohort(*tables), StudySettings((str(package),), **NOTHING_ELSE))
    assert study.predicted[0].way == "apparent"
    assert verdict(study)[0].status == "refused"
    assert "learned from this very table" in verdict(study)[0].text
    settings = StudySettings((str(package), "cox-ridge:clinical"), **NOTHING_ELSE)
    with_baseline = evaluate(read_study_cohort(*tables), settings)
    label = with_baseline.predicted[0].label
    assert not any(sentence.status == "ok" for sentence in verdict(with_baseline) if sentence.text.startswith(label))
    assert any("knows these patients, so it shows nothing" in sentence.text for sentence in verdict(with_baseline))
    table = rewritten(tables[0], tmp_path / "table.csv", lambda rows: rows.pop())
    study = evaluate(read_study_cohort(table, tables[1]), StudySettings((str(package),), **NOTHING_ELSE))
    assert study.predicted[0].way == "external"
    assert any("same file of features" in sentence.text for sentence in verdict(study))


def _corrected(rows) -> None:
    rows[0]["age" if "age" in rows[0] else "arterial_tumor_original_firstorder_Mean"] = "55"


@pytest.mark.parametrize("change", [list.reverse, _corrected])
def test_its_own_patients_are_recognised_in_another_file(package, tables, tmp_path, change) -> None:
    paths = [rewritten(path, tmp_path / path.name, change) for path in tables]
    study = evaluate(read_study_cohort(*paths), StudySettings((str(package),), **NOTHING_ELSE))
    assert study.predicted[0].way == "apparent"
    assert "those that it learned from" in verdict(study)[0].text


def test_a_package_that_refuses_everybody_is_refused_with_the_reason(tables) -> None:
    with pytest.raises(InputError, match=r"no score for any of 80 patients; mostly: .* was not extracted"):
        evaluate(read_study_cohort(*tables), StudySettings(("radscore-tace-ct",), **NOTHING_ELSE))


def test_a_refusal_names_what_refuses_and_not_what_is_taken_in_its_place(tables, tmp_path) -> None:
    clinical = [*tables[0].read_text(encoding="utf-8").splitlines()[0].split(",")]
    known = {"case_id", "os_months", "os_event", "mrecist", "age"}

    def change(rows) -> None:
        for row in rows:
            row.update({name: "" for name in clinical if name not in known})

    study = read_study_cohort(rewritten(tables[0], tmp_path / "table.csv", change))
    with pytest.raises(InputError, match=r"no score for any of 80 patients; mostly: . of the . clinical variables"):
        evaluate(study, StudySettings(("tace-response-clinical",), **NOTHING_ELSE))


def test_settings_of_features_are_verified_by_the_manifest_alone(package, tables) -> None:
    assert verified_packages([str(package)], tables[1]) == ()
    assert verified_packages([str(package)], None) == ()


@given(st.floats(-1e6, 1e6).map(lambda value: f"{value:.4g}"), st.integers(0, 10**6))
def test_reasons_lose_the_numbers_of_the_patient_and_nothing_else(number: str, count: int) -> None:
    feature = "arterial_tumor_log-sigma-2-0-mm-3D_glcm_Imc1"
    found = masked(f"The feature '{feature}' is {number}, outside the 3 to 4.5; {count} cm, VP3 at 5.")
    assert found == f"The feature '{feature}' is …, outside the … to …; … cm, VP3 at …."


# --- beside covariates -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["case_id", "ward"])
def test_a_column_that_names_patients_is_no_covariate(tables, tmp_path, column) -> None:
    def change(rows) -> None:
        for row in rows:
            row["ward"] = f"patient of {row['case_id']}"

    study = read_study_cohort(rewritten(tables[0], tmp_path / "table.csv", change), extras=("ward", column))
    with pytest.raises(InputError, match=f"'{column}' should be a number or one of at most 20 kinds"):
        evaluate(study, StudySettings(("cox-ridge:clinical",), adjust=(column,), **NOTHING_ELSE))


def test_columns_outside_the_schema_adjust_and_match(tables, tmp_path) -> None:
    draw = np.random.default_rng(7)

    def change(rows) -> None:
        for row in rows:
            row["later therapy"] = str(int(draw.random() < 0.5))
            row["centre"] = "north" if draw.random() < 0.5 else "south"
        rows[3]["centre"] = ""

    table = rewritten(tables[0], tmp_path / "table.csv", change)
    settings = StudySettings(
        ("bclc",),
        endpoint="os",
        adjust=("cirrhosis", "centre"),
        added="later therapy",
        treatment="later therapy",
        match=("cirrhosis",),
        **NOTHING_ELSE,
    )
    cohort = read_study_cohort(table, tables[1], extras=settings.extras)
    study = evaluate(cohort, settings)
    X, y = cohort.cohort.survival_data("os")
    given = study.predicted[0]
    covariates = pd.concat([pd.Series(given.positive.astype(float), X.index, name="high risk"), X["cirrhosis"]], axis=1)
    covariates = covariates.join(cohort.extras[["centre", "later therapy"]])
    whole = covariates.notna().all(axis=1).to_numpy()
    assert study.multivariable.dropped == 1
    assert study.multivariable.nested == with_and_without(y[whole], covariates[whole], ["later therapy"])
    pairs = match(cohort.extras["later therapy"].to_numpy(), X[["cirrhosis"]])
    assert study.matched.pairs == len(pairs.pairs)
    assert study.matched.balance == pairs.balance
    assert study.matched.before == hazard_ratio(y, cohort.extras["later therapy"].to_numpy().astype(int))


def test_a_model_that_cannot_be_fitted_costs_no_other_figure(tables, tmp_path) -> None:
    def change(rows) -> None:
        for place, row in enumerate(rows):
            row["copy"] = row["os_event"] if place else "0"

    table = rewritten(tables[0], tmp_path / "table.csv", change)
    settings = StudySettings(("bclc",), endpoint="os", adjust=("copy",), **NOTHING_ELSE)
    study = evaluate(read_study_cohort(table, tables[1], extras=settings.extras), settings)
    assert study.multivariable is None
    assert "did not converge" in study.notes[0]
    assert study.figures[0].main.value > 0


# --- subgroups -------------------------------------------------------------------------------------------------------


def test_subgroups_are_those_of_the_paper() -> None:
    table = pd.DataFrame(
        {
            "age": [54.9, 55.0, np.nan, 70.0],
            "tumor_number": [1.0, 2.0, 3.0, np.nan],
            "tumor_morphology": ["uninodular", "multinodular", "massive", None],
            "tumor_diameter": [10.0, 10.1, 3.0, 4.0],
            "metastasis": [0.0, 1.0, np.nan, 0.0],
            "bclc": ["A", "B", "C", "0"],
            "pvtt": [2.0, 3.0, 4.0, 0.0],
            "portal_vein_thrombus": [0.0, 1.0, 1.0, 0.0],
            "cirrhosis": [1.0, 1.0, 1.0, 1.0],
        }
    )
    found = published_subgroups(table)
    assert {name: column.tolist() for name, column in found.items()} == {
        "Age": ["below 55 years", "from 55 years", None, "from 55 years"],
        "Tumours": ["single", "multiple", "multiple", None],
        "Largest tumour": ["up to 10 cm", "above 10 cm", "up to 10 cm", "up to 10 cm"],
        "Extrahepatic metastasis": ["no", "yes", None, "no"],
        "BCLC stage": ["0 or A", "B", "C", "0 or A"],
        "Portal vein tumour thrombus": ["VP below 3", "VP3 or VP4", "VP3 or VP4", "VP below 3"],
    }
    alone = published_subgroups(table[["tumor_morphology", "portal_vein_thrombus"]])
    assert alone["Tumours"].tolist() == ["single", "multiple", None, None]
    assert alone["Portal vein thrombus"].tolist() == ["no", "yes", "yes", "no"]


# --- noise and leaks -------------------------------------------------------------------------------------------------


def test_permuted_outcomes_give_chance(tables, tmp_path) -> None:
    order = np.random.default_rng(3).permutation(80)

    def change(rows) -> None:
        dealt = [rows[place]["mrecist"] for place in order]
        for row, value in zip(rows, dealt, strict=True):
            row["mrecist"] = value

    table = rewritten(tables[0], tmp_path / "table.csv", change)
    settings = StudySettings(("logistic-ridge:imaging",), leaks=2, bootstrap=3, **NOTHING_ELSE)
    study = evaluate(read_study_cohort(table, tables[1]), settings)
    item = study.figures[0]
    assert item.main.contains(0.5)
    assert item.leaks.clean
    assert item.leaks.columns == 800
    assert item.bootstrap["auc"].resamples == 3
    told = [sentence.text for sentence in verdict(study)]
    assert "do not show that it is better than chance" in told[0]
    assert any("too few to exclude one" in text for text in told)


def test_a_column_that_follows_from_the_outcome_is_called_a_leak(tables, tmp_path) -> None:
    def change(rows) -> None:
        for row in rows:
            row["diabetes"] = "1" if row["mrecist"] == "PR" else "0"

    table = rewritten(tables[0], tmp_path / "table.csv", change)
    study = evaluate(read_study_cohort(table, tables[1]), StudySettings(("logistic-ridge:clinical",), **NOTHING_ELSE))
    found = verdict(study)
    assert any(s.status == "refused" and "a leak until proven otherwise" in s.text for s in found)
    assert not any("by heart" in s.text for s in found)  # it predicts patients that it does not know as well
    assert any("tell the two classes apart completely" in s.text for s in found)


def test_patients_who_stand_twice_are_told_beside_the_figures(tables, tmp_path) -> None:
    def change(rows) -> None:
        rows += [{**row, "case_id": f"twin {place}"} for place, row in enumerate(rows[:10])]

    study = read_study_cohort(rewritten(tables[0], tmp_path / "table.csv", change))
    told = verdict(evaluate(study, StudySettings(("logistic-ridge:clinical",), **NOTHING_ELSE)))
    assert any(s.status == "warning" and s.text.startswith("10 rows stand in the table under more") for s in told)


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["prime-x"], "'prime-x' is neither a system, a shipped package nor the path of one; did you mean 'prime-"),
        (["prime-s:lat"], "PRIME-S does not read 'lat'; did you mean 'late'"),
        (["bclc", "bclc"], "'bclc' is named twice"),
    ],
)
def test_names_that_stand_for_nothing_are_refused(names, sentence) -> None:
    with pytest.raises(InputError, match=sentence):
        contenders_of(names)


def test_a_name_can_stand_for_all_ways_of_a_system() -> None:
    assert [item.label for item in contenders_of(["prime-r:all", "albi"])] == [
        "prime-r late",
        "prime-r early",
        "prime-r clinical",
        "prime-r imaging",
        "albi",
    ]


@pytest.mark.parametrize(
    ("names", "endpoint", "sentence"),
    [
        (["prime-s"], "mrecist", "'prime-s late' predicts survival and the endpoint 'mrecist' is one of response"),
        (["prime-r", "prime-s"], "", "'prime-s late' predicts survival"),
        (["bclc"], "sos", "'sos' is not an endpoint; did you mean 'os'"),
        (["prime-r:all", "logistic-ridge:all"], "", "at most 6 systems, found 7"),
    ],
)
def test_endpoints_that_do_not_fit_are_refused(names, endpoint, sentence) -> None:
    with pytest.raises(InputError, match=sentence):
        endpoint_of(contenders_of(names), endpoint)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"leaks": 1}, "at least 2 permutations, found 1"),
        ({"bootstrap": -1}, "counted from 0, found a negative number"),
        ({"treatment": "cirrhosis"}, "needs covariates to match on, found none"),
        ({"match": ("age",)}, "no treatment: name its column"),
        ({"treatment": "cirrhosis", "match": ("cirrhosis",)}, "'cirrhosis' is the treatment and cannot be matched on"),
        ({"adjust": ("agee",)}, "no column 'agee'; did you mean 'age'"),
        ({"treatment": "age", "match": ("cirrhosis",)}, "marked 1 and its absence 0, found"),
        ({"months": 1000.0}, "horizon lies between the first event"),
        ({"endpoint": "mrecist", "months": 12.0}, "belong to survival, and the endpoint is a response"),
        ({"endpoint": "mrecist", "reader": "2"}, "mRECIST by reader 2, found mrecist"),
        ({"survival_folds": 1}, "at least 2 folds, found 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_the_work(tables, changes, sentence) -> None:
    settings = replace(StudySettings(("bclc",), endpoint="os", folds=2, repeats=1), **changes)
    with pytest.raises(InputError, match=sentence):
        evaluate(read_study_cohort(*tables), settings)
