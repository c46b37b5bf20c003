"""What the clinical panel decides: what is wrong with an entry, what follows, what a pasted row holds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.errors import InputError
from hccoutcome.gui import clinical_rules as rules

NUMBERS = sorted(name for name, variable in VARIABLES.items() if variable.kind == "number")


@settings(derandomize=True, deadline=None)
@given(st.lists(st.sampled_from(sorted(VARIABLES)), max_size=6))
def test_every_variable_has_one_row_and_the_needed_ones_stand_first(needed):
    rows = rules.field_rows(needed)
    assert sorted(row.name for row in rows) == sorted(VARIABLES)
    assert [row.name for row in rows if row.needed] == list(dict.fromkeys(needed))
    assert all(row.needed for row in rows[: len(set(needed))])
    assert all(row.expected for row in rows)


def test_a_wrong_entry_has_its_sentence_and_an_unusual_one_its_doubt():
    notes = rules.field_notes({"alb": "4.1", "afp": "<20", "plt": "150", "age": "17", "hbv": "perhaps"})
    assert notes["alb"] == (True, notes["alb"][1])
    assert "looks like g/dL: write '4.1 g/dL' with the unit" in notes["alb"][1]
    assert notes["afp"][0]
    assert notes["hbv"][0]
    assert notes["age"][0] is False
    assert "plt" not in notes


def test_indices_follow_as_values_are_typed():
    assert rules.index_rows({}) == []
    ratio = ("Neutrophil-to-lymphocyte ratio", "-", "lacks Lymphocytes")
    assert ratio in rules.index_rows({"neu": "4"})
    rows = {title: (value, formula) for title, value, formula in rules.index_rows({"neu": "4", "lym": "1.6"})}
    assert rows["Neutrophil-to-lymphocyte ratio"] == ("2.5", "neu / lym")


def test_albi_is_that_of_its_formula_in_whatever_unit_it_is_typed():
    rows = {title: value for title, value, _ in rules.index_rows({"alb": "4.0 g/dL", "tbil": "1 mg/dL"})}
    score = 0.66 * math.log10(17.104) - 0.085 * 40
    assert rows["Albumin-bilirubin score"] == f"{score:.4g}"
    assert "ALBI grade 2 (modified grade 2a)" in rows.values()


def test_entries_that_cannot_be_read_take_no_part_and_do_no_harm():
    rows = rules.index_rows({"neu": "4", "lym": "1.6", "alb": "much", "shoe": "43"})
    assert ("Neutrophil-to-lymphocyte ratio", "2.5", "neu / lym") in rows


def test_a_division_by_zero_is_said_in_its_row():
    rows = rules.index_rows({"neu": "4", "lym": "0.02", "mon": "0.5", "afp": "0.1", "afp_post": "5"})
    assert all(value for _, value, _ in rows)


def test_a_row_below_its_header_is_taken_with_the_units_of_its_columns():
    text = "Patient ID\tALB (g/dL)\tAFP\tPLT (10^9/L)\tShoe size\tHBsAg\r\nAnna\t4.1\t400\t150\t43\tyes\r\n"
    pasted = rules.pasted_row(text)
    assert pasted.record == {"alb": "4.1 g/dL", "afp": "400", "plt": "150", "hbv": "yes"}
    assert pasted.not_taken == ("Shoe size",)
    assert "Anna" not in str(pasted), "no name is taken"
    assert rules.pasted_in_words(pasted) == "4 values taken. Not known, or given twice: Shoe size."
    assert rules.field_notes(pasted.record) == {}


def test_what_is_wrong_with_a_pasted_value_is_said_beside_its_field():
    pasted = rules.pasted_row("alb\tage\n4.1\tabc\n")
    assert pasted.record == {"alb": "4.1", "age": "abc"}
    assert {name for name, (wrong, _) in rules.field_notes(pasted.record).items() if wrong} == {"alb", "age"}


@settings(derandomize=True, deadline=None)
@given(st.dictionaries(st.sampled_from(NUMBERS), st.integers(1, 99), max_size=12))
def test_the_template_filled_in_comes_back_with_or_without_its_header(values):
    cells = [str(values.get(name, "")) for name in VARIABLES]
    row = "\t".join(cells) + "\n"
    expected = {name: str(value) for name, value in values.items()}
    if not values:
        with pytest.raises(InputError, match="found the header alone: copy both"):
            rules.pasted_row(rules.template() + row)
        return
    assert rules.pasted_row(rules.template() + row).record == expected
    assert rules.pasted_row(row).record == expected


def test_cells_that_say_not_known_are_left_out():
    assert rules.pasted_row("alb\tage\tafp\nNA\t\tunknown\n").record == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "found nothing: copy the row first"),
        ("\n\n", "found nothing: copy the row first"),
        ("alb\tage\n41\t60\n40\t61\n", "found 3 rows: copy the header and the row of this patient"),
        ("41\t60\n", "as the template has them, found 2: copy the header row too"),
        ("alb\n41\t60\n", "at most 1 cells, as its header has, found 2"),
    ],
)
def test_what_is_no_row_of_one_patient_is_refused(text, sentence):
    with pytest.raises(InputError, match=sentence):
        rules.pasted_row(text)


def test_a_column_given_twice_keeps_the_first_and_says_so():
    pasted = rules.pasted_row("alb\tAlbumin\n41\t39\n")
    assert pasted.record == {"alb": "41"}
    assert pasted.not_taken == ("Albumin",)


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_lines_end_as_on_any_system(end):
    assert rules.pasted_row(f"alb\tafp{end}41\t12{end}").record == {"alb": "41", "afp": "12"}


def test_what_no_spreadsheet_copies_is_a_sentence():
    with pytest.raises(InputError, match="A spreadsheet row was expected on the clipboard, found a text"):
        rules.pasted_row("x" * 200_000)


def test_a_long_title_that_is_not_known_is_quoted_in_part():
    said = rules.pasted_in_words(rules.pasted_row("x" * 1000 + "\talb\n1\t41\n"))
    assert said == f"1 values taken. Not known, or given twice: {'x' * 40}...."
