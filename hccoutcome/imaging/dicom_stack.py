"""Stack the slices of a DICOM series by their position.

Slices are sorted by their position along the normal of the image plane (PS3.3 C.7.6.2.1.1), never by file name or
instance number. The volume's grid comes from the positions; the rescale slope is applied (CT: HU).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.imaging.dicom_headers import SliceHeader, pydicom_errors, quiet_pydicom
from hccoutcome.imaging.dicom_series import Series, SeriesFiles
from hccoutcome.imaging.itk import image_from_array, quiet_itk
from hccoutcome.progress import Progress

GAP_TOLERANCE_MM = 0.1
"""How far a slice may lie from its place in an even stack: positions are often written with one decimal."""
_SYNTAX = "1.2.840.10008.1.2"
_DECODED = frozenset(
    "1.2.840.10008.1.2" + end
    for end in ("", ".1", ".1.99", ".2", ".4.50", ".4.51", ".4.57", ".4.70", ".4.80", ".4.81", ".4.90", ".4.91", ".5")
)
"""Transfer syntaxes that SimpleITK's GDCM decodes: plain, deflated, JPEG, JPEG-LS, JPEG 2000 and run lengths."""


def read_stack(found: SeriesFiles, progress: Progress) -> sitk.Image:
    """Read a series of single images as a volume.

    Raises:
        InputError: the files form no even stack, or one cannot be decoded.
    """
    headers, affine = stack_order(found)
    planes = []
    for number, header in enumerate(headers):
        progress(number / len(headers), "reads DICOM slices")
        planes.append(_narrowed(_read_plane(header)))
    return image_from_array(_joined(planes), affine)


def stack_order(found: SeriesFiles) -> tuple[list[SliceHeader], np.ndarray]:
    """Return the files of a series in the order of their position, and the volume's matrix from index to mm.

    Raises:
        InputError: the files do not form one even stack; the sentence says why.
    """
    series, headers = found.series, list(found.headers)
    _refuse_unplaced(series, headers)
    _refuse_mixed(series, headers)
    row, column = np.reshape(headers[0].values["ImageOrientationPatient"], (2, 3)).astype(float)
    normal = np.cross(row, column)
    places = np.array([header.values["ImagePositionPatient"] for header in headers], dtype=float)
    order = np.argsort(places @ normal, kind="stable")
    headers, places = [headers[i] for i in order], places[order]
    _refuse_gaps(series, places @ normal)
    step = (places[-1] - places[0]) / (len(places) - 1)
    _refuse_tilt(series, step, normal)
    affine = np.eye(4)
    spacing = np.asarray(headers[0].values["PixelSpacing"], dtype=float)
    affine[:3, 0], affine[:3, 1] = row * spacing[1], column * spacing[0]
    affine[:3, 2] = normal * float(step @ normal)
    affine[:3, 3] = places[0]
    return headers, affine


def _refuse_unplaced(series: Series, headers: Sequence[SliceHeader]) -> None:
    if any(header.values.get("SamplesPerPixel", 1) != 1 for header in headers):
        raise InputError(
            f"The series {series} was expected to be in grey values, found colour: give the original series."
        )
    unplaced = sum(not header.is_placed for header in headers)
    if unplaced:
        raise InputError(
            f"The series {series} was expected to say where its images lie, found {unplaced} without position, "
            "orientation or pixel spacing: give the original series and not a screen capture."
        )
    if series.count < 2:
        raise InputError(f"The series {series} was expected to hold a volume, found one slice: give the whole series.")
    spacing = np.array([header.values["PixelSpacing"] for header in headers], dtype=float)
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        worst = " x ".join(f"{value:g}" for value in spacing[np.argmin(spacing.min(axis=1))])
        raise InputError(
            f"The series {series} was expected to have a positive pixel spacing, found {worst} mm: export it again."
        )


def _refuse_mixed(series: Series, headers: Sequence[SliceHeader]) -> None:
    """Refuse slices of several sizes, spacings or orientations (1e-4, as DICOM writes direction cosines)."""
    kinds = {
        "sizes": ("Rows", "Columns"),
        "pixel spacings": ("PixelSpacing",),
        "orientations": ("ImageOrientationPatient",),
    }
    for name, keywords in kinds.items():
        found = {tuple(_rounded(header.values[keyword]) for keyword in keywords) for header in headers}
        if len(found) > 1:
            listed = " and ".join(
                ", ".join(" x ".join(f"{x:g}" for x in part) for part in kind) for kind in sorted(found)[:3]
            )
            raise InputError(
                f"The series {series} was expected to hold slices of one kind, found {len(found)} {name} ({listed}): "
                "separate the mixed series."
            )


def _rounded(value: Any) -> tuple[float, ...]:
    values = value if isinstance(value, tuple) else (value,)
    return tuple(round(float(v), 3) + 0.0 for v in values)


def _refuse_gaps(series: Series, heights: np.ndarray) -> None:
    gaps = np.diff(heights)
    if (gaps < GAP_TOLERANCE_MM / 10).any():
        raise InputError(
            f"The series {series} was expected to have one slice at each position, found "
            f"{int((gaps < GAP_TOLERANCE_MM / 10).sum())} positions with several: separate the volumes that are mixed."
        )
    even = np.linspace(heights[0], heights[-1], len(heights))
    if np.abs(heights - even).max() <= GAP_TOLERANCE_MM:
        return
    usual = float(np.median(gaps))
    missing = round(float((gaps[gaps > 1.5 * usual] / usual - 1).sum()))
    where = ", ".join(f"{low:.1f} and {high:.1f}" for low, high in pairwise(heights) if high - low > 1.5 * usual)
    found = (
        f"{missing} missing between {where} mm"
        if missing
        else f"distances from {gaps.min():.2f} to {gaps.max():.2f} mm"
    )
    raise InputError(
        f"The series {series} was expected to have a slice every {usual:.2f} mm, found {found}: "
        "export the whole series again."
    )


def _refuse_tilt(series: Series, step: np.ndarray, normal: np.ndarray) -> None:
    aside = float(np.linalg.norm(step - normal * (step @ normal)))
    if aside * (series.count - 1) > max(GAP_TOLERANCE_MM, 0.001 * float(np.linalg.norm(step)) * (series.count - 1)):
        angle = np.degrees(np.arctan2(aside, step @ normal))
        raise InputError(
            f"The series {series} was expected to have its slices straight above each other, found them sheared by "
            f"{angle:.1f} degrees (gantry tilt): resample it to a rectangular grid first."
        )


def _read_plane(header: SliceHeader) -> np.ndarray:
    """Return the pixels of one file, rescaled, shape (rows, columns)."""
    if header.transfer_syntax not in _DECODED:
        raise InputError(_undecodable(header))
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(header.path))
    try:
        with quiet_itk():
            return sitk.GetArrayFromImage(reader.Execute())[0]
    except RuntimeError as error:
        raise InputError(_undecodable(header)) from error


def _undecodable(header: SliceHeader) -> str:
    from pydicom.uid import UID_dictionary

    name = UID_dictionary.get(header.transfer_syntax, (header.transfer_syntax,))[0]
    return (
        f"The pixels of '{header.path.name}' were expected in an encoding that can be read, found "
        f"'{name}', which cannot be decoded here or is damaged: decompress the series, for "
        "example with gdcmconv --raw."
    )


def _joined(planes: Sequence[np.ndarray]) -> np.ndarray:
    """Stack slices in the narrowest of int16, int32 and float32 that holds all their values exactly.

    The decoder chooses the type of each slice by its own range, so slices of one series differ.
    """
    kind: type[np.generic] = np.float32
    if all(np.issubdtype(plane.dtype, np.integer) for plane in planes):
        kind = np.int16 if all(plane.dtype == np.int16 for plane in planes) else np.int32
    voxels = np.empty((len(planes), *planes[0].shape), dtype=kind)
    for target, plane in zip(voxels, planes, strict=True):
        target[...] = plane
    return voxels


def _narrowed(plane: np.ndarray) -> np.ndarray:
    """Return a slice of whole numbers as int16 where that holds them all."""
    limits = np.iinfo(np.int16)
    if np.issubdtype(plane.dtype, np.integer) and limits.min <= plane.min() and plane.max() <= limits.max:
        return plane.astype(np.int16)
    return plane


def read_frames(found: SeriesFiles, progress: Progress) -> sitk.Image:
    """Read an enhanced (multi-frame) object, whose frames say themselves where they lie."""
    import highdicom

    header = found.headers[0]
    progress(0.1, "reads a multi-frame DICOM file")
    try:
        with quiet_pydicom():
            volume = highdicom.imread(header.path).get_volume(apply_real_world_transform=False)
    except pydicom_errors() as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"The multi-frame DICOM file '{header.path.name}' was expected to hold one even volume, but it cannot be "
            f"read as one ({reason}): export it as a series of single images."
        ) from error
    voxels, affine = volume.array, np.array(volume.affine)
    affine[:3, :3] = affine[:3, [2, 1, 0]]
    whole = np.array_equal(voxels, np.round(voxels))
    return image_from_array(_joined([_narrowed(p.astype(np.int32) if whole else p) for p in voxels]), affine)
