"""A linear score is its intercept plus its contributions, whatever the coefficients."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.errors import InputError
from hccoutcome.package.linear import LinearScore, Term
from hccoutcome.package.reference import Distribution, Reference

REFERENCE = Reference("a cohort", 30, "0" * 64, {"x": Distribution(10.0, 2.0, 5.0, 15.0)})
SCORE = LinearScore(0.5, (Term("x", 3.0, standardise=True), Term("y", -1.0)), reference=REFERENCE)
numbers = st.floats(-1e3, 1e3)


def test_a_score_by_hand() -> None:
    # 0.5 + 3 x (14 - 10) / 2 - 1 x 4
    assert SCORE.predict([{"x": 14.0, "y": 4.0}, {"x": 10.0, "y": 0.0}]) == pytest.approx([2.5, 0.5], abs=0)


def test_the_logistic_link_gives_a_probability() -> None:
    score = LinearScore(0.0, (Term("x", math.log(3.0)),), "logistic")
    assert score.predict([{"x": 0.0}, {"x": 1.0}, {"x": -1.0}]) == pytest.approx([0.5, 0.75, 0.25], rel=1e-12)


def test_the_logistic_link_does_not_overflow() -> None:
    score = LinearScore(0.0, (Term("x", 1.0),), "logistic")
    assert score.predict([{"x": 1e6}, {"x": -1e6}]).tolist() == [1.0, 0.0]


@settings(deadline=None, derandomize=True)
@given(numbers, st.lists(st.tuples(numbers, numbers, st.booleans()), min_size=1, max_size=8))
def test_contributions_sum_to_the_linear_predictor(intercept: float, inputs: list) -> None:
    names = [f"f{place}" for place in range(len(inputs))]
    reference = Reference("c", 30, "0" * 64, {name: Distribution(1.0, 2.0, 0.0, 3.0) for name in names})
    terms = tuple(Term(name, c, scaled) for name, (c, _, scaled) in zip(names, inputs, strict=True))
    score = LinearScore(intercept, terms, "logistic", reference)
    row = {name: value for name, (_, value, _) in zip(names, inputs, strict=True)}
    amounts = [item.amount for item in score.contributions(row, {})]
    assert math.fsum(amounts) == pytest.approx(score.decision_function([row])[0], rel=1e-9, abs=1e-9)


def test_contributions_tell_value_unit_and_coefficient() -> None:
    first, x, y = SCORE.contributions({"x": 14.0, "y": 4.0}, {"y": "cm"})
    assert (first.name, first.value, first.amount) == ("intercept", 1.0, SCORE.intercept)
    assert (x.name, x.value, x.unit, x.coefficient, x.amount) == ("x", 14.0, "", 3.0, 6.0)
    assert (y.name, y.value, y.unit, y.coefficient, y.amount) == ("y", 4.0, "cm", -1.0, -4.0)


def test_rows_are_independent() -> None:
    rows = [{"x": float(n), "y": float(n * n)} for n in range(5)]
    alone = np.concatenate([SCORE.predict([row]) for row in rows])
    assert SCORE.predict(rows).tolist() == alone.tolist()


def test_a_missing_input_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"The score needs the input 'y'; .*Known: x: add it"):
        SCORE.predict([{"x": 1.0}])


def test_a_standardised_input_without_reference_is_refused() -> None:
    with pytest.raises(InputError, match="'x' has to be standardised and no reference tells its distribution"):
        SCORE.with_reference(None).predict([{"x": 1.0, "y": 1.0}])


def test_weights_read_back_to_the_same_score() -> None:
    assert LinearScore.from_json(SCORE.to_json(), REFERENCE) == SCORE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "forest"}, r"weights\.json, 'model': 'forest' is not known"),
        ({"link": "probit"}, r"weights\.json, 'link': 'probit' is not known; .*Known: identity, logistic"),
        ({"bias": 1}, r"weights\.json has an unknown field 'bias'"),
        ({"terms": []}, r"weights\.json should name at least one input, each once"),
        ({"terms": SCORE.to_json()["terms"] * 2}, r"weights\.json should name at least one input, each once"),
        ({"terms": [{"name": "x", "coefficient": "1", "standardise": False}]}, r"term 1: 'coefficient' should be a nu"),
        ({"terms": [{"name": "x", "coefficient": 1}]}, r"term 1 lacks the field 'standardise' \(true or false\)"),
    ],
)
def test_wrong_weights_are_refused(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        LinearScore.from_json({**SCORE.to_json(), **change})
