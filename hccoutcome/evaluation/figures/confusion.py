"""Confusion matrix."""

from __future__ import annotations

from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hccoutcome.evaluation.classification import Classification
from hccoutcome.evaluation.figures.style import INK, interval_text, new_figure, styled


def draw_confusion(found: Classification, outcome: str = "response", name: str = "") -> Figure:
    """Draw how predicted and actual classes agree: counts, and their part of the actual class.

    Args:
        found: the classes.
        outcome: its name.
        name: of the system, for the title.
    """
    cells = {
        (0, 0): (found.true_positive, found.true_positive + found.false_negative),
        (0, 1): (found.false_negative, found.true_positive + found.false_negative),
        (1, 0): (found.false_positive, found.false_positive + found.true_negative),
        (1, 1): (found.true_negative, found.false_positive + found.true_negative),
    }
    with styled():
        figure = new_figure(2.9)
        axes = figure.add_subplot()
        for (row, column), (count, total) in cells.items():
            share = count / total if total else 0.0
            axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colormaps["Blues"](0.85 * share), edgecolor=INK))
            words = f"{count}\n({100 * share:.0f}%)" if total else "0"
            ink = "white" if share > 0.62 else INK
            axes.text(column + 0.5, row + 0.5, words, ha="center", va="center", fontsize=9, color=ink)
        axes.set(xlim=(0, 2), ylim=(2, 0), xticks=[0.5, 1.5], yticks=[0.5, 1.5], aspect="equal")
        labels = [outcome, f"no {outcome}"]
        axes.set_xticklabels(labels)
        axes.set_yticklabels(labels, rotation=90, va="center")
        axes.set(xlabel="predicted", ylabel="actual")
        if name:
            axes.set_title(name)
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.text(2.12, 1.0, _rates(found), va="center", fontsize=6.5)
    return figure


def _rates(found: Classification) -> str:
    rates = {
        "sensitivity": found.sensitivity,
        "specificity": found.specificity,
        "PPV": found.ppv,
        "NPV": found.npv,
        "accuracy": found.accuracy,
    }
    return "\n\n".join(
        f"{name}\n{interval_text(rate) if rate is not None else 'not defined'}" for name, rate in rates.items()
    )
