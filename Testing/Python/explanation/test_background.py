from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import truncnorm

from hccoutcome.clinical.indices import composite_index
from hccoutcome.explanation.background import package_background
from hccoutcome.package.inputs import Column, learn_columns
from hccoutcome.package.reference import Distribution, Reference, learned_reference

FEATURE = "portal_tumor_original_firstorder_Mean"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    found = pd.DataFrame({FEATURE: draw.lognormal(3, 1, 200), "ecog": draw.integers(0, 3, 200).astype(float)})
    found["alb"] = 40 - 2 * found["ecog"] + draw.normal(0, 3, 200)
    found["tbil"] = draw.lognormal(3, 0.3, 200)
    found["cirrhosis"] = (draw.random(200) < 0.7).astype(float)
    found["bclc"] = draw.choice(["A", "B", "C"], 200, p=[0.2, 0.2, 0.6])
    found["albi"] = [composite_index("albi", row) for row in found[["tbil", "alb"]].to_dict("records")]
    return found


@pytest.fixture(scope="module")
def reference(table) -> Reference:
    numbers = {name: table[name].to_numpy() for name in ("ecog", "alb", "tbil", "cirrhosis")}
    return learned_reference({FEATURE: table[FEATURE].to_numpy()}, numbers, "s", "ours", len(table))


def test_made_rows_have_the_distribution_of_each_number_and_hold_no_patient(table, reference) -> None:
    made = package_background(learn_columns(table), reference, rows=400, seed=1).rows
    assert list(made.columns) == list(table.columns)
    for name in (FEATURE, "alb", "tbil"):
        wanted = np.quantile(table[name], [0.05, 0.25, 0.5, 0.75, 0.95])
        np.testing.assert_allclose(np.quantile(made[name], [0.05, 0.25, 0.5, 0.75, 0.95]), wanted, rtol=0.02)
        assert made[name].between(table[name].min(), table[name].max()).all()
    assert made["cirrhosis"].mean() == pytest.approx(table["cirrhosis"].mean(), abs=0.003)
    assert set(made["cirrhosis"]) == {0.0, 1.0}
    assert not set(map(tuple, made.to_numpy().tolist())) & set(map(tuple, table.to_numpy().tolist()))


def test_the_inputs_are_independent_but_indices_follow_from_their_variables(table, reference) -> None:
    found = package_background(learn_columns(table), reference, rows=400)
    made = found.rows
    assert abs(table[["ecog", "alb"]].corr().iloc[0, 1]) > 0.3
    assert abs(made[["ecog", "alb"]].corr().iloc[0, 1]) < 0.1
    expected = [composite_index("albi", row) for row in made[["tbil", "alb"]].to_dict("records")]
    np.testing.assert_allclose(made["albi"], expected, rtol=1e-12)
    assert found.in_words.endswith("the inputs independent of each other")


def test_where_only_mean_and_deviation_are_told_inputs_are_normal_and_codes_the_nearest(table) -> None:
    draw = np.random.default_rng(1)
    wider = table.assign(sex=draw.choice(["female", "male"], len(table), p=[0.2, 0.8]))
    made = package_background(learn_columns(wider), None, rows=400).rows
    for name in ("alb", "albi"):
        assert made[name].mean() == pytest.approx(wider[name].mean(), rel=0.01)
        assert made[name].std() == pytest.approx(0.95 * wider[name].std(), rel=0.05)
    assert made["cirrhosis"].mean() == pytest.approx(wider["cirrhosis"].mean(), abs=0.003)
    assert (made["sex"] == "male").mean() == pytest.approx(0.8, abs=0.2)
    assert set(made["bclc"]) <= {"0", "A", "B", "C", "D"}
    assert (made["bclc"] == "C").mean() > 0.25


def test_an_input_of_which_nothing_is_told_stays_at_its_median(table, reference) -> None:
    found = package_background(learn_columns(table, standardise=False), reference, rows=20)
    assert set(found.rows["bclc"]) == {"C"}
    assert found.in_words.endswith("at the training median: bclc")


def test_whole_numbers_stay_whole(table, reference) -> None:
    made = package_background(learn_columns(table[["ecog"]]), reference, rows=50).rows["ecog"]
    assert set(made) <= {0.0, 1.0, 2.0}


def test_a_column_depends_on_its_name_and_the_seed_alone(table, reference) -> None:
    columns = learn_columns(table)
    made = package_background(columns, reference, seed=4).rows
    pd.testing.assert_frame_equal(made, package_background(columns, reference, seed=4).rows)
    (alone,) = [column for column in columns if column.name == "alb"]
    pd.testing.assert_series_equal(made["alb"], package_background([alone], reference, seed=4).rows["alb"])
    assert not made["alb"].equals(package_background(columns, reference, seed=5).rows["alb"])


def test_where_nothing_is_told_at_all_every_input_stays_at_its_median(table) -> None:
    found = package_background(learn_columns(table, standardise=False), None, rows=3)
    assert found.in_words == "every input at its training median"
    assert found.rows.drop_duplicates().shape[0] == 1
    assert found.rows["alb"].iloc[0] == table["alb"].median()
    assert found.rows["bclc"].iloc[0] == "C"


def test_only_mean_deviation_and_range_give_a_normal_that_ends_there() -> None:
    known = Reference("ours", 40, "s", {FEATURE: Distribution(10.0, 2.0, 7.0, 12.0)})
    made = package_background([Column(FEATURE, 10.0)], known, rows=2000).rows[FEATURE]
    assert (made.min(), made.max()) == (7.0, 12.0)
    inner = made[(made > 7.0) & (made < 12.0)]
    expected = truncnorm(-1.5, 1.0, 10, 2)
    np.testing.assert_allclose(inner.quantile([0.25, 0.5, 0.75]), expected.ppf([0.25, 0.5, 0.75]), rtol=0.01)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=40, unique=True), st.integers(1, 60))
def test_made_values_stay_in_the_range_that_the_package_tells(values: list[float], rows: int) -> None:
    known = learned_reference({FEATURE: np.array(values)}, {}, "s", "ours", len(values))
    made = package_background([Column(FEATURE, 0.0)], known, rows).rows[FEATURE]
    distribution = known.features[FEATURE]
    assert len(made) == rows
    assert made.between(distribution.low, distribution.high).all()
