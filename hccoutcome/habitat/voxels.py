"""What is known of each voxel: the features by which voxels are clustered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hccoutcome.errors import InputError
from hccoutcome.habitat.enhancement import enhancement
from hccoutcome.habitat.entropy import local_entropy
from hccoutcome.habitat.region import Region, order_phase
from hccoutcome.habitat.scaling import Scaling, learn_scaling
from hccoutcome.habitat.settings import HabitatSettings


@dataclass(frozen=True)
class VoxelFeatures:
    """Features of the voxels of one region.

    Attributes:
        names: name of each feature.
        values: features, shape (n, f), float64, in their own units.
    """

    names: tuple[str, ...]
    values: np.ndarray


def voxel_features(region: Region, settings: HabitatSettings) -> VoxelFeatures:
    """Return the features of a region's voxels that the settings ask for.

    They are, in this order: the grey level of each phase (named by the phase), its local entropy
    (``<phase>_entropy``), wash-in and wash-out (``washin_<phase>``, ``washout_<phase>``), and the further maps.

    Raises:
        InputError: the settings ask for nothing, or for what the images do not allow.
    """
    found: dict[str, np.ndarray] = {}
    if settings.intensities:
        found.update(region.values)
    if settings.entropy_radius:
        for phase, values in region.values.items():
            found[f"{phase}_entropy"] = local_entropy(values, region.inside, settings.entropy_radius)
    if settings.kinetics != "none":
        found.update(enhancement(region.values, settings.kinetics, settings.times))
    for name, values in region.maps.items():
        if name in found:
            raise InputError(f"Each voxel feature is named once, found '{name}' twice: rename the map.")
        found[name] = values
    if not found:
        raise InputError(
            "Habitats need at least one voxel feature, found intensities, entropy, kinetics and maps all left out: "
            "switch one on."
        )
    return VoxelFeatures(tuple(found), np.column_stack(list(found.values())))


def rank_values(region: Region) -> np.ndarray:
    """Return the grey levels by whose mean the habitats are numbered, shape (n,)."""
    return region.values[order_phase(region.phases)]


def learn(values: np.ndarray, names: Sequence[str], settings: HabitatSettings) -> Scaling:
    """Return the scaling that the settings ask for, learnt on these voxels."""
    return learn_scaling(values, names, settings.scaling, settings.winsorise)


def distinct(rows: np.ndarray, enough: int) -> int:
    """Return the number of distinct rows, or some number of at least ``enough`` where there are so many."""
    for column in rows.T:
        found = np.unique(column).size
        if found >= enough:
            return found
    return len(np.unique(rows, axis=0))
