"""Figures of an outlook: risk groups and survival, inputs in the cohort; the same bytes for the same values."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hccoutcome.clinical.endpoints import ENDPOINTS
from hccoutcome.explanation.figures import (
    INK,
    LINE,
    LOWERS,
    RAISES,
    SOFT,
    WIDTH,
    drawn_alike,
    figure_bytes,
    foot,
    head,
    plain,
    rows_figure,
    waterfall_figure,
)
from hccoutcome.explanation.names import short_names
from hccoutcome.explanation.waterfall import waterfall_of_prediction
from hccoutcome.findings import Findings
from hccoutcome.package.outlook import InputPlace, Outlook, SurvivalOutlook
from hccoutcome.package.prediction import Prediction
from hccoutcome.report.outlook_words import chances, input_in_words, percent, position

SURVIVAL, INPUTS, WATERFALL = "survival", "inputs", "waterfall"
"""Kinds of figures; a figure is named ``<package>-<kind>``."""
GROUP_COLOURS = {"low risk": RAISES, "high risk": LOWERS}
GROUP_DASHES = {"low risk": "-", "high risk": (0, (5, 1.5))}
OUTSIDE = "#b8233a"
MOST_INPUTS = 25
"""Inputs that a figure shows."""
BAND, MIDDLE = "#e8edf3", "#c3d0de"


def outlook_figures(findings: Findings) -> dict[str, bytes]:
    """Return the figures (SVG) of all predictions of a case by name, ``<package>-<kind>``."""
    figures: dict[str, bytes] = {}
    for prediction in findings.predictions:
        for kind, figure in _figures_of(prediction).items():
            figures[f"{prediction.package}-{kind}"] = figure_bytes(figure, "svg")
    return figures


def _figures_of(prediction: Prediction) -> dict[str, Figure]:
    figures, outlook = {}, prediction.outlook
    if outlook is not None and outlook.survival is not None:
        figures[SURVIVAL] = survival_figure(prediction.title, outlook, outlook.survival)
    if outlook is not None and outlook.known_inputs:
        figures[INPUTS] = inputs_figure(prediction.title, outlook)
    waterfall = waterfall_of_prediction(prediction)
    if waterfall is not None:
        figures[WATERFALL] = waterfall_figure(waterfall)
    return figures


# --- survival


def survival_figure(title: str, outlook: Outlook, found: SurvivalOutlook) -> Figure:
    """Return the cohort's risk groups with numbers at risk, and beside them survival for the score of this case."""
    with drawn_alike():
        figure = Figure(figsize=(WIDTH, 5.2))
        FigureCanvasAgg(figure)
        head(figure, title, f"{ENDPOINTS.get(found.endpoint, found.endpoint)}: {found.group} group")
        groups = figure.add_axes((0.09, 0.42, 0.40, 0.42))
        case = figure.add_axes((0.57, 0.42, 0.41, 0.42), sharey=groups)
        _draw_groups(groups, found)
        _draw_case(case, found)
        for axes in (groups, case):
            axes.set(xlim=(0, found.months[-1]), ylim=(0, 1.02), xticks=_ticks(found.months))
            axes.set_xlabel("months", color=SOFT)
            axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}%")
            plain(axes)
        _numbers_at_risk(figure, groups, found)
        foot(
            figure,
            f"Training cohort: {outlook.cohort}. Left: Kaplan-Meier curves of its risk groups, that of this case drawn "
            "heavily. Right: survival for patients with the score of this case, by Cox's model of the score. Bands are "
            f"95% intervals of the estimates, not of one patient's time. {found.source}",
        )
    return figure


def _draw_groups(axes: Axes, found: SurvivalOutlook) -> None:
    axes.set_title("Risk groups of the training cohort", loc="left", fontsize=9, color=INK)
    for name, curve in found.groups.items():
        own, colour = name == found.group, GROUP_COLOURS[name]
        axes.fill_between(found.months, curve.lower, curve.upper, step="post", color=colour, alpha=0.15, linewidth=0)
        axes.step(
            found.months,
            curve.survival,
            where="post",
            color=colour,
            linestyle=GROUP_DASHES[name],
            linewidth=2.6 if own else 1.2,
            label=f"{name}{', this case' if own else ''}",
        )
    axes.legend(loc="lower left", frameon=False, fontsize=8)


def _draw_case(axes: Axes, found: SurvivalOutlook) -> None:
    axes.set_title("Patients with the score of this case", loc="left", fontsize=9, color=INK)
    axes.fill_between(found.months, found.lower, found.upper, step="post", color=SOFT, alpha=0.2, linewidth=0)
    axes.step(found.months, found.survival, where="post", color=INK, linewidth=2)
    told = chances(found)
    axes.plot([chance.month for chance in told], [chance.survival for chance in told], "o", color=INK, markersize=4)
    lines = [
        f"{chance.month} months: {percent(chance.survival)} ({percent(chance.lower)} to {percent(chance.upper)})"
        for chance in told
    ]
    low = found.survival[-1] < 0.5
    axes.text(
        0.98 if low else 0.03,
        0.97 if low else 0.04,
        "\n".join(lines),
        transform=axes.transAxes,
        ha="right" if low else "left",
        va="top" if low else "bottom",
        fontsize=8,
        color=INK,
    )


def _numbers_at_risk(figure: Figure, axes: Axes, found: SurvivalOutlook) -> None:
    """Write how many of each group are at risk below the ticks."""
    box = axes.get_position()
    figure.text(0.02, box.y0 - 0.125, "number at risk", fontsize=7.5, color=SOFT)
    for row, (name, curve) in enumerate(found.groups.items()):
        height = box.y0 - 0.16 - 0.033 * row
        figure.text(0.02, height, name.removesuffix(" risk"), fontsize=7.5, color=GROUP_COLOURS[name])
        for month in _ticks(found.months):
            place = box.x0 + box.width * month / max(found.months[-1], 1)
            figure.text(place, height, str(curve.at_risk[month]), fontsize=7.5, ha="center", color=INK)


def _ticks(months: Sequence[int]) -> list[int]:
    step = next((step for step in (1, 2, 3, 6, 12, 24, 36, 60) if months[-1] / step <= 6), 120)
    return list(range(0, months[-1] + 1, step))


# --- inputs


def inputs_figure(title: str, outlook: Outlook) -> Figure:
    """Return where each numeric input of the case lies in the cohort: by percentiles, or by standard deviations."""
    by_percentile = all(item.percentile is not None for item in outlook.known_inputs)
    inputs = _furthest(outlook.known_inputs, by_percentile)[::-1]
    with drawn_alike():
        figure, axes = rows_figure(len(inputs) + 1)
        places = [_place(item, by_percentile) for item in inputs]
        _draw_scale(axes, places, by_percentile)
        names = short_names([item.name for item in inputs])
        for row, (item, place) in enumerate(zip(inputs, places, strict=True)):
            axes.plot([place], [row], "D" if item.is_outside else "o", color=OUTSIDE if item.is_outside else INK)
        labels = [f"{name}\n{_value(item)}, {position(item)}" for name, item in zip(names, inputs, strict=True)]
        axes.set_yticks(range(len(inputs)), labels)
        axes.set_ylim(-0.6, len(inputs) - 0.4)
        head(figure, title, f"The case's values among those of the training cohort ({outlook.cases} patients)")
        foot(figure, _how_to_read(outlook, len(inputs), by_percentile))
        plain(axes)
    return figure


def _place(item: InputPlace, by_percentile: bool) -> float:
    return float((item.percentile if by_percentile else item.deviations) or 0.0)


def _furthest(inputs: Sequence[InputPlace], by_percentile: bool) -> tuple[InputPlace, ...]:
    """Return the inputs in their order; of too many those furthest from the cohort's middle."""
    if len(inputs) <= MOST_INPUTS:
        return tuple(inputs)
    middle = 50.0 if by_percentile else 0.0
    furthest = sorted(inputs, key=lambda item: -abs(_place(item, by_percentile) - middle))[:MOST_INPUTS]
    return tuple(item for item in inputs if item in furthest)


def _value(item: InputPlace) -> str:
    return input_in_words(item).rpartition(f"{short_names([item.name])[0]} ")[2]


def _draw_scale(axes: Axes, places: Sequence[float], by_percentile: bool) -> None:
    if by_percentile:
        axes.axvspan(5, 95, color=BAND, zorder=0)
        axes.axvspan(25, 75, color=MIDDLE, zorder=0)
        axes.axvline(50, color="white", linewidth=1.5, zorder=1)
        axes.set_xlim(-3, 103)
        axes.set_xticks([1, 5, 25, 50, 75, 95, 99], ["1", "5", "25", "50", "75", "95", "99"])
        axes.set_xlabel("percentile of the training cohort", color=SOFT)
        return
    axes.axvspan(-2, 2, color=BAND, zorder=0)
    axes.axvspan(-1, 1, color=MIDDLE, zorder=0)
    axes.axvline(0, color="white", linewidth=1.5, zorder=1)
    furthest = max(3.0, *(math.ceil(1.1 * abs(place)) for place in places))
    axes.set_xlim(-furthest, furthest)
    axes.axvline(0, color=LINE, linewidth=0.5)
    axes.set_xlabel("standard deviations from the cohort's mean", color=SOFT)


def _how_to_read(outlook: Outlook, shown: int, by_percentile: bool) -> str:
    missing, closer = len(outlook.inputs) - len(outlook.known_inputs), len(outlook.known_inputs) - shown
    besides = f" {missing} missing input{'s are' if missing > 1 else ' is'} not shown." if missing else ""
    besides += f" {closer} more lie closer to the middle." if closer else ""
    if by_percentile:
        return (
            f"Training cohort: {outlook.cohort}. Dark band: its middle half; pale band: the middle 90%. Percentiles "
            "are interpolated between the 1st, 5th, 25th, 50th, 75th, 95th and 99th, which the package tells; a red "
            f"diamond lies outside of the middle 98%.{besides}"
        )
    return (
        f"Cohort: {outlook.cohort}. Dark band: within one standard deviation of its mean; pale band: within two. "
        f"A red diamond lies outside of the cohort's lowest and highest value.{besides}"
    )
