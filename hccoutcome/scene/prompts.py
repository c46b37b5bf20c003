"""What a person points at in the scene: a box, clicks or a stroke as a markup, written as a file for a worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import slicer

from hccoutcome.errors import InputError
from hccoutcome.segmentation.prompts import PromptKind

PROMPT_CLASSES: dict[str, PromptKind] = {
    "vtkMRMLMarkupsROINode": "box",
    "vtkMRMLMarkupsFiducialNode": "clicks",
    "vtkMRMLMarkupsCurveNode": "stroke",
    "vtkMRMLMarkupsClosedCurveNode": "stroke",
    "vtkMRMLMarkupsLineNode": "stroke",
}
"""What each kind of markup is for an engine."""
_NEW = {"box": "vtkMRMLMarkupsROINode", "clicks": "vtkMRMLMarkupsFiducialNode", "stroke": "vtkMRMLMarkupsCurveNode"}
_TITLES = {"box": "Box", "clicks": "Clicks", "stroke": "Stroke"}


def kind_of_node(node: slicer.vtkMRMLMarkupsNode | None) -> PromptKind:
    """Return what a markup is for an engine; ``"none"`` where there is none, or nothing was placed in it yet."""
    if node is None or not is_placed(node):
        return "none"
    return PROMPT_CLASSES.get(node.GetClassName(), "none")


def is_placed(node: slicer.vtkMRMLMarkupsNode) -> bool:
    """Say whether a person has drawn anything in a markup."""
    if node.GetClassName() == "vtkMRMLMarkupsROINode":
        return min(node.GetSize()) > 0 and node.GetNumberOfDefinedControlPoints() > 0
    return node.GetNumberOfDefinedControlPoints() > 0


def follow_prompt(node: slicer.vtkMRMLMarkupsNode, changed: Callable[[], None]) -> list[int]:
    """Call back whenever something is drawn in a markup or removed from it; return the observers' tags."""
    events = ("ModifiedEvent", node.PointPositionDefinedEvent, node.PointPositionUndefinedEvent, node.PointRemovedEvent)
    return [node.AddObserver(event, lambda caller, name: changed()) for event in events]


def new_prompt(kind: Literal["box", "clicks", "stroke"], region: str) -> slicer.vtkMRMLMarkupsNode:
    """Return a new markup, into which the next clicks in a slice view go."""
    scene = slicer.mrmlScene
    node = scene.AddNewNodeByClass(_NEW[kind], scene.GenerateUniqueName(f"{_TITLES[kind]}: {region}"))
    node.CreateDefaultDisplayNodes()
    logic = slicer.modules.markups.logic()
    logic.SetActiveList(node)
    logic.StartPlaceMode(kind == "clicks")
    return node


def write_prompt(node: slicer.vtkMRMLMarkupsNode, folder: Path) -> Path:
    """Write a markup as the file that ``hccoutcome.segmentation.markups`` reads, and return it.

    Raises:
        InputError: nothing was placed in it, or it lies under a transform.
    """
    if not is_placed(node):
        raise InputError(f"'{node.GetName()}' was expected to be drawn, found nothing in it: draw it in a slice view.")
    if node.GetParentTransformNode() is not None:
        raise InputError(f"'{node.GetName()}' lies under a transform: harden the transform first.")
    path = folder / "prompt.mrk.json"
    storage = node.CreateDefaultStorageNode()
    storage.UnRegister(None)
    storage.SetFileName(str(path))
    if not storage.WriteData(node):
        raise InputError(f"'{node.GetName()}' could not be written as a markup file: draw it again.")
    return path
