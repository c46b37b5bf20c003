"""The windows' rules: what is missing, what names mean, how results read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hccoutcome.clinical.record import parse_record
from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.errors import InputError
from hccoutcome.findings import Findings
from hccoutcome.gui import rules
from hccoutcome.gui.models import response_models, survival_models
from hccoutcome.gui.rules import Chosen, Needs
from hccoutcome.package.prediction import Applicability, Prediction
from hccoutcome.report.outlook_words import number_in_words
from hccoutcome.status import QualityItem

IMAGE_MODEL = Needs(phases=(("arterial", "portal"),), regions=("tumor",))
RECORD_MODEL = Needs(variables=("vascular_invasion", "tumor_diameter"))
READY = Chosen(
    case_id="case",
    phases=("portal",),
    regions=("tumor",),
    models=("image",),
    needs={"image": IMAGE_MODEL, "record": RECORD_MODEL},
)


def test_an_image_model_is_ready_with_a_substitute_phase_and_its_region():
    assert rules.ready(READY) == (True, "Ready.")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"models": ()}, "Choose at least one model."),
        (
            {"case_id": "Mr X"},
            "A case needs a name of 1 to 64 letters, digits, dots, dashes or underscores, "
            "starting with a letter or digit; found 'Mr X': rename it.",
        ),
        ({"phases": ("delayed",)}, "Choose the volume of the arterial phase or the portal venous phase."),
        ({"regions": ("liver",)}, "Say which segment is the region 'tumor'."),
        (
            {"models": ("record",)},
            "Fill in the clinical record: Macrovascular invasion, Diameter of the largest tumour.",
        ),
    ],
)
def test_what_is_missing_is_named(change, reason):
    assert rules.ready(replace(READY, **change)) == (False, reason)


def test_one_model_that_has_all_it_needs_suffices():
    chosen = replace(READY, phases=(), regions=(), models=("image", "record"), clinical={"tumor_diameter": "5"})
    assert rules.ready(chosen) == (True, "Ready.")


def test_an_entry_that_cannot_be_read_stops_the_start_and_is_quoted():
    possible, reason = rules.ready(replace(READY, clinical={"alb": "forty"}))
    assert not possible
    assert "forty" in reason


def test_phases_are_guessed_from_names_unless_two_claim_one():
    names = {"1": "CT arterial", "2": "CT portal venous", "3": "native", "4": "nc again", "5": "MRHead"}
    assert rules.guess_phases(names) == {"arterial": "1", "portal": "2"}


@pytest.mark.parametrize(
    ("segment", "region"),
    [
        ("Liver", "liver"),
        ("liver tumour 2", "tumor"),
        ("Lesion_1", "tumor"),
        ("Portal vein", "portalvein"),
        ("Inferior vena cava", "vein"),
        ("Aorta", "artery"),
        ("Segment_1", None),
    ],
)
def test_regions_are_guessed_from_segment_names(segment, region):
    assert rules.guess_region(segment) == region


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_every_variable_says_what_may_be_entered(name):
    assert rules.variable_hint(name).startswith(VARIABLES[name].title)


def test_a_record_file_becomes_typed_text_that_reads_as_the_same_record():
    record = {
        "AFP": {"value": 400, "unit": "ng/mL"},
        "age": 61,
        "sex": "m",
        "alb": 41.5,
        "ecog": None,
        "hbv": 1.0,
        "hcv": True,
    }
    typed = rules.record_from_json(json.dumps({"case_id": "x", "clinical": record}))
    assert typed == {"afp": "400 ng/mL", "age": "61", "sex": "m", "alb": "41.5", "hbv": "1", "hcv": "True"}
    assert parse_record(typed) == parse_record(record)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("not json", "A clinical record is JSON, found something else"),
        ("[1, 2]", "A clinical record is an object of names and values: choose another file."),
        ('{"no such variable": 1}', "'no such variable' is not a known clinical variable"),
    ],
)
def test_a_file_without_a_record_is_refused_with_a_sentence(text, sentence):
    with pytest.raises(InputError, match=sentence):
        rules.record_from_json(text)


def prediction(score, status="ok", reasons=(), **more):
    return Prediction(
        package=more.pop("package", "p"),
        version="1",
        sha256="",
        title="Title",
        endpoint="survival",
        score=score,
        scale="points",
        applicability=Applicability(status, reasons),
        **more,
    )


def test_scores_read_in_words():
    findings = Findings(
        case_id="x",
        predictions=(prediction(0.123456), prediction(None, "refused", ("No portal phase.",), package="q")),
        liver_scores=(
            prediction(2.0, "warning", ("Old.",), label="grade 2", package="r"),
            prediction(1.0, package="p"),
        ),
    )
    assert rules.score_rows(findings) == [
        ("Title", "0.1235 (points)", "Applicable"),
        ("Title", "no number", "Not applicable"),
        ("Title", "grade 2", "Use with care"),
    ]
    assert number_in_words(findings.liver_scores[0]) == "2 (points)"
    assert rules.applicability_in_words(findings.predictions[1].applicability) == "Not applicable. No portal phase."


def test_the_worst_lines_of_the_quality_table_come_first():
    items = [
        QualityItem(status, "spacing", "1 mm", "2 mm", status, "Do it.") for status in ("ok", "refused", "warning")
    ]
    rows = rules.quality_rows(Findings(case_id="x", quality=tuple(items)))
    assert [row[2] for row in rows] == ["Not usable", "Look at this", "Good"]
    assert rows[0] == ("refused: spacing", "1 mm", "Not usable", "Do it.")


def test_the_summary_says_that_a_case_is_synthetic():
    findings = Findings(case_id="x", synthetic=True, features={f"portal_tumor_a_b_{n}": 1.0 for n in range(1200)})
    assert rules.summary(findings, ["a", "b"]) == "Done of the synthetic case: 1,200 features, 2 tables in the scene."


def test_every_package_is_offered_by_one_module_and_says_what_it_needs():
    response, survival = response_models(), survival_models()
    assert {"haic-mri-clinical", "haic-mri-cr", "haic-mri-crh"} <= {model.name for model in response}
    assert survival[0].name == "radscore-tace-ct"
    assert not {model.name for model in response} & {model.name for model in survival}
    assert survival[0].needs == Needs(phases=(("arterial", "portal"),), regions=("tumor",))
    assert "CT of the arterial phase or the portal venous phase; the region tumor" in survival[0].about
    reference = next(model for model in response if model.name == "haic-mri-cr")
    assert "without a reference table" in reference.about


def test_the_table_tells_the_result_and_what_stands_below_how_it_came_about():
    label = "high risk: 0.3 is below the training median 0.5; cuda could not be used; The liver is cut. Look at it."
    assert rules.label_and_notes(label) == (
        "high risk: 0.3 is below the training median 0.5; cuda could not be used",
        "The liver is cut. Look at it.",
    )
    assert rules.label_and_notes("") == ("", "")
