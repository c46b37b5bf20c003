"""PRIME-S ranks survival as scikit-survival does, the right way round, and fuses standardised risks as stated."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from simulated_patients import patients, survival
from sklearn.base import clone
from sksurv.svm import FastSurvivalSVM

from hccoutcome.errors import InputError
from hccoutcome.evaluation.leaks import check_leaks
from hccoutcome.package.inputs import table_matrix
from hccoutcome.survival.prime_s import PrimeS, fusion_weights

QUICK = {"alphas": (0.01, 1.0), "inner_folds": 3}


@pytest.fixture(scope="module")
def cohort():
    table, hazard = patients(120)
    return table, survival(hazard)


@pytest.mark.parametrize("modality", ["clinical", "imaging", "early", "late"])
def test_a_higher_risk_dies_earlier_in_new_patients(cohort, modality):
    table, hazard = patients(300, seed=5)
    model = PrimeS(modality, **QUICK).fit(*cohort)
    assert model.score(table, survival(hazard, 5)) > 0.58
    assert set(model.selected_features_) <= set(table.columns)


@pytest.mark.parametrize("modality", ["clinical", "imaging"])
def test_the_risk_is_that_of_the_machine_standardised_by_its_training_part(cohort, modality):
    table, outcome = cohort
    model = PrimeS(modality, **QUICK).fit(table, outcome)
    (part,) = model.model_.parts
    values = table_matrix(part.columns, table)
    machine = FastSurvivalSVM(model.alphas_[modality], rank_ratio=1, max_iter=1000, random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*precision loss")
        risk = machine.fit(values, outcome).predict(values)
    np.testing.assert_allclose(model.predict(table), (risk - risk.mean()) / risk.std(), rtol=1e-9, atol=1e-12)
    assert model.predict(table).mean() == pytest.approx(0, abs=1e-12)
    assert model.predict(table).std() == pytest.approx(1)
    assert model.concordances_[modality] == pytest.approx(machine.score(values, outcome))


def test_late_fusion_weighs_standardised_risks_by_their_concordance(cohort):
    table, outcome = cohort
    late = PrimeS("late", **QUICK).fit(table, outcome)
    alone = {name: PrimeS(name, **QUICK).fit(table, outcome) for name in ("clinical", "imaging")}
    c = {name: model.score(table, outcome) for name, model in alone.items()}
    share = np.exp(c["clinical"]) / (np.exp(c["clinical"]) + np.exp(c["imaging"]))
    by_hand = share * alone["clinical"].predict(table) + (1 - share) * alone["imaging"].predict(table)
    np.testing.assert_allclose(late.predict(table), by_hand, rtol=1e-9, atol=1e-12)


def test_the_weights_of_the_fusion_sum_to_one_and_favour_the_better():
    weights = fusion_weights({"clinical": 0.7, "imaging": 0.6})
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["clinical"] / weights["imaging"] == pytest.approx(np.exp(0.1))


def test_the_border_of_the_risk_groups_halves_the_training_part(cohort):
    table, outcome = cohort
    model = PrimeS("early", **QUICK).fit(table, outcome)
    assert (model.predict(table) >= model.cut_).sum() == len(table) / 2


def test_contributions_of_a_fused_risk_sum_to_it(cohort):
    table, outcome = cohort
    model = PrimeS("late", **QUICK).fit(table, outcome)
    for case in table.index[:5]:
        row = {name: (None if value is None or value != value else value) for name, value in table.loc[case].items()}
        parts = model.model_.contributions(row, {})
        assert sum(item.amount for item in parts) == pytest.approx(model.predict(table.loc[[case]])[0], abs=1e-12)
        assert [item.name for item in parts[1:]] == list(model.selected_features_)


def test_the_same_seed_gives_the_same_model(cohort):
    table, outcome = cohort
    model = PrimeS("late", **QUICK, random_state=3)
    first, second = model.fit(table, outcome).model_, clone(model).fit(table, outcome).model_
    assert first == second


def test_what_cannot_be_learned_from_is_refused(cohort):
    table, outcome = cohort
    few = outcome.copy()
    few["event"][5:] = False
    with pytest.raises(InputError, match="Learning survival needs at least 10 events, found"):
        PrimeS().fit(table, few)
    lost = outcome.copy()
    lost["time"][0] = np.nan
    with pytest.raises(InputError, match="A survival time is a number of months from 0: leave out"):
        PrimeS().fit(table, lost)
    with pytest.raises(InputError, match="Survival is an event and a time in months a patient"):
        PrimeS().fit(table, outcome["event"])
    with pytest.raises(InputError, match="'lat' is not a modality of this system; did you mean 'late'"):
        PrimeS("lat").fit(table, outcome)


def test_permuted_outcomes_are_not_learned():
    table, hazard = patients(48, seed=2)
    model = PrimeS("late", **QUICK, threshold=0.01)
    found = check_leaks(model, table, survival(hazard, 2), seed=1, folds=3)
    assert found.columns == 480
    assert found.clean, found.figure


def test_a_time_of_0_is_the_earliest_and_no_error(cohort):
    X, y = cohort
    first = y["time"].argmin()
    zero = y.copy()
    zero["time"][first] = 0.0
    expected = PrimeS("clinical").fit(X, y)
    found = PrimeS("clinical").fit(X, zero)
    np.testing.assert_allclose(found.predict(X), expected.predict(X), atol=1e-9)
