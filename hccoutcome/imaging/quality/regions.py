"""Checks of the masks: do they fit an image, are they whole, and do they lie where their region lies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from hccoutcome.case import Case
from hccoutcome.imaging.geometry import describe_difference, on_grid, same_geometry, same_lattice
from hccoutcome.imaging.quality.limits import (
    AIR_HU,
    FEWEST_VOXELS,
    LEAST_LIVER_AROUND,
    LIVER_ML,
    MOST_BACKGROUND,
    MOST_TUMOR_OUTSIDE_LIVER,
    MOSTLY,
    MR_BACKGROUND_PART,
    SHELL_VOXELS,
    SPECK_VOXELS,
)
from hccoutcome.imaging.quality.table import line, percent
from hccoutcome.imaging.shift import moved_mask
from hccoutcome.status import QualityItem

VESSELS = ("portalvein", "vein", "artery", "vessel")
"""Regions that rightly come in pieces and leave the image."""


def check_region(case: Case, region: str) -> list[QualityItem]:
    """Return the lines on every mask of a region."""
    subject = f"mask {region}"
    lines: list[QualityItem] = []
    for mask in case.masks[region]:
        fitting = {phase: image for phase, image in case.images.items() if same_lattice(mask, image)}
        lines.append(_grid(subject, mask, fitting, case))
        if fitting and not any(same_geometry(mask, image) for image in fitting.values()):
            lines += moved_mask(subject, mask, *next(iter(fitting.items())))
        inside = sitk.GetArrayViewFromImage(mask) != 0
        if not inside.any():
            lines.append(
                line(
                    subject,
                    "volume",
                    "empty",
                    "an outlined region",
                    f"Outline the {region} or leave it out.",
                    "refused",
                )
            )
            continue
        lines.append(_volume(subject, region, mask, inside))
        if region not in VESSELS:
            lines += [_pieces(subject, region, inside), _border(subject, inside)]
        if case.modality is not None:
            lines += [
                _background(subject, phase, on_grid(mask, image), image, case) for phase, image in fitting.items()
            ]
    return lines


def check_tumor_in_liver(case: Case) -> list[QualityItem]:
    """Return a line on each tumour mask that has a liver mask on the same lattice."""
    lines = []
    for tumor in case.masks.get("tumor", ()):
        for liver in case.masks.get("liver", ()):
            if not same_lattice(liver, tumor) or liver.GetSize() != tumor.GetSize():
                continue
            inside = sitk.GetArrayViewFromImage(tumor) != 0
            around = sitk.GetArrayFromImage(on_grid(liver, tumor)) != 0
            if inside.any():
                lines.append(_outside_liver(inside, around))
    return lines


def _outside_liver(tumor: np.ndarray, liver: np.ndarray) -> QualityItem:
    part = float((tumor & ~liver).sum() / tumor.sum())
    misplaced = part > MOSTLY and not _is_left_out(tumor, liver)
    advice = (
        "The liver includes its tumours: unite the masks if the liver was outlined without them, or correct the tumour "
        "where it was drawn too far."
    )
    if misplaced:
        advice = "Most of the tumour lies outside of the liver: check that both masks belong to this patient and image."
    return line(
        "mask tumor", "outside the liver", percent(part), f"at most {percent(MOST_TUMOR_OUTSIDE_LIVER)}",
        advice if part > MOST_TUMOR_OUTSIDE_LIVER else "", "refused" if misplaced else "warning",
    )  # fmt: skip


def _is_left_out(tumor: np.ndarray, liver: np.ndarray) -> bool:
    """Return whether the liver was outlined without this tumour: both hardly overlap, and liver lies around it."""
    if (tumor & liver).sum() > MOST_TUMOR_OUTSIDE_LIVER * tumor.sum():
        return False
    box = tuple(
        slice(max(int(places.min()) - SHELL_VOXELS, 0), int(places.max()) + SHELL_VOXELS + 1)
        for places in np.nonzero(tumor)
    )
    shell = ndimage.binary_dilation(tumor[box], iterations=SHELL_VOXELS) & ~tumor[box]
    return bool((shell & liver[box]).sum() >= LEAST_LIVER_AROUND * shell.sum())


def _grid(subject: str, mask: sitk.Image, fitting: Mapping[str, sitk.Image], case: Case) -> QualityItem:
    if fitting:
        return line(subject, "grid", ", ".join(fitting), "the grid of an image")
    if not case.images:
        return line(subject, "grid", "no image", "the grid of an image", "Add the image that was outlined.", "refused")
    phase, image = next(iter(case.images.items()))
    if subject.startswith("mask habitat"):
        # Drawn on prepared images: the preparation of a package refuses them where it makes other voxels.
        found = f"{describe_difference(mask, image)} (against {phase})"
        return line(subject, "grid", found, "the grid of an image, as it came or prepared")
    return line(
        subject, "grid", f"{describe_difference(mask, image)} (against {phase})", "the grid of an image",
        "The mask lies on no image's grid: resample it onto the image that was outlined.", "refused",
    )  # fmt: skip


def _volume(subject: str, region: str, mask: sitk.Image, inside: np.ndarray) -> QualityItem:
    voxels = int(inside.sum())
    volume = voxels * float(np.prod(mask.GetSpacing())) / 1000
    expected, advice = f"at least {FEWEST_VOXELS} voxels", ""
    if voxels < FEWEST_VOXELS:
        advice = "The region is too small for texture: use shape and first-order features only, or a finer image."
    elif region == "liver":
        expected = f"{LIVER_ML[0]:g} to {LIVER_ML[1]:g} mL"
        if not LIVER_ML[0] <= volume <= LIVER_ML[1]:
            advice = "Few livers have that volume: check that the mask holds all of the liver and nothing else."
    return line(subject, "volume", f"{volume:.{0 if volume >= 100 else 2}f} mL, {voxels} voxels", expected, advice)


def _pieces(subject: str, region: str, inside: np.ndarray) -> QualityItem:
    parts, number = ndimage.label(inside, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())[1:]
    specks = int((sizes <= SPECK_VOXELS).sum()) if number > 1 else 0
    advice = ""
    if specks:
        advice = f"{specks} pieces have {SPECK_VOXELS} voxels or fewer: remove them unless they are {region}."
    return line(subject, "pieces", str(number), f"pieces of more than {SPECK_VOXELS} voxels", advice)


def _border(subject: str, inside: np.ndarray) -> QualityItem:
    ends = {
        name: bool(np.take(inside, (0, -1), axis=axis).any())
        for axis, name in enumerate(("first or last slice", "front or back edge", "left or right edge"))
    }
    touched = [name for name, touches in ends.items() if touches]
    advice = (
        "The region is cut off by the image, so volume and shape are not whole: load an image that shows all of it."
    )
    return line(subject, "border", ", ".join(touched) or "inside", "inside the image", advice if touched else "")


def _background(subject: str, phase: str, mask: sitk.Image, image: sitk.Image, case: Case) -> QualityItem:
    values = sitk.GetArrayViewFromImage(image)
    within = values[sitk.GetArrayViewFromImage(mask) != 0]
    limit = AIR_HU if case.modality == "CT" else MR_BACKGROUND_PART * float(np.percentile(values[::2, ::2, ::2], 99))
    part = float((within < limit).mean())
    much = "Most" if part > MOSTLY else "A part"
    advice = f"{much} of the region lies in air or background: check that mask and image belong together."
    return line(
        subject, f"background in {phase}", percent(part), f"at most {percent(MOST_BACKGROUND)}",
        advice if part > MOST_BACKGROUND else "", "refused" if part > MOSTLY else "warning",
    )  # fmt: skip
