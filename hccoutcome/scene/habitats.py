"""Habitats in the MRML scene: a segmentation beside the tumour, tables, the elbow as a chart, registration checks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence

import numpy as np
import SimpleITK as sitk
import slicer

from hccoutcome.habitat.habitats import Habitats
from hccoutcome.habitat.preparation import RegistrationCheck
from hccoutcome.habitat.tables import CURVE_COLUMNS, Row, check_rows, columns_of, curve_rows, habitat_rows
from hccoutcome.naming import parse_feature_name
from hccoutcome.report.wording import phase_title
from hccoutcome.scene.appearance import appearance
from hccoutcome.scene.exchange import Column, node_from_image, node_from_table, segment_from_mask
from hccoutcome.scene.nodes import CaseNodes, mark, nodes_of, place, remove, study_of

ROLE = "habitats"
"""Role of the segmentation; those of the other nodes begin with it."""
MAP_OPACITY = 0.5
TUMOUR_OPACITY = 0.2
"""Opacity of the tumour's surface around its habitats."""


def add_habitats(
    habitats: Habitats, nodes: CaseNodes, region: str = "tumor", checks: Sequence[RegistrationCheck] = ()
) -> CaseNodes:
    """Put habitats beside a case in the scene; return the case's nodes with them. Earlier ones are replaced.

    Args:
        habitats: the habitats of one region.
        nodes: the case, whose images the habitats were found in.
        region: the region that they divide; its surface becomes transparent and its slices are outlined only.
        checks: registration checks, whose checkerboards become volumes.
    """
    scene = nodes.scene
    remove(scene, [node for role, node in nodes.findings.items() if role.split(":")[0] == ROLE])
    added = {
        ROLE: _add_segmentation(habitats, nodes),
        **_add_tables(habitats, region, checks, scene),
        **_add_checkerboards(checks, scene),
        f"{ROLE}:summary": _add_summary(habitats, scene),
    }
    added.update(_add_elbow(habitats, added[f"{ROLE}:curve"], scene))
    for role, node in added.items():
        mark(node, nodes.case_id, role)
    place(scene, study_of(scene, nodes.case_id, nodes.case_id), added.values())
    for segmentation in nodes.segmentations:
        _step_back(segmentation, region)
    return nodes_of(scene, nodes.case_id)


def _add_segmentation(habitats: Habitats, nodes: CaseNodes) -> slicer.vtkMRMLSegmentationNode:
    """Return the segmentation with one named, coloured and coded segment for each habitat that there is."""
    segmentation = slicer.vtkMRMLSegmentationNode()
    segmentation.SetName("Habitats")
    nodes.scene.AddNode(segmentation)
    segmentation.CreateDefaultDisplayNodes()
    volume = nodes.images.get(habitats.phases[0])
    if volume is not None:
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for number, size in enumerate(habitats.sizes, start=1):
        if size.voxels:
            look = appearance(f"habitat{number}")
            segment = segment_from_mask(sitk.Cast(habitats.labels == number, sitk.sitkUInt8), look.title)
            segment.SetColor(*look.colour)
            segment.SetTerminology(look.terminology)
            segmentation.GetSegmentation().AddSegment(segment, f"habitat{number}")
    segmentation.GetDisplayNode().SetOpacity2DFill(MAP_OPACITY)
    segmentation.CreateClosedSurfaceRepresentation()
    return segmentation


def _step_back(segmentation: slicer.vtkMRMLSegmentationNode, region: str) -> None:
    """Show the region around the habitats so that they can be seen: outlined in slices, transparent in 3D."""
    if segmentation.GetSegmentation().GetSegment(region) is not None:
        display = segmentation.GetDisplayNode()
        display.SetSegmentVisibility2DFill(region, False)
        display.SetSegmentOpacity3D(region, TUMOUR_OPACITY)


def _add_tables(
    habitats: Habitats, region: str, checks: Sequence[RegistrationCheck], scene: slicer.vtkMRMLScene
) -> dict[str, slicer.vtkMRMLTableNode]:
    """Return the tables by role: habitats, curve, interaction matrix, features and registration checks."""
    rows = habitat_rows(habitats, region)
    tables = {
        "table": ("Habitats", _columns(rows, columns_of(rows))),
        "curve": ("Habitats: number", _columns(curve_rows(habitats), CURVE_COLUMNS)),
        "interaction": ("Habitats: interaction", _interaction(habitats)),
        "features": ("Habitats: features", _features(habitats)),
    }
    if checks:
        found = check_rows(checks)
        tables["registration"] = ("Habitats: registration", _columns(found, columns_of(found)))
    return {f"{ROLE}:{role}": node_from_table(columns, title, scene) for role, (title, columns) in tables.items()}


def _columns(rows: Sequence[Row], names: Iterable[str]) -> dict[str, Column]:
    """Return rows as columns: text, or numbers with NaN where a row has none."""
    columns: dict[str, Column] = {}
    for name in names:
        values = [row.get(name) for row in rows]
        if any(isinstance(value, str) for value in values):
            columns[name] = ["" if value is None else str(value) for value in values]
        elif all(isinstance(value, int) for value in values):
            columns[name] = np.array(values, dtype=np.int64)
        else:
            columns[name] = np.array([math.nan if value is None else float(value) for value in values])
    return columns


def _interaction(habitats: Habitats) -> dict[str, Column]:
    names = ["outside", *(f"habitat{number}" for number in range(1, habitats.k + 1))]
    matrix = habitats.interaction
    return {"region": names, **{name: matrix[:, place] for place, name in enumerate(names)}}


def _features(habitats: Habitats) -> dict[str, Column]:
    names = [parse_feature_name(name) for name in habitats.features]
    return {
        "Feature": list(habitats.features),
        "Phase": [name.phase for name in names],
        "Region": [name.region for name in names],
        "Value": np.array(list(habitats.features.values()), dtype=float),
    }


def _add_elbow(
    habitats: Habitats, table: slicer.vtkMRMLTableNode, scene: slicer.vtkMRMLScene
) -> dict[str, slicer.vtkMRMLNode]:
    """Return the chart of inertia against the number of habitats, its series and that of the chosen point."""
    chosen = [row for row in curve_rows(habitats) if row["chosen"]]
    point = node_from_table(_columns(chosen, ("k", "inertia")), "Habitats: chosen number", scene)
    chart = slicer.vtkMRMLPlotChartNode()
    chart.SetName("Habitats: elbow")
    scene.AddNode(chart)
    curve = _series("Inertia", table, (0.18, 0.42, 0.65), joined=True, scene=scene)
    mark_chosen = _series(f"Chosen: {habitats.k}", point, (0.85, 0.33, 0.1), joined=False, scene=scene)
    for series in (curve, mark_chosen):
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetTitle(f"{habitats.k} habitats")
    chart.SetXAxisTitle("Number of habitats")
    chart.SetYAxisTitle("Inertia")
    return {
        f"{ROLE}:elbow": chart,
        f"{ROLE}:elbow-curve": curve,
        f"{ROLE}:elbow-chosen": mark_chosen,
        f"{ROLE}:chosen": point,
    }


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


def _add_checkerboards(
    checks: Sequence[RegistrationCheck], scene: slicer.vtkMRMLScene
) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
    """Return a volume for each registered phase in which it takes turns with its reference."""
    volumes = {}
    for check in checks:
        name = f"Check: {phase_title(check.phase)} on {phase_title(check.reference)}"
        board = sitk.Cast(sitk.Round(check.checkerboard), sitk.sitkUInt8)
        volumes[f"{ROLE}:check-{check.phase}"] = node_from_image(board, name, scene)
        volumes[f"{ROLE}:check-{check.phase}"].CreateDefaultDisplayNodes()
    return volumes


def _add_summary(habitats: Habitats, scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLTextNode:
    """Return the text node with everything but map and features as JSON: settings, rule, agreement, notes."""
    summary = {name: value for name, value in habitats.summary().items() if name != "features"}
    text = slicer.vtkMRMLTextNode()
    text.SetName("Habitats: summary")
    text.SetText(json.dumps(summary, indent=2, allow_nan=False))
    text.SetForceCreateStorageNode(slicer.vtkMRMLTextNode.CreateStorageNodeAlways)
    scene.AddNode(text)
    return text
