"""What SELECTION sees of a case: one axial slice of the arterial and of the portal phase.

SELECTION (eClinicalMedicine 2024;75:102808, "Data preprocess and automatic delineation"): slices brought to a thickness
of 1 mm by one-dimensional spline interpolation, grey levels kept within -50 to 350 HU, in each phase the slice with the
largest tumour area, of it 224 mm x 224 mm around the whole liver.

Left open there and decided here: the pixels are 1 mm wide, so that the plane has the 224 pixels that a ViT reads; the
plane's middle is that of the liver's box in the slice, and where the liver is wider than the plane, a note says so;
-50 to 350 HU become 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk

from hccoutcome.deep.frames import Frame, axial, frame_around, part_around, sample, slice_by_spline
from hccoutcome.deep.inputs import Images, Masks, NetworkInput, Plane, image_of, mask_of
from hccoutcome.deep.lesions import CrossSection, largest_cross_section
from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import Geometry

SYSTEM = "SELECTION"
VARIABLES = (
    "age", "sex", "ecog", "comorbidity", "hepatitis", "ascites",
    "afp", "tumor_number", "tumor_diameter", "bclc", "metastasis", "portal_vein_thrombus",
    "alb", "alt", "ast", "tbil", "pt", "inr", "plt", "child_pugh",
)  # fmt: skip
"""The 20 clinical variables: demographic, of the tumour, laboratory."""


@dataclass(frozen=True)
class SelectionView:
    """How SELECTION looks at a case.

    Attributes:
        phases: in the network's order.
        pixels: rows and columns of the plane.
        pixel: width of a pixel in mm.
        thickness: distance in mm of the slices among which the largest tumour area is looked for.
        low: HU that become 0, as all below.
        high: HU that become 1, as all above.
    """

    phases: tuple[str, ...] = ("arterial", "portal")
    pixels: int = 224
    pixel: float = 1.0
    thickness: float = 1.0
    low: float = -50.0
    high: float = 350.0

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data that tells these settings."""
        return {**asdict(self), "phases": list(self.phases)}


def selection_input(images: Images, masks: Masks, view: SelectionView | None = None) -> NetworkInput:
    """Return the planes that SELECTION reads.

    Args:
        images: CT in HU by phase.
        masks: by region and phase, on that phase's grid; ``liver`` and ``tumor`` are read.
        view: how it looks; as in the paper where None.

    Raises:
        InputError: a phase, the liver or the tumour is missing in one of them.
    """
    view = view or SelectionView()
    planes, pixels, notes = [], [], []
    for phase in view.phases:
        image = axial(image_of(images, phase, SYSTEM))
        tumor = axial(mask_of(masks, "tumor", phase, SYSTEM))
        liver = axial(mask_of(masks, "liver", phase, SYSTEM))
        section = largest_cross_section(tumor, view.thickness)
        low, high = _liver_box(liver, tumor, section, phase)
        frame = _frame(image, section, (low + high) / 2, view)
        planes.append(Plane(phase, 0, frame))
        pixels.append(_grey_levels(image, frame, view))
        notes += _cut(image, low, high, phase, view)
    return NetworkInput(np.stack(pixels), tuple(planes), tuple(notes))


def _liver_box(
    liver: sitk.Image, tumor: sitk.Image, section: CrossSection, phase: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the outer voxel indices (x, y) of the liver in a slice, tumours included."""
    plane = min(max(int(np.floor(section.height + 0.5)), 0), liver.GetSize()[2] - 1)
    if not sitk.GetArrayViewFromImage(liver)[plane].any():
        raise InputError(
            f"The liver was expected in the slice with the largest tumour area of the {phase} image, but its mask is "
            "empty there: correct the liver mask or the tumour mask."
        )
    both = (sitk.GetArrayViewFromImage(liver)[plane] != 0) | (sitk.GetArrayViewFromImage(tumor)[plane] != 0)
    inside = np.argwhere(both)
    return inside.min(axis=0)[::-1].astype(float), inside.max(axis=0)[::-1].astype(float)


def _frame(image: sitk.Image, section: CrossSection, middle: np.ndarray, view: SelectionView) -> Frame:
    centre = np.array([*middle, section.height])
    return frame_around(image, centre, view.pixels, view.pixels, view.pixel, view.thickness)


def _grey_levels(image: sitk.Image, frame: Frame, view: SelectionView) -> np.ndarray:
    plane = slice_by_spline(part_around(image, frame.geometry), frame)
    levels = sample(plane, frame, outside=view.low)
    return ((np.clip(levels, view.low, view.high) - view.low) / (view.high - view.low)).astype(np.float32)


def _cut(image: sitk.Image, low: np.ndarray, high: np.ndarray, phase: str, view: SelectionView) -> list[str]:
    """Return a note where the liver is wider than the plane."""
    width = (high - low + 1) * Geometry.from_image(image).spacing[:2]
    side = view.pixels * view.pixel
    if (width <= side).all():
        return []
    seen = f"the middle {side:.0f} x {side:.0f} mm"
    return [
        f"The liver measures {width[0]:.0f} x {width[1]:.0f} mm in the {phase} slice, of which SELECTION sees {seen}."
    ]


def selection_key(images: Images, masks: Masks, view: SelectionView) -> tuple[Any, ...]:
    """Return everything on which ``selection_input`` depends, for ``inputs.digest``."""
    settings: Mapping[str, object] = {"input": "selection", **view.to_dict()}
    return (
        settings,
        *(images[phase] for phase in view.phases if phase in images),
        *(masks[name][p] for name in ("liver", "tumor") for p in view.phases if p in masks.get(name, {})),
    )
