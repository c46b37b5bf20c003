"""Survival by a score is Cox's, its limits are those of the delta method, and packages tell no patient's own time."""

from __future__ import annotations

import json

import numpy as np
import pytest
from simulated_patients import survival
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.nonparametric import kaplan_meier_estimator, nelson_aalen_estimator
from statsmodels.duration.hazard_regression import PHReg

from hccoutcome.errors import InputError
from hccoutcome.package.prognosis import ScoreCurve, parse_prognosis
from hccoutcome.strict_json import canonical_json
from hccoutcome.survival.outlook import high_risk, make_prognosis, score_curve

MONTHS = np.arange(0.0, 60.0)


@pytest.fixture(scope="module")
def risk() -> np.ndarray:
    return np.random.default_rng(4).normal(size=120)


@pytest.fixture(scope="module")
def outcome(risk) -> np.ndarray:
    return survival(0.7 * risk, 4)


@pytest.fixture(scope="module")
def curve(risk, outcome) -> ScoreCurve:
    return score_curve(outcome, risk, MONTHS)


def test_coefficient_and_variance_are_those_of_statsmodels(risk, outcome, curve):
    found = PHReg(outcome["time"], risk[:, None], outcome["event"], ties="breslow").fit()
    assert curve.coefficient == pytest.approx(found.params[0], rel=1e-6)
    assert np.sqrt(curve.variance) == pytest.approx(found.bse[0], rel=1e-6)


@pytest.mark.parametrize("score", [-1.5, 0.0, 2.0])
def test_survival_is_that_of_scikit_survival(risk, outcome, curve, score):
    model = CoxPHSurvivalAnalysis(ties="breslow").fit(risk[:, None], outcome)
    (function,) = model.predict_survival_function([[score]])
    known = MONTHS[function.x[0] <= MONTHS]
    np.testing.assert_allclose(curve.survival(score)[0][function.x[0] <= MONTHS], function(known), rtol=1e-6)


def test_without_an_effect_limits_are_those_of_the_nelson_aalen_estimator(outcome):
    """With one risk for all the cumulative hazard is Nelson's and its variance Aalen's."""
    curve = score_curve(outcome, np.zeros(len(outcome)), MONTHS)
    times, hazard = nelson_aalen_estimator(outcome["event"], outcome["time"])
    places = np.searchsorted(times, MONTHS, side="right") - 1
    np.testing.assert_allclose(curve.hazard, np.where(places >= 0, hazard[places], 0.0), rtol=1e-9)
    at_risk = (outcome["time"] >= np.sort(outcome["time"][outcome["event"]])[:, None]).sum(axis=1)
    deaths = np.sort(outcome["time"][outcome["event"]])
    expected = [(1 / at_risk[deaths <= month] ** 2.0).sum() for month in MONTHS]
    np.testing.assert_allclose(curve.variation, expected, rtol=1e-9)
    assert (curve.coefficient, curve.variance) == (0.0, 0.0)


def test_the_leverage_is_the_derivative_of_the_hazard(risk, outcome, curve):
    """d/db [exp(b z) H(b)] = exp(b z) (z H - leverage), found by differences of Breslow's own estimator."""

    def breslow(coefficient: float) -> np.ndarray:
        deaths = np.sort(outcome["time"][outcome["event"]])
        sums = (np.exp(coefficient * risk) * (outcome["time"] >= deaths[:, None])).sum(axis=1)
        return np.array([(1 / sums[deaths <= month]).sum() for month in MONTHS])

    step = 1e-5
    b = curve.coefficient
    numeric = (breslow(b + step) - breslow(b - step)) / (2 * step)
    np.testing.assert_allclose(-np.array(curve.leverage), numeric, rtol=1e-5, atol=1e-8)


def test_limits_hold_the_truth_about_as_often_as_they_say():
    """Exponential survival with a known hazard: the limits at 12 months of a score of 0.5 hold it in most samples."""
    truth = np.exp(-12 / 20 * np.exp(0.7 * 0.5))
    held = 0
    for seed in range(200):
        risk = np.random.default_rng(seed).normal(size=80)
        _, low, high = score_curve(survival(0.7 * risk, seed), risk, np.array([12.0])).survival(0.5)
        held += low[0] <= truth <= high[0]
    assert 0.90 <= held / 200 <= 0.99


@pytest.mark.parametrize("score", [-1e6, -3.0, 0.0, 3.0, 1e6])
def test_survival_falls_between_its_limits_from_one(curve, score):
    mid, low, high = curve.survival(score)
    assert mid[0] == low[0] == high[0] == 1.0
    assert np.all((low <= mid) & (mid <= high) & (low >= 0) & (high <= 1))
    assert np.all(np.diff(mid) <= 0)


@pytest.fixture(scope="module")
def prognosis(risk, outcome):
    return make_prognosis("os", outcome, risk, risk > 0, 0.0, "made up")


def test_group_curves_are_kaplan_meiers_on_whole_months(risk, outcome, prognosis):
    for curve, group in ((prognosis.low, outcome[risk <= 0]), (prognosis.high, outcome[risk > 0])):
        times, survival_there = kaplan_meier_estimator(group["event"], group["time"])
        for month, probability, left in zip(prognosis.months, curve.survival, curve.at_risk, strict=True):
            before = times <= month
            assert probability == pytest.approx(survival_there[before][-1] if before.any() else 1.0)
            assert left == (group["time"] >= month).sum()
        assert (curve.cases, curve.events) == (len(group), group["event"].sum())
    assert prognosis.high.survival[12] < prognosis.low.survival[12]


def test_curves_end_where_few_are_left(risk, outcome, prognosis):
    assert min(prognosis.low.at_risk[-1], prognosis.high.at_risk[-1]) >= 5
    assert prognosis.low.at_risk[-1] + prognosis.high.at_risk[-1] >= 10
    later = len(prognosis.months)
    left = [(outcome["time"][group] >= later).sum() for group in (risk <= 0, risk > 0)]
    assert min(left) < 5 or sum(left) < 10


def test_no_time_of_a_patient_stands_in_a_prognosis(outcome, prognosis):
    text = json.dumps(prognosis.to_json())
    assert not [time for time in outcome["time"] if repr(float(time)) in text]
    assert prognosis.months == tuple(range(len(prognosis.months)))


def test_a_prognosis_comes_back(prognosis):
    assert parse_prognosis(canonical_json(prognosis.to_json()), "prognosis.json") == prognosis
    assert prognosis.group(-0.1) == "low risk"
    assert prognosis.group(0.0) == "high risk"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(months=[0, 2, 3]), "'months' should count from 0 in steps of one"),
        (lambda d: d.update(months=[]), "'months' should count from 0"),
        (lambda d: d["low"].update(survival=[2.0] * len(d["months"])), "is no survival curve with limits"),
        (lambda d: d["low"].update(survival=d["low"]["survival"][:-1]), "'survival' should be"),
        (lambda d: d["high"].update(events=10_000), "is no survival curve"),
        (lambda d: d["high"].update(at_risk=[1.5]), "'at_risk' should be whole numbers from 0"),
        (lambda d: d["curve"].update(variance=-1.0), "a hazard that only grows, and variances from 0"),
        (lambda d: d["curve"]["hazard"].reverse(), "a hazard that only grows"),
        (lambda d: d["curve"].update(hazard="many"), "'hazard' should be a list of numbers"),
        (lambda d: d.update(cut="median"), "'cut' should be a number"),
        (lambda d: d.update(more=1), "has an unknown field 'more'"),
    ],
)
def test_a_prognosis_that_contradicts_itself_is_refused(prognosis, change, message):
    data = json.loads(canonical_json(prognosis.to_json()))
    change(data)
    with pytest.raises(InputError, match=message):
        parse_prognosis(canonical_json(data), "prognosis.json")


def test_groups_that_are_too_small_are_refused(risk, outcome):
    with pytest.raises(InputError, match="need at least 5 patients in each group, found 118 and 2"):
        make_prognosis("os", outcome, risk, risk > np.sort(risk)[-3], 0.0, "made up")


def test_a_patient_is_at_high_risk_in_most_repeats():
    percentiles = np.array([[0.5, 0.49, 0.9, 0.1], [0.6, 0.2, 0.4, 0.5], [0.5, 0.9, 0.9, 0.1]])
    np.testing.assert_array_equal(high_risk(percentiles), [True, False, True, False])
