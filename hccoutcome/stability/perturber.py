"""Perturbations carried out: masks and images of one case; see ``hccoutcome.stability.perturbation``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import Geometry, describe_difference, same_geometry
from hccoutcome.radiomics.grid import array_view
from hccoutcome.stability.lattice import Block, block_around, block_of, cut, image_on, sample, turned
from hccoutcome.stability.noise import noise_deviation
from hccoutcome.stability.perturbation import Perturbation, PerturbationSettings, drawn, random_numbers
from hccoutcome.stability.supervoxels import redrawn, supervoxels

MARGIN_MM = 25.0
"""Image around the region that perturbations may need (Zwanenburg et al. 2019)."""


@dataclass(frozen=True)
class Perturbed:
    """One perturbation carried out, to look at.

    Attributes:
        perturbation: what was done.
        mask: the region (uint8, 0/1) on the whole turned and shifted grid.
        image: the image around the region on the same grid.
    """

    perturbation: Perturbation
    mask: sitk.Image
    image: sitk.Image


def perturbations(
    image: sitk.Image, mask: sitk.Image, settings: PerturbationSettings, seed: int, indices: Iterable[int]
) -> Iterator[Perturbed]:
    """Yield perturbations of a case one by one; only one lies in memory.

    Args:
        image: the image.
        mask: the region on its grid.
        settings: families and their reach.
        seed: seed of the study.
        indices: numbers of the perturbations, from 1.

    Raises:
        InputError: the grids differ, the mask is empty, the seed or an index is not valid.
    """
    perturber = Perturber(image, mask, settings)
    for index in indices:
        perturbation = drawn(settings, seed, index)
        shape = perturber.outline(perturbation)
        turned_mask = perturber.mask(perturbation, shape)
        yield Perturbed(perturbation, turned_mask, perturber.image(perturbation, turned_mask))


class Perturber:
    """One case, with all that its perturbations share: distances, supervoxels and noise, computed when first needed.

    Its methods change nothing and may run in several threads.

    Args:
        image: the image.
        mask: the region on its grid, not 0 inside.
        settings: families and their reach.
        context_mm: image around the region to keep; None keeps all.
    """

    def __init__(
        self, image: sitk.Image, mask: sitk.Image, settings: PerturbationSettings, context_mm: float | None = MARGIN_MM
    ) -> None:
        if not same_geometry(image, mask):
            raise InputError(
                f"Image and mask lie on one grid, found {describe_difference(image, mask)} (image against mask): "
                "resample the mask onto the image."
            )
        whole = array_view(mask) != 0
        if not whole.any():
            raise InputError("A region to perturb has voxels, found an empty mask: draw the region.")
        self.settings = settings
        self.original = image
        self.grid = Geometry.from_image(image)
        self.spacing_zyx = tuple(reversed(image.GetSpacing()))
        self.block: Block = block_around(whole, self.spacing_zyx, MARGIN_MM)
        self.context: Block = (
            (slice(0, whole.shape[0]), slice(0, whole.shape[1]), slice(0, whole.shape[2]))
            if context_mm is None
            else block_around(whole, self.spacing_zyx, max(context_mm, MARGIN_MM))
        )
        self.region: NDArray[np.bool_] = whole[self.block].copy()
        self._lock = Lock()

    def outline(self, perturbation: Perturbation) -> NDArray[np.bool_]:
        """Return the changed region inside ``block``, on the grid where it was drawn (V and C)."""
        region = self.region
        if perturbation.growth:
            region = self._grown(perturbation)
        if perturbation.contour:
            random = random_numbers(perturbation.seed, perturbation.index, "C")
            labels = self._once("_supervoxels")
            region = redrawn(region, labels, random, self.settings.always_from, self.settings.never_below)
        return region

    def mask(self, perturbation: Perturbation, outline: NDArray[np.bool_]) -> sitk.Image:
        """Return an outline of ``outline`` as a mask (uint8, 0/1) on the whole turned and shifted grid (R and T)."""
        grid = self._grid(perturbation)
        place = cut(self.grid, self.block)
        inner, found = self.block, outline.astype(np.uint8)
        if perturbation.moves:
            inner = block_of(self._box(outline), grid, margin=1)
            soft = sample(image_on(outline.astype(np.float32), place), cut(grid, inner), sitk.sitkLinear)
            found = (sitk.GetArrayViewFromImage(soft) >= 0.5).astype(np.uint8)
        mask = sitk.Image(list(grid.size), sitk.sitkUInt8)
        mask = sitk.Paste(
            mask, sitk.GetImageFromArray(found), found.shape[::-1], [0, 0, 0], [s.start for s in inner[::-1]]
        )
        mask.SetSpacing(grid.spacing)
        mask.SetOrigin(grid.origin)
        mask.SetDirection(grid.direction)
        return mask

    def image(self, perturbation: Perturbation, mask: sitk.Image) -> sitk.Image:
        """Return the image around the region, with noise, on the grid of the perturbation's mask (N, R and T)."""
        source = self.noisy(perturbation)
        if not perturbation.moves:
            return source
        grid = Geometry.from_image(mask)
        inner = block_of(Geometry.from_image(source), grid)
        return sample(sitk.Cast(source, sitk.sitkFloat64), cut(grid, inner), sitk.sitkBSpline)

    def noisy(self, perturbation: Perturbation) -> sitk.Image:
        """Return the image inside ``context`` with the perturbation's noise, on its own grid (N)."""
        values = array_view(self.original)[self.context]
        grid = cut(self.grid, self.context)
        if not perturbation.noise:
            return image_on(values, grid)
        random = random_numbers(perturbation.seed, perturbation.index, "N")
        deviation = perturbation.noise * self._once("_noise")
        added = random.standard_normal(values.shape, np.float32)
        return image_on(values + deviation * added.astype(np.float64), grid)

    @cached_property
    def centre(self) -> NDArray[np.float64]:
        """Centre of the region in mm (x, y, z), which a rotation leaves in place."""
        index = [float(part) for part in reversed(ndimage.center_of_mass(self.region))]
        return (cut(self.grid, self.block).affine @ [*index, 1.0])[:3]

    @cached_property
    def _noise(self) -> float:
        return noise_deviation(array_view(self.original)[self.block])

    @cached_property
    def _supervoxels(self) -> NDArray[np.intp]:
        values = array_view(self.original)[self.block]
        region_mm3 = float(np.count_nonzero(self.region) * np.prod(self.spacing_zyx))
        volume = min(self.settings.supervoxel_mm3, region_mm3 / 20)
        return supervoxels(values, self.region, self.spacing_zyx, volume, self.settings.compactness)

    @cached_property
    def _by_distance(self) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Voxels of the block from the region's core outwards, and their signed distance in mm from its border."""
        inside, outside = (
            ndimage.distance_transform_edt(part, sampling=self.spacing_zyx) for part in (self.region, ~self.region)
        )
        distance = np.where(self.region, -inside, outside).ravel()
        order = np.argsort(distance, kind="stable")
        return order, distance[order]

    def _once(self, name: str) -> Any:
        """Return a shared part; the first thread that asks computes it and the others wait."""
        with self._lock:
            return getattr(self, name)

    def _grown(self, perturbation: Perturbation) -> NDArray[np.bool_]:
        """Return the region with its volume changed to the voxel: nearest voxels first, ties drawn by lot."""
        order, distance = self._once("_by_distance")
        wanted = round(np.count_nonzero(self.region) * (1 + perturbation.growth))
        wanted = min(max(wanted, 1), order.size)
        edge = distance[wanted - 1]
        first, last = np.searchsorted(distance, edge - 1e-6), np.searchsorted(distance, edge + 1e-6)
        random = random_numbers(perturbation.seed, perturbation.index, "v")
        lot = random.permutation(last - first)[: wanted - first] + first
        region = np.zeros(order.size, bool)
        region[order[:first]] = True
        region[order[lot]] = True
        return region.reshape(self.region.shape)

    def _grid(self, perturbation: Perturbation) -> Geometry:
        if not perturbation.moves:
            return self.grid
        return turned(self.grid, self.centre, perturbation.degrees, perturbation.shift)

    def _box(self, outline: NDArray[np.bool_]) -> Geometry:
        """Return the grid of an outline's bounding box."""
        return cut(cut(self.grid, self.block), block_around(outline, self.spacing_zyx, 0.0))
