"""Bring a node before the user's eyes in the application's layout."""

from __future__ import annotations

import slicer


def show_table(table: slicer.vtkMRMLTableNode) -> None:
    """Show a table beside the slice views."""
    application = slicer.app.applicationLogic()
    selection = application.GetSelectionNode()
    selection.SetActiveTableID(table.GetID())
    application.PropagateTableSelection()
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if layout is not None:
        layout.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpTableView)
