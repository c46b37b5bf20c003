"""Regressions and variance inflation, against statsmodels, lifelines, R and arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selection_data import response_cohort, survival_cohort, tcga

from hccoutcome.errors import InputError
from hccoutcome.selection.collinearity import vif_table
from hccoutcome.selection.models import firth, regression
from hccoutcome.selection.stepwise import UnivariateMultivariateCox, UnivariateMultivariateLogistic


def test_the_logistic_table_is_statsmodels_in_the_columns_own_units() -> None:
    api = pytest.importorskip("statsmodels.api")
    table, y = response_cohort(90, 4)
    table = table * [1, 1e3, 1e-3, 5] + [0, 5, 0, 100]
    found = regression(table, y)
    fitted = api.Logit(y.astype(float), api.add_constant(table)).fit(disp=0, method="newton", maxiter=200)
    np.testing.assert_allclose(found.table["coefficient"], fitted.params[1:], rtol=1e-6)
    np.testing.assert_allclose(found.table["error"], fitted.bse[1:], rtol=1e-6)
    np.testing.assert_allclose(found.table["p"], fitted.pvalues[1:], rtol=1e-5)
    np.testing.assert_allclose(np.log(found.table[["low", "high"]]), fitted.conf_int()[1:], rtol=1e-5)
    assert found.intercept == pytest.approx(fitted.params["const"], rel=1e-6)
    assert (found.family, found.method, found.notes) == ("logistic", "maximum likelihood", ())


def test_the_multivariate_cox_model_is_r_s_on_tcga_lihc(data: Path) -> None:
    table, y = tcga(data)
    r = pd.read_csv(data / "tcga_lihc" / "R_multiCox.txt", sep="\t", index_col=0)
    found = regression(table[r.index], y)
    for ours, theirs in (
        ("coefficient", "coef"),
        ("ratio", "HR"),
        ("low", "HR.95L"),
        ("high", "HR.95H"),
        ("p", "pvalue"),
    ):
        np.testing.assert_allclose(found.table[ours], r[theirs], rtol=1e-6)
    assert (found.family, found.patients) == ("cox", 363)


def test_firth_s_odds_ratio_of_a_two_by_two_table_adds_a_half_to_every_cell() -> None:
    """Known in closed form, with an empty cell too."""
    for cells in ((12, 5, 7, 9), (8, 0, 3, 11), (6, 0, 0, 7)):
        exposed = np.repeat([1.0, 1.0, 0.0, 0.0], cells)
        y = np.repeat([True, False, True, False], cells)
        beta, _ = firth(np.column_stack([np.ones(len(y)), exposed]), y)
        a, b, c, d = np.array(cells) + 0.5
        assert beta[1] == pytest.approx(np.log(a * d / (b * c)), abs=1e-6)
        assert beta[0] == pytest.approx(np.log(c / d), abs=1e-6)


def test_complete_separation_is_fitted_by_firth_and_said() -> None:
    table, y = response_cohort(50, 2)
    separated = table.assign(arterial_tumor_original_glcm_Answer=y.astype(float))
    found = regression(separated, y)
    assert found.method == "Firth"
    assert "tell the outcomes apart completely: Firth estimates" in found.notes[0]
    row = found.table.loc["arterial_tumor_original_glcm_Answer"]
    assert np.isfinite(row).all()
    assert 1 < row["low"] < row["ratio"] < row["high"]


def test_a_cox_model_that_has_no_maximum_gets_a_ridge_and_says_so() -> None:
    table, y = survival_cohort(60, 2)
    found = regression(table.assign(arterial_tumor_original_glcm_Answer=-y["time"]), y)
    assert found.method == "ridge"
    assert "ridge estimates in place of the likelihood's" in found.notes[0]
    assert np.isfinite(found.table).all().all()


def test_columns_that_follow_from_others_are_left_out_and_named() -> None:
    table, y = response_cohort(60, 3)
    dependent = table.assign(
        arterial_tumor_original_glcm_Sum=table.iloc[:, 0] - 2 * table.iloc[:, 1] + 7,
        arterial_tumor_original_glcm_One=1.0,
    )
    found = regression(dependent, y)
    assert found.left_out == ("arterial_tumor_original_glcm_Sum", "arterial_tumor_original_glcm_One")
    pd.testing.assert_frame_equal(found.table.iloc[:3], regression(table, y).table)
    assert found.table.iloc[3:].isna().all().all()


def test_patients_with_gaps_are_left_out_and_counted() -> None:
    table, y = response_cohort(60, 3)
    gaps = table.copy()
    gaps.iloc[:5, 1] = np.nan
    found = regression(gaps, y)
    assert found.patients == 55
    assert found.notes == ("5 patients with a missing value are left out.",)
    pd.testing.assert_frame_equal(found.table, regression(table.iloc[5:], y[5:]).table)


@pytest.mark.parametrize(
    ("columns", "patients", "sentence"),
    [(30, 30, "more patients than columns, found 30 and 29"), (3, 0, "at least one patient")],
)
def test_too_many_columns_are_refused(columns: int, patients: int, sentence: str) -> None:
    table, y = response_cohort(30, columns)
    with pytest.raises(InputError, match=sentence):
        regression(table.iloc[:patients], y[:patients])


# --- the classical table ------------------------------------------------------------------------------------------


def test_univariate_and_multivariate_logistic_models_make_the_paper_s_table() -> None:
    table, y = response_cohort(120, 8, effect=1.5)
    fitted = UnivariateMultivariateLogistic().fit(table, y)
    for name in table.columns:
        alone = regression(table[[name]], y).table.iloc[0]
        assert tuple(fitted.table_.loc[name, ["ratio", "low", "high", "p"]]) == pytest.approx(
            tuple(alone[["ratio", "low", "high", "p"]])
        )
    entered = list(fitted.table_.index[fitted.table_["p"] <= 0.05])
    together = regression(table[entered], y).table
    np.testing.assert_allclose(fitted.table_.loc[entered, "multivariate_p"], together["p"])
    assert fitted.table_["multivariate_p"].notna().sum() == len(entered)
    assert set(fitted.get_feature_names_out()) == set(together.index[together["p"] <= 0.05])
    assert set(table.columns[:2]) <= set(fitted.get_feature_names_out())


def test_univariate_and_multivariate_cox_models_agree_with_lifelines() -> None:
    lifelines = pytest.importorskip("lifelines")
    table, y = survival_cohort(120, 6)
    fitted = UnivariateMultivariateCox(stay=None).fit(table, y)
    entered = list(fitted.get_feature_names_out())
    assert entered == list(fitted.table_.index[fitted.table_["p"] <= 0.05])
    data = table[entered].assign(t=y["time"], e=y["event"])
    theirs = lifelines.CoxPHFitter().fit(data, "t", "e", fit_options={"precision": 1e-14, "r_precision": 1e-16})
    np.testing.assert_allclose(fitted.table_.loc[entered, "multivariate_ratio"], theirs.hazard_ratios_, rtol=1e-6)


def test_no_more_enter_than_the_events_allow() -> None:
    table, y = response_cohort(40, 30, seed=3)
    fitted = UnivariateMultivariateLogistic(entry=0.9, stay=None, events_per_variable=5).fit(table, y)
    rarer = min(y.sum(), (~y).sum())
    entered = fitted.table_["multivariate_p"].notna()
    assert entered.sum() == rarer // 5
    assert fitted.table_.loc[entered, "p"].max() <= fitted.table_.loc[~entered, "p"].min()


def test_where_nothing_is_significant_the_best_stands_in_and_it_is_said() -> None:
    table, y = response_cohort(40, 5)
    fitted = UnivariateMultivariateLogistic(entry=1e-12).fit(table, y)
    assert fitted.notes_ == ("No column has p <= 1e-12 alone.",)
    assert fitted.multivariate_ is None
    assert list(fitted.get_feature_names_out()) == [fitted.table_["p"].idxmin()]


# --- variance inflation -------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.99))
def test_two_columns_inflate_each_other_by_their_correlation(seed: int, blur: float) -> None:
    random = np.random.default_rng(seed)
    a = random.normal(size=50)
    b = a * (1 - blur) + random.normal(size=50) * (blur + 0.05)
    r = np.corrcoef(a, b)[0, 1]
    found = vif_table(pd.DataFrame({"a": a * 1e6 + 3, "b": b}))
    np.testing.assert_allclose(found["vif"], 1 / (1 - r**2), rtol=1e-6)
    np.testing.assert_allclose(found["tolerance"], 1 - r**2, rtol=1e-6)


def test_inflation_is_the_diagonal_of_the_inverse_correlation_matrix() -> None:
    table = response_cohort(60, 5)[0]
    table.iloc[:, 4] = table.iloc[:, 0] + table.iloc[:, 1] + 0.1 * table.iloc[:, 4]
    found = vif_table(table)
    np.testing.assert_allclose(found["vif"], np.diag(np.linalg.inv(table.corr())), rtol=1e-8)
    assert found["severe"].tolist() == [True, True, False, False, True]


def test_dependent_and_constant_columns_are_said() -> None:
    table = response_cohort(30, 3)[0].assign(twin=lambda t: t.iloc[:, 0], one=1.0)
    found = vif_table(table)
    assert np.isinf(found["vif"].iloc[[0, 3]]).all()
    assert found["note"].tolist() == [
        "follows from the other columns",
        "",
        "",
        "follows from the other columns",
        "does not vary",
    ]
    wide = vif_table(response_cohort(10, 15)[0])
    assert np.isinf(wide["vif"]).all(), "with more columns than patients each follows from the others"
