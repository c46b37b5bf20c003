"""Kaplan-Meier, log-rank and restricted mean, against lifelines, resampling and arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test, multivariate_logrank_test
from lifelines.utils import restricted_mean_survival_time
from reference_data import hepatocellular, larynx, lung, veteran

from hccoutcome.errors import InputError
from hccoutcome.evaluation.outcomes import as_structured
from hccoutcome.evaluation.survival import (
    compare_restricted_means,
    kaplan_meier,
    kaplan_meier_by_group,
    log_rank,
    median_follow_up,
    restricted_mean,
)


def draw(seed: int, n: int = 40) -> np.ndarray:
    random = np.random.default_rng(seed)
    return as_structured(random.random(n) < 0.6, np.ceil(random.exponential(12, n)))


def test_the_curve_of_six_patients_is_that_by_hand() -> None:
    found = kaplan_meier(as_structured(np.array([1, 0, 1, 1, 0, 1], bool), np.array([1.0, 2, 3, 3, 4, 5])))
    assert found.times.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.survival == pytest.approx([1, 5 / 6, 5 / 6, 5 / 12, 5 / 12, 0])
    assert found.at_risk.tolist() == [6, 6, 5, 4, 2, 1]
    assert found.events.tolist() == [0, 1, 0, 2, 0, 1]
    assert found.censored.tolist() == [0, 0, 1, 0, 1, 0]
    assert found.median.value == 3
    assert found.number_at_risk([0, 1, 1.5, 3, 6]) == (6, 6, 5, 4, 0)
    assert found.at(2.5).value == pytest.approx(5 / 6)
    assert found.at(100).value == 0
    assert found.patients == 6


def test_median_mean_and_test_are_those_of_lifelines(data: Path) -> None:
    table, outcome = lung(data)
    fitted = KaplanMeierFitter().fit(outcome["time"], outcome["event"])
    assert kaplan_meier(outcome).median.value == fitted.median_survival_time_
    end = float(outcome["time"].max())
    mean = restricted_mean(outcome, end)
    assert mean.value == pytest.approx(restricted_mean_survival_time(fitted, t=end))
    test = log_rank(outcome, table["sex"])
    men = (table["sex"] == 1).to_numpy()
    expected = logrank_test(outcome["time"][men], outcome["time"][~men], outcome["event"][men], outcome["event"][~men])
    assert (test.chi_square, test.p) == pytest.approx((expected.test_statistic, expected.p_value))
    assert (test.patients, test.observed) == (
        (men.sum(), (~men).sum()), (outcome["event"][men].sum(), outcome["event"][~men].sum())
    )  # fmt: skip
    # Expected deaths by hand: at each time the deaths of all, by the part of those at risk that is of the group.
    times = np.unique(outcome["time"][outcome["event"]])
    by_chance = [
        sum(
            (outcome["event"] & (outcome["time"] == time)).sum()
            * (group & (outcome["time"] >= time)).sum()
            / (outcome["time"] >= time).sum()
            for time in times
        )
        for group in (men, ~men)
    ]
    assert list(test.expected) == pytest.approx(by_chance)
    for curve, group in zip(kaplan_meier_by_group(outcome, table["sex"]), (men, ~men), strict=True):
        own = KaplanMeierFitter().fit(outcome["time"][group], outcome["event"][group])
        assert curve.median.value == own.median_survival_time_
        assert curve.at(365).value == pytest.approx(own.predict(365))


def test_the_error_of_the_restricted_mean_is_that_of_resampling(data: Path) -> None:
    _, outcome = lung(data)
    mean = restricted_mean(outcome, 700.0)
    random = np.random.default_rng(0)
    means = [restricted_mean(outcome[random.integers(0, len(outcome), len(outcome))], 700.0).value for _ in range(300)]
    assert (mean.upper - mean.lower) / 2 / 1.959964 == pytest.approx(np.std(means), rel=0.12)


@pytest.mark.parametrize("read", [lung, larynx, veteran, hepatocellular])
def test_curve_and_limits_are_those_of_lifelines(data: Path, read) -> None:
    _, outcome = read(data)
    fitted = KaplanMeierFitter().fit(outcome["time"], outcome["event"])
    found = kaplan_meier(outcome)
    assert found.survival == pytest.approx(fitted.survival_function_.to_numpy()[:, 0])
    limits = fitted.confidence_interval_.to_numpy()
    inside = (found.survival < 1) & (found.survival > 0)
    assert found.lower[inside] == pytest.approx(limits[inside, 0])
    assert found.upper[inside] == pytest.approx(limits[inside, 1])
    assert found.at_risk[1:].tolist() == fitted.event_table["at_risk"].to_numpy()[1:].tolist()
    expected = restricted_mean_survival_time(fitted, t=float(np.quantile(outcome["time"], 0.7)))
    assert restricted_mean(outcome, float(np.quantile(outcome["time"], 0.7))).value == pytest.approx(expected)


def test_the_log_rank_test_of_several_groups_is_that_of_lifelines(data: Path) -> None:
    table, outcome = veteran(data)
    found = log_rank(outcome, table["celltype"])
    expected = multivariate_logrank_test(outcome["time"], table["celltype"], outcome["event"])
    assert found.chi_square == pytest.approx(expected.test_statistic)
    assert found.p == pytest.approx(expected.p_value)
    # survdiff(Surv(time, status) ~ celltype, veteran): Chisq= 25.4 on 3 degrees of freedom.
    assert (round(found.chi_square, 1), found.df) == (25.4, 3)
    assert sum(found.expected) == pytest.approx(sum(found.observed))


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 40))
def test_a_curve_falls_between_its_limits(seed: int, n: int) -> None:
    found = kaplan_meier(draw(seed, n))
    assert (np.diff(found.survival) <= 0).all()
    assert (found.lower <= found.survival + 1e-12).all()
    assert (found.survival <= found.upper + 1e-12).all()
    assert found.patients == n
    assert found.number_at_risk(found.times) == tuple(found.at_risk)


def test_the_error_of_a_restricted_mean_is_its_spread() -> None:
    random = np.random.default_rng(0)
    values, errors, covered = [], [], []
    for _ in range(300):
        time, end = random.exponential(10, 60), random.uniform(5, 40, 60)
        found = restricted_mean(as_structured(time <= end, np.minimum(time, end)), 12)
        values.append(found.value)
        errors.append((found.upper - found.lower) / 2 / 1.959964)
        covered.append(found.contains(10 * (1 - np.exp(-1.2))))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.1)
    assert 0.91 < np.mean(covered) < 0.98
    whole = as_structured(np.ones(50, bool), random.exponential(10, 50))
    last = float(whole["time"].max())
    found = restricted_mean(whole, last)
    assert found.value == pytest.approx(whole["time"].mean())
    assert (found.upper - found.value) / 1.959964 == pytest.approx(whole["time"].std() / np.sqrt(50))


def test_restricted_means_of_two_groups_are_compared(data: Path) -> None:
    table, outcome = lung(data)
    men = table["sex"].to_numpy() == 1
    found = compare_restricted_means(outcome[~men], outcome[men], 700)
    one, two = restricted_mean(outcome[~men], 700), restricted_mean(outcome[men], 700)
    assert found.difference.value == pytest.approx(one.value - two.value)
    assert found.p < 0.01


def test_median_follow_up_turns_events_and_censoring(data: Path) -> None:
    _, outcome = lung(data)
    fitted = KaplanMeierFitter().fit(outcome["time"], ~outcome["event"])
    assert median_follow_up(outcome).value == fitted.median_survival_time_


def test_without_events_the_curve_stays_at_one() -> None:
    found = kaplan_meier(as_structured(np.zeros(3, bool), np.array([1.0, 2, 2])))
    assert (found.survival == 1).all()
    assert found.median.value is None
    assert str(found.median) == "not reached (95% CI not reached to not reached)"
    assert found.at(3) is None
    with pytest.raises(InputError, match="At least 1 event is needed, found 0"):
        log_rank(as_structured(np.zeros(3, bool), np.array([1.0, 2, 2])), [0, 1, 1])


def test_equal_times_and_times_at_0_are_taken() -> None:
    same = kaplan_meier(as_structured(np.array([True, False, True]), np.full(3, 4.0)))
    assert same.survival == pytest.approx([1, 1 / 3])
    at_once = kaplan_meier(as_structured(np.array([True, False]), np.array([0.0, 5.0])))
    assert at_once.times.tolist() == [0, 5]
    assert at_once.survival == pytest.approx([0.5, 0.5])
    everybody = kaplan_meier(as_structured(np.ones(2, bool), np.array([3.0, 3.0])))
    assert everybody.survival.tolist() == [1, 0]
    assert np.isfinite(everybody.lower).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda y: restricted_mean(y, 1e4), "ends inside the follow-up of"),
        (lambda y: restricted_mean(y, 0), "found 0: choose less"),
        (lambda y: log_rank(y, ["a"] * 40), "At least 2 groups are needed, found 1"),
        (lambda y: log_rank(y, ["a", None] * 20), "Every patient belongs to a group, found one without"),
        (lambda y: log_rank(y, [0.0, float("nan")] * 20), "found one without"),
        (lambda y: kaplan_meier_by_group(y, ["a"] * 39), "One group for each of 40 patients"),
        (lambda y: kaplan_meier(y["time"]), "structured array"),
        (lambda y: kaplan_meier(y[:0]), "structured array"),
    ],
)
def test_what_has_no_curve_is_refused(call, words: str) -> None:
    outcome = draw(1)
    outcome["event"][np.argmax(outcome["time"])] = False
    with pytest.raises(InputError, match=words):
        call(outcome)
