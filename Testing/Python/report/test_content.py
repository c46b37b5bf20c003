from __future__ import annotations

import math
import struct
from dataclasses import replace

import pytest
import worked_example
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.package.prediction import Applicability, Contribution
from hccoutcome.report import content


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_bars_start_at_zero_and_stay_in_their_field(amounts: list[float]) -> None:
    items = tuple(Contribution(f"x{index}", 1.0, amount=amount) for index, amount in enumerate(amounts))
    shown = content.score(replace(worked_example.RADSCORE, contributions=items))
    largest = max(map(abs, amounts))
    for amount, row in zip(amounts, shown.rows, strict=True):
        assert 0 <= row.left <= row.left + row.width <= content.BAR_WIDTH + 1e-9
        assert row.positive == (amount >= 0)
        zero = row.left if row.positive else row.left + row.width
        assert zero == pytest.approx(content.BAR_WIDTH / 2)
        if largest > 0:
            assert row.width == pytest.approx(content.BAR_WIDTH / 2 * abs(amount) / largest)


def test_a_refused_score_has_no_number_even_where_one_was_computed() -> None:
    shown = content.score(
        replace(worked_example.RADSCORE, score=0.7, applicability=Applicability("refused", ("Too small.",)))
    )
    assert (shown.number, shown.exact, shown.rows) == ("", "", ())


def test_a_score_without_a_verdict_against_it_is_shown() -> None:
    shown = content.score(worked_example.ALBI)
    assert (shown.number, shown.exact, shown.verdict) == ("-2.41", "-2.41", "Applicable")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "ALBI grade 2 (-2.41 score)"),
        ({"label": ""}, "-2.41 score"),
        ({"score": 5.0, "scale": "points", "label": "Child-Pugh A (5 points)"}, "Child-Pugh A (5 points)"),
        ({"score": 3.0, "scale": "stage", "label": "BCLC stage C"}, "BCLC stage C"),
        ({"applicability": Applicability("refused", ("Too small.",))}, "no score"),
    ],
)
def test_a_result_in_one_line_tells_its_number_once(changes, text: str) -> None:
    assert content.score(replace(worked_example.ALBI, **changes)).in_short == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1 / 3, "0.3333"), (61.0, "61"), (812.25, "812.2"), (1.5e-7, "1.5e-07"), ("A", "A"), (math.nan, "not a number"),
     (None, "not a number"), (0.0, "0"), (-2.41, "-2.41")],
)  # fmt: skip
def test_numbers_have_four_digits(value, text: str) -> None:
    assert content.number(value) == text


def test_the_record_has_titles_units_and_words() -> None:
    rows = content.clinical_rows(worked_example.findings())
    assert ("Albumin", "38.2", "g/L") in rows
    assert ("Cirrhosis", "yes", "") in rows
    assert ("Child-Pugh class", "A", "") in rows


def test_indices_follow_from_the_record_and_a_zero_count_is_explained() -> None:
    findings = worked_example.findings()
    assert ("Neutrophil-to-lymphocyte ratio", "2.562", "neu / lym") in content.index_rows(findings)
    without = replace(findings, clinical={"neu": 4.0, "lym": 0.0})
    ((title, value, _),) = content.index_rows(without)
    assert title == "Neutrophil-to-lymphocyte ratio"
    assert value.startswith("cannot be computed: ")
    assert content.index_rows(replace(findings, clinical={"age": 61.0})) == []


def test_only_features_that_entered_scores_count_as_used() -> None:
    findings = worked_example.findings()
    assert content.used_features(findings) == {
        "portal_tumor_gradient_glszm_ZoneEntropy": ["Radscore (TACE, arterial CT)"],
        "portal_tumor_wavelet-HLL_ngtdm_Complexity": ["Radscore (TACE, arterial CT)"],
    }


def test_doubts_come_before_what_is_as_expected() -> None:
    statuses = [item.status for item, _ in content.worst_first(worked_example.findings())]
    assert statuses == ["warning", "ok"]


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height)


def test_pictures_are_grouped_by_phase_and_tall_ones_stand_in_a_row() -> None:
    pictures = {"portal-axial": png(720, 700), "portal-coronal": png(720, 400), "surfaces": png(720, 600)}
    portal, surfaces = content.picture_groups(pictures, worked_example.findings())
    assert (portal.title, portal.in_a_row) == ("Portal venous phase", False)
    assert [picture.plane for picture in portal.pictures] == ["axial", "coronal"]
    assert (surfaces.title, surfaces.pictures[0].plane) == ("Surfaces", "")
    narrow = {"portal-axial": png(700, 700), "portal-coronal": png(700, 300), "portal-sagittal": png(350, 300)}
    (portal,) = content.picture_groups(narrow, worked_example.findings())
    assert (portal.in_a_row, portal.shares) == (False, ["100%", "100%", "50%"])
    tall = {"portal-axial": png(700, 500), "portal-coronal": png(700, 500), "portal-sagittal": png(350, 500)}
    (portal,) = content.picture_groups(tall, worked_example.findings())
    assert (portal.in_a_row, portal.widths) == (True, [700, 700, 350])


def test_provenance_is_told_in_lines_or_in_full() -> None:
    short, long = content.provenance_rows(worked_example.findings())
    assert ("Versions", "hccoutcome 0.1.0") in short
    assert ("Time", "2026-01-02T03:04:05Z") in short
    assert [name for name, _ in long] == ["Settings", "Inputs"]
    assert "01" * 32 in dict(long)["Inputs"]


def test_the_base_of_shap_values_is_told_where_there_is_room_for_it() -> None:
    found = content.row(Contribution("base", "100 rows, made up", amount=0.4), 1.0)
    assert (found.title, found.value, found.amount) == ("base: mean over 100 rows, made up", "", "+0.4")
