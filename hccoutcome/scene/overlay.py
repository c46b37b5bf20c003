"""Volumes over a case's images in the slice views: maps with their legend, and what networks see."""

from __future__ import annotations

import slicer

from hccoutcome.scene.nodes import PHASE, CaseNodes
from hccoutcome.scene.views import SLICE_VIEWS

RELEVANCE, SEEN = "relevance", "seen"
"""Roles of the nodes begin with them: ``relevance:selection-mrecist:portal_gradcam``, ``seen:tci-small:portal``."""
OPACITY = 0.7


def show_map(volume: slicer.vtkMRMLScalarVolumeNode, nodes: CaseNodes, opacity: float = OPACITY) -> None:
    """Show a map over its image in the slice views, with its legend where it has one."""
    image = nodes.images.get(volume.GetAttribute(PHASE))
    for name in SLICE_VIEWS:
        layers = nodes.scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")
        if layers is None:
            continue
        if image is not None:
            layers.SetBackgroundVolumeID(image.GetID())
        layers.SetForegroundVolumeID(volume.GetID())
        layers.SetForegroundOpacity(opacity)
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(volume)
    if legend is not None:
        legend.SetVisibility(True)


def volumes_of_networks(nodes: CaseNodes) -> list[slicer.vtkMRMLScalarVolumeNode]:
    """Return the volumes of what networks look at and see in a case, the maps first."""
    found = [(role, node) for role, node in nodes.findings.items() if node.IsA("vtkMRMLScalarVolumeNode")]
    return [node for kind in (RELEVANCE, SEEN) for role, node in found if role.startswith(f"{kind}:")]


def show_of_network(volume: slicer.vtkMRMLScalarVolumeNode, nodes: CaseNodes, opacity: float = 1.0) -> None:
    """Show a map or what a network sees over its image, with its legend where it has one and no other's."""
    for other in volumes_of_networks(nodes):
        legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(other)
        if legend is not None:
            legend.SetVisibility(False)
    show_map(volume, nodes, opacity)


def set_opacity(volume: slicer.vtkMRMLScalarVolumeNode, opacity: float) -> None:
    """Set how far a volume hides the image wherever it is shown over one."""
    for name in SLICE_VIEWS:
        layers = volume.GetScene().GetSingletonNode(name, "vtkMRMLSliceCompositeNode")
        if layers is not None and layers.GetForegroundVolumeID() == volume.GetID():
            layers.SetForegroundOpacity(opacity)
