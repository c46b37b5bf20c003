"""How often the models of a cross-validation used each column."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from hccoutcome.evaluation.figures.style import COLOURS, check_count, new_figure, styled

WIDTH = 5.2
"""Names of features are long: the figure is wider than a column."""


def draw_selection(frequency: Mapping[str, float], most: int = 25) -> Figure:
    """Draw the columns that were used most often; how many others there are is said below.

    Args:
        frequency: part of the models by column, the most frequent first, as ``OutOfFold.selection_frequency``.
        most: columns shown.

    Raises:
        InputError: no column.
    """
    check_count(len(frequency), 10**9, "columns")
    shown = sorted(frequency.items(), key=lambda item: (-item[1], item[0]))[:most]
    with styled():
        figure = new_figure(0.7 + 0.15 * len(shown), WIDTH)
        axes = figure.add_subplot()
        axes.barh(range(len(shown)), [share for _, share in shown], color=COLOURS[0], height=0.7)
        for row, (_, share) in enumerate(shown):
            axes.text(share + 0.01, row, f"{100 * share:.0f}%", va="center", fontsize=6)
        axes.set(ylim=(len(shown) - 0.4, -0.6), xlim=(0, 1.1), yticks=range(len(shown)), xticks=[0, 0.25, 0.5, 0.75, 1])
        axes.set_yticklabels([name for name, _ in shown], fontsize=6)
        others = len(frequency) - len(shown)
        rest = f"\n({others} more columns were used as often or less)" if others else ""
        axes.set_xlabel(f"part of the models that used the column{rest}")
    return figure
