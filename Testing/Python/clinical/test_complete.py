"""What the rules of scores add to a record, and that nothing given is ever replaced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hccoutcome.clinical.bclc import STAGES, bclc
from hccoutcome.clinical.complete import complete, derived_items
from hccoutcome.clinical.liver_function import child_pugh
from hccoutcome.clinical.record import check_record
from hccoutcome.package.applicability import PackageInputs
from hccoutcome.package.reading import read_package
from hccoutcome.systems import predict

PARTS = {
    "tbil": 14.0, "alb": 41.0, "inr": 1.1, "ascites": "none", "encephalopathy": "none", "ecog": 0.0,
    "tumor_number": 2.0, "tumor_diameter": 6.0, "vascular_invasion": 0.0, "metastasis": 0.0, "lymph_node": 0.0,
}  # fmt: skip
OTHERS = {
    "age": 66.0, "sex": "male", "hbv": 1.0, "hcv": 0.0, "cirrhosis": 1.0, "smoking": 1.0, "alcohol": 0.0,
    "diabetes": 0.0, "afp": 300.0, "tumor_over_half": 0.0, "portal_vein_thrombus": 0.0,
}  # fmt: skip
PACKAGES = ("tace-response-clinical", "tace-survival-clinical")


def test_class_points_and_stage_follow_from_the_parts() -> None:
    found = complete(PARTS)
    assert (found.record["child_pugh_points"], found.record["child_pugh"], found.record["bclc"]) == (5.0, "A", "B")
    assert [note.partition(" = ")[0] for note in found.notes if "follows" in note][-3:] == [
        "child_pugh_points", "child_pugh", "bclc"
    ]  # fmt: skip
    assert {item.subject for item in derived_items(found, PARTS)} == {
        "clinical child_pugh_points", "clinical child_pugh", "clinical bclc"
    }  # fmt: skip
    assert all(item.status == "ok" and "which was not given" in item.found for item in derived_items(found, PARTS))


@pytest.mark.parametrize("lacking", ["ecog", "tumor_diameter", "alb", "metastasis"])
def test_what_lacks_a_part_is_not_guessed(lacking) -> None:
    record = {name: value for name, value in PARTS.items() if name != lacking}
    assert "bclc" not in complete(record).record
    assert derived_items(complete(record), record) == () or lacking != "alb"


@pytest.mark.parametrize(("name", "stated"), [("bclc", "A"), ("child_pugh", "B"), ("child_pugh_points", 8.0)])
def test_what_is_given_stays_and_a_contradiction_is_warned_about(name, stated) -> None:
    record = {**PARTS, name: stated}
    assert complete(record).record[name] == stated
    items = [item for item in check_record(record) if item.check == "agreement"]
    assert any(item.subject == f"clinical {name}" and item.status == "warning" for item in items)
    assert not any(item.subject == f"clinical {name}" for item in derived_items(complete(record), record))


@given(st.dictionaries(st.sampled_from([*PARTS]), st.just(None)), st.integers(0, 4), st.sampled_from(["A", "B", "C"]))
def test_completing_twice_adds_nothing_and_agrees_with_the_scores(left_out, ecog, stated) -> None:
    record = {name: value for name, value in {**PARTS, "ecog": float(ecog)}.items() if name not in left_out}
    if "alb" in left_out:
        record["child_pugh"] = stated
    once = complete(record)
    assert complete(once.record).record == once.record
    assert complete(once.record).notes == ()
    assert {name: once.record[name] for name in record} == record
    if "bclc" in once.record:
        assert once.record["bclc"] == STAGES[int(bclc(record).value)]
    if "child_pugh" not in record and "child_pugh" in once.record:
        assert once.record["child_pugh"] == child_pugh(record).label.split()[1]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_that_names_stage_and_class_takes_the_derived_ones(name) -> None:
    """Without them the package would fill in the training cohort's medians."""
    record = {**PARTS, **OTHERS}
    package = read_package(name)
    derived = predict(package, PackageInputs(clinical=complete(record).record))
    stated = predict(package, PackageInputs(clinical={**complete(record).record, "bclc": "B", "child_pugh": "A"}))
    assert derived.score == stated.score
    assert not any("bclc" in reason or "child_pugh" in reason for reason in derived.applicability.reasons)
    lacking = predict(package, PackageInputs(clinical=record))
    assert any("'bclc' (BCLC stage) is missing" in reason for reason in lacking.applicability.reasons)
