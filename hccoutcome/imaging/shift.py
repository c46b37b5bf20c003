"""Masks that fit their image voxel by voxel but begin or end elsewhere: what the quality table says of them."""

from __future__ import annotations

import SimpleITK as sitk

from hccoutcome.imaging.geometry import TOLERANCE_MM, apart_mm
from hccoutcome.status import QualityItem


def moved_mask(subject: str, mask: sitk.Image, phase: str, image: sitk.Image) -> tuple[QualityItem, ...]:
    """Return a line on a mask that lies on its image's lattice but does not begin and end where the image does.

    One as large as its image that begins elsewhere is right only by chance, hence a warning. One of another size is a
    crop, as many programs save it, or was drawn on a larger image: a line says so without a warning. A flipped mask
    is not worth a line.

    Args:
        subject: subject of the line in the quality table: ``"mask tumor"``.
        mask: the mask as stored.
        phase: phase of the image.
        image: the image on whose lattice the mask lies.
    """
    if sorted(mask.GetSize()) != sorted(image.GetSize()):
        found = f"{_voxels(mask)}, moved to its place; nothing is outlined in the rest of the image"
        return (QualityItem(subject, "mask size", found, f"{_voxels(image)}, or a part of the {phase} image"),)
    distance = apart_mm(mask, image)
    if distance <= TOLERANCE_MM:
        return ()
    found = f"same size, another origin: {distance:.3g} mm off"
    expected = f"the origin of the {phase} image"
    return (QualityItem(subject, "origin", found, expected, "warning", "Check that the mask belongs to this image."),)


def _voxels(image: sitk.Image) -> str:
    return f"{' x '.join(map(str, image.GetSize()))} voxels"
