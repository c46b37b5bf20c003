"""AUC and Brier score against time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hccoutcome.evaluation.estimate import Estimate, Floats
from hccoutcome.evaluation.figures.style import (
    COLOURS,
    DASHES,
    LINE,
    PALE,
    check_count,
    interval_text,
    legend_above,
    new_figure,
    styled,
)
from hccoutcome.evaluation.timedependent import TimeDependentAuc, TimeDependentBrier


def draw_auc_over_time(found: Mapping[str, TimeDependentAuc]) -> Figure:
    """Draw the AUC at each time with its band; the mean stands in the legend.

    Raises:
        InputError: no system, or more than six.
    """
    check_count(len(found), len(COLOURS), "systems")
    with styled():
        figure = new_figure(2.5 + LINE * len(found))
        axes = figure.add_subplot()
        axes.axhline(0.5, color=PALE, linewidth=0.7, linestyle=(0, (2, 2)))
        for place, (name, part) in enumerate(found.items()):
            _line(axes, part.times, part.auc, f"{name}: mean {interval_text(part.mean)}", place)
        lowest = min(item.lower for part in found.values() for item in part.auc)
        axes.set(xlabel="months", ylabel="AUC at the time", ylim=(min(0.4, lowest - 0.02), 1.02))
        legend_above(axes)
    return figure


def draw_brier_over_time(found: Mapping[str, TimeDependentBrier]) -> Figure:
    """Draw the Brier score at each time with its band, beside that of the Kaplan-Meier curve given to everybody.

    Raises:
        InputError: no system, or more than five.
    """
    check_count(len(found), len(COLOURS) - 1, "systems")
    with styled():
        figure = new_figure(2.5 + LINE * (1 + len(found)))
        axes = figure.add_subplot()
        first = next(iter(found.values()))
        axes.plot(first.times, first.reference, color=PALE, linewidth=0.9, label="Kaplan-Meier for everybody")
        for place, (name, part) in enumerate(found.items()):
            label = name if part.integrated is None else f"{name}: integrated {interval_text(part.integrated, 3)}"
            _line(axes, part.times, part.score, label, place)
        axes.set(xlabel="months", ylabel="Brier score", ylim=(0, None))
        legend_above(axes)
    return figure


def _line(axes: Axes, times: Floats, items: Sequence[Estimate], label: str, place: int) -> None:
    colour = COLOURS[place]
    axes.plot(times, [item.value for item in items], color=colour, linestyle=DASHES[place], label=label)
    lower, upper = [item.lower for item in items], [item.upper for item in items]
    axes.fill_between(times, lower, upper, color=colour, alpha=0.13, linewidth=0)
