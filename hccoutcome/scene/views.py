"""What 3D Slicer shows when a case's scene opens: the slices through the tumour and the surfaces from the front."""

from __future__ import annotations

import numpy as np
import slicer

from hccoutcome.scene.nodes import CaseNodes

SLICE_VIEWS = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}
"""Orientation by the name of Slicer's slice view."""
THREE_D_VIEW = "1"


def show_case(nodes: CaseNodes, phase: str, point: tuple[float, float, float]) -> None:
    """Show one phase of a case in the slice views, at a point in RAS, and look at that point from the front in 3D."""
    volume = nodes.images[phase]
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    size = max(np.diff(bounds)[::2])
    for name, orientation in SLICE_VIEWS.items():
        view = _view(nodes.scene, "vtkMRMLSliceNode", name)
        view.SetOrientation(orientation)
        width, height, depth = view.GetFieldOfView()
        view.SetFieldOfView(size, size * height / width, depth)
        view.JumpSliceByCentering(*point)
        layers = _view(nodes.scene, "vtkMRMLSliceCompositeNode", name)
        layers.SetBackgroundVolumeID(volume.GetID())
    _view(nodes.scene, "vtkMRMLViewNode", THREE_D_VIEW)
    _aim_camera(nodes.scene, point, 1.8 * size)


def _view(scene: slicer.vtkMRMLScene, node_class: str, name: str) -> slicer.vtkMRMLNode:
    """Return a view's node; it is made where there is no application that made it."""
    node = scene.GetSingletonNode(name, node_class)
    if node is None:
        node = scene.CreateNodeByClass(node_class)
        node.UnRegister(None)
        node.SetSingletonTag(name)
        node.SetLayoutName(name)
        node.SetName(name)
        scene.AddNode(node)
    return node


def _aim_camera(scene: slicer.vtkMRMLScene, point: tuple[float, float, float], distance: float) -> None:
    """Look at a point from the front with the head upwards."""
    cameras = slicer.util.getNodesByClass("vtkMRMLCameraNode", scene)
    camera = next((node for node in cameras if node.GetLayoutName() == THREE_D_VIEW), None)
    if camera is None:
        camera = slicer.vtkMRMLCameraNode()
        camera.SetLayoutName(THREE_D_VIEW)
        scene.AddNode(camera)
    camera.SetFocalPoint(*point)
    camera.SetPosition(point[0], point[1] + distance, point[2])
    camera.SetViewUp(0.0, 0.0, 1.0)
