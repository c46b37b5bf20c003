"""Near-zero variance, correlation and stability, against their definitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selection_data import frame, response_cohort, survival_cohort

from hccoutcome.selection.filters import (
    CorrelationFilter,
    NearZeroVariance,
    StabilityGate,
    correlated_pairs,
    correlations,
)
from hccoutcome.selection.univariate import association
from hccoutcome.stability.table import FeatureStability, Gate, StabilityTable


def test_near_zero_variance_is_caret_s_rule() -> None:
    """20 patients: frequency ratio above 19 and fewer than a tenth of different values."""
    table = frame(
        np.column_stack(
            [
                np.arange(40.0),
                np.r_[np.zeros(39), 1.0],  # 39 to 1, 5 % different: goes
                np.r_[np.zeros(38), 1.0, 2.0],  # 38 to 1, 7.5 % different: goes
                np.r_[np.zeros(35), np.arange(1.0, 6.0)],  # 35 to 1, but 15 % different: stays
                np.r_[np.zeros(38), 1.0, 1.0],  # 19 to 1: stays
                np.full(40, 7.0),
            ]
        )
    )
    assert NearZeroVariance().fit(table).get_support().tolist() == [True, False, False, True, True, False]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 0.99), st.sampled_from(["first", "stronger"]))
def test_no_two_kept_columns_correlate_and_every_dropped_one_has_a_reason(
    seed: int, threshold: float, keep: str
) -> None:
    table, y = response_cohort(patients=30, columns=5, seed=seed)
    random = np.random.default_rng(seed)
    copies = {f"{name}_{i}": table[name] + random.normal(0, 0.4, 30) for i in range(2) for name in table.columns}
    table = table.assign(**copies).mask(random.random((30, 15)) < 0.03)
    fitted = CorrelationFilter(threshold, keep=keep).fit(table, y)  # type: ignore[arg-type]
    r = table.corr().abs()
    kept = list(fitted.get_feature_names_out())
    among_kept = r.loc[kept, kept].to_numpy()[~np.eye(len(kept), dtype=bool)]
    assert (among_kept <= threshold).all()
    assert set(fitted.replaced_by_) == set(table.columns) - set(kept)
    strength = pd.Series(association(table, y), index=table.columns)
    for dropped, keeper in fitted.replaced_by_.items():
        assert keeper in kept
        assert r.loc[dropped, keeper] > threshold
        if keep == "first":
            assert table.columns.get_loc(keeper) < table.columns.get_loc(dropped)
        else:
            assert strength[keeper] >= strength[dropped]


@pytest.mark.parametrize("method", ["pearson", "spearman"])
@pytest.mark.parametrize("gaps", [False, True])
def test_correlations_are_those_of_pandas(method: str, gaps: bool) -> None:
    table = response_cohort(columns=6)[0].round(1)
    table.iloc[:, 5] = table.iloc[:, 0] ** 3
    if gaps:
        table = table.mask(np.random.default_rng(1).random(table.shape) < 0.2)
    np.testing.assert_allclose(correlations(table, method), table.corr(method), atol=1e-12)  # type: ignore[arg-type]


def test_close_pairs_are_listed_the_closest_first() -> None:
    x = np.arange(30.0)
    random = np.random.default_rng(0)
    table = pd.DataFrame({"a": x, "b": np.exp(x / 5), "c": -x + random.normal(0, 4, 30), "d": random.normal(size=30)})
    pairs = correlated_pairs(table)
    assert pairs["r"].iloc[0] == 1.0, "a and its exponential have the same ranks"
    assert set(zip(pairs["first"], pairs["second"], strict=True)) == {("a", "b"), ("a", "c"), ("b", "c")}
    assert pairs["r"].abs().is_monotonic_decreasing


def test_the_gate_lets_stable_features_and_clinical_columns_pass() -> None:
    names = [f"arterial_tumor_original_glcm_F{i}" for i in range(3)]
    table = StabilityTable(
        tuple(
            FeatureStability(name, icc=icc, stable=icc >= 0.75)
            for name, icc in zip(names, (0.9, 0.5, 0.8), strict=True)
        ),
        Gate(),
        "2,1",
        30,
        2,
    )
    data = pd.DataFrame(np.zeros((4, 6)), columns=["age", "nlr", *names, "portal_tumor_original_glcm_F9"])
    assert list(StabilityGate(table).fit(data).get_feature_names_out()) == ["age", "nlr", names[0], names[2]]
    assert list(StabilityGate(table, Gate(0.85)).fit(data).get_feature_names_out()) == ["age", "nlr", names[0]]
    assert StabilityGate().fit(data).get_support().all()


def test_the_stronger_column_of_a_survival_cohort_is_kept() -> None:
    table, y = survival_cohort()
    blurred = table.iloc[:, [0]].to_numpy()[:, 0] + np.random.default_rng(0).normal(0, 0.2, len(table))
    table.insert(0, "arterial_tumor_original_glcm_Blurred", blurred)
    assert "arterial_tumor_original_glcm_Blurred" in CorrelationFilter().fit(table, y).get_feature_names_out()
    stronger = CorrelationFilter(keep="stronger").fit(table, y)
    assert stronger.replaced_by_ == {"arterial_tumor_original_glcm_Blurred": "arterial_tumor_original_glcm_F000"}
