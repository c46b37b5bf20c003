"""What the TCI transformer sees of a case: nine slices through the largest lesion in each of four MRI phases.

TCI (J Cancer 2025;16:2663-2672, "CE-MRI Acquisition and Image Pre-processing", "2.5D Segmentation Methods"): 1 x 1 x 1
mm, grey levels in 25 bins, the largest lesion, its largest cross-section and the slices within 4 voxels of it, before
contrast and in the arterial, portal and delayed phase; screenshots in JPEG may take the place of images.

Left open there and decided here: cross-sections are axial; a slice shows 224 x 224 mm around the lesion, which keeps
1 mm a pixel and the lesion's surroundings; the 25 bins of equal width span the 0.5th to the 99.5th percentile of a
phase's slices; every slice is an instance of its own, so that phases and slices can be missing one by one; a phase on
which nothing is outlined is read at the place where another phase of the examination is. A screenshot is brought to the
network's pixels as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hccoutcome.deep.frames import Frame, axial, frame_around, part_around
from hccoutcome.deep.inputs import Images, Masks, NetworkInput, Plane
from hccoutcome.deep.lesions import largest_cross_section, largest_lesion
from hccoutcome.deep.screenshots import Screenshots, read_screenshot, square
from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import Geometry
from hccoutcome.imaging.resample import resample_image

SYSTEM = "TCI"
_DONORS = ("portal", "arterial", "delayed", "precontrast")
"""Phases on which a tumour is outlined most reliably, the best first."""


@dataclass(frozen=True)
class TciView:
    """How TCI looks at a case.

    Attributes:
        phases: in the network's order.
        reach: slices beneath and above the largest cross-section; 4 gives nine.
        pixels: rows and columns of a slice.
        voxel: width of a voxel in mm.
        levels: bins of the grey levels.
        percentiles: of a phase's grey levels that the bins span.
    """

    phases: tuple[str, ...] = ("precontrast", "arterial", "portal", "delayed")
    reach: int = 4
    pixels: int = 224
    voxel: float = 1.0
    levels: int = 25
    percentiles: tuple[float, float] = (0.5, 99.5)

    @property
    def offsets(self) -> tuple[int, ...]:
        """The slices of a phase, from the foot to the head."""
        return tuple(range(-self.reach, self.reach + 1))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data that tells these settings."""
        return {**asdict(self), "phases": list(self.phases), "percentiles": list(self.percentiles)}


def tci_input(
    images: Images, masks: Masks, view: TciView | None = None, screenshots: Screenshots | None = None
) -> NetworkInput:
    """Return the slices that TCI reads, phase after phase; what the case lacks is marked as missing and noted.

    Args:
        images: MRI by phase.
        masks: by region and phase, on that phase's grid; ``tumor`` is read.
        view: how it looks; as in the paper where None.
        screenshots: picture files that take the place of phases without an image.

    Raises:
        InputError: nothing of any phase is left, a phase is given twice, or a screenshot cannot be read.
    """
    view = view or TciView()
    shots = screenshots or {}
    _check_screenshots(shots, images, view)
    pixels, planes, notes = [], [], []
    for phase in view.phases:
        if any(place[0] == phase for place in shots):
            levels, slices = _from_screenshots(phase, shots, view)
            notes.append(f"The {phase} phase was read from screenshots, whose scale and place are not known.")
        elif phase not in images:
            levels, slices = _missing(phase, view)
            notes.append(f"The {phase} phase is missing: TCI predicts without it.")
        else:
            outlined = _outlined(masks, phase)
            levels, slices = _from_image(phase, images[phase], masks["tumor"][outlined], view)
            if outlined != phase:
                notes.append(f"The {phase} slices were taken where the tumour is outlined on the {outlined} image.")
            notes += _beyond(phase, slices)
        pixels.append(levels)
        planes += slices
    if not any(plane.present for plane in planes):
        raise InputError(
            f"TCI reads at least one of {', '.join(view.phases)} with the tumour outlined on it, found none: add the "
            "image of a phase and its tumour mask."
        )
    return NetworkInput(np.concatenate(pixels), tuple(planes), tuple(notes))


def _check_screenshots(shots: Screenshots, images: Images, view: TciView) -> None:
    for phase, offset in shots:
        if phase not in view.phases or offset not in view.offsets:
            raise InputError(
                f"TCI reads slices -{view.reach} to {view.reach} of {', '.join(view.phases)}, found a screenshot of "
                f"{phase} slice {offset:+d}: leave it out."
            )
        if phase in images:
            raise InputError(f"The {phase} phase is given both as an image and as a screenshot: leave one of them out.")


def _outlined(masks: Masks, phase: str) -> str:
    """Return the phase whose outline shows where the tumour lies: this one, or another of the same examination.

    Raises:
        InputError: the tumour is outlined nowhere.
    """
    found = masks.get("tumor", {})
    for other in (phase, *_DONORS, *found):
        if other in found and sitk.GetArrayViewFromImage(found[other]).any():
            return other
    raise InputError(
        f"TCI needs the tumour outlined on one of its phases, found no outline for the {phase}: add a mask."
    )


def _missing(phase: str, view: TciView) -> tuple[NDArray[np.float32], list[Plane]]:
    empty = np.zeros((len(view.offsets), view.pixels, view.pixels), np.float32)
    return empty, [Plane(phase, offset, present=False) for offset in view.offsets]


def _from_image(phase: str, given: sitk.Image, mask: sitk.Image, view: TciView) -> tuple[np.ndarray, list[Plane]]:
    image, lesion = axial(given), largest_lesion(axial(mask))
    section = largest_cross_section(lesion, view.voxel)
    step = view.voxel / lesion.GetSpacing()[2]
    frames = [
        frame_around(
            lesion,
            section.centre + np.array([0.0, 0.0, offset * step]),
            view.pixels,
            view.pixels,
            view.voxel,
            view.voxel,
        )
        for offset in view.offsets
    ]
    inside = [_reaches(image, frame) for frame in frames]
    grid = frames[0].geometry
    stack = Geometry((view.pixels, view.pixels, len(frames)), grid.spacing, grid.origin, grid.direction)
    values = sitk.GetArrayFromImage(resample_image(part_around(image, stack), stack, "bspline")).astype(np.float64)
    levels = np.zeros(values.shape, np.float32)
    if any(inside):
        levels[inside] = grey_bins(values[inside], view, f"the {phase} image")
    planes = [
        Plane(phase, offset, frame if there else None, present=there)
        for offset, frame, there in zip(view.offsets, frames, inside, strict=True)
    ]
    return levels, planes


def _reaches(image: sitk.Image, frame: Frame) -> bool:
    """Return whether the middle of a plane lies between the outer faces of an image's first and last slice."""
    columns, rows = frame.size
    middle = frame.affine @ [(columns - 1) / 2, (rows - 1) / 2, 0.0, 1.0]
    height = image.TransformPhysicalPointToContinuousIndex(middle[:3].tolist())[2]
    return bool(-0.5 <= height <= image.GetSize()[2] - 0.5)


def _beyond(phase: str, planes: Sequence[Plane]) -> list[str]:
    lost = [f"{plane.offset:+d}" for plane in planes if not plane.present]
    return [f"The slices {', '.join(lost)} of the {phase} phase lie outside its image."] if lost else []


def _from_screenshots(phase: str, shots: Screenshots, view: TciView) -> tuple[np.ndarray, list[Plane]]:
    levels, _ = _missing(phase, view)
    planes = []
    for number, offset in enumerate(view.offsets):
        path = shots.get((phase, offset))
        if path is not None:
            picture = square(read_screenshot(path), view.pixels)
            levels[number] = grey_bins(picture.astype(np.float64), view, f"the screenshot '{path.name}'")
        planes.append(Plane(phase, offset, origin="screenshot", present=path is not None))
    return levels, planes


def grey_bins(values: NDArray[np.float64], view: TciView, what: str) -> NDArray[np.float32]:
    """Return grey levels in ``view.levels`` bins of equal width, the lowest as 0 and the highest as 1.

    Raises:
        InputError: there is one grey level only.
    """
    low, high = np.percentile(values, view.percentiles)
    if not low < high:
        raise InputError(f"Different grey levels around the tumour were expected, found {low:g} in {what}: check it.")
    number = np.clip(np.floor((values - low) / (high - low) * view.levels), 0, view.levels - 1)
    return (number / (view.levels - 1)).astype(np.float32)


def tci_key(images: Images, masks: Masks, view: TciView, screenshots: Screenshots | None = None) -> tuple[Any, ...]:
    """Return everything on which ``tci_input`` depends, for ``inputs.digest``."""
    outlined = masks.get("tumor", {})
    shots = sorted((screenshots or {}).items())
    places: dict[str, object] = {f"{phase} {offset}": number for number, ((phase, offset), _) in enumerate(shots)}
    there: dict[str, object] = {"images": [p for p in view.phases if p in images]}
    there["masks"] = list(outlined)
    return (
        {"input": "tci", **view.to_dict(), "screenshots": places, **there},
        *(images[phase] for phase in view.phases if phase in images),
        *outlined.values(),
        *(path.read_bytes() for _, path in shots),
    )
