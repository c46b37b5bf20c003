"""The beeswarm of a cohort's SHAP values: a row an input, a point a case.

The values of an input run through cividis, whose ends readers with and without colour vision deficiency tell apart.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure

from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.explanation.explanation import Explanation
from hccoutcome.explanation.figures import (
    LINE,
    MOST_INPUTS,
    SOFT,
    drawn_alike,
    foot,
    head,
    plain,
    rows_figure,
)
from hccoutcome.explanation.names import short_names
from hccoutcome.explanation.waterfall import OTHERS
from hccoutcome.explanation.words import METHODS, method_title, scale_title

MISSING = "#9aa5b1"
VALUES = "cividis"


def beeswarm_figure(found: Explanation, title: str, most: int = MOST_INPUTS) -> Figure:
    """Return the SHAP values of all cases: a row an input, a point a case, coloured by the input's value.

    Args:
        found: the explanation.
        title: what was explained.
        most: inputs shown, the most important first; the others that matter at all are summed in a last row.
    """
    with drawn_alike():
        matters = dict(zip(found.names, found.importance > 0, strict=True))
        ranking = [name for name in found.ranking if matters[name]] or list(found.ranking[:1])
        shown = ranking if len(ranking) <= most else ranking[: most - 1]
        places = [found.names.index(name) for name in shown]
        rest = [place for place, name in enumerate(found.names) if matters[name] and place not in places]
        labels = short_names(shown)
        rows = [(found.values[:, place], rank_colours(found.data.iloc[:, place])) for place in places]
        if rest:
            labels.append(f"{len(rest)} {OTHERS}")
            rows.append((found.values[:, rest].sum(axis=1), np.full((len(found.cases), 4), _rgba(MISSING))))
        figure, axes = rows_figure(len(rows) + 2)
        for row, (values, colours) in enumerate(rows):
            axes.axhline(row, color=LINE, linewidth=0.6, zorder=0)
            axes.scatter(values, row + spread(values), s=13, c=colours, linewidths=0, zorder=2)
        axes.axvline(0, color=SOFT, linewidth=0.8, zorder=1)
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.4, -0.6)
        held = "out of fold, " if found.provenance.get("out_of_fold") else ""
        head(figure, title, f"{len(found.cases)} cases, {held}SHAP values, {method_title(found.method)}")
        axes.set_xlabel(f"SHAP value: what the input adds to the {scale_title(found.scale)}", color=SOFT)
        how = METHODS[found.method]
        foot(figure, f"{how[0].upper()}{how[1:]}; background: {found.background}. Grey: missing, text, or a sum.")
        plain(axes)
        _value_legend(figure)
    return figure


def rank_colours(values: pd.Series) -> np.ndarray:
    """Return a colour for each value by its rank among the known ones, shape (n, 4); grey where missing or text.

    A category of the clinical schema counts by its code's number.
    """
    name = str(values.name)
    codes = {code.value: code.number for code in VARIABLES[name].codes} if name in VARIABLES else {}
    numbers = pd.to_numeric(values.map(lambda value: codes.get(value, value)), errors="coerce")
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


def _value_legend(figure: Figure) -> None:
    """Draw what the colours mean below the names of the inputs."""
    height = figure.get_figheight()
    strip = figure.add_axes((0.06, 0.68 / height, 0.14, 0.11 / height))
    strip.imshow(np.linspace(0, 1, 256)[None], aspect="auto", cmap=VALUES)
    strip.set_axis_off()
    for place, words, side in ((0.055, "low", "right"), (0.205, "high value of the input", "left")):
        figure.text(place, 0.735 / height, words, ha=side, va="center", fontsize=8, color=SOFT)


def _rgba(colour: str) -> tuple[float, float, float, float]:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue, 1.0
