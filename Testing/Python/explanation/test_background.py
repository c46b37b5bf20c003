from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import truncnorm

from hccoutcome.errors import InputError
from hccoutcome.explanation.background import (
    Marginal,
    marginal_of_distribution,
    marginals_of,
    synthetic_background,
)
from hccoutcome.package.reference import Distribution


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    found = pd.DataFrame({"afp": draw.lognormal(3, 1, 200), "ecog": draw.integers(0, 3, 200).astype(float)})
    found["alb"] = 40 - found["ecog"] + draw.normal(0, 3, 200)
    found["bclc"] = draw.choice(["A", "B", "C"], 200, p=[0.2, 0.3, 0.5])
    found.loc[found.index[:50], "alb"] = np.nan
    return found


def test_made_rows_have_the_distribution_of_each_column_and_hold_no_patient(table) -> None:
    made = synthetic_background(marginals_of(table), rows=400, seed=1)
    for name in ("afp", "alb"):
        wanted = np.nanquantile(table[name], [0.1, 0.25, 0.5, 0.75, 0.9])
        np.testing.assert_allclose(np.nanquantile(made[name], [0.1, 0.25, 0.5, 0.75, 0.9]), wanted, rtol=0.03)
    assert made["alb"].isna().mean() == pytest.approx(0.25)
    for name in ("ecog", "bclc"):
        shares = table[name].value_counts(normalize=True)
        assert made[name].value_counts(normalize=True).to_dict() == pytest.approx(shares.to_dict(), abs=0.005)
    assert not set(map(tuple, made.dropna().to_numpy().tolist())) & set(map(tuple, table.to_numpy().tolist()))


def test_the_columns_are_independent_of_each_other(table) -> None:
    made = synthetic_background(marginals_of(table), rows=400)
    assert abs(table[["ecog", "alb"]].corr().iloc[0, 1]) > 0.15
    assert abs(made[["ecog", "alb"]].corr().iloc[0, 1]) < 0.1


def test_a_column_depends_on_its_name_and_the_seed_alone(table) -> None:
    marginals = marginals_of(table)
    made = synthetic_background(marginals, seed=4)
    pd.testing.assert_frame_equal(made, synthetic_background(marginals, seed=4))
    pd.testing.assert_series_equal(made["alb"], synthetic_background({"alb": marginals["alb"]}, seed=4)["alb"])
    assert not made["afp"].equals(synthetic_background(marginals, seed=5)["afp"])


def test_only_mean_deviation_and_range_give_a_normal_that_ends_there() -> None:
    made = synthetic_background({"x": marginal_of_distribution(Distribution(10.0, 2.0, 7.0, 12.0))}, rows=2000)["x"]
    assert made.min() >= 7.0
    assert made.max() <= 12.0
    inner = made[(made > 7.2) & (made < 11.8)]
    expected = truncnorm((7.2 - 10) / 2, (11.8 - 10) / 2, 10, 2)
    np.testing.assert_allclose(inner.quantile([0.25, 0.5, 0.75]), expected.ppf([0.25, 0.5, 0.75]), rtol=0.02)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=30).filter(
        lambda values: any(value is not None for value in values)
    ),
    st.integers(1, 50),
)
def test_a_distribution_survives_json_and_made_values_stay_in_range(values: list, rows: int) -> None:
    column = pd.Series(values, dtype=float)
    (marginal,) = marginals_of(pd.DataFrame({"x": column})).values()
    assert Marginal.from_json(marginal.to_json(), "x") == marginal
    made = synthetic_background({"x": marginal}, rows)["x"]
    assert len(made) == rows
    assert made.dropna().between(column.min(), column.max()).all()


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"quantiles": [2.0, 1.0]},
        {"quantiles": [1.0], "levels": [{"value": 1.0, "share": 1.0}]},
        {"levels": [{"value": "A", "share": 0.5}]},
        {"levels": [{"value": "A", "share": 1.5}, {"value": "B", "share": -0.5}]},
        {"quantiles": [1.0, 2.0], "missing": 1.0},
        {"quantiles": [1.0, True]},
        {"quantiles": [1.0], "mising": 0.0},
    ],
)
def test_what_is_no_distribution_is_refused(data: dict) -> None:
    with pytest.raises(InputError):
        Marginal.from_json(data, "reference.json, feature 'x'")


def test_a_column_without_values_is_named() -> None:
    with pytest.raises(InputError, match="The column 'x' has no value"):
        marginals_of(pd.DataFrame({"x": [np.nan, np.nan]}))
