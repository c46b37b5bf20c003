"""Habitats in the MRML scene: a segmentation beside the tumour, tables, the elbow as a chart, registration checks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk
import slicer

from hccoutcome.habitat.result import HabitatResult, result_of
from hccoutcome.imaging.geometry import same_lattice
from hccoutcome.report.wording import phase_title
from hccoutcome.scene.appearance import appearance
from hccoutcome.scene.exchange import empty_grid, node_from_image, node_from_table, oriented_grid, segment_from_mask
from hccoutcome.scene.nodes import CaseNodes, find_case_nodes, mark, nodes_of, place, remove, study_of

if TYPE_CHECKING:
    from hccoutcome.habitat.habitats import Habitats
    from hccoutcome.habitat.preparation import RegistrationCheck

ROLE = "habitats"
"""Role of the segmentation; those of the other nodes begin with it."""
MAP_OPACITY = 0.5
TUMOUR_OPACITY = 0.2
"""Opacity of the tumour's surface around its habitats."""


@dataclass(frozen=True)
class HabitatNodes:
    """The habitats of one case as they lie in the scene.

    Attributes:
        segmentation: one segment for each habitat, ``habitat1`` and so on.
        summary: ``HabitatResult.summary``.
        provenance: ``HabitatResult.provenance``, empty where not known.
        chart: the elbow.
        nodes: every node of the habitats by role without its beginning ``habitats:``.
    """

    segmentation: slicer.vtkMRMLSegmentationNode
    summary: Mapping[str, Any]
    provenance: Mapping[str, Any]
    chart: slicer.vtkMRMLPlotChartNode
    nodes: Mapping[str, slicer.vtkMRMLNode]


def add_habitats(
    habitats: Habitats,
    nodes: CaseNodes,
    region: str = "tumor",
    checks: Sequence[RegistrationCheck] = (),
    provenance: Mapping[str, Any] | None = None,
) -> CaseNodes:
    """Put habitats beside a case in the scene; return the case's nodes with them. Earlier ones are replaced.

    Args:
        habitats: the habitats of one region.
        nodes: the case, whose images the habitats were found in.
        region: the region that they divide; its surface becomes transparent and its slices are outlined only.
        checks: registration checks, whose checkerboards become volumes.
        provenance: where the habitats come from, JSON data.
    """
    found = add_result(result_of(habitats, region, checks, provenance), nodes)
    found.findings[ROLE].CreateClosedSurfaceRepresentation()
    return found


def add_result(result: HabitatResult, nodes: CaseNodes, segments: Sequence[str] | None = None) -> CaseNodes:
    """Put habitats beside a case in the scene, without surfaces, which take long; return the case's nodes with them.

    Args:
        result: the habitats of one region.
        nodes: the case, whose images the habitats were found in.
        segments: identifiers of the region's segments; the region's name where None.
    """
    scene = nodes.scene
    remove(scene, [node for role, node in nodes.findings.items() if role.split(":")[0] == ROLE])
    added = {
        ROLE: _add_segmentation(result, nodes),
        **_add_tables(result, scene),
        **_add_checkerboards(result, scene),
        f"{ROLE}:summary": _add_text("Habitats: summary", result.summary, scene),
    }
    if result.provenance:
        added[f"{ROLE}:provenance"] = _add_text("Habitats: provenance", result.provenance, scene)
    added.update(_add_elbow(int(result.summary["k"]), added, scene))
    for role, node in added.items():
        mark(node, nodes.case_id, role)
    place(scene, _study_beside(nodes), added.values())
    for segmentation in nodes.segmentations:
        for segment in segments if segments is not None else (result.region,):
            _step_back(segmentation, segment)
    return nodes_of(scene, nodes.case_id)


def habitats_in(scene: slicer.vtkMRMLScene, case_id: str) -> HabitatNodes | None:
    """Return the habitats of a case that lie in the scene, None where there are none or parts of them were removed."""
    case = find_case_nodes(scene).get(case_id)
    if case is None:
        return None
    found = {role.partition(":")[2]: node for role, node in case.findings.items() if role.split(":")[0] == ROLE}
    if not {"", "summary", "elbow", "table", "measures"} <= set(found):
        return None
    summary = json.loads(found["summary"].GetText())
    provenance = json.loads(found["provenance"].GetText()) if "provenance" in found else {}
    segmentation = found.pop("")
    return HabitatNodes(segmentation, summary, provenance, found["elbow"], found)


def _study_beside(nodes: CaseNodes) -> int:
    """Return the subject hierarchy item under which the case's segmentation lies, or else the case's own study."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(nodes.scene)
    for segmentation in nodes.segmentations:
        item = hierarchy.GetItemByDataNode(segmentation)
        parent = hierarchy.GetItemParent(item) if item else 0
        if parent and parent != hierarchy.GetSceneItemID():
            return parent
    return study_of(nodes.scene, nodes.case_id, nodes.case_id)


def _add_segmentation(result: HabitatResult, nodes: CaseNodes) -> slicer.vtkMRMLSegmentationNode:
    """Return the segmentation with one named, coloured and coded segment for each habitat that there is."""
    segmentation = slicer.vtkMRMLSegmentationNode()
    segmentation.SetName("Habitats")
    # Before it enters the scene, so that selectors that look for its role see it at once.
    mark(segmentation, nodes.case_id, ROLE)
    nodes.scene.AddNode(segmentation)
    segmentation.CreateDefaultDisplayNodes()
    _set_grid(segmentation, result, nodes)
    for number in np.unique(sitk.GetArrayViewFromImage(result.labels)):
        if number:
            look = appearance(f"habitat{number}")
            segment = segment_from_mask(sitk.Cast(result.labels == int(number), sitk.sitkUInt8), look.title)
            segment.SetColor(*look.colour)
            segment.SetTerminology(look.terminology)
            segmentation.GetSegmentation().AddSegment(segment, f"habitat{number}")
    segmentation.GetDisplayNode().SetOpacity2DFill(MAP_OPACITY)
    return segmentation


def _set_grid(segmentation: slicer.vtkMRMLSegmentationNode, result: HabitatResult, nodes: CaseNodes) -> None:
    """Tie the map to a volume of its own grid, or to that grid alone where the images were prepared on another."""
    volumes = [nodes.images[phase] for phase in result.summary["phases"] if phase in nodes.images]
    for volume in volumes:
        if same_lattice(empty_grid(volume), result.labels):
            segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
            return
    geometry = slicer.vtkSegmentationConverter.SerializeImageGeometry(oriented_grid(result.labels))
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    segmentation.GetSegmentation().SetConversionParameter(name, geometry)


def _step_back(segmentation: slicer.vtkMRMLSegmentationNode, segment: str) -> None:
    """Show the region around the habitats so that they can be seen: outlined in slices, transparent in 3D."""
    if segmentation.GetSegmentation().GetSegment(segment) is not None:
        display = segmentation.GetDisplayNode()
        display.SetSegmentVisibility2DFill(segment, False)
        display.SetSegmentOpacity3D(segment, TUMOUR_OPACITY)


def _add_tables(result: HabitatResult, scene: slicer.vtkMRMLScene) -> dict[str, slicer.vtkMRMLTableNode]:
    return {
        f"{ROLE}:{role}": node_from_table(table.columns, table.title, scene) for role, table in result.tables.items()
    }


def _add_elbow(
    k: int, added: Mapping[str, slicer.vtkMRMLNode], scene: slicer.vtkMRMLScene
) -> dict[str, slicer.vtkMRMLNode]:
    """Return the chart of inertia against the number of habitats, its series and that of the chosen point."""
    chart = slicer.vtkMRMLPlotChartNode()
    chart.SetName("Habitats: elbow")
    scene.AddNode(chart)
    curve = _series("Inertia", added[f"{ROLE}:curve"], (0.18, 0.42, 0.65), joined=True, scene=scene)
    chosen = _series(f"Chosen: {k}", added[f"{ROLE}:chosen"], (0.85, 0.33, 0.1), joined=False, scene=scene)
    for series in (curve, chosen):
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetTitle(f"{k} habitats")
    chart.SetXAxisTitle("Number of habitats")
    chart.SetYAxisTitle("Inertia")
    return {f"{ROLE}:elbow": chart, f"{ROLE}:elbow-curve": curve, f"{ROLE}:elbow-chosen": chosen}


def _series(
    name: str,
    table: slicer.vtkMRMLTableNode,
    colour: tuple[float, float, float],
    joined: bool,
    scene: slicer.vtkMRMLScene,
) -> slicer.vtkMRMLPlotSeriesNode:
    series = slicer.vtkMRMLPlotSeriesNode()
    series.SetName(name)
    scene.AddNode(series)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetPlotType(series.PlotTypeScatter)
    series.SetXColumnName("k")
    series.SetYColumnName("inertia")
    series.SetColor(*colour)
    series.SetLineStyle(series.LineStyleSolid if joined else series.LineStyleNone)
    series.SetMarkerStyle(series.MarkerStyleCircle)
    series.SetMarkerSize(7.0 if joined else 15.0)
    return series


def _add_checkerboards(result: HabitatResult, scene: slicer.vtkMRMLScene) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
    """Return a volume for each registered phase in which it takes turns with its reference."""
    volumes = {}
    for check in result.checks:
        name = f"Check: {phase_title(check.phase)} on {phase_title(check.reference)}"
        volumes[f"{ROLE}:check-{check.phase}"] = node_from_image(check.image, name, scene)
        volumes[f"{ROLE}:check-{check.phase}"].CreateDefaultDisplayNodes()
    return volumes


def _add_text(name: str, data: Mapping[str, Any], scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLTextNode:
    """Return a text node with JSON data."""
    text = slicer.vtkMRMLTextNode()
    text.SetName(name)
    text.SetText(json.dumps(data, indent=2, allow_nan=False))
    text.SetForceCreateStorageNode(slicer.vtkMRMLTextNode.CreateStorageNodeAlways)
    scene.AddNode(text)
    return text
