"""The clinical record and the settings of the phantom."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hccoutcome.case import Case
from hccoutcome.clinical.record import check_record, parse_record
from hccoutcome.clinical.scores import LIVER_SCORES, possible_scores
from hccoutcome.errors import InputError
from hccoutcome.phantom import PhantomSettings, phantom_case
from hccoutcome.phantom.record import draw_record

SEEDS = range(60)


def record(seed: int, **given: float | str) -> dict[str, float | str]:
    return draw_record(np.random.default_rng(seed), 55.0, 2, 6.0, given)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_liver_score_follows_from_a_record_without_a_complaint(seed: int) -> None:
    drawn = record(seed)
    assert parse_record(drawn) == drawn
    assert [score.name for score in possible_scores(drawn)] == list(LIVER_SCORES)
    assert [item for item in check_record(drawn) if item.note] == []


def test_patients_differ_as_patients_do() -> None:
    records = [record(seed) for seed in SEEDS]
    stages = {score.label for drawn in records for score in possible_scores(drawn) if score.name == "bclc"}
    assert stages == {"BCLC stage B", "BCLC stage C"}
    assert {drawn["sex"] for drawn in records} == {"male", "female"}
    assert {drawn["ascites"] for drawn in records} == {"none", "slight"}
    assert np.std([float(drawn["afp"]) for drawn in records]) > 100


def test_the_record_agrees_with_the_lesions(case: Case) -> None:
    assert case.clinical["tumor_number"] == 2
    # A lobulated lesion is longer than the sphere of its volume.
    assert 5.2 <= float(case.clinical["tumor_diameter"]) <= 6.3
    assert float(case.clinical["tumor_extent"]) == pytest.approx(100 * 82 / 1580, abs=0.5)
    one = phantom_case(1, PhantomSettings(spacing=(8.0, 8.0, 8.0), lesion_diameters=(30.0,)))
    assert one.clinical["tumor_number"] == 1
    assert 3.0 <= float(one.clinical["tumor_diameter"]) <= 3.7


def test_given_entries_replace_drawn_ones_under_any_of_their_names() -> None:
    drawn, changed = record(1), record(1, AFP=1200.0, ascites="slight")
    assert changed == {**drawn, "afp": 1200.0, "ascites": "slight"}


def test_a_given_entry_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="'afb' is not a known clinical variable"):
        record(1, afb=3.0)


def test_the_case_is_synthetic_and_named_after_its_seed(case: Case) -> None:
    assert case.synthetic
    assert case.case_id == "phantom-0001"


def test_the_seed_of_the_call_replaces_that_of_the_settings() -> None:
    settings = PhantomSettings(seed=4, spacing=(8.0, 8.0, 8.0))
    assert phantom_case(settings=settings).case_id == "phantom-0004"
    assert phantom_case(9, settings).case_id == "phantom-0009"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": -1}, "The seed of a phantom is a whole number from 0 on, found -1: give another."),
        ({"modality": "MRI"}, "'MRI' is not a phantom's modality; did you mean 'MR'? Known: CT, MR."),
        (
            {"spacing": (0.5, 1.0, 1.0)},
            "A phantom's voxels measure 1 to 8 mm along x, y and z, found (0.5, 1.0, 1.0): change it.",
        ),
        (
            {"breathing": (0.0, 40.0, 0.0, 0.0)},
            "Breathing moves the organs by up to 20 mm in each of precontrast, arterial, portal, delayed, found "
            "(0.0, 40.0, 0.0, 0.0): give four numbers.",
        ),
        ({"noise": -1.0}, "A phantom's noise is 0 or more, found -1.0: correct it."),
        ({"liver_volume": 100.0}, "A phantom's liver takes 900 mL or more, found 100: change the volume."),
        ({"lesion_diameters": ()}, "A phantom has at least one lesion, of 8 to 80 mm each, found (): change it."),
        ({"necrosis": 0.9}, "The necrotic part of a lesion lies between 0 and 0.6, found 0.9: change it."),
    ],
)
def test_impossible_settings_are_refused_in_a_sentence(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as raised:
        dataclasses.replace(PhantomSettings(), **changes)  # type: ignore[arg-type]
    assert str(raised.value) == message
