"""Sankey diagram: bands from the predicted to the actual class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from numpy.typing import ArrayLike

from hccoutcome.errors import InputError
from hccoutcome.evaluation.figures.style import COLOURS, INK, check_count, new_figure, styled
from hccoutcome.evaluation.outcomes import check_groups

_GAP = 0.04
"""Between the classes, as a part of the height."""
_BAR = 0.09
"""Width of the bars."""


def draw_sankey(
    predicted: ArrayLike,
    actual: ArrayLike,
    classes: Sequence[str],
    titles: tuple[str, str] = ("predicted", "actual"),
) -> Figure:
    """Draw how patients of each predicted class (left) divide into the actual classes (right).

    Args:
        predicted, actual: class of each patient by number, from 0, shape (patients,).
        classes: names in the order of these numbers.
        titles: of the two sides.

    Raises:
        InputError: other lengths, a number without a name, no class or more than six.
    """
    check_count(len(classes), len(COLOURS), "classes")
    before = np.asarray(predicted).astype(int)
    after = check_groups(np.asarray(actual).astype(int), len(before), least=1)
    if min(before.min(), after.min()) < 0 or max(before.max(), after.max()) >= len(classes):
        raise InputError(
            f"Classes are numbered from 0 to {len(classes) - 1}, found {min(before.min(), after.min())} to "
            f"{max(before.max(), after.max())}: name each class."
        )
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (before, after), 1)
    with styled():
        figure = new_figure(2.8)
        axes = figure.add_subplot()
        scale = 1 / counts.sum()
        left, right = _starts(counts.sum(axis=1) * scale), _starts(counts.sum(axis=0) * scale)
        _bars(axes, 0.0, left, counts.sum(axis=1), scale, classes, "right")
        _bars(axes, 1 - _BAR, right, counts.sum(axis=0), scale, classes, "left")
        from_left, to_right = left.copy(), right.copy()
        for row, column in np.ndindex(*counts.shape):
            height = counts[row, column] * scale
            if height:
                _flow(axes, float(from_left[row]), float(to_right[column]), height, COLOURS[row])
                _count(axes, float(from_left[row]), height, int(counts[row, column]))
            from_left[row] += height
            to_right[column] += height
        for place, (title, side) in zip((0.0, 1.0), zip(titles, ("left", "right"), strict=True), strict=True):
            axes.text(place, -0.03, title, ha=side, va="bottom", weight="bold")
        axes.set(xlim=(-0.42, 1.42), ylim=(1 + _GAP * (len(classes) - 1) + 0.02, -0.12))
        axes.set_axis_off()
    return figure


def _starts(heights: np.ndarray) -> np.ndarray:
    """Return the upper end of each class's bar, with gaps between them."""
    return np.concatenate([[0.0], np.cumsum(heights)[:-1]]) + _GAP * np.arange(len(heights))


def _bars(
    axes: Axes, x: float, starts: np.ndarray, counts: np.ndarray, scale: float, classes: Sequence[str], side: str
) -> None:
    for place, (start, count) in enumerate(zip(starts, counts, strict=True)):
        if not count:
            continue
        axes.add_patch(Rectangle((x, start), _BAR, count * scale, facecolor=COLOURS[place], edgecolor="none"))
        at = x - 0.02 if side == "right" else x + _BAR + 0.02
        axes.text(at, start + count * scale / 2, f"{classes[place]}\n{count}", ha=side, va="center", color=INK)


def _flow(axes: Axes, start: float, end: float, height: float, colour: str) -> None:
    """Draw a band of constant height from the left to the right bar."""
    x0, x1 = _BAR, 1 - _BAR
    middle = (x0 + x1) / 2
    points = [
        (x0, start), (middle, start), (middle, end), (x1, end),
        (x1, end + height), (middle, end + height), (middle, start + height), (x0, start + height), (x0, start),
    ]  # fmt: skip
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    axes.add_patch(PathPatch(Path(points, codes), facecolor=colour, alpha=0.35, edgecolor="none"))


def _count(axes: Axes, start: float, height: float, count: int) -> None:
    """Write the number of patients near the left end of a band, where bands do not cross yet."""
    if height > 0.03:
        axes.text(_BAR + 0.03, start + height / 2, str(count), va="center", fontsize=6)
