"""First-order features of images whose grey levels are a constant away from Hounsfield units, put right.

CT scanners store grey levels with an offset (rescale intercept, usually -1024) that software may leave out. Of a first
order feature, what that does is exact arithmetic; shapes do not change, and textures only in so far as the edges of the
bins move (by 1 HU for an offset of 1024 and bins of 25), which cannot be put right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from hccoutcome.errors import InputError

LEVELS = ("10Percentile", "90Percentile", "Maximum", "Mean", "Median", "Minimum")
"""First-order features that move with the grey levels."""


def with_offset(features: Mapping[str, float], offset: float, prefix: str) -> dict[str, float]:
    """Return the features as they would be had every grey level been ``offset`` higher.

    With N voxels, mean m and root mean square r, the energy N r^2 becomes N (r^2 + 2 offset m + offset^2).

    Args:
        features: PyRadiomics features of one region, value by name.
        offset: in the unit of the grey levels.
        prefix: what stands before the first-order names: ``"arterial_tumor_original_firstorder_"``.

    Raises:
        InputError: mean, root mean square or energy is missing or zero while one of the others has to be moved.
    """
    known = {name.removeprefix(prefix): value for name, value in features.items() if name.startswith(prefix)}
    moved = {name: value + offset for name, value in known.items() if name in LEVELS}
    if {"Energy", "TotalEnergy", "RootMeanSquared"} & known.keys():
        moved.update(_moved_energies(known, offset))
    return {**features, **{prefix + name: value for name, value in moved.items() if name in known}}


def _moved_energies(known: Mapping[str, float], offset: float) -> dict[str, float]:
    needed = ("Energy", "Mean", "RootMeanSquared")
    if any(not known.get(name) for name in needed):
        raise InputError(
            f"Moving grey levels needs the features {', '.join(needed)}, none of them 0: give all of them."
        )
    energy, mean, square = known["Energy"], known["Mean"], known["RootMeanSquared"] ** 2
    moved_square = max(square + 2 * offset * mean + offset**2, 0.0)
    factor = moved_square / square
    return {
        "RootMeanSquared": math.sqrt(moved_square),
        "Energy": energy * factor,
        "TotalEnergy": known.get("TotalEnergy", math.nan) * factor,
    }
