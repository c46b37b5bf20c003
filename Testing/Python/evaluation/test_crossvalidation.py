"""Out-of-fold predictions: nobody is seen by the model that predicts him, and the same seed gives the same numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.svm import FastSurvivalSVM
from threadpoolctl import threadpool_limits

from hccoutcome.errors import InputError
from hccoutcome.evaluation.crossvalidation import (
    StratifiedFolds,
    derive_seed,
    out_of_fold,
    predict,
    selected_columns,
    survival_at,
    tuned,
    with_seed,
)
from hccoutcome.evaluation.outcomes import as_structured


def cohort(n: int = 60, columns: int = 4, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Made-up patients whose first column carries the outcome."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(n, columns))
    index = [f"P{number:03}" for number in range(n)]
    table = pd.DataFrame(values, index, [f"x{number}" for number in range(columns)])
    response = values[:, 0] + random.normal(size=n) > 0.4
    time = random.exponential(12 * np.exp(-values[:, 0]))
    censoring = random.uniform(2, 30, n)
    return table, response, as_structured(time <= censoring, np.minimum(time, censoring))


class Memory(ClassifierMixin, BaseEstimator):
    """Knows the outcome of exactly the patients that it was fitted on, and gives the others their number of them."""

    def fit(self, X, y):
        self.classes_ = np.array([False, True])
        self.seen_ = dict(zip(X.index, y, strict=True))
        return self

    def predict_proba(self, X):
        one = np.array([float(self.seen_[case]) if case in self.seen_ else 0.5 for case in X.index])
        return np.stack([1 - one, one], axis=1)


def test_no_patient_is_predicted_by_a_model_that_saw_him() -> None:
    table, response, _ = cohort()
    found = out_of_fold(Memory(), table, response, folds=5, repeats=3, seed=4)
    assert (found.predictions == 0.5).all()
    assert found.cases == tuple(table.index)


def test_predictions_are_those_of_scikit_learn_on_the_same_folds() -> None:
    table, response, _ = cohort()
    model = make_pipeline(StandardScaler(), LogisticRegression())
    found = out_of_fold(model, table, response, folds=4, repeats=2, seed=9)
    for repeat in range(2):
        folds = StratifiedKFold(4, shuffle=True, random_state=derive_seed(9, repeat))
        expected = cross_val_predict(model, table, response, cv=folds, method="predict_proba")[:, 1]
        assert found.predictions[repeat] == pytest.approx(expected, abs=1e-12)
    assert found.mean_prediction == pytest.approx(found.predictions.mean(axis=0))


def test_folds_are_stratified_and_differ_between_repeats() -> None:
    table, response, outcome = cohort(n=63)
    found = out_of_fold(LogisticRegression(), table, response, folds=5, repeats=2, seed=1)
    for fold in found.fold:
        assert np.ptp(np.bincount(fold)) <= 1
        assert np.ptp(np.bincount(fold[response], minlength=5)) <= 1
    assert (found.fold[0] != found.fold[1]).any()
    of_survival = out_of_fold(FastSurvivalSVM(random_state=0), table, outcome, folds=5, seed=1)
    assert np.ptp(np.bincount(of_survival.fold[0][outcome["event"]], minlength=5)) <= 1


def test_the_same_seed_gives_the_same_bytes_whatever_the_number_of_processes() -> None:
    table, response, _ = cohort()
    forest = RandomForestClassifier(5)
    first, second = (out_of_fold(forest, table, response, folds=3, seed=2, n_jobs=jobs) for jobs in (1, 2))
    assert first.predictions.tobytes() == second.predictions.tobytes()
    assert first.thresholds.tobytes() == second.thresholds.tobytes()
    assert (first.predictions != out_of_fold(forest, table, response, folds=3, seed=3).predictions).any()


def test_the_estimator_is_left_unfitted_and_seeded_inside() -> None:
    table, response, _ = cohort()
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(3))
    out_of_fold(forest, table, response, folds=3)
    assert not hasattr(forest[-1], "estimators_")
    seeded = with_seed(forest, 5)
    assert isinstance(seeded.get_params()["randomforestclassifier__random_state"], int)
    fixed = with_seed(RandomForestClassifier(random_state=7), 5)
    assert fixed.random_state == 7


def test_thresholds_come_from_the_training_part_only() -> None:
    table, response, _ = cohort()
    found = out_of_fold(LogisticRegression(), table, response, folds=3, seed=2)
    model_rows = found.fold[0] != 1
    model = LogisticRegression().fit(table[model_rows], response[model_rows])
    known = model.predict_proba(table[model_rows])[:, 1]
    reached = [
        (known[response[model_rows]] >= cut).mean() + (known[~response[model_rows]] < cut).mean() for cut in known
    ]
    own = found.thresholds[0, 1]
    at_own = (known[response[model_rows]] >= own).mean() + (known[~response[model_rows]] < own).mean()
    assert at_own == pytest.approx(max(reached))
    # Another outcome of held-out patients changes nothing in that fold.
    changed = response.copy()
    held = np.flatnonzero(found.fold[0] == 1)
    changed[held] = np.roll(changed[held], 1)
    again = LogisticRegression().fit(table[model_rows], changed[model_rows])
    assert again.predict_proba(table[model_rows])[:, 1] == pytest.approx(known)


def test_thresholds_by_inner_folds_are_closer_to_those_of_new_patients() -> None:
    table, response, _ = cohort(n=80, columns=30)
    forest = RandomForestClassifier(20)
    inner = out_of_fold(forest, table, response, folds=3, seed=2, threshold_folds=3)
    outer = out_of_fold(forest, table, response, folds=3, seed=2)
    assert (inner.predictions == outer.predictions).all()
    assert (inner.thresholds != outer.thresholds).any()


def test_survival_gives_risks_groups_percentiles_and_probabilities() -> None:
    table, _, outcome = cohort(n=90)
    found = out_of_fold(CoxPHSurvivalAnalysis(alpha=0.1), table, outcome, folds=3, repeats=2, seed=3, times=(6, 12))
    assert found.predictions.shape == (2, 90)
    assert found.mean_survival.shape == (90, 2)
    assert (found.mean_survival[:, 0] >= found.mean_survival[:, 1]).all()
    assert 0.35 < found.positive.mean() < 0.65  # thresholds are training medians
    assert ((found.mean_percentile >= 0) & (found.mean_percentile <= 1)).all()
    assert np.corrcoef(found.mean_percentile, table["x0"])[0, 1] > 0.8
    assert found.positive_in_most.dtype == bool


def test_survival_probabilities_are_those_of_the_model_and_hold_outside_its_times() -> None:
    table, _, outcome = cohort(n=50)
    model = CoxPHSurvivalAnalysis(alpha=0.1).fit(table, outcome)
    functions = model.predict_survival_function(table[:4])
    inside = float(np.median(outcome["time"]))
    found = survival_at(model, table[:4], (0.0, inside, 1e6))
    assert found[:, 0] == pytest.approx(1)
    assert found[:, 1] == pytest.approx([function(inside) for function in functions])
    assert found[:, 2] == pytest.approx([function.y[-1] for function in functions])
    with pytest.raises(InputError, match="FastSurvivalSVM gives a risk only"):
        survival_at(FastSurvivalSVM(), table, (1.0,))


def test_selected_columns_are_counted_over_all_models() -> None:
    table, response, _ = cohort(n=80, columns=6)
    model = make_pipeline(SelectKBest(k=2).set_output(transform="pandas"), LogisticRegression())
    found = out_of_fold(model, table, response, folds=4, repeats=2, seed=1)
    assert len(found.selected) == 8
    frequency = found.selection_frequency
    assert frequency["x0"] == 1
    assert sum(frequency.values()) == pytest.approx(2)
    assert list(frequency.values()) == sorted(frequency.values(), reverse=True)
    assert selected_columns(LogisticRegression().fit(table, response), list(table)) == ()


def test_groups_stay_together() -> None:
    table, response, _ = cohort(n=60)
    groups = np.repeat(np.arange(20), 3)
    found = out_of_fold(LogisticRegression(), table, response, folds=4, seed=1, groups=groups)
    assert all(len(set(found.fold[0][groups == group])) == 1 for group in range(20))


def test_tuning_sees_the_training_part_only() -> None:
    table, response, outcome = cohort(n=60)
    seen: list[set[str]] = []

    class Watched(LogisticRegression):
        def fit(self, X, y):
            seen.append(set(X.index))
            return super().fit(X, y)

    found = out_of_fold(tuned(Watched(), {"C": [0.01, 1.0]}, folds=2, seed=0), table, response, folds=3, seed=5)
    for fold in range(3):
        held = set(table.index[found.fold[0] == fold])
        of_fold = seen[5 * fold : 5 * fold + 5]  # two values in two inner folds, and the final fit
        assert all(not held & cases for cases in of_fold)
    assert roc_auc_score(response, found.predictions[0]) > 0.6
    survival = tuned(CoxPHSurvivalAnalysis(), {"alpha": [0.1, 10.0]}, folds=2)
    assert out_of_fold(survival, table, outcome, folds=3).predictions.shape == (1, 60)


def test_folds_need_patients_of_both_kinds() -> None:
    table, response, outcome = cohort(n=20)
    few = np.zeros(20, bool)
    few[:3] = True
    with pytest.raises(
        InputError, match="5 folds need at least 5 patients with and 5 without the outcome, found 3 and 17"
    ):
        out_of_fold(LogisticRegression(), table, few, folds=5)
    with pytest.raises(InputError, match="found 0 with the outcome"):
        out_of_fold(LogisticRegression(), table, np.zeros(20, bool))
    with pytest.raises(InputError, match="at least 2 folds, found 1"):
        out_of_fold(LogisticRegression(), table, response, folds=1)
    with pytest.raises(InputError, match="whole number from 0 on, found -1"):
        out_of_fold(LogisticRegression(), table, response, seed=-1)
    with pytest.raises(InputError, match="found 0 repeats"):
        out_of_fold(LogisticRegression(), table, response, repeats=0)
    everybody = as_structured(np.ones(20, bool), outcome["time"])
    assert out_of_fold(CoxPHSurvivalAnalysis(alpha=1), table, everybody, folds=4).fold.max() == 3
    with pytest.raises(InputError, match="At least 1 event is needed, found 0 in 20 patients"):
        out_of_fold(CoxPHSurvivalAnalysis(), table, as_structured(np.zeros(20, bool), outcome["time"]))


def test_tables_that_do_not_match_are_refused() -> None:
    table, response, _ = cohort(n=20)
    with pytest.raises(InputError, match="found 20 rows and 19 outcomes"):
        out_of_fold(LogisticRegression(), table, response[1:])
    with pytest.raises(InputError, match="as a pandas DataFrame, found ndarray"):
        out_of_fold(LogisticRegression(), table.to_numpy(), response)
    with pytest.raises(InputError, match="found 'P001' more than once"):
        out_of_fold(LogisticRegression(), table.rename(index={"P002": "P001"}), response)


def test_a_prediction_that_is_not_finite_is_refused() -> None:
    class Lost(LogisticRegression):
        def predict_proba(self, X):
            return np.full((len(X), 2), np.nan)

    table, response, _ = cohort(n=20)
    with pytest.raises(InputError, match="Lost gave no finite prediction for 20 of 20 patients"):
        predict(Lost().fit(table, response), table)


def test_splits_serve_scikit_learn() -> None:
    _, response, _ = cohort(n=30)
    folds = StratifiedFolds(3, seed=1)
    assert folds.get_n_splits() == 3
    held = np.concatenate([held for _, held in folds.split(None, response)])
    assert sorted(held) == list(range(30))


def test_the_threads_of_the_machine_change_no_bit() -> None:
    random = np.random.default_rng(8)
    table = pd.DataFrame(random.normal(size=(60, 300)), [f"P{n:02}" for n in range(60)], [f"x{n}" for n in range(300)])
    y = table["x0"].to_numpy() + random.normal(size=60) > 0
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(out_of_fold(LogisticRegression(solver="newton-cholesky"), table, y, folds=3).predictions)
    assert found[0].tobytes() == found[1].tobytes()
