"""N4 correction of the slow intensity variation that MR coils leave (Tustison et al. 2010, IEEE TMI 29:1310)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.imaging.filters import watched
from hccoutcome.imaging.greylevels import grey_levels
from hccoutcome.progress import Progress, silent

NEGATIVE_PART = 0.02
"""Negatives up to this part of the 99th percentile are the ripple of an earlier interpolation, not another scale."""


@dataclass(frozen=True)
class BiasSettings:
    """How N4 runs.

    Attributes:
        shrink: factor by which the field is estimated on a coarser grid; the field is smooth, so 4 costs no accuracy.
        iterations: most iterations at each fitting level.
        convergence: relative change of the field below which a level ends.
        control_points: B-spline control points along each axis at the coarsest level.
    """

    shrink: int = 4
    iterations: tuple[int, ...] = (50, 50, 50, 50)
    convergence: float = 0.001
    control_points: int = 4


def correct_bias(
    image: sitk.Image,
    mask: sitk.Image | None = None,
    settings: BiasSettings | None = None,
    progress: Progress = silent,
) -> sitk.Image:
    """Return an MR image without its bias field (float32).

    The field is estimated on the shrunken image inside the mask and applied at full resolution. The result does not
    depend on the number of processors.

    Args:
        image: MR image with intensities of 0 and above, but for the ripple of an earlier interpolation.
        mask: where to estimate the field, on the image's grid; the foreground by Otsu's threshold where None.
        settings: how N4 runs.
        progress: told the fraction done; may stop the work.

    Raises:
        InputError: the image holds negative values (it is not a plain MR image) or is constant.
        Cancelled: the progress callback asked to stop.
    """
    settings = settings or BiasSettings()
    real = sitk.Cast(image, sitk.sitkFloat32)
    _check_intensities(real)
    region = sitk.OtsuThreshold(real, 0, 1) if mask is None else sitk.Cast(mask != 0, sitk.sitkUInt8)
    region = region * sitk.Cast(real > 0, sitk.sitkUInt8)  # N4 works on logarithms.
    factors = [max(1, min(settings.shrink, size // settings.control_points)) for size in real.GetSize()]
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations(settings.iterations)
    n4.SetConvergenceThreshold(settings.convergence)
    n4.SetNumberOfControlPoints([settings.control_points] * real.GetDimension())
    small, small_region = sitk.Shrink(real, factors), sitk.Shrink(region, factors)
    most = sum(settings.iterations)
    watched(n4, lambda: n4.Execute(small, small_region), most, progress, "Correcting the bias field")
    field = sitk.Exp(sitk.Cast(n4.GetLogBiasFieldAsImage(real), sitk.sitkFloat32))
    progress(1.0, "Corrected the bias field")
    return real / field


def _check_intensities(image: sitk.Image) -> None:
    bottom, low, high, top = np.percentile(grey_levels(image), (0, 1, 99, 100))
    if low < -NEGATIVE_PART * high or top <= 0:
        raise InputError(
            f"N4 expects MR intensities of 0 and above, found a minimum of {bottom:g}: "
            "switch bias_correction off for CT and for images that are already normalised."
        )
