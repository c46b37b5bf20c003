"""What a network looks at, in the MRML scene: volumes over the case's images, transparent where nothing is to see.

The colours are those of ``report.relevance_figure``. The first entry of a table is left transparent for NaN, which a
map holds where no plane of the network lies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import SimpleITK as sitk
import slicer

from hccoutcome.deep.relevance import TITLES, RelevanceMap
from hccoutcome.deep.seen import SeenVolume
from hccoutcome.report.relevance_figure import SIGNED, UNSIGNED, relevance_colours, relevance_range
from hccoutcome.report.wording import phase_title
from hccoutcome.scene.exchange import node_from_image, node_from_table
from hccoutcome.scene.maps import ENTRIES
from hccoutcome.scene.nodes import CaseNodes, find_case_nodes, mark, nodes_of, place, remove, study_of
from hccoutcome.scene.overlay import RELEVANCE, SEEN, show_map


def add_relevance(maps: Iterable[RelevanceMap], nodes: CaseNodes, package: str) -> CaseNodes:
    """Put maps of a package's network beside a case; return the case's nodes with them.

    Earlier maps of the same package and method are replaced. The first map is shown over its image, with its legend.
    """
    scene, added = nodes.scene, list(maps)
    roles = {f"{RELEVANCE}:{package}:{found.name}" for found in added}
    remove(scene, [node for role, node in nodes.findings.items() if role in roles])
    volumes = [_add(found, nodes, package) for found in added]
    place(scene, study_of(scene, nodes.case_id, nodes.case_id), volumes)
    if volumes:
        show_map(volumes[0], nodes, opacity=1.0)
    return nodes_of(scene, nodes.case_id)


def add_seen(volumes: Iterable[SeenVolume], nodes: CaseNodes, package: str) -> CaseNodes:
    """Put what a package's network sees of a case beside it, in place of what was there of it; return the nodes."""
    scene, role = nodes.scene, f"{SEEN}:{package}:"
    remove(scene, [node for name, node in nodes.findings.items() if name.startswith(role)])
    added = []
    for found in volumes:
        title = f"What {package} sees, {phase_title(found.phase)}{found.part and f' {found.part}'}"
        volume = node_from_image(found.image, title, scene)
        volume.CreateDefaultDisplayNodes()
        display = volume.GetDisplayNode()
        display.AutoWindowLevelOff()
        display.SetWindowLevel(1.0, 0.5)
        display.InterpolateOff()
        mark(volume, nodes.case_id, f"{role}{found.name}", found.phase)
        added.append(volume)
    place(scene, study_of(scene, nodes.case_id, nodes.case_id), added)
    return nodes_of(scene, nodes.case_id)


def add_shares(data: Mapping[str, Any], nodes: CaseNodes, package: str) -> CaseNodes:
    """Put the part of each phase and clinical variable beside a case as a table; Grad-CAM tells none.

    Args:
        data: content of ``maps.json`` (``deep.relevance.write_relevance``).
        nodes: of the case.
        package: whose network it is.
    """
    scene, method = nodes.scene, data["method"]
    role = f"{RELEVANCE}:{package}:{method}:shares"
    remove(scene, [node for name, node in nodes.findings.items() if name == role])
    parts = {**{phase_title(name): value for name, value in data["phases"].items()}, **data["variables"]}
    if parts:
        title = f"{TITLES[method]} of {package}: phases and variables"
        table = node_from_table({"Input": list(parts), "Part": list(parts.values())}, title, scene)
        mark(table, nodes.case_id, role)
        place(scene, study_of(scene, nodes.case_id, nodes.case_id), [table])
    return nodes_of(scene, nodes.case_id)


def relevance_title(found: RelevanceMap, package: str) -> str:
    """Return the name of a map's volume: ``Grad-CAM of selection-mrecist, Portal venous phase``."""
    return f"{TITLES[found.method]} of {package}, {phase_title(found.phase)}"


def colour_range(values: np.ndarray, signed: bool) -> tuple[float, float]:
    """Return the values at which the colours begin and end, with one entry more below for NaN."""
    low, high = relevance_range(values, signed)
    return low - (high - low) / (ENTRIES - 1.5), high


def _add(found: RelevanceMap, nodes: CaseNodes, package: str) -> slicer.vtkMRMLScalarVolumeNode:
    """Return the volume of one map with its colours and a legend, which is hidden until the map is shown."""
    volume = node_from_image(found.image, relevance_title(found, package), nodes.scene)
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    low, high = colour_range(sitk.GetArrayViewFromImage(found.image), found.signed)
    display.SetAndObserveColorNodeID(_colours(nodes, found.signed).GetID())
    display.AutoWindowLevelOff()
    display.SetWindowLevel(high - low, (high + low) / 2)
    display.AutoThresholdOff()
    display.ApplyThresholdOff()
    legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(volume)
    legend.SetTitleText(f"{TITLES[found.method]}\n{found.unit}")
    legend.SetLabelFormat("%.2g")
    legend.SetVisibility(False)
    mark(volume, nodes.case_id, f"{RELEVANCE}:{package}:{found.name}", found.phase)
    return volume


def _colours(nodes: CaseNodes, signed: bool) -> slicer.vtkMRMLColorTableNode:
    """Return the colour table of one kind of map, made where it is not there yet."""
    role = f"{RELEVANCE}:colours:{'signed' if signed else 'unsigned'}"
    case = find_case_nodes(nodes.scene).get(nodes.case_id)
    if case is not None and role in case.findings:
        return case.findings[role]
    colours = slicer.vtkMRMLColorTableNode()
    colours.SetName(f"Relevance ({SIGNED if signed else UNSIGNED})")
    colours.SetTypeToUser()
    colours.SetNumberOfColors(ENTRIES)
    colours.SetColor(0, "0", 0.0, 0.0, 0.0, 0.0)
    for entry, colour in enumerate(relevance_colours(signed, ENTRIES - 1), 1):
        colours.SetColor(entry, str(entry), *map(float, colour))
    nodes.scene.AddNode(colours)
    mark(colours, nodes.case_id, role)
    return colours
