"""Prepare the images of one tumour so that its voxels can be compared, as paper 003 does.

N4 on each sequence, 1 mm, registration of the others to the portal venous one (rigid; deformable where asked for),
minimum and maximum to 0 and 255, and the region of the portal venous image on all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import SimpleITK as sitk

from hccoutcome.errors import InputError, nearest
from hccoutcome.habitat.region import order_phase
from hccoutcome.imaging.prepare import Preparation, prepare
from hccoutcome.imaging.registration_check import RegistrationCheck, checkerboard, registration_checks
from hccoutcome.progress import Progress, silent

__all__ = ["RegistrationCheck", "checkerboard", "preparation_for", "prepare_tumour"]

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
    checks = tuple(registration_checks(images, prepared, reference))
    return PreparedTumour(prepared.images, outlined[reference], preparation, checks, prepared.notes)
