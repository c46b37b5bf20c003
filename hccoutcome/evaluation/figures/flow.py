"""The patients' way through a study: boxes downwards, those who leave to the right."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hccoutcome.evaluation.figures.style import INK, PALE, check_count, new_figure, styled
from hccoutcome.evaluation.study import Step

WIDTH = 5.2
_MOST = 12
_ROW = 0.62
_LEFT, _RIGHT, _SPINE = 0.30, 0.80, 0.015
"""Middle of the boxes and of the boxes of those who leave, and where ways branch off, as a part of the width."""


def draw_flow(steps: Sequence[Step]) -> Figure:
    """Draw the steps of a study; branches hang on the last step before them.

    Raises:
        InputError: no step, or more than a page holds.
    """
    check_count(len(steps), _MOST, "steps")
    with styled():
        figure = new_figure(_ROW * len(steps) + 0.1, WIDTH)
        axes = figure.add_subplot()
        axes.set(xlim=(0, 1), ylim=(len(steps) - 0.5, -0.5))
        axes.set_axis_off()
        stem = 0
        for row, step in enumerate(steps):
            _box(axes, _LEFT, row, f"{step.patients} {_wrapped(step.what)}", INK)
            if step.branch:
                axes.plot([_SPINE, _SPINE, _LEFT], [stem, row, row], color=PALE, linewidth=0.8, zorder=0)
                axes.plot([_SPINE, _LEFT], [stem, stem], color=PALE, linewidth=0.8, zorder=0)
            elif row:
                _arrow(axes, (_LEFT, row - 0.72), (_LEFT, row - 0.28))
            stem = stem if step.branch else row
            if step.left:
                words = "\n".join(f"{left.patients} {_wrapped(left.reason)}" for left in step.left)
                _box(axes, _RIGHT, row, words, PALE)
                _arrow(axes, (_LEFT + 0.1, row), (_RIGHT - 0.19, row))
    return figure


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 36)


def _box(axes: Axes, x: float, y: float, words: str, edge: str) -> None:
    shape = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": edge, "linewidth": 0.7}
    axes.text(x, y, words, ha="center", va="center", bbox=shape, zorder=3)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": PALE, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=start, arrowprops=style, zorder=0)
