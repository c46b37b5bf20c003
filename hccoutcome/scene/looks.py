"""How a person shows a case, taken along to where its pictures are drawn: names, colours, opacities and windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hccoutcome.scene.inputs import SceneCase, outlines_of
from hccoutcome.scene.nodes import CaseNodes


def looks_of(case: SceneCase) -> dict[str, dict[str, Any]]:
    """Return by region the title, colour and opacity of its first segment; JSON data."""
    looks = {}
    for region, ((segmentation, key), *_) in outlines_of(case).items():
        segment, display = segmentation.GetSegmentation().GetSegment(key), segmentation.GetDisplayNode()
        looks[region] = {"title": segment.GetName(), "colour": list(segment.GetColor())}
        if display is not None:
            looks[region]["opacity"] = display.GetSegmentOpacity3D(key)
    return looks


def windows_of(case: SceneCase) -> dict[str, tuple[float, float]]:
    """Return by phase the width and level in which its volume is shown."""
    displays = {phase: volume.GetScalarVolumeDisplayNode() for phase, volume in case.volumes.items()}
    return {phase: (node.GetWindow(), node.GetLevel()) for phase, node in displays.items() if node is not None}


def apply_looks(
    nodes: CaseNodes, looks: Mapping[str, Mapping[str, Any]], windows: Mapping[str, tuple[float, float]]
) -> None:
    """Show a case, whose segments are named by their regions, as a person showed it."""
    for phase, (width, level) in windows.items():
        if phase in nodes.images:
            nodes.images[phase].GetDisplayNode().SetWindowLevel(width, level)
    for segmentation in nodes.segmentations:
        for region, look in looks.items():
            segment = segmentation.GetSegmentation().GetSegment(region)
            if segment is None:
                continue
            segment.SetName(look["title"])
            segment.SetColor(*look["colour"])
            if "opacity" in look:
                segmentation.GetDisplayNode().SetSegmentOpacity3D(region, look["opacity"])
