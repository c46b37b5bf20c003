"""Masks that fit their image voxel by voxel but begin elsewhere, which is right only by chance."""

from __future__ import annotations

import SimpleITK as sitk

from hccoutcome.imaging.geometry import TOLERANCE_MM, apart_mm
from hccoutcome.status import QualityItem


def shifted_mask(subject: str, mask: sitk.Image, phase: str, image: sitk.Image) -> tuple[QualityItem, ...]:
    """Return a warning where a mask as large as its image, on its lattice, begins elsewhere; else nothing.

    A crop, whose size is another one, is moved to its place without a word.

    Args:
        subject: subject of the line in the quality table: ``"mask tumor"``.
        mask: the mask as stored.
        phase: phase of the image.
        image: the image on whose lattice the mask lies.
    """
    distance = apart_mm(mask, image)
    if distance <= TOLERANCE_MM:
        return ()
    found = f"same size, another origin: {distance:.3g} mm off"
    expected = f"the origin of the {phase} image"
    return (QualityItem(subject, "origin", found, expected, "warning", "Check that the mask belongs to this image."),)
