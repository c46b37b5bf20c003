"""What a reviewer should look at in a draft, as lines of the quality table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from hccoutcome.imaging.geometry import on_grid, same_lattice
from hccoutcome.status import QualityItem, Status

LIVER_ML = (700.0, 3500.0)
"""Nearly all livers; narrower than what the quality table takes, since an automatic outline is to be doubted sooner."""
TUMOUR_ML = (0.1, 2000.0)
"""A sphere of 6 mm, below which nothing can be measured, to more than any liver holds."""
MOST_OUTSIDE = 0.10
"""Part of a tumour outside the liver that two people's outlines explain."""
LEAST_HOLE_ML = 0.05


def draft_hints(
    masks: Mapping[str, sitk.Image], known: Mapping[str, sitk.Image] | None = None, engine: str = ""
) -> tuple[QualityItem, ...]:
    """Return the hints on the masks of a draft.

    Args:
        masks: binary masks by region.
        known: masks that a person drew, to compare with: a tumour with its liver.
        engine: which engine outlined them.
    """
    lines: list[QualityItem] = []
    for region, mask in masks.items():
        inside = sitk.GetArrayViewFromImage(mask) != 0
        lines.append(automatic(region, engine))
        lines += [_volume(region, mask, inside), _pieces(region, mask, inside), _holes(region, mask, inside)]
    everything = {**(known or {}), **masks}
    for region in (name for name in everything if name.startswith("tumor")):
        if "liver" in everything and (region in masks or "liver" in masks):
            lines += _inside_liver(region, everything[region], everything["liver"])
    return tuple(lines)


def automatic(region: str, engine: str) -> QualityItem:
    """Return the line that says that nobody has reviewed a mask."""
    by = f" by '{engine}'" if engine else ""
    return _line(
        f"mask {region}",
        "review",
        f"automatic{by}, not reviewed",
        "accepted by a person",
        f"The {region} was outlined automatically: look at every slice, and accept or correct it.",
    )


def _line(subject: str, check: str, found: str, expected: str, advice: str = "") -> QualityItem:
    status: Status = "warning" if advice else "ok"
    return QualityItem(subject, check, found, expected, status, advice)


def _ml(mask: sitk.Image) -> float:
    return float(np.prod(mask.GetSpacing())) / 1000


def _volume(region: str, mask: sitk.Image, inside: np.ndarray) -> QualityItem:
    volume = float(inside.sum()) * _ml(mask)
    low, high = LIVER_ML if region == "liver" else TUMOUR_ML
    advice = "" if low <= volume <= high else f"Few have that volume: check that the outline is the {region}."
    return _line(f"mask {region}", "draft volume", f"{volume:.4g} mL", f"{low:g} to {high:g} mL", advice)


def _pieces(region: str, mask: sitk.Image, inside: np.ndarray) -> QualityItem:
    _, number = ndimage.label(inside, structure=np.ones((3, 3, 3)))
    advice = (
        "" if number <= 1 else "Remove the pieces that do not belong to it, or outline them as regions of their own."
    )
    return _line(f"mask {region}", "draft pieces", str(number), "1", advice)


def _holes(region: str, mask: sitk.Image, inside: np.ndarray) -> QualityItem:
    holes = float((ndimage.binary_fill_holes(inside) & ~inside).sum()) * _ml(mask)
    advice = "" if holes < LEAST_HOLE_ML else "The outline has holes: fill them where they belong to it."
    return _line(f"mask {region}", "draft holes", f"{holes:.3g} mL", f"below {LEAST_HOLE_ML:g} mL", advice)


def _inside_liver(region: str, tumour: sitk.Image, liver: sitk.Image) -> list[QualityItem]:
    if not same_lattice(liver, tumour):
        return []
    lesion = sitk.GetArrayViewFromImage(tumour) != 0
    around = sitk.GetArrayFromImage(on_grid(liver, tumour)) != 0
    if not lesion.any():
        return []
    part = float((lesion & ~around).sum() / lesion.sum())
    advice = "" if part <= MOST_OUTSIDE else "A part of it lies outside the liver: check both outlines."
    expected = f"at most {100 * MOST_OUTSIDE:.0f} %"
    return [_line(f"mask {region}", "draft outside the liver", f"{100 * part:.0f} %", expected, advice)]


def review_of(provenance: Mapping[str, Any]) -> str:
    """Return in words who outlined a mask and that nobody reviewed it."""
    return f"{provenance['review']} ({provenance['engine']} {provenance['version']})"
