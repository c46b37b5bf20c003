"""Clinical, CR and CRH trained anew: three kinds of inputs enter one after the other, each by its own selection."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from simulated_patients import patients, response
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from hccoutcome.errors import InputError
from hccoutcome.evaluation.leaks import check_leaks
from hccoutcome.package.inputs import table_matrix
from hccoutcome.response.crh import HaicModel, columns_by_kind
from hccoutcome.stability.table import FeatureStability, Gate, StabilityTable

HABITAT = "portal_habitat3_original_firstorder_Kurtosis"


def with_habitats(table: pd.DataFrame, hazard: np.ndarray) -> pd.DataFrame:
    draw = np.random.default_rng(9)
    noise = {f"portal_habitat{k}_original_glcm_Contrast": draw.normal(size=len(table)) for k in (1, 2)}
    return table.assign(**{HABITAT: hazard + draw.normal(size=len(table)), **noise})


@pytest.fixture(scope="module")
def cohort():
    table, hazard = patients(120)
    return with_habitats(table, hazard), response(hazard)


def test_columns_are_told_apart(cohort):
    found = columns_by_kind(cohort[0])
    assert found["clinical"] == ["age", "afp", "bclc", "sex", "cirrhosis"]
    assert all(name.startswith("arterial_tumor_") for name in found["radiomic"])
    assert all("habitat" in name for name in found["habitat"])
    assert sum(map(len, found.values())) == cohort[0].shape[1]


@pytest.mark.parametrize(("kind", "kinds"), [("clinical", 1), ("cr", 2), ("crh", 3)])
def test_each_model_reads_one_kind_more_and_finds_the_signal(cohort, kind, kinds):
    model = HaicModel(kind, folds=5).fit(*cohort)
    groups = columns_by_kind(cohort[0])
    read = [name for name, columns in groups.items() if set(columns) & set(model.selected_features_)]
    assert read == ["clinical", "radiomic", "habitat"][:kinds]
    table, hazard = patients(300, seed=5)
    new = with_habitats(table, hazard)
    assert roc_auc_score(response(hazard, 5), model.predict_proba(new)[:, 1]) > 0.7
    assert "bclc" in model.selected_features_
    assert kind == "clinical" or "arterial_tumor_original_firstorder_Mean" in model.selected_features_
    assert (kind == "crh") == (HABITAT in model.selected_features_)


def test_cr_and_crh_read_the_same_radiomic_features(cohort):
    groups = columns_by_kind(cohort[0])
    cr, crh = (set(HaicModel(kind, folds=5).fit(*cohort).selected_features_) for kind in ("cr", "crh"))
    assert cr == crh - set(groups["habitat"])


def test_the_final_model_is_a_logistic_regression_of_standardised_inputs(cohort):
    table, outcome = cohort
    model = HaicModel("cr", folds=5).fit(table, outcome)
    (part,) = model.model_.parts
    values = table_matrix(part.columns, table)
    oracle = LogisticRegression(tol=1e-10, max_iter=10_000).fit(values, outcome)
    np.testing.assert_allclose(part.coefficients, oracle.coef_[0], atol=1e-5)
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-9)


def test_unstable_features_do_not_enter(cohort):
    table, outcome = cohort
    groups = columns_by_kind(table)
    stable = groups["radiomic"][1]
    entries = tuple(
        FeatureStability(name, icc=0.85 if name == stable else 0.79, cv=0.1, stable=name == stable, subjects=30)
        for name in groups["radiomic"]
    )
    gate = StabilityTable(entries, Gate(icc=0.8, cv=0.15), "2,1", 30, 3)
    model = HaicModel("cr", stability=gate, folds=5).fit(table, outcome)
    assert set(model.selected_features_) & set(groups["radiomic"]) == {stable}


def test_what_the_table_lacks_is_named(cohort):
    table, outcome = cohort
    groups = columns_by_kind(table)
    with pytest.raises(InputError, match="The model 'crh' reads habitat features and the table has none: add them"):
        HaicModel("crh", folds=3).fit(table.drop(columns=groups["habitat"]), outcome)
    with pytest.raises(InputError, match="The model 'cr' reads radiomic features and the table has none"):
        HaicModel("cr", folds=3).fit(table[groups["clinical"]], outcome)
    with pytest.raises(InputError, match="'chr' is not a modality of this system; did you mean 'cr'"):
        HaicModel("chr").fit(table, outcome)


def test_permuted_outcomes_are_not_learned():
    table, hazard = patients(48, seed=2)
    model = HaicModel("crh", folds=2)
    found = check_leaks(model, with_habitats(table, hazard), response(hazard, 2), seed=1, folds=3)
    assert found.clean, found.figure
