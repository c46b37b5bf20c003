"""Slices through the volumes of a case, cut by MRML's own slice logic in the three standard planes.

Every plane is shown as radiologists read it: the patient's right on the left of axial and coronal pictures, the front
on the left of sagittal ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import slicer
from scipy.ndimage import gaussian_filter
from vtkmodules.util.numpy_support import vtk_to_numpy

from hccoutcome.scene.exchange import image_from_node, node_from_image
from hccoutcome.scene.places import corners


@dataclass(frozen=True)
class Plane:
    """A standard plane: its name, the picture's axes in RAS and the letters at its edges.

    Attributes:
        name: ``"axial"``, ``"coronal"`` or ``"sagittal"``.
        right: direction in RAS in which the picture runs to the right.
        up: direction in RAS in which it runs upwards.
        letters: where the left, right, upper and lower edge lie: L R A P S I.
    """

    name: str
    right: tuple[float, float, float]
    up: tuple[float, float, float]
    letters: tuple[str, str, str, str]

    @property
    def normal(self) -> int:
        """Index in RAS of the axis across the plane."""
        return 3 - int(np.flatnonzero(self.right)[0]) - int(np.flatnonzero(self.up)[0])


PLANES = (
    Plane("axial", (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), ("R", "L", "A", "P")),
    Plane("coronal", (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0), ("R", "L", "S", "I")),
    Plane("sagittal", (0.0, -1.0, 0.0), (0.0, 0.0, 1.0), ("A", "P", "S", "I")),
)


@dataclass(frozen=True)
class Frame:
    """What a picture shows: its middle in RAS, its width and height and the size of a pixel, all in mm."""

    middle: tuple[float, float, float]
    width: float
    height: float
    pixel: float

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return round(self.width / self.pixel), round(self.height / self.pixel)


def cut(node: slicer.vtkMRMLVolumeNode, plane: Plane, frame: Frame, outside: float) -> np.ndarray:
    """Return the values (y, x; the first row at the top) of a volume node in a plane, interpolated linearly.

    Args:
        node: the volume.
        plane: how the picture lies.
        frame: what the picture shows.
        outside: value where the volume has no voxels.
    """
    columns, rows = frame.pixels
    view = slicer.vtkMRMLSliceNode()
    normal = np.cross(plane.right, plane.up)
    view.SetSliceToRASByNTP(*normal, *plane.right, *frame.middle, 0)
    view.SetDimensions(columns, rows, 1)
    view.SetFieldOfView(columns * frame.pixel, rows * frame.pixel, 1.0)
    view.UpdateMatrices()
    layer = slicer.vtkMRMLSliceLayerLogic()
    layer.SetSliceNode(view)
    layer.SetVolumeNode(node)
    reslice = layer.GetReslice()
    reslice.SetInterpolationModeToLinear()
    reslice.SetBackgroundLevel(outside)
    reslice.Update()
    values = vtk_to_numpy(reslice.GetOutput().GetPointData().GetScalars())
    return values.reshape(rows, columns)[::-1].astype(float)


def cut_mask(mask: sitk.Image, plane: Plane, frame: Frame) -> np.ndarray:
    """Return how far inside a mask each pixel lies, 0 to 1; one half is its outline, the steps of voxels softened."""
    padded = sitk.ConstantPad(mask * 255, (1, 1, 1), (1, 1, 1), 0)
    return gaussian_filter(cut(node_from_image(padded, "mask"), plane, frame, 0.0) / 255, 1.0)


def body_box(node: slicer.vtkMRMLVolumeNode) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest RAS coordinates (mm) of the body in a volume, the whole volume where all is dark.

    What is darker than the display window by its whole width is taken for air: for CT that is below -300 HU.
    """
    image = image_from_node(node)
    display = node.GetDisplayNode()
    step = [max(1, size // 128) for size in image.GetSize()]
    array = sitk.GetArrayViewFromImage(image)[:: step[2], :: step[1], :: step[0]]
    dark = display.GetLevel() - display.GetWindow()
    inside = array > max(dark, float(array.min()))
    indices = [np.flatnonzero(_filled(inside, axis)) for axis in (2, 1, 0)]
    if any(index.size == 0 for index in indices):
        indices = [np.arange(length) for length in array.shape[::-1]]
    return corners(image, [(int(index[0]) * by, int(index[-1]) * by) for index, by in zip(indices, step, strict=True)])


def _filled(inside: np.ndarray, axis: int) -> np.ndarray:
    """Return which layers across an axis hold more than a few stray voxels."""
    others = tuple(other for other in range(3) if other != axis)
    return inside.mean(axis=others) > 0.01
