"""Outlining what a case lacks before it is analysed: drafts that the quality table and the provenance call drafts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import SimpleITK as sitk

from hccoutcome.case import Case
from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import on_grid, same_geometry, same_lattice
from hccoutcome.progress import Progress, part, silent
from hccoutcome.segmentation.engine import AUTO, Draft, Task, choose, engine, misfit, modality_of, segment
from hccoutcome.segmentation.hints import draft_hints
from hccoutcome.segmentation.order import DraftOrder
from hccoutcome.segmentation.prompts import Prompt
from hccoutcome.status import QualityItem

REGIONS = ("tumor", "liver")
"""What is outlined where it is missing; the tumour first, since a liver is found better around its tumours."""


@dataclass(frozen=True)
class Outlined:
    """A case whose missing regions were outlined.

    Attributes:
        case: the case with the drafts among its masks, and what a reviewer should look at among its notes.
        drafts: draft by the phase on whose grid it lies.
    """

    case: Case
    drafts: Mapping[str, Draft]

    @property
    def provenance(self) -> dict[str, Any]:
        """Who outlined what on which phase; JSON data."""
        return {phase: dict(draft.provenance) for phase, draft in self.drafts.items()}


def outline_missing(case: Case, order: DraftOrder, progress: Progress = silent) -> Outlined:
    """Outline the liver and the tumour where a case lacks them, on the grid of every image.

    Images on one grid are taken together; those on different grids are outlined each by themselves. A liver that no
    engine can outline is left out and noted; a tumour that cannot be outlined is an error.

    Raises:
        InputError: the case has no image, or its tumour is missing and cannot be outlined from what is pointed at.
        EnvironmentNeeded: the engine asked for is not ready on this machine.
    """
    if not case.images:
        raise InputError("Missing regions can only be outlined in an image, found none: give one.")
    if order.engine != AUTO:
        engine(order.engine)
    missing = [region for region in REGIONS if not case.masks.get(region)]
    prompt = order.prompt(next(iter(case.images.values())))
    if prompt is not None and "tumor" not in missing:
        raise InputError("A box or clicks point at a missing tumour, found a mask of the tumour too: give only one.")
    groups = _by_grid(case.images)
    drafts: dict[str, Draft] = {}
    notes: list[QualityItem] = []
    for number, images in enumerate(groups):
        step = part(progress, number / len(groups), (number + 1) / len(groups))
        draft, left_out = _outline(case, images, missing, prompt, order.engine, step)
        notes += left_out
        if draft is not None:
            drafts[next(iter(images))] = draft
            notes += draft_hints(draft.masks, _fitting(case, images), _engines_of(draft))
    masks = {region: tuple(d.masks[region] for d in drafts.values() if region in d.masks) for region in missing}
    found = {region: on_grids for region, on_grids in masks.items() if on_grids}
    sources = {f"mask:{region}": _fingerprint(on_grids) for region, on_grids in found.items()}
    outlined = replace(
        case,
        masks={**case.masks, **found},
        sources={**case.sources, **sources},
        notes=(*case.notes, *dict.fromkeys(notes)),
    )
    return Outlined(outlined, drafts)


def _outline(
    case: Case,
    images: Mapping[str, sitk.Image],
    missing: Iterable[str],
    prompt: Prompt | None,
    name: str,
    progress: Progress,
) -> tuple[Draft | None, list[QualityItem]]:
    """Return the draft of the missing regions on one grid, with a line for each that was left out."""
    known = dict(_fitting(case, images))
    masks: dict[str, sitk.Image] = {}
    records: dict[str, Any] = {}
    notes: list[QualityItem] = []
    wanted = list(missing)
    for number, region in enumerate(wanted):
        step = part(progress, number / len(wanted), (number + 1) / len(wanted))
        task = Task(images, (region,), prompt if region == "tumor" else None, modality_of(case.modality, images), known)
        problem = _unfit(name, task) if region == "liver" else ""
        if problem:
            notes.append(QualityItem("mask liver", "draft", "none", "an outline", "warning", problem))
            continue
        draft = segment(task, name, step)
        masks[region], records[region] = draft.masks[region], dict(draft.provenance)
        known[region] = masks[region]
    if not masks:
        return None, notes
    first = next(iter(records.values()))
    shared = {name: first[name] for name in ("engine", "version", "review")}
    return Draft(masks, {**shared, "regions": records}), notes


def _unfit(name: str, task: Task) -> str:
    """Return why an engine cannot outline the liver, empty where it can; a missing installation is an error."""
    try:
        chosen = choose(name, task)
    except InputError as error:
        return str(error)
    return misfit(chosen.card, task)


def _engines_of(draft: Draft) -> str:
    return " and ".join(dict.fromkeys(record["engine"] for record in draft.provenance["regions"].values()))


def _by_grid(images: Mapping[str, sitk.Image]) -> list[dict[str, sitk.Image]]:
    """Return the images in groups that share a grid, in their order."""
    groups: list[dict[str, sitk.Image]] = []
    for phase, image in images.items():
        for group in groups:
            if same_geometry(next(iter(group.values())), image):
                group[phase] = image
                break
        else:
            groups.append({phase: image})
    return groups


def _fitting(case: Case, images: Mapping[str, sitk.Image]) -> dict[str, sitk.Image]:
    """Return the case's own masks that lie on the grid of some images."""
    image = next(iter(images.values()))
    return {
        region: on_grid(mask, image)
        for region, masks in case.masks.items()
        for mask in masks[:1]
        if same_lattice(mask, image)
    }


def _fingerprint(masks: Iterable[sitk.Image]) -> str:
    """Return the SHA256 of the voxels of some masks."""
    digest = hashlib.sha256()
    for mask in masks:
        digest.update(np.packbits(sitk.GetArrayViewFromImage(mask) != 0).tobytes())
    return digest.hexdigest()
