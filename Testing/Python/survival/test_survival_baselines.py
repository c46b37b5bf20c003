"""The baselines are what their libraries compute, also with more columns than patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from simulated_patients import patients, response, survival
from sklearn.linear_model import LogisticRegression
from sksurv.linear_model import CoxPHSurvivalAnalysis

from hccoutcome.errors import InputError
from hccoutcome.evaluation.leaks import check_leaks
from hccoutcome.package.inputs import table_matrix
from hccoutcome.package.ridge import rotated
from hccoutcome.response.baselines import LogisticRidge, ResponseByScore
from hccoutcome.survival.baselines import (
    CoxRidge,
    SurvivalBoosting,
    SurvivalByScore,
    SurvivalForest,
    partial_likelihood,
)
from hccoutcome.survival.lasso_score import RadscoreLasso

SURVIVAL = [
    CoxRidge(penalties=(10.0, 100.0), inner_folds=3),
    SurvivalForest(n_estimators=20),
    SurvivalBoosting(n_estimators=20),
    RadscoreLasso(folds=5),
]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return patients(100)[0]


@pytest.fixture(scope="module")
def hazard() -> np.ndarray:
    return patients(100)[1]


def wide(table: pd.DataFrame) -> pd.DataFrame:
    noise = np.random.default_rng(0).normal(size=(len(table), 150))
    names = [f"arterial_tumor_original_glrlm_Wide{i}" for i in range(150)]
    return pd.concat([table, pd.DataFrame(noise, table.index, names)], axis=1)


@pytest.mark.parametrize("columns", [5, 60])
def test_turned_columns_have_the_same_length_and_products(columns):
    values = np.random.default_rng(0).normal(size=(20, columns))
    turned, axes = rotated(values)
    np.testing.assert_allclose(turned, values @ axes, atol=1e-10)
    np.testing.assert_allclose(turned @ turned.T, values @ values.T, atol=1e-9)
    assert turned.shape[1] == min(20, columns) or columns == 5


@pytest.mark.parametrize("widen", [False, True])
def test_cox_with_a_ridge_is_that_of_scikit_survival(table, hazard, widen):
    data, outcome = wide(table) if widen else table, survival(hazard)
    model = CoxRidge(penalties=(30.0,), inner_folds=3).fit(data, outcome)
    (part,) = model.model_.parts
    oracle = CoxPHSurvivalAnalysis(alpha=30.0, tol=1e-12).fit(table_matrix(part.columns, data), outcome)
    np.testing.assert_allclose(part.coefficients, oracle.coef_, atol=1e-6)
    assert model.penalty_ == 30


@pytest.mark.parametrize("widen", [False, True])
def test_logistic_ridge_is_that_of_scikit_learn(table, hazard, widen):
    data, outcome = wide(table) if widen else table, response(hazard)
    model = LogisticRidge(strengths=(0.05,), inner_folds=3).fit(data, outcome)
    (part,) = model.model_.parts
    oracle = LogisticRegression(C=0.05, tol=1e-10, max_iter=10_000).fit(table_matrix(part.columns, data), outcome)
    np.testing.assert_allclose(part.coefficients, oracle.coef_[0], atol=1e-5)
    np.testing.assert_allclose(
        model.predict_proba(data), oracle.predict_proba(table_matrix(part.columns, data)), atol=1e-5
    )


def test_the_partial_likelihood_of_three_patients_worked_out_by_hand():
    outcome = np.array([(True, 1.0), (True, 2.0), (False, 3.0)], [("event", bool), ("time", float)])
    risk = np.array([0.5, -0.2, 0.1])
    first = 0.5 - np.log(np.exp(0.5) + np.exp(-0.2) + np.exp(0.1))
    second = -0.2 - np.log(np.exp(-0.2) + np.exp(0.1))
    assert partial_likelihood(outcome, risk) == pytest.approx(first + second)


def test_a_penalty_is_chosen_that_keeps_noise_out(hazard):
    noise = np.random.default_rng(3).normal(size=(100, 30))
    columns = [f"arterial_tumor_original_glcm_N{i}" for i in range(30)]
    table = pd.DataFrame(noise, [f"P{i}" for i in range(100)], columns)
    model = CoxRidge(penalties=(1.0, 100.0, 10_000.0), inner_folds=3).fit(table, survival(hazard))
    assert model.penalty_ == 10_000


@pytest.mark.parametrize("model", SURVIVAL, ids=lambda model: type(model).__name__)
def test_every_survival_baseline_ranks_new_patients_the_right_way_round(table, hazard, model):
    new, new_hazard = patients(300, seed=5)
    assert model.fit(table, survival(hazard)).score(new, survival(new_hazard, 5)) > 0.57
    assert (model.predict(table) < model.cut_).mean() >= 0.5


def test_the_radscore_reads_imaging_columns_only(table, hazard):
    model = RadscoreLasso(folds=5).fit(table, survival(hazard))
    assert all(name.startswith("arterial_tumor_") for name in model.selected_features_)
    assert "arterial_tumor_original_firstorder_Mean" in model.selected_features_


def test_a_radscore_without_signal_says_nothing():
    noise = np.random.default_rng(1).normal(size=(60, 3))
    columns = [f"arterial_tumor_original_glcm_N{i}" for i in range(3)]
    table = pd.DataFrame(noise, [f"P{i}" for i in range(60)], columns)
    outcome = survival(np.random.default_rng(8).normal(size=60) * 0, 8)
    model = RadscoreLasso(folds=5).fit(table, outcome)
    assert len(model.selected_features_) >= 1
    assert np.ptp(model.predict(table)) == 0 or model.score(table, outcome) > 0.5


@pytest.mark.parametrize("model", [SurvivalByScore("bclc"), ResponseByScore("bclc")])
def test_a_stage_alone_orders_patients_by_stage(table, hazard, model):
    outcome = survival(hazard) if isinstance(model, SurvivalByScore) else response(hazard)
    model.fit(table, outcome)
    stages = pd.DataFrame({"bclc": ["0", "A", "B", "C", "D"]}, index=list("abcde"))
    found = model.predict(stages) if isinstance(model, SurvivalByScore) else -model.predict_proba(stages)[:, 1]
    assert np.all(np.diff(found) > 0)
    assert model.selected_features_ == ("bclc",)


def test_a_score_that_the_table_lacks_is_asked_for(table, hazard):
    with pytest.raises(InputError, match="reads 'albi' alone and the table lacks it: add bilirubin and albumin"):
        SurvivalByScore("albi").fit(table, survival(hazard))
    with pytest.raises(InputError, match="'late' is not a modality of this system"):
        CoxRidge("late").fit(table, survival(hazard))


@pytest.mark.parametrize(
    "model",
    [
        CoxRidge(penalties=(100.0, 1000.0), inner_folds=2),
        SurvivalForest(n_estimators=20),
        SurvivalBoosting(n_estimators=10),
        RadscoreLasso(folds=2),
        SurvivalByScore("bclc"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_permuted_survival_is_not_learned(model):
    table, hazard = patients(48, seed=2)
    found = check_leaks(model, table, survival(hazard, 2), seed=1, folds=3)
    assert found.clean, found.figure


@pytest.mark.parametrize(
    "model",
    [LogisticRidge(strengths=(0.001, 0.01), inner_folds=2), ResponseByScore("bclc")],
    ids=lambda model: type(model).__name__,
)
def test_permuted_responses_are_not_learned(model):
    table, hazard = patients(48, seed=2)
    found = check_leaks(model, table, response(hazard, 2), seed=1, folds=3)
    assert found.clean, found.figure
