"""Recursive elimination is scikit-learn's where that exists, and finds what tells the outcome."""

from __future__ import annotations

import numpy as np
import pytest
from selection_data import response_cohort, survival_cohort
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import RFE
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from hccoutcome.errors import InputError
from hccoutcome.selection.elimination import RecursiveElimination


@pytest.mark.parametrize("count", [1, 4, 9])
def test_it_keeps_what_scikit_learn_keeps(count: int) -> None:
    table, y = response_cohort(70, 14, seed=4)
    model = LogisticRegression(solver="liblinear")
    ours = RecursiveElimination(model, features=count, step=0.01).fit(table * 40 + 3, y)
    theirs = RFE(model, n_features_to_select=count, step=1).fit(StandardScaler().fit_transform(table), y)
    assert ours.get_support().tolist() == theirs.support_.tolist()


@pytest.mark.parametrize("cohort", [response_cohort, survival_cohort])
def test_the_two_columns_that_tell_the_outcome_are_left_last(cohort) -> None:
    table, y = cohort(120, 12, effect=1.2)
    fitted = RecursiveElimination().fit(table, y)
    assert set(fitted.order_[:2]) == set(table.columns[:2])
    assert set(table.columns[:2]) <= set(fitted.get_feature_names_out())
    assert fitted.curve_ is not None
    assert fitted.curve_["mean"].max() > 0.65
    assert fitted.get_support().sum() == fitted.curve_["mean"].idxmax()


def test_a_step_drops_a_share_and_sizes_end_at_one() -> None:
    table, y = response_cohort(60, 20)
    curve = RecursiveElimination(step=0.5, folds=3).fit(table, y).curve_
    assert curve is not None
    assert curve.index.tolist() == [1, 2, 3, 5, 10, 20]


def test_importances_of_a_forest_will_do_and_a_model_without_weights_will_not() -> None:
    table, y = response_cohort(100, 6, effect=2.0)
    forest = RandomForestClassifier(30, random_state=0)
    assert set(RecursiveElimination(forest, features=2).fit(table, y).get_feature_names_out()) == set(table.columns[:2])
    with pytest.raises(InputError, match="found none in KNeighborsClassifier"):
        RecursiveElimination(KNeighborsClassifier(), features=2).fit(table, y)


def test_a_single_column_is_kept() -> None:
    table, y = response_cohort(40, 2)
    fitted = RecursiveElimination(folds=3).fit(table.iloc[:, :1], y)
    assert fitted.get_support().tolist() == [True]
    assert np.isfinite(fitted.curve_["mean"]).all()  # type: ignore[index]
