"""Settings, arrays and means of phantoms, for their tests."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk

from hccoutcome.case import Case
from hccoutcome.phantom import PhantomSettings

COARSE = (4.0, 4.0, 5.0)


def images(case: Case) -> dict[str, np.ndarray]:
    return {phase: sitk.GetArrayFromImage(image).astype(float) for phase, image in case.images.items()}


def masks(case: Case) -> dict[str, np.ndarray]:
    return {region: sitk.GetArrayFromImage(mask) > 0 for region, (mask,) in case.masks.items()}


def means(case: Case, mask: np.ndarray) -> dict[str, float]:
    return {phase: float(image[mask].mean()) for phase, image in images(case).items()}


def quiet(**changes: object) -> PhantomSettings:
    """Return settings without noise and texture, so that voxels hold what was planted."""
    plain: Mapping[str, object] = {"spacing": COARSE, "noise": 0.0, "nodularity": 0.0, "heterogeneity": 0.0}
    return PhantomSettings(**{**plain, **changes})  # type: ignore[arg-type]
