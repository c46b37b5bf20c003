"""What a score is made of, in the MRML scene: a table from the base to the score, and a chart of its steps.

A plot node knows neither floating bars nor colours of single bars. So the chart has a series of bars for what raises
and one for what lowers the score, in the colours of the figures, and a line through what is reached after each step.
"""

from __future__ import annotations

from collections.abc import Mapping

import slicer

from hccoutcome.explanation.names import short_names
from hccoutcome.explanation.palette import LOWERS, MOST_INPUTS, RAISES, SOFT
from hccoutcome.explanation.waterfall import Waterfall
from hccoutcome.explanation.words import scale_title
from hccoutcome.scene.exchange import Column, node_from_table

ROLE = "waterfall"
"""Roles of the nodes begin with it: ``waterfall:radscore-tace-ct``, ``waterfall-chart:radscore-tace-ct``."""
STEP, NAME, RAISED, LOWERED, REACHED = "Step", "Input", "Raises", "Lowers", "Reached"


def waterfall_columns(found: Waterfall, most: int | None = None) -> Mapping[str, Column]:
    """Return one row a step, from the base to the largest step, as the figure shows them from the bottom to the top."""
    most = MOST_INPUTS if most is None else most
    steps = found.largest_first(most)[::-1]
    amounts = [0.0, *(step.amount for step in steps)]
    reached = [found.base]
    for amount in amounts[1:]:
        reached.append(reached[-1] + amount)
    return {
        STEP: [float(place) for place in range(len(amounts))],
        NAME: ["base", *short_names([step.name for step in steps])],
        "Name": ["", *(step.name for step in steps)],
        "Value": [found.base_in_words, *(step.value for step in steps)],
        RAISED: [max(amount, 0.0) for amount in amounts],
        LOWERED: [min(amount, 0.0) for amount in amounts],
        REACHED: reached,
    }


def waterfall_nodes(found: Waterfall, scene: slicer.vtkMRMLScene) -> dict[str, slicer.vtkMRMLNode]:
    """Return the table, the three series and the chart of a waterfall, by role; they are in the scene."""
    table = node_from_table(waterfall_columns(found), f"What {found.title} is made of", scene)
    kinds = slicer.vtkMRMLPlotSeriesNode
    series = {
        "raises": _series("raises", table, RAISED, kinds.PlotTypeScatterBar, RAISES, scene),
        "lowers": _series("lowers", table, LOWERED, kinds.PlotTypeScatterBar, LOWERS, scene),
        "reached": _series("reached", table, REACHED, kinds.PlotTypeScatter, SOFT, scene),
    }
    chart = slicer.vtkMRMLPlotChartNode()
    chart.SetName(f"What {found.title} is made of")
    scene.AddNode(chart)
    for node in series.values():
        chart.AddAndObservePlotSeriesNodeID(node.GetID())
    chart.SetTitle(f"{found.title}: {scale_title(found.scale)} {found.output:.4g}")
    chart.SetXAxisTitle("Step: see the table for the inputs")
    chart.SetYAxisTitle(scale_title(found.scale))
    chart.SetLegendVisibility(True)
    return {ROLE: table, f"{ROLE}-chart": chart, **{f"{ROLE}-{name}": node for name, node in series.items()}}


def _series(
    name: str, table: slicer.vtkMRMLTableNode, column: str, kind: int, colour: str, scene: slicer.vtkMRMLScene
) -> slicer.vtkMRMLPlotSeriesNode:
    series = slicer.vtkMRMLPlotSeriesNode()
    series.SetName(name)
    scene.AddNode(series)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetPlotType(kind)
    series.SetXColumnName(STEP)
    series.SetYColumnName(column)
    series.SetLabelColumnName(NAME)
    series.SetColor(*(int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)))
    series.SetLineStyle(series.LineStyleDash)
    series.SetMarkerStyle(series.MarkerStyleCircle)
    return series
