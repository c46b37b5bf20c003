"""What lies beside the images when a saved scene is opened: a chart, in the layout that has room for one."""

from __future__ import annotations

import slicer

from hccoutcome.findings import Findings
from hccoutcome.scene.explanation import ROLE as WATERFALL
from hccoutcome.scene.nodes import CaseNodes
from hccoutcome.scene.outlook import CASE_CHART, GROUPS_CHART, INPUTS_CHART

PLOT_VIEW = "PlotView1"
"""Name of the plot view in Slicer's layouts of slices and a plot."""
CHARTS = {
    GROUPS_CHART: "Risk groups of the training cohort",
    CASE_CHART: "Survival for this score",
    f"{WATERFALL}-chart": "What the score is made of",
    INPUTS_CHART: "Inputs in the training cohort",
    "chart": "Contributions",
}
"""Title by role, in reading order; the last shows the same as the waterfall, for scores that have none."""


def charts_of(nodes: CaseNodes, package: str) -> dict[str, slicer.vtkMRMLPlotChartNode]:
    """Return the charts of one package's score by title, in reading order."""
    found = {role: nodes.findings.get(f"{role}:{package}") for role in CHARTS}
    if found[f"{WATERFALL}-chart"] is not None:
        found["chart"] = None
    return {CHARTS[role]: node for role, node in found.items() if node is not None and node.GetScene() is not None}


def first_chart(findings: Findings, nodes: CaseNodes) -> slicer.vtkMRMLPlotChartNode | None:
    """Return the chart to show first: one with risk groups where any package has them, or else any of a prediction."""
    charts = [chart for item in findings.predictions for chart in charts_of(nodes, item.package).items()]
    titles = list(CHARTS.values())
    return min(charts, key=lambda chart: titles.index(chart[0]))[1] if charts else None


def open_with_chart(scene: slicer.vtkMRMLScene, chart: slicer.vtkMRMLPlotChartNode | None) -> None:
    """Let a scene, once saved, open with a chart beside the slice views; without one, with the slice views alone.

    For a scene outside of the application, whose layout nobody has chosen. Slicer's own layout logic makes the nodes
    of the views.
    """
    logic = slicer.vtkMRMLLayoutLogic()
    logic.SetMRMLScene(scene)
    layout = logic.GetLayoutNode()
    layout.SetViewArrangement(layout.SlicerLayoutFourUpView if chart is None else layout.SlicerLayoutFourUpPlotView)
    logic.SetMRMLScene(None)
    view = scene.GetSingletonNode(PLOT_VIEW, "vtkMRMLPlotViewNode")
    if view is not None:
        view.SetPlotChartNodeID(None if chart is None else chart.GetID())
