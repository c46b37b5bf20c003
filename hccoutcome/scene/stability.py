"""Stability in the MRML scene: the table of a cohort or a case, and the masks of a perturbation study over its image.

The table node is for the eye; the text node beside it holds the same table with its thresholds and sources, and is what
``stability_in`` reads back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk
import slicer
from matplotlib import colormaps

from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import Geometry
from hccoutcome.report.wording import phase_title
from hccoutcome.scene.appearance import TUMOUR_COLOUR, appearance, window_level
from hccoutcome.scene.exchange import Column, node_from_image, node_from_table, segment_from_mask
from hccoutcome.scene.host import start_host
from hccoutcome.scene.nodes import (
    CASE,
    IMAGE,
    PHASE,
    ROLE,
    CaseNodes,
    mark,
    nodes_of,
    place,
    remove,
    remove_case,
    study_of,
)
from hccoutcome.scene.places import largest_section
from hccoutcome.scene.views import show_case
from hccoutcome.stability.inspection import PerturbedCase, on_whole_grid
from hccoutcome.stability.table import StabilityTable

COHORT = "HCC.cohort"
"""Attribute of nodes and of the folder that belong to a cohort and to no case."""
TABLE, SOURCE = "stability", "stability:source"
MASKS, DONE = "perturbations", "perturbations:table"
UNNAMED = "image"
"""What an image is called in the scene whose phase nobody stated."""
_COLOURS = "viridis"


def add_stability(table: StabilityTable, nodes: CaseNodes) -> CaseNodes:
    """Put a stability table beside a case in the scene; return the case's nodes with it. An earlier one is replaced."""
    remove(nodes.scene, [node for role, node in nodes.findings.items() if role in (TABLE, SOURCE)])
    added = _table_nodes(table, nodes.scene)
    for role, node in added.items():
        mark(node, nodes.case_id, role)
    place(nodes.scene, study_of(nodes.scene, nodes.case_id, nodes.case_id), added.values())
    return nodes_of(nodes.scene, nodes.case_id)


def add_cohort_stability(table: StabilityTable, cohort: str) -> dict[str, slicer.vtkMRMLNode]:
    """Put the stability table of a cohort into the scene, in a folder of its name; return the nodes by role.

    An earlier one of that cohort is replaced.
    """
    scene = start_host()
    remove(scene, [node for node in _marked(scene) if node.GetAttribute(COHORT) == cohort])
    added = _table_nodes(table, scene)
    for role, node in added.items():
        node.SetAttribute(COHORT, cohort)
        node.SetAttribute(ROLE, role)
    place(scene, _folder(scene, cohort), added.values())
    return added


def stability_in(scene: slicer.vtkMRMLScene) -> dict[str, StabilityTable]:
    """Return all stability tables of a scene by the name of their case or cohort.

    Raises:
        InputError: the text of one is no stability table any more.
    """
    found = {}
    for node in _marked(scene):
        if node.GetAttribute(ROLE) == SOURCE:
            owner = node.GetAttribute(COHORT) or node.GetAttribute(CASE)
            found[owner] = _read(node.GetText(), owner)
    return found


def add_perturbations(study: PerturbedCase) -> CaseNodes:
    """Put a case into the scene with its outline, its perturbed outlines as named segments, and what was measured.

    The segments lie on the grid of the image. An earlier version of the case is replaced.
    """
    scene = start_host()
    remove_case(scene, study.subject)
    volume = _add_image(study, scene)
    added = {MASKS: _add_masks(study, volume, scene), DONE: _add_rows(study.rows, scene)}
    for role, node in added.items():
        mark(node, study.subject, role)
    place(scene, study_of(scene, study.subject, study.subject), [volume, *added.values()])
    nodes = add_stability(study.table, nodes_of(scene, study.subject))
    show_case(nodes, volume.GetAttribute(PHASE), largest_section(study.mask))
    return nodes


def _table_nodes(table: StabilityTable, scene: slicer.vtkMRMLScene) -> dict[str, slicer.vtkMRMLNode]:
    text = slicer.vtkMRMLTextNode()
    text.SetName("Feature stability: thresholds and sources")
    text.SetText(json.dumps(table.to_dict(), indent=2, allow_nan=False))
    text.SetForceCreateStorageNode(slicer.vtkMRMLTextNode.CreateStorageNodeAlways)
    scene.AddNode(text)
    return {TABLE: node_from_table(stability_columns(table), "Feature stability", scene), SOURCE: text}


def stability_columns(table: StabilityTable) -> dict[str, Column]:
    """Return a stability table as columns: those of its CSV file, and what was not defined and why."""
    rows = table.rows()
    numbers = [name for name in rows[0] if name not in ("feature", "stable")] if rows else []
    return {
        "feature": [row["feature"] for row in rows],
        **{name: _numbers([row[name] for row in rows]) for name in numbers},
        "stable": [row["stable"] for row in rows],
        "subjects": np.array([item.subjects for item in table.features], dtype=np.int64),
        "reason": [item.reason for item in table.features],
    }


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array([math.nan if value is None else value for value in values], dtype=float)


def _read(text: str, owner: str) -> StabilityTable:
    try:
        raw = json.loads(text)
    except json.JSONDecodeError:
        raise InputError(f"The stability table of '{owner}' in the scene was changed: add it again.") from None
    return StabilityTable.from_dict(raw, f"The stability table of '{owner}' in the scene")


def _add_image(study: PerturbedCase, scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLScalarVolumeNode:
    volume = node_from_image(study.image, phase_title(study.phase) if study.phase else "Image", scene)
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(*window_level(sitk.GetArrayViewFromImage(study.image), None))
    mark(volume, study.subject, IMAGE, study.phase or UNNAMED)
    return volume


def _add_masks(
    study: PerturbedCase, volume: slicer.vtkMRMLScalarVolumeNode, scene: slicer.vtkMRMLScene
) -> slicer.vtkMRMLSegmentationNode:
    """Return the segmentation of the outline as it is, filled, and of the perturbed ones, outlined in other colours."""
    segmentation = slicer.vtkMRMLSegmentationNode()
    segmentation.SetName("Perturbations")
    scene.AddNode(segmentation)
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    display, terminology = segmentation.GetDisplayNode(), appearance(study.region or "tumor").terminology
    grid = Geometry.from_image(study.mask)
    for number, shown in enumerate((None, *study.masks)):
        mask = study.mask if shown is None else on_whole_grid(shown.mask, grid)
        identifier = "original" if shown is None else f"perturbation{shown.index:03d}"
        segment = segment_from_mask(mask, "Original outline" if shown is None else shown.name)
        segment.SetColor(*(TUMOUR_COLOUR if shown is None else _colour(number - 1, len(study.masks))))
        if study.region:
            segment.SetTerminology(terminology)
        segmentation.GetSegmentation().AddSegment(segment, identifier)
        display.SetSegmentVisibility2DFill(identifier, shown is None)
        display.SetSegmentOpacity2DFill(identifier, 0.3)
        display.SetSegmentVisibility3D(identifier, shown is None)
    return segmentation


def _colour(number: int, count: int) -> tuple[float, float, float]:
    red, green, blue, _ = colormaps[_COLOURS]((number + 0.5) / count)
    return float(red), float(green), float(blue)


def _add_rows(rows: Sequence[Mapping[str, Any]], scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLTableNode:
    columns: dict[str, Column] = {
        name: ["" if row[name] is None else str(row[name]) for row in rows]
        if name == "failure"
        else _numbers([row[name] for row in rows])
        for name in rows[0]
    }
    columns["perturbation"] = np.array([row["perturbation"] for row in rows], dtype=np.int64)
    return node_from_table(columns, "Perturbations", scene)


def _marked(scene: slicer.vtkMRMLScene) -> list[slicer.vtkMRMLNode]:
    nodes = (scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes()))
    return [node for node in nodes if node.GetAttribute(COHORT) or node.GetAttribute(CASE)]


def _folder(scene: slicer.vtkMRMLScene, cohort: str) -> int:
    """Return the subject hierarchy folder of a cohort; it is made where it is missing."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.GetItemChildWithName(hierarchy.GetSceneItemID(), cohort)
    if item and hierarchy.GetItemAttribute(item, COHORT) == cohort:
        return int(item)
    item = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), cohort)
    hierarchy.SetItemAttribute(item, COHORT, cohort)
    return int(item)
