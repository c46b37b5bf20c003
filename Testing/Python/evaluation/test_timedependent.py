"""AUC and Brier score at times, against scikit-survival, arithmetic and resampling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reference_data import gbsg2
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import brier_score, cumulative_dynamic_auc, integrated_brier_score

from hccoutcome.errors import InputError
from hccoutcome.evaluation.censoring import CensoringCurve, evaluation_times, horizon
from hccoutcome.evaluation.discrimination import auc
from hccoutcome.evaluation.outcomes import as_structured
from hccoutcome.evaluation.timedependent import time_dependent_auc, time_dependent_brier


@pytest.fixture(scope="module")
def predicted(data: Path):
    """Half of GBSG2 to learn from, half to predict: outcomes, risks, and survival at times."""
    table, outcome = gbsg2(data)
    values = table[["age", "pnodes", "tsize", "progrec"]].to_numpy(float)
    train, test = np.arange(0, 686, 2), np.arange(1, 686, 2)
    model = CoxPHSurvivalAnalysis(alpha=0.01).fit(values[train], outcome[train])
    times = np.array([400.0, 800.0, 1200.0, 1600.0])
    survival = np.stack([function(times) for function in model.predict_survival_function(values[test])])
    return outcome[train], outcome[test], model.predict(values[test]), survival, times


def test_auc_is_that_of_scikit_survival(predicted) -> None:
    train, test, risk, survival, times = predicted
    expected, mean = cumulative_dynamic_auc(train, test, risk, times)
    found = time_dependent_auc(train, test, risk, times)
    assert [item.value for item in found.auc] == pytest.approx(expected)
    assert found.mean.value == pytest.approx(mean)
    changing, mean = cumulative_dynamic_auc(train, test, 1 - survival, times)
    of_times = time_dependent_auc(train, test, 1 - survival, times)
    assert [item.value for item in of_times.auc] == pytest.approx(changing)
    assert found.cases[0] == int((test["event"] & (test["time"] <= 400)).sum())
    assert all(item.lower < item.value < item.upper for item in found.auc)


def test_brier_scores_are_those_of_scikit_survival(predicted) -> None:
    train, test, _, survival, times = predicted
    expected = brier_score(train, test, survival, times)[1]
    found = time_dependent_brier(train, test, survival, times)
    assert [item.value for item in found.score] == pytest.approx(expected)
    assert found.integrated.value == pytest.approx(integrated_brier_score(train, test, survival, times))
    assert 0 < found.scaled < 0.3  # better than the curve of everybody, and not by much
    single = time_dependent_brier(train, test, survival[:, :1], times[:1])
    assert single.integrated is None
    assert single.score[0] == found.score[0]


def test_the_reference_is_the_training_curve_given_to_everybody(predicted) -> None:
    train, test, _, survival, times = predicted
    found = time_dependent_brier(train, test, survival, times)
    from lifelines import KaplanMeierFitter

    curve = KaplanMeierFitter().fit(train["time"], train["event"])
    common = np.tile(curve.survival_function_at_times(times).to_numpy(), (len(test), 1))
    again = time_dependent_brier(train, test, common, times)
    assert [item.value for item in again.score] == pytest.approx(found.reference)
    assert again.scaled == pytest.approx(0)


def test_intervals_are_as_wide_as_resampling_says(predicted) -> None:
    train, test, risk, survival, times = predicted
    found = time_dependent_auc(train, test, risk, times)
    scores = time_dependent_brier(train, test, survival, times)
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(150):
        rows = random.integers(0, len(test), len(test))
        values, mean = cumulative_dynamic_auc(train, test[rows], risk[rows], times)
        drawn.append((*values, mean, integrated_brier_score(train, test[rows], survival[rows], times)))
    spread = np.std(drawn, axis=0)
    for item, expected in zip((*found.auc, found.mean, scores.integrated), spread, strict=True):
        assert (item.upper - item.lower) / 2 / 1.959964 == pytest.approx(expected, rel=0.2)


def test_without_censoring_it_is_the_auc_of_the_outcome_by_then() -> None:
    random = np.random.default_rng(1)
    time = random.exponential(10, 100)
    risk = -time + random.normal(0, 8, 100)
    outcome = as_structured(np.ones(100, bool), time)
    found = time_dependent_auc(outcome, outcome, risk, [8.0])
    expected = auc(time <= 8, risk)
    assert found.auc[0].value == pytest.approx(expected.value)
    assert found.auc[0].lower == pytest.approx(expected.lower, abs=0.002)  # n against n - 1
    losses = (np.full(100, 0.4) - (time > 8)) ** 2
    assert time_dependent_brier(outcome, outcome, np.full(100, 0.4), [8.0]).score[0].value == losses.mean()


def test_patients_followed_beyond_the_training_data_are_no_obstacle() -> None:
    random = np.random.default_rng(2)
    train = as_structured(random.random(80) < 0.6, random.uniform(1, 30, 80))
    test = as_structured(random.random(80) < 0.6, random.uniform(1, 60, 80))
    risk = random.normal(size=80)
    times = evaluation_times(train, test, 5)
    with pytest.raises(ValueError, match="largest observed time"):
        cumulative_dynamic_auc(train, test, risk, times)
    found = time_dependent_auc(train, test, risk, times)
    # The same with those patients followed just until the end of the training follow-up.
    cut = test.copy()
    beyond = cut["time"] > train["time"].max()
    cut["event"][beyond] = False
    cut["time"][beyond] = train["time"].max()
    assert [item.value for item in found.auc] == pytest.approx(cumulative_dynamic_auc(train, cut, risk, times)[0])
    survival = np.full((80, len(times)), 0.6)
    brier = time_dependent_brier(train, test, survival, times)
    assert [item.value for item in brier.score] == pytest.approx(brier_score(train, cut, survival, times)[1])


def test_the_censoring_curve_ends_with_its_patients() -> None:
    outcome = as_structured(np.array([True, False, True, False]), np.array([1.0, 2.0, 3.0, 4.0]))
    curve = CensoringCurve(outcome)
    assert curve.end == 3
    assert curve(np.array([0.5, 2.0, 3.0])) == pytest.approx([1, 2 / 3, 2 / 3])
    assert np.isinf(curve(np.array([4.0, 9.0]))).all()
    assert horizon(outcome, outcome) == 3


def test_times_outside_the_common_follow_up_are_refused(predicted) -> None:
    train, test, risk, survival, times = predicted
    last = horizon(train, test)
    for wrong in (1.0, last + 1, float("nan")):
        with pytest.raises(InputError, match=r"Evaluation times (lie between|are months)"):
            time_dependent_auc(train, test, risk, [wrong])
    with pytest.raises(InputError, match="name at least one"):
        time_dependent_auc(train, test, risk, [])
    with pytest.raises(InputError, match=r"\(and 4 times\) is needed, found shape \(343, 3\)"):
        time_dependent_brier(train, test, survival[:, :3], times)
    with pytest.raises(InputError, match="give probabilities, not risks"):
        time_dependent_brier(train, test, np.tile(risk[:, None], (1, 4)), times)
    with pytest.raises(InputError, match="finite number, found 343 that are not"):
        time_dependent_auc(train, test, risk * np.nan, [800.0])
    months = train.copy()
    months["time"] /= 3000
    with pytest.raises(InputError, match="use the same unit of time in both"):
        horizon(months, test)
