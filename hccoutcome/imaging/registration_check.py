"""What shows a person whether a registration is right: checkerboards and mutual information, before and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from hccoutcome.imaging.geometry import Geometry
from hccoutcome.imaging.normalise import window
from hccoutcome.imaging.prepare import Images, Prepared
from hccoutcome.imaging.register import doubt
from hccoutcome.imaging.resample import resample_image

SQUARE_MM = 25.0
"""Side of a checkerboard's squares: several across a liver."""


@dataclass(frozen=True)
class RegistrationCheck:
    """What a person needs to see whether a registration is right.

    Attributes:
        phase: the phase that was moved.
        reference: the phase that stayed.
        before, after: their mutual information in nats, as scanned and as registered.
        overlap: part of the reference grid that the moved image covers.
        checkerboard: both images in turns, square by square, each scaled to 0..255 and cut at its 0.5th and 99.5th
            percentile: edges run on where they match.
        as_scanned: the same before the registration, rounded (uint8); None where it was not kept.
        warning: why the registration is to be doubted, as a sentence; empty where nothing speaks against it.
    """

    phase: str
    reference: str
    before: float
    after: float
    overlap: float
    checkerboard: sitk.Image
    as_scanned: sitk.Image | None = None
    warning: str = ""


def registration_checks(scanned: Images, prepared: Prepared, reference: str) -> Iterator[RegistrationCheck]:
    """Yield a check for each phase that a preparation registered.

    Args:
        scanned: the images as they came, by phase.
        prepared: what the preparation made of them.
        reference: the phase to which the others were registered.
    """
    fixed = prepared.images[reference]
    for phase, found in prepared.registrations.items():
        unmoved = resample_image(scanned[phase], Geometry.from_image(fixed), "linear")
        yield RegistrationCheck(
            phase=phase,
            reference=reference,
            before=found.before,
            after=found.after,
            overlap=found.overlap,
            checkerboard=checkerboard(fixed, prepared.images[phase]),
            as_scanned=sitk.Cast(sitk.Round(checkerboard(fixed, unmoved)), sitk.sitkUInt8),
            warning=doubt(found),
        )


def checkerboard(first: sitk.Image, second: sitk.Image, square_mm: float = SQUARE_MM) -> sitk.Image:
    """Return two images on one grid in turns, square by square (float32, 0..255); see ``RegistrationCheck``."""
    squares = [
        max(2, round(size * spacing / square_mm))
        for size, spacing in zip(first.GetSize(), first.GetSpacing(), strict=True)
    ]
    return sitk.CheckerBoard(_shown(first), _shown(second), squares)


def _shown(image: sitk.Image) -> sitk.Image:
    """Return an image scaled to 0..255 between its percentiles; where these are the same, between its extremes."""
    values = sitk.GetArrayViewFromImage(image)
    low, high = np.percentile(values, (0.5, 99.5))
    if low == high:
        low, high = values.min(), values.max()
    return window(image, float(low), float(high), (0.0, 255.0))
