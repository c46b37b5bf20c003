"""Prepare the images of one tumour so that its voxels can be compared, as paper 003 does.

N4 on each sequence, 1 mm, registration of the others to the portal venous one (rigid; deformable where asked for),
minimum and maximum to 0 and 255, and the region of the portal venous image on all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError, nearest
from hccoutcome.habitat.region import order_phase
from hccoutcome.imaging.normalise import window
from hccoutcome.imaging.prepare import Preparation, prepare
from hccoutcome.progress import Progress, silent

MRI = Preparation(
    bias_correction=True,
    spacing=(1.0, 1.0, 1.0),
    interpolation="bspline",
    reference_phase="portal",
    registration="rigid",
    normalisation="minmax",
    output_range=(0.0, 255.0),
)
"""Section 2.5 of paper 003 (Front Oncol 2026, doi 10.3389/fonc.2026.1764150)."""
CT = Preparation(spacing=(1.0, 1.0, 1.0), interpolation="bspline", reference_phase="portal", registration="rigid")
"""For CT: HU mean the same everywhere and are left as they are."""
PREPARATIONS: Mapping[str, Preparation] = {"mri": MRI, "ct": CT}
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
    """

    phase: str
    reference: str
    before: float
    after: float
    overlap: float
    checkerboard: sitk.Image


@dataclass(frozen=True)
class PreparedTumour:
    """Images of one tumour on one grid.

    Attributes:
        images: by phase.
        mask: the tumour on their grid.
        preparation: what was done.
        checks: one for each registered phase.
        notes: sentences on what a reader should know.
    """

    images: Mapping[str, sitk.Image]
    mask: sitk.Image
    preparation: Preparation
    checks: tuple[RegistrationCheck, ...]
    notes: tuple[str, ...]


def preparation_for(
    name: str, phases: Sequence[str], registration: Literal["rigid", "deformable"] = "rigid"
) -> Preparation:
    """Return a preparation by name, its reference the portal venous phase where there is one, or else the first.

    Raises:
        InputError: there is none of that name, or no phase.
    """
    if name not in PREPARATIONS:
        raise InputError(f"'{name}' is not a known preparation; {nearest(name, PREPARATIONS)}.")
    if not phases:
        raise InputError("Habitats need at least one image, found none: add the images of the phases.")
    chosen = replace(PREPARATIONS[name], reference_phase=order_phase(tuple(phases)), registration=registration)
    return chosen if len(phases) > 1 else replace(chosen, registration="none", reference_phase=None)


def prepare_tumour(
    images: Mapping[str, sitk.Image],
    masks: Sequence[sitk.Image],
    preparation: Preparation = MRI,
    region: str = "tumor",
    seed: int = 0,
    progress: Progress = silent,
) -> PreparedTumour:
    """Prepare the images and carry the tumour's mask along.

    Args:
        images: by canonical phase, as scanned.
        masks: the tumour, one mask for each grid on which it was outlined (``Case.masks[region]``).
        preparation: the steps.
        region: name of the region, for messages.
        seed: seed of the registrations.
        progress: told the fraction done; may stop the work.

    Raises:
        InputError: an image or mask does not allow a step; the message names it.
    """
    prepared = prepare(images, {region: masks}, preparation, seed, progress)
    outlined = prepared.masks[region]
    reference = preparation.reference_phase or next(iter(outlined))
    checks = tuple(
        RegistrationCheck(
            phase=phase,
            reference=reference,
            before=found.before,
            after=found.after,
            overlap=found.overlap,
            checkerboard=checkerboard(prepared.images[reference], prepared.images[phase]),
        )
        for phase, found in prepared.registrations.items()
    )
    return PreparedTumour(prepared.images, outlined[reference], preparation, checks, prepared.notes)


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
