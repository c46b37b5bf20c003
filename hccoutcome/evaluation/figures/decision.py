"""Decision curves."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from hccoutcome.evaluation.decision import DecisionCurves
from hccoutcome.evaluation.figures.style import (
    COLOURS,
    DASHES,
    INK,
    LINE,
    PALE,
    check_count,
    legend_above,
    new_figure,
    styled,
)

_IN_A_ROW = 2
"""Strategies in a row of the legend."""


def draw_decision(curves: DecisionCurves, until: float | None = None) -> Figure:
    """Draw net benefit against threshold probability, with treating all and none.

    Args:
        curves: the decision curves.
        until: last threshold shown; None: where no strategy but treating none has a benefit any more.

    Raises:
        InputError: more than six predictions.
    """
    check_count(len(curves.models), len(COLOURS), "predictions")
    with styled():
        rows = -(-(len(curves.models) + 2) // _IN_A_ROW)
        figure = new_figure(2.6 + LINE * rows)
        axes = figure.add_subplot()
        axes.plot(curves.thresholds, curves.treat_all, color=PALE, linewidth=0.9, label="treat all")
        axes.axhline(0, color=INK, linewidth=0.9, label="treat none")
        for model, colour, dashes in zip(curves.models, COLOURS, DASHES, strict=False):
            axes.plot(curves.thresholds, model.net_benefit, color=colour, linestyle=dashes, label=model.name)
            if model.lower is not None and model.upper is not None:
                axes.fill_between(curves.thresholds, model.lower, model.upper, color=colour, alpha=0.13, linewidth=0)
        top = max(curves.prevalence, max(float(np.nanmax(model.net_benefit)) for model in curves.models))
        axes.set(
            xlim=(0, until if until is not None else _last(curves)),
            ylim=(-0.25 * top, 1.12 * top),
            xlabel="threshold probability",
            ylabel="net benefit",
        )
        legend_above(axes, columns=_IN_A_ROW)
    return figure


def _last(curves: DecisionCurves) -> float:
    """Return a little more than the last threshold at which a prediction has a net benefit."""
    useful = [curves.thresholds[np.nan_to_num(model.net_benefit) > 0] for model in curves.models]
    last = max((float(part[-1]) for part in useful if len(part)), default=0.0)
    return min(max(1.1 * last, 0.2), 1.0)
