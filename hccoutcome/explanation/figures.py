"""Beeswarm and waterfall: the figures of an explanation, as PNG and SVG, the same bytes for the same values.

Blue raises and orange lowers, which readers with and without colour vision deficiency tell apart, and every amount has
its sign; the values of an input run through cividis. Names are shortened by the rule of ``explanation.names``.
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
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hccoutcome.explanation.explanation import METHODS, Explanation
from hccoutcome.explanation.names import short_names
from hccoutcome.explanation.waterfall import OTHERS, Waterfall
from hccoutcome.files import write_atomically

RAISES, LOWERS, INK, SOFT, LINE = "#2b6cb0", "#c05621", "#16202e", "#556172", "#c9d2de"
MISSING = "#9aa5b1"
VALUES = "cividis"
MOST_INPUTS = 15
ROW_INCHES = 0.42
DPI = 150
WIDTH = 9.0
NAMES_SHARE = 0.40
"""Part of the width that the names of the inputs take."""
SCALES = {
    "log-odds": "log-odds",
    "probability": "probability",
    "risk": "risk (higher is worse)",
}
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "svg.hashsalt": "hccoutcome",
    "svg.fonttype": "path",
    "text.parse_math": False,
    "axes.unicode_minus": True,
}


def scale_title(scale: str) -> str:
    """Return what an axis of a scale is called."""
    return SCALES.get(scale, scale)


def waterfall_figure(found: Waterfall, most: int = MOST_INPUTS) -> Figure:
    """Return the waterfall of one case: from the base at the bottom to the output at the top.

    Args:
        found: the waterfall.
        most: inputs shown; the others become one last step, at the bottom.
    """
    with _style():
        steps = found.largest_first(most)[::-1]
        figure, axes = _figure(len(steps) + 2)
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
        _head(figure, found.title, f"{scale_title(found.scale)} {printed(found.output)}{told}")
        base = f"base {printed(found.base)}: {found.base_in_words}"
        axes.set_xlabel(
            f"{scale_title(found.scale)}; blue raises, orange lowers; the dashed line is the\n{_wrapped(base, 78)}",
            color=SOFT,
        )
        _plain(axes)
    return figure


def beeswarm_figure(found: Explanation, title: str, most: int = MOST_INPUTS) -> Figure:
    """Return the SHAP values of all cases: a row an input, a point a case, coloured by the input's value.

    Args:
        found: the explanation.
        title: what was explained.
        most: inputs shown, the most important first; the others are summed in a last row.
    """
    with _style():
        ranking = [name for name in found.ranking]
        shown = ranking if len(ranking) <= most else ranking[: most - 1]
        places = [found.names.index(name) for name in shown]
        rest = [place for place in range(len(found.names)) if place not in places]
        labels = short_names(shown)
        rows = [(found.values[:, place], rank_colours(found.data.iloc[:, place])) for place in places]
        if rest:
            labels.append(f"{len(rest)} {OTHERS}")
            rows.append((found.values[:, rest].sum(axis=1), np.full((len(found.cases), 4), _rgba(MISSING))))
        figure, axes = _figure(len(rows) + 2)
        for row, (values, colours) in enumerate(rows):
            axes.axhline(row, color=LINE, linewidth=0.6, zorder=0)
            axes.scatter(values, row + spread(values), s=13, c=colours, linewidths=0, zorder=2)
        axes.axvline(0, color=SOFT, linewidth=0.8, zorder=1)
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.4, -0.6)
        held = "out of fold, " if found.provenance.get("out_of_fold") else ""
        _head(figure, title, f"{len(found.cases)} cases, {held}{found.method} SHAP values")
        how = f"{METHODS[found.method]}; background: {found.background}"
        axes.set_xlabel(
            f"SHAP value: what the input adds to the {scale_title(found.scale)}\n{_wrapped(how, 78)}", color=SOFT
        )
        _plain(axes)
        _value_legend(figure, axes)
    return figure


def rank_colours(values: Any) -> np.ndarray:
    """Return a colour for each value by its rank among the known ones, shape (n, 4); grey where missing or text."""
    numbers = pd.to_numeric(pd.Series(values), errors="coerce")
    ranks = numbers.rank(pct=True, method="average").to_numpy(dtype=float)
    low, high = np.nanmin(ranks, initial=1.0), np.nanmax(ranks, initial=0.0)
    share = (ranks - low) / (high - low) if high > low else np.full(len(ranks), 0.5)
    colours = colormaps[VALUES](np.nan_to_num(share))
    colours[np.isnan(ranks)] = _rgba(MISSING)
    return colours


def spread(values: np.ndarray, bins: int = 120, step: float = 0.055, most: float = 0.38) -> np.ndarray:
    """Return offsets that set points of about one value one above the other, in the order of the cases.

    Args:
        values: places along the axis, shape (n,).
        bins: how many places along the axis are told apart.
        step: distance of points of one place, in rows.
        most: largest offset, in rows.
    """
    if not len(values):
        return np.zeros(0)
    low, high = float(values.min()), float(values.max())
    places = np.zeros(len(values), int) if high == low else np.floor((values - low) / (high - low) * bins).astype(int)
    offsets = np.zeros(len(values))
    for place in np.unique(places):
        members = np.flatnonzero(places == place)
        layers = np.arange(len(members))
        sides = np.where(layers % 2, 1.0, -1.0) * ((layers + 1) // 2)
        width = min(step, most / max(1, int(np.abs(sides).max(initial=1))))
        offsets[members] = sides * width
    return offsets


def signed(amount: float) -> str:
    """Return an amount with its sign, in figures of its size."""
    return f"{amount:+.3g}".replace("-", "−")


def printed(number: float) -> str:
    """Return a number in four figures, with a minus sign that is one."""
    return f"{number:.4g}".replace("-", "−")


def figure_bytes(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """Return a figure as PNG or SVG data, the same bytes for the same figure."""
    metadata: dict[str, Any] = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    stream = io.BytesIO()
    with _style():
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
def _style() -> Iterator[None]:
    with rc_context(_STYLE), warnings.catch_warnings():
        # A title in a script that the font lacks is drawn as boxes; in the tables beside the figure it stands in full.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        yield


def _figure(rows: float) -> tuple[Figure, Axes]:
    """Return a figure with room for as many rows, the names of the inputs on the left."""
    height = 1.6 + ROW_INCHES * rows
    figure = Figure(figsize=(WIDTH, height))
    FigureCanvasAgg(figure)
    bottom, top = 0.95 / height, 1 - 0.6 / height
    return figure, figure.add_axes((NAMES_SHARE, bottom, 0.97 - NAMES_SHARE, top - bottom))


def _head(figure: Figure, title: str, line: str) -> None:
    """Write the title and a line below it at the upper left."""
    height = figure.get_figheight()
    figure.text(0.02, 1 - 0.17 / height, title, ha="left", va="top", fontsize=11, color=INK, weight="bold")
    figure.text(0.02, 1 - 0.40 / height, line, ha="left", va="top", color=INK)


def _plain(axes: Axes) -> None:
    """Take away what says nothing."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.tick_params(axis="x", color=LINE, labelcolor=SOFT)


def _value_legend(figure: Figure, axes: Axes) -> None:
    """Draw what the colours mean below the names of the inputs."""
    height = figure.get_figheight()
    strip = figure.add_axes((0.06, 0.42 / height, 0.16, 0.11 / height))
    strip.imshow(np.linspace(0, 1, 256)[None], aspect="auto", cmap=VALUES)
    strip.set_axis_off()
    for place, words, side in ((0.055, "low", "right"), (0.225, "high value of the input", "left")):
        figure.text(place, 0.475 / height, words, ha=side, va="center", fontsize=8, color=SOFT)
    figure.text(0.06, 0.22 / height, "grey: missing, text, or a sum", ha="left", va="center", fontsize=8, color=SOFT)


def _rgba(colour: str) -> tuple[float, float, float, float]:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue, 1.0


def _wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width)) or text
