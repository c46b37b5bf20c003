"""Harrell's and Uno's C with intervals, against scikit-survival, lifelines, leaving patients out and resampling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter
from lifelines.utils import concordance_index
from reference_data import gbsg2, lung, whas500
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import concordance_index_censored, concordance_index_ipcw

from hccoutcome.errors import InputError
from hccoutcome.evaluation.censoring import horizon
from hccoutcome.evaluation.concordance import (
    WILSON,
    binary_as_survival,
    compare_concordance,
    harrell,
    pair_sums,
    uno,
)
from hccoutcome.evaluation.discrimination import auc
from hccoutcome.evaluation.outcomes import as_structured, check_survival


def draw(seed: int, n: int = 40, tied: bool = False) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    risk = random.normal(size=n)
    time, censoring = random.exponential(np.exp(-risk)) * 10, random.uniform(1, 25, n)
    event, time = time <= censoring, np.minimum(time, censoring)
    event[0] = True
    if tied:
        time, risk = np.ceil(time), np.round(risk)
    return as_structured(event, time), risk + random.normal(size=n) * (not tied)


def standard_error(found) -> float:
    """The standard error back from the interval on the logit scale."""
    reach = np.log(found.upper / (1 - found.upper)) - np.log(found.lower / (1 - found.lower))
    return reach / 2 / 1.959964 * found.value * (1 - found.value)


@pytest.mark.parametrize("columns", [["sex"], ["age", "sex", "ph.ecog"]])
def test_value_and_error_are_those_of_lifelines_and_of_leaving_patients_out(data: Path, columns: list[str]) -> None:
    table, outcome = lung(data)
    full = table[["time", "status", *columns]].dropna()
    outcome = outcome[full.index.to_numpy()]
    fitted = CoxPHFitter().fit(full, "time", "status")
    risk = full[columns].to_numpy() @ fitted.params_.to_numpy()
    found = harrell(outcome, risk)
    assert found.value == pytest.approx(concordance_index(outcome["time"], -risk, outcome["event"]))
    assert found.value == pytest.approx(fitted.concordance_index_)
    # The jackknife is what the infinitesimal jackknife, whose error R's survival gives, comes from.
    n = len(risk)
    without = [
        concordance_index(*(np.delete(values, place) for values in (outcome["time"], -risk, outcome["event"])))
        for place in range(n)
    ]
    jackknife = np.sqrt((n - 1) / n * np.sum((np.array(without) - np.mean(without)) ** 2))
    assert standard_error(found) == pytest.approx(jackknife, rel=0.02)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.booleans())
def test_pair_sums_give_the_c_of_scikit_survival(seed: int, tied: bool) -> None:
    outcome, risk = draw(seed, tied=tied)
    expected = concordance_index_censored(outcome["event"], outcome["time"], risk)[0]
    found = pair_sums(check_survival(outcome), risk)
    assert found.value == pytest.approx(expected)
    assert harrell(outcome, risk).value == pytest.approx(expected)
    assert pair_sums(check_survival(outcome), risk, rows=7).influence == pytest.approx(found.influence)
    assert found.influence.sum() == pytest.approx(0, abs=1e-12)
    assert harrell(outcome, -risk).value == pytest.approx(1 - expected)


def test_the_influence_is_the_derivative_by_the_patients_weight() -> None:
    """Doubling a patient a little: C of the sample in which everybody stands 200 times, and one patient 201 times."""
    outcome, risk = draw(5, n=15)
    found = pair_sums(check_survival(outcome), risk)
    for patient in (0, 7, 14):
        copies = np.full(15, 200)
        copies[patient] += 1
        rows = np.repeat(np.arange(15), copies)
        # Copies of one patient are no pair of different patients: they tie in time and event.
        value = pair_sums(check_survival(outcome[rows]), risk[rows]).value
        assert (value - found.value) * 200 == pytest.approx(found.influence[patient], abs=2e-3)


def test_without_ties_it_is_the_c_of_lifelines() -> None:
    outcome, risk = draw(2, n=100)
    assert harrell(outcome, risk).value == pytest.approx(concordance_index(outcome["time"], -risk, outcome["event"]))


def test_the_interval_is_as_wide_as_resampling_says(data: Path) -> None:
    table, outcome = whas500(data)
    risk = table["age"].to_numpy()
    found = harrell(outcome, risk)
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(200):
        rows = random.integers(0, len(risk), len(risk))
        drawn.append(pair_sums(check_survival(outcome[rows]), risk[rows]).value)
    assert standard_error(found) == pytest.approx(np.std(drawn), rel=0.12)


def test_the_interval_covers_as_often_as_it_says() -> None:
    covered, errors, values = [], [], []
    truth = pair_sums(check_survival(draw(999, n=3000)[0]), draw(999, n=3000)[1]).value
    for seed in range(300):
        found = harrell(*draw(seed, n=60))
        covered.append(found.contains(truth))
        errors.append(standard_error(found))
        values.append(found.value)
    assert 0.9 < np.mean(covered) < 0.985
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.12)


def test_the_c_of_a_binary_outcome_is_its_auc() -> None:
    random = np.random.default_rng(3)
    outcome = random.random(80) < 0.4
    scores = np.round(random.normal(size=80) + outcome, 1)
    found, expected = pair_sums(binary_as_survival(outcome), scores), auc(outcome, scores)
    assert found.value == pytest.approx(expected.value)
    delong = (expected.upper - expected.lower) / 2 / 1.959964
    assert np.linalg.norm(found.influence) == pytest.approx(delong, rel=0.03)  # n against n - 1


def test_strata_compare_inside_only() -> None:
    outcome, risk = draw(4, n=60)
    strata = np.arange(60) % 3
    parts = [
        concordance_index_censored(o["event"], o["time"], r)
        for o, r in ((outcome[strata == s], risk[strata == s]) for s in range(3))
    ]
    concordant = sum(part[1] + part[3] / 2 for part in parts)
    found = pair_sums(check_survival(outcome), risk, strata=strata)
    assert found.value == pytest.approx(concordant / sum(part[1] + part[2] + part[3] for part in parts))
    # A shift of one fold's scale changes nothing.
    assert pair_sums(check_survival(outcome), risk + 100 * strata, strata=strata).value == pytest.approx(found.value)


def test_unos_c_is_that_of_scikit_survival_and_has_its_spread(data: Path) -> None:
    table, outcome = gbsg2(data)
    values = table[["age", "pnodes", "tsize", "progrec"]].to_numpy(float)
    train, test = np.arange(0, 343), np.arange(343, 686)
    model = CoxPHSurvivalAnalysis(alpha=0.01).fit(values[train], outcome[train])
    risk = model.predict(values[test])
    tau = horizon(outcome[train], outcome[test])
    found = uno(outcome[train], outcome[test], risk)
    assert found.value == pytest.approx(concordance_index_ipcw(outcome[train], outcome[test], risk, tau)[0])
    early = uno(outcome[train], outcome[test], risk, tau=700)
    assert early.value == pytest.approx(concordance_index_ipcw(outcome[train], outcome[test], risk, 700)[0])
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(100):
        rows = random.integers(0, 343, 343)
        drawn.append(concordance_index_ipcw(outcome[train], outcome[test][rows], risk[rows], 700)[0])
    assert standard_error(early) == pytest.approx(np.std(drawn), rel=0.2)


def test_unos_c_ignores_a_follow_up_beyond_the_training_data() -> None:
    train, _ = draw(1, n=80)
    test, risk = draw(2, n=80)
    test["time"] = test["time"] * 3
    limit = horizon(train, test)
    assert limit <= train["time"].max() < test["time"].max()
    found = uno(train, test, risk)
    assert 0.5 < found.value < 1
    with pytest.raises(InputError, match="ends at the common follow-up of"):
        uno(train, test, risk, tau=limit + 1)


def test_comparing_two_risks_uses_that_they_share_patients() -> None:
    outcome, risk = draw(6, n=150)
    random = np.random.default_rng(1)
    close, far = risk + 0.1 * random.normal(size=150), random.normal(size=150)
    found = compare_concordance(outcome, risk, far)
    assert found.p < 0.01
    assert found.difference.value == pytest.approx(found.first - found.second)
    near = compare_concordance(outcome, risk, close)
    assert near.difference.upper - near.difference.lower < found.difference.upper - found.difference.lower
    assert compare_concordance(outcome, risk, 2 * risk).p == 1
    drawn = []
    for _ in range(200):
        rows = random.integers(0, 150, 150)
        of_rows = check_survival(outcome[rows])
        drawn.append(pair_sums(of_rows, risk[rows]).value - pair_sums(of_rows, far[rows]).value)
    assert (found.difference.upper - found.difference.lower) / 2 / 1.959964 == pytest.approx(np.std(drawn), rel=0.15)


def test_perfect_and_constant_risks_have_stated_intervals() -> None:
    outcome = as_structured(np.ones(20, bool), np.arange(1.0, 21))
    found = harrell(outcome, -outcome["time"])
    assert (found.value, found.upper, found.method) == (1, 1, WILSON)
    assert 0.7 < found.lower < 0.9
    assert harrell(outcome, outcome["time"]).upper == pytest.approx(1 - found.lower)
    flat = harrell(outcome, np.zeros(20))
    assert (flat.lower, flat.value, flat.upper) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("event", "time", "risk", "words"),
    [
        ([False, False], [1, 2], [1, 2], "At least 1 event is needed, found 0 in 2 patients"),
        ([True, True], [3, 3], [1, 2], "found no such pair"),
        ([False, True], [1, 2], [1, 2], "found no such pair"),
        ([True, False], [1, -2], [1, 2], "months from 0 on, found -2"),
        ([True, False], [1, float("nan")], [1, 2], "months from 0 on, found nan"),
        ([True, False], [1, 2], [1, float("nan")], "A risk is a finite number, found 1 of 2"),
        ([True, False], [1, 2], [1, 2, 3], "One risk for each of 2 patients is needed"),
    ],
)
def test_what_has_no_concordance_is_refused(event, time, risk, words: str) -> None:
    with pytest.raises(InputError, match=words):
        harrell(as_structured(np.array(event), np.array(time, float)), risk)


def test_an_outcome_that_is_not_of_survival_is_refused() -> None:
    with pytest.raises(InputError, match=r"structured array with an event and a time for each patient, found float64"):
        harrell(np.ones(3), np.ones(3))
