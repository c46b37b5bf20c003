"""Where a case stands in a package's cohort, in the MRML scene: tables, and charts to show beside the images.

A plot node knows no bands, so that limits are dashed lines; curves are drawn through whole months.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import slicer

from hccoutcome.clinical.endpoints import ENDPOINTS
from hccoutcome.explanation.names import short_names
from hccoutcome.package.outlook import LEVELS, Outlook, SurvivalOutlook
from hccoutcome.package.prediction import Prediction
from hccoutcome.report.outlook_words import ordinal, position
from hccoutcome.scene.exchange import Column, node_from_table

ROLE = "outlook"
"""Roles of the nodes begin with it: ``outlook:prime-s-os-late``, ``outlook-groups:prime-s-os-late``."""
GROUPS_CHART, CASE_CHART, INPUTS, INPUTS_CHART = (
    f"{ROLE}-groups",
    f"{ROLE}-case",
    f"{ROLE}-inputs",
    f"{ROLE}-inputs-chart",
)
MONTHS, THIS_CASE, LOWER, UPPER, AT_RISK = "Months", "This case", "lower limit", "upper limit", "at risk"
ROW, PLACE = "Row", "Place"
GROUP_COLOURS = {"low risk": (0.17, 0.42, 0.69), "high risk": (0.75, 0.34, 0.13)}
INK, PALE = (0.09, 0.13, 0.18), (0.55, 0.6, 0.66)
THICK, THIN, LIMIT = 5.0, 2.5, 1.0
DEVIATION_LEVELS = (-2.0, -1.0, 0.0, 1.0, 2.0)

Nodes = dict[str, slicer.vtkMRMLNode]


def survival_columns(found: SurvivalOutlook) -> Mapping[str, Column]:
    """Return one row a month: the cohort's risk groups with limits and numbers at risk, and this case with limits."""
    columns: dict[str, Column] = {MONTHS: [float(month) for month in found.months]}
    for name, curve in found.groups.items():
        title = name.capitalize()
        columns[title] = list(curve.survival)
        columns[f"{title}, {LOWER}"] = list(curve.lower)
        columns[f"{title}, {UPPER}"] = list(curve.upper)
        columns[f"{title}, {AT_RISK}"] = list(curve.at_risk)
    columns[THIS_CASE] = list(found.survival)
    columns[f"{THIS_CASE}, {LOWER}"] = list(found.lower)
    columns[f"{THIS_CASE}, {UPPER}"] = list(found.upper)
    return columns


def input_columns(outlook: Outlook) -> Mapping[str, Column]:
    """Return one row an input that is known: its value, what the package tells of the cohort, and where it lies.

    ``Place`` is the percentile, or how many standard deviations the value lies above the mean; the columns after it
    hold the levels to compare it with.
    """
    inputs = outlook.known_inputs
    by_percentile = all(item.percentile is not None for item in inputs)
    quantiles = [item.cohort.quantiles for item in inputs] if by_percentile else []
    places = [(item.percentile if by_percentile else item.deviations) or 0.0 for item in inputs]
    names = [item.name for item in inputs]
    return {
        ROW: [float(len(inputs) - row) for row in range(len(inputs))],
        "Input": short_names(names),
        "Name": names,
        "Value": [float(item.value or 0.0) for item in inputs],
        "Unit": [item.unit for item in inputs],
        "Where": [position(item) for item in inputs],
        "Cohort, mean": [item.cohort.mean for item in inputs],
        "Cohort, SD": [item.cohort.deviation for item in inputs],
        f"Cohort, {'1st percentile' if by_percentile else 'lowest'}": [item.cohort.low for item in inputs],
        **{
            f"Cohort, {level_title(level)}": [known[place] for known in quantiles]
            for place, level in enumerate(LEVELS[1:-1])
            if quantiles
        },
        f"Cohort, {'99th percentile' if by_percentile else 'highest'}": [item.cohort.high for item in inputs],
        PLACE: places,
        **{level_title(level, by_percentile): [level] * len(inputs) for level in levels(by_percentile)},
    }


def levels(by_percentile: bool) -> tuple[float, ...]:
    """Return the levels that a chart of inputs shows as lines."""
    return LEVELS[1:-1] if by_percentile else DEVIATION_LEVELS


def level_title(level: float, by_percentile: bool = True) -> str:
    """Return what a level is called."""
    if by_percentile:
        return f"{ordinal(round(level))} percentile"
    return "mean" if level == 0 else f"{level:+.0f} SD"


def outlook_nodes(prediction: Prediction, scene: slicer.vtkMRMLScene) -> Nodes:
    """Return the tables, series and charts of a prediction's outlook, by role; they are in the scene."""
    outlook = prediction.outlook
    if outlook is None:
        return {}
    nodes: Nodes = {}
    if outlook.survival is not None:
        nodes.update(_survival_nodes(prediction.title, outlook.survival, scene))
    if outlook.known_inputs:
        nodes.update(_inputs_nodes(prediction.title, outlook, scene))
    return nodes


def _survival_nodes(title: str, found: SurvivalOutlook, scene: slicer.vtkMRMLScene) -> Nodes:
    table = node_from_table(survival_columns(found), f"Survival by {title}", scene)
    groups: Nodes = {}
    for name, curve in found.groups.items():
        own, column = name == found.group, name.capitalize()
        look = {"colour": GROUP_COLOURS[name], "x": MONTHS}
        legend = f"{name} ({curve.cases} patients){', this case' if own else ''}"
        key = f"{ROLE}-series-{name.split()[0]}"
        groups[key] = _line(table, legend, column, scene, width=THICK if own else THIN, **look)
        for limit in (LOWER, UPPER):
            groups[f"{key}-{limit.split()[0]}"] = _line(
                table, f"{name}, {limit}", f"{column}, {limit}", scene, width=LIMIT, dashed=True, **look
            )
    case: Nodes = {f"{ROLE}-series-case": _line(table, "this score", THIS_CASE, scene, MONTHS, INK, THICK)}
    for limit in (LOWER, UPPER):
        case[f"{ROLE}-series-case-{limit.split()[0]}"] = _line(
            table, limit, f"{THIS_CASE}, {limit}", scene, MONTHS, INK, LIMIT, dashed=True
        )
    end = ENDPOINTS.get(found.endpoint, found.endpoint)
    return {
        ROLE: table,
        **groups,
        **case,
        GROUPS_CHART: _chart(f"Risk groups of {title}", f"{end}: {found.group} group", groups, scene, end),
        CASE_CHART: _chart(f"Survival for the score of {title}", f"{end} for this score", case, scene, end),
    }


def _inputs_nodes(title: str, outlook: Outlook, scene: slicer.vtkMRMLScene) -> Nodes:
    columns = input_columns(outlook)
    by_percentile = level_title(LEVELS[1]) in columns
    table = node_from_table(columns, f"Inputs of {title} in its cohort", scene)
    lines: Nodes = {}
    for place, level in enumerate(levels(by_percentile)):
        name, middle = level_title(level, by_percentile), place == len(levels(by_percentile)) // 2
        lines[f"{INPUTS}-level-{place}"] = _line(
            table, name, ROW, scene, name, PALE, THIN if middle else LIMIT, dashed=not middle
        )
    points = _line(table, "this case", ROW, scene, PLACE, INK, THICK)
    points.SetLineStyle(points.LineStyleNone)
    points.SetMarkerStyle(points.MarkerStyleCircle)
    points.SetMarkerSize(12.0)
    points.SetLabelColumnName("Input")
    series = {**lines, f"{INPUTS}-series": points}
    chart = _chart(f"Inputs of {title} in its cohort", "Inputs in the cohort", series, scene)
    chart.SetYAxisRangeAuto(False)
    chart.SetYAxisRange(0.0, len(outlook.known_inputs) + 1.0)
    if by_percentile:
        chart.SetXAxisRangeAuto(False)
        chart.SetXAxisRange(0.0, 100.0)
    chart.SetXAxisTitle(
        "Percentile of the training cohort" if by_percentile else "Standard deviations from the cohort's mean"
    )
    chart.SetYAxisTitle("Row: see the table for the inputs")
    return {INPUTS: table, **series, INPUTS_CHART: chart}


def _line(
    table: slicer.vtkMRMLTableNode,
    name: str,
    column: str,
    scene: slicer.vtkMRMLScene,
    x: str,
    colour: tuple[float, float, float],
    width: float,
    dashed: bool = False,
) -> slicer.vtkMRMLPlotSeriesNode:
    """Return a line through the rows of a table."""
    series = slicer.vtkMRMLPlotSeriesNode()
    series.SetName(name)
    scene.AddNode(series)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetPlotType(series.PlotTypeScatter)
    series.SetXColumnName(x)
    series.SetYColumnName(column)
    series.SetColor(*colour)
    series.SetLineWidth(width)
    series.SetLineStyle(series.LineStyleDash if dashed else series.LineStyleSolid)
    series.SetMarkerStyle(series.MarkerStyleNone)
    return series


def _chart(
    name: str, title: str, series: Mapping[str, Any], scene: slicer.vtkMRMLScene, survived: str = ""
) -> slicer.vtkMRMLPlotChartNode:
    """Return a chart of series; with what is survived, on a scale from 0 to 1 over months."""
    chart = slicer.vtkMRMLPlotChartNode()
    chart.SetName(name)
    scene.AddNode(chart)
    for node in series.values():
        chart.AddAndObservePlotSeriesNodeID(node.GetID())
    chart.SetTitle(title)
    chart.SetLegendVisibility(True)
    if survived:
        chart.SetXAxisTitle("Months")
        chart.SetYAxisTitle(survived)
        chart.SetYAxisRangeAuto(False)
        chart.SetYAxisRange(0.0, 1.0)
    return chart
