"""What both ways of finding habitats share: checked voxel features, and the description of a finished map."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.habitat.habitats import Habitats
from hccoutcome.habitat.islands import clean_islands
from hccoutcome.habitat.measure import habitat_settings, measure_habitats
from hccoutcome.habitat.metrics import map_measures, sizes
from hccoutcome.habitat.region import Region
from hccoutcome.habitat.settings import HabitatSettings
from hccoutcome.habitat.voxels import VoxelFeatures, voxel_features
from hccoutcome.progress import Progress, silent


def checked_features(region: Region, settings: HabitatSettings) -> VoxelFeatures:
    """Return the features of a region's voxels.

    Raises:
        InputError: the region has fewer voxels than habitats are asked for, or as in ``voxel_features``.
    """
    least = settings.k if settings.k is not None else settings.k_range[0]
    if region.size < least:
        raise InputError(
            f"{least} habitats need a region of at least {least} voxels, found {region.size}: outline a larger region "
            "or ask for fewer habitats."
        )
    return voxel_features(region, settings)


def cleaned(region: Region, labels: np.ndarray, settings: HabitatSettings) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the labels of a region's voxels without small islands, and a note on how many voxels changed.

    Args:
        region: the region.
        labels: habitat (from 1) of each voxel, shape (n,).
        settings: say what a small island is.
    """
    volume = np.zeros(region.inside.shape, dtype=np.uint8)
    volume[region.inside] = labels
    smallest = int(np.ceil(settings.smallest_island_mm3 / region.voxel_mm3))
    final = clean_islands(volume, smallest)[region.inside]
    changed = int(np.count_nonzero(final != labels))
    if not changed:
        return final, ()
    return final, (
        f"{changed} of {len(labels)} voxels ({100 * changed / len(labels):.1f} %) lay in islands below "
        f"{settings.smallest_island_mm3:g} mm3 ({smallest} voxels) and joined the habitat around them.",
    )


def describe(
    region: Region,
    features: VoxelFeatures,
    labels: np.ndarray,
    k: int,
    settings: HabitatSettings,
    ordering: str,
    progress: Progress = silent,
) -> Habitats:
    """Return the habitats of a finished map with sizes, means, measures and features; no curve yet.

    Args:
        region: the region.
        features: features of its voxels.
        labels: habitat (1 to k) of each voxel, shape (n,).
        k: number of habitats.
        settings: how they were found.
        ordering: the rule by which they are numbered.
        progress: told the fraction done; may stop the work.
    """
    volume = np.zeros(region.inside.shape, dtype=np.uint8)
    volume[region.inside] = labels
    found = sizes(volume, k, region.voxel_mm3)
    image = _image(region, volume)
    radiomics = None if settings.radiomics is None else habitat_settings(settings.radiomics)
    measured = measure_habitats(region.images, image, found, radiomics, progress)
    progress(1.0, "Measured the habitats")
    return Habitats(
        labels=image,
        k=k,
        phases=region.phases,
        settings=settings,
        ordering=ordering,
        sizes=found,
        centres=_means(region, features, labels),
        measures=map_measures(volume, k, region.spacing_zyx),
        features=measured.features,
        curve=(),
        notes=(*region.notes, *measured.notes),
    )


def _image(region: Region, volume: np.ndarray) -> sitk.Image:
    """Return a map of the region's box as an image on the whole grid."""
    whole = np.zeros(region.mask.GetSize()[::-1], dtype=np.uint8)
    whole[region.box] = volume
    image = sitk.GetImageFromArray(whole)
    image.CopyInformation(region.mask)
    return image


def _means(region: Region, features: VoxelFeatures, labels: np.ndarray) -> dict[int, dict[str, float]]:
    """Return the mean grey level of each phase and of each voxel feature by habitat."""
    columns = {**region.values, **dict(zip(features.names, features.values.T, strict=True))}
    return {
        int(number): {name: float(values[labels == number].mean()) for name, values in columns.items()}
        for number in np.unique(labels)
    }
