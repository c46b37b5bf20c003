"""The order to outline what a case lacks, as a job carries it between processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.errors import InputError

if TYPE_CHECKING:
    import SimpleITK as sitk

    from hccoutcome.segmentation.prompts import Prompt


@dataclass(frozen=True)
class DraftOrder:
    """That missing regions are to be outlined, and what a person points at.

    Attributes:
        engine: which engine does it, or ``auto``.
        box: voxels ``i0,i1,j0,j1,k0,k1`` of the first image, ends included.
        roi: markup file with a ROI.
        seeds: markup file with clicks or strokes.
    """

    engine: str = "auto"
    box: tuple[int, ...] | None = None
    roi: Path | None = None
    seeds: Path | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("box", "roi", "seeds") if getattr(self, name) is not None]
        if len(given) > 1:
            raise InputError(f"A tumour is pointed at in one way, found {' and '.join(given)}: give one of them.")

    def prompt(self, image: sitk.Image) -> Prompt | None:
        """Return what is pointed at; boxes count in the voxels of ``image``."""
        from hccoutcome.segmentation.markups import read_roi, read_seeds
        from hccoutcome.segmentation.prompts import Box

        if self.box is not None:
            return Box.from_voxels(image, self.box)
        if self.roi is not None:
            return read_roi(self.roi)
        return None if self.seeds is None else read_seeds(self.seeds)

    def to_json(self) -> dict[str, Any]:
        """Return the order as JSON data with absolute paths."""
        return {
            "engine": self.engine,
            "box": None if self.box is None else list(self.box),
            "roi": None if self.roi is None else str(self.roi.absolute()),
            "seeds": None if self.seeds is None else str(self.seeds.absolute()),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DraftOrder:
        """Return the order that ``to_json`` wrote."""
        box, roi, seeds = data["box"], data["roi"], data["seeds"]
        return cls(
            engine=data["engine"],
            box=None if box is None else tuple(box),
            roi=None if roi is None else Path(roi),
            seeds=None if seeds is None else Path(seeds),
        )
