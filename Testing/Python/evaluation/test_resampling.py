"""Bootstrap intervals, optimism, .632+ and permutation test, against scipy, arithmetic and what is known of noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sksurv.linear_model import CoxPHSurvivalAnalysis

from hccoutcome.errors import InputError
from hccoutcome.evaluation.outcomes import as_structured
from hccoutcome.evaluation.resampling import _plus632, bootstrap, bootstrap_validation, permutation_test


def cohort(n: int = 60, columns: int = 5, strength: float = 1.0, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.default_rng(seed)
    values = random.normal(size=(n, columns))
    table = pd.DataFrame(values, [f"P{place}" for place in range(n)], [f"x{place}" for place in range(columns)])
    return table, strength * values[:, 0] + random.normal(size=n) > 0


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_are_those_of_scipy(method: str) -> None:
    values = np.random.default_rng(1).exponential(3, 50)
    found = bootstrap(lambda rows: float(values[rows].mean()), 50, seed=2, resamples=4000, method=method)
    # From one seed both draw the same samples.
    expected = stats.bootstrap((values,), np.mean, n_resamples=4000, method=method, rng=np.random.default_rng(2))
    limits = expected.confidence_interval
    assert (found.lower, found.upper) == pytest.approx((limits.low, limits.high))
    assert found.value == values.mean()
    assert found.method == f"bootstrap, {method}, 4000 samples"


def test_samples_within_strata_keep_the_classes() -> None:
    labels = np.array([True] * 3 + [False] * 27)
    found = bootstrap(lambda rows: float(labels[rows].sum()), 30, seed=0, strata=labels, resamples=50)
    assert (found.lower, found.upper) == (3, 3)
    free = bootstrap(lambda rows: float(labels[rows].sum()), 30, seed=0, resamples=50)
    assert free.upper > 3


def test_the_same_seed_draws_the_same_samples() -> None:
    values = np.random.default_rng(1).normal(size=40)
    first, second, third = (bootstrap(lambda rows: float(values[rows].mean()), 40, seed=seed) for seed in (1, 1, 2))
    assert first == second
    assert first != third


def test_a_figure_that_a_sample_lacks_is_refused() -> None:
    labels = np.array([True, True] + [False] * 8)
    with pytest.raises(InputError, match=r"not defined in \d+ of 100 bootstrap samples: draw within"):
        bootstrap(lambda rows: 1.0 if labels[rows].any() else float("nan"), 10, seed=0, resamples=100)
    with pytest.raises(InputError, match="needs 2 patients and 1 sample, found 1 and 10"):
        bootstrap(lambda rows: 1.0, 1, seed=0, resamples=10)


def test_a_model_of_noise_is_put_right_by_both_corrections() -> None:
    table, response = cohort(n=60, columns=30, strength=0)
    found = bootstrap_validation(LogisticRegression(C=10.0, max_iter=500), table, response, seed=1, resamples=30)
    area = found["auc"]
    assert area.apparent.value > 0.9
    assert abs(area.out_of_bag - 0.5) < 0.1
    assert abs(area.plus632 - 0.5) < abs(area.corrected.value - 0.5) < 0.35
    assert area.weight > 0.9  # overfitting without bounds
    assert area.corrected.value == pytest.approx(area.apparent.value - area.optimism)
    assert area.corrected.lower == pytest.approx(max(area.apparent.lower - area.optimism, 0))
    score = found["brier"]
    assert score.apparent.value < score.corrected.value
    assert score.optimism < 0


def test_a_model_that_learns_nothing_has_no_optimism() -> None:
    table, response = cohort()
    found = bootstrap_validation(
        DummyClassifier(strategy="constant", constant=True), table, response, seed=0, resamples=20
    )
    area = found["auc"]
    assert (area.apparent.value, area.optimism, area.plus632, area.resamples) == (0.5, 0, 0.5, 20)


def test_one_nearest_neighbour_is_the_textbook_case_of_632plus() -> None:
    """Efron and Tibshirani: 1-NN has no apparent error, and with outcomes of noise .632+ gives the error of chance."""
    errors, without_plus = [], []
    for seed in range(4):
        table, response = cohort(n=80, columns=3, strength=0, seed=seed)
        found = bootstrap_validation(KNeighborsClassifier(1), table, response, seed=0, resamples=30)["brier"]
        assert found.apparent.value == 0
        assert found.no_information == pytest.approx(2 * response.mean() * (1 - response.mean()))
        errors.append(found.plus632)
        without_plus.append(0.632 * found.out_of_bag)
    assert np.mean(errors) == pytest.approx(0.5, abs=0.07)
    assert np.mean(without_plus) < 0.35


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.floats(0, 1), st.floats(0, 1))
def test_632plus_lies_between_apparent_and_unseen(apparent: float, unseen: float) -> None:
    weight, value = _plus632(apparent, unseen, 0.5, higher_is_better=True)
    assert 0.632 <= weight <= 1 + 1e-12
    low, high = sorted((apparent, max(unseen, 0.5)))
    assert low - 1e-12 <= value <= high + 1e-12
    error_weight, error = _plus632(1 - apparent, 1 - unseen, 0.5, higher_is_better=False)
    assert (error_weight, 1 - error) == pytest.approx((weight, value))


def test_632plus_by_hand() -> None:
    # Error 0.1 seen, 0.4 unseen, 0.5 by chance: R = 0.75, w = 0.632 / (1 - 0.276).
    weight, value = _plus632(0.1, 0.4, 0.5, higher_is_better=False)
    assert weight == pytest.approx(0.632 / 0.724)
    assert value == pytest.approx(0.1 * (1 - 0.632 / 0.724) + 0.4 * 0.632 / 0.724)


def test_survival_is_validated_by_its_c_index() -> None:
    random = np.random.default_rng(5)
    table = pd.DataFrame(random.normal(size=(70, 8)), [f"P{place}" for place in range(70)], list("abcdefgh"))
    time = random.exponential(np.exp(-table["a"].to_numpy())) * 10
    end = random.uniform(3, 25, 70)
    outcome = as_structured(time <= end, np.minimum(time, end))
    found = bootstrap_validation(CoxPHSurvivalAnalysis(alpha=0.1), table, outcome, seed=1, resamples=30)
    assert list(found) == ["c_index"]
    figure = found["c_index"]
    assert figure.out_of_bag < figure.plus632 < figure.apparent.value
    assert figure.optimism > 0


def test_the_result_does_not_depend_on_the_number_of_processes() -> None:
    table, response = cohort(n=40)
    forest = RandomForestClassifier(4)
    first, second = (
        bootstrap_validation(forest, table, response, seed=3, resamples=6, n_jobs=jobs)["auc"] for jobs in (1, 2)
    )
    assert first == second


def test_a_permutation_test_tells_signal_from_noise() -> None:
    table, response = cohort(n=60, strength=2)
    found = permutation_test(LogisticRegression(), table, response, permutations=19, folds=3, seed=1)
    assert found.p == 1 / 20
    assert found.observed.value > found.permuted.max()
    assert found.permuted.mean() == pytest.approx(0.5, abs=0.05)
    _, noise = cohort(n=60, strength=0, seed=9)
    assert permutation_test(LogisticRegression(), table, noise, permutations=19, folds=3, seed=1).p > 0.05
    with pytest.raises(InputError, match="at least 1 permutation, found 0"):
        permutation_test(LogisticRegression(), table, response, permutations=0)


def test_what_cannot_be_validated_is_refused() -> None:
    table, response = cohort(n=20)
    with pytest.raises(InputError, match="found 20 rows and 19 outcomes"):
        bootstrap_validation(LogisticRegression(), table, response[1:], seed=0)
    with pytest.raises(InputError, match="at least 2 patients each, found 20 with"):
        bootstrap_validation(LogisticRegression(), table, np.ones(20), seed=0)
