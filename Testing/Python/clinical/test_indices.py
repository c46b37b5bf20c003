"""Composite and change indices against hand computation and against the formulas in their papers' own units."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.clinical.indices import (
    CHANGES,
    COMPOSITE,
    INDICES,
    composite_index,
    composite_indices,
    missing_for_index,
    ratio,
)
from hccoutcome.clinical.record import parse_record
from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.errors import InputError

REPEATABLE = settings(derandomize=True, deadline=None)
BEFORE = {
    "plt": 200.0,
    "lym": 2.0,
    "neu": 4.0,
    "mon": 0.5,
    "alb": 40.0,
    "tbil": 10.0,
    "afp": 400.0,
    "ldh": 250.0,
    "pt": 12.0,
}
AFTER = {"plt_post": 150.0, "lym_post": 1.0, "neu_post": 3.0, "mon_post": 0.4, "alb_post": 36.0, "afp_post": 100.0,
         "ldh_post": 300.0, "pt_post": 12.0}  # fmt: skip


def test_composite_indices_by_hand() -> None:
    assert composite_indices(BEFORE) == pytest.approx(
        {"plr": 100.0, "nlr": 2.0, "lmr": 4.0, "sii": 400.0, "pni": 50.0, "piv": 200.0, "albi": -2.74}
    )


def test_change_indices_by_hand() -> None:
    changes = {name: value for name, value in composite_indices({**BEFORE, **AFTER}).items() if name in CHANGES}
    assert changes == pytest.approx(
        {
            "afp_change": -0.75,
            "alb_change": -0.1,
            "ldh_change": 0.2,
            "pt_change": 0.0,
            "lym_change": -0.5,
            "neu_change": -0.25,
            "mon_change": -0.2,
            "plt_change": -0.25,
            "plr_change": 0.5,
            "nlr_change": 0.5,
            "lmr_change": 2.5 / 4 - 1,
            "sii_change": 450 / 400 - 1,
            "pni_change": 41 / 50 - 1,
            "piv_change": 180 / 200 - 1,
        }
    )


def test_prime_lists_fourteen_change_indices() -> None:
    printed = "AFP%, ALB%, LDH%, PT%, LYM%, NEU%, MON%, PLT%, PLR%, NLR%, LMR%, SII%, PNI%, PIV%"
    assert {index.title for index in CHANGES.values()} == set(printed.split(", "))


@REPEATABLE
@given(st.floats(1.0, 7.0), st.floats(50, 15000))
def test_pni_is_onoderas_formula_in_the_schema_units(albumin: float, lymphocytes: float) -> None:
    record = parse_record({"alb": f"{albumin!r} g/dL", "lym": f"{lymphocytes!r} /uL"})
    assert composite_index("pni", record) == pytest.approx(10 * albumin + 0.005 * lymphocytes, rel=1e-9)


@REPEATABLE
@given(*[st.floats(0.1, 15)] * 4)
def test_indices_are_tied_to_each_other(plt: float, neu: float, lym: float, mon: float) -> None:
    found = composite_indices({"plt": plt, "neu": neu, "lym": lym, "mon": mon})
    assert found["sii"] == pytest.approx(found["plr"] * neu)
    assert found["piv"] == pytest.approx(found["sii"] * mon)
    assert found["nlr"] * found["lmr"] == pytest.approx(neu / mon)


def test_indices_without_their_inputs_are_left_out_and_say_why() -> None:
    assert set(composite_indices({"plt": 200.0, "lym": 2.0})) == {"plr"}
    assert missing_for_index("piv", {"plt": 200.0, "lym": 2.0}) == ("neu", "mon")
    with pytest.raises(InputError, match=r"^Pan-immune-inflammation value \(piv\) needs neu, mon: add what is missing"):
        composite_index("piv", {"plt": 200.0, "lym": 2.0})


def test_a_zero_denominator_is_refused() -> None:
    with pytest.raises(InputError, match=r"\(nlr\): A ratio needs a denominator above zero, found 0: check the cell"):
        composite_indices({"neu": 4.0, "lym": 0.0})
    with pytest.raises(
        InputError, match=r"\(afp_change\): A relative change needs a value above zero before treatment"
    ):
        composite_indices({"afp": 0.0, "afp_post": 4.0})
    with pytest.raises(InputError, match="denominator above zero"):
        ratio(1.0, 0.0)


def test_an_unknown_index_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"'nlrr' is not a known index; did you mean 'nlr'\?"):
        composite_index("nlrr", {})


@pytest.mark.parametrize("index", INDICES.values(), ids=lambda index: index.name)
def test_every_index_uses_variables_of_the_schema(index) -> None:
    assert set(index.needs) <= set(VARIABLES)
    assert index.name not in VARIABLES
    assert index.citation
    assert set(COMPOSITE) == {"plr", "nlr", "lmr", "sii", "pni", "piv", "albi"}
