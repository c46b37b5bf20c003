"""Calibration curves with the distribution of the predictions, and calibration of survival."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from hccoutcome.evaluation.calibration import (
    CalibrationCurve,
    CalibrationGroup,
    CalibrationLine,
    SurvivalCalibration,
)
from hccoutcome.evaluation.figures.style import (
    COLOURS,
    DASHES,
    LINE,
    PALE,
    check_count,
    diagonal,
    interval_text,
    legend_above,
    new_figure,
    styled,
)
from hccoutcome.evaluation.outcomes import check_binary, check_probabilities


def draw_calibration(
    curve: CalibrationCurve, line: CalibrationLine, y: ArrayLike, probabilities: ArrayLike, name: str = "model"
) -> Figure:
    """Draw a calibration curve with its band and groups, over a histogram of the predictions by outcome.

    Raises:
        InputError: outcome or probabilities are missing somewhere.
    """
    outcome = check_binary(y, least=0)
    values = check_probabilities(probabilities, len(outcome))
    with styled():
        figure = new_figure(3.9 + 4 * LINE)
        axes, below = figure.subplots(2, 1, height_ratios=(5, 1), sharex=True)
        diagonal(axes)
        if len(curve.predicted):
            axes.fill_between(curve.predicted, curve.lower, curve.upper, color=COLOURS[0], alpha=0.15, linewidth=0)
            axes.plot(curve.predicted, curve.observed, color=COLOURS[0], label=f"{name} ({100 * curve.level:g}% band)")
        _points(axes, curve.groups, COLOURS[1], "groups of equal size")
        axes.set(ylabel="observed part with the outcome")
        slope = interval_text(line.slope) if line.slope else "not defined"
        legend_above(axes, f"intercept {interval_text(line.intercept)}\nslope {slope}")
        _histogram(below, values, outcome)
    return figure


def draw_calibrations(curves: Mapping[str, CalibrationCurve]) -> Figure:
    """Draw several calibration curves without bands, to compare systems.

    Raises:
        InputError: no curve, or more than six.
    """
    check_count(len(curves), len(COLOURS), "curves")
    with styled():
        figure = new_figure(3.3 + LINE * len(curves))
        axes = figure.add_subplot()
        diagonal(axes)
        for (name, curve), colour, dashes in zip(curves.items(), COLOURS, DASHES, strict=False):
            label = name if curve.ici is None else f"{name}: ICI {curve.ici:.3f}"
            if len(curve.predicted):
                axes.plot(curve.predicted, curve.observed, color=colour, linestyle=dashes, label=label)
            else:
                _points(axes, curve.groups, colour, label)
        axes.set(xlabel="predicted probability", ylabel="observed part with the outcome", aspect="equal")
        legend_above(axes)
    return figure


def draw_survival_calibration(found: SurvivalCalibration) -> Figure:
    """Draw observed against predicted survival of groups of equal size at one time."""
    with styled():
        figure = new_figure(3.1 + 2 * LINE)
        axes = figure.add_subplot()
        diagonal(axes)
        _points(axes, found.groups, COLOURS[0], "groups of equal size")
        axes.set(
            xlabel=f"predicted survival at {found.months:.4g} months",
            ylabel="observed survival (Kaplan-Meier)",
            aspect="equal",
        )
        words = "" if found.ratio is None else f"observed / expected events {interval_text(found.ratio)}"
        legend_above(axes, words)
    return figure


def _points(axes: Axes, groups: tuple[CalibrationGroup, ...], colour: str, label: str) -> None:
    shown = [(group.predicted, group.observed) for group in groups if group.observed is not None]
    if not shown:
        return
    predicted = [x for x, _ in shown]
    values = np.array([observed.value for _, observed in shown])
    reach = np.array([[y.value - y.lower for _, y in shown], [y.upper - y.value for _, y in shown]])
    axes.errorbar(
        predicted, values, yerr=np.maximum(reach, 0), fmt="o", color=colour, markersize=3, linewidth=0.8, label=label
    )


def _histogram(axes: Axes, values: np.ndarray, outcome: np.ndarray) -> None:
    """Draw the predictions of patients with the outcome upwards, those of the others downwards."""
    edges = np.linspace(0, 1, 41)
    upwards, downwards = np.histogram(values[outcome], edges)[0], np.histogram(values[~outcome], edges)[0]
    axes.bar(edges[:-1], upwards, 1 / 40, align="edge", color=COLOURS[0])
    axes.bar(edges[:-1], -downwards, 1 / 40, align="edge", color=PALE)
    axes.axhline(0, color=PALE, linewidth=0.5)
    most = max(int(upwards.max()), int(downwards.max()), 1)
    axes.set(xlabel="predicted probability", ylim=(-1.1 * most, 1.1 * most), yticks=[-most, most], ylabel="patients")
    axes.set_yticklabels([f"{most} without", f"{most} with"])
