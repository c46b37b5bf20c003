"""How all figures look, and how they are written so that the same figure has the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hccoutcome.errors import InputError
from hccoutcome.evaluation.estimate import Estimate
from hccoutcome.files import write_atomically

COLUMN = 3.35
"""Width of a journal's column in inches (85 mm)."""
DPI = 300
INK = "#1a1a1a"
PALE = "#8a8a8a"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Okabe and Ito's colours, which colour-blind readers can tell apart; lines differ in dashes too."""
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 2)))

LINE = 0.15
"""Height of a line of small print, inches."""

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.labelsize": 7,
    "axes.titlesize": 7.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": True,
    "legend.framealpha": 0.8,
    "legend.edgecolor": "none",
    "legend.handlelength": 2.2,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "hccoutcome",
    "svg.fonttype": "path",
}


@contextmanager
def styled() -> Iterator[None]:
    """Let figures that are made inside look alike, whatever the user's matplotlib settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def new_figure(height: float, width: float = COLUMN) -> Figure:
    """Return an empty figure of a width and height in inches; call it inside ``styled``."""
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write a figure as ``name.png`` and ``name.svg``; the same figure gives the same bytes.

    Raises:
        EnvironmentNeeded: the folder cannot be written to.
    """
    png, svg = Path(folder) / f"{name}.png", Path(folder) / f"{name}.svg"
    with styled():
        write_atomically(png, lambda path: figure.savefig(path, format="png", dpi=DPI, metadata={"Software": None}))
        write_atomically(svg, lambda path: figure.savefig(path, format="svg", metadata={"Date": None}))
    return png, svg


def diagonal(axes: Axes) -> None:
    """Draw the line of equality, and make both axes run from 0 to 1."""
    axes.plot([0, 1], [0, 1], color=PALE, linewidth=0.7, linestyle=(0, (2, 2)), zorder=0)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))


def legend_above(axes: Axes, title: str = "", columns: int = 1) -> None:
    """Put the legend over the axes, where it hides no curve; ``LINE`` inches of height for each of its rows."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0.2,
        ncols=columns,
        title=title or None,
        title_fontsize=6.5,
        alignment="left",
    )


def interval_text(estimate: Estimate, digits: int = 2) -> str:
    """Return a figure with its interval, short enough for a legend."""
    return f"{estimate.value:.{digits}f} ({estimate.lower:.{digits}f} to {estimate.upper:.{digits}f})"


def p_text(p: float | None) -> str:
    """Return a p value as journals print it."""
    if p is None or p != p:
        return "p not defined"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def check_count(count: int, most: int, what: str) -> None:
    """Refuse to draw nothing, or more than a column can show.

    Raises:
        InputError: none, or more than ``most``.
    """
    if not 1 <= count <= most:
        raise InputError(f"This figure shows 1 to {most} {what}, found {count}: choose.")
