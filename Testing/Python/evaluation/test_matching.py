"""Propensity matching: balance, caliper, optimality, determinism."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from reference_data import gbsg2

from hccoutcome.errors import InputError
from hccoutcome.evaluation.matching import _greedy, _optimal, match


def draw(n: int = 200, seed: int = 0) -> tuple[np.ndarray, pd.DataFrame]:
    random = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "age": random.normal(60, 10, n),
            "afp": random.lognormal(3, 1, n),
            "bclc": random.choice(["A", "B", "C"], n),
        }
    )
    logits = (table["age"] - 62) / 10 + 0.8 * (table["bclc"] == "C") - 0.5
    return (random.random(n) < 1 / (1 + np.exp(-logits))).to_numpy(), table


@pytest.mark.parametrize("method", ["greedy", "optimal"])
def test_matched_groups_are_balanced(method: str) -> None:
    treated, table = draw()
    found = match(treated, table, method=method)
    age = next(item for item in found.balance if item.name == "age")
    assert abs(age.before) > 0.5
    assert all(abs(item.after) < 0.25 for item in found.balance)
    assert [item.name for item in found.balance] == ["age", "afp", "bclc: B", "bclc: C"]
    rows = found.pairs
    assert age.matched_treated == pytest.approx(table["age"].to_numpy()[rows[:, 0]].mean())
    assert len(np.unique(rows)) == rows.size  # nobody is used twice
    assert treated[rows[:, 0]].all()
    assert not treated[rows[:, 1]].any()
    logits = np.log(found.propensity / (1 - found.propensity))
    assert np.abs(np.diff(logits[rows], axis=1)).max() <= found.caliper
    assert found.caliper == pytest.approx(0.2 * logits.std(ddof=1))
    assert len(found.unmatched) + len(rows) == treated.sum()
    assert found.rows.tolist() == sorted(rows.ravel().tolist())


def test_the_propensity_is_that_of_a_logistic_regression(data: Path) -> None:
    table, _ = gbsg2(data)
    treated = (table["horTh"] == "yes").to_numpy()
    columns = table[["age", "pnodes"]].astype(float)
    expected = sm.Logit(treated.astype(float), sm.add_constant(columns.to_numpy())).fit(disp=False).predict()
    found = match(treated, columns)
    assert found.propensity == pytest.approx(expected, abs=1e-8)
    assert all(abs(item.after) < 0.1 for item in found.balance)


def test_the_standardised_difference_is_that_by_hand() -> None:
    treated, table = draw()
    found = match(treated, table)
    age, flag = table["age"].to_numpy(), (table["bclc"] == "C").to_numpy(float)
    deviation = np.sqrt((age[treated].var(ddof=1) + age[~treated].var(ddof=1)) / 2)
    assert found.balance[0].before == pytest.approx((age[treated].mean() - age[~treated].mean()) / deviation)
    shares = flag[treated].mean(), flag[~treated].mean()
    deviation = np.sqrt(sum(share * (1 - share) for share in shares) / 2)
    assert found.balance[3].before == pytest.approx((shares[0] - shares[1]) / deviation)


def test_optimal_matching_is_the_best_of_all_assignments() -> None:
    random = np.random.default_rng(4)
    for _ in range(20):
        logits = random.normal(size=9)
        group = np.arange(9) < 4
        width = 0.6
        best = max(
            (sum(ok), -sum(distance for distance, fits in zip(apart, ok, strict=True) if fits))
            for controls in itertools.permutations(range(4, 9), 4)
            for apart in [[abs(logits[row] - logits[other]) for row, other in enumerate(controls)]]
            for ok in [[distance <= width for distance in apart]]
        )
        found = _optimal(logits, group, width)
        assert len(found) == best[0]
        assert np.abs(np.diff(logits[found], axis=1)).sum() == pytest.approx(-best[1])
        assert len(_greedy(logits, group, width)) <= len(found)


def test_greedy_matching_goes_from_the_highest_propensity_down() -> None:
    logits = np.array([2.0, 1.0, 1.2, -3.0])
    found = _greedy(logits, np.array([True, True, False, False]), 1.0)
    assert found.tolist() == [[0, 2]]  # the first takes the only near control
    assert _optimal(logits, np.array([True, True, False, False]), 1.0).tolist() == [[1, 2]]


def test_the_same_table_gives_the_same_pairs() -> None:
    treated, table = draw()
    assert match(treated, table).pairs.tobytes() == match(treated, table).pairs.tobytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"treated": np.ones(200)}, "found 200 with the outcome and 0 without"),
        ({"covariates": pd.DataFrame({"a": [1.0]})}, "each of 200 patients is needed, found 1"),
        ({"caliper": 0}, "A caliper is positive, found 0"),
        ({"method": "greddy"}, "did you mean 'greedy'"),
    ],
)
def test_what_cannot_be_matched_is_refused(change: dict, words: str) -> None:
    treated, table = draw()
    with pytest.raises(InputError, match=words):
        match(**{"treated": treated, "covariates": table, **change})


def test_groups_that_the_covariates_separate_are_refused() -> None:
    treated, table = draw()
    with pytest.raises(InputError, match="tell the two groups apart completely"):
        match(treated, table.assign(drug=treated.astype(float)))
    with pytest.raises(InputError, match="missing in 'age'"):
        match(treated, table.assign(age=table["age"].where(table["age"] > 40)))
