"""Perturbed masks brought back onto the image that they were drawn on, to be looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import SimpleITK as sitk

from hccoutcome.imaging.geometry import Geometry
from hccoutcome.radiomics.grid import array_view
from hccoutcome.stability.lattice import block_around, block_of, cut, image_on, sample
from hccoutcome.stability.perturbation import Perturbation
from hccoutcome.stability.table import StabilityTable


@dataclass(frozen=True)
class Inspected:
    """One perturbed mask to look at.

    Attributes:
        index: number of the perturbation.
        name: what was done, for a reader.
        mask: the mask (uint8, 0/1) on the lattice of the original image, cut to the box around it.
    """

    index: int
    name: str
    mask: sitk.Image


@dataclass(frozen=True)
class PerturbedCase:
    """A case with its perturbed masks and what was measured, as a scene shows them.

    Attributes:
        subject: name of the case.
        image: the image as it is.
        mask: the outline as it is, on its grid.
        masks: perturbed masks on that grid.
        rows: what each perturbation did (``PerturbationStudy.rows``).
        table: the stability of the features.
        phase, region: what image and outline are; empty where not stated.
    """

    subject: str
    image: sitk.Image
    mask: sitk.Image
    masks: Sequence[Inspected]
    rows: Sequence[Mapping[str, Any]]
    table: StabilityTable
    phase: str = ""
    region: str = ""


def inspected(perturbation: Perturbation, mask: sitk.Image, grid: Geometry) -> Inspected | None:
    """Return a perturbed mask on the grid of the original image; None where nothing of it lies there.

    Args:
        perturbation: what was done.
        mask: the perturbed mask, on its own turned and shifted grid.
        grid: grid of the original image.
    """
    inside = array_view(mask) != 0
    if not inside.any():
        return None
    own = Geometry.from_image(mask)
    spacing = (own.spacing[2], own.spacing[1], own.spacing[0])
    block = block_around(inside, spacing, max(spacing))
    part = image_on(inside[block].astype("float32"), cut(own, block))
    # Half of what the neighbours hold decides, as when the mask was brought onto its turned grid.
    soft = sample(part, cut(grid, block_of(cut(own, block), grid, margin=1)), sitk.sitkLinear)
    found = sitk.Cast(soft >= 0.5, sitk.sitkUInt8)
    return Inspected(perturbation.index, describe(perturbation), found) if array_view(found).any() else None


def on_whole_grid(part: sitk.Image, grid: Geometry) -> sitk.Image:
    """Return a mask that was cut out of a grid on that whole grid, 0 elsewhere."""
    whole = sitk.Image(list(grid.size), part.GetPixelID())
    whole.SetSpacing(grid.spacing)
    whole.SetOrigin(grid.origin)
    whole.SetDirection(grid.direction)
    start = whole.TransformPhysicalPointToIndex(part.GetOrigin())
    return sitk.Paste(whole, part, part.GetSize(), [0, 0, 0], start)


def describe(perturbation: Perturbation) -> str:
    """Return what a perturbation does: ``Perturbation 3: turned 5.2 degrees, volume +11 %, contour redrawn``."""
    parts = [f"turned {perturbation.degrees:.1f} degrees"] if perturbation.degrees else []
    if any(perturbation.shift):
        parts.append(f"shifted {', '.join(f'{part:.2f}' for part in perturbation.shift)} voxels")
    parts += [f"volume {100 * perturbation.growth:+.0f} %"] if perturbation.growth else []
    parts += ["contour redrawn"] if perturbation.contour else []
    parts += ["noise added"] if perturbation.noise else []
    return f"Perturbation {perturbation.index}: {', '.join(parts) or 'nothing changed'}"
