"""The table of response by concordance, against the numbers that the paper prints."""

from __future__ import annotations

import math

import pytest
from scipy.stats import nchypergeom_fisher

from hccoutcome.errors import InputError
from hccoutcome.treatment.agreement import Treated, agreement
from hccoutcome.treatment.atom import printed_rule, recommend

SCORES = {
    "TACE": {"TACE": 0.9, "HAIC": 0.1, "TC": 0.1, "HC": 0.1},
    "TC": {"TACE": 0.9, "HAIC": 0.1, "TC": 0.9, "HC": 0.1},
    "HAIC": {"TACE": 0.1, "HAIC": 0.9, "TC": 0.1, "HC": 0.1},
    "HC": {"TACE": 0.1, "HAIC": 0.9, "TC": 0.1, "HC": 0.9},
    "against": {"TACE": 0.1, "HAIC": 0.1, "TC": 0.9, "HC": 0.9},
    None: {"TACE": 0.1},
    "open": {"TACE": 0.9, "HAIC": 0.1},
}
"""Scores by the recommendation that they lead to."""


def treated(plan, received, benefit, patients, stage):
    """Return patients who received one treatment, of whom some had benefit."""
    advice = recommend(SCORES[plan], printed_rule())
    outcome = "response" if stage == 1 else "survived"
    return [
        Treated(f"{plan}-{received}-{stage}-{number}", advice, received, **{outcome: number < benefit})
        for number in range(patients)
    ]


TABLE_3 = {
    # received: (stage, plans of the consistent, inconsistent group), counts of the three groups, printed p values
    "TACE": (1, "TACE", "HAIC", [(30, 89), (6, 59), (4, 40)], ("<0.001", "0.005"), (40, 188)),
    "HAIC": (1, "HAIC", "TACE", [(34, 49), (3, 16), (9, 24)], ("<0.001", "0.012"), (46, 89)),
    "TC": (2, "TC", "TACE", [(15, 18), (20, 38), (0, 5)], ("0.039", "0.002"), (35, 61)),
    "HC": (2, "HC", "TC", [(5, 11), (9, 31), (1, 4)], ("0.459", "0.604"), (15, 46)),
}


@pytest.fixture(scope="module")
def rows():
    patients = []
    for received, (stage, consistent, inconsistent, counts, _, _) in TABLE_3.items():
        for plan, (benefit, number) in zip((consistent, inconsistent, "against"), counts, strict=True):
            patients += treated(plan, received, benefit, number, stage)
    return {row.received: row for row in agreement(patients)}


def printed(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


@pytest.mark.parametrize("received", TABLE_3)
def test_the_papers_table_comes_out(rows, received):
    stage, _, _, counts, p_values, total = TABLE_3[received]
    row = rows[received]
    groups = ("consistent", "inconsistent", "against")
    assert row.stage == stage
    assert [(row.rates[group].benefit, row.rates[group].patients) for group in groups] == counts
    assert (row.total.benefit, row.total.patients) == total
    assert (printed(row.p["inconsistent"]), printed(row.p["against"])) == p_values


@pytest.mark.parametrize("received", TABLE_3)
@pytest.mark.parametrize("group", ["inconsistent", "against"])
def test_odds_ratios_are_those_of_fishers_distribution(rows, received, group):
    """At the estimate the count seen is the expected one; at the limits it and what is beyond it have 2.5%."""
    one, other = (rows[received].rates[name] for name in ("consistent", group))
    seen, benefit, total = one.benefit, one.benefit + other.benefit, one.patients + other.patients
    found = rows[received].odds[group]

    def under(odds: float):
        return nchypergeom_fisher(total, benefit, one.patients, odds)

    assert under(found.lower).sf(seen - 1) == pytest.approx(0.025, rel=1e-5)
    if math.isfinite(found.value):
        assert under(found.value).mean() == pytest.approx(seen, rel=1e-6)
        assert under(found.upper).cdf(seen) == pytest.approx(0.025, rel=1e-5)
    else:
        assert (received, group) == ("TC", "against")  # none of the five lived for a year
        assert math.isinf(found.upper)
    assert (found.lower > 1 or found.upper < 1) == (rows[received].p[group] < 0.05)


def test_groups_that_fare_alike_have_no_odds_ratio():
    (row,) = agreement(treated("HAIC", "HAIC", 2, 2, 1) + treated("against", "HAIC", 3, 3, 1))
    assert math.isnan(row.odds["against"].value)
    assert row.to_json()["odds_ratio"]["against"] == {"value": None, "lower": 0.0, "upper": None}


def test_patients_of_a_combination_count_in_both_stages():
    """Stage 1 asks whether the therapy was the recommended one, stage 2 whether systemic treatment was too."""
    patients = treated("TACE", "TC", 2, 3, 1) + treated("TC", "TC", 1, 2, 2)
    stage1, stage2 = agreement(patients)
    assert stage1.received == "TACE"
    assert (stage1.rates["consistent"].benefit, stage1.rates["consistent"].patients) == (2, 3)
    assert stage1.left_out == 2  # those of whom only survival is known
    assert (stage2.received, stage2.rates["consistent"].patients, stage2.left_out) == ("TC", 2, 3)
    assert stage2.p == {}


def test_who_has_no_recommendation_is_left_out_and_counted():
    row, *_ = agreement(treated(None, "TACE", 1, 3, 1) + treated("TACE", "TACE", 1, 4, 1))
    assert (row.left_out, row.total.patients) == (3, 4)


def test_a_recommendation_that_is_open_in_stage_2_counts_in_stage_1():
    row, *_ = agreement(treated("open", "TACE", 1, 3, 1))
    assert row.rates["consistent"].patients == 3


def test_an_empty_group_has_no_share_and_no_p():
    (row,) = agreement(treated("HAIC", "HAIC", 1, 3, 1))
    assert row.rates["against"].share is None
    assert row.p == {}
    assert row.to_json()["against"] == {"benefit": 0, "patients": 0, "share": None, "interval": None}


def test_wrong_patients_are_refused():
    with pytest.raises(InputError, match="TACE"):
        treated("TACE", "surgery", 0, 1, 1)
    with pytest.raises(InputError, match="2 times"):
        agreement(treated("TACE", "TACE", 1, 1, 1) * 2)
