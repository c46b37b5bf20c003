"""ATOM's rule: what the paper says of it, its limits, and what it does without a model."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hccoutcome.errors import InputError
from hccoutcome.treatment.atom import (
    AGAINST,
    ARTERIAL,
    MODELS,
    WITH_SYSTEMIC,
    AtomRule,
    printed_rule,
    read_rule,
    recommend,
)

PRINTED = {"TACE": 0.4035, "TC": 0.6130, "HAIC": 0.3368, "HC": 0.6458}
"""Results, "SELECTION performance for prognosis": the median survival scores of the four training sets."""
probability = st.floats(0, 1, allow_nan=False)


def plan_of(**scores):
    return recommend(scores, printed_rule()).plan


def test_the_printed_medians_are_the_papers():
    assert dict(printed_rule().medians) == PRINTED


@pytest.mark.parametrize(
    ("scores", "plan"),
    [
        # Stage 1 chooses the better of those that reach their median; stage 2 asks for its combination alone.
        ({"TACE": 0.6, "HAIC": 0.3, "TC": 0.7, "HC": 0.1}, "TC"),
        ({"TACE": 0.6, "HAIC": 0.3, "TC": 0.6, "HC": 0.9}, "TACE"),
        ({"TACE": 0.4, "HAIC": 0.35, "TC": 0.9, "HC": 0.7}, "HC"),
        ({"TACE": 0.4, "HAIC": 0.35, "TC": 0.9, "HC": 0.6}, "HAIC"),
        ({"TACE": 0.5, "HAIC": 0.6, "TC": 0.9, "HC": 0.6}, "HAIC"),
        ({"TACE": 0.6, "HAIC": 0.5, "TC": 0.1, "HC": 0.9}, "TACE"),
        # None reaches its median: against, whatever the combinations promise.
        ({"TACE": 0.40, "HAIC": 0.33, "TC": 0.99, "HC": 0.99}, AGAINST),
        # Exactly the median is reached, a hair below is not.
        ({"TACE": 0.4035, "HAIC": 0.0, "TC": 0.6130, "HC": 0.0}, "TC"),
        ({"TACE": 0.40349999, "HAIC": 0.3368, "TC": 0.9, "HC": 0.64579999}, "HAIC"),
        ({"TACE": 0.4034, "HAIC": 0.3367, "TC": 0.9, "HC": 0.9}, AGAINST),
        # Equal scores: HAIC lies further above its lower median.
        ({"TACE": 0.5, "HAIC": 0.5, "TC": 0.9, "HC": 0.9}, "HC"),
    ],
)
def test_the_two_stages(scores, plan):
    assert plan_of(**scores) == plan


def test_equal_score_and_margin_take_the_first_and_say_so():
    rule = AtomRule({**PRINTED, "TACE": 0.4, "HAIC": 0.4}, "made up")
    found = recommend({"TACE": 0.5, "HAIC": 0.5, "TC": 0.9, "HC": 0.9}, rule)
    assert found.plan == "TC"
    assert "equal in score and margin" in found.steps[2].text


def test_a_rule_may_compare_by_the_margin():
    scores = {"TACE": 0.46, "HAIC": 0.45, "TC": 0.0, "HC": 0.0}
    assert recommend(scores, AtomRule(PRINTED, "paper")).plan == "TACE"
    assert recommend(scores, AtomRule(PRINTED, "paper", "margin")).plan == "HAIC"


def test_the_reasoning_tells_every_score_with_its_threshold():
    found = recommend({"TACE": 0.6, "HAIC": 0.5, "TC": 0.7, "HC": 0.1}, printed_rule())
    assert [(step.stage, step.model, step.score, step.median, step.answer) for step in found.steps] == [
        (1, "TACE", 0.6, 0.4035, True),
        (1, "HAIC", 0.5, 0.3368, True),
        (1, "TACE and HAIC", None, None, None),
        (2, "TC", 0.7, 0.6130, True),
    ]
    assert "0.6000 against the median 0.4035 reaches it" in found.steps[0].text
    assert "TACE has the higher score (TACE 0.6000, HAIC 0.5000)" in found.steps[2].text
    assert found.text == "TACE is expected to bring benefit, with systemic treatment."
    assert json.loads(json.dumps(found.to_json()))["steps"][3]["median"] == 0.6130


def test_against_is_told_with_both_scores():
    found = recommend({"TACE": 0.1, "HAIC": 0.2, "TC": None, "HC": None}, printed_rule())
    assert found.against
    assert found.complete  # stage 2 is not reached, so its models are not missed
    assert found.text.startswith("Against intra-arterial therapy")
    assert [step.answer for step in found.steps] == [False, False, None]


@pytest.mark.parametrize(
    ("scores", "therapy", "missing"),
    [
        ({"TACE": 0.6, "TC": 0.7, "HC": 0.7}, "TACE", ("HAIC",)),
        ({"TACE": 0.1, "TC": 0.7, "HC": 0.7}, None, ("HAIC",)),
        ({"TACE": 0.6, "HAIC": 0.1, "HC": 0.7}, "TACE", ("TC",)),
        ({"HAIC": 0.6}, "HAIC", ("TACE", "HC")),
        ({"TC": 0.6}, None, ("TACE", "HAIC")),
    ],
)
def test_what_a_missing_model_leaves_open_is_named(scores, therapy, missing):
    found = recommend(scores, printed_rule())
    assert (found.plan, found.therapy, found.missing, found.against) == (None, therapy, missing, False)
    for model in missing:
        assert model in found.text


def test_a_missing_combination_of_the_other_therapy_does_not_matter():
    assert plan_of(TACE=0.6, HAIC=0.1, TC=0.7) == "TC"


def test_a_model_without_a_median_is_missing_too():
    rule = AtomRule({"TACE": 0.4, "TC": 0.6}, "made up")
    found = recommend(dict.fromkeys(MODELS, 0.9), rule)
    assert (found.missing, found.therapy) == (("HAIC",), "TACE")
    assert "no median" in found.steps[1].text


@given(
    st.fixed_dictionaries(dict.fromkeys(MODELS, probability)), st.fixed_dictionaries(dict.fromkeys(MODELS, probability))
)
def test_the_plan_follows_from_the_comparisons_alone(scores, medians):
    """Against a second way of writing the rule down."""
    found = recommend(scores, AtomRule(medians, "made up"))
    good = [name for name in ARTERIAL if not scores[name] < medians[name]]
    if not good:
        assert found.plan == AGAINST
        return
    assert found.therapy in good
    assert scores[found.therapy] == max(scores[name] for name in good)
    combined = WITH_SYSTEMIC[found.therapy]
    assert found.plan == (combined if not scores[combined] < medians[combined] else found.therapy)


@pytest.mark.parametrize(
    ("scores", "says"), [({"TCE": 0.5}, "TC"), ({"TACE": 1.2}, "1.2"), ({"TACE": float("nan")}, "nan")]
)
def test_what_is_no_score_is_refused(scores, says):
    with pytest.raises(InputError, match=says):
        recommend(scores, printed_rule())


def test_a_rule_survives_its_file_and_a_wrong_one_is_refused(tmp_path):
    path = tmp_path / "rule.json"
    path.write_text(json.dumps(printed_rule().to_json()), encoding="utf-8")
    assert read_rule(path) == printed_rule()
    path.write_text(json.dumps({**printed_rule().to_json(), "better_by": "luck"}), encoding="utf-8")
    with pytest.raises(InputError, match="luck"):
        read_rule(path)
    with pytest.raises(InputError, match="no such file"):
        read_rule(tmp_path / "none.json")
    with pytest.raises(InputError, match="median score of TACE"):
        AtomRule({"TACE": 40.35}, "percent")
