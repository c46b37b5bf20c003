"""Calibration of probabilities and of survival, on outcomes drawn from known probabilities and by other libraries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from lifelines import KaplanMeierFitter
from reference_data import gbsg2
from sklearn.calibration import calibration_curve as sklearn_curve
from sklearn.linear_model import LogisticRegression
from sksurv.linear_model import CoxPHSurvivalAnalysis

from hccoutcome.errors import InputError
from hccoutcome.evaluation.calibration import calibration_curve, calibration_line, survival_calibration
from hccoutcome.evaluation.outcomes import as_structured


def draw(n: int = 300, shift: float = 0.0, stretch: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes of true logits; the given probabilities are those of ``stretch`` times the logit less ``shift``."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=n)
    outcome = random.random(n) < 1 / (1 + np.exp(-logits))
    return outcome, 1 / (1 + np.exp(-(stretch * logits - shift)))


def test_true_probabilities_have_intercept_0_and_slope_1() -> None:
    found = calibration_line(*draw(4000))
    assert found.intercept.contains(0)
    assert found.slope.contains(1)
    assert found.intercept.upper - found.intercept.lower < 0.2
    assert found.observed == pytest.approx(found.expected, rel=0.05)
    assert found.moved == 0


def test_shifted_and_stretched_probabilities_are_told() -> None:
    outcome, probabilities = draw(4000, shift=0.7)
    assert calibration_line(outcome, probabilities).intercept.value == pytest.approx(0.7, abs=0.1)
    outcome, probabilities = draw(4000, stretch=2)
    assert calibration_line(outcome, probabilities).slope.value == pytest.approx(0.5, abs=0.06)


def test_slope_and_intercept_are_those_of_another_fit() -> None:
    outcome, probabilities = draw(200, stretch=1.5)
    logits = np.log(probabilities / (1 - probabilities))
    expected = sm.Logit(outcome.astype(float), sm.add_constant(logits)).fit(disp=False)
    found = calibration_line(outcome, probabilities, level=0.9)
    assert found.slope.value == pytest.approx(expected.params[1])
    assert (found.slope.lower, found.slope.upper) == pytest.approx(expected.conf_int(0.1)[1])
    # A logistic model fitted without penalty is calibrated on its own patients.
    own = LogisticRegression(C=np.inf, tol=1e-10).fit(logits[:, None], outcome).predict_proba(logits[:, None])[:, 1]
    line = calibration_line(outcome, own)
    assert (line.intercept.value, line.slope.value) == pytest.approx((0, 1), abs=1e-4)


def test_probabilities_without_a_logit_are_moved_and_counted() -> None:
    outcome, probabilities = draw(100)
    probabilities[:3] = (0, 1, 0)
    found = calibration_line(outcome, probabilities)
    assert found.moved == 3
    assert np.isfinite([found.intercept.value, found.slope.value]).all()


def test_where_there_is_no_slope_it_is_none() -> None:
    assert calibration_line([1, 0, 1, 0], [0.5] * 4).slope is None
    assert calibration_line([0, 0, 1, 1], [0.1, 0.3, 0.6, 0.9]).slope is None
    assert calibration_line([0, 0, 1, 1], [0.9, 0.8, 0.2, 0.1]).slope is None


def test_the_curve_of_true_probabilities_is_the_diagonal_within_its_band() -> None:
    inside = []
    for seed in range(10):
        found = calibration_curve(*draw(200, seed=seed), seed=1, resamples=60)
        inside.append(((found.lower <= found.predicted) & (found.predicted <= found.upper)).mean())
    assert 0.85 < np.mean(inside) <= 1
    found = calibration_curve(*draw(1000), seed=1, resamples=100)
    assert found.ici < 0.04
    assert found.e50 <= found.e90
    skewed = calibration_curve(*draw(1000, shift=1), seed=1, resamples=100)
    assert skewed.ici == pytest.approx(np.abs(draw(1000)[1] - draw(1000, shift=1)[1]).mean(), abs=0.05)
    assert skewed.ece > found.ece


def test_the_same_seed_gives_the_same_band() -> None:
    first, second = (calibration_curve(*draw(100), seed=3, resamples=30) for _ in range(2))
    assert first.lower.tobytes() == second.lower.tobytes()
    assert first.lower.tobytes() != calibration_curve(*draw(100), seed=4, resamples=30).lower.tobytes()


def test_groups_are_those_of_scikit_learn() -> None:
    outcome, probabilities = draw(200)
    found = calibration_curve(outcome, probabilities, seed=0, groups=5, resamples=2)
    observed, predicted = sklearn_curve(outcome, probabilities, n_bins=5, strategy="quantile")
    assert [group.observed.value for group in found.groups] == pytest.approx(observed)
    assert [group.predicted for group in found.groups] == pytest.approx(predicted)
    assert found.ece == pytest.approx(np.abs(observed - predicted).mean())
    assert [group.patients for group in found.groups] == [40] * 5


def test_few_different_probabilities_have_groups_and_no_curve() -> None:
    outcome = np.arange(30) % 3 == 0
    found = calibration_curve(outcome, np.where(np.arange(30) < 15, 0.2, 0.6), seed=0)
    assert len(found.predicted) == 0
    assert found.ici is None
    assert [group.patients for group in found.groups] == [15, 15]


def test_survival_in_groups_is_that_of_their_curves(data: Path) -> None:
    table, outcome = gbsg2(data)
    values = table[["age", "pnodes", "tsize", "progrec"]].to_numpy(float)
    model = CoxPHSurvivalAnalysis(alpha=0.01).fit(values, outcome)
    survival = np.array([function(1000) for function in model.predict_survival_function(values)])
    found = survival_calibration(outcome, survival, 1000, groups=4)
    assert sum(group.patients for group in found.groups) == 686
    assert [group.predicted for group in found.groups] == sorted(group.predicted for group in found.groups)
    lowest = np.argsort(survival)[: found.groups[0].patients]
    fitted = KaplanMeierFitter().fit(outcome["time"][lowest], outcome["event"][lowest])
    assert found.groups[0].observed.value == pytest.approx(float(fitted.predict(1000)))
    # A Cox model is calibrated on its own patients.
    assert found.ratio.contains(1)
    assert all(group.observed.lower - 0.05 < group.predicted < group.observed.upper + 0.05 for group in found.groups)


def test_where_the_follow_up_ends_there_is_no_observed_survival() -> None:
    random = np.random.default_rng(0)
    outcome = as_structured(random.random(40) < 0.3, random.uniform(1, 20, 40))
    outcome["event"][np.argmax(outcome["time"])] = False
    found = survival_calibration(outcome, random.random(40), 30, groups=2)
    assert found.observed is None
    assert found.ratio is None
    assert all(group.observed is None for group in found.groups)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: calibration_line([1, 0], [1.3, 0.2]), "lies between 0 and 1, found 1.3"),
        (lambda: calibration_line([1, 1], [0.3, 0.2]), "found 2 with the outcome and 0 without it"),
        (lambda: calibration_curve([1, 0, 1, 0], [0.1, 0.2, 0.3, 0.4], seed=0), "5 groups need at least 10 patients"),
        (lambda: calibration_line([1, 0], [0.3, float("nan")]), "probability is a finite number, found 1 of 2"),
        (
            lambda: survival_calibration(as_structured(np.ones(8, bool), np.arange(1.0, 9)), np.full(8, 0.5), -1),
            "positive number of months, found -1",
        ),
    ],
)
def test_what_has_no_calibration_is_refused(call, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()
