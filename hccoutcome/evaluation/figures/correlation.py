"""Correlation matrix of variables: scatter below the diagonal, density on it, Pearson's r above it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from scipy import stats

from hccoutcome.errors import InputError
from hccoutcome.evaluation.figures.style import COLOURS, check_count, new_figure, styled

MOST = 8
_NAMES = 0.85
"""Room for the slanted names below, in inches."""


def draw_correlations(table: pd.DataFrame) -> Figure:
    """Draw the correlations of up to eight numeric columns; stars stand for p < 0.05, 0.01 and 0.001.

    Each pair uses the patients who have both values.

    Raises:
        InputError: fewer than 2 or more than 8 columns, columns that are not numbers, or pairs with under 3 patients.
    """
    names = list(table.columns)
    check_count(len(names) - 1, MOST - 1, "columns beside the first")
    for name in names:
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise InputError(f"Correlations are those of numbers, found text in '{name}': code it or leave it out.")
    with styled():
        size = max(0.62 * len(names) + 1.0, 3.35)
        height = size + _NAMES / 2
        figure = new_figure(height, size)
        room = _NAMES / height
        figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0, room, 1, 1 - room)))
        grid = figure.subplots(len(names), len(names), squeeze=False)
        for row, below in enumerate(names):
            for column, beside in enumerate(names):
                axes = grid[row, column]
                both = table[[beside, below]].dropna().to_numpy(float) if row != column else table[[below]].dropna()
                _cell(axes, np.asarray(both, float), row, column)
                axes.set(xticks=[], yticks=[])
                if row == len(names) - 1:
                    _slanted(axes, _short(str(beside)))
                if column == 0:
                    axes.set_ylabel(_short(str(below)), rotation=0, ha="right", va="center", fontsize=6)
    return figure


def _slanted(axes: Axes, name: str) -> None:
    """Write a name under a column; as a label of the axis it would push the columns apart."""
    words = axes.text(0.6, -0.08, name, transform=axes.transAxes, ha="right", va="top", fontsize=6)
    words.set(rotation=30, rotation_mode="anchor", in_layout=False)


def _cell(axes: Axes, values: np.ndarray, row: int, column: int) -> None:
    if len(values) < 3:
        raise InputError(f"A correlation needs 3 patients with both values, found {len(values)}: leave a column out.")
    if row == column:
        _density(axes, values[:, 0])
    elif row > column:
        axes.plot(values[:, 0], values[:, 1], "o", color=COLOURS[0], markersize=1.2, alpha=0.5, markeredgewidth=0)
    else:
        _coefficient(axes, values)


def _density(axes: Axes, values: np.ndarray) -> None:
    if np.ptp(values) == 0:
        axes.axvline(0, color=COLOURS[0])
        return
    grid = np.linspace(values.min(), values.max(), 100)
    curve = stats.gaussian_kde(values)(grid)
    axes.fill_between(grid, curve, color=COLOURS[0], alpha=0.3, linewidth=0)
    axes.plot(grid, curve, color=COLOURS[0], linewidth=0.8)
    axes.set_ylim(0, None)


def _coefficient(axes: Axes, values: np.ndarray) -> None:
    """Write r with its stars on a ground whose colour says the same."""
    for side in axes.spines.values():
        side.set_visible(True)
        side.set_linewidth(0.3)
    if (np.ptp(values, axis=0) == 0).any():
        axes.text(0.5, 0.5, "-", ha="center", va="center", transform=axes.transAxes)
        return
    r, p = stats.pearsonr(values[:, 0], values[:, 1])
    axes.set_facecolor(colormaps["RdBu_r"](0.5 + 0.35 * r))
    stars = "*" * sum(p < limit for limit in (0.05, 0.01, 0.001))
    axes.text(0.5, 0.5, f"{r:.2f}\n{stars}", ha="center", va="center", fontsize=6.5, transform=axes.transAxes)


def _short(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:13]}…{name[-14:]}"
