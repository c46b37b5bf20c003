"""Supervoxels of the image around a region, and contours redrawn along them.

Simple linear iterative clustering (SLIC, Achanta et al. 2012) with the settings of Zwanenburg et al. 2019.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

MIN_VOXELS = 20
_GREY_MARGIN = 0.1


def supervoxels(
    values: NDArray[np.generic],
    region: NDArray[np.bool_],
    spacing_zyx: tuple[float, ...],
    volume_mm3: float,
    compactness: float,
) -> NDArray[np.intp]:
    """Return a label from 0 up for each voxel, compact patches of similar grey level.

    Grey levels are clipped to the region's range and a tenth beyond, so that bone or air do not rule the patches, and
    smoothed by one voxel's side.

    Args:
        values: image, shape (z, y, x).
        region: the region, the same shape.
        spacing_zyx: voxel spacing in mm.
        volume_mm3: wanted volume of a supervoxel; at least ``MIN_VOXELS`` voxels.
        compactness: weight of one side of a supervoxel against the whole range of grey levels.
    """
    spacing = np.array(spacing_zyx)
    inside = values[region].astype(np.float64)
    margin = _GREY_MARGIN * (inside.max() - inside.min())
    low, high = inside.min() - margin, inside.max() + margin
    scaled = (np.clip(values.astype(np.float64), low, high) - low) / max(high - low, np.finfo(float).tiny)
    smooth = ndimage.gaussian_filter(scaled, spacing.min() / spacing)
    side = np.cbrt(max(volume_mm3, MIN_VOXELS * spacing.prod()))
    slic = sitk.SLICImageFilter()
    slic.SetNumberOfThreads(1)  # sums over threads would change with their number
    slic.SetNumberOfWorkUnits(1)
    slic.SetSuperGridSize([max(round(float(side / step)), 1) for step in reversed(spacing)])
    slic.SetSpatialProximityWeight(compactness)
    slic.SetMaximumNumberOfIterations(10)
    slic.SetEnforceConnectivity(True)
    labels = sitk.GetArrayFromImage(slic.Execute(sitk.GetImageFromArray(smooth.astype(np.float32))))
    return labels.astype(np.intp)


def redrawn(
    region: NDArray[np.bool_],
    labels: NDArray[np.intp],
    random: np.random.Generator,
    always_from: float,
    never_below: float,
) -> NDArray[np.bool_]:
    """Return a region made of whole supervoxels, each taken with the probability of its overlap with the region.

    Supervoxels that lie inside by ``always_from`` are always taken and those below ``never_below`` never; the one with
    the largest overlap is taken always, so that something remains. Gaps of a voxel are closed.
    """
    count = np.bincount(labels.ravel())
    overlap = np.bincount(labels[region], minlength=count.size) / np.maximum(count, 1)
    chance = np.where(overlap >= always_from, 1.0, np.where(overlap < never_below, 0.0, overlap))
    chance[np.argmax(overlap)] = 1.0
    taken = random.random(count.size) < chance
    return ndimage.binary_closing(taken[labels]) | taken[labels]
