"""The feature classes of the engine: the settings that they know, and one function for each group of classes.

Everything here works on plain arrays with axes (z, y, x), cropped to the region or not (the crop changes no value).
Image types, resampling, cropping and the choice of features belong to the extraction that calls these functions.
They release the interpreter lock in their kernels, give the same bits whatever the number of threads, and may run
side by side in a thread pool.

    levels = bin_image(image, mask, bin_width=25.0)
    compute_first_order(image[mask], levels[mask], voxel_volume=1.92, voxel_array_shift=0.0)
    compute_texture(levels, ("glcm", "ngtdm"), TextureSettings(spacing_zyx=(3.0, 0.8, 0.8)))
    compute_shape(mask, spacing_zyx=(3.0, 0.8, 0.8))
    compute_shape_2d(mask[0], spacing_yx=(0.8, 0.8))

Each gives every feature of its class under PyRadiomics' name, also those that PyRadiomics leaves off until they are
asked for by name; ``hccoutcome.radiomics.features`` is the table of all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from hccoutcome.errors import InputError, nearest
from hccoutcome.radiomics.features import TEXTURE_CLASSES
from hccoutcome.radiomics.firstorder import first_order_features
from hccoutcome.radiomics.glcm import glcm_features, pair_counts, pair_weights
from hccoutcome.radiomics.gldm import dependences, dependences_of_equal_neighbours, gldm_features
from hccoutcome.radiomics.glrlm import glrlm_features, run_counts, run_weights
from hccoutcome.radiomics.glszm import glszm_features, zones
from hccoutcome.radiomics.kernels import mark_equal_neighbours
from hccoutcome.radiomics.levelgrid import level_grid, neighbour_steps, unique_directions
from hccoutcome.radiomics.ngtdm import ngtdm_features, tone_differences
from hccoutcome.radiomics.shape import shape_2d_features, shape_features

WEIGHTING_NORMS = ("manhattan", "euclidean", "infinity", "no_weighting")


@dataclass(frozen=True)
class TextureSettings:
    """What changes the values of texture features once the grey levels are discrete.

    Attributes:
        spacing_zyx: Voxel spacing in mm; used only where directions are weighted.
        distances: Distances (infinity norm, voxels) of the neighbours for GLCM, GLDM and NGTDM (``distances``).
        weighting_norm: Norm for the weight of each direction of GLCM and GLRLM (``weightingNorm``); None averages the
            features over the directions instead.
        symmetrical_glcm: Whether each pair counts in both orders (``symmetricalGLCM``).
        gldm_a: Largest difference in level at which a neighbour is dependent (``gldm_a``).
        force_2d: Whether neighbours outside the plane are left out (``force2D``).
        force_2d_dimension: The axis (0 = z, 1 = y, 2 = x) perpendicular to that plane (``force2Ddimension``).
    """

    spacing_zyx: tuple[float, float, float] = (1.0, 1.0, 1.0)
    distances: tuple[int, ...] = (1,)
    weighting_norm: str | None = None
    symmetrical_glcm: bool = True
    gldm_a: int = 0
    force_2d: bool = False
    force_2d_dimension: int = 0

    def __post_init__(self) -> None:
        norm = self.weighting_norm
        if norm is not None and norm not in WEIGHTING_NORMS:
            raise InputError(f"weightingNorm '{norm}' is unknown: {nearest(norm, WEIGHTING_NORMS)}")
        if not self.distances or not all(isinstance(step, Integral) and step >= 1 for step in self.distances):
            raise InputError(
                f"distances must be whole numbers from 1 up, found {list(self.distances)}: name one or more"
            )
        if self.force_2d_dimension not in (0, 1, 2):
            raise InputError(f"force2Ddimension must be 0 (z), 1 (y) or 2 (x), found {self.force_2d_dimension}")


DEFAULTS = TextureSettings()


def compute_first_order(
    values: NDArray[np.generic], levels: NDArray[np.integer], voxel_volume: float, voxel_array_shift: float = 0.0
) -> dict[str, float]:
    """Return all first-order features; see :func:`hccoutcome.radiomics.firstorder.first_order_features`."""
    return first_order_features(values, levels, voxel_volume, voxel_array_shift)


def compute_shape(mask: NDArray[np.bool_], spacing_zyx: tuple[float, float, float]) -> dict[str, float]:
    """Return all 3D shape features; see :func:`hccoutcome.radiomics.shape.shape_features`."""
    return shape_features(mask, spacing_zyx)


def compute_shape_2d(mask: NDArray[np.bool_], spacing_yx: tuple[float, float]) -> dict[str, float]:
    """Return all 2D shape features; see :func:`hccoutcome.radiomics.shape.shape_2d_features`."""
    return shape_2d_features(mask, spacing_yx)


def compute_texture(
    levels: NDArray[np.integer], classes: Iterable[str], settings: TextureSettings = DEFAULTS
) -> dict[str, dict[str, float]]:
    """Return all features of the texture classes named, by class and PyRadiomics' feature name.

    Args:
        levels: Grey levels, shape (z, y, x): 0 outside the region, from 1 up inside (see ``bin_image``).
        classes: Any of glcm, gldm, glrlm, glszm, ngtdm; what they share is counted once.
        settings: See :class:`TextureSettings`.

    Raises:
        InputError: An unknown class, an empty region, or more than 65,535 distinct levels.
    """
    wanted = list(classes)
    for name in wanted:
        if name not in TEXTURE_CLASSES:
            raise InputError(f"'{name}' is no texture class: {nearest(name, TEXTURE_CLASSES)}")
    region = TextureRegion(levels, settings)
    return {name: getattr(region, name)() for name in wanted}


class TextureRegion:
    """The counts of one region's textures, each made when first asked for and shared by the classes."""

    def __init__(self, levels: NDArray[np.integer], settings: TextureSettings = DEFAULTS) -> None:
        self.settings = settings
        plane = (settings.force_2d, settings.force_2d_dimension)
        self.grid = level_grid(levels, max(settings.distances))
        self.steps = neighbour_steps(settings.distances, *plane, self.grid.shape)
        self.directions = self.steps[: len(self.steps) // 2]
        self.touching = unique_directions((1,), *plane)

    @cached_property
    def equal_neighbours(self) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Marks of the equal neighbours ahead and behind, a bit for each direction in ``touching``."""
        ahead = np.zeros(self.grid.codes.size, np.uint16)
        behind = np.zeros(self.grid.codes.size, np.uint16)
        mark_equal_neighbours(self.grid.codes, self.grid.rows, self.grid.flat_offsets(self.touching), ahead, behind)
        return ahead, behind

    def glcm(self) -> dict[str, float]:
        """Return the features of the grey level co-occurrence matrix."""
        weights = pair_weights(self.directions, self.settings.spacing_zyx, self.settings.weighting_norm)
        counts = pair_counts(self.grid, self.directions)
        return glcm_features(counts, self.grid.levels, self.settings.symmetrical_glcm, weights)

    def gldm(self) -> dict[str, float]:
        """Return the features of the grey level dependence matrix."""
        if self.settings.gldm_a == 0 and self.settings.distances == (1,):
            counts = dependences_of_equal_neighbours(self.grid, *self.equal_neighbours)
        else:
            counts = dependences(self.grid, self.steps, self.settings.gldm_a)
        return gldm_features(counts, self.grid.levels)

    def glrlm(self) -> dict[str, float]:
        """Return the features of the grey level run length matrix."""
        counts = run_counts(self.grid, self.touching, *self.equal_neighbours)
        weights = run_weights(self.touching, self.settings.spacing_zyx, self.settings.weighting_norm)
        return glrlm_features(counts, self.grid.levels, weights)

    def glszm(self) -> dict[str, float]:
        """Return the features of the grey level size zone matrix."""
        return glszm_features(*zones(self.grid, self.touching, self.equal_neighbours[1]), self.grid.levels)

    def ngtdm(self) -> dict[str, float]:
        """Return the features of the neighbouring grey tone difference matrix."""
        differences = tone_differences(self.grid, self.steps)
        return ngtdm_features(self.grid.counts, differences, self.grid.levels)
