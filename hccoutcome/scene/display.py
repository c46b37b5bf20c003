"""Bring a node before the user's eyes in the application's layout."""

from __future__ import annotations

import slicer

from hccoutcome.scene.views import SLICE_VIEWS


def show_table(table: slicer.vtkMRMLTableNode) -> None:
    """Show a table beside the slice views."""
    application = slicer.app.applicationLogic()
    selection = application.GetSelectionNode()
    selection.SetActiveTableID(table.GetID())
    application.PropagateTableSelection()
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if layout is not None:
        layout.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpTableView)


def show_chart(chart: slicer.vtkMRMLPlotChartNode) -> None:
    """Show a chart beside the slice views: the layout keeps the images and gets a plot view where it has none."""
    slicer.modules.plots.logic().ShowChartInLayout(chart)


def show_map(volume: slicer.vtkMRMLScalarVolumeNode, point: tuple[float, float, float]) -> None:
    """Show a volume in the slice views at a point (RAS), so that what is drawn over it there can be seen."""
    scene = volume.GetScene()
    for name in SLICE_VIEWS:
        layers = scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")
        if layers is not None:
            layers.SetBackgroundVolumeID(volume.GetID())
        view = scene.GetSingletonNode(name, "vtkMRMLSliceNode")
        if view is not None:
            view.JumpSliceByCentering(*point)
