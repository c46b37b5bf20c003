"""JSON written by others is refused with a sentence wherever it is not what it should be."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.errors import InputError
from hccoutcome.strict_json import Fields, canonical_json, one_of, parse_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)  # fmt: skip


@settings(deadline=None, derandomize=True)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), JSON, max_size=4))
def test_canonical_json_reads_back_to_the_same_data(data: dict) -> None:
    assert parse_json(canonical_json(data), "x.json") == data


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical_json({"b": 1, "a": 2}) == canonical_json({"a": 2, "b": 1}) == b'{\n  "a": 2,\n  "b": 1\n}\n'


def test_canonical_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": math.nan})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1, "a": 2}', r"x\.json gives 'a' twice in one object, so its meaning is not clear: keep one\."),
        (b'{"a": NaN}', r"x\.json holds NaN where a finite number belongs: replace it\."),
        (b'{"a": -Infinity}', r"x\.json holds -Infinity where a finite number belongs"),
        (b'{"a": 1e999}', r"x\.json holds 1e999 where a finite number belongs"),
        (b"\xff\xfe{}", r"x\.json should be text in UTF-8 and is not"),
        (b'{"a": 1,}', r"x\.json should be JSON; .* in line 1, column \d+: mend or replace it\."),
        (b"[" * 200_000, r"x\.json is nested far deeper than any such file needs"),
        (b"1" * 5000, r"x\.json holds a number of 5000 characters where a finite number belongs: replace it\."),
        (b"[-" + b"9" * 400 + b"]", r"x\.json holds a number of 401 characters where a finite number belongs"),
    ],
    ids=[
        "repeated key",
        "NaN",
        "infinite",
        "overflow",
        "not UTF-8",
        "syntax",
        "nesting",
        "long number",
        "whole number beyond the floats",
    ],
)
def test_wrong_json_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_json(content, "x.json")


def test_whole_numbers_that_floats_reach_stay_whole() -> None:
    assert parse_json(b"[12345678901234567890, -0, 1.5]", "x.json") == [12345678901234567890, 0, 1.5]


def test_a_repeated_key_deep_inside_is_found() -> None:
    with pytest.raises(InputError, match="gives 'b' twice"):
        parse_json(b'{"a": [{"b": 1, "b": 1}]}', "x.json")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda f: f.text("missing"), r"x lacks the field 'missing' \(a text\): add it\."),
        (lambda f: f.text("number"), r"x: 'number' should be a text, found a number: correct it\."),
        (lambda f: f.text("empty"), r"x: 'empty' should be a text and is empty: fill it in\."),
        (lambda f: f.number("flag"), r"x: 'flag' should be a number, found true or false: correct it\."),
        (lambda f: f.number("null"), r"x: 'null' should be a number, found null: correct it\."),
        (lambda f: f.texts("mixed"), r"x: 'mixed' should hold texts only, found a number: correct it\."),
        (lambda f: f.object("mixed"), r"x: 'mixed' should be an object, found a list: correct it\."),
        (lambda f: f.objects("number"), r"x: 'number' should be a list of objects, found a number: correct it\."),
    ],
)
def test_a_field_of_another_type_is_refused(ask, message: str) -> None:
    fields = Fields({"number": 1, "flag": True, "empty": "", "null": None, "mixed": ["a", 1]}, "x")
    with pytest.raises(InputError, match=message):
        ask(fields)


def test_fields_give_values_and_defaults() -> None:
    fields = Fields({"a": "word", "n": 2, "list": ["p", "q"], "absent": None}, "x")
    assert (fields.text("a"), fields.number("n"), fields.texts("list")) == ("word", 2.0, ("p", "q"))
    assert fields.number("absent", None) is None
    assert fields.text("nothing", "default") == "default"
    fields.done()


def test_an_unknown_field_is_refused_with_the_nearest_known_name() -> None:
    fields = Fields({"titel": "x"}, "package.json")
    fields.text("title", "")
    with pytest.raises(InputError, match=r"package\.json has an unknown field 'titel'; did you mean 'title'\?"):
        fields.done()


def test_an_object_is_expected() -> None:
    with pytest.raises(InputError, match=r"x should be an object with named fields, found a list: correct it\."):
        Fields([1], "x")


def test_a_word_out_of_a_list_is_expected() -> None:
    assert one_of("CT", ("CT", "MR"), "x") == "CT"
    with pytest.raises(InputError, match=r"x: 'score\?' is not known; did you mean 'score'\? Known: points, score"):
        one_of("score?", ("points", "score"), "x")
