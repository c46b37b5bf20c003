"""BCLC, CRAFITY, Okuda, CLIP and six-and-twelve, on both sides of every threshold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.clinical.record import parse_record
from hccoutcome.clinical.scores import (
    LIVER_SCORES,
    bclc,
    clip,
    crafity,
    definition,
    missing_for,
    okuda,
    possible_scores,
    six_and_twelve,
)
from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.errors import InputError

REPEATABLE = settings(derandomize=True, deadline=None)
EARLY = {
    "ecog": 0.0,
    "child_pugh": "A",
    "vascular_invasion": 0.0,
    "metastasis": 0.0,
    "tumor_number": 1.0,
    "tumor_diameter": 2.0,
}


@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        ({}, "0"),
        ({"tumor_diameter": 2.1}, "A"),
        ({"tumor_diameter": 12.0}, "A"),
        ({"tumor_number": 2.0}, "A"),
        ({"tumor_number": 2.0, "tumor_diameter": 3.0}, "A"),
        ({"tumor_number": 3.0, "tumor_diameter": 3.0}, "A"),
        ({"tumor_number": 3.0, "tumor_diameter": 3.1}, "B"),
        ({"tumor_number": 4.0, "tumor_diameter": 1.0}, "B"),
        ({"vascular_invasion": 1.0}, "C"),
        ({"metastasis": 1.0}, "C"),
        ({"lymph_node": 1.0}, "C"),
        ({"portal_vein_thrombus": 1.0}, "C"),
        ({"ecog": 1.0}, "C"),
        ({"ecog": 2.0}, "C"),
        ({"ecog": 3.0}, "D"),
        ({"ecog": 4.0}, "D"),
        ({"child_pugh": "B"}, "0"),
        ({"child_pugh": "C"}, "D"),
        ({"child_pugh": "C", "vascular_invasion": 1.0}, "D"),
    ],
    ids=str,
)
def test_bclc_stage(changes: dict[str, float | str], stage: str) -> None:
    score = bclc({**EARLY, **changes})
    assert score.label == f"BCLC stage {stage}"
    assert score.value == "0ABCD".index(stage)


@pytest.mark.parametrize(
    ("record", "missing"),
    [
        ({}, ("ecog", "child_pugh", "vascular_invasion", "metastasis", "tumor_number", "tumor_diameter")),
        ({"ecog": 4.0}, ()),
        ({"child_pugh": "C"}, ()),
        ({"vascular_invasion": 1.0}, ("ecog", "child_pugh")),
        ({"vascular_invasion": 1.0, "ecog": 0.0, "child_pugh": "A"}, ()),
        ({"tumor_number": 5.0}, ("ecog", "child_pugh", "vascular_invasion", "metastasis")),
        ({**{k: v for k, v in EARLY.items() if k != "tumor_diameter"}, "tumor_number": 4.0}, ()),
        ({k: v for k, v in EARLY.items() if k != "tumor_diameter"}, ("tumor_diameter",)),
        ({k: v for k, v in EARLY.items() if k != "tumor_number"}, ("tumor_number",)),
        ({**{k: v for k, v in EARLY.items() if k != "tumor_number"}, "tumor_morphology": "multinodular",
          "tumor_diameter": 3.1}, ()),
        ({**{k: v for k, v in EARLY.items() if k != "vascular_invasion"}, "pvtt": 0.0, "hvtt": 0.0}, ()),
    ],
    ids=str,
)  # fmt: skip
def test_bclc_asks_only_for_what_could_change_the_stage(
    record: dict[str, float | str], missing: tuple[str, ...]
) -> None:
    assert missing_for("bclc", record) == missing
    if missing:
        with pytest.raises(InputError, match=f"^BCLC needs {', '.join(missing)}: add what is missing"):
            bclc(record)
    else:
        bclc(record)


def test_bclc_computes_the_child_pugh_class_that_is_not_stated() -> None:
    record = {name: value for name, value in EARLY.items() if name != "child_pugh"}
    poor = {"tbil": 60.0, "alb": 25.0, "inr": 2.5, "ascites": "slight", "encephalopathy": "none"}
    assert bclc({**record, **poor}).label == "BCLC stage D"


@pytest.mark.parametrize(
    ("afp", "crp", "points", "label"),
    [
        (99.9, 9.9, 0, "CRAFITY-low (0 points)"),
        (100.0, 9.9, 1, "CRAFITY-intermediate (1 points)"),
        (99.9, 10.0, 1, "CRAFITY-intermediate (1 points)"),
        (100.0, 10.0, 2, "CRAFITY-high (2 points)"),
    ],
)
def test_crafity_counts_from_its_thresholds_on(afp: float, crp: float, points: int, label: str) -> None:
    score = crafity({"afp": afp, "crp": crp})
    assert (score.value, score.label) == (points, label)


def test_crafity_takes_c_reactive_protein_as_printed() -> None:
    assert crafity(parse_record({"afp": 5, "crp": "1 mg/dL"})).value == 1
    assert crafity(parse_record({"afp": 5, "crp": "0.99 mg/dL"})).value == 0


NO_SIGN = {"tumor_over_half": 0.0, "ascites": "none", "alb": 30.0, "tbil": 51.3}
SIGNS = {"tumor_over_half": 1.0, "ascites": "slight", "alb": 29.9, "tbil": 51.4}


@pytest.mark.parametrize(("count", "stage"), [(0, "I"), (1, "II"), (2, "II"), (3, "III"), (4, "III")])
def test_okuda_counts_its_four_signs(count: int, stage: str) -> None:
    record = {**NO_SIGN, **dict(list(SIGNS.items())[:count])}
    assert okuda(record).label == f"Okuda stage {stage} ({count} of 4 signs)"


@pytest.mark.parametrize(("name", "value"), SIGNS.items())
def test_each_okuda_sign_counts_alone(name: str, value: float | str) -> None:
    assert okuda({**NO_SIGN, name: value}).value == 2.0


def test_okuda_thresholds_as_printed_in_conventional_units() -> None:
    printed = parse_record({"alb": "3 g/dL", "tbil": "3 mg/dL", "tumor_extent": 50, "ascites": "no"})
    assert okuda(printed).label == "Okuda stage I (0 of 4 signs)"
    beyond = parse_record({"alb": "2.9 g/dL", "tbil": "3.1 mg/dL", "tumor_extent": 51, "ascites": "yes"})
    assert okuda(beyond).label == "Okuda stage III (4 of 4 signs)"


CLIP_ZERO = {
    "child_pugh": "A",
    "tumor_morphology": "uninodular",
    "tumor_over_half": 0.0,
    "afp": 399.9,
    "portal_vein_thrombus": 0.0,
}


@pytest.mark.parametrize(
    ("changes", "points"),
    [
        ({}, 0),
        ({"child_pugh": "B"}, 1),
        ({"child_pugh": "C"}, 2),
        ({"tumor_morphology": "multinodular"}, 1),
        ({"tumor_morphology": "massive"}, 2),
        ({"tumor_over_half": 1.0}, 2),
        ({"tumor_morphology": "multinodular", "tumor_over_half": 1.0}, 2),
        ({"afp": 400.0}, 1),
        ({"portal_vein_thrombus": 1.0}, 1),
        ({"child_pugh": "C", "tumor_over_half": 1.0, "afp": 400.0, "portal_vein_thrombus": 1.0}, 6),
    ],
    ids=str,
)
def test_clip_points(changes: dict[str, float | str], points: int) -> None:
    score = clip({**CLIP_ZERO, **changes})
    assert (score.value, score.label) == (points, f"CLIP {points}")


def test_clip_takes_morphology_and_thrombus_from_what_is_known() -> None:
    record = parse_record({"cps": "A", "tumor_number": 3, "tumor_extent": 20, "afp": 10, "pvtt": "VP2"})
    assert clip(record).value == 2
    assert missing_for("clip", {"tumor_over_half": 1.0}) == ("child_pugh", "afp", "portal_vein_thrombus")
    assert missing_for("clip", {"tumor_morphology": "uninodular"})[:2] == ("child_pugh", "tumor_over_half")


@pytest.mark.parametrize(
    ("diameter", "count", "stratum"),
    [
        (5.0, 1, "low (up to 6)"),
        (5.1, 1, "intermediate (above 6, up to 12)"),
        (10.0, 2, "intermediate (above 6, up to 12)"),
        (10.1, 2, "high (above 12)"),
    ],
)
def test_six_and_twelve_strata_hold_their_upper_end(diameter: float, count: int, stratum: str) -> None:
    score = six_and_twelve({"tumor_diameter": diameter, "tumor_number": float(count)})
    assert score.value == pytest.approx(diameter + count)
    assert score.label == f"Six-and-twelve: {stratum}"


@pytest.mark.parametrize("millimetres", range(10, 110))
def test_a_diameter_in_mm_falls_on_the_printed_side_of_the_cut(millimetres: int) -> None:
    record = parse_record({"tumor_diameter": f"{millimetres} mm", "tumor_number": 2})
    assert ("low" in six_and_twelve(record).label) == (millimetres <= 40)
    assert ("high" in six_and_twelve(record).label) == (millimetres > 100)


WORSE = {
    "ecog": st.integers(0, 4).map(float),
    "child_pugh": st.sampled_from("ABC"),
    "vascular_invasion": st.sampled_from((0.0, 1.0)),
    "portal_vein_thrombus": st.sampled_from((0.0, 1.0)),
    "metastasis": st.sampled_from((0.0, 1.0)),
    "tumor_number": st.integers(1, 9).map(float),
    "tumor_diameter": st.floats(0.1, 40),
    "tumor_over_half": st.sampled_from((0.0, 1.0)),
    "afp": st.floats(0.1, 1e6),
    "crp": st.floats(0.01, 700),
    "tbil": st.floats(1.5, 1200),
    "ascites": st.integers(0, 2),
}


def completed(drawn: dict[str, float | str | int]) -> dict[str, float | str]:
    return {**drawn, "alb": 35.0, "ascites": ("none", "slight", "moderate")[drawn["ascites"]]}


@REPEATABLE
@given(st.fixed_dictionaries(WORSE), st.sampled_from(sorted(WORSE)), st.data())
def test_a_worse_patient_never_has_a_better_stage(record, name, data) -> None:
    worse = {**record, name: max(record[name], data.draw(WORSE[name]))}
    for score in (bclc, clip, crafity, okuda, six_and_twelve):
        assert score(completed(record)).value <= score(completed(worse)).value, score.__name__


def test_an_unknown_score_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"'okada' is not a known liver score; did you mean 'okuda'\?"):
        missing_for("okada", {})


@pytest.mark.parametrize("score", LIVER_SCORES.values(), ids=lambda score: score.name)
def test_every_score_is_declared_in_full(score) -> None:
    assert set(score.needs) <= set(VARIABLES)
    assert set(score.missing({})) <= set(VARIABLES)
    assert score.missing({}), "an empty record allows no score"
    assert "doi 10." in score.citation
    assert definition(score.name) is score
    with pytest.raises(InputError, match="add what is missing to the clinical record"):
        score.compute({})


def test_a_full_record_allows_every_score_and_an_empty_one_none() -> None:
    full = {
        **EARLY,
        **CLIP_ZERO,
        **NO_SIGN,
        "crp": 3.0,
        "inr": 1.0,
        "encephalopathy": "none",
        "alb": 40.0,
        "tbil": 12.0,
    }
    scores = possible_scores(full)
    assert [score.name for score in scores] == list(LIVER_SCORES)
    assert possible_scores({}) == ()
    for score in scores:
        assert {name for name, _, _ in score.items} <= set(VARIABLES)
