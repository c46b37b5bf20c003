"""Oblique images whose grey level is a known function of the place in the patient, with a tumour in a liver."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

SLOPE = np.array([0.6, -0.4, 0.9])
LEVEL = 150.0


def direction(axes: str = "LPS", tilt: float = 0.3) -> np.ndarray:
    """Return 3 x 3 direction cosines: turned by ``tilt`` about an oblique axis, then the axes named as in DICOM."""
    axis = np.array([0.8, 0.36, 0.48])
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn = np.eye(3) + np.sin(tilt) * cross + (1 - np.cos(tilt)) * cross @ cross
    names = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}
    return turn @ np.array([np.eye(3)[k] * sign for k, sign in (names[name] for name in axes)]).T


def positions(image: sitk.Image) -> np.ndarray:
    """Return the place of every voxel in mm (LPS), shape (z, y, x, 3)."""
    z, y, x = np.indices(image.GetSize()[::-1])
    index = np.stack([x, y, z], axis=-1) * image.GetSpacing()
    return index @ np.reshape(image.GetDirection(), (3, 3)).T + image.GetOrigin()


def plain(places: np.ndarray) -> np.ndarray:
    """Return the grey level at places: a plane, which every spline follows exactly."""
    return LEVEL + places @ SLOPE


def lattice(size=(60, 50, 14), spacing=(1.5, 1.5, 4.0), axes: str = "LPS", tilt: float = 0.3) -> sitk.Image:
    """Return an image of zeros around the origin of the patient's space."""
    image = sitk.Image(size, sitk.sitkFloat32)
    image.SetSpacing(spacing)
    image.SetDirection(direction(axes, tilt).ravel().tolist())
    middle = np.reshape(image.GetDirection(), (3, 3)) @ ((np.array(size) - 1) / 2 * spacing)
    image.SetOrigin((-middle).tolist())
    return image


def like(image: sitk.Image, voxels: np.ndarray, kind=np.float32) -> sitk.Image:
    made = sitk.GetImageFromArray(np.ascontiguousarray(voxels.astype(kind)))
    made.CopyInformation(image)
    return made


def ramp(**shape) -> sitk.Image:
    """Return an image that holds ``plain`` everywhere."""
    empty = lattice(**shape)
    return like(empty, plain(positions(empty)))


def ball(image: sitk.Image, centre=(0.0, 0.0, 0.0), radius: float = 10.0) -> sitk.Image:
    """Return the mask of a ball at a place in mm (LPS)."""
    apart = np.linalg.norm(positions(image) - np.array(centre), axis=-1)
    return like(image, apart <= radius, np.uint8)


def united(*masks: sitk.Image) -> sitk.Image:
    total = masks[0]
    for mask in masks[1:]:
        total = total | mask
    return total
