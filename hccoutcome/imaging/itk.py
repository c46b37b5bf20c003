"""Two helpers around SimpleITK."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import SimpleITK as sitk


@contextmanager
def quiet_itk() -> Iterator[None]:
    """Keep ITK's C++ warnings off standard error while a file is read; errors are still raised.

    What ITK warns of here (odd scales in a NIfTI header) has been checked before; the setting of the process is put
    back as it was.
    """
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def image_from_array(voxels: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """Return an image from voxels (z, y, x) and the 4 x 4 matrix from index (x, y, z) to mm (LPS)."""
    image = sitk.GetImageFromArray(voxels)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    return image
