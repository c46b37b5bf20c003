"""AUC, ROC curve and DeLong's tests, against scikit-learn and DeLong's sums over all pairs."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_data import subarachnoid
from scipy import stats
from sklearn.metrics import roc_auc_score

from hccoutcome.errors import InputError
from hccoutcome.evaluation.discrimination import (
    DELONG,
    NEWCOMBE,
    auc,
    compare_aucs,
    compare_independent_aucs,
    roc_band,
    roc_curve,
)


def draw(seed: int, n: int = 60, tied: bool = False) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    outcome = random.permutation(np.arange(n) % 3 == 0)
    scores = random.normal(size=n) + outcome
    return outcome, np.round(scores) if tied else scores


def placements(outcome: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of the other class that each patient is ranked rightly against, from all pairs."""
    ahead = scores[outcome][:, None] - scores[~outcome]
    credit = np.where(ahead == 0, 0.5, ahead > 0)
    return credit.mean(axis=1), credit.mean(axis=0)


def brute_force(outcome: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """DeLong's AUC and variance from all pairs."""
    cases, controls = placements(outcome, scores)
    return float(cases.mean()), float(cases.var(ddof=1) / len(cases) + controls.var(ddof=1) / len(controls))


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(("wfns", "s100b", "ndka"), 2)))
def test_the_paired_test_is_delongs_from_all_pairs(data: Path, first: str, second: str) -> None:
    table = subarachnoid(data)
    assert len(table) == 113
    outcome = table["outcome"].to_numpy()
    (cases, controls), (others, their_controls) = (
        placements(outcome, table[name].to_numpy()) for name in (first, second)
    )
    covariances = np.cov(cases, others) / len(cases) + np.cov(controls, their_controls) / len(controls)
    difference = cases.mean() - others.mean()
    z = difference / np.sqrt(np.array([1, -1]) @ covariances @ np.array([1, -1]))
    found = compare_aucs(table["outcome"], table[first], table[second])
    assert found.statistic == pytest.approx(z)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(z)))
    assert found.difference.value == pytest.approx(difference)
    assert found.first == pytest.approx(roc_auc_score(outcome, table[first]))


def test_the_interval_is_delongs(data: Path) -> None:
    table = subarachnoid(data)
    area, variance = brute_force(table["outcome"].to_numpy(), table["s100b"].to_numpy())
    found = auc(table["outcome"], table["s100b"])
    limits = area + stats.norm.ppf([0.025, 0.5, 0.975]) * np.sqrt(variance)
    assert (found.lower, found.value, found.upper) == pytest.approx(tuple(limits))
    assert found.method == DELONG


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(8, 40), st.booleans())
def test_midranks_give_what_all_pairs_give(seed: int, n: int, tied: bool) -> None:
    outcome, scores = draw(seed, n, tied)
    area, variance = brute_force(outcome, scores)
    found = auc(outcome, scores)
    assert found.value == pytest.approx(area)
    assert found.value == pytest.approx(roc_auc_score(outcome, scores))
    if 0 < area < 1:
        assert found.upper == pytest.approx(min(1, area + 1.959964 * np.sqrt(variance)), abs=1e-6)
    assert 0 <= found.lower <= found.value <= found.upper <= 1


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_the_auc_turns_with_the_score_and_ignores_its_scale(seed: int) -> None:
    outcome, scores = draw(seed)
    found, turned, scaled = auc(outcome, scores), auc(outcome, -scores), auc(outcome, np.exp(scores / 3))
    assert turned.value == pytest.approx(1 - found.value)
    assert turned.upper == pytest.approx(1 - found.lower)
    assert scaled == found
    assert auc(~outcome, scores).value == pytest.approx(turned.value)


def test_the_variance_is_that_of_the_sampled_auc() -> None:
    random = np.random.default_rng(0)
    outcome = np.arange(80) < 30
    drawn = [auc(outcome, random.normal(size=80) + outcome) for _ in range(400)]
    truth = stats.norm.cdf(1 / np.sqrt(2))
    covered = np.mean([found.contains(truth) for found in drawn])
    assert 0.91 < covered < 0.98
    width = np.mean([found.upper - found.lower for found in drawn])
    assert width == pytest.approx(2 * 1.96 * np.std([found.value for found in drawn]), rel=0.1)


def test_a_perfect_score_keeps_an_honest_interval() -> None:
    found = auc([0] * 10 + [1] * 10, range(20))
    assert (found.value, found.upper, found.method) == (1, 1, NEWCOMBE)
    # The limit t solves (1 - t)^2 = z^2 V(t), V with m = n = 10 and (m + n) / 2 - 1 = 9.
    t = found.lower
    variance = t * (1 - t) * (1 + 9 * ((1 - t) / (2 - t) + t / (1 + t))) / 100
    assert (1 - t) ** 2 == pytest.approx(stats.norm.ppf(0.975) ** 2 * variance)
    assert 0.7 < t < 0.9
    worst = auc([0] * 10 + [1] * 10, range(20, 0, -1))
    assert worst.upper == pytest.approx(1 - t)
    assert auc([0] * 50 + [1] * 50, range(100)).lower > t


def test_a_constant_score_has_an_auc_of_a_half() -> None:
    found = auc([0, 0, 1, 1], [3, 3, 3, 3])
    assert (found.value, found.lower, found.upper) == (0.5, 0.5, 0.5)
    against = compare_aucs([0, 0, 1, 1], [1, 2, 3, 4], [3, 3, 3, 3])
    assert np.isnan(against.p)  # neither AUC has a variance, though they differ
    assert against.difference.value == 0.5


def test_a_score_does_not_differ_from_itself() -> None:
    outcome, scores = draw(1)
    found = compare_aucs(outcome, scores, 3 * scores + 1)
    assert (found.difference.value, found.statistic, found.p) == (0, 0, 1)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_the_paired_test_is_antisymmetric(seed: int) -> None:
    outcome, scores = draw(seed)
    other = np.random.default_rng(seed + 1).normal(size=len(scores))
    there, back = compare_aucs(outcome, scores, other), compare_aucs(outcome, other, scores)
    assert there.statistic == pytest.approx(-back.statistic)
    assert there.p == pytest.approx(back.p)


def test_the_unpaired_test_is_welchs_on_the_aucs() -> None:
    (first, one), (second, two) = draw(1, 60), draw(2, 45)
    found = compare_independent_aucs(first, one, second, two)
    (area, variance), (other, other_variance) = brute_force(first, one), brute_force(second, two)
    total = variance + other_variance
    df = total**2 / (variance**2 / 59 + other_variance**2 / 44)
    assert found.df == pytest.approx(df)
    assert found.statistic == pytest.approx((area - other) / np.sqrt(total))
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.statistic), df))


def test_the_roc_curve_has_all_its_corners() -> None:
    outcome, scores = draw(3, tied=True)
    found = roc_curve(outcome, scores)
    assert (found.specificity[0], found.sensitivity[0]) == (1, 0)
    assert (found.specificity[-1], found.sensitivity[-1]) == (0, 1)
    assert len(found.thresholds) == len(np.unique(scores)) + 1
    for threshold, specificity, sensitivity in zip(found.thresholds, found.specificity, found.sensitivity, strict=True):
        assert sensitivity == pytest.approx((scores[outcome] >= threshold).mean())
        assert specificity == pytest.approx((scores[~outcome] < threshold).mean())
    assert np.trapezoid(found.sensitivity, 1 - found.specificity) == pytest.approx(found.auc.value)
    assert (found.positives, found.negatives) == (20, 40)


def test_the_band_of_a_roc_curve_holds_it_and_comes_from_its_seed() -> None:
    outcome, scores = draw(4, n=120)
    curve, band = roc_curve(outcome, scores), roc_band(outcome, scores, seed=1, resamples=300)
    inside = 0
    for specificity, lower, upper in zip(band.specificity, band.lower, band.upper, strict=True):
        reached = curve.sensitivity[curve.specificity >= specificity - 1e-9].max()
        inside += lower <= reached <= upper
    assert inside >= 0.95 * len(band.specificity)
    assert (np.diff(band.upper) <= 1e-12).all()
    again = roc_band(outcome, scores, seed=1, resamples=300)
    assert band.lower.tobytes() == again.lower.tobytes()


@pytest.mark.parametrize(
    ("outcome", "scores", "words"),
    [
        ([1, 1, 1], [1, 2, 3], "found 3 with the outcome and 0 without it"),
        ([1, 0, 0], [1, 2, 3], "at least 2 patients each, found 1 with"),
        ([1, 0, 2, 0], [1, 2, 3, 4], "holds 0 and 1 only, found 2"),
        ([1, 0, float("nan"), 0], [1, 2, 3, 4], "holds 0 and 1 only, found nan"),
        (["CR", "PD", "PR", "SD"], [1, 2, 3, 4], "holds 0 and 1, found"),
        ([1, 0, 1, 0], [1, 2, 3], "for each of 4 patients is needed, found shape"),
        ([1, 0, 1, 0], [1, 2, 3, float("nan")], "finite number, found 1 of 4 that are not"),
        ([], [], "one value a patient, found shape"),
    ],
)
def test_what_cannot_be_measured_is_refused(outcome: list, scores: list, words: str) -> None:
    with pytest.raises(InputError, match=words):
        auc(outcome, scores)


def test_a_level_outside_0_to_1_is_refused() -> None:
    for level in itertools.chain((0, 1), (95,)):
        with pytest.raises(InputError, match="lies between 0 and 1, found"):
            auc(*draw(1), level=level)
