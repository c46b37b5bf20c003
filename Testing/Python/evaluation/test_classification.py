"""Thresholds, confusion matrix, rates and Brier score, against scikit-learn and arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from hccoutcome.errors import InputError
from hccoutcome.evaluation.classification import agreement, brier, choose_threshold, classify, proportion


def draw(seed: int, n: int = 50) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    outcome = random.permutation(np.arange(n) % 2 == 0)
    return outcome, np.round(random.normal(size=n) + outcome, 1)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 10**6))
def test_youdens_threshold_is_the_best_of_all(seed: int) -> None:
    outcome, scores = draw(seed)
    found = choose_threshold(outcome, scores)
    best = max(
        (scores[outcome] >= cut).mean() + (scores[~outcome] < cut).mean() for cut in (*np.unique(scores), np.inf)
    )
    assert found.sensitivity + found.specificity == pytest.approx(best)
    assert found.sensitivity == pytest.approx((scores[outcome] >= found.value).mean())
    assert found.specificity == pytest.approx((scores[~outcome] < found.value).mean())


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([0.8, 0.9, 1.0]))
def test_a_fixed_sensitivity_is_kept_with_the_largest_specificity(seed: int, target: float) -> None:
    outcome, scores = draw(seed)
    found = choose_threshold(outcome, scores, "sensitivity", target)
    assert found.sensitivity >= target - 1e-12
    for cut in np.unique(scores):
        if (scores[outcome] >= cut).mean() >= target:
            assert (scores[~outcome] < cut).mean() <= found.specificity + 1e-12
    turned = choose_threshold(~outcome, -scores, "specificity", target)
    assert turned.specificity >= target - 1e-12


def test_a_threshold_lies_between_two_scores() -> None:
    found = choose_threshold([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9])
    assert found.value == pytest.approx(0.4)
    assert (found.sensitivity, found.specificity, found.patients) == (1, 1, 4)
    # Equally good: the lower one, which misses fewer.
    assert choose_threshold([0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0]).value == 1.5
    assert choose_threshold([0, 1], [5.0, 5.0]).sensitivity == 1
    # The highest score belongs to a patient without the outcome: only nobody keeps the specificity.
    nobody = choose_threshold([1, 0], [1.0, 2.0], "specificity", 0.9)
    assert (nobody.specificity, nobody.sensitivity) == (1, 0)
    assert nobody.value > 2


def test_rates_are_those_of_scikit_learn() -> None:
    outcome, scores = draw(3)
    found = classify(outcome, scores, 0.5)
    called = scores >= 0.5
    (tn, fp), (fn, tp) = metrics.confusion_matrix(outcome, called)
    assert (found.true_negative, found.false_positive, found.false_negative, found.true_positive) == (tn, fp, fn, tp)
    expected = {
        "sensitivity": metrics.recall_score(outcome, called),
        "specificity": metrics.recall_score(~outcome, ~called),
        "ppv": metrics.precision_score(outcome, called),
        "npv": metrics.precision_score(~outcome, ~called),
        "accuracy": metrics.accuracy_score(outcome, called),
        "f1": metrics.f1_score(outcome, called),
    }
    for name, value in expected.items():
        rate = getattr(found, name)
        assert rate.value == pytest.approx(value), name
        assert 0 <= rate.lower < rate.value < rate.upper <= 1
    assert agreement(outcome, called).accuracy == found.accuracy


@given(st.integers(1, 300), st.floats(0, 1))
def test_wilsons_limits_are_where_the_score_test_turns(total: int, share: float) -> None:
    """Wilson 1927: a limit p is as far from the proportion as 1.96 errors of p itself."""
    count = round(share * total)
    found = proportion(count, total)
    reach = stats.norm.ppf(0.975)
    for limit in (found.lower, found.upper):
        assert (count / total - limit) ** 2 * total == pytest.approx(reach**2 * limit * (1 - limit), abs=1e-9)
    assert found.lower <= count / total <= found.upper
    assert proportion(0, 0) is None


def test_a_rate_without_patients_is_none() -> None:
    found = classify([0, 0, 1], [0.1, 0.2, 0.3], 0.9)
    assert found.ppv is None
    assert found.sensitivity.value == 0
    assert found.npv.value == pytest.approx(2 / 3)
    only = classify([1, 1], [0.2, 0.8], 0.5)
    assert only.specificity is None
    assert classify([0, 0], [0.2, 0.3], 0.5).f1 is None


def test_the_interval_of_f1_covers_what_resampling_covers() -> None:
    outcome, scores = draw(7, 200)
    found = classify(outcome, scores, 0.5).f1
    random = np.random.default_rng(0)
    rows = random.integers(0, 200, (2000, 200))
    drawn = [2 * (y & c).sum() / (y.sum() + c.sum()) for y, c in zip(outcome[rows], (scores >= 0.5)[rows], strict=True)]
    assert (found.lower, found.upper) == pytest.approx(np.quantile(drawn, (0.025, 0.975)), abs=0.03)


def test_the_brier_score_is_that_of_scikit_learn() -> None:
    outcome, scores = draw(5)
    probabilities = 1 / (1 + np.exp(-scores))
    found = brier(outcome, probabilities)
    assert found.score.value == pytest.approx(metrics.brier_score_loss(outcome, probabilities))
    assert found.score.lower < found.score.value < found.score.upper
    assert brier(outcome, np.full(50, outcome.mean())).scaled == pytest.approx(0)
    assert brier(outcome, outcome.astype(float)).scaled == 1
    assert brier([1, 1], [0.9, 0.8]).scaled is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: choose_threshold([1, 1], [1, 2]), "found 2 with the outcome and 0 without it"),
        (lambda: choose_threshold([1, 0], [1, 2], "yuden"), "did you mean 'youden'"),
        (lambda: choose_threshold([1, 0], [1, 2], "sensitivity"), "needs a target above 0 and at most 1, found None"),
        (lambda: brier([1, 0], [1.2, 0.1]), "lies between 0 and 1, found 1.2: calibrate"),
        (lambda: brier([1, 0], [0.2, -3]), "lies between 0 and 1, found -3"),
        (lambda: brier([1], [0.2]), "at least 2 patients, found 1"),
        (lambda: agreement([1, 0], [1]), "for each of 2 patients is needed, found 1"),
        (lambda: classify([1, 0], [float("inf"), 1], 0), "finite number, found 1 of 2"),
    ],
)
def test_what_cannot_be_classified_is_refused(call, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()
