"""Read masks from DICOM SEG objects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from hccoutcome.case import MaskFile
from hccoutcome.errors import InputError
from hccoutcome.imaging.dicom_headers import pydicom_errors, quiet_pydicom, read_header, scan
from hccoutcome.imaging.itk import image_from_array
from hccoutcome.imaging.labels import choose_a_segment, not_empty

if TYPE_CHECKING:
    from highdicom.seg import Segmentation

FRACTION = 0.5
"""A voxel of a fractional segmentation belongs to the segment from this fraction (or probability) on."""


def read_seg(path: Path, segment: str | None = None) -> sitk.Image:
    """Read one segment of a DICOM SEG object as a binary mask (uint8, 0/1) on the grid of its frames.

    A SEG object often stores only the slices in which something is outlined; slices between them that it leaves out
    are empty. ``geometry.on_grid`` brings the mask to the grid of the whole series.

    Args:
        path: the file, or a folder with exactly one SEG object.
        segment: label or number of the segment; may be left out where there is one.

    Raises:
        InputError: no SEG object, no such segment, an empty segment, or frames that form no even stack.
    """
    path = _seg_file(path)
    seg = _open(path)
    labels = {int(number): _label(seg, int(number)) for number in seg.segment_numbers}
    wanted = "" if segment is None else str(segment).strip()
    found = [number for number, label in labels.items() if label.lower() == wanted.lower()] if wanted else []
    if not found:
        found = [number for number in labels if str(number) == wanted or (segment is None and len(labels) == 1)]
    if len(found) != 1:
        raise InputError(choose_a_segment(MaskFile(path, segment), [f"{label}" for label in labels.values()]))
    return _volume(seg, found[0], labels[found[0]], path)


@dataclass(frozen=True)
class SegSegment:
    """One segment of a DICOM SEG object.

    Attributes:
        number: its number, by which ``read_seg`` takes it.
        label: its name.
        type: code of what it is: value, scheme, meaning.
        maker: name of the program that outlined it, empty for a person.
        kind: AUTOMATIC, SEMIAUTOMATIC or MANUAL.
    """

    number: int
    label: str
    type: tuple[str, str, str]
    maker: str
    kind: str


def list_segments(path: Path) -> tuple[SegSegment, ...]:
    """Return the segments of a DICOM SEG object (a file, or a folder with exactly one).

    Raises:
        InputError: it is no SEG object, or cannot be read.
    """
    seg = _open(_seg_file(path))
    found = []
    for number in map(int, seg.segment_numbers):
        description = seg.get_segment_description(number)
        code = description.segmented_property_type
        maker = description.algorithm_identification
        found.append(
            SegSegment(
                number,
                _label(seg, number),
                (str(code.value), str(code.scheme_designator), str(code.meaning)),
                "" if maker is None else str(maker.name),
                str(description.algorithm_type.value),
            )
        )
    return tuple(found)


def _label(seg: Segmentation, number: int) -> str:
    return str(seg.get_segment_description(number).segment_label)


def _seg_file(path: Path) -> Path:
    if path.is_file():
        header = read_header(path)
        if header.text("Modality") != "SEG":
            raise InputError(
                f"The mask '{path.name}' was expected to be a DICOM SEG object, found "
                f"{header.text('Modality') or 'another object'}: give the segmentation and not the image."
            )
        return path
    found = [header.path for header in scan(path) if header.text("Modality") == "SEG"]
    if len(found) != 1:
        raise InputError(
            f"The folder '{path.name}' was expected to hold one DICOM SEG object as a mask, found {len(found)}: "
            "give the file itself."
        )
    return found[0]


def _open(path: Path) -> Segmentation:
    from highdicom.seg import segread

    try:
        with quiet_pydicom():
            return segread(path)
    except pydicom_errors() as error:
        raise InputError(
            f"The DICOM SEG file '{path.name}' cannot be read ({error}): export the segmentation again."
        ) from error


def _volume(seg: Segmentation, number: int, label: str, path: Path) -> sitk.Image:
    try:
        with quiet_pydicom():
            volume = seg.get_volume(segment_numbers=[number], combine_segments=False, allow_missing_positions=True)
    except pydicom_errors() as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"The frames of the DICOM SEG file '{path.name}' were expected to form an even stack, but they do not "
            f"({reason}): export the segmentation again."
        ) from error
    voxels = (volume.array[..., 0] >= FRACTION).astype(np.uint8)
    affine = np.array(volume.affine)
    affine[:3, :3] = affine[:3, [2, 1, 0]]
    return not_empty(_upright(voxels, affine), MaskFile(path, label))


def _upright(voxels: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """Return voxels as an image with right-handed axes: highdicom sorts frames against the normal of their plane."""
    if np.linalg.det(affine[:3, :3]) < 0:
        affine[:3, 3] += affine[:3, 2] * (len(voxels) - 1)
        affine[:3, 2] *= -1
        voxels = voxels[::-1]
    return image_from_array(voxels, affine)
