"""Figures of a cross-validation and the test for leaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis

from hccoutcome.errors import InputError
from hccoutcome.evaluation.crossvalidated import compare_cross_validated, cross_validated
from hccoutcome.evaluation.crossvalidation import derive_seed, out_of_fold
from hccoutcome.evaluation.leaks import check_leaks, permuted, widened
from hccoutcome.evaluation.outcomes import as_structured
from hccoutcome.naming import parse_feature_name


def cohort(n: int = 80, columns: int = 6, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    values = random.normal(size=(n, columns))
    table = pd.DataFrame(values, [f"P{place:03}" for place in range(n)], [f"x{place}" for place in range(columns)])
    response = values[:, 0] + random.normal(size=n) > 0
    time, end = random.exponential(10 * np.exp(-values[:, 0])), random.uniform(3, 30, n)
    return table, response, as_structured(time <= end, np.minimum(time, end))


class Chooser(ClassifierMixin, BaseEstimator):
    """A logistic regression on the ten best columns, chosen among the training patients, or among all: a leak."""

    def __init__(self, everybody: list[tuple[pd.DataFrame, np.ndarray]] | None = None) -> None:
        self.everybody = everybody

    def fit(self, X, y):
        self.classes_ = np.array([False, True])
        chosen = list(X.columns[SelectKBest(k=10).fit(*self.known(X, y)).get_support()])
        self.model_ = LogisticRegression().fit(X[chosen], y)
        self.chosen_ = chosen
        return self

    def known(self, X, y):
        """Return the patients to choose on: those of the training part, or the cohort that it is a part of."""
        for table, outcome in self.everybody or []:
            if X.equals(table.loc[X.index]):
                return table, outcome
        return X, y

    def predict_proba(self, X):
        return self.model_.predict_proba(X[self.chosen_])


class Means(BaseEstimator):
    """The score along the line from the mean of the others to that of the responders."""

    def fit(self, X, y):
        self.line_ = X[y].mean() - X[~y].mean()
        return self

    def predict(self, X):
        return X.to_numpy() @ self.line_.to_numpy()


def noise(seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.default_rng(seed)
    return pd.DataFrame(random.normal(size=(60, 300))), random.permutation(np.arange(60) < 25)


def test_the_auc_is_that_of_the_pairs_inside_folds() -> None:
    table, response, _ = cohort()
    found = out_of_fold(LogisticRegression(), table, response, folds=4, repeats=2, seed=1)
    expected = []
    for predictions, fold in zip(found.predictions, found.fold, strict=True):
        concordant, pairs = 0.0, 0
        for number in range(4):
            held = fold == number
            of_fold = int(response[held].sum()) * int((~response[held]).sum())
            concordant += roc_auc_score(response[held], predictions[held]) * of_fold
            pairs += of_fold
        expected.append(concordant / pairs)
    assert cross_validated(found).value == pytest.approx(np.mean(expected))


def test_the_interval_covers_what_new_cohorts_give() -> None:
    """With more columns than patients and noise alone, where intervals that take models as fixed are too narrow."""
    for repeats in (1, 3):
        found = [cross_validated(out_of_fold(Means(), *noise(seed), repeats=repeats, seed=seed)) for seed in range(60)]
        assert np.mean([figure.value for figure in found]) == pytest.approx(0.5, abs=0.04)
        assert np.mean([figure.contains(0.5) for figure in found]) > 0.93
        widths = [figure.upper - figure.lower for figure in found]
        assert np.mean(widths) < 3 * 1.96 * np.std([figure.value for figure in found])


def test_repeats_do_not_feign_more_patients() -> None:
    table, response, outcome = cohort()
    once, often = (
        cross_validated(out_of_fold(LogisticRegression(), table, response, folds=5, repeats=repeats, seed=2))
        for repeats in (1, 10)
    )
    width = [figure.upper - figure.lower for figure in (once, often)]
    assert 0.4 * width[0] < width[1] < 1.5 * width[0]
    fixed = np.sqrt(often.value * (1 - often.value) / len(table))  # of as many independent patients
    assert width[1] > 2 * 1.96 * fixed * 0.8
    survival = cross_validated(out_of_fold(CoxPHSurvivalAnalysis(alpha=1), table, outcome, folds=4, repeats=3, seed=2))
    assert survival.lower < survival.value < survival.upper
    assert survival.value > 0.6


def test_two_systems_are_compared_on_the_same_patients() -> None:
    table, response, _ = cohort(n=120)
    good = out_of_fold(LogisticRegression(), table, response, folds=5, seed=1)
    poor = out_of_fold(LogisticRegression(), table[["x3", "x4"]], response, folds=5, seed=1)
    found = compare_cross_validated(good, poor)
    assert found.difference.value == pytest.approx(cross_validated(good).value - cross_validated(poor).value)
    assert found.p < 0.01
    assert compare_cross_validated(good, good).p == 1
    other = out_of_fold(LogisticRegression(), table[::-1], response[::-1], folds=5, seed=1)
    with pytest.raises(InputError, match="same patients in the same folds"):
        compare_cross_validated(good, other)


def test_a_fold_without_pairs_is_refused_only_where_all_lack_them() -> None:
    table, response, _ = cohort(n=10)
    found = out_of_fold(LogisticRegression(), table, response, folds=2, seed=0)
    lone = type(found)(**{**found.__dict__, "fold": np.arange(10)[None]})
    with pytest.raises(InputError, match="No fold holds two patients that can be compared"):
        cross_validated(lone)


def test_permuting_keeps_events_with_their_times() -> None:
    _, response, outcome = cohort()
    found = permuted(outcome, seed=3)
    assert sorted(found.tolist()) == sorted(outcome.tolist())
    assert (found != outcome).any()
    assert permuted(response, seed=3).sum() == response.sum()
    assert (permuted(response, seed=3) == permuted(response, seed=3)).all()


def test_a_table_is_widened_to_ten_columns_a_patient() -> None:
    table, *_ = cohort()
    found = widened(table, seed=1)
    assert found.shape == (80, 800)
    assert (found[table.columns] == table).all(axis=None)
    assert parse_feature_name(found.columns[-1]).phase == "arterial"
    assert widened(found, seed=1).shape == (80, 800)
    with pytest.raises(InputError, match="found an empty table"):
        widened(table[:0], seed=1)


def test_an_honest_system_is_clean() -> None:
    table, response, outcome = cohort()
    honest = check_leaks(Chooser(), table, response, seed=1)
    assert honest.clean, str(honest.figure)
    assert (honest.patients, honest.columns, len(honest.figures)) == (80, 800, 5)
    assert honest.figure.value == pytest.approx(np.mean(honest.figures))
    survival = make_pipeline(CoxnetSurvivalAnalysis(l1_ratio=0.5, n_alphas=5, alpha_min_ratio=0.1))
    found = check_leaks(survival, table, outcome, seed=1, folds=3, permutations=3)
    assert found.clean, str(found.figure)
    with pytest.raises(InputError, match="at least 2 permutations, found 1"):
        check_leaks(survival, table, outcome, seed=1, permutations=1)


def test_a_selection_outside_the_folds_is_caught() -> None:
    table, response, _ = cohort()
    seeds = [derive_seed(4, number) for number in range(3)]
    cohorts = [(widened(table, seed=seed), permuted(response, seed=seed)) for seed in seeds]
    found = check_leaks(Chooser(cohorts), table, response, seed=4, permutations=3)
    assert not found.clean
    assert found.figure.lower > 0.6


def test_a_real_cohort_is_predicted_better_than_chance_and_a_permuted_one_is_not(data: Path) -> None:
    table = pd.read_csv(data / "hcc_clinical/uci_hcc_survival_165.csv", na_values="?")
    response = (table["Class"] == "Lives").to_numpy()
    numbers = table.select_dtypes("number").set_axis([f"P{place}" for place in range(len(table))])
    model = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(C=0.05))
    found = cross_validated(out_of_fold(model, numbers, response, folds=5, repeats=2, seed=1))
    assert 0.65 < found.value < 0.85
    dealt = cross_validated(out_of_fold(model, numbers, permuted(response, seed=1), folds=5, repeats=2, seed=1))
    assert dealt.contains(0.5)
    assert dealt.value < found.value - 0.1
