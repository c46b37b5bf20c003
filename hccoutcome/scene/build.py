"""A case and what was found out about it, put into the MRML scene.

Adding a case or its findings again replaces what was there before, so that a scene never holds two versions of one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import SimpleITK as sitk
import slicer

from hccoutcome.case import Case
from hccoutcome.explanation.waterfall import waterfall_of_prediction
from hccoutcome.findings import Findings
from hccoutcome.imaging.geometry import same_geometry
from hccoutcome.package.prediction import Prediction
from hccoutcome.report.wording import phase_title
from hccoutcome.scene import tables
from hccoutcome.scene.appearance import appearance, window_level
from hccoutcome.scene.exchange import node_from_image, node_from_table, segment_from_mask
from hccoutcome.scene.explanation import waterfall_nodes
from hccoutcome.scene.found import ROLE as FOUND
from hccoutcome.scene.found import findings_node
from hccoutcome.scene.host import start_host
from hccoutcome.scene.nodes import (
    IMAGE,
    MODALITY,
    SEGMENTATION,
    SYNTHETIC,
    CaseNodes,
    mark,
    nodes_of,
    place,
    remove,
    remove_case,
    study_of,
)
from hccoutcome.scene.outlook import outlook_nodes
from hccoutcome.scene.places import point_of_interest
from hccoutcome.scene.views import show_case

SUFFIX_SYNTHETIC = " (synthetic)"
_TABLES = ("results", "atom", "liver-scores", "clinical", "quality", "features")
_OF_A_SCORE = ("contributions", "series", "chart", "waterfall", "outlook")
ROLES = frozenset((*_TABLES, *_OF_A_SCORE, FOUND, "provenance"))
"""What findings bring into a scene; a role may go on with ``-`` and a part, and with ``:`` and a package."""


def add_case(case: Case) -> CaseNodes:
    """Put a case's images and regions into the scene, under a patient and a study of their own.

    Images become volumes named by their phase, regions segments with name, colour and standard code, in one
    segmentation for each grid on which they were outlined. A case of a clinical record alone brings nothing yet.
    """
    scene = start_host()
    remove_case(scene, case.case_id)
    if not case.images and not case.masks:
        return CaseNodes(case.case_id, scene)
    volumes = {phase: _add_volume(case, phase, scene) for phase in case.images}
    segmentations = [_add_segmentation(case, masks, volumes, scene) for masks in masks_by_grid(case)]
    study = study_of(scene, case.case_id, case.case_id + SUFFIX_SYNTHETIC * case.synthetic)
    place(scene, study, [*volumes.values(), *segmentations])
    nodes = nodes_of(scene, case.case_id)
    if nodes.images:
        phase = reference_phase(case)
        show_case(nodes, phase, point_of_interest(nodes, nodes.images[phase]))
    return nodes


def reference_phase(case: Case) -> str:
    """Return the phase to show first: one on whose grid the tumour, or else any region, was outlined."""
    masks = case.masks.get("tumor") or next(iter(case.masks.values()), ())
    outlined = (phase for mask in masks for phase, image in case.images.items() if same_geometry(image, mask))
    return next(outlined, next(iter(case.images)))


def add_findings(findings: Findings, nodes: CaseNodes) -> CaseNodes:
    """Put tables, charts and provenance of a case beside its images; return the case's nodes with them.

    Earlier ones are replaced; what others put beside the case (habitats, maps) stays.
    """
    scene = nodes.scene
    remove(scene, [node for role, node in nodes.findings.items() if _is_of_findings(role)])
    added = [
        *_add_tables(findings, scene),
        *_add_contributions(findings, scene),
        *_add_waterfalls(findings, scene),
        *_add_outlooks(findings, scene),
        _add_provenance(findings, scene),
        findings_node(findings, scene),
    ]
    mark(added[-1], findings.case_id, FOUND)
    place(scene, study_of(scene, findings.case_id, findings.case_id + SUFFIX_SYNTHETIC * findings.synthetic), added)
    return nodes_of(scene, findings.case_id)


def _is_of_findings(role: str) -> bool:
    kind = role.partition(":")[0]
    return kind in ROLES or kind.partition("-")[0] in ROLES


def masks_by_grid(case: Case) -> list[dict[str, sitk.Image]]:
    """Return the masks of a case by region, one group for each grid."""
    groups: list[dict[str, sitk.Image]] = []
    for region, masks in case.masks.items():
        for mask in masks:
            group = next((group for group in groups if same_geometry(next(iter(group.values())), mask)), None)
            if group is None:
                groups.append({region: mask})
            else:
                group[region] = mask
    return groups


def _add_volume(case: Case, phase: str, scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLScalarVolumeNode:
    """Return the volume node of one phase, shown in a window that suits it."""
    image = case.images[phase]
    volume = node_from_image(image, phase_title(phase), scene)
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(*window_level(sitk.GetArrayViewFromImage(image), case.modality))
    mark(volume, case.case_id, IMAGE, phase)
    if case.modality:
        volume.SetAttribute(MODALITY, case.modality)
    if case.synthetic:
        volume.SetAttribute(SYNTHETIC, "true")
    return volume


def _add_segmentation(
    case: Case,
    masks: dict[str, sitk.Image],
    volumes: dict[str, slicer.vtkMRMLScalarVolumeNode],
    scene: slicer.vtkMRMLScene,
) -> slicer.vtkMRMLSegmentationNode:
    """Return the segmentation of the regions outlined on one grid, tied to a volume on that grid."""
    grid = next(iter(masks.values()))
    phases = [phase for phase, image in case.images.items() if same_geometry(image, grid)]
    segmentation = slicer.vtkMRMLSegmentationNode()
    segmentation.SetName("Regions" + (f" ({', '.join(phases)})" if phases else ""))
    scene.AddNode(segmentation)
    segmentation.CreateDefaultDisplayNodes()
    if phases:
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volumes[phases[0]])
    for region, mask in masks.items():
        _add_segment(segmentation, region, mask)
    segmentation.CreateClosedSurfaceRepresentation()
    mark(segmentation, case.case_id, SEGMENTATION)
    return segmentation


def _add_segment(segmentation: slicer.vtkMRMLSegmentationNode, region: str, mask: sitk.Image) -> None:
    """Add one region as a segment, its identifier the region's name."""
    look = appearance(region)
    segment = segment_from_mask(mask, look.title)
    segment.SetColor(*look.colour)
    segment.SetTerminology(look.terminology)
    segmentation.GetSegmentation().AddSegment(segment, region)
    display = segmentation.GetDisplayNode()
    display.SetSegmentOpacity3D(region, look.opacity)
    display.SetSegmentVisibility2DFill(region, look.opacity == 1.0)
    display.SetSegmentOpacity2DFill(region, 0.3)


def _add_tables(findings: Findings, scene: slicer.vtkMRMLScene) -> Iterable[slicer.vtkMRMLTableNode]:
    """Yield the tables that hold something."""
    for role, title, columns in (
        ("results", "Results", tables.result_columns(findings.predictions)),
        ("atom", "ATOM: recommendation", tables.advice_columns(findings)),
        ("liver-scores", "Liver function and staging", tables.result_columns(findings.liver_scores)),
        ("clinical", "Clinical record", tables.clinical_columns(findings)),
        ("quality", "Quality", tables.quality_columns(findings)),
        ("features", "Features", tables.feature_columns(findings)),
    ):
        if len(next(iter(columns.values()))):
            table = node_from_table(columns, title, scene)
            mark(table, findings.case_id, role)
            yield table


def _add_contributions(findings: Findings, scene: slicer.vtkMRMLScene) -> Iterable[slicer.vtkMRMLNode]:
    """Yield, for each score that is a sum, the table of its inputs and the chart that shows them."""
    for prediction in (*findings.predictions, *findings.liver_scores):
        if any(item.amount is not None for item in prediction.contributions):
            for role, node in _contribution_nodes(prediction, scene).items():
                mark(node, findings.case_id, f"{role}:{prediction.package}")
                yield node


def _add_waterfalls(findings: Findings, scene: slicer.vtkMRMLScene) -> Iterable[slicer.vtkMRMLNode]:
    """Yield, for each score that is the sum of its inputs, the way from its base to the score as table and chart."""
    for prediction in findings.predictions:
        waterfall = waterfall_of_prediction(prediction)
        if waterfall is not None:
            for role, node in waterfall_nodes(waterfall, scene).items():
                mark(node, findings.case_id, f"{role}:{prediction.package}")
                yield node


def _add_outlooks(findings: Findings, scene: slicer.vtkMRMLScene) -> Iterable[slicer.vtkMRMLNode]:
    """Yield, for each score of which a cohort is known, the tables and charts of where the case stands in it."""
    for prediction in findings.predictions:
        for role, node in outlook_nodes(prediction, scene).items():
            mark(node, findings.case_id, f"{role}:{prediction.package}")
            yield node


def _contribution_nodes(prediction: Prediction, scene: slicer.vtkMRMLScene) -> dict[str, slicer.vtkMRMLNode]:
    """Return the table, the series and the chart of one score's contributions."""
    table = node_from_table(tables.contribution_columns(prediction), f"Contributions to {prediction.title}", scene)
    series = slicer.vtkMRMLPlotSeriesNode()
    series.SetName(f"{prediction.title}: contributions")
    scene.AddNode(series)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeBar)
    series.SetYColumnName("Contribution")
    series.SetLabelColumnName("Input")
    series.SetColor(0.18, 0.42, 0.65)
    chart = slicer.vtkMRMLPlotChartNode()
    chart.SetName(f"Contributions to {prediction.title}")
    scene.AddNode(chart)
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetTitle(prediction.title)
    chart.SetXAxisTitle("Input")
    chart.SetYAxisTitle(f"Contribution to the {prediction.linear_scale}")
    chart.SetLegendVisibility(False)
    return {"contributions": table, "series": series, "chart": chart}


def _add_provenance(findings: Findings, scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLTextNode:
    """Return the text node with settings, versions, hashes and time as JSON."""
    text = slicer.vtkMRMLTextNode()
    text.SetName("Provenance")
    text.SetText(json.dumps(findings.provenance, indent=2))
    text.SetForceCreateStorageNode(slicer.vtkMRMLTextNode.CreateStorageNodeAlways)
    scene.AddNode(text)
    mark(text, findings.case_id, "provenance")
    return text
