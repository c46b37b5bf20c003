"""What every selector promises: DataFrames in and out, learning in ``fit`` only, and no failure where a fold is odd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from selection_data import frame, response_cohort, survival_cohort
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from hccoutcome.errors import InputError
from hccoutcome.selection.elimination import RecursiveElimination
from hccoutcome.selection.filters import CorrelationFilter, NearZeroVariance, StabilityGate
from hccoutcome.selection.lasso import ElasticNetSelector, LassoCoxSelector, LassoSelector
from hccoutcome.selection.stepwise import UnivariateMultivariateCox, UnivariateMultivariateLogistic
from hccoutcome.selection.univariate import UnivariateFilter

ANY = (
    NearZeroVariance(),
    CorrelationFilter(keep="stronger"),
    StabilityGate(),
    UnivariateFilter(),
    ElasticNetSelector(folds=3, penalties=12),
    RecursiveElimination(folds=3, step=0.3),
)
RESPONSE = (*ANY, LassoSelector(folds=3, penalties=12), UnivariateMultivariateLogistic())
SURVIVAL = (*ANY, LassoCoxSelector(folds=3, penalties=12), UnivariateMultivariateCox())
CASES = [("response", item) for item in RESPONSE] + [("survival", item) for item in SURVIVAL]
IDS = [f"{kind}-{type(item).__name__}" for kind, item in CASES]


def cohort(kind: str, **options: Any) -> tuple[pd.DataFrame, np.ndarray]:
    return response_cohort(**options) if kind == "response" else survival_cohort(**options)


def odd(table: pd.DataFrame, seed: int = 3) -> pd.DataFrame:
    """Return a table as a fold may hold it: gaps, a constant column, one without values, a twin and a sum of others."""
    random = np.random.default_rng(seed)
    table = table.mask(random.random(table.shape) < 0.1)
    return table.assign(
        arterial_tumor_original_glcm_Constant=4.2,
        arterial_tumor_original_glcm_Empty=np.nan,
        arterial_tumor_original_glcm_Twin=table.iloc[:, 0],
        arterial_tumor_original_glcm_Sum=table.iloc[:, 0].fillna(0) + table.iloc[:, 1].fillna(0),
        arterial_tumor_original_glcm_Huge=table.iloc[:, 2] * 1e9,
    )


@pytest.mark.parametrize(("kind", "selector"), CASES, ids=IDS)
def test_it_returns_the_chosen_columns_unchanged(kind: str, selector: Any) -> None:
    table, y = cohort(kind)
    fitted = clone(selector).fit(table, y)
    names = fitted.get_feature_names_out()
    assert fitted.get_support().sum() == len(names) >= 1
    assert list(table.columns[fitted.get_support(indices=True)]) == list(names)
    pd.testing.assert_frame_equal(fitted.transform(table), table[list(names)])
    shuffled = table.iloc[:, ::-1].assign(arterial_tumor_original_glcm_More=1.0)
    pd.testing.assert_frame_equal(fitted.transform(shuffled), table[list(names)])
    with pytest.raises(InputError, match="was expected, as in training"):
        fitted.transform(table.drop(columns=names[0]))


@pytest.mark.parametrize(("kind", "selector"), CASES, ids=IDS)
def test_it_finds_the_same_again_and_leaves_its_input_alone(kind: str, selector: Any) -> None:
    table, y = cohort(kind)
    before, outcome = table.copy(), y.copy()
    first = clone(selector).fit(table, y).get_feature_names_out()
    again = clone(selector).fit(table.to_numpy(), y).get_support()
    assert list(first) == list(table.columns[again])
    pd.testing.assert_frame_equal(table, before)
    assert np.array_equal(y, outcome)


@pytest.mark.parametrize(("kind", "selector"), CASES, ids=IDS)
def test_odd_columns_do_not_stop_it(kind: str, selector: Any) -> None:
    table, y = cohort(kind)
    fitted = clone(selector).fit(odd(table), y)
    if not isinstance(selector, StabilityGate | CorrelationFilter):
        assert "arterial_tumor_original_glcm_Constant" not in fitted.get_feature_names_out()
        assert "arterial_tumor_original_glcm_Empty" not in fitted.get_feature_names_out()


@pytest.mark.parametrize(("kind", "selector"), CASES, ids=IDS)
def test_ten_times_more_columns_than_patients_do_not_stop_it(kind: str, selector: Any) -> None:
    table, y = cohort(kind, patients=30, columns=300, seed=1)
    assert 1 <= clone(selector).fit(table, y).get_support().sum() <= 300


@pytest.mark.parametrize(("kind", "selector"), CASES, ids=IDS)
def test_a_column_that_is_the_outcome_does_not_stop_it(kind: str, selector: Any) -> None:
    """Complete separation: the likelihood has no maximum."""
    table, y = cohort(kind)
    answer = y.astype(float) if kind == "response" else -y["time"]
    leaking = table.assign(arterial_tumor_original_glcm_Answer=answer)
    names = clone(selector).fit(leaking, y).get_feature_names_out()
    if not isinstance(selector, NearZeroVariance):
        assert "arterial_tumor_original_glcm_Answer" in names


@pytest.mark.parametrize(("kind", "selector"), CASES, ids=IDS)
def test_a_column_of_text_is_refused(kind: str, selector: Any) -> None:
    table, y = cohort(kind)
    with pytest.raises(InputError, match="found text in the column 'sex': encode it first"):
        clone(selector).fit(table.assign(sex="male"), y)


def test_noise_alone_leaves_a_model_that_can_be_fitted() -> None:
    """Nothing passes; the best column stands in, and this is said."""
    table, y = response_cohort(effect=0.0)
    fitted = UnivariateFilter(threshold=1e-9).fit(table, y)
    assert fitted.fallback_
    best = fitted.table_[["t_p", "u_p"]].min(axis=1).idxmin()
    assert list(fitted.get_feature_names_out()) == [best]
    assert UnivariateFilter(threshold=1e-9, at_least=0).fit(table, y).get_support().sum() == 0


def test_selection_inside_the_folds_scores_chance_on_permuted_outcomes_and_outside_does_not() -> None:
    """The reason for all of this: 40 patients, 400 columns of noise."""
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    random = np.random.default_rng(5)
    table = frame(random.normal(size=(40, 400)))
    inside, outside = [], []
    for seed in range(6):
        y = np.random.default_rng(seed).permutation(np.arange(40) % 2 == 0)
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        selector = UnivariateFilter(most=10)
        model = make_pipeline(selector, LogisticRegression(solver="liblinear"))
        inside.append(cross_val_score(model, table, y, cv=folds, scoring="roc_auc").mean())
        leaked = clone(selector).fit_transform(table, y)
        outside.append(
            cross_val_score(LogisticRegression(solver="liblinear"), leaked, y, cv=folds, scoring="roc_auc").mean()
        )
    assert abs(np.mean(inside) - 0.5) < 3 * np.std(inside, ddof=1) / np.sqrt(6)
    assert np.mean(outside) > 0.85


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (None, "needs the outcome, found none"),
        (np.ones(79, bool), "Both classes are needed|One outcome for each of 80 patients"),
        (np.arange(80), "0 and 1 only"),
    ],
)
def test_an_outcome_that_is_none_is_refused(y: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        UnivariateFilter().fit(response_cohort()[0], y)


@pytest.mark.parametrize(
    ("selector", "sentence"),
    [
        (LassoCoxSelector(), "LASSO-Cox needs survival"),
        (UnivariateMultivariateCox(), "UnivariateMultivariateCox needs survival"),
        (CorrelationFilter(keep="best"), "'first' or the 'stronger', found 'best'"),  # type: ignore[arg-type]
        (CorrelationFilter(method="kendall"), "'pearson' or 'spearman', found 'kendall'"),  # type: ignore[arg-type]
        (UnivariateFilter(test="z"), "found 'z'"),  # type: ignore[arg-type]
        (ElasticNetSelector(mix=0.0), "The mix lies between"),
        (LassoSelector(rule="best"), "The rule is min or 1se"),  # type: ignore[arg-type]
        (RecursiveElimination(step=2), "A step is a share between 0 and 1, found 2"),
    ],
)
def test_a_wrong_setting_is_refused(selector: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        selector.fit(*response_cohort())


def test_a_logistic_table_refuses_survival() -> None:
    with pytest.raises(InputError, match="UnivariateMultivariateLogistic needs responders"):
        UnivariateMultivariateLogistic().fit(*survival_cohort())
