"""What a network looks at, in the MRML scene: volumes over the case's images, transparent where nothing is to see.

The colours are those of ``report.relevance_figure``. The first entry of a table is left transparent for NaN, which a
map holds where no plane of the network lies.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import SimpleITK as sitk
import slicer

from hccoutcome.deep.relevance import TITLES, RelevanceMap
from hccoutcome.report.relevance_figure import SIGNED, UNSIGNED, relevance_colours, relevance_range
from hccoutcome.report.wording import phase_title
from hccoutcome.scene.exchange import node_from_image
from hccoutcome.scene.maps import ENTRIES, show_map
from hccoutcome.scene.nodes import CaseNodes, mark, nodes_of, place, remove, study_of

ROLE = "relevance"
"""Roles of the nodes begin with it: ``relevance:selection-mrecist:portal_gradcam``."""


def add_relevance(maps: Iterable[RelevanceMap], nodes: CaseNodes, package: str) -> CaseNodes:
    """Put maps of a package's network beside a case; return the case's nodes with them.

    Earlier maps of the same package and method are replaced. The first map is shown over its image, with its legend.
    """
    scene, added = nodes.scene, list(maps)
    roles = {f"{ROLE}:{package}:{found.name}" for found in added}
    remove(scene, [node for role, node in nodes.findings.items() if role in roles])
    volumes = [_add(found, nodes, package) for found in added]
    place(scene, study_of(scene, nodes.case_id, nodes.case_id), volumes)
    if volumes:
        show_map(volumes[0], nodes, opacity=1.0)
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
    mark(volume, nodes.case_id, f"{ROLE}:{package}:{found.name}", found.phase)
    return volume


def _colours(nodes: CaseNodes, signed: bool) -> slicer.vtkMRMLColorTableNode:
    """Return the colour table of one kind of map, made where it is not there yet."""
    role = f"{ROLE}:colours:{'signed' if signed else 'unsigned'}"
    known = nodes_of(nodes.scene, nodes.case_id).findings.get(role)
    if known is not None:
        return known
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
