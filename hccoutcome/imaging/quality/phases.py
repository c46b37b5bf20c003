"""Checks between the phases: one grid, different images, and in CT the order in which the liver enhances."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk

from hccoutcome.case import Case
from hccoutcome.imaging.geometry import describe_difference, on_grid, same_geometry, same_lattice
from hccoutcome.imaging.quality.limits import LIVER_ENHANCEMENT_HU, LIVER_HU
from hccoutcome.imaging.quality.table import line
from hccoutcome.status import QualityItem


def check_phases(case: Case) -> list[QualityItem]:
    """Return the lines on how the phases of a case belong together."""
    lines = [*_grids(case), *_repeated(case)]
    if case.modality == "CT":
        medians = {phase: median for phase in case.images if (median := _liver_median(case, phase)) is not None}
        lines += [*_liver_levels(medians), *_enhancement(medians)]
    return lines


def _liver_levels(medians: Mapping[str, float]) -> list[QualityItem]:
    """Refuse an image called CT in which the liver has a level that no liver has in HU."""
    low, high = LIVER_HU
    advice = "No liver has that level in HU: correct the modality, load the CT in HU, or check the mask of the liver."
    return [
        line(
            f"image {phase}", "liver level", f"median {median:.0f}", f"{low:g} to {high:g} HU",
            "" if low <= median <= high else advice, "refused",
        )
        for phase, median in medians.items()
    ]  # fmt: skip


def _grids(case: Case) -> list[QualityItem]:
    lines = []
    names = list(case.images)
    for name in names[1:]:
        first, image = case.images[names[0]], case.images[name]
        if same_geometry(first, image):
            lines.append(line(f"image {name}", "grid", f"that of {names[0]}", f"that of {names[0]}"))
        elif same_lattice(first, image):
            lines.append(
                line(f"image {name}", "grid", f"that of {names[0]}, more or fewer voxels", f"that of {names[0]}")
            )
        else:
            advice = "The phases lie on different grids: outline the regions on each phase, or register the phases."
            lines.append(
                line(f"image {name}", "grid", describe_difference(image, first), f"that of {names[0]}", advice)
            )
    return lines


def _repeated(case: Case) -> list[QualityItem]:
    """Refuse a phase that holds another phase's voxels: one file was given twice."""
    lines: list[QualityItem] = []
    seen: dict[str, str] = {}
    for name, image in case.images.items():
        digest = sitk.Hash(image) if image.GetNumberOfComponentsPerPixel() == 1 else ""
        if digest in seen:
            advice = f"One image was given for {seen[digest]} and for {name}: give each phase its own series."
            lines.append(line(f"image {name}", "voxels", f"those of {seen[digest]}", "its own", advice, "refused"))
        seen.setdefault(digest, name)
    return lines


def _enhancement(medians: Mapping[str, float]) -> list[QualityItem]:
    """Warn of a phase in which the liver is brighter than in the portal phase."""
    portal = medians.get("portal")
    lines = []
    for name in ("precontrast", "arterial"):
        median = medians.get(name)
        if portal is None or median is None:
            continue
        advice = f"The liver is brighter than in the portal phase: check that {name} and portal were not confused."
        lines.append(
            line(
                f"image {name}", "liver enhancement", f"{median:.0f} HU, portal {portal:.0f} HU",
                "not above the portal phase", advice if median > portal + LIVER_ENHANCEMENT_HU else "",
            )
        )  # fmt: skip
    return lines


def _liver_median(case: Case, phase: str) -> float | None:
    """Return the median HU of the liver without tumour, or None where no mask lies on the phase's grid."""
    image = case.images[phase]
    masks = {
        region: [
            sitk.GetArrayFromImage(on_grid(m, image)) != 0 for m in case.masks.get(region, ()) if same_lattice(m, image)
        ]
        for region in ("liver", "tumor")
    }
    if not masks["liver"]:
        return None
    where = np.logical_or.reduce(masks["liver"])
    if masks["tumor"]:
        where = where & ~np.logical_or.reduce(masks["tumor"])
    values = sitk.GetArrayViewFromImage(image)[where]
    return float(np.median(values)) if values.size else None
