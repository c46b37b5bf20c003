"""Give the voxels of a patient the habitats of a cohort's model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import SimpleITK as sitk

from hccoutcome.case import canonical_phase
from hccoutcome.errors import InputError
from hccoutcome.habitat.describe import checked_features, cleaned, describe
from hccoutcome.habitat.habitats import Habitats
from hccoutcome.habitat.learn import scaled_rows, supervoxels
from hccoutcome.habitat.model import HabitatModel
from hccoutcome.habitat.region import Region, region_of
from hccoutcome.habitat.settings import HabitatSettings
from hccoutcome.progress import Progress, silent


def assign_habitats(
    images: Mapping[str, sitk.Image],
    mask: sitk.Image,
    model: HabitatModel,
    settings: HabitatSettings | None = None,
    progress: Progress = silent,
    maps: Mapping[str, sitk.Image] | None = None,
) -> Habitats:
    """Return the habitats that a model has in one tumour.

    A patient goes the same way as those of the cohort: voxel features, scaling, with ``"two-step"`` supervoxels, and
    the nearest (for a mixture the likeliest) habitat. A patient of the cohort gets exactly the same map again.

    Args:
        images: image by phase, co-registered and prepared as the model's cohort was (``model.preparation``).
        mask: the tumour.
        model: the cohort's habitats.
        settings: only ``resample`` and ``radiomics`` of it count; everything else is the model's.
        progress: told the fraction done; may stop the work.
        maps: the further voxel maps that the model was learnt with.

    Raises:
        InputError: a phase or map of the model is missing, or images and mask do not fit together.
    """
    named = {canonical_phase(phase): image for phase, image in images.items()}
    missing = [phase for phase in model.phases if phase not in named]
    if missing:
        raise InputError(
            f"The habitat package was made for {', '.join(model.phases)}, found {', '.join(named) or 'none'}: add "
            f"{', '.join(missing)}, or choose a package made for the phases at hand."
        )
    asked = settings or model.settings
    region = region_of({phase: named[phase] for phase in model.phases}, mask, maps, asked.resample)
    unused = [phase for phase in named if phase not in model.phases]
    note = f"{', '.join(unused)} took no part: the habitat package was made for {', '.join(model.phases)}."
    found = assign_region(region, model, asked, progress)
    return replace(found, notes=(note, *found.notes)) if unused else found


def assign_region(region: Region, model: HabitatModel, asked: HabitatSettings, progress: Progress = silent) -> Habitats:
    """Return the habitats of a region whose phases are the model's; see ``assign_habitats``."""
    settings = replace(model.settings, resample=asked.resample, radiomics=asked.radiomics)
    features = checked_features(region, replace(settings, k=None, k_range=(2, 2)))
    if features.names != model.names:
        raise InputError(
            f"The habitat package was made for the voxel features {', '.join(model.names)}, found "
            f"{', '.join(features.names)}: give the same maps."
        )
    progress(0.1, "Assigns the voxels")
    rows = scaled_rows(features.values, features.names, model.scaling, settings)
    labels, cleaning = cleaned(region, _labels(rows, model) + 1, settings)
    found = describe(region, features, labels, model.partition.k, settings, model.ordering, progress)
    return replace(
        found,
        curve=model.curve,
        agreement=model.agreement,
        model=model.sha256,
        notes=(*model.notes, *cleaning, *found.notes),
    )


def _labels(rows: np.ndarray, model: HabitatModel) -> np.ndarray:
    """Return the model's habitat (from 0) of each voxel."""
    if model.settings.method == "pooled":
        return model.partition.labels(rows)
    centres, labels = supervoxels(rows, model.settings)
    return model.partition.labels(centres)[labels]
