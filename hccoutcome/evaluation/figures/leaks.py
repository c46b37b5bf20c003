"""What systems find in permuted outcomes: an honest one finds nothing."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from hccoutcome.evaluation.figures.style import COLOURS, PALE, check_count, interval_text, new_figure, styled
from hccoutcome.evaluation.leaks import LeakCheck


def draw_leaks(found: Mapping[str, LeakCheck], figure_name: str = "AUC") -> Figure:
    """Draw each permutation's figure, and their mean with its interval, beside 0.5.

    Args:
        found: by the system's name.
        figure_name: ``AUC`` or ``C-index``.

    Raises:
        InputError: no system, or more than six.
    """
    check_count(len(found), len(COLOURS), "systems")
    with styled():
        figure = new_figure(0.75 + 0.42 * len(found))
        axes = figure.add_subplot()
        axes.axvline(0.5, color=PALE, linewidth=0.8, linestyle=(0, (2, 2)))
        for row, (name, check) in enumerate(found.items()):
            colour, mean = COLOURS[row], check.figure
            axes.plot(check.figures, [row] * len(check.figures), "o", color=colour, markersize=3, alpha=0.6)
            axes.plot([mean.lower, mean.upper], [row + 0.22] * 2, color=colour)
            axes.plot([mean.value], [row + 0.22], "D", color=colour, markersize=3.5)
            words = f"{name}: mean {interval_text(mean)}, {'holds 0.5' if check.clean else 'does not hold 0.5: a leak'}"
            text = axes.text(0.0, row - 0.22, words, transform=axes.get_yaxis_transform(), fontsize=6.5, va="bottom")
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.5})
        ends = [value for check in found.values() for value in (check.figure.lower, check.figure.upper, *check.figures)]
        axes.set(ylim=(len(found) - 0.5, -0.65), yticks=[], xlabel=f"{figure_name} on permuted outcomes")
        axes.set_xlim(max(min(0.35, min(ends) - 0.02), 0.0), min(max(0.65, max(ends) + 0.02), 1.0))
        axes.spines["left"].set_visible(False)
    return figure
