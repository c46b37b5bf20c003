"""Checks of an image's grey levels against what its modality can show."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from hccoutcome.case import Modality
from hccoutcome.imaging.quality.limits import (
    AIR_HU,
    CT_HIGHEST_HU,
    CT_LOWEST_HU,
    LEAST_AIR,
    LEAST_SOFT_TISSUE,
    MOST_CLIPPED,
    MR_NEGATIVE_PART,
    NORMALISED_SPAN,
    SOFT_TISSUE_HU,
)
from hccoutcome.imaging.quality.table import line, percent
from hccoutcome.status import QualityItem

_EXPECTED = {"CT": f"HU from {CT_LOWEST_HU:g} to {CT_HIGHEST_HU:g}", "MR": "0 and above", None: "different grey levels"}


def check_grey_levels(subject: str, image: sitk.Image, modality: Modality | None) -> list[QualityItem]:
    """Return the lines on an image's grey levels."""
    values = sitk.GetArrayViewFromImage(image)
    broken = _broken(subject, values)
    if broken:
        return [broken]
    low, high = float(values.min()), float(values.max())
    lines = [_type(subject, image, low, high), _range(subject, values, low, high, modality)]
    if modality == "CT":
        lines.append(_tissues(subject, values))
    lines.append(_clipping(subject, values, high))
    return lines


def _broken(subject: str, values: np.ndarray) -> QualityItem | None:
    """Return the refusal of an image that cannot be computed with; None where it can."""
    wrong = values.size - int(np.isfinite(values).sum())
    if wrong:
        return line(
            subject, "grey levels", f"{wrong} voxels are NaN or infinite", "finite numbers",
            "The image is damaged: export it again.", "refused",
        )  # fmt: skip
    if values.min() == values.max():
        return line(
            subject, "grey levels", f"{values.flat[0]:g} everywhere", "different grey levels",
            "The image is empty: check that the series was exported completely.", "refused",
        )  # fmt: skip
    return None


def _type(subject: str, image: sitk.Image, low: float, high: float) -> QualityItem:
    advice = ""
    if low >= 0 and high <= 255 and high > NORMALISED_SPAN:
        advice = (
            "Only 256 grey levels are used, as in a picture: load the DICOM series or its conversion without scaling."
        )
    return line(subject, "voxel type", image.GetPixelIDTypeAsString(), "more than 8 bits", advice)


def _range(subject: str, values: np.ndarray, low: float, high: float, modality: Modality | None) -> QualityItem:
    advice = ""
    if high - low < NORMALISED_SPAN:
        advice = "The image was normalised before, and would be twice: load the image as the scanner gave it."
    elif modality == "CT":
        return _ct_range(subject, values, low, high)
    elif modality == "MR" and np.percentile(values[::2, ::4, ::4], 1) < -MR_NEGATIVE_PART * high:
        advice = "MR signal is not negative: load the original series instead of a subtraction or normalised image."
    return line(subject, "grey levels", f"{low:.4g} to {high:.4g}", _EXPECTED[modality], advice)


def _ct_range(subject: str, values: np.ndarray, low: float, high: float) -> QualityItem:
    """Return the line on the range of HU; ``extremes`` where only single voxels leave the scale."""
    check, advice = "grey levels", ""
    if low >= 0 and high > 1000:
        advice = "Hounsfield units start near -1000: apply the rescale intercept of the DICOM header (mostly -1024)."
    elif low < CT_LOWEST_HU:
        check, advice = (
            "extremes",
            (
                f"{percent(float((values < CT_LOWEST_HU).mean()))} of the voxels are padding below air: harmless "
                "inside a region, but set them to -1024 before the whole image is normalised."
            ),
        )
    elif high > CT_HIGHEST_HU:
        check = "extremes"
        advice = "Values above the CT scale come from metal or another unit: keep such voxels out of the masks."
    return line(subject, check, f"{low:.4g} to {high:.4g}", _EXPECTED["CT"], advice)


def _tissues(subject: str, values: np.ndarray) -> QualityItem:
    soft = float(((values >= SOFT_TISSUE_HU[0]) & (values <= SOFT_TISSUE_HU[1])).mean())
    air = float((values < AIR_HU).mean())
    advice, status = "", "warning"
    if soft < LEAST_SOFT_TISSUE and air < LEAST_AIR:
        advice = "Neither tissue nor air have their HU, so this is no CT in HU: correct the modality or the image."
        status = "refused"
    elif soft < LEAST_SOFT_TISSUE:
        advice = "Hardly a voxel has the HU of soft tissue: check that the image is a CT in HU."
    elif air < LEAST_AIR:
        advice = "No air shows, so the image was cropped or clipped, or is no CT: load the whole series in HU."
    found = f"soft tissue {percent(soft)}, air {percent(air)}"
    return line(subject, "tissues", found, "soft tissue and air", advice, status)  # type: ignore[arg-type]


def _clipping(subject: str, values: np.ndarray, high: float) -> QualityItem:
    part = float((values == high).mean())
    advice = "Many voxels share the highest value: load the series without display window or saturation."
    return line(
        subject, "clipping", f"{percent(part)} at {high:.4g}", f"at most {percent(MOST_CLIPPED)} at the maximum",
        advice if part > MOST_CLIPPED else "",
    )  # fmt: skip
