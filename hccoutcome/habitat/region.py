"""The voxels of one region in several images: brought to one grid, checked and listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import SimpleITK as sitk

from hccoutcome.case import canonical_phase
from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import Geometry, describe_difference, on_grid, same_geometry, same_lattice
from hccoutcome.imaging.optimise import covered
from hccoutcome.imaging.resample import resample_image

ORDER_PHASE = "portal"
"""Phase by which habitats are numbered where there is one: paper 003 outlines the tumour on it."""


@dataclass(frozen=True)
class Region:
    """One region of a patient with all that is known of its voxels.

    Attributes:
        images: image by canonical phase, all exactly on one grid.
        mask: the region (uint8, 0/1) on that grid.
        inside: the region cropped to its box, array (z, y, x) of bool.
        box: where that box lies in the whole array, slices along z, y, x.
        values: grey levels inside by phase, float64, in the order of ``inside``'s true voxels.
        maps: values of further voxel maps by name, likewise.
        notes: sentences on what a reader of the results should know.
    """

    images: Mapping[str, sitk.Image]
    mask: sitk.Image
    inside: np.ndarray
    box: tuple[slice, slice, slice]
    values: Mapping[str, np.ndarray]
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases in the order in which they were given."""
        return tuple(self.images)

    def with_phases(self, phases: tuple[str, ...]) -> Region:
        """Return the region with its phases in another order, or fewer of them."""
        images = {phase: self.images[phase] for phase in phases}
        return replace(self, images=images, values={phase: self.values[phase] for phase in phases})

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.count_nonzero(self.inside))

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel in mm3."""
        return float(np.prod(self.mask.GetSpacing()))

    @property
    def spacing_zyx(self) -> tuple[float, float, float]:
        """Size of a voxel in mm along z, y, x."""
        x, y, z = self.mask.GetSpacing()
        return z, y, x


def order_phase(phases: tuple[str, ...]) -> str:
    """Return the phase whose mean grey level numbers the habitats: the portal venous one, or else the first."""
    return ORDER_PHASE if ORDER_PHASE in phases else phases[0]


def region_of(
    images: Mapping[str, sitk.Image],
    mask: sitk.Image,
    maps: Mapping[str, sitk.Image] | None = None,
    resample: bool = False,
) -> Region:
    """Return the voxels of a region in all images.

    Args:
        images: image by phase, co-registered.
        mask: the region; any value but 0 is inside.
        maps: further voxel maps by name (of the radiomics engine, say) that take part in the clustering.
        resample: allow images on another grid than the mask to be resampled onto it (linear).

    Raises:
        InputError: no image, an empty region, images on different grids without permission to resample, an image that
            does not cover the region, is constant there or holds NaN.
    """
    if not images:
        raise InputError("Habitats need at least one image, found none: add the images of the phases.")
    named = _canonical(images)
    grid = _grid(mask, named)
    whole = sitk.GetArrayViewFromImage(grid) != 0
    if not whole.any():
        raise InputError("A region with at least one voxel was expected, found the mask empty: outline the region.")
    box = _box(whole)
    notes: list[str] = []
    placed = {phase: _placed(image, f"{phase} image", grid, resample, notes) for phase, image in named.items()}
    further = {name: _placed(image, f"map '{name}'", grid, resample, notes) for name, image in (maps or {}).items()}
    inside = whole[box]
    return Region(
        images=placed,
        mask=sitk.Cast(grid != 0, sitk.sitkUInt8),
        inside=inside,
        box=box,
        values={phase: _values(image, box, inside, f"{phase} image") for phase, image in placed.items()},
        maps={name: _values(image, box, inside, f"map '{name}'") for name, image in further.items()},
        notes=tuple(notes),
    )


def _canonical(images: Mapping[str, sitk.Image]) -> dict[str, sitk.Image]:
    named: dict[str, sitk.Image] = {}
    for name, image in images.items():
        phase = canonical_phase(name)
        if phase in named:
            raise InputError(f"Each phase is given once, found '{phase}' twice: keep one of its images.")
        named[phase] = image
    return named


def _grid(mask: sitk.Image, images: Mapping[str, sitk.Image]) -> sitk.Image:
    """Return the mask on the grid of the image on which it was outlined; as it is where that is not among them."""
    for image in sorted(images.values(), key=lambda image: not same_geometry(mask, image)):
        if same_lattice(mask, image):
            return on_grid(mask, image)
    return mask


def _box(whole: np.ndarray) -> tuple[slice, slice, slice]:
    """Return the smallest box that holds all true voxels."""
    spans = [np.flatnonzero(whole.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    z, y, x = (slice(int(found[0]), int(found[-1]) + 1) for found in spans)
    return z, y, x


def _placed(image: sitk.Image, subject: str, grid: sitk.Image, resample: bool, notes: list[str]) -> sitk.Image:
    """Return an image exactly on the grid of the mask; one on the same lattice is cut or padded, not interpolated."""
    if same_geometry(image, grid):
        moved = sitk.Image(image)
        moved.CopyInformation(grid)
        return moved
    difference = describe_difference(image, grid)
    exact = same_lattice(image, grid)
    if not resample and not exact:
        raise InputError(
            f"The {subject} was expected on the grid of the mask, but they differ: {difference} (image against mask): "
            "register the images, or allow them to be resampled."
        )
    seen = covered(image, grid, sitk.Transform(3, sitk.sitkIdentity))
    inside = sitk.GetArrayViewFromImage(grid) != 0
    lost = int(np.count_nonzero(inside & ~seen))
    if lost:
        raise InputError(
            f"The {subject} should show all of the region, but {lost} of its {np.count_nonzero(inside)} voxels lie "
            "outside: give a series that shows all of it, or leave that one out."
        )
    if exact:
        lowest = float(sitk.GetArrayViewFromImage(image).min())
        return sitk.Resample(image, grid, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkNearestNeighbor, lowest)
    notes.append(f"The {subject} was resampled onto the grid of the mask ({difference}).")
    return resample_image(image, Geometry.from_image(grid), "linear")


def _values(image: sitk.Image, box: tuple[slice, slice, slice], inside: np.ndarray, subject: str) -> np.ndarray:
    """Return the values of an image inside the region as float64."""
    values = sitk.GetArrayViewFromImage(image)[box][inside].astype(np.float64)
    wrong = int(np.count_nonzero(~np.isfinite(values)))
    if wrong:
        raise InputError(
            f"The {subject} was expected to hold numbers in the region, found NaN or infinite values in {wrong} of "
            f"{values.size} voxels: mend the image or outline only where it is known."
        )
    if values.size > 1 and values.min() == values.max():
        raise InputError(
            f"The {subject} was expected to vary inside the region, found {values[0]:g} in all {values.size} voxels: "
            "check that it shows the region, or leave it out."
        )
    return values
