"""Forest plots of hazard ratios in subgroups, and of the terms of a Cox model."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from hccoutcome.evaluation.cox import CoxModel
from hccoutcome.evaluation.estimate import Estimate
from hccoutcome.evaluation.figures.style import COLOURS, PALE, check_count, new_figure, p_text, styled
from hccoutcome.evaluation.subgroups import Forest, SubgroupRow

_ROUND = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_MOST_ROWS = 60
WIDTH = 5.2
"""A forest has text on both sides: it is wider than a column."""


@dataclass(frozen=True)
class _Line:
    label: str
    middle: str
    ratio: Estimate | None
    right: str
    heading: bool = False


def draw_forest(found: Forest, exposed: str = "high risk", others: str = "low risk") -> Figure:
    """Draw the hazard ratio of a group overall and in subgroups, with events, interval and p of interaction.

    Args:
        found: the hazard ratios.
        exposed, others: names of the groups for the heading.

    Raises:
        InputError: more rows than a page holds.
    """
    lines = [_line(found.overall, "")]
    for subgroup in found.subgroups:
        interaction = "" if subgroup.interaction_p is None else f"interaction {p_text(subgroup.interaction_p)}"
        lines.append(_Line(subgroup.name, "", None, interaction, heading=True))
        lines += [_line(row, "   ") for row in subgroup.rows]
    return _draw(lines, f"events / patients\n{exposed} | {others}", f"hazard ratio, {exposed} against {others}")


def draw_cox_table(model: CoxModel) -> Figure:
    """Draw the hazard ratios of the terms of a Cox model.

    Raises:
        InputError: more terms than a page holds.
    """
    lines = [_Line(term.name, "", term.hazard_ratio, _ratio_text(term.hazard_ratio, term.p)) for term in model.terms]
    return _draw(lines, f"{model.events} events /\n{model.patients} patients", "hazard ratio")


def _line(row: SubgroupRow, indent: str) -> _Line:
    counts = " | ".join(f"{events}/{patients}" for events, patients in zip(row.events, row.patients, strict=True))
    if row.term is None:
        return _Line(indent + row.level, counts, None, "no hazard ratio")
    return _Line(indent + row.level, counts, row.term.hazard_ratio, _ratio_text(row.term.hazard_ratio, row.term.p))


def _ratio_text(ratio: Estimate, p: float) -> str:
    return f"{ratio.value:.2f} ({ratio.lower:.2f} to {ratio.upper:.2f}), {p_text(p)}"


def _draw(lines: list[_Line], middle: str, label: str) -> Figure:
    check_count(len(lines), _MOST_ROWS, "rows")
    with styled():
        figure = new_figure(0.75 + 0.16 * len(lines), WIDTH)
        names, axes, texts = figure.subplots(1, 3, sharey=True, width_ratios=(2.1, 1.7, 1.9))
        for row, line in enumerate(lines):
            weight = "bold" if line.heading else "normal"
            names.text(0, row, line.label, va="center", fontsize=6.5, weight=weight)
            names.text(1, row, line.middle, va="center", ha="right", fontsize=6.5)
            texts.text(0, row, line.right, va="center", fontsize=6.5)
            if line.ratio is not None:
                axes.plot([line.ratio.lower, line.ratio.upper], [row, row], color=COLOURS[0], linewidth=1)
                axes.plot([line.ratio.value], [row], "s", color=COLOURS[0], markersize=3.5)
        names.text(1, -1.2, middle, va="bottom", ha="right", fontsize=6.5)
        texts.text(0, -1.2, "hazard ratio (95% CI)", va="bottom", fontsize=6.5)
        axes.axvline(1, color=PALE, linewidth=0.7)
        axes.set(ylim=(len(lines) - 0.4, -1.0), yticks=[], xlabel=label)
        axes.spines["left"].set_visible(False)
        _log_axis(axes, [line.ratio for line in lines if line.ratio is not None])
        for side in (names, texts):
            side.set_xlim(0, 1)
            side.set_axis_off()
    return figure


def _log_axis(axes: Axes, ratios: list[Estimate]) -> None:
    """Scale the axis by logarithm, with round ticks; what lies beyond a hundredfold is cut off."""
    low = max(min([ratio.lower for ratio in ratios] + [0.5]), 0.01)
    high = min(max([ratio.upper for ratio in ratios] + [2.0]), 100.0)
    axes.set_xscale("log")
    axes.set_xlim(low / 1.15, high * 1.15)
    ticks = [tick for tick in _ROUND if low / 1.15 <= tick <= high * 1.15]
    axes.xaxis.set_major_locator(FixedLocator(ticks[:: 1 + len(ticks) // 6]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
