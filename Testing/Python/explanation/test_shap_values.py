from __future__ import annotations

import json
import subprocess
import sys

import explained_models as models
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from hccoutcome.errors import InputError
from hccoutcome.evaluation.crossvalidation import fold_models, out_of_fold
from hccoutcome.explanation.coding import Coding
from hccoutcome.explanation.explanation import Explanation
from hccoutcome.explanation.shap_values import ShapSettings, explain, explain_out_of_fold


@pytest.fixture(scope="module")
def cohort():
    return models.cohort()


@pytest.fixture(scope="module")
def answers() -> dict:
    """What a process of its own says that has loaded shap; see ``explained_models.shap_answers``."""
    done = subprocess.run([sys.executable, models.__file__], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_values_of_a_linear_model_are_those_of_shaps_linear_explainer(cohort, answers) -> None:
    table, responded = cohort
    train, held = table[: models.TRAINING], table[models.TRAINING :]
    found = explain(models.logistic().fit(train, responded[: models.TRAINING]), held, train)
    assert (found.method, found.scale) == ("exact", "log-odds")
    np.testing.assert_allclose(found.values, answers["linear"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.base, answers["linear_base"], rtol=0, atol=1e-10)
    assert found.background == "training cohort, 45 rows"
    assert "slicer" not in sys.modules or hasattr(sys.modules["slicer"], "vtkMRMLScene")


def test_values_of_a_forest_are_close_to_those_over_all_subsets(answers) -> None:
    ours, exact = np.array(answers["forest"]), np.array(answers["forest_exact"])
    assert answers["forest_method"] == "permutation"
    assert np.abs(exact).max() > 0.05
    np.testing.assert_allclose(ours, exact, atol=0.006)
    np.testing.assert_allclose(ours.sum(axis=1), exact.sum(axis=1), atol=1e-10)
    assert answers["forest_background"] == "training cohort, 20 rows sampled"


def test_with_few_columns_all_subsets_are_tried(answers) -> None:
    assert answers["forest_subsets_method"] == "subsets"
    np.testing.assert_allclose(answers["forest_subsets"], answers["forest_exact"], rtol=0, atol=1e-10)


def test_a_case_is_explained_alike_alone_and_among_others(answers) -> None:
    assert answers["forest_alone"][0] == answers["forest"][2]


def test_columns_that_a_model_does_not_use_get_nothing(answers) -> None:
    values = np.array(answers["product"])
    assert answers["product_read"] == 2
    assert np.all(values[:, 1:4] == 0)
    assert np.abs(values[:, [0, 4]]).max() > 0.001


def test_a_model_that_hides_a_column_is_found_out(answers) -> None:
    assert answers["liar_read"] == 5


def test_the_folds_are_those_of_the_cross_validation(cohort, answers) -> None:
    table, responded = cohort
    expected = out_of_fold(models.forest(), table, responded, seed=5)
    np.testing.assert_allclose(answers["out_of_fold"], expected.predictions[0], rtol=0, atol=1e-12)


def test_the_same_seed_gives_the_same_bytes_and_leaves_numpys_generator_alone(answers) -> None:
    assert answers["same_again"]
    assert answers["random_state_kept"]


def test_shap_leaves_no_trace_of_the_private_folder_on_the_path(answers) -> None:
    assert answers["private_on_path"] == []


def test_out_of_fold_values_come_from_models_that_never_saw_the_case(cohort) -> None:
    table, responded = cohort
    found = explain_out_of_fold(models.logistic(), table, responded, folds=4, seed=2)
    assert found.provenance["out_of_fold"]
    assert found.background == "training part of each of 4 folds, 45 rows"
    for model, train, held in fold_models(models.logistic(), table, responded, folds=4, seed=2):
        alone = explain(model, table.iloc[held], table.iloc[train])
        np.testing.assert_array_equal(found.values[held], alone.values)
        np.testing.assert_array_equal(found.base[held], alone.base)
        assert not set(train) & set(held)
        expected = np.diff(np.log(model.predict_proba(table.iloc[held])))[:, 0]
        np.testing.assert_allclose(found.output[held], expected, atol=1e-12)


def test_boosted_stumps_are_additive_and_a_forest_is_not(cohort) -> None:
    table, responded = cohort
    assert explain(models.stumps().fit(table, responded), table[:4], table).method == "exact"
    from hccoutcome.explanation import shap_values

    task = shap_values._Task(models.forest().fit(table, responded), table[:4], table)
    assert list(shap_values._exact([task], "log-odds", ShapSettings())) == []
    assert list(shap_values._exact([task], "probability", ShapSettings())) == []


def test_a_survival_model_is_explained_on_its_risk(cohort) -> None:
    table, responded = cohort
    numbers = table[models.NUMBERS]
    times = Surv.from_arrays(responded, np.linspace(1, 60, len(table)))
    model = make_pipeline(SimpleImputer(), StandardScaler(), CoxPHSurvivalAnalysis(alpha=0.1)).fit(numbers, times)
    found = explain(model, numbers, numbers)
    assert (found.scale, found.method) == ("risk", "exact")
    scaled = model[:-1].transform(numbers)
    np.testing.assert_allclose(found.values, (scaled - scaled.mean(axis=0)) * model[-1].coef_, atol=1e-10)
    np.testing.assert_allclose(found.output, model.predict(numbers), atol=1e-12)


def test_tables_that_do_not_fit_are_refused(cohort) -> None:
    table, responded = cohort
    model = models.logistic().fit(table, responded)
    with pytest.raises(InputError, match="same columns in cases and background, found afp"):
        explain(model, table, table.drop(columns="afp"))
    with pytest.raises(InputError, match="at least one background row"):
        explain(model, table, table[:0])
    with pytest.raises(InputError, match="'permutations' of an explanation should be at least 1, found 0"):
        ShapSettings(permutations=0)
    with pytest.raises(InputError, match="needs a model with predict"):
        explain(StandardScaler(), table, table)


def test_values_that_miss_the_output_are_no_explanation(cohort) -> None:
    table, responded = cohort
    found = explain(models.logistic().fit(table, responded), table, table)
    with pytest.raises(ValueError, match=r"base and SHAP values miss the output by 0\.1"):
        Explanation(found.data, found.values, found.base + 0.1, found.output, "log-odds", "exact", "")
    with pytest.raises(ValueError, match="do not fit values of shape"):
        Explanation(found.data, found.values[:, 1:], found.base, found.output, "log-odds", "exact", "")


def test_ranking_shares_and_rows_follow_the_values(cohort) -> None:
    table, responded = cohort
    found = explain(models.logistic().fit(table, responded), table, table)
    importance = np.abs(found.values).mean(axis=0)
    assert list(found.ranking) == [table.columns[place] for place in np.argsort(-importance)]
    clinical = importance[[0, 1, 4]].sum() / importance.sum()
    assert found.shares == pytest.approx({"clinical": clinical, "imaging": 1 - clinical})
    rows = [row for row in found.rows() if row["case_id"] == "P00"]
    assert sum(row["shap"] for row in rows) + rows[0]["base"] == pytest.approx(rows[0]["output"])
    assert [row["value"] for row in rows if row["input"] == "alb"] == [None]
    assert found.case("P03").cases == ("P03",)


CELLS = st.sampled_from([0.0, 1e-12, 2e-12, 1.0, 1 + 1e-13, np.nan, -3.5])


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.tuples(CELLS, st.sampled_from(["A", "B", None])), min_size=1, max_size=8))
def test_codes_give_back_every_value_and_never_stand_close(rows: list) -> None:
    table = pd.DataFrame({"x": [row[0] for row in rows], "y": pd.Series([row[1] for row in rows], dtype=object)})
    coding = Coding.of(table)
    codes = coding.encode(table)
    pd.testing.assert_frame_equal(coding.decode(codes).reset_index(drop=True), table, check_exact=True)
    assert np.all(codes >= 0)
    for column in codes.T:
        known = np.unique(column)
        assert len(known) < 2 or np.diff(known).min() >= 1
