"""Penalised paths solve the stated problem, and cross-validation sees no patient twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from selection_data import response_cohort, survival_cohort
from sklearn.linear_model import LogisticRegression

from hccoutcome.errors import InputError
from hccoutcome.selection.base import learn_scaling
from hccoutcome.selection.lasso import ElasticNetSelector, LassoCoxSelector, LassoSelector
from hccoutcome.selection.penalised import PathSettings, _partial, penalised_path

FAST = PathSettings(penalties=15, folds=4)


def scaled(table: pd.DataFrame) -> np.ndarray:
    values = table.to_numpy(float)
    return learn_scaling(values).apply(values)


def slope(x: np.ndarray, y: np.ndarray, path) -> np.ndarray:
    """Return the gradient of the mean log likelihood at every penalty."""
    residual = y[:, None] - expit(path.intercepts + x @ path.coefficients)
    return x.T @ residual / len(y)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 1.0), st.sampled_from([(60, 8), (25, 60)]))
def test_the_logistic_path_fulfils_the_conditions_of_its_problem(seed, mix, shape) -> None:
    """Karush, Kuhn and Tucker: what is out is pulled less than the penalty, what is in exactly as much."""
    table, y = response_cohort(*shape, seed=seed)
    x = scaled(table)
    path = penalised_path(table, y, replace(FAST, mix=mix))
    pull = slope(x, y, path) - path.penalties * (1 - mix) * path.coefficients
    limit = path.penalties * mix
    inside = path.coefficients != 0
    assert (np.abs(pull) <= limit * 1.02 + 1e-4)[~inside].all()
    wanted = np.sign(path.coefficients) * limit
    np.testing.assert_allclose(pull[inside], wanted[inside], atol=0.02 * limit.max())
    assert np.abs((y[:, None] - expit(path.intercepts + x @ path.coefficients)).mean(axis=0)).max() < 1e-3


def test_the_first_penalty_lets_nothing_in_and_the_next_something() -> None:
    table, y = response_cohort(60, 10)
    path = penalised_path(table, y, replace(FAST, penalties=50))
    assert not path.coefficients[:, 0].any()
    assert (path.coefficients[:, 5] != 0).any()
    assert (np.diff(path.penalties) < 0).all()


def test_the_lasso_is_scikit_learn_s() -> None:
    table, y = response_cohort(70, 6)
    x = scaled(table)
    path = penalised_path(table, y, replace(FAST, mix=1.0))
    at = 8
    model = LogisticRegression(
        l1_ratio=1.0, C=1 / (len(y) * path.penalties[at]), solver="saga", tol=1e-8, max_iter=20_000
    ).fit(x, y)
    np.testing.assert_allclose(path.coefficients[:, at], model.coef_[0], atol=2e-3)
    assert path.intercepts[at] == pytest.approx(model.intercept_[0], abs=2e-3)


def test_the_elastic_net_keeps_twins_together_where_the_lasso_takes_one() -> None:
    table, y = response_cohort(120, 5, effect=1.5)
    twins = table.assign(arterial_tumor_original_glcm_Twin=table.iloc[:, 0])
    names = {"arterial_tumor_original_glcm_F000", "arterial_tumor_original_glcm_Twin"}
    assert names <= set(ElasticNetSelector(mix=0.3, penalties=20).fit(twins, y).get_feature_names_out())


def test_the_cox_path_is_coxnet_s_and_its_loss_is_that_of_verweij(monkeypatch) -> None:
    """The cross-validated partial likelihood, computed anew from lifelines' log likelihood of fixed coefficients."""
    coxnet = pytest.importorskip("sksurv.linear_model").CoxnetSurvivalAnalysis
    table, y = survival_cohort(80, 6)
    path = penalised_path(table, y, replace(FAST, mix=0.7))
    model = coxnet(alphas=path.penalties, l1_ratio=0.7).fit(scaled(table), y)
    np.testing.assert_allclose(path.coefficients, model.coef_, atol=1e-6)
    assert not path.intercepts.any()
    assert path.penalties[0] == pytest.approx(coxnet(l1_ratio=0.7).fit(scaled(table), y).alphas_[0], rel=1e-9)
    # Without any coefficient a death's term is minus the logarithm of the number at risk.
    at_risk = [(y["time"] >= time).sum() for time in y["time"][y["event"]]]
    assert _partial(y, np.zeros((80, 1)))[0] == pytest.approx(-np.log(at_risk).sum())


def test_the_partial_likelihood_is_that_of_lifelines() -> None:
    lifelines = pytest.importorskip("lifelines")
    table, y = survival_cohort(60, 2)
    y["time"] += np.random.default_rng(0).random(60) / 1e3  # Without ties, Breslow's and Efron's are the same.
    data = table.assign(t=y["time"], e=y["event"])
    fitted = lifelines.CoxPHFitter().fit(data, "t", "e", fit_options={"precision": 1e-10})
    predictor = table.to_numpy() @ fitted.params_.to_numpy()
    assert _partial(y, predictor[:, None])[0] == pytest.approx(fitted.log_likelihood_)


def test_the_penalty_is_the_best_or_the_largest_within_one_standard_error() -> None:
    table, y = response_cohort(80, 15)
    best, sparse = LassoSelector(penalties=20).fit(table, y), LassoSelector(penalties=20, rule="1se").fit(table, y)
    path = best.path_
    assert path.chosen == int(np.argmin(path.loss))
    np.testing.assert_array_equal(path.loss, sparse.path_.loss)
    limit = path.loss.min() + path.error[path.chosen]
    assert path.loss[sparse.path_.chosen] <= limit
    assert (path.loss[: sparse.path_.chosen] > limit).all()
    assert sparse.get_support().sum() <= best.get_support().sum()


def test_the_loss_is_that_of_scikit_learn_s_folds() -> None:
    """One penalty, one fold after another: fit on the rest, deviance of the patients left out."""
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedKFold

    table, y = response_cohort(60, 5)
    path = penalised_path(table, y, replace(FAST, mix=1.0, seed=7))
    at, losses = 6, []
    for train, test in StratifiedKFold(4, shuffle=True, random_state=7).split(table, y):
        scaling = learn_scaling(table.to_numpy()[train])
        x = scaling.apply(table.to_numpy())
        model = LogisticRegression(
            l1_ratio=1.0, C=1 / (len(train) * path.penalties[at]), solver="saga", tol=1e-7, max_iter=20_000
        ).fit(x[train], y[train])
        losses += [2 * log_loss(y[test], model.predict_proba(x[test])[:, 1], normalize=False)]
    assert path.loss[at] == pytest.approx(sum(losses) / 60, rel=2e-3)


def test_raw_coefficients_give_the_same_predictor() -> None:
    table, y = response_cohort(80, 6)
    table = table * 50 + 1000
    fitted = LassoSelector(penalties=20).fit(table, y)
    x = scaled(table)[:, fitted.get_support()]
    centred = x @ fitted.coefficients_ + fitted.path_.intercepts[fitted.path_.chosen]
    raw = fitted.transform(table) @ fitted.raw_coefficients_ + fitted.intercept_
    np.testing.assert_allclose(raw, centred, atol=1e-9)


def test_the_curves_for_the_figures_hold_what_was_fitted() -> None:
    table, y = survival_cohort(80, 8)
    fitted = LassoCoxSelector(penalties=20, criterion="concordance").fit(table, y)
    curves, losses = fitted.path_.curves(), fitted.path_.losses()
    assert curves.index.name == "penalty"
    assert set(fitted.get_feature_names_out()) <= set(curves.columns)
    assert losses["features"].tolist() == [(row != 0).sum() for row in curves.to_numpy()]
    assert losses["loss"].between(0, 1).all()
    assert list(fitted.get_feature_names_out()[:2]) == list(table.columns[:2]), "the two that tell the hazard"
    assert (fitted.coefficients_.iloc[0] > 0) and (fitted.coefficients_.iloc[1] < 0)


def test_the_best_of_several_mixes_is_taken() -> None:
    table, y = response_cohort(60, 8)
    several = ElasticNetSelector(mix=(0.2, 1.0), penalties=15, folds=4).fit(table, y)
    alone = [penalised_path(table, y, replace(FAST, mix=mix)).loss.min() for mix in (0.2, 1.0)]
    assert several.path_.mix == (0.2, 1.0)[int(np.argmin(alone))]


def test_too_few_of_a_class_are_refused() -> None:
    table, _ = response_cohort(30, 4)
    with pytest.raises(InputError, match="needs at least 2 patients of either response, found 1"):
        LassoSelector().fit(table, np.arange(30) == 0)


def test_columns_that_all_stay_the_same_leave_the_intercept() -> None:
    table, y = response_cohort(30, 3)
    fitted = ElasticNetSelector(folds=3).fit(table * 0 + 5.0, y)
    assert fitted.fallback_
    assert not fitted.path_.coefficients.any()
    assert expit(fitted.intercept_) == pytest.approx(y.mean())
