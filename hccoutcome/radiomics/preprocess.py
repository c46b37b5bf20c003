"""From an image and a mask to the voxels that features are computed on: PyRadiomics' steps and values.

The order is PyRadiomics': select the label, normalise, resample (or pre-crop), check the mask, resegment, check again.
Whatever is done to the whole volume there is done here only where the region needs it, with the same bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hccoutcome.errors import InputError
from hccoutcome.radiomics.grid import Grid, array_view, resample_bspline, resample_nearest
from hccoutcome.radiomics.parameters import Parameters

Box = tuple[slice, ...]
"""A block of voxels, slices in the order z, y, x."""


DEFAULT_TOLERANCE = 1e-6
"""ITK's own tolerance of grids, unless ``geometryTolerance`` gives another."""

MOST_VOXELS = 2**29
"""Largest resampled grid: 4 GiB of float64, twice a whole CT of 1000 slices, before any filter copies it."""


@dataclass(frozen=True)
class Normalisation:
    """Maps intensities to ``scale * clip((x + shift) * factor)``, what ``normalize`` does to the whole image."""

    shift: float
    factor: float
    outliers: float | None
    scale: float

    def __call__(self, array: NDArray[Any]) -> NDArray[np.float64]:
        """Return the normalised values of a block of the image, float64."""
        values = array.astype(np.float64)
        values += self.shift
        values *= self.factor
        if self.outliers is not None:
            values[values > self.outliers] = self.outliers
            values[values < -self.outliers] = -self.outliers
        values *= float(self.scale)
        return values


@dataclass(frozen=True)
class Prepared:
    """One region, ready for filters and features.

    Attributes:
        image: The image that the filters see: whole, or cropped with ``padDistance`` where it was resampled or
            pre-cropped.
        box: Where the region's bounding box lies in ``image``.
        labels: The labels inside ``box``, shape (z, y, x); voxels of other labels keep theirs.
        shape_labels: The same before resegmentation (unless ``resegmentShape``), for the shape features.
    """

    image: sitk.Image
    box: Box
    labels: NDArray[Any]
    shape_labels: NDArray[Any]

    @property
    def spacing_zyx(self) -> tuple[float, float, float]:
        """Voxel spacing in mm."""
        x, y, z = self.image.GetSpacing()
        return z, y, x

    def values(self) -> NDArray[Any]:
        """Return a view of the whole image, shape (z, y, x), in its own type."""
        return array_view(self.image)


@dataclass(frozen=True)
class _Pair:
    """An image and its labels on the way through the steps; ``labels`` is a view where nothing changed them."""

    image: sitk.Image
    labels: NDArray[Any]
    grid: Grid


def measure_normalisation(image: sitk.Image, parameters: Parameters) -> Normalisation | None:
    """Return the normalisation that an image calls for, or None where ``normalize`` is off.

    It depends on the image alone, so that regions of the same image share it.

    Raises:
        InputError: the image is constant, so that it has no standard deviation to divide by.
    """
    if not parameters.normalize:
        return None
    array = array_view(image)
    if array.dtype.kind in "iu" and array.dtype.itemsize <= 2:
        mean, sigma = _whole_number_statistics(array)
    else:
        statistics = sitk.StatisticsImageFilter()
        statistics.SetNumberOfThreads(1)
        statistics.SetNumberOfWorkUnits(1)  # the order of the sums, and so their last bit, must not vary
        statistics.Execute(image)
        mean, sigma = statistics.GetMean(), statistics.GetSigma()
    if not sigma > 0:
        raise InputError(
            f"Normalisation divides by the image's standard deviation, found {sigma:g}: use an image that varies."
        )
    return Normalisation(-mean, 1.0 / sigma, parameters.remove_outliers, parameters.normalize_scale)


def prepare_region(
    image: sitk.Image, mask: sitk.Image, parameters: Parameters, normalisation: Normalisation | None
) -> Prepared:
    """Take an image and a mask through all steps up to the filters.

    Args:
        image: Three-dimensional scalar image.
        mask: Label image, or a vector image of labels of which ``label_channel`` is used.
        parameters: The settings in force.
        normalisation: From :func:`measure_normalisation` of the same image and parameters.

    Raises:
        InputError: the label is missing, the geometries differ, or the region is too small, as the settings define it.
    """
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(
            "Features need a three-dimensional image with one value per voxel, found "
            f"{image.GetDimension()} dimensions and {image.GetNumberOfComponentsPerPixel()} values: convert the image."
        )
    mask = select_channel(mask, parameters)
    if parameters.interpolator is not None and parameters.resampled_pixel_spacing is not None:
        pair = _resample(image, mask, parameters, normalisation)
    else:
        pair = _same_grid(image, mask, parameters, normalisation)
    box = _checked_box(pair.labels, parameters)
    if parameters.resegment_range is None:
        labels = shape_labels = pair.labels[box]
    else:
        box, labels, shape_labels = _resegment(pair, box, parameters)
    prepared = Prepared(pair.image, box, np.array(labels), np.array(shape_labels))
    _check_finite(prepared.values()[box][labels == parameters.label])
    return prepared


def select_channel(mask: sitk.Image, parameters: Parameters) -> sitk.Image:
    """Return the scalar label image: of a vector mask the component ``label_channel``.

    Raises:
        InputError: there is no such component or the label is nowhere in it.
    """
    count = mask.GetNumberOfComponentsPerPixel()
    if "vector" in mask.GetPixelIDTypeAsString():
        if parameters.label_channel >= count:
            raise InputError(
                f"The mask holds {count} segmentations, label_channel {parameters.label_channel} counts from 0: "
                f"choose one below {count}."
            )
        mask = sitk.VectorIndexSelectionCast(mask, parameters.label_channel)
    if mask.GetDimension() != 3:
        raise InputError(f"A mask has three dimensions, found {mask.GetDimension()}: convert the mask.")
    if "float" in mask.GetPixelIDTypeAsString():
        mask = sitk.Cast(mask, sitk.sitkUInt32)
    return mask


def bounding_box(labels: NDArray[Any], label: int) -> Box:
    """Return the smallest block that holds all voxels of a label.

    Raises:
        InputError: no voxel has the label.
    """
    limits = _limits(labels, label)
    if limits[0, 0] > limits[0, 1]:
        present = np.unique(labels)
        raise InputError(
            f"The mask has no voxel of label {label}, found labels {present[present != 0].tolist()}: "
            "choose one of them or draw the region."
        )
    return tuple(slice(int(low), int(high) + 1) for low, high in limits)


def _same_grid(
    image: sitk.Image, mask: sitk.Image, parameters: Parameters, normalisation: Normalisation | None
) -> _Pair:
    """Check (or correct) the mask's geometry, normalise and pre-crop."""
    box = bounding_box(array_view(mask), parameters.label)
    difference = geometry_difference(image, mask, parameters.geometry_tolerance)
    labels = array_view(mask)
    if difference and not parameters.correct_mask:
        raise InputError(
            f"Image and mask must lie on one grid, found {difference}: "
            "resample the mask, raise geometryTolerance or set correctMask."
        )
    if difference:
        _check_inside(image, mask, box)
        labels = resample_nearest(labels, Grid.of(mask), Grid.of(image))
    grid = Grid.of(image)
    if parameters.pre_crop:
        return _crop(image, labels, _checked_box(labels, parameters), parameters.pad_distance, normalisation)
    if normalisation is not None:
        image = grid.apply_to(sitk.GetImageFromArray(normalisation(array_view(image))))
    return _Pair(image, labels, grid)


def _crop(
    image: sitk.Image, labels: NDArray[Any], box: Box, padding: int, normalisation: Normalisation | None
) -> _Pair:
    """Crop to the box and ``padding`` voxels around it, as far as the image goes."""
    block = tuple(
        slice(max(part.start - padding, 0), min(part.stop + padding, n))
        for part, n in zip(box, labels.shape, strict=True)
    )
    values = array_view(image)[block]
    values = np.ascontiguousarray(values) if normalisation is None else normalisation(values)
    corner = [float(part.start) for part in reversed(block)]
    grid = Grid(
        values.shape[::-1],
        image.GetSpacing(),
        image.TransformContinuousIndexToPhysicalPoint(corner),
        image.GetDirection(),
    )
    return _Pair(grid.apply_to(sitk.GetImageFromArray(values)), np.ascontiguousarray(labels[block]), grid)


def _resample(
    image: sitk.Image, mask: sitk.Image, parameters: Parameters, normalisation: Normalisation | None
) -> _Pair:
    """Resample to ``resampledPixelSpacing`` on PyRadiomics' grid, or only crop where the image has that spacing."""
    box = bounding_box(array_view(mask), parameters.label)
    _check_inside(image, mask, box)
    spacing = _target_spacing(mask, box, parameters)
    source, labels = Grid.of(image), array_view(mask)
    if np.allclose(image.GetSpacing(), spacing):
        if Grid.of(mask) != source:
            labels = resample_nearest(labels, Grid.of(mask), source)
        return _crop(image, labels, bounding_box(labels, parameters.label), parameters.pad_distance, normalisation)
    target = _target_grid(mask, box, spacing, parameters.pad_distance)
    labels = resample_nearest(labels, Grid.of(mask), target)
    if parameters.interpolator == "sitkBSpline":
        values = resample_bspline(array_view(image), source, target, normalisation or np.array)
        return _Pair(target.apply_to(sitk.GetImageFromArray(values)), labels, target)
    if normalisation is not None:
        image = source.apply_to(sitk.GetImageFromArray(normalisation(array_view(image))))
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(target.size)
    resampler.SetOutputSpacing(target.spacing)
    resampler.SetOutputOrigin(target.origin)
    resampler.SetOutputDirection(target.direction)
    resampler.SetInterpolator(getattr(sitk, str(parameters.interpolator)))
    return _Pair(resampler.Execute(image), labels, target)


def _target_spacing(mask: sitk.Image, box: Box, parameters: Parameters) -> NDArray[np.float64]:
    """Return the new spacing (x, y, z): the mask's own where 0 is asked for or the region is one voxel thick."""
    wanted = np.array(parameters.resampled_pixel_spacing)
    own = np.array(mask.GetSpacing())
    if wanted.size != own.size:
        raise InputError(f"resampledPixelSpacing takes three spacings (x, y, z), found {wanted.tolist()}: give three.")
    thickness = np.array([part.stop - part.start for part in reversed(box)])
    return np.where((wanted == 0) | (thickness == 1), own, wanted)


def _target_grid(mask: sitk.Image, box: Box, spacing: NDArray[np.float64], padding: int) -> Grid:
    """Return PyRadiomics' resampling grid: aligned with the mask's corner, around the region and the padding only.

    Raises:
        InputError: it has more voxels than fit into memory.
    """
    own, size = np.array(mask.GetSpacing()), np.array(mask.GetSize())
    low = np.array([part.start for part in reversed(box)])
    thickness = np.array([part.stop - part.start for part in reversed(box)])
    with np.errstate(over="ignore", invalid="ignore"):  # what a vanishing spacing overflows to is refused below
        ratio = own / spacing
        first = np.floor((low - 0.5) * ratio - padding)
        last = np.ceil((low + thickness - 0.5) * ratio + padding)
        limit = np.ceil(size * ratio) - 1
        first = np.where(first < 0, 0, first)
        last = np.where(last > limit, limit, last)
        _check_voxels(last - first + 1, spacing)
    corner = 0.5 * (spacing - own) / own + first / ratio
    return Grid(
        tuple((last - first + 1).astype(int).tolist()),
        tuple(spacing.tolist()),
        mask.TransformContinuousIndexToPhysicalPoint(corner.tolist()),
        mask.GetDirection(),
    )


def _check_voxels(size: NDArray[np.float64], spacing: NDArray[np.float64]) -> None:
    count = float(np.prod(size))
    if not count <= MOST_VOXELS:
        asked = f"{count:.2g}" if np.isfinite(count) else "endless"
        raise InputError(
            f"The region resampled to voxels of {_words(spacing)} mm may have at most {MOST_VOXELS} voxels, found "
            f"{asked}: choose a coarser resampledPixelSpacing."
        )


def _resegment(pair: _Pair, box: Box, parameters: Parameters) -> tuple[Box, NDArray[Any], NDArray[Any]]:
    """Keep the voxels inside ``resegmentRange``; the shape keeps the old mask inside the new box, as in PyRadiomics."""
    region = pair.labels[box] == parameters.label
    values = array_view(pair.image)[box][region]
    asked = parameters.resegment_range or ()
    limits = _thresholds(values, sorted(asked), parameters.resegment_mode)
    kept = values >= limits[0]
    if len(limits) == 2:
        kept &= values <= limits[1]
    if kept.sum() <= 1:
        raise InputError(
            f"Resegmentation to {list(asked)} ({parameters.resegment_mode}) leaves {kept.sum()} "
            f"of {kept.size} voxels, at least 2 are needed: widen resegmentRange."
        )
    labels = np.zeros_like(pair.labels)
    inner = labels[box]
    inner[region] = np.where(kept, parameters.label, 0)
    box = _checked_box(labels, parameters)
    return box, labels[box], labels[box] if parameters.resegment_shape else pair.labels[box]


def _thresholds(values: NDArray[Any], limits: list[float], mode: str) -> list[Any]:
    """Return the limits as intensities; relative to the largest value, or as deviations from the mean."""
    if mode == "relative":
        return [np.max(values) * limit for limit in limits]
    if mode == "sigma":
        mean, deviation = np.mean(values), np.std(values)
        return [mean + deviation * limit for limit in limits]
    return list(limits)


def _checked_box(labels: NDArray[Any], parameters: Parameters) -> Box:
    """Return the region's bounding box once it has the dimensions and voxels that the settings ask for."""
    box = bounding_box(labels, parameters.label)
    extents = [part.stop - part.start for part in box]
    dimensions = sum(extent > 1 for extent in extents)
    if dimensions < parameters.minimum_roi_dimensions:
        raise InputError(
            f"The region must extend in at least {parameters.minimum_roi_dimensions} dimensions, found "
            f"{extents[2]} x {extents[1]} x {extents[0]} voxels: draw a larger region or lower minimumROIDimensions."
        )
    if parameters.minimum_roi_size is not None:
        count = int(np.count_nonzero(labels[box] == parameters.label))
        if count <= parameters.minimum_roi_size:
            raise InputError(
                f"The region must have more than {parameters.minimum_roi_size} voxels, found {count}: draw a larger "
                "region or lower minimumROISize."
            )
    return box


def _check_finite(values: NDArray[Any]) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        count = int(np.count_nonzero(~np.isfinite(values)))
        raise InputError(
            f"Every voxel of the region needs a finite intensity, found {count} that are NaN or infinite: repair the "
            "image or leave them out of the mask."
        )


def geometry_difference(image: sitk.Image, mask: sitk.Image, tolerance: float | None) -> str:
    """Return in words how the grids differ beyond ITK's tolerance, or an empty text where they agree.

    Args:
        tolerance: In voxels for origin and spacing, absolute for the direction; None takes ITK's default.
    """
    if image.GetSize() != mask.GetSize():
        return f"image size {_words(image.GetSize())} and mask size {_words(mask.GetSize())}"
    allowance = DEFAULT_TOLERANCE if tolerance is None else tolerance
    length = abs(allowance * image.GetSpacing()[0])
    for name, allowed in (("Origin", length), ("Spacing", length), ("Direction", allowance)):
        first, second = getattr(image, f"Get{name}")(), getattr(mask, f"Get{name}")()
        if np.abs(np.subtract(first, second)).max() > allowed:
            return f"image {name.lower()} {_words(first)} and mask {name.lower()} {_words(second)}"
    return ""


def _words(values: Iterable[float]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"


def _check_inside(image: sitk.Image, mask: sitk.Image, box: Box) -> None:
    """Refuse a region that reaches beyond the image."""
    low = np.array([part.start for part in reversed(box)])
    high = np.array([part.stop for part in reversed(box)])
    corners = [mask.TransformContinuousIndexToPhysicalPoint((corner - 0.5).tolist()) for corner in (low, high)]
    bounds = np.array([image.TransformPhysicalPointToContinuousIndex(corner) for corner in corners])
    size = np.array(image.GetSize())
    if (bounds.min(axis=0) < -0.5 - 1e-3).any() or (bounds.max(axis=0) > size - 0.5 + 1e-3).any():
        raise InputError(
            f"The region must lie inside the image of {_words(size)} voxels, found it from "
            f"{_words(bounds.min(axis=0))} to {_words(bounds.max(axis=0))}: use the mask that belongs to the image."
        )


def _whole_number_statistics(array: NDArray[Any]) -> tuple[float, float]:
    """Return mean and sample deviation as ITK computes them; sums of whole numbers are exact in any order."""
    total, squares = (float(value) for value in _sums(array))
    count = float(array.size)
    variance = (squares - (total * total / count)) / max(count - 1, 1.0)
    return total / count, float(np.sqrt(variance))


@numba.njit(cache=True, nogil=True)
def _sums(array):
    total = np.int64(0)
    squares = np.int64(0)
    for k in range(array.shape[0]):
        for j in range(array.shape[1]):
            for i in range(array.shape[2]):
                value = np.int64(array[k, j, i])
                total += value
                squares += value * value
    return total, squares


@numba.njit(cache=True, nogil=True)
def _limits(labels, label):
    """Return the first and last index of a label along each axis, shape (3, 2); first > last where it is missing."""
    limits = np.empty((3, 2), np.int64)
    for axis in range(3):
        limits[axis, 0] = labels.shape[axis]
        limits[axis, 1] = -1
    for k in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            row = labels[k, j]
            first = -1
            last = -1
            for i in range(row.size):
                if row[i] == label:
                    last = i
                    if first < 0:
                        first = i
            if first >= 0:
                limits[0, 0] = min(limits[0, 0], k)
                limits[0, 1] = max(limits[0, 1], k)
                limits[1, 0] = min(limits[1, 0], j)
                limits[1, 1] = max(limits[1, 1], j)
                limits[2, 0] = min(limits[2, 0], first)
                limits[2, 1] = max(limits[2, 1], last)
    return limits
