"""Find the habitats of one tumour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import SimpleITK as sitk

from hccoutcome.habitat.agreement import judge
from hccoutcome.habitat.assign import assign_region
from hccoutcome.habitat.choice import choose
from hccoutcome.habitat.describe import checked_features, cleaned, describe
from hccoutcome.habitat.habitats import Habitats
from hccoutcome.habitat.learn import learn_from
from hccoutcome.habitat.region import Region, order_phase, region_of
from hccoutcome.habitat.settings import HabitatSettings
from hccoutcome.habitat.voxels import learn
from hccoutcome.progress import Progress, part, silent


def find_habitats(
    images: Mapping[str, sitk.Image],
    mask: sitk.Image,
    settings: HabitatSettings | None = None,
    progress: Progress = silent,
    maps: Mapping[str, sitk.Image] | None = None,
) -> Habitats:
    """Return the habitats of one tumour.

    With the method ``"two-step"`` or ``"pooled"`` the tumour is a cohort of one. For habitats that mean the same in
    several patients see ``learn_model`` and ``assign_habitats``.

    Args:
        images: image by phase, co-registered (``hccoutcome.habitat.preparation`` prepares them).
        mask: the tumour; any value but 0 is inside.
        settings: how habitats are found; the defaults where None.
        progress: told the fraction done; may stop the work.
        maps: further voxel maps by name that take part in the clustering.

    Raises:
        InputError: images, mask and settings do not fit together; the message says how.
        Cancelled: the progress callback asked to stop.
    """
    settings = settings or HabitatSettings()
    region = region_of(images, mask, maps, settings.resample)
    if settings.method == "one-step":
        return _in_this_tumour(region, settings, progress)
    model = learn_from({"this patient": region}, settings, part(progress, 0.0, 0.5))
    found = assign_region(region, model, settings, part(progress, 0.5, 1.0))
    alone = "The habitats were found in this patient alone: they do not mean the same in another one."
    return replace(found, model=None, notes=(*found.notes, alone))


def _in_this_tumour(region: Region, settings: HabitatSettings, progress: Progress) -> Habitats:
    """Cluster the voxels of this tumour alone."""
    features = checked_features(region, settings)
    rows = learn(features.values, features.names, settings).apply(features.values)
    choice = choose(rows, settings, part(progress, 0.0, 0.3))
    agreement = judge(rows, choice, settings, part(progress, 0.3, 0.6))
    labels, cleaning = cleaned(region, choice.partition.labels(rows) + 1, settings)
    phase = order_phase(region.phases)
    ordering = f"Habitats are numbered by ascending mean grey level of the {phase} image in this tumour."
    k = choice.partition.k
    labels = _ranked(labels, region.values[phase])
    found = describe(region, features, labels, k, settings, ordering, part(progress, 0.6, 1.0))
    notes = (*choice.notes, *cleaning, *found.notes)
    return replace(found, curve=choice.curve, agreement=agreement, notes=notes)


def _ranked(labels: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return labels renumbered from 1 so that the mean grey level rises with the label."""
    used, compact = np.unique(labels, return_inverse=True)
    means = np.bincount(compact, weights=levels) / np.bincount(compact)
    ranks = np.empty(len(used), dtype=np.uint8)
    ranks[np.argsort(means, kind="stable")] = np.arange(1, len(used) + 1)
    return ranks[compact]
