"""From a label image or a file with several segments to the one binary mask that is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from hccoutcome.case import MaskFile
from hccoutcome.errors import InputError, nearest
from hccoutcome.imaging.headers import nrrd_fields


@dataclass(frozen=True)
class Segment:
    """A named segment of a ``.seg.nrrd``: its layer (component of the voxel) and its label value there."""

    name: str
    layer: int
    value: int


def named_segments(path: Path) -> tuple[Segment, ...]:
    """Return the segments that Slicer wrote into the header of a ``.seg.nrrd``; none for another NRRD file."""
    fields = nrrd_fields(path)
    numbers = sorted(
        {int(m.group(1)) for name in fields if (m := re.fullmatch(r"Segment(\d+)_(Name|ID|LabelValue)", name))}
    )
    return tuple(
        Segment(
            name=fields.get(f"Segment{n}_Name", fields.get(f"Segment{n}_ID", f"Segment_{n + 1}")),
            layer=int(fields.get(f"Segment{n}_Layer", "0")),
            value=int(fields.get(f"Segment{n}_LabelValue", "1")),
        )
        for n in numbers
    )


def chosen_segment(volume: sitk.Image, segments: Sequence[Segment], file: MaskFile) -> sitk.Image:
    """Return the segment of a ``.seg.nrrd`` that is meant, by name or (where one layer holds all) by label value."""
    found = [s for s in segments if file.segment is not None and s.name.lower() == file.segment.strip().lower()]
    if not found and file.segment is not None:
        found = [s for s in segments if str(s.value) == file.segment.strip()]
    if file.segment is None and len(segments) == 1:
        found = list(segments)
    if len(found) != 1:
        raise InputError(choose_a_segment(file, [s.name for s in segments]))
    layers = volume.GetNumberOfComponentsPerPixel()
    layer = sitk.VectorIndexSelectionCast(volume, found[0].layer) if layers > 1 else volume
    mask = sitk.Cast(layer == found[0].value, sitk.sitkUInt8)
    return not_empty(mask, file)


def choose_a_segment(file: MaskFile, names: Sequence[str]) -> str:
    """Return the sentence for a file with several segments where none, or none of them, is named."""
    listed = ", ".join(names)
    if file.segment is None:
        return (
            f"The mask '{file.path.name}' was expected to hold one segment, found {len(names)} ({listed}): "
            "name the one that is meant as its segment."
        )
    return (
        f"The mask '{file.path.name}' was expected to hold one segment '{file.segment}', found {len(names)}: "
        f"{nearest(file.segment, names)}; name one of them."
    )


def chosen_label(volume: sitk.Image, file: MaskFile) -> sitk.Image:
    """Return the only label of a label image, or the one that is chosen by number, as a binary mask."""
    if volume.GetNumberOfComponentsPerPixel() > 1:
        raise InputError(
            f"The mask '{file.path.name}' was expected to hold one label per voxel, found "
            f"{volume.GetNumberOfComponentsPerPixel()} values and no segment names: save it as a label image."
        )
    labels = _labels(sitk.GetArrayViewFromImage(volume), file)
    if file.segment is not None:
        wanted = file.segment.strip()
        if wanted not in map(str, labels):
            raise InputError(choose_a_segment(file, list(map(str, labels)) or ["no label"]))
        return sitk.Cast(volume == int(wanted), sitk.sitkUInt8)
    if len(labels) > 1:
        listed = ", ".join(map(str, labels[:20])) + (", ..." if len(labels) > 20 else "")
        raise InputError(
            f"The mask '{file.path.name}' was expected to hold one label, found {len(labels)} ({listed}): "
            "name the one that is meant as its segment, or give one file for each."
        )
    return not_empty(sitk.Cast(volume != 0, sitk.sitkUInt8), file)


def _labels(voxels: np.ndarray, file: MaskFile) -> list[int]:
    """Return the labels (values other than 0) in ascending order."""
    values = np.unique(np.concatenate([np.unique(plane[plane != 0]) for plane in voxels])).tolist()
    wrong = [value for value in values if not np.isfinite(value) or value != int(value) or value < 0]
    if wrong:
        listed = ", ".join(f"{value:.4g}" for value in wrong[:3]) + (", ..." if len(wrong) > 3 else "")
        raise InputError(
            f"The mask '{file.path.name}' was expected to hold whole labels (0 outside, 1 inside), found {listed}: "
            "give the mask and not the image, or threshold it and save it again."
        )
    return [int(value) for value in values]


def not_empty(mask: sitk.Image, file: MaskFile) -> sitk.Image:
    """Return the mask if it outlines anything.

    Raises:
        InputError: no voxel is inside.
    """
    if not sitk.GetArrayViewFromImage(mask).any():
        which = "" if file.segment is None else f" in segment '{file.segment}'"
        raise InputError(
            f"The mask '{file.path.name}' was expected to outline at least one voxel{which}, found none: "
            "outline the region or leave the mask out."
        )
    return mask
