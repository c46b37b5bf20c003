"""What a network sees of a case: planes of grey levels between 0 and 1, each with its place in the patient."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hccoutcome.deep.frames import Frame
from hccoutcome.errors import InputError
from hccoutcome.files import sha256_of_json
from hccoutcome.imaging.geometry import Geometry
from hccoutcome.imaging.itk import image_from_array

Origin = Literal["image", "screenshot"]
ORIGINS: tuple[Origin, ...] = ("image", "screenshot")
Images = Mapping[str, sitk.Image]
Masks = Mapping[str, Images]
"""Mask by region and phase, on that phase's grid (``imaging.prepare.Prepared.masks``)."""


@dataclass(frozen=True, eq=False)
class Plane:
    """One plane among those that a network reads.

    Attributes:
        phase: canonical phase.
        offset: which of the phase's planes it is: steps from the middle one, upwards positive.
        frame: where its pixels lie; None for a screenshot, whose place is not known, and for a plane that is missing.
        origin: ``"image"``, or ``"screenshot"`` for one read from a picture file.
        present: False where the case lacks it; its grey levels are then 0 and count for nothing.
    """

    phase: str
    offset: int = 0
    frame: Frame | None = None
    origin: Origin = "image"
    present: bool = True


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """What one network sees of one case.

    Attributes:
        pixels: grey levels in [0, 1], shape (planes, rows, columns), float32.
        planes: what they are, in the network's order.
        notes: sentences on what a reader of the result should know: phases that are missing, parts that were cut.
    """

    pixels: NDArray[np.float32]
    planes: tuple[Plane, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or len(self.pixels) != len(self.planes):
            raise ValueError(f"{len(self.planes)} planes with grey levels of shape {self.pixels.shape}")
        if not (np.isfinite(self.pixels).all() and self.pixels.min() >= 0 and self.pixels.max() <= 1):
            raise ValueError("grey levels beyond 0 to 1")

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which planes the case has, shape (planes,)."""
        return np.array([plane.present for plane in self.planes], bool)

    @property
    def screenshots(self) -> bool:
        """Whether any plane was read from a picture file, whose scale and place are not known."""
        return any(plane.origin == "screenshot" for plane in self.planes)


def plane_image(seen: NetworkInput, number: int) -> sitk.Image:
    """Return one plane as an image one voxel thick where it lies in the patient, to be shown as the network sees it.

    Raises:
        InputError: the plane is missing or comes from a screenshot, which has no place in the patient.
    """
    plane = seen.planes[number]
    if plane.frame is None:
        why = "comes from a screenshot" if plane.origin == "screenshot" else "is missing"
        raise InputError(
            f"The {plane.phase} plane {plane.offset:+d} should lie in an image of the case, but it {why}: "
            "give the image itself to see it in the scene."
        )
    return image_from_array(seen.pixels[number][None].copy(), plane.frame.affine)


def image_of(images: Images, phase: str, system: str) -> sitk.Image:
    """Return the image of a phase that a network cannot do without.

    Raises:
        InputError: the case has no image of that phase.
    """
    if phase not in images:
        raise InputError(
            f"{system} reads the {phase} phase, found {', '.join(images) or 'no image'}: add the {phase} image."
        )
    return images[phase]


def refuse_other_than_ct(images: Images, phases: Iterable[str]) -> None:
    """Refuse images that cannot be CT in HU: MR whose modality nobody stated, or CT before its rescaling.

    Args:
        images: by phase.
        phases: that are read.

    Raises:
        InputError: an image has no level below 0, as air and fat have.
    """
    for phase in phases:
        if phase in images and (least := float(sitk.GetArrayViewFromImage(images[phase]).min())) >= 0:
            raise InputError(
                f"The {phase} image is read as CT in HU, where air and fat lie below 0, found no level below "
                f"{least:g}: state the modality, and give CT in HU."
            )


def mask_of(masks: Masks, region: str, phase: str, system: str) -> sitk.Image:
    """Return the mask of a region on a phase's grid.

    Raises:
        InputError: the region was not outlined there, or is empty.
    """
    outlined = masks.get(region, {})
    if phase not in outlined:
        where = f"found it only on {', '.join(outlined)}" if outlined else "found no outline of it"
        raise InputError(
            f"{system} needs the {region} outlined on the {phase} image, {where}: outline it there, or register the "
            "phases to each other."
        )
    if not sitk.GetArrayViewFromImage(outlined[phase]).any():
        raise InputError(f"The {region} mask of the {phase} image is empty: outline the {region} there.")
    return outlined[phase]


def digest(*parts: sitk.Image | Mapping[str, object] | bytes | str) -> str:
    """Return one SHA256 over images (voxels and grid), settings as JSON data, bytes and texts, in their order."""
    total = hashlib.sha256()
    for part in parts:
        total.update(_digest_of(part))
    return total.hexdigest()


def _digest_of(part: sitk.Image | Mapping[str, object] | bytes | str) -> bytes:
    if isinstance(part, sitk.Image):
        grid = Geometry.from_image(part)
        text = f"{part.GetPixelIDTypeAsString()} {grid.size} {grid.spacing} {grid.origin} {grid.direction}"
        voxels = np.ascontiguousarray(sitk.GetArrayViewFromImage(part))
        return hashlib.sha256(text.encode() + hashlib.sha256(voxels.data).digest()).digest()
    if isinstance(part, Mapping):
        return bytes.fromhex(sha256_of_json(dict(part)))
    return hashlib.sha256(part.encode() if isinstance(part, str) else part).digest()
