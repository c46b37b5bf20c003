"""ROC curves."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from hccoutcome.evaluation.discrimination import RocBand, RocCurve
from hccoutcome.evaluation.figures.style import (
    COLOURS,
    DASHES,
    LINE,
    check_count,
    diagonal,
    interval_text,
    legend_above,
    new_figure,
    styled,
)


def draw_roc(curves: Mapping[str, RocCurve], bands: Mapping[str, RocBand] | None = None) -> Figure:
    """Draw ROC curves with their AUC and interval in the legend, and a band where there is one.

    Args:
        curves: by the name for the legend.
        bands: by the same names.

    Raises:
        InputError: no curve, or more than six.
    """
    check_count(len(curves), len(COLOURS), "curves")
    with styled():
        figure = new_figure(3.2 + LINE * (1 + len(curves)))
        axes = figure.add_subplot()
        diagonal(axes)
        for (name, curve), colour, dashes in zip(curves.items(), COLOURS, DASHES, strict=False):
            label = f"{name}: {interval_text(curve.auc)}"
            axes.plot(1 - curve.specificity, curve.sensitivity, color=colour, linestyle=dashes, label=label)
            if bands and name in bands:
                band = bands[name]
                axes.fill_between(1 - band.specificity, band.lower, band.upper, color=colour, alpha=0.15, linewidth=0)
        level = next(iter(curves.values())).auc.level
        axes.set(xlabel="1 - specificity", ylabel="sensitivity", aspect="equal")
        legend_above(axes, f"AUC ({100 * level:g}% CI)")
    return figure
