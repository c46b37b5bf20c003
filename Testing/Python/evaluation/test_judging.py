"""What is measured of predictions, and comparisons of finished packages with cross-validated systems."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from hccoutcome.evaluation.crossvalidated import compare_cross_validated, cross_validated
from hccoutcome.evaluation.crossvalidation import out_of_fold
from hccoutcome.evaluation.estimate import Estimate
from hccoutcome.evaluation.figures.flow import draw_flow
from hccoutcome.evaluation.figures.leaks import draw_leaks
from hccoutcome.evaluation.judging import (
    compare_all,
    decision,
    figures_in_subgroups,
    judge_response,
    judge_survival,
)
from hccoutcome.evaluation.leaks import LeakCheck
from hccoutcome.evaluation.outcomes import as_structured
from hccoutcome.evaluation.study import Left, Predicted, Step

N = 90


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    values = np.random.default_rng(1).normal(size=(N, 3))
    return pd.DataFrame(values, [f"P{n:02}" for n in range(N)], ["a", "b", "c"])


@pytest.fixture(scope="module")
def response(table: pd.DataFrame) -> np.ndarray:
    return table["a"].to_numpy() + np.random.default_rng(2).normal(size=N) > 0


@pytest.fixture(scope="module")
def system(table: pd.DataFrame, response: np.ndarray) -> Predicted:
    found = out_of_fold(LogisticRegression(), table, response, folds=3, repeats=2, seed=1)
    return Predicted(
        label="system",
        title="a system",
        way="cross-validated",
        baseline=False,
        known=np.ones(N, bool),
        prediction=found.mean_prediction,
        place=found.mean_prediction,
        probability=True,
        positive=found.positive_in_most,
        threshold="of the folds",
        found=found,
    )


def package(scores: np.ndarray, known: np.ndarray | None = None, **changes) -> Predicted:
    made = Predicted(
        label="package",
        title="a package",
        way="external",
        baseline=False,
        known=np.ones(N, bool) if known is None else known,
        prediction=scores,
        place=scores,
        probability=True,
        positive=scores >= 0.5,
        threshold="0.5",
    )
    return replace(made, **changes)


def test_a_cross_validated_system_is_judged_inside_folds_and_a_package_over_all(response, system, table) -> None:
    scores = 1 / (1 + np.exp(-table["a"].to_numpy()))
    known = np.arange(N) % 4 > 0
    judged = judge_response(response, package(np.where(known, scores, np.nan), known), seed=0)
    assert judged.main == judged.finished
    assert judged.patients == known.sum()
    assert judged.main.value == pytest.approx(roc_auc_score(response[known], scores[known]))
    assert judge_response(response, system, seed=0).main == cross_validated(system.found)


def test_a_package_is_compared_with_a_cross_validated_system_inside_its_folds(response, system) -> None:
    """A package that says what the system says is not better, though models of other folds have other scales."""
    first_repeat = replace(
        system.found,
        predictions=system.found.predictions[:1],
        percentiles=system.found.percentiles[:1],
        fold=system.found.fold[:1],
        thresholds=system.found.thresholds[:1],
    )
    shifted = first_repeat.predictions[0] * 0.2 + first_repeat.fold[0] * 0.3
    moved = replace(first_repeat, predictions=shifted[None])
    other = replace(system, found=moved, prediction=shifted, place=shifted)
    (pair,) = compare_all(response, [package(first_repeat.predictions[0]), other])
    assert pair.systems is not None
    assert pair.systems.difference.value == pytest.approx(0, abs=1e-12)
    assert pair.predictions.difference.value > 0.05


def test_comparisons_use_the_patients_of_both(response, system, table) -> None:
    known = np.arange(N) < 60
    scores = np.where(known, 1 / (1 + np.exp(-table["a"].to_numpy())), np.nan)
    (pair,) = compare_all(response, [system, package(scores, known)])
    assert pair.patients == 60
    one = roc_auc_score(response[known], system.prediction[known])
    assert pair.predictions.first == pytest.approx(one)
    twice = replace(system, label="again")
    (pair,) = compare_all(response, [system, twice])
    assert pair.systems == compare_cross_validated(system.found, system.found)


def test_decision_curves_take_the_patients_for_whom_all_have_a_probability(response, system) -> None:
    known = np.arange(N) < 60
    scores = np.where(known, 0.4, np.nan)
    curves, notes = decision(response, [system, package(scores, known)], (), None)
    assert notes == ()
    assert curves is not None
    assert curves.prevalence == pytest.approx(response[known].mean())
    no_probability = replace(system, probability=False)
    assert decision(response, [no_probability], (), None) == (None, ())


def test_what_the_patients_do_not_allow_is_said(table) -> None:
    outcome = as_structured(np.arange(N) % 3 > 0, np.arange(1.0, N + 1))
    risk = table["a"].to_numpy()
    # Everybody in one group, and a risk that is the same for all in the place of a probability.
    given = package(risk, probability=False, positive=np.ones(N, bool))
    judged = judge_survival(outcome, given, pd.DataFrame(index=table.index), (12.0, 30.0), 12.0)
    assert judged.ratio is None
    assert judged.calibration is None
    assert any("hazard ratio of the risk groups could not be measured" in note for note in judged.notes)
    assert [curve.name for curve in judged.groups] == ["high risk"]


def test_subgroups_have_figures_of_their_own(response, system) -> None:
    levels = pd.DataFrame({"Sex": np.where(np.arange(N) % 2, "male", "female"), "Few": [None] * (N - 1) + ["one"]})
    rows = {(row.variable, row.level): row for row in figures_in_subgroups(response, [system], levels)}
    male = np.arange(N) % 2 == 1
    assert rows["Sex", "male"].figure.value == pytest.approx(roc_auc_score(response[male], system.prediction[male]))
    assert rows["Sex", "male"].patients == male.sum()
    assert rows["Few", "one"].figure is None


def words(figure) -> str:
    return " ".join(text.get_text() for axes in figure.axes for text in axes.texts)


def test_the_flow_shows_every_number() -> None:
    steps = (Step("in the table", 105, (Left(2, "no features"),)), Step("evaluated", 103))
    text = words(draw_flow([*steps, Step("with a score", 80, (Left(23, "refused by the package"),), branch=True)]))
    for part in ("105 in the table", "2 no features", "103 evaluated", "80 with a score", "23 refused by the package"):
        assert part in text


def test_the_test_for_leaks_says_what_was_found() -> None:
    clean = LeakCheck(Estimate(0.51, 0.45, 0.57, 0.99, "t"), (0.5, 0.52), 90, 900)
    leaking = LeakCheck(Estimate(0.8, 0.7, 0.9, 0.99, "t"), (0.79, 0.81), 90, 900)
    text = words(draw_leaks({"honest": clean, "other": leaking}))
    assert "honest: mean 0.51 (0.45 to 0.57), holds 0.5" in text
    assert "other: mean 0.80 (0.70 to 0.90), does not hold 0.5: a leak" in text
