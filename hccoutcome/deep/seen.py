"""What a network sees of a case as volumes in the patient: its planes stacked where they lie, one volume a phase."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hccoutcome.deep.backprojection import heights_of
from hccoutcome.deep.frames import Frame
from hccoutcome.deep.inputs import NetworkInput, plane_image
from hccoutcome.imaging.itk import image_from_array

_EVEN = 1e-3
"""Largest part of a plane's thickness by which planes may lie off even steps and still be one stack."""


@dataclass(frozen=True, eq=False)
class SeenVolume:
    """The planes of one phase that a network sees.

    Attributes:
        phase: canonical phase.
        image: float32, grey levels from 0 to 1 as the network reads them; 0 where it reads no plane.
        part: tells volumes of one phase apart, empty where there is one only.
    """

    phase: str
    image: sitk.Image
    part: str = ""

    @property
    def name(self) -> str:
        """Name of its file and node."""
        return f"{self.phase}{self.part}"


def seen_volumes(seen: NetworkInput) -> list[SeenVolume]:
    """Return what a network sees of every phase that has a place in the patient; screenshots have none.

    Planes at even steps of their thickness become one volume, with black between planes that are further apart;
    others a volume each.
    """
    volumes = []
    for phase in dict.fromkeys(plane.phase for plane in seen.planes):
        there = {
            number: plane.frame
            for number, plane in enumerate(seen.planes)
            if plane.phase == phase and plane.present and plane.frame is not None
        }
        if not there:
            continue
        numbers, frames = list(there), list(there.values())
        steps = heights_of(frames) / np.linalg.norm(frames[0].affine[:3, 2])
        if np.abs(steps - steps.round()).max() <= _EVEN:
            volumes.append(SeenVolume(phase, _stacked(frames, seen.pixels[numbers], steps.round().astype(int))))
        else:
            volumes += [
                SeenVolume(phase, plane_image(seen, number), f"{seen.planes[number].offset:+d}") for number in numbers
            ]
    return volumes


def _stacked(frames: list[Frame], pixels: NDArray[np.float32], steps: NDArray[np.int_]) -> sitk.Image:
    """Return planes as one image; ``steps`` says how many planes above the first each one lies."""
    lowest = int(steps.min())
    voxels = np.zeros((int(steps.max()) - lowest + 1, *pixels.shape[1:]), np.float32)
    voxels[steps - lowest] = pixels
    return image_from_array(voxels, frames[int(steps.argmin())].affine)
