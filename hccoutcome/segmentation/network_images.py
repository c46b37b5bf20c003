"""What a network gets of images and what becomes of its output: orientation, spacing, values, and the way back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from hccoutcome.segmentation.network_config import Intensity, NetworkConfig


def network_grid(image: sitk.Image, config: NetworkConfig) -> sitk.Image:
    """Return an empty image on the grid that a network sees: its orientation and spacing, where the image lies."""
    turned = sitk.DICOMOrient(image, config.orientation)
    spacing = config.spacing or turned.GetSpacing()
    extent = np.multiply(turned.GetSize(), turned.GetSpacing())
    size = [max(1, int(count)) for count in np.round(extent / spacing)]
    # Both grids fill the same space: the first voxel's outer corner stays where it is.
    shift = [(new - old) / 2 / old for new, old in zip(spacing, turned.GetSpacing(), strict=True)]
    grid = sitk.Image(size, sitk.sitkUInt8)
    grid.SetSpacing([float(value) for value in spacing])
    grid.SetOrigin(turned.TransformContinuousIndexToPhysicalPoint(shift))
    grid.SetDirection(turned.GetDirection())
    return grid


def network_input(images: Sequence[sitk.Image], grid: sitk.Image, intensity: Intensity) -> np.ndarray:
    """Return what a network sees of its images, (channels, x, y, z), float32."""
    channels = [
        sitk.Resample(image, grid, sitk.Transform(), sitk.sitkLinear, _least(image), sitk.sitkFloat32)
        for image in images
    ]
    return np.stack([prepared(sitk.GetArrayFromImage(channel).T, intensity) for channel in channels])


def _least(image: sitk.Image) -> float:
    return float(sitk.GetArrayViewFromImage(image).min())


def prepared(values: np.ndarray, intensity: Intensity) -> np.ndarray:
    """Return values prepared for a network (float32), in the same shape."""
    values = values.astype(np.float32)
    if intensity.method == "window":
        return np.clip((values - intensity.low) / (intensity.high - intensity.low), 0, 1)
    if intensity.method == "fixed":
        return (np.clip(values, intensity.low, intensity.high) - intensity.mean) / intensity.std
    if intensity.method == "standardise":
        inside = values[values != 0]
        if not inside.size or not inside.std():
            return np.zeros_like(values)
        return np.where(values != 0, (values - inside.mean()) / inside.std(), 0).astype(np.float32)
    return values


def labels_on(probabilities: np.ndarray, grid: sitk.Image, image: sitk.Image) -> sitk.Image:
    """Return the most probable label of every voxel of an image.

    Args:
        probabilities: (labels, x, y, z) on ``grid``.
        grid: the network's grid.
        image: on whose grid the labels are wanted; probabilities are interpolated, not labels.
    """
    best = np.full(image.GetSize()[::-1], -np.inf, np.float32)
    found = np.zeros(best.shape, np.uint16)
    for label, values in enumerate(probabilities):
        here = on_image(values, grid, image)
        better = here > best
        best[better], found[better] = here[better], label
    labels = sitk.GetImageFromArray(found)
    labels.CopyInformation(image)
    return labels


def on_image(values: np.ndarray, grid: sitk.Image, image: sitk.Image) -> np.ndarray:
    """Return values (x, y, z) on the network's grid at the voxels (z, y, x) of an image."""
    source = sitk.GetImageFromArray(np.ascontiguousarray(values.T.astype(np.float32)))
    source.CopyInformation(grid)
    moved = sitk.Resample(
        source, image, sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkFloat32, useNearestNeighborExtrapolator=True
    )
    return sitk.GetArrayFromImage(moved)
