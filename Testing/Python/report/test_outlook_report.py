"""An outlook in words and figures: the numbers of the package, and the same ones in sentences, figures and report."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
import worked_example
from trained_packages import COHORT, patient, prediction_of, train

from hccoutcome.explanation.figures import figure_bytes
from hccoutcome.package.outlook import InputPlace, Outlook, SurvivalOutlook
from hccoutcome.package.prognosis import GroupCurve
from hccoutcome.package.reference import Distribution
from hccoutcome.report.html import render_report
from hccoutcome.report.outlook_figures import MOST_INPUTS, inputs_figure, outlook_figures, survival_figure
from hccoutcome.report.outlook_words import in_short, ordinal, percent, position, sentences

LOW = GroupCurve(30, 6, tuple(np.linspace(1, 0.7, 41)), tuple(np.linspace(1, 0.5, 41)), tuple(np.linspace(1, 0.8, 41)),
                 tuple(range(30, 0, -1)) + (0,) * 11)  # fmt: skip
HIGH = replace(LOW, cases=32, events=20, survival=tuple(np.linspace(1, 0.2, 41)), lower=tuple(np.linspace(1, 0.1, 41)))
AGES = Distribution(62.0, 9.0, 40.0, 85.0, (45.0, 55.0, 62.0, 70.0, 80.0))


def survival(**changes) -> SurvivalOutlook:
    months = tuple(range(41))
    curves = (
        tuple(1 - 0.01 * m for m in months),
        tuple(1 - 0.02 * m for m in months),
        tuple(1 - 0.005 * m for m in months),
    )
    return SurvivalOutlook("os", months, 0.5, "high risk", LOW, HIGH, *curves, **changes)


def example(**changes):
    places = (InputPlace("age", 90.0, "years", AGES), InputPlace("afp", None, "ng/mL", AGES))
    outlook = Outlook(**{"cohort": "a cohort", "cases": 62, "survival": survival(), "inputs": places, **changes})
    return replace(worked_example.RADSCORE, score=0.75, outlook=outlook)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = train(tmp_path_factory.mktemp("trained"), "cox-ridge", "os", "early")
    return prediction_of(folder, patient())


def test_the_sentences_tell_group_curves_survival_and_inputs():
    found = sentences(example())
    assert found[0] == (
        "High risk group: the score 0.75 lies at or above 0.5, the border between the halves of the training cohort."
    )
    assert found[1] == (
        "Of the training cohort (a cohort), alive: in the low risk group (30 patients, 6 events) 91% (95% interval 85% "
        "to 94%) at 12 months, 82% (95% interval 70% to 88%) at 24 months, 73% (95% interval 55% to 82%) at 36 months; "
        "in the high risk group (32 patients, 20 events) 76% (95% interval 73% to 94%) at 12 months, 52% (95% interval "
        "46% to 88%) at 24 months, 28% (95% interval 19% to 82%) at 36 months."
    )
    assert found[2].startswith(
        "Overall survival expected for this score: 88% (95% interval 76% to 94%) at 12 months, 76% (95% interval 52% "
        "to 88%) at 24 months, 64% (95% interval 28% to 82%) at 36 months. The interval is that of the estimate"
    )
    assert found[3:] == (
        "1 of 1 numeric input lies outside the middle 98% of the cohort (62 patients): Age 90 years, above the 99th "
        "percentile.",
        "Missing, so that the cohort's median was used: Alpha-fetoprotein.",
    )


def test_short_curves_are_told_at_their_last_month():
    months = tuple(range(9))
    short = {name: tuple(getattr(LOW, name)[:9]) for name in ("survival", "lower", "upper", "at_risk")}
    curve = replace(LOW, **short)
    found = replace(survival(), months=months, low=curve, high=curve, **{name: tuple([1.0] * 8 + [0.5])
                    for name in ("survival", "lower", "upper")})  # fmt: skip
    prediction = example(survival=found)
    assert in_short(prediction) == "50% (50% to 50%) at 8 months"
    assert sentences(prediction)[1].endswith("94% (95% interval 90% to 96%) at 8 months.")


def test_without_an_outlook_nothing_is_said():
    assert sentences(worked_example.RADSCORE) == ()
    assert in_short(worked_example.RADSCORE) == ""
    assert sentences(example(survival=None, inputs=())) == ()


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (12, "12th"), (23, "23rd")]
)
def test_ordinals(number, text):
    assert ordinal(number) == text


@pytest.mark.parametrize(("share", "text"), [(0, "0%"), (0.001, "<1%"), (0.125, "12%"), (0.999, ">99%"), (1, "100%")])
def test_what_is_not_all_or_nothing_is_not_called_so(share, text):
    assert percent(share) == text


def test_positions_in_words():
    assert position(InputPlace("age", 62.0, "", AGES)) == "about the 50th percentile"
    assert position(InputPlace("age", 39.0, "", AGES)) == "below the 1st percentile"
    assert position(InputPlace("age", 71.0, "", replace(AGES, quantiles=()))) == "1.0 SD above the mean"
    assert (
        position(InputPlace("age", 39.0, "", replace(AGES, quantiles=()))) == "2.6 SD below the mean, below the lowest"
    )
    assert position(InputPlace("age", None, "", AGES)).startswith("missing")


def test_the_figure_draws_the_curves_of_the_package(trained):
    found = trained.outlook.survival
    groups, case = survival_figure("T", trained.outlook, found).axes
    drawn = {line.get_label(): line for line in groups.get_lines()}
    own, other = ("low risk", "high risk") if found.group == "low risk" else ("high risk", "low risk")
    np.testing.assert_array_equal(drawn[f"{own}, this case"].get_ydata(), found.groups[own].survival)
    np.testing.assert_array_equal(drawn[other].get_ydata(), found.groups[other].survival)
    assert drawn[f"{own}, this case"].get_linewidth() > drawn[other].get_linewidth()
    np.testing.assert_array_equal(case.get_lines()[0].get_ydata(), found.survival)


def test_the_figure_places_the_inputs_at_their_percentiles(trained):
    (axes,) = inputs_figure("T", trained.outlook).axes
    points = [line for line in axes.get_lines() if line.get_marker() in ("o", "D")]
    drawn = [float(line.get_xdata()[0]) for line in points]
    assert drawn == [item.percentile for item in trained.outlook.known_inputs[::-1]]


def test_too_many_inputs_leave_those_furthest_from_the_middle():
    places = tuple(InputPlace(f"x{value}", float(value), "", AGES) for value in range(42, 84))
    (axes,) = inputs_figure("T", Outlook("a cohort", 62, inputs=places)).axes
    shown = {label.get_text().partition("\n")[0] for label in axes.get_yticklabels()}
    assert len(shown) == MOST_INPUTS
    assert {"x42", "x83"} <= shown
    assert "x62" not in shown


def test_the_same_outlook_gives_the_same_bytes(trained):
    findings = replace(worked_example.findings(), predictions=(trained,))
    first, second = outlook_figures(findings), outlook_figures(findings)
    assert first == second
    assert set(first) == {f"{trained.package}-{kind}" for kind in ("survival", "inputs", "waterfall")}
    assert figure_bytes(inputs_figure("T", replace(trained.outlook)), "png")[:4] == b"\x89PNG"


def test_by_deviations_where_a_reference_tells_no_quantiles():
    place = InputPlace("age", 80.0, "years", replace(AGES, quantiles=()))
    (axes,) = inputs_figure("T", Outlook("a cohort", 40, inputs=(place,))).axes
    assert axes.get_xlabel() == "standard deviations from the cohort's mean"
    assert next(line for line in axes.get_lines() if line.get_marker() == "o").get_xdata()[0] == pytest.approx(2.0)


def test_the_report_holds_the_sentences_the_figures_and_the_comparison(trained):
    findings = replace(worked_example.findings(), predictions=(trained, worked_example.REFUSED))
    html = render_report(findings, {})
    text = " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())
    for sentence in sentences(trained):
        assert sentence in text
    assert html.count("data:image/svg+xml;base64,") == 3
    assert COHORT in text
    side = text[text.index("Side by side") : text.index(f"{trained.title} {trained.endpoint}")]
    short = in_short(trained)
    assert short.partition(" at ")[0] in side
    assert f"{worked_example.REFUSED.title} no score" in side
    assert "Not applicable" in side


def test_one_score_without_survival_needs_no_comparison():
    findings = replace(worked_example.findings(), predictions=(worked_example.RADSCORE,))
    assert "Side by side" not in render_report(findings, {})
