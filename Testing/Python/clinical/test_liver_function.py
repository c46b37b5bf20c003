"""ALBI and Child-Pugh against printed values, on both sides of every threshold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.clinical.liver_function import albi, albi_grade, albi_score, child_pugh, modified_albi_grade
from hccoutcome.clinical.record import parse_record
from hccoutcome.clinical.scores import missing_for
from hccoutcome.errors import InputError

REPEATABLE = settings(derandomize=True, deadline=None)
BEST = {"tbil": 20.0, "alb": 40.0, "inr": 1.0, "ascites": "none", "encephalopathy": "none"}
GRADES = {"ascites": ("none", "slight", "moderate"), "encephalopathy": ("none", "grade 1-2", "grade 3-4")}


@pytest.mark.parametrize(
    ("tbil", "alb", "expected"),
    [
        (17.1, 40.0, 0.66 * 1.2329961 - 3.4),
        (100.0, 30.0, 0.66 * 2 - 2.55),
        (1000.0, 20.0, 0.66 * 3 - 1.7),
        (10.0, 40.0, 0.66 - 3.4),
    ],
)
def test_albi_is_the_printed_linear_predictor(tbil: float, alb: float, expected: float) -> None:
    assert albi_score(tbil, alb) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("bilirubin", "albumin", "expected"), [("0.8 mg/dL", "4.5 g/dL", -3.075), ("1.2 mg/dL", "3.5 g/dL", -2.109)]
)
def test_albi_from_conventional_units_agrees_with_other_calculators(
    bilirubin: str, albumin: str, expected: float
) -> None:
    record = parse_record({"bilirubin": bilirubin, "albumin": albumin})
    assert albi(record).value == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize(
    ("score", "grade", "modified"),
    [
        (-2.61, 1, "1"),
        (-2.60, 1, "1"),
        (-2.599, 2, "2a"),
        (-2.270, 2, "2a"),
        (-2.269, 2, "2b"),
        (-1.39, 2, "2b"),
        (-1.389, 3, "3"),
    ],
)
def test_albi_grades_hold_their_upper_end(score: float, grade: int, modified: str) -> None:
    assert (albi_grade(score), modified_albi_grade(score)) == (grade, modified)


def test_albi_says_its_grade_and_its_parts_add_up() -> None:
    score = albi({"tbil": 17.1, "alb": 40.0})
    assert score.label == "ALBI grade 2 (modified grade 2a)"
    assert sum(part for _, _, part in score.items) == pytest.approx(score.value)


def test_albi_without_albumin_is_refused() -> None:
    with pytest.raises(InputError, match=r"^ALBI needs alb: add what is missing to the clinical record\.$"):
        albi({"tbil": 17.1})


def test_albi_without_bilirubin_above_zero_is_refused() -> None:
    with pytest.raises(InputError, match=r"^ALBI needs a bilirubin above zero, found 0 umol/L: correct it\.$"):
        albi_score(0.0, 40.0)


@pytest.mark.parametrize(
    ("name", "value", "points"),
    [
        ("tbil", 33.0, 1),
        ("tbil", 34.0, 2),
        ("tbil", 51.0, 2),
        ("tbil", 52.0, 3),
        ("alb", 36.0, 1),
        ("alb", 35.1, 1),
        ("alb", 35.0, 2),
        ("alb", 28.0, 2),
        ("alb", 27.9, 3),
        ("inr", 1.69, 1),
        ("inr", 1.7, 2),
        ("inr", 2.3, 2),
        ("inr", 2.31, 3),
        ("ascites", "none", 1),
        ("ascites", "slight", 2),
        ("ascites", "moderate", 3),
        ("encephalopathy", "none", 1),
        ("encephalopathy", "grade 1-2", 2),
        ("encephalopathy", "grade 3-4", 3),
    ],
)
def test_each_child_pugh_item_has_its_printed_points(name: str, value: float | str, points: int) -> None:
    score = child_pugh({**BEST, name: value})
    assert {item[0]: item[2] for item in score.items}[name] == points
    assert score.value == 4 + points


@pytest.mark.parametrize(
    ("printed", "points"), [("1.9 mg/dL", 1), ("2.0 mg/dL", 2), ("3.0 mg/dL", 2), ("3.1 mg/dL", 3)]
)
def test_bilirubin_in_mg_has_the_points_of_the_original_table(printed: str, points: int) -> None:
    assert child_pugh({**BEST, **parse_record({"tbil": printed})}).value == 4 + points


@pytest.mark.parametrize(("seconds", "points"), [(3.9, 1), (4.0, 2), (6.0, 2), (6.1, 3)])
def test_the_prothrombin_time_stands_in_for_a_missing_inr(seconds: float, points: int) -> None:
    record = {**BEST, "pt_prolongation": seconds}
    assert child_pugh(record).value == 5, "the INR goes first where both are known"
    del record["inr"]
    assert child_pugh(record).value == 4 + points


@pytest.mark.parametrize(("points", "letter"), [(5, "A"), (6, "A"), (7, "B"), (9, "B"), (10, "C"), (15, "C")])
def test_child_pugh_classes(points: int, letter: str) -> None:
    steps = [("tbil", 60.0), ("alb", 20.0), ("inr", 3.0), ("ascites", "moderate"), ("encephalopathy", "grade 3-4")]
    middles = {"tbil": 40.0, "alb": 30.0, "inr": 2.0, "ascites": "slight", "encephalopathy": "grade 1-2"}
    record, left = dict(BEST), points - 5
    for name, worst in steps:
        step = min(left, 2)
        record[name] = (BEST[name], middles[name], worst)[step]
        left -= step
    score = child_pugh(record)
    assert score.value == points
    assert score.label == f"Child-Pugh {letter} ({points} points)"


@REPEATABLE
@given(
    st.floats(1.5, 1200), st.floats(10, 70), st.floats(0.5, 20), st.integers(0, 2), st.integers(0, 2),
    st.sampled_from(["tbil", "alb", "inr", "ascites", "encephalopathy"]), st.floats(0, 5),
)  # fmt: skip
def test_worse_values_never_lower_child_pugh_or_albi(tbil, alb, inr, ascites, encephalopathy, worsened, by) -> None:
    grades = {"ascites": ascites, "encephalopathy": encephalopathy}
    record = {"tbil": tbil, "alb": alb, "inr": inr, **{name: GRADES[name][grade] for name, grade in grades.items()}}
    worse = dict(record)
    if worsened in GRADES:
        worse[worsened] = GRADES[worsened][min(grades[worsened] + 1, 2)]
    else:
        worse[worsened] = record[worsened] + (-by if worsened == "alb" else by)
    assert 5 <= child_pugh(record).value <= child_pugh(worse).value <= 15
    assert albi(record).value <= albi(worse).value


def test_ascites_of_unknown_grade_is_asked_for() -> None:
    record = {**BEST, "ascites": "present"}
    assert missing_for("child-pugh", record) == ("ascites",)
    with pytest.raises(InputError, match=r"needs the grade of the ascites, found 'present': give slight or moderate\."):
        child_pugh(record)


def test_stated_points_are_given_where_the_inputs_are_incomplete() -> None:
    assert child_pugh({"child_pugh_points": 8.0, "alb": 40.0}).label == "Child-Pugh B (8 points)"
    assert child_pugh({**BEST, "child_pugh_points": 8.0}).value == 5, "complete inputs go first"


def test_child_pugh_names_everything_that_is_missing() -> None:
    assert missing_for("child-pugh", {"alb": 40.0}) == ("tbil", "inr", "ascites", "encephalopathy")
    with pytest.raises(InputError, match=r"^Child-Pugh needs tbil, inr, ascites, encephalopathy: add what is missing"):
        child_pugh({"alb": 40.0})
