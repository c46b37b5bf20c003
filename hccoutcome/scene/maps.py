"""Feature maps in the MRML scene: volumes over the case's images, in colours, with a legend.

The colours are those of cividis, which readers with and without colour vision deficiency see alike. The first is
transparent: it is that of NaN, which a map holds outside its region and which no threshold hides. So the colours begin
at the least value, and end where few outliers are left.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import slicer
from matplotlib import colormaps

from hccoutcome.radiomics.maps import FeatureMap
from hccoutcome.report.wording import phase_title
from hccoutcome.scene.appearance import appearance
from hccoutcome.scene.exchange import node_from_image
from hccoutcome.scene.nodes import CaseNodes, mark, nodes_of, place, remove, study_of
from hccoutcome.scene.overlay import show_map

ROLE = "map"
"""Roles of the nodes begin with it: ``map:portal_tumor_original_glcm_Contrast``, ``map:colours``."""
COLOURS = f"{ROLE}:colours"
COLOUR_MAP, ENTRIES = "cividis", 256
UPPER_PERCENTILE = 99.0
"""The colours end here, so that a few outliers do not leave the rest in one colour."""


def add_maps(maps: Iterable[FeatureMap], nodes: CaseNodes) -> CaseNodes:
    """Put maps beside a case in the scene; return the case's nodes with them. Earlier maps are replaced.

    The first map is shown over its image in the slice views, with its legend.
    """
    scene = nodes.scene
    remove(scene, [node for role, node in nodes.findings.items() if role.split(":")[0] == ROLE])
    colours = _add_colours(scene)
    mark(colours, nodes.case_id, COLOURS)
    volumes = [_add_map(found, nodes, colours) for found in maps]
    place(scene, study_of(scene, nodes.case_id, nodes.case_id), volumes)
    if volumes:
        show_map(volumes[0], nodes)
    return nodes_of(scene, nodes.case_id)


def map_title(found: FeatureMap) -> str:
    """Return the name of a map's volume: ``glcm Contrast, Tumour, Portal venous phase``."""
    image_type, feature = found.name.radiomic.split("_", 1)
    what = feature.replace("_", " ") + ("" if image_type == "original" else f" ({image_type})")
    return f"{what}, {appearance(found.name.region).title}, {phase_title(found.name.phase)}"


def colour_range(values: np.ndarray) -> tuple[float, float]:
    """Return the values at which the colours begin and end: the least value has the first colour that is opaque."""
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(np.percentile(known, UPPER_PERCENTILE))
    if not high > low:
        low, high = low, max(float(known.max()), low + max(abs(low), 1.0) * 1e-3)
    return low - 1.5 * (high - low) / (ENTRIES - 2.5), high


def _add_colours(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLColorTableNode:
    """Return the colour table: the first entry transparent, the others opaque."""
    colours = slicer.vtkMRMLColorTableNode()
    colours.SetName("Feature maps (cividis)")
    colours.SetTypeToUser()
    colours.SetNumberOfColors(ENTRIES)
    for entry in range(ENTRIES):
        red, green, blue, _ = colormaps[COLOUR_MAP](entry)
        colours.SetColor(entry, str(entry), red, green, blue, float(entry > 0))
    scene.AddNode(colours)
    return colours


def _add_map(
    found: FeatureMap, nodes: CaseNodes, colours: slicer.vtkMRMLColorTableNode
) -> slicer.vtkMRMLScalarVolumeNode:
    """Return the volume of one map with its colours and a legend, which is hidden until the map is shown."""
    volume = node_from_image(found.image, map_title(found), nodes.scene)
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    low, high = colour_range(found.values)
    known = found.values[np.isfinite(found.values)]
    display.SetAndObserveColorNodeID(colours.GetID())
    display.AutoWindowLevelOff()
    display.SetWindowLevel(high - low, (high + low) / 2)
    display.AutoThresholdOff()
    display.SetThreshold(*_beyond(known, low, high))
    display.ApplyThresholdOn()
    display.InterpolateOff()
    legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(volume)
    legend.SetTitleText(found.name.radiomic.split("_", 1)[1].replace("_", "\n"))
    legend.SetLabelFormat("%.3g")
    legend.SetVisibility(False)
    mark(volume, nodes.case_id, f"{ROLE}:{found.name}", found.name.phase)
    return volume


def _beyond(known: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Return thresholds beyond all values, by more than the six digits that a scene file keeps may take away."""
    if not known.size:
        return low, high
    least, greatest = float(known.min()), float(known.max())
    margin = 1e-4 * max(abs(least), abs(greatest), high - low)
    return least - margin, greatest + margin
