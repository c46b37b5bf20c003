"""Checks of where an image's voxels lie: size, spacing, origin, directions."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from hccoutcome.imaging.quality.limits import (
    LARGEST_ANISOTROPY,
    LARGEST_PIXEL_MM,
    OBLIQUE_DEGREES,
    ORTHONORMAL_TOLERANCE,
    POSSIBLE_SPACING_MM,
    SHORTEST_COVERAGE_MM,
    THICKEST_SLICE_MM,
)
from hccoutcome.imaging.quality.table import lengths, line
from hccoutcome.status import QualityItem


def check_grid(subject: str, image: sitk.Image) -> list[QualityItem]:
    """Return the lines on an image's grid."""
    directions = _directions(subject, image)
    if directions.status == "refused":
        return [_size(subject, image), _spacing(subject, image), directions]
    return [
        _size(subject, image),
        _spacing(subject, image),
        _thickness(subject, image),
        _anisotropy(subject, image),
        line(subject, "origin", ", ".join(f"{value:.1f}" for value in image.GetOrigin()) + " mm", "any"),
        directions,
        _orientation(subject, image),
    ]


def _slice_axis(image: sitk.Image) -> int:
    """Return the image axis across the slices: the one with the widest voxels, the last where all are alike."""
    spacing = np.round(image.GetSpacing(), 3)
    return int(len(spacing) - 1 - np.argmax(spacing[::-1]))


def _size(subject: str, image: sitk.Image) -> QualityItem:
    size, axis = image.GetSize(), _slice_axis(image)
    covered = size[axis] * image.GetSpacing()[axis]
    advice = ""
    if covered < SHORTEST_COVERAGE_MM:
        advice = (
            "The stack is too short for a whole liver: load the complete series, or make sure that all tumours show."
        )
    found = f"{' x '.join(map(str, size))} voxels, {covered:.0f} mm across the slices"
    return line(subject, "size", found, f"at least {SHORTEST_COVERAGE_MM:g} mm across the slices", advice)


def _spacing(subject: str, image: sitk.Image) -> QualityItem:
    spacing, (low, high) = image.GetSpacing(), POSSIBLE_SPACING_MM
    found, expected = lengths(spacing), f"pixels up to {LARGEST_PIXEL_MM:g} mm"
    if not all(low <= width <= high for width in spacing):
        return line(
            subject, "spacing", found, f"{low:g} to {high:g} mm",
            "No scanner has such voxels: correct the spacing in the header, which is in mm.", "refused",
        )  # fmt: skip
    pixels = [width for axis, width in enumerate(spacing) if axis != _slice_axis(image)]
    advice = "The pixels are coarse for texture: load the original series." if max(pixels) > LARGEST_PIXEL_MM else ""
    return line(subject, "spacing", found, expected, advice)


def _thickness(subject: str, image: sitk.Image) -> QualityItem:
    thickness = image.GetSpacing()[_slice_axis(image)]
    advice = "Thick slices blur small lesions and texture: load a thinner reconstruction if there is one."
    return line(
        subject, "slice thickness", f"{thickness:.3g} mm", f"at most {THICKEST_SLICE_MM:g} mm",
        advice if thickness > THICKEST_SLICE_MM + 1e-3 else "",
    )  # fmt: skip


def _anisotropy(subject: str, image: sitk.Image) -> QualityItem:
    ratio = max(image.GetSpacing()) / min(image.GetSpacing())
    advice = "Most voxels after resampling would be invented between slices: load a thinner reconstruction."
    return line(
        subject, "anisotropy", f"{ratio:.2g}", f"at most {LARGEST_ANISOTROPY:g}",
        advice if ratio > LARGEST_ANISOTROPY else "",
    )  # fmt: skip


def _directions(subject: str, image: sitk.Image) -> QualityItem:
    """Refuse axes that are not at right angles; a flipped axis is legal, for the header says where each voxel lies."""
    matrix = np.reshape(image.GetDirection(), (image.GetDimension(), -1))
    error = float(np.abs(matrix @ matrix.T - np.eye(len(matrix))).max())
    advice = ""
    if error > ORTHONORMAL_TOLERANCE:
        advice = "The axes are not at right angles (gantry tilt or a damaged header): convert the DICOM series again."
    found = f"{error:.1g} off" if advice else "orthonormal"
    if not advice and np.linalg.det(matrix) < 0:
        found += ", left-handed (the header says which side is left; the scene keeps such an image with z reversed)"
    return line(subject, "axes", found, "orthonormal", advice, "refused")


def _orientation(subject: str, image: sitk.Image) -> QualityItem:
    matrix = np.reshape(image.GetDirection(), (3, 3))
    code = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())
    angle = float(np.degrees(np.arccos(np.clip(np.abs(matrix).max(axis=0).min(), 0, 1))))
    found = code if angle < OBLIQUE_DEGREES else f"{code}, oblique by {angle:.0f} degrees"
    across = matrix[:, _slice_axis(image)]
    advice = ""
    if np.abs(across).argmax() != 2:
        plane = ("sagittal", "coronal")[int(np.abs(across).argmax())]
        found += f", {plane} slices"
        advice = "The published models were made from axial slices: load the axial series."
    return line(subject, "orientation", found, "axial slices", advice)
