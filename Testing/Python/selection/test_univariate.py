"""Tests of one column at a time, against scipy, statsmodels, lifelines and R."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from selection_data import frame, response_cohort, survival_cohort, tcga
from sklearn.metrics import roc_auc_score

from hccoutcome.selection.univariate import UnivariateFilter, adjusted, association, univariate_table


def with_gaps(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    return table.mask(np.random.default_rng(seed).random(table.shape) < 0.15)


def test_t_and_mann_whitney_are_scipy_s_column_by_column() -> None:
    table, y = response_cohort()
    table = with_gaps(table).round(1)
    found = univariate_table(table, y)
    for name in table.columns:
        yes, no = table.loc[y, name].dropna(), table.loc[~y, name].dropna()
        t, u = stats.ttest_ind(yes, no, equal_var=False), stats.mannwhitneyu(yes, no)
        row = found.loc[name]
        assert (row["responders"], row["others"]) == (len(yes), len(no))
        assert (row["t"], row["t_p"]) == pytest.approx((t.statistic, t.pvalue), rel=1e-12)
        assert (row["u"], row["u_p"]) == pytest.approx((u.statistic, u.pvalue), rel=1e-12)
        auc = roc_auc_score(y[table[name].notna()], table[name].dropna())
        assert row["rank_biserial"] == pytest.approx(2 * auc - 1)


def test_cohen_s_d_and_its_interval_are_pingouin_s() -> None:
    pingouin = pytest.importorskip("pingouin")
    table, y = response_cohort()
    found = univariate_table(table, y).iloc[0]
    yes, no = table.loc[y].iloc[:, 0], table.loc[~y].iloc[:, 0]
    assert found["d"] == pytest.approx(pingouin.compute_effsize(yes, no, eftype="cohen"))
    low, high = pingouin.compute_esci(stat=found["d"], nx=len(yes), ny=len(no), eftype="cohen", decimals=6)
    # pingouin takes the t distribution's quantile and n - 2 in the error; ours is Hedges and Olkin's normal interval.
    assert (found["d_low"], found["d_high"]) == pytest.approx((low, high), abs=0.02)


def test_q_values_are_those_of_statsmodels() -> None:
    multipletests = pytest.importorskip("statsmodels.stats.multitest").multipletests
    table, y = response_cohort(columns=40)
    table["arterial_tumor_original_glcm_Constant"] = 1.0
    found = univariate_table(table, y)
    assert found.loc["arterial_tumor_original_glcm_Constant", ["t_p", "t_q", "u_p", "u_q"]].isna().all()
    tested = found["t_p"].notna()
    assert found.loc[tested, "t_q"].to_numpy() == pytest.approx(
        multipletests(found.loc[tested, "t_p"], method="fdr_bh")[1]
    )
    assert np.isnan(adjusted(np.array([np.nan, np.nan]))).all()


def test_cox_models_are_r_s_for_every_gene_of_tcga_lihc(data: Path) -> None:
    """R's survival package on the same 363 patients (ties after Efron)."""
    table, y = tcga(data)
    r = pd.read_csv(data / "tcga_lihc" / "R_uniCox.txt", sep="\t", index_col=0)
    found = univariate_table(table, y).loc[r.index]
    assert len(r) == 146
    for ours, theirs in (("hr", "HR"), ("hr_low", "HR.95L"), ("hr_high", "HR.95H"), ("p", "pvalue")):
        np.testing.assert_allclose(found[ours], r[theirs], rtol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1e7, 1e-7])
def test_cox_models_with_tied_times_and_gaps_are_lifelines(scale: float) -> None:
    lifelines = pytest.importorskip("lifelines")
    table, y = survival_cohort(patients=70, columns=4)
    table = with_gaps(table)
    found = univariate_table(table * scale, y)
    for name in table.columns:
        known = table[name].notna()
        data = pd.DataFrame({"x": table.loc[known, name], "t": y["time"][known], "e": y["event"][known]})
        fitted = lifelines.CoxPHFitter().fit(data, "t", "e", fit_options={"precision": 1e-14, "r_precision": 1e-16})
        row = found.loc[name]
        assert row["patients"] == known.sum()
        assert row["coefficient"] * scale == pytest.approx(fitted.params_["x"], rel=1e-6)
        assert row["error"] * scale == pytest.approx(fitted.standard_errors_["x"], rel=1e-6)


def test_a_column_that_orders_the_events_perfectly_has_no_ratio_but_a_p_value() -> None:
    _, y = survival_cohort()
    table = frame(np.column_stack([-y["time"], np.ones(len(y))]))
    found = univariate_table(table, y)
    assert found["note"].tolist() == ["orders the events all but perfectly", "does not vary"]
    assert np.isnan(found["hr"]).all()
    assert found["p"].iloc[0] < 1e-6
    assert np.isnan(found["p"].iloc[1])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_no_p_value_depends_on_the_unit(seed: int, factor: float, shift: float) -> None:
    """Kelvin or Celsius, millimetres or metres: tests and effect sizes are the same."""
    for table, y in (response_cohort(40, 3, seed), survival_cohort(40, 3, seed)):
        one, other = univariate_table(table, y), univariate_table((table + shift / 1e3) * factor, y)
        names = [name for name in ("t_p", "u_p", "d", "p", "z") if name in one]
        np.testing.assert_allclose(one[names], other[names], rtol=1e-5, atol=1e-9)


def test_the_strength_of_association_is_the_distance_of_the_auc() -> None:
    table, y = response_cohort()
    table = with_gaps(table)
    expected = [abs(roc_auc_score(y[table[n].notna()], table[n].dropna()) - 0.5) for n in table.columns]
    np.testing.assert_allclose(association(table, y), expected)


def test_the_strength_of_association_with_survival_is_the_score_test_s_z() -> None:
    """Of a two-valued column without ties that is the log-rank test."""
    compare = pytest.importorskip("sksurv.compare").compare_survival
    random = np.random.default_rng(0)
    _, y = survival_cohort(60)
    y["time"] += random.random(60) / 100
    group = (random.random(60) < 0.5).astype(float)
    chi, _ = compare(y, group)
    assert association(frame(group[:, None]), y)[0] ** 2 == pytest.approx(chi, rel=1e-9)


@pytest.mark.parametrize(
    ("settings_", "rule"),
    [
        ({"test": "t"}, lambda t: t["t_p"]),
        ({"test": "mannwhitney"}, lambda t: t["u_p"]),
        ({"test": "either"}, lambda t: t[["t_p", "u_p"]].min(axis=1)),
        ({"test": "both"}, lambda t: t[["t_p", "u_p"]].max(axis=1)),
        ({"test": "either", "adjust": "q"}, lambda t: t[["t_q", "u_q"]].min(axis=1)),
    ],
)
def test_the_filter_keeps_what_its_rule_says(settings_, rule) -> None:
    table, y = response_cohort(columns=40, seed=2)
    fitted = UnivariateFilter(threshold=0.1, **settings_).fit(table, y)
    assert fitted.get_support().tolist() == (rule(univariate_table(table, y)) <= 0.1).tolist()
    most = UnivariateFilter(threshold=0.1, most=2, **settings_).fit(table, y)
    assert list(most.get_feature_names_out()) == sorted(rule(univariate_table(table, y)).nsmallest(2).index)


def test_a_group_of_one_is_not_tested() -> None:
    table, _ = response_cohort(patients=20, columns=2)
    y = np.arange(20) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert univariate_table(table, y)[["t_p", "u_p"]].isna().all().all()
