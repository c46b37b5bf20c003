"""Reading clinical records: names, units, codes, and the sentences for what is wrong."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.clinical.record import check_record, derive, parse_record
from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.errors import InputError

NUMERIC = [variable for variable in VARIABLES.values() if variable.kind in ("number", "integer")]
MEASURED = [variable for variable in NUMERIC if variable.units]
REPEATABLE = settings(derandomize=True, deadline=None)


@pytest.mark.parametrize(
    ("name", "value", "key", "expected"),
    [
        ("AFP", "400 ng/mL", "afp", 400.0),
        ("alpha-fetoprotein", {"value": 100, "unit": "IU/mL"}, "afp", 121.0),
        ("ALB (g/dL)", 4.1, "alb", 41.0),
        ("ALB (g/dL)", "39 g/L", "alb", 39.0),
        ("Serum Albumin", 40, "alb", 40.0),
        ("total bilirubin", {"value": 1, "unit": "mg/dL"}, "tbil", 17.104),
        ("TBIL", "20 µmol/L", "tbil", 20.0),
        ("Platelet count", "250 ×10⁹/L", "plt", 250.0),
        ("plt", {"value": 180, "unit": "K/uL"}, "plt", 180.0),
        ("plt", {"value": 25, "unit": "10^4/µL"}, "plt", 250.0),
        ("LYM", {"value": 1500, "unit": "cells/mm3"}, "lym", 1.5),
        ("CRP", "1.1 mg/dL", "crp", 11.0),
        ("crea", "1 mg/dL", "creatinine", 88.4),
        ("ALT", "1 ukat/L", "alt", 60.0),
        ("height", "1.75 m", "height", 175.0),
        ("d_tumor", "65 mm", "tumor_diameter", 6.5),
        ("tumor size [mm]", 65, "tumor_diameter", 6.5),
        ("PT (s)", "12.5", "pt", 12.5),
        ("PT-INR", 1.1, "inr", 1.1),
        ("ECOG PS", "PS 1", "ecog", 1.0),
        ("pvtt", "VP3", "pvtt", 3.0),
        ("tumor_number", "single", "tumor_number", 1.0),
        ("gender", "M", "sex", "male"),
        ("BCLC", "Stage-C", "bclc", "C"),
        ("BCLC", 0, "bclc", "0"),
        ("Child-Pugh", "B7", "child_pugh", "B"),
        ("child_pugh", 6, "child_pugh", "A"),
        ("Ascites", "Moderate/Severe", "ascites", "moderate"),
        ("ascites", "yes", "ascites", "present"),
        ("encephalopathy", "Grade I/II", "encephalopathy", "grade 1-2"),
        ("T_involvment", "< or = 50%", "tumor_over_half", 0.0),
        ("T_involvment", ">50%", "tumor_over_half", 1.0),
        ("HBsAg", True, "hbv", 1.0),
        ("hcv", "ja", "hcv", 1.0),
        ("cirrhosis", "No", "cirrhosis", 0.0),
        ("cirrhosis", "0.0", "cirrhosis", 0.0),
        ("cirrhosis", "1.0", "cirrhosis", 1.0),
        ("child_pugh", "7.0", "child_pugh", "B"),
        ("hepatitis", "HCV only", "hepatitis", 1.0),
        ("AFP after", 20, "afp_post", 20.0),
        ("neu_post", "3.2 G/L", "neu_post", 3.2),
    ],
)
def test_an_entry_is_read_in_the_unit_of_the_schema(name: str, value: object, key: str, expected: float | str) -> None:
    record = parse_record({name: value})
    assert list(record) == [key]
    if isinstance(expected, str):
        assert record[key] == expected
    else:
        assert record[key] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("missing", [None, "", "  ", "NA", "n/a", "?", "Not stated", {"value": None, "unit": "g/L"}])
def test_an_empty_entry_is_left_out(missing: object) -> None:
    assert parse_record({"alb": missing, "age": 60}) == {"age": 60.0}


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ({"albumine": 40}, "'albumine' is not a known clinical variable; did you mean 'alb'? Known: age, sex,"),
        (
            {"alb": 4.1},
            "Albumin (alb) lies between 10 and 70 g/L, found 4.1 g/L, which looks like g/dL: "
            "write '4.1 g/dL' with the unit.",
        ),
        ({"tbil": 1.2}, "Total bilirubin (tbil) lies between 1.5 and 1200 umol/L, found 1.2 umol/L, which looks like"),
        ({"plt": 459000}, "found 459000 10^9/L, which looks like /uL"),
        ({"height": 1.75}, "found 1.75 cm, which looks like m:"),
        ({"tumor_diameter": 65}, "found 65 cm, which looks like mm:"),
        ({"creatinine": 1.1}, "found 1.1 umol/L, which looks like mg/dL:"),
        ({"afp": -3}, "Alpha-fetoprotein (afp) lies between 0.1 and 10000000 ng/mL, found -3 ng/mL: correct the value"),
        ({"afp": "high"}, "Alpha-fetoprotein (afp) is a number in ng/mL with a point before decimals, found 'high'"),
        ({"afp": True}, "Alpha-fetoprotein (afp) is a number in ng/mL with a point before decimals, found 'True'"),
        ({"afp": [1]}, "Alpha-fetoprotein (afp) is a number in ng/mL with a point before decimals, found '[1]'"),
        ({"plt": "1,5"}, "Platelets (plt) is a number in 10^9/L with a point before decimals, found '1,5'"),
        ({"afp": ">1200"}, "is a number, found the limit '>1200': write the number that is to be used."),
        ({"afp": math.nan}, "Alpha-fetoprotein (afp) is nan, expected a finite number in ng/mL: leave it out"),
        ({"crp": "NaN"}, "C-reactive protein (crp) is nan, expected a finite number in mg/L: leave it out"),
        ({"crp": math.inf}, "C-reactive protein (crp) is inf, expected a finite number"),
        ({"alb": "40 mmol/L"}, "Albumin (alb) is given in g/L or g/dL or mg/dL, found the unit 'mmol/L': convert it."),
        ({"PT": "85 %"}, "Prothrombin time (pt) is given in s, found the unit '%': convert it."),
        ({"inr": "1.2 s"}, "International normalised ratio (inr) has no unit, found 's': leave the unit out."),
        ({"ALB (kg)": 4}, "Albumin (alb) is given in g/L or g/dL or mg/dL, found the unit 'kg': convert it."),
        (
            {"AFP": 3, "alpha-fetoprotein": 4},
            "Alpha-fetoprotein (afp) is given twice, as 'AFP' and as 'alpha-fetoprotein', with the different values "
            "3 and 4: keep one.",
        ),
        (
            {"alb": {"value": "41 g/L", "unit": "g/dL"}},
            "Albumin (alb) was expected in one unit, found 'g/L' and 'g/dL' for one value: keep the right one.",
        ),
        ({"ecog": "0-1"}, "(ecog) is one value, found '0-1': write the one that holds for this patient."),
        ({"ecog": "1 or 2"}, "(ecog) is one value, found '1 or 2': write the one that holds for this patient."),
        ({"age": "60-70"}, "Age (age) is one value, found '60-70': write the one that holds for this patient."),
        ({"sex": "x"}, "Sex (sex) is one of female, male, found 'x': correct it."),
        ({"child_pugh": 4}, "Child-Pugh class (child_pugh) is one of A, B, C, found '4': correct it."),
        ({"ecog": 1.5}, "ECOG performance status (ecog) is a whole number, found 1.5: correct it."),
        ({"ecog": 7}, "ECOG performance status (ecog) lies between 0 and 4, found 7: correct it."),
        ({"hbv": 2}, "Hepatitis B (hbv) is yes or no (1 or 0), found '2': correct it."),
        ({"hbv": "0.5"}, "Hepatitis B (hbv) is yes or no (1 or 0), found '0.5': correct it."),
        ({"hbv": "-"}, "Hepatitis B (hbv) is yes or no (1 or 0), found '-': correct it."),
        ({"alb": {"val": 4}}, 'Albumin (alb) as an object is {"value": ..., "unit": ...}, found the keys \'val\''),
        ([("alb", 4)], "A clinical record is an object of names and values, found list"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_sentence(raw: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_record(raw)
    assert sentence in str(caught.value)
    assert str(caught.value).endswith(".")


def test_two_names_of_one_variable_may_agree() -> None:
    assert parse_record({"ALB (g/dL)": 4.1, "albumin": "41 g/L"}) == {"alb": pytest.approx(41.0)}


@pytest.mark.parametrize("variable", NUMERIC, ids=lambda variable: variable.name)
def test_every_value_at_a_limit_is_accepted_and_the_next_one_refused(variable) -> None:
    low, high = variable.limits
    for inside in (low, high):
        assert parse_record({variable.name: inside}) == {variable.name: inside}
    for outside in (low - 1, high + 1):
        with pytest.raises(InputError, match="lies between"):
            parse_record({variable.name: outside})


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=lambda variable: variable.name)
def test_a_record_that_was_read_can_be_read_again(variable) -> None:
    values = [code.value for code in variable.codes] if variable.kind == "category" else list(variable.limits)
    for value in values:
        once = parse_record({variable.title: value})
        assert parse_record(json.loads(json.dumps(once))) == once


@REPEATABLE
@given(st.sampled_from(MEASURED), st.data())
def test_a_value_means_the_same_in_every_unit(variable, data) -> None:
    unit = data.draw(st.sampled_from(sorted(variable.units)))
    value = data.draw(st.floats(*variable.limits))
    record = parse_record({variable.name: {"value": value / variable.units[unit], "unit": unit}})
    assert record[variable.name] == pytest.approx(value, rel=1e-9, abs=1e-12)
    assert parse_record({f"{variable.name} ({unit})": value / variable.units[unit]}) == record


@REPEATABLE
@given(st.dictionaries(st.text(max_size=12), st.one_of(st.text(max_size=8), st.floats(), st.booleans(), st.none())))
def test_any_table_row_is_read_or_refused_in_words(raw) -> None:
    try:
        parse_record(raw)
    except InputError as error:
        assert len(str(error)) > 20


def test_all_problems_are_listed_at_once() -> None:
    items = check_record({"alb": 4.1, "albumine": 40, "tbil": 2, "afp": 400, "crp": ""})
    verdicts = {item.subject: item.status for item in items}
    assert verdicts == {
        "clinical alb": "refused",
        "clinical albumine": "refused",
        "clinical tbil": "warning",
        "clinical afp": "ok",
    }
    notes = {item.subject: item.note for item in items}
    assert notes["clinical tbil"] == (
        "Total bilirubin (tbil) is unusual, 2 umol/L where 4 to 500 umol/L is typical; it may be in mg/dL: "
        "check the value and its unit."
    )
    assert "looks like g/dL" in notes["clinical alb"]


def test_contradictions_between_entries_are_warned_about_and_change_nothing() -> None:
    raw = {"pvtt": "VP3", "vascular invasion": "no", "height": 170, "weight": 60, "bmi": 30}
    warnings = {item.subject: item for item in check_record(raw) if item.status == "warning"}
    assert set(warnings) == {"clinical vascular_invasion", "clinical bmi"}
    assert warnings["clinical bmi"].found == "30"
    assert warnings["clinical bmi"].expected == "20.76"
    assert derive(parse_record(raw)).record["bmi"] == 30.0


COMPONENTS = {"tbil": 60, "alb": 25, "inr": 2.5, "ascites": "moderate", "encephalopathy": "none"}
EARLY = {"ecog": 0, "child_pugh": "A", "vascular_invasion": 0, "metastasis": 0, "tumor_number": 1, "tumor_diameter": 4}


@pytest.mark.parametrize(
    ("record", "name", "found", "expected"),
    [
        ({**COMPONENTS, "child_pugh": "A"}, "child_pugh", "A", "C"),
        ({**COMPONENTS, "child_pugh_points": 6}, "child_pugh_points", "6", "13"),
        ({**EARLY, "bclc": "B"}, "bclc", "B", "A"),
    ],
)
def test_a_class_that_contradicts_what_it_is_made_of_is_warned_about(record, name, found, expected) -> None:
    items = [item for item in check_record(record) if item.status == "warning"]
    assert [(item.subject, item.check, item.found, item.expected) for item in items] == [
        (f"clinical {name}", "agreement", found, expected)
    ]
    assert f"{name} is {found}, while " in items[0].note


@pytest.mark.parametrize(
    "record",
    [
        {**COMPONENTS, "child_pugh": "C", "child_pugh_points": 13},
        {**COMPONENTS, "ascites": "present", "child_pugh": "A"},
        {**COMPONENTS, "inr": "NA", "child_pugh": "A"},
        {**EARLY, "bclc": "A"},
        {"ecog": 0, "bclc": "C"},
    ],
)
def test_what_agrees_or_cannot_be_told_is_not_warned_about(record) -> None:
    assert [item for item in check_record(record) if item.status != "ok"] == []


def test_a_share_that_was_meant_as_a_fraction_is_warned_about() -> None:
    (item,) = check_record({"tumor_extent": 0.6})
    assert item.status == "warning"
    assert "0.6 % where 1 to 100 % is typical; it may be in fraction: check the value and its unit." in item.note
    assert parse_record({"tumor_extent": {"value": 0.6, "unit": "fraction"}}) == {"tumor_extent": 60.0}


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ({"height": 170, "weight": 57.8}, "bmi", 20.0),
        ({"pvtt": 3}, "vascular_invasion", 1.0),
        ({"pvtt": 3}, "portal_vein_thrombus", 1.0),
        ({"pvtt": 0}, "portal_vein_thrombus", 0.0),
        ({"pvtt": 0, "hvtt": 0}, "vascular_invasion", 0.0),
        ({"hvtt": 1}, "vascular_invasion", 1.0),
        ({"pvt": "no", "hvtt": 0}, "vascular_invasion", 0.0),
        ({"hbv": 0, "hcv": 1}, "hepatitis", 1.0),
        ({"tumor_number": 1}, "tumor_morphology", "uninodular"),
        ({"tumor_number": 2}, "tumor_morphology", "multinodular"),
        ({"tumor_extent": 50}, "tumor_over_half", 0.0),
        ({"tumor_extent": 50.1}, "tumor_over_half", 1.0),
        ({"child_pugh_points": 6}, "child_pugh", "A"),
        ({"child_pugh_points": 7}, "child_pugh", "B"),
        ({"child_pugh_points": 9}, "child_pugh", "B"),
        ({"child_pugh_points": 10}, "child_pugh", "C"),
    ],
)
def test_what_follows_is_derived_and_said(given: dict[str, object], name: str, expected: float | str) -> None:
    derived = derive(parse_record(given))
    assert derived.record[name] == (expected if isinstance(expected, str) else pytest.approx(expected))
    assert any(note.startswith(f"{name} = ") for note in derived.notes)
    assert derived.conflicts == ()


@pytest.mark.parametrize("given", [{"pvtt": 0}, {"hvtt": 0}, {"pvt": 0}])
def test_free_portal_veins_alone_do_not_exclude_vascular_invasion(given: dict[str, object]) -> None:
    assert "vascular_invasion" not in derive(parse_record(given)).record


@pytest.mark.parametrize(
    ("raw", "name", "expected"), [({"d_tumor": "33 mm"}, "tumor_diameter", 3.3), ({"crp": "1.1 mg/dL"}, "crp", 11.0)]
)
def test_a_conversion_leaves_no_rounding_noise(raw: dict[str, str], name: str, expected: float) -> None:
    assert parse_record(raw)[name] == expected
