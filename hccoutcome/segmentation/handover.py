"""A draft as a worker hands it to whoever shows it: each mask cut to the box around it, with hints and provenance.

Files are small and not compressed, so that a window reads them at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.files import write_json
from hccoutcome.segmentation.engine import Draft
from hccoutcome.status import QualityItem

DRAFT_FILE = "draft.json"
_DAMAGED = (OSError, json.JSONDecodeError, KeyError, TypeError, RuntimeError)

Index = tuple[int, int, int]


@dataclass(frozen=True)
class Cut:
    """A mask (uint8, 0/1) cut to the box around it.

    Attributes:
        mask: what is inside the box.
        start: index (x, y, z) of its first voxel in the image that was outlined.
        volume_ml: its volume.
        sha256: what ``fingerprint`` says of it.
    """

    mask: sitk.Image
    start: Index
    volume_ml: float = 0.0
    sha256: str = ""


@dataclass(frozen=True)
class HandedDraft:
    """A draft, cut.

    Attributes:
        cuts: mask by region.
        provenance: as ``Draft.provenance``.
        hints: what a reviewer should look at.
    """

    cuts: Mapping[str, Cut]
    provenance: Mapping[str, Any]
    hints: tuple[QualityItem, ...]


def cut_to_box(mask: sitk.Image) -> Cut:
    """Return a mask that is not empty, cut to the box around it."""
    filled = sitk.GetArrayViewFromImage(mask) != 0
    spans = [np.flatnonzero(filled.any(axis=axes)) for axes in ((0, 1), (0, 2), (1, 2))]
    start = [int(span[0]) for span in spans]
    size = [int(span[-1] - span[0] + 1) for span in spans]
    return Cut(sitk.RegionOfInterest(mask, size, start), (start[0], start[1], start[2]))


def fingerprint(inside: np.ndarray, start: Iterable[int]) -> str:
    """Return the SHA256 of which voxels of an image are inside, by which a later change is noticed.

    Args:
        inside: the box around them (z, y, x), no wider than it must be.
        start: index (x, y, z) of the box's first voxel in the image.
    """
    digest = hashlib.sha256(np.array([*start, *inside.shape], dtype=np.int64).tobytes())
    digest.update(np.packbits(inside).tobytes())
    return digest.hexdigest()


def save_handover(draft: Draft, hints: Iterable[QualityItem], folder: Path) -> Path:
    """Write a draft into a folder and return the file that ``load_handover`` reads."""
    regions = {}
    for region, mask in draft.masks.items():
        cut = cut_to_box(mask)
        sitk.WriteImage(cut.mask, str(folder / f"draft-{region}.nrrd"), useCompression=False)
        inside = sitk.GetArrayViewFromImage(cut.mask) != 0
        regions[region] = {
            "file": f"draft-{region}.nrrd",
            "start": list(cut.start),
            "volume_ml": round(int(inside.sum()) * float(np.prod(mask.GetSpacing())) / 1000, 4),
            "sha256": fingerprint(inside, cut.start),
        }
    data = {"regions": regions, "provenance": dict(draft.provenance), "hints": [asdict(hint) for hint in hints]}
    return write_json(folder / DRAFT_FILE, data)


def load_handover(path: Path) -> HandedDraft:
    """Read what ``save_handover`` wrote.

    Raises:
        InputError: it is not that.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        cuts = {
            region: Cut(
                sitk.ReadImage(str(path.parent / Path(entry["file"]).name)),
                _index(entry["start"]),
                float(entry["volume_ml"]),
                str(entry["sha256"]),
            )
            for region, entry in data["regions"].items()
        }
        return HandedDraft(cuts, data["provenance"], tuple(QualityItem(**hint) for hint in data["hints"]))
    except _DAMAGED as error:
        raise InputError(f"'{path.name}' is not a draft of this version ({error!r}): outline the region again.") from (
            error
        )


def _index(values: Iterable[int]) -> Index:
    x, y, z = (int(value) for value in values)
    return x, y, z
