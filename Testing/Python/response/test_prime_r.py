"""PRIME-R learns, tunes as an ordinary grid search would, and weighs two modalities as stated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_patients import features, patients, response
from sklearn.base import clone
from sklearn.metrics import brier_score_loss, roc_auc_score

from hccoutcome.errors import InputError
from hccoutcome.evaluation.leaks import check_leaks
from hccoutcome.package.inputs import table_matrix
from hccoutcome.response.candidates import (
    CANDIDATES,
    Configuration,
    configurations,
    fitted,
    held_out_probabilities,
)
from hccoutcome.response.prime_r import PrimeR, fusion_weight

QUICK = ("gradient-boosting",)


@pytest.fixture(scope="module")
def cohort():
    table, hazard = patients(120)
    return table, response(hazard)


def test_the_grids_are_those_of_the_paper():
    assert len(configurations("adaboost-forest")) == len(configurations("rotation-forest")) == 27
    assert {c.n_estimators for c in configurations("rotation-forest")} == {30, 50, 70}
    assert {c.max_depth for c in configurations("adaboost-forest")} == {3, 5, 7}
    assert {c.min_samples_split for c in configurations("adaboost-forest")} == {2, 5, 10}
    assert len(CANDIDATES) == 5
    values = np.random.default_rng(0).normal(size=(40, 3))
    outcome = values[:, 0] > 0
    assert fitted(Configuration("bagging"), values, outcome, 0).n_estimators == 50
    boosted = fitted(Configuration("gradient-boosting"), values, outcome, 0)
    assert (boosted.n_estimators, boosted.subsample) == (50, 0.8)
    assert fitted(Configuration("adaboost-forest", 3, 3, 2), values, outcome, 0).estimators_[0].n_estimators == 10


@pytest.mark.parametrize("candidate", ["adaboost-forest", "rotation-forest"])
def test_one_fit_gives_what_a_fit_of_each_size_gives(candidate, monkeypatch):
    """Smaller ensembles are the beginnings of larger ones, bit for bit."""
    monkeypatch.setattr("hccoutcome.response.candidates.ESTIMATORS", (2, 4, 6))
    monkeypatch.setattr("hccoutcome.response.candidates.DEPTHS", (2,))
    monkeypatch.setattr("hccoutcome.response.candidates.SPLITS", (5,))
    draw = np.random.default_rng(1)
    values = draw.normal(size=(60, 4))
    outcome = values[:, 0] + draw.normal(size=60) > 0
    found = held_out_probabilities(candidate, values[:40], outcome[:40], values[40:], seed=3)
    assert [c.n_estimators for c in found] == [2, 4, 6]
    for configuration, probability in found.items():
        alone = fitted(configuration, values[:40], outcome[:40], 3).predict_proba(values[40:])[:, 1]
        np.testing.assert_allclose(probability, alone, rtol=1e-12)


def test_early_end_of_boosting_gives_every_size_the_last_stage(monkeypatch):
    monkeypatch.setattr("hccoutcome.response.candidates.ESTIMATORS", (2, 4))
    monkeypatch.setattr("hccoutcome.response.candidates.DEPTHS", (7,))
    monkeypatch.setattr("hccoutcome.response.candidates.SPLITS", (2,))
    values = np.array([[0.0], [1]] * 20)
    found = held_out_probabilities("adaboost-forest", values, values[:, 0] > 0, values, seed=0)
    small, large = found.values()
    np.testing.assert_array_equal(small, large)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=30))
@settings(max_examples=50)
def test_the_fusion_weight_has_the_smallest_brier_score(rows):
    outcome, first, second = (np.array(column, float) for column in zip(*rows, strict=True))
    weight = fusion_weight(outcome, first, second)
    assert 0 <= weight <= 1
    grid = np.linspace(0, 1, 101)
    best = min(np.mean((outcome - w * first - (1 - w) * second) ** 2) for w in grid)
    assert np.mean((outcome - weight * first - (1 - weight) * second) ** 2) <= best + 1e-12


def test_two_equal_probabilities_share_the_weight():
    assert fusion_weight(np.array([1.0, 0]), np.array([0.3, 0.6]), np.array([0.3, 0.6])) == 0.5


@pytest.mark.parametrize("modality", ["clinical", "imaging", "early", "late"])
def test_every_modality_finds_the_signal_in_new_patients(cohort, modality):
    table, hazard = patients(300, seed=5)
    model = PrimeR(modality, candidates=QUICK, inner_folds=2).fit(*cohort)
    probability = model.predict_proba(table)
    assert roc_auc_score(response(hazard, 5), probability[:, 1]) > 0.65
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    read = set(model.selected_features_)
    assert read <= set(table.columns)
    assert (modality == "imaging") == all(name.startswith("arterial_tumor_") for name in read)
    assert (modality == "clinical") == (not any(name.startswith("arterial_tumor_") for name in read))


def test_late_fusion_is_the_weighted_mean_of_its_classifiers(cohort):
    table, outcome = cohort
    model = PrimeR("late", candidates=QUICK).fit(table, outcome)
    first, second = model.model_.parts
    assert first.weight + second.weight == pytest.approx(1)
    by_hand = sum(
        part.weight * part.model.predict_proba(table_matrix(part.columns, table))[:, 1] for part in (first, second)
    )
    np.testing.assert_allclose(model.predict_proba(table)[:, 1], by_hand, rtol=1e-12)
    held = [model.chosen_[name].held_out for name in ("clinical", "imaging")]
    fused = first.weight * held[0] + second.weight * held[1]
    assert brier_score_loss(outcome, fused) <= min(brier_score_loss(outcome, p) for p in held) + 1e-12


def test_held_out_probabilities_are_of_models_that_did_not_see_the_patient(cohort):
    """A bag of trees that sees its patients tells them apart almost perfectly; held out it does not."""
    model = PrimeR("imaging", candidates=("bagging",), inner_folds=2).fit(*cohort)
    table, outcome = cohort
    seen = roc_auc_score(outcome, model.predict_proba(table)[:, 1])
    assert seen - roc_auc_score(outcome, model.chosen_["imaging"].held_out) > 0.05


def test_the_same_seed_gives_the_same_model_and_clones_keep_their_parameters(cohort):
    table, outcome = cohort
    model = PrimeR("imaging", candidates=("stacking",), inner_folds=2, random_state=4)
    first, second = model.fit(table, outcome).predict_proba(table), clone(model).fit(table, outcome)
    np.testing.assert_array_equal(first, second.predict_proba(table))
    assert second.get_params()["candidates"] == ("stacking",)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (PrimeR("both"), "'both' is not a modality of this system; Known: clinical, early, imaging, late"),
        (PrimeR(candidates=("bagginh",)), "'bagginh' is not a candidate of PRIME-R; did you mean 'bagging'"),
        (PrimeR(candidates=()), "'none' is not a candidate"),
    ],
)
def test_wrong_parameters_are_named(cohort, model, message):
    with pytest.raises(InputError, match=message):
        model.fit(*cohort)


def test_what_cannot_be_learned_from_is_refused(cohort):
    table, outcome = cohort
    with pytest.raises(InputError, match="needs at least 10 responders and 10 non-responders, found 3 of the rarer"):
        PrimeR(candidates=QUICK).fit(table, np.arange(len(table)) < 3)
    with pytest.raises(InputError, match="The model reads imaging columns and the table has none: give the features"):
        PrimeR(candidates=QUICK).fit(table[["age", "afp"]], outcome)
    with pytest.raises(InputError, match="A response is one yes or no a patient"):
        PrimeR(candidates=QUICK).fit(table, np.full(len(table), 2))
    with pytest.raises(InputError, match="PrimeR was not fitted yet: call fit first"):
        PrimeR().predict_proba(table)
    lacking = PrimeR("imaging", candidates=QUICK, inner_folds=2).fit(table, outcome)
    with pytest.raises(InputError, match="fitted on the column 'arterial_tumor_original_firstorder_Mean', which"):
        lacking.predict_proba(table.drop(columns=features(["firstorder_Mean"])))


def test_permuted_outcomes_are_not_learned():
    table, hazard = patients(48, seed=2)
    model = PrimeR("late", candidates=QUICK, threshold=0.005, inner_folds=2)
    found = check_leaks(model, table, response(hazard, 2), seed=1, folds=3)
    assert found.columns == 480
    assert found.clean, found.figure
