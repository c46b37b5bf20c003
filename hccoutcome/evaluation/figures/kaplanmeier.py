"""Kaplan-Meier curves with bands, censoring marks, test, hazard ratio, and the table of numbers at risk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hccoutcome.evaluation.estimate import Estimate
from hccoutcome.evaluation.figures.style import (
    COLOURS,
    DASHES,
    LINE,
    check_count,
    interval_text,
    legend_above,
    new_figure,
    p_text,
    styled,
)
from hccoutcome.evaluation.survival import KaplanMeier, LogRank

_IN_A_ROW = 2
"""Groups in a row of the legend."""


def draw_kaplan_meier(
    curves: Sequence[KaplanMeier],
    test: LogRank | None = None,
    hazard_ratio: Estimate | None = None,
    *,
    ratio: str = "HR",
    months: Sequence[float] | None = None,
    end: str = "overall survival",
    unit: str = "months",
) -> Figure:
    """Draw survival curves over a table of the numbers at risk.

    Args:
        curves: of the groups, in order; their names go into legend and table.
        test: log-rank test to print.
        hazard_ratio: to print.
        ratio: whose ratio it is, e.g. ``HR, high against low``.
        months: times of the ticks and of the table; None: about six round ones.
        end: what is survived, for the axis.
        unit: of time, for the axis.

    Raises:
        InputError: no curve, or more than six.
    """
    check_count(len(curves), len(COLOURS), "groups")
    last = max(float(curve.times[-1]) for curve in curves)
    shown = _ticks(last) if months is None else list(months)
    with styled():
        words = _words(test, hazard_ratio, ratio)
        rows = -(-len(curves) // _IN_A_ROW) + bool(words)
        figure = new_figure(2.5 + LINE * (len(curves) + rows))
        axes, table = figure.subplots(2, 1, height_ratios=(2.4, LINE * len(curves) + 0.08), sharex=True)
        for curve, colour, dashes in zip(curves, COLOURS, DASHES, strict=False):
            # Everybody begins alive, whoever has the event at once.
            steps = np.append(0.0, curve.times), np.append(1.0, curve.survival)
            axes.step(*steps, where="post", color=colour, linestyle=dashes, label=curve.name)
            axes.fill_between(curve.times, curve.lower, curve.upper, step="post", color=colour, alpha=0.13, linewidth=0)
            left = curve.censored > 0
            axes.plot(curve.times[left], curve.survival[left], "|", color=colour, markersize=3.5, markeredgewidth=0.7)
        axes.set(ylabel=end, ylim=(-0.02, 1.02), xlim=(-0.01 * last, 1.02 * last), xticks=shown)
        axes.set_xlabel(unit)
        axes.tick_params(labelbottom=True)
        legend_above(axes, words, _IN_A_ROW)
        _numbers(table, curves, shown)
    return figure


def _ticks(last: float) -> list[float]:
    """Return at most eight times from 0 on, whole years where that fits."""
    steps = [size * 10.0**power for power in (-1, 0, 1, 2, 3) for size in (1, 2, 3, 6, 12, 24, 36, 60)]
    step = min((step for step in steps if last / step <= 7), default=last)
    return [float(tick) for tick in np.arange(0, last + step * 1e-6, step)]


def _words(test: LogRank | None, hazard_ratio: Estimate | None, ratio: str) -> str:
    lines = []
    if hazard_ratio is not None:
        lines.append(f"{ratio} {interval_text(hazard_ratio)}")
    if test is not None:
        lines.append(f"log-rank {p_text(test.p)}")
    return "; ".join(lines)


def _numbers(axes: Axes, curves: Sequence[KaplanMeier], months: Sequence[float]) -> None:
    """Write how many are at risk at each time, one row a group, in the group's colour."""
    axes.set_title("number at risk", loc="left", fontsize=6.5, pad=2)
    axes.set(ylim=(len(curves) - 0.5, -0.5), yticks=np.arange(len(curves)))
    axes.set_yticklabels([curve.name for curve in curves])
    for row, (curve, colour) in enumerate(zip(curves, COLOURS, strict=False)):
        axes.get_yticklabels()[row].set_color(colour)
        for time, count in zip(months, curve.number_at_risk(months), strict=True):
            axes.text(time, row, str(count), ha="center", va="center", fontsize=6.5)
    axes.tick_params(axis="y", length=0, pad=9)
    axes.tick_params(axis="x", length=0, labelbottom=False)
    for side in axes.spines.values():
        side.set_visible(False)
