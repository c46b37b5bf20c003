"""The waterfall of one case, and how figures of explanations are drawn and written: the same bytes for the same values.

Blue raises and orange lowers, which readers with and without colour vision deficiency tell apart, and every amount has
its sign. Names are shortened by the rule of ``explanation.names``.
"""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hccoutcome.explanation.names import short_names
from hccoutcome.explanation.palette import INK, LINE, LOWERS, MOST_INPUTS, RAISES, SOFT
from hccoutcome.explanation.waterfall import Waterfall
from hccoutcome.explanation.words import scale_title
from hccoutcome.files import write_atomically

ROW_INCHES = 0.42
DPI = 150
ROUNDING = 1e-12
FOOT_CHARACTERS = 125
WIDTH = 9.0
NAMES_SHARE = 0.40
"""Part of the width that the names of the inputs take."""
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "svg.hashsalt": "hccoutcome",
    "svg.fonttype": "path",
    "text.parse_math": False,
    "axes.unicode_minus": True,
}


def waterfall_figure(found: Waterfall, most: int = MOST_INPUTS) -> Figure:
    """Return the waterfall of one case: from the base at the bottom to the output at the top.

    Args:
        found: the waterfall.
        most: inputs shown; the others become one last step, at the bottom.
    """
    with drawn_alike():
        steps = found.largest_first(most)[::-1]
        figure, axes = rows_figure(len(steps) + 2)
        starts = found.base + np.cumsum([0.0, *(step.amount for step in steps)])
        names = short_names([step.name for step in steps])
        low, high = float(starts.min()), float(starts.max())
        room = 0.16 * ((high - low) or 1.0)
        for row, (step, start, stop) in enumerate(zip(steps, starts[:-1], starts[1:], strict=True)):
            axes.barh(row, step.amount, left=start, height=0.62, color=RAISES if step.amount >= 0 else LOWERS)
            axes.plot([stop, stop], [row, row + 1], color=LINE, linewidth=1, zorder=0)
            right = max(start, stop)
            words = axes.text(right + room / 12, row, signed(step.amount), va="center", ha="left", color=INK)
            words.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0})
        axes.plot([found.base] * 2, [-0.8, 0], color=LINE, linewidth=1, zorder=0)
        axes.axvline(found.base, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        axes.set_xlim(low - room / 2, high + 1.3 * room)
        axes.set_ylim(-0.8, len(steps) + 0.1)
        labels = [f"{name}\n{step.value}" if step.value else name for name, step in zip(names, steps, strict=True)]
        axes.set_yticks(range(len(steps)), labels)
        told = f" = {found.output_in_words}" if found.output_in_words else ""
        head(figure, found.title, f"{scale_title(found.scale)} {printed(found.output)}{told}")
        axes.set_xlabel(scale_title(found.scale), color=SOFT)
        base = f"the dashed line is the base, {printed(found.base)}: {found.base_in_words}"
        foot(figure, f"Blue raises, orange lowers; {base}.")
        plain(axes)
    return figure


def signed(amount: float) -> str:
    """Return an amount with its sign, in figures of its size."""
    return f"{amount:+.3g}".replace("-", "−")


def printed(number: float) -> str:
    """Return a number in four figures, with a minus sign that is one; what only rounding leaves is 0."""
    return f"{0.0 if abs(number) < ROUNDING else number:.4g}".replace("-", "−")


def figure_bytes(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """Return a figure as PNG or SVG data, the same bytes for the same figure."""
    metadata: dict[str, Any] = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    stream = io.BytesIO()
    with drawn_alike():
        figure.savefig(stream, format=kind, dpi=DPI, metadata=metadata, facecolor="white")
    return stream.getvalue()


def write_figure(figure: Figure, stem: Path) -> tuple[Path, Path]:
    """Write a figure as ``<stem>.png`` and ``<stem>.svg`` and return both paths.

    Raises:
        EnvironmentNeeded: the folder cannot be written to.
    """
    return _write(figure, stem, "png"), _write(figure, stem, "svg")


def _write(figure: Figure, stem: Path, kind: Literal["png", "svg"]) -> Path:
    content = figure_bytes(figure, kind)

    def fill(path: Path) -> None:
        path.write_bytes(content)

    return write_atomically(stem.with_name(f"{stem.name}.{kind}"), fill)


@contextmanager
def drawn_alike() -> Iterator[None]:
    """Draw with the same font and settings everywhere, so that figures are the same bytes."""
    with rc_context(), warnings.catch_warnings():
        rcdefaults()
        rcParams.update(_STYLE)
        # A title in a script that the font lacks is drawn as boxes; in the tables beside the figure it stands in full.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        yield


def rows_figure(rows: float) -> tuple[Figure, Axes]:
    """Return a figure with room for as many rows, the names of the inputs on the left."""
    height = 1.85 + ROW_INCHES * rows
    figure = Figure(figsize=(WIDTH, height))
    FigureCanvasAgg(figure)
    bottom, top = 1.2 / height, 1 - 0.6 / height
    return figure, figure.add_axes((NAMES_SHARE, bottom, 0.97 - NAMES_SHARE, top - bottom))


def head(figure: Figure, title: str, line: str) -> None:
    """Write the title and a line below it at the upper left."""
    height = figure.get_figheight()
    figure.text(0.02, 1 - 0.17 / height, title, ha="left", va="top", fontsize=11, color=INK, weight="bold")
    figure.text(0.02, 1 - 0.40 / height, line, ha="left", va="top", color=INK)


def plain(axes: Axes) -> None:
    """Take away what says nothing."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.tick_params(axis="x", color=LINE, labelcolor=SOFT)


def foot(figure: Figure, text: str) -> None:
    """Write at the bottom how the figure is to be read."""
    lines = "\n".join(textwrap.wrap(text, FOOT_CHARACTERS))
    figure.text(0.02, 0.10 / figure.get_figheight(), lines, ha="left", va="bottom", fontsize=8, color=SOFT)
