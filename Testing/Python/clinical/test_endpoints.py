"""Outcomes are read as written, and nothing is guessed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hccoutcome.clinical.endpoints import (
    CRITERIA,
    ENDPOINTS,
    TIME_UNITS,
    EventColumn,
    ResponseColumn,
    TimeColumn,
    as_survival,
    known_outcomes,
    outcome_of,
    read_category,
    read_event,
    read_months,
    responds,
    survived,
    time_unit,
)
from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.errors import InputError


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("mrecist", ResponseColumn("mrecist")),
        ("mRECIST (reader 2)", ResponseColumn("mrecist", "2")),
        ("modified RECIST", ResponseColumn("mrecist")),
        ("recist_reader1", ResponseColumn("recist", "1")),
        ("RECIST 1.1", ResponseColumn("recist1.1")),
        ("recist1.1_reader3", ResponseColumn("recist1.1", "3")),
        ("RECIST v1.1 by reader B", ResponseColumn("recist1.1", "b")),
        ("responder", ResponseColumn("responder")),
        ("OS (weeks)", TimeColumn("os", "weeks")),
        ("overall survival [mo]", TimeColumn("os", "months")),
        ("pfs_days", TimeColumn("pfs", "days")),
        ("TTP in years", TimeColumn("ttp", "years")),
        ("OS", TimeColumn("os")),
        ("os_event", EventColumn("os")),
        ("Death", EventColumn("os")),
        ("Time to progression status", EventColumn("ttp")),
    ],
)
def test_a_column_s_name_says_which_outcome_it_holds(name, outcome) -> None:
    assert outcome_of(name) == outcome


@pytest.mark.parametrize("name", ["1_mRECIST", "os_m", "recist_2", "osteoporosis", "afp", "event", "progression"])
def test_what_could_mean_several_things_is_no_outcome(name) -> None:
    assert outcome_of(name) is None


def test_no_clinical_variable_is_taken_for_an_outcome() -> None:
    words = [word for v in VARIABLES.values() for word in (v.name, v.title, *v.synonyms)]
    assert [word for word in words if outcome_of(word)] == []


def test_every_name_that_messages_suggest_is_understood() -> None:
    assert all(str(outcome_of(name)) == name for name in known_outcomes())


@pytest.mark.parametrize(
    ("text", "category"),
    [("CR", "CR"), ("1", "CR"), ("2.0", "PR"), (" stable disease ", "SD"), ("Partial-Response", "PR"), ("4", "PD"),
     ("NE", None), ("", None), ("NA", None), ("not evaluable", None)],
)  # fmt: skip
def test_categories_are_read_by_code_or_by_word(text, category) -> None:
    assert read_category("mrecist", text) == category


@pytest.mark.parametrize("text", ["0", "5", "responder", "1.5", "nan"])
def test_what_is_no_category_is_refused(text) -> None:
    with pytest.raises(InputError, match=r"mRECIST is CR, PR, SD or PD \(or 1 to 4 in this order\), found"):
        read_category("mrecist", text)


def test_complete_and_partial_responses_are_responses() -> None:
    assert [responds(category) for category in ("CR", "PR", "SD", "PD")] == [True, True, False, False]
    assert responds(read_category("responder", "yes") or "")
    assert not responds(read_category("responder", "0") or "")
    with pytest.raises(InputError, match="A responder is marked 1"):
        read_category("responder", "CR")


@pytest.mark.parametrize(("unit", "in_a_year"), [("days", 365.25), ("weeks", 365.25 / 7), ("months", 12), ("years", 1)])
def test_a_year_is_twelve_months_in_every_unit(unit, in_a_year) -> None:
    assert read_months("os", repr(in_a_year), unit) == pytest.approx(12)


@given(st.floats(0, 500), st.sampled_from(sorted(TIME_UNITS)), st.sampled_from(sorted(ENDPOINTS)))
def test_months_go_back_to_what_was_written(months, unit, endpoint) -> None:
    written = months / TIME_UNITS[unit]
    assert read_months(endpoint, repr(written), unit) == pytest.approx(months, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("-3", "a time from 0 weeks, found -3"),
        ("12 weeks", "a number in weeks"),
        ("1,5", "a number in weeks"),
        ("nan", "a number in weeks"),
        ("99999", "at most 600 months, found 99999 weeks: check the value and its unit"),
    ],
)
def test_an_impossible_time_is_refused(text, sentence) -> None:
    with pytest.raises(InputError, match=sentence):
        read_months("os", text, "weeks")


@pytest.mark.parametrize(
    ("text", "event"),
    [("1", True), ("0", False), ("1.0", True), ("Dead", True), ("alive", False), ("censored", False),
     ("no progression", False), ("", None), ("unknown", None)],
)  # fmt: skip
def test_events_are_read(text, event) -> None:
    assert read_event("os", text) is event


def test_r_s_coding_of_events_is_refused_rather_than_misread() -> None:
    with pytest.raises(InputError, match="1 where it was observed and 0 where the time is censored, found '2': recode"):
        read_event("os", "2")


def test_units_go_by_their_short_names() -> None:
    assert [time_unit(word) for word in ("d", "Weeks", "mo", "yr")] == ["days", "weeks", "months", "years"]
    with pytest.raises(InputError, match="'m' is not a unit of time"):
        time_unit("m")


def test_who_is_censored_before_a_time_is_not_known_at_it() -> None:
    outcome = as_survival(np.array([True, False, True, False, False]), np.array([5.0, 5.0, 15.0, 12.0, math.nan]))
    free, known = survived(outcome, 12.0)
    assert free.tolist() == [False, False, True, True, False]
    assert known.tolist() == [True, False, True, True, False]


def test_every_criterion_has_a_column_of_its_name() -> None:
    assert [str(outcome_of(name)) for name in CRITERIA] == list(CRITERIA)
