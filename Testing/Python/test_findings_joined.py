"""Two analyses of one case one after the other: what belongs together stays, what does not is left behind."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import worked_example

from hccoutcome.findings import Findings
from hccoutcome.naming import parse_feature_name
from hccoutcome.package.prediction import Prediction


def found(prediction: Prediction, **changes) -> Findings:
    """What an analysis by one package found of the worked example."""
    provenance = {"inputs": {"image:portal": "ab"}, "packages": [{"name": prediction.package}], "seed": 0}
    return replace(
        worked_example.findings(), predictions=(prediction,), liver_scores=(), provenance=provenance, **changes
    )


SURVIVAL, RESPONSE, ALBI = worked_example.RADSCORE, worked_example.REFUSED, worked_example.ALBI


def test_nothing_earlier_changes_nothing():
    now = found(SURVIVAL)
    assert now.joined(None) is now


def test_other_packages_of_the_same_inputs_stay_and_their_provenance_with_them():
    earlier, now = found(RESPONSE), found(SURVIVAL)
    both = now.joined(earlier)
    assert both.predictions == (SURVIVAL, RESPONSE)
    assert both.provenance["earlier"] == [earlier.provenance]
    text = json.dumps(both.to_json(), allow_nan=False)
    assert Findings.from_json(json.loads(text)).to_json() == both.to_json()


def test_the_same_package_is_replaced():
    older = found(replace(SURVIVAL, score=9.0))
    assert found(SURVIVAL).joined(older).to_json() == found(SURVIVAL).to_json()


def test_in_turns_the_provenance_does_not_grow():
    both = found(SURVIVAL).joined(None)
    for turn in range(6):
        both = found((RESPONSE, SURVIVAL)[turn % 2]).joined(both)
    assert {item.package for item in both.predictions} == {SURVIVAL.package, RESPONSE.package}
    assert len(both.provenance["earlier"]) == 1
    assert "earlier" not in both.provenance["earlier"][0]


def test_changed_inputs_leave_the_earlier_findings_behind():
    now = found(SURVIVAL)
    for changed in (
        found(RESPONSE, clinical={"age": 62.0}),
        found(RESPONSE, modality="MR"),
        found(RESPONSE, case_id="another"),
        replace(found(RESPONSE), provenance={"inputs": {"image:portal": "cd"}}),
    ):
        assert now.joined(changed) is now


def test_a_feature_with_another_value_keeps_both():
    name = "portal_tumor_original_firstorder_Mean"
    earlier = found(RESPONSE, features={name: 1.0, "arterial_tumor_original_firstorder_Mean": math.nan})
    now = found(SURVIVAL, features={name: 2.0, "arterial_tumor_original_firstorder_Mean": math.nan})
    features = now.joined(earlier).features
    assert (features[name], features[f"{name}@earlier"]) == (2.0, 1.0)
    assert len(features) == 3
    assert parse_feature_name(f"{name}@earlier").region == "tumor"


def test_a_liver_score_that_was_asked_for_is_told_once():
    now = replace(found(SURVIVAL), liver_scores=(ALBI,))
    both = now.joined(found(ALBI))
    assert [item.package for item in both.predictions] == [SURVIVAL.package, ALBI.package]
    assert both.liver_scores == ()
