"""Lesions of known shape in generated voxels, on grids as scanners have them."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from hccoutcome.segmentation import Box


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def turned(degrees: float) -> tuple[float, ...]:
    """Directions of a grid that is turned about z."""
    angle = np.radians(degrees)
    return (np.cos(angle), -np.sin(angle), 0.0, np.sin(angle), np.cos(angle), 0.0, 0.0, 0.0, 1.0)


UPRIGHT = turned(0.0)


def grid(shape=(32, 60, 64), spacing=(1.0, 1.0, 2.0), direction=UPRIGHT) -> sitk.Image:
    image = sitk.GetImageFromArray(np.zeros(shape, np.float32))
    image.SetSpacing(spacing)
    image.SetOrigin((-31.0, 12.0, 100.0))
    image.SetDirection(direction)
    return image


def places(image: sitk.Image) -> np.ndarray:
    """Position of every voxel in mm along the image's own axes (x, y, z last)."""
    shape = image.GetSize()[::-1]
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)[..., ::-1]
    return index * np.array(image.GetSpacing())


def ball(image: sitk.Image, centre, radius) -> np.ndarray:
    return (((places(image) - centre) / radius) ** 2).sum(axis=-1) <= 1


def with_lesion(image: sitk.Image, lesion: np.ndarray, inside=60.0, outside=110.0, noise=10.0, seed=0) -> sitk.Image:
    draw = np.random.default_rng(seed)
    voxels = np.where(lesion, inside, outside) + draw.normal(0, noise, lesion.shape)
    found = sitk.GetImageFromArray(voxels.astype(np.float32))
    found.CopyInformation(image)
    return found


def box_around(image: sitk.Image, mask: np.ndarray, room: float = 0.0) -> Box:
    """The box of a mask, so many mm wider on every side."""
    index = np.argwhere(mask)[:, ::-1]
    low, high = index.min(axis=0), index.max(axis=0)
    tight = Box.from_voxels(image, [int(v) for pair in zip(low, high, strict=True) for v in pair])
    return Box(tight.centre, tight.axes, tuple(half + room for half in tight.half))


def array(mask: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(mask) != 0
