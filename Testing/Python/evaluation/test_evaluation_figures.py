"""Figures: what they show, that they need no window, and that the same figure has the same bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from hccoutcome.errors import InputError
from hccoutcome.evaluation.calibration import calibration_curve, calibration_line, survival_calibration
from hccoutcome.evaluation.classification import classify
from hccoutcome.evaluation.cox import cox, hazard_ratio
from hccoutcome.evaluation.decision import decision_curves
from hccoutcome.evaluation.discrimination import roc_band, roc_curve
from hccoutcome.evaluation.figures.calibration import draw_calibration, draw_calibrations, draw_survival_calibration
from hccoutcome.evaluation.figures.confusion import draw_confusion
from hccoutcome.evaluation.figures.correlation import draw_correlations
from hccoutcome.evaluation.figures.decision import draw_decision
from hccoutcome.evaluation.figures.forest import draw_cox_table, draw_forest
from hccoutcome.evaluation.figures.kaplanmeier import _ticks, draw_kaplan_meier
from hccoutcome.evaluation.figures.overtime import draw_auc_over_time, draw_brier_over_time
from hccoutcome.evaluation.figures.roc import draw_roc
from hccoutcome.evaluation.figures.sankey import draw_sankey
from hccoutcome.evaluation.figures.selection import draw_selection
from hccoutcome.evaluation.figures.style import p_text, save
from hccoutcome.evaluation.outcomes import as_structured
from hccoutcome.evaluation.subgroups import forest
from hccoutcome.evaluation.survival import kaplan_meier, kaplan_meier_by_group, log_rank
from hccoutcome.evaluation.timedependent import time_dependent_auc, time_dependent_brier

RANDOM = np.random.default_rng(3)
N = 90
SCORE = RANDOM.normal(size=N)
PROBABILITY = 1 / (1 + np.exp(-SCORE))
RESPONSE = RANDOM.random(N) < PROBABILITY
END = RANDOM.uniform(5, 60, N)
DEATH = RANDOM.exponential(20 * np.exp(-SCORE))
SURVIVAL = as_structured(END >= DEATH, np.minimum(DEATH, END))
GROUP = np.where(SCORE > 0, "high risk", "low risk")
TIMES = np.array([6.0, 12.0, 18.0, 24.0])
CHANCE = np.exp(-np.outer(np.exp(SCORE), TIMES) / 30)


def make_roc() -> Figure:
    return draw_roc({"fusion": roc_curve(RESPONSE, SCORE)}, {"fusion": roc_band(RESPONSE, SCORE, seed=0, resamples=50)})


def make_calibration() -> Figure:
    curve = calibration_curve(RESPONSE, PROBABILITY, seed=0, resamples=30)
    return draw_calibration(curve, calibration_line(RESPONSE, PROBABILITY), RESPONSE, PROBABILITY, "fusion")


def make_kaplan_meier() -> Figure:
    ratio = hazard_ratio(SURVIVAL, (GROUP == "high risk").astype(int)).hazard_ratio
    return draw_kaplan_meier(kaplan_meier_by_group(SURVIVAL, GROUP), log_rank(SURVIVAL, GROUP), ratio, ratio="HR, high")


def make_forest() -> Figure:
    sub = pd.DataFrame(
        {"number": np.where(np.arange(N) % 3, "multiple", "single"), "empty": ["no"] * 2 + ["yes"] * (N - 2)}
    )
    return draw_forest(forest(SURVIVAL, GROUP == "high risk", sub))


MAKERS = {
    "roc": make_roc,
    "rocs": lambda: draw_roc({f"system {number}": roc_curve(RESPONSE, SCORE) for number in range(6)}),
    "calibration": make_calibration,
    "calibrations": lambda: draw_calibrations(
        {f"system {number}": calibration_curve(RESPONSE, PROBABILITY, seed=0, resamples=5) for number in range(6)}
    ),
    "survival-calibration": lambda: draw_survival_calibration(survival_calibration(SURVIVAL, CHANCE[:, 1], 12.0)),
    "decision": lambda: draw_decision(decision_curves(RESPONSE, {"fusion": PROBABILITY}, resamples=20)),
    "kaplan-meier": make_kaplan_meier,
    "forest": make_forest,
    "cox": lambda: draw_cox_table(cox(SURVIVAL, pd.DataFrame({"score": SCORE, "group": GROUP}))),
    "correlation": lambda: draw_correlations(pd.DataFrame({"a": SCORE, "b": DEATH, "c": END})),
    "confusion": lambda: draw_confusion(classify(RESPONSE, SCORE, 0.0)),
    "sankey": lambda: draw_sankey((SCORE > 0).astype(int), RESPONSE.astype(int), ["non-responder", "responder"]),
    "auc": lambda: draw_auc_over_time({"fusion": time_dependent_auc(SURVIVAL, SURVIVAL, SCORE, TIMES)}),
    "brier": lambda: draw_brier_over_time({"fusion": time_dependent_brier(SURVIVAL, SURVIVAL, CHANCE, TIMES)}),
    "selection": lambda: draw_selection({"albumin": 1.0, "portal_tumor_original_shape_Sphericity": 0.4}),
}


def words(figure: Figure) -> str:
    return "\n".join(item.get_text() for item in figure.findobj(Text))


@pytest.mark.parametrize("name", MAKERS)
def test_a_figure_has_the_same_bytes_each_time_and_legible_text(name: str, tmp_path: Path) -> None:
    figure = MAKERS[name]()
    first = save(figure, tmp_path / "first", name)
    with mpl.rc_context({"font.size": 20, "lines.linewidth": 9, "axes.facecolor": "black"}):  # a user's own settings
        second = save(MAKERS[name](), tmp_path / "second", name)
    assert [path.name for path in first] == [f"{name}.png", f"{name}.svg"]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name
    assert first[0].read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert b"<svg" in first[1].read_bytes()[:500]
    assert b"<dc:date>" not in first[1].read_bytes()
    sizes = [item.get_fontsize() for item in figure.findobj(Text) if item.get_text().strip()]
    assert 6 <= min(sizes) <= max(sizes) <= 10


@pytest.mark.parametrize(
    "name",
    ["roc", "rocs", "calibration", "calibrations", "survival-calibration", "decision", "kaplan-meier", "auc", "brier"],
)
def test_no_words_lie_over_the_curves(name: str) -> None:
    """With many names and curves in every corner, as noise draws them, nothing would be left to read a curve by."""
    figure = MAKERS[name]()
    figure.draw_without_rendering()
    axes = figure.axes[0]
    inside = axes.get_window_extent()
    legend = axes.get_legend().get_window_extent()
    assert legend.y0 >= inside.y1 - 1
    everything = figure.get_tightbbox()
    assert everything.y0 >= 0
    assert everything.x1 <= figure.get_figwidth()
    assert everything.y1 <= figure.get_figheight()
    assert not axes.texts


def test_no_window_and_no_pyplot_is_needed() -> None:
    rooms = sorted(Path("hccoutcome/evaluation/figures").glob("*.py")) or sorted(
        (Path(__file__).resolve().parents[3] / "hccoutcome/evaluation/figures").glob("*.py")
    )
    modules = [f"hccoutcome.evaluation.figures.{path.stem}" for path in rooms if path.stem != "__init__"]
    assert len(modules) >= 11
    code = f"import sys, {', '.join(modules)}; sys.exit('matplotlib.pyplot' in sys.modules)"
    root = Path(__file__).resolve().parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_the_roc_curve_is_drawn_with_its_auc() -> None:
    curve = roc_curve(RESPONSE, SCORE)
    figure = make_roc()
    line = next(line for line in figure.axes[0].lines if line.get_label().startswith("fusion"))
    assert np.array_equal(line.get_xdata(), 1 - curve.specificity)
    assert f"fusion: {curve.auc.value:.2f} ({curve.auc.lower:.2f} to {curve.auc.upper:.2f})" in words(figure)
    assert "AUC (95% CI)" in words(figure)


def test_survival_curves_stand_over_their_numbers_at_risk() -> None:
    figure = make_kaplan_meier()
    curves = kaplan_meier_by_group(SURVIVAL, GROUP)
    above, below = figure.axes
    ticks = above.get_xticks()
    written = [item.get_text() for item in below.texts]
    expected = [str(count) for curve in curves for count in curve.number_at_risk(ticks)]
    assert written == expected
    assert [label.get_text() for label in below.get_yticklabels()] == ["high risk", "low risk"]
    assert "log-rank p < 0.001" in words(figure)
    assert "HR, high " in words(figure)
    assert [line.get_label() for line in above.lines[::2]] == ["high risk", "low risk"]


def test_a_survival_curve_begins_at_1_though_somebody_dies_at_once() -> None:
    curve = kaplan_meier(as_structured([True, True, False], [0.0, 5.0, 9.0]))
    line = draw_kaplan_meier([curve]).axes[0].lines[0]
    assert (line.get_xdata()[0], line.get_ydata()[0]) == (0.0, 1.0)
    assert (line.get_xdata()[1], line.get_ydata()[1]) == (0.0, pytest.approx(2 / 3))


@pytest.mark.parametrize(
    ("last", "step", "count"), [(83.0, 12, 7), (20.0, 3, 7), (6.5, 1, 7), (0.5, 0.1, 6), (2800.0, 600, 5)]
)
def test_times_under_a_survival_curve_are_round(last: float, step: float, count: int) -> None:
    found = _ticks(last)
    assert found[1] == pytest.approx(step)
    assert len(found) == count


def test_the_forest_says_why_a_level_has_no_ratio() -> None:
    text = words(make_forest())
    assert "no hazard ratio" in text
    assert "interaction p" in text
    assert "all patients" in text
    assert "high risk against low risk" in text


def test_the_confusion_matrix_has_its_counts_and_rates() -> None:
    found = classify(RESPONSE, SCORE, 0.0)
    text = words(draw_confusion(found))
    for count in (found.true_positive, found.false_positive, found.false_negative, found.true_negative):
        assert f"{count}\n(" in text
    assert f"NPV\n{found.npv.value:.2f}" in text
    assert "not defined" in words(draw_confusion(classify([0, 0], [0.1, 0.2], 0.5)))


def test_the_sankey_diagram_counts_each_flow() -> None:
    figure = draw_sankey([0, 0, 0, 1], [0, 0, 1, 1], ["SD+PD", "CR+PR"])
    text = words(figure)
    assert "SD+PD\n3" in text  # predicted
    assert "SD+PD\n2" in text  # actual
    assert "CR+PR\n1" in text
    heights = [patch.get_path().get_extents().height for patch in figure.axes[0].patches if hasattr(patch, "_path")]
    assert len(heights) == 3  # no band where nobody went
    with pytest.raises(InputError, match="numbered from 0 to 1, found 0 to 2"):
        draw_sankey([0, 2], [0, 1], ["a", "b"])


def test_correlations_are_pearsons() -> None:
    table = pd.DataFrame({"a": SCORE, "b": SCORE * 2 + 1, "c": END})
    figure = draw_correlations(table)
    assert "1.00\n***" in words(figure)
    assert f"{np.corrcoef(SCORE, END)[0, 1]:.2f}" in words(figure)
    assert len(figure.axes) == 9
    constant = draw_correlations(table.assign(c=1.0))
    assert "-" in [item.get_text() for item in constant.findobj(Text)]
    with pytest.raises(InputError, match="found text in 'd'"):
        draw_correlations(table.assign(d="x"))
    with pytest.raises(InputError, match="1 to 7 columns beside the first, found 0"):
        draw_correlations(table[["a"]])
    with pytest.raises(InputError, match="needs 3 patients with both values, found 2"):
        draw_correlations(table[:2])


def test_long_names_leave_room_for_the_correlations(tmp_path: Path) -> None:
    names = [f"AP tumor shape Maximum2DDiameterRow of {place}" for place in range(8)]
    figure = draw_correlations(pd.DataFrame(np.random.default_rng(0).normal(size=(30, 8)), columns=names))
    save(figure, tmp_path, "correlations")  # a collapsed layout warns, and warnings are errors
    widths = {round(axes.get_position().width, 4) for axes in figure.axes}
    assert len(widths) == 1
    assert widths.pop() > 0.05


def test_the_selection_says_what_it_leaves_out() -> None:
    frequency = {f"column{place:02}": 1 - place / 40 for place in range(30)}
    text = words(draw_selection(frequency, most=10))
    assert "column09" in text
    assert "column10" not in text
    assert "(20 more columns were used as often or less)" in text
    with pytest.raises(InputError, match="columns, found 0"):
        draw_selection({})


def test_more_curves_than_colours_are_refused() -> None:
    curve = roc_curve(RESPONSE, SCORE)
    with pytest.raises(InputError, match="1 to 6 curves, found 7: choose"):
        draw_roc({f"model {number}": curve for number in range(7)})
    with pytest.raises(InputError, match="1 to 6 groups, found 0"):
        draw_kaplan_meier([])


def test_few_different_probabilities_still_have_a_picture() -> None:
    stepped = np.where(SCORE > 0, 0.7, 0.3)
    curve = calibration_curve(RESPONSE, stepped, seed=0)
    figure = draw_calibration(curve, calibration_line(RESPONSE, stepped), RESPONSE, stepped)
    assert "groups of equal size" in words(figure)
    assert "slope" in words(draw_calibration(curve, calibration_line(RESPONSE, np.full(N, 0.4)), RESPONSE, stepped))
    assert draw_calibrations({"stepped": curve}).axes


def test_p_values_are_printed_as_journals_do() -> None:
    assert [p_text(p) for p in (0.0004, 0.012, 0.049, 0.2, 1.0, float("nan"), None)] == [
        "p < 0.001",
        "p = 0.012",
        "p = 0.049",
        "p = 0.20",
        "p = 1.00",
        "p not defined",
        "p not defined",
    ]
