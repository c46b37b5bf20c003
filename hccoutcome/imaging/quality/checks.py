"""Put the quality table of a case together."""

from __future__ import annotations

from hccoutcome.case import Case
from hccoutcome.imaging.quality.grey import check_grey_levels
from hccoutcome.imaging.quality.grids import check_grid
from hccoutcome.imaging.quality.phases import check_phases
from hccoutcome.imaging.quality.regions import check_region, check_tumor_in_liver
from hccoutcome.imaging.quality.table import line
from hccoutcome.progress import Progress, silent
from hccoutcome.status import QualityItem


def check_quality(case: Case, progress: Progress = silent) -> tuple[QualityItem, ...]:
    """Return the quality table of a case's images and masks: images first, then phases together, then masks.

    What is wrong is refused (NaN, constant, impossible spacing, skewed axes, one image for two phases, empty masks,
    masks on no image's grid); what is doubtful is warned of, with what to do. The clinical record has its own table.

    What reading noticed (``Case.notes``) is listed last.

    Args:
        case: images and masks as read.
        progress: told the fraction done; may stop the work.

    Raises:
        Cancelled: the progress callback asked to stop.
    """
    lines: list[QualityItem] = [_modality(case)] if case.images else []
    steps = len(case.images) + len(case.masks)
    for number, (phase, image) in enumerate(case.images.items()):
        progress(number / steps, f"Checking the {phase} image")
        lines += check_grid(f"image {phase}", image)
        lines += check_grey_levels(f"image {phase}", image, case.modality)
    lines += check_phases(case)
    for number, region in enumerate(case.masks):
        progress((len(case.images) + number) / steps, f"Checking the mask of the {region}")
        lines += check_region(case, region)
    lines += check_tumor_in_liver(case)
    lines += case.notes
    progress(1.0, "Checked images and masks")
    return tuple(lines)


def _modality(case: Case) -> QualityItem:
    advice = "" if case.modality else "Say whether the images are CT or MR, so that their grey levels can be judged."
    return line("case", "modality", case.modality or "not stated", "CT or MR", advice)
