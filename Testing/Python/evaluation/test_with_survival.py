"""Survival from a risk: Cox's model of the risks of patients left out, against lifelines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from sklearn.base import BaseEstimator

from hccoutcome.evaluation.crossvalidation import StratifiedFolds, out_of_fold
from hccoutcome.evaluation.outcomes import as_structured
from hccoutcome.evaluation.outlook import WithSurvival


class FirstColumn(BaseEstimator):
    """The first column as a risk, or nothing at all."""

    selected_features_ = ("a",)

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> FirstColumn:
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return self.factor * X["a"].to_numpy()


class Memory(BaseEstimator):
    """Knows how long its training patients lived, and nothing of others."""

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Memory:
        self.known_ = dict(zip(X.index, -y["time"], strict=True))
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return np.array([self.known_.get(case, 0.0) for case in X.index])


@pytest.fixture
def cohort() -> tuple[pd.DataFrame, np.ndarray]:
    draw = np.random.default_rng(4)
    table = pd.DataFrame({"a": draw.normal(size=90), "b": draw.normal(size=90)}, [f"P{n}" for n in range(90)])
    time, censoring = draw.exponential(20 * np.exp(-table["a"].to_numpy())), draw.exponential(40, 90)
    return table, as_structured(time <= censoring, np.minimum(time, censoring))


def test_survival_is_that_of_a_cox_model_of_the_left_out_risks(cohort) -> None:
    table, outcome = cohort
    model = WithSurvival(FirstColumn(3.0), folds=3).fit(table, outcome)
    np.testing.assert_array_equal(model.predict(table), 3.0 * table["a"])
    assert model.selected_features_ == ("a",)
    # The risk needs no learning, so those of the patients left out are the risks themselves.
    known = pd.DataFrame({"risk": 3.0 * table["a"], "time": outcome["time"], "event": outcome["event"]})
    reference = CoxPHFitter().fit(known, "time", "event")
    times = np.sort(outcome["time"][outcome["event"]])[[5, 20, 40]]  # between them lifelines interpolates
    expected = reference.predict_survival_function(known[["risk"]].iloc[:10], times).T
    found = [[curve(time) for time in times] for curve in model.predict_survival_function(table.iloc[:10])]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_constant_risk_gives_everybody_the_same_survival(cohort) -> None:
    table, outcome = cohort
    curves = WithSurvival(FirstColumn(0.0)).fit(table, outcome).predict_survival_function(table)
    values = np.array([curve(12.0) for curve in curves])
    assert np.ptp(values) == 0
    assert 0.3 < values[0] < 0.9


def test_survival_is_not_learned_from_what_a_model_knows_by_heart(cohort) -> None:
    table, outcome = cohort
    curves = WithSurvival(Memory()).fit(table, outcome).predict_survival_function(table)
    assert np.ptp([curve(12.0) for curve in curves]) < 1e-6


def test_everything_stays_inside_the_training_part(cohort) -> None:
    """What is said of held-out patients does not depend on their own outcomes."""
    table, outcome = cohort
    train, held = next(StratifiedFolds(3, 0).split(table, outcome))
    changed = outcome.copy()
    changed["time"][held] += 100.0
    curves = [
        WithSurvival(FirstColumn()).fit(table.iloc[train], y[train]).predict_survival_function(table.iloc[held])
        for y in (outcome, changed)
    ]
    np.testing.assert_array_equal(*([curve(12.0) for curve in part] for part in curves))


def test_fewer_censored_patients_than_folds_are_no_obstacle(cohort) -> None:
    table, outcome = cohort
    outcome = outcome.copy()
    outcome["event"] = True
    outcome["event"][:2] = False
    found = out_of_fold(FirstColumn(), table, outcome, folds=5)
    assert sorted(np.bincount(found.fold[0])) == [18] * 5
