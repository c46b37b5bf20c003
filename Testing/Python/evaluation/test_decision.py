"""Decision curves against those of R's dcurves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.errors import InputError
from hccoutcome.evaluation.decision import decision_curves, survival_decision_curves
from hccoutcome.evaluation.outcomes import as_structured


def logistic(outcome: pd.Series, column: pd.Series) -> np.ndarray:
    """The probabilities that dcurves makes of a variable that is none."""
    design = sm.add_constant(column.to_numpy(float))
    return np.asarray(sm.GLM(outcome.to_numpy(float), design, sm.families.Binomial()).fit().fittedvalues)


def check(found, expected: pd.DataFrame, variable: str) -> None:
    """Compare with the rows of one variable and those of treating all and none."""
    rows = expected[expected["variable"] == variable].sort_values("threshold")
    everybody = expected[expected["variable"] == "all"].sort_values("threshold")
    assert found.thresholds == pytest.approx(rows["threshold"].to_numpy())
    assert found.prevalence == pytest.approx(rows["pos_rate"].iloc[0])
    assert found.treat_all == pytest.approx(everybody["net_benefit"].to_numpy())
    assert (expected.loc[expected["variable"] == "none", "net_benefit"] == 0).all()
    (model,) = found.models
    # Where the follow-up of the treated ends before the time, there is none, unless all of them have had the event.
    known = rows["net_benefit"].notna().to_numpy()
    assert np.isfinite(model.net_benefit[known]).all()
    assert (np.isnan(model.net_benefit) | (model.false_positive == 0))[~known].all()
    assert known.sum() > 30
    for name, column in (("true_positive", "tp_rate"), ("false_positive", "fp_rate"), ("net_benefit", "net_benefit")):
        assert getattr(model, name)[known] == pytest.approx(rows[column].to_numpy()[known], abs=1e-10), name
    if "net_intervention_avoided" in rows:
        avoided = rows["net_intervention_avoided"].to_numpy(float)
        usable = np.isfinite(avoided) & (found.thresholds > 0)
        assert usable.sum() > 30
        assert found.interventions_avoided(variable)[usable] == pytest.approx(avoided[usable], abs=1e-8)


def read(data: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(data / "reference_stats" / "dca" / name)


@pytest.mark.parametrize("name", ["r_case1_results.csv", "r_dca_famhistory.csv"])
def test_a_binary_predictor_has_the_curve_of_r(data: Path, name: str) -> None:
    table = read(data, "df_binary.csv")
    harm = read(data, name).query("variable == 'famhistory'")["harm"].iloc[0]
    found = decision_curves(table["cancer"], {"famhistory": table["famhistory"]}, harm={"famhistory": float(harm)})
    check(found, read(data, name), "famhistory")


def test_a_variable_made_a_probability_has_the_curve_of_r(data: Path) -> None:
    table = read(data, "df_binary.csv")
    age = logistic(table["cancer"], table["age"])
    check(decision_curves(table["cancer"], {"age": age}), read(data, "r_simple_binary_dca_result_df.csv"), "age")
    expected = read(data, "r_case3_results.csv")
    thresholds = expected.query("variable == 'marker'")["threshold"].to_numpy()
    marker = logistic(table["cancer"], table["marker"])
    check(
        decision_curves(table["cancer"], {"marker": marker}, thresholds=thresholds, harm={"marker": 0.0333}),
        expected,
        "marker",
    )


@pytest.mark.parametrize(
    ("name", "variable", "years"),
    [("r_simple_surv_dca_result_df.csv", "famhistory", 1.5), ("r_case2_results.csv", "cancerpredmarker", 1.0)],
)
def test_survival_has_the_curve_of_r(data: Path, name: str, variable: str, years: float) -> None:
    table = read(data, "df_surv.csv")
    outcome = as_structured(table["cancer"].to_numpy(bool), table["ttcancer"].to_numpy(float))
    found = survival_decision_curves(outcome, {variable: table[variable].astype(float)}, years)
    check(found, read(data, name), variable)


def test_a_case_control_sample_takes_the_prevalence_of_the_population(data: Path) -> None:
    table = read(data, "df_case_control.csv")
    outcome, risk = table["casecontrol"].to_numpy(bool), table["cancerpredmarker"].to_numpy()
    found = decision_curves(outcome, {"marker": risk}, prevalence=0.2, thresholds=(0.0, 0.1, 0.3))
    expected = 0.2 * (risk[outcome] > 0.3).mean() - 0.8 * (risk[~outcome] > 0.3).mean() * 0.3 / 0.7
    assert found.models[0].net_benefit[2] == pytest.approx(expected)
    assert found.treat_all[2] == pytest.approx(0.2 - 0.8 * 0.3 / 0.7)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_net_benefit_never_passes_that_of_the_truth(seed: int) -> None:
    random = np.random.default_rng(seed)
    outcome = random.permutation(np.arange(40) % 4 == 0)
    found = decision_curves(outcome, {"guess": random.random(40), "truth": outcome.astype(float)})
    guess, truth = found.models
    assert (guess.net_benefit <= truth.net_benefit + 1e-12).all()
    assert truth.net_benefit == pytest.approx(np.full(100, 0.25))
    assert guess.net_benefit[0] == pytest.approx(found.treat_all[0])  # nobody's risk is 0


def test_harm_lowers_the_curve_everywhere() -> None:
    outcome, risk = np.array([1, 0, 1, 0]), np.array([0.9, 0.1, 0.6, 0.4])
    free = decision_curves(outcome, {"a": risk}).models[0]
    costly = decision_curves(outcome, {"a": risk}, harm={"a": 0.02}).models[0]
    assert free.net_benefit - costly.net_benefit == pytest.approx(np.full(100, 0.02))


def test_bands_hold_the_curve_and_come_from_their_seed(data: Path) -> None:
    table = read(data, "df_binary.csv")
    options = {"thresholds": (0.05, 0.1, 0.2), "resamples": 200, "seed": 1}
    first, second = (decision_curves(table["cancer"], {"a": table["cancerpredmarker"]}, **options) for _ in range(2))
    model = first.models[0]
    assert (model.lower < model.net_benefit).all()
    assert (model.net_benefit < model.upper).all()
    assert model.lower.tobytes() == second.models[0].lower.tobytes()
    survival = read(data, "df_surv.csv")
    outcome = as_structured(survival["cancer"].to_numpy(bool), survival["ttcancer"].to_numpy(float))
    options["resamples"] = 20
    band = survival_decision_curves(outcome, {"a": survival["cancerpredmarker"]}, 1.0, **options).models[0]
    assert (band.lower < band.upper).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda y, p: decision_curves(y, {"a": p * 2}), "lies between 0 and 1, found 1.8"),
        (lambda y, p: decision_curves(y, {}), "at least one prediction, found none"),
        (lambda y, p: decision_curves(y, {"a": p}, thresholds=(0.5, 1.0)), "from 0 to below 1"),
        (lambda y, p: decision_curves(y, {"model": p}, harm={"modl": 0.1}), "did you mean 'model'"),
        (lambda y, p: decision_curves(y, {"a": p}, harm={"a": 2}), "found 2 for 'a'"),
        (lambda y, p: decision_curves(y, {"a": p}, prevalence=1.5), "found 1.5: correct"),
        (lambda y, p: decision_curves(y, {"a": p}).interventions_avoided("b"), "no decision curve 'b'"),
        (
            lambda y, p: survival_decision_curves(as_structured(y.astype(bool), np.arange(4.0) + 5), {"a": p}, 2),
            "needs events by then and patients followed until then, found a follow-up until 8",
        ),
    ],
)
def test_what_has_no_decision_curve_is_refused(call, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call(np.array([1, 0, 1, 0]), np.array([0.9, 0.1, 0.6, 0.4]))
