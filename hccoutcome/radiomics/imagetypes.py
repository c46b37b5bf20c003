"""The image types of PyRadiomics: the original image and its filtered versions, cropped to the region.

Each yields PyRadiomics' name of the image and its values inside the region's bounding box, in the type that the
features need (single precision for LoG and gradient, which is what ITK gives). The filters see the whole image that
preprocessing left, as in PyRadiomics; where a filter reaches only a few voxels, only those are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hccoutcome.errors import InputError
from hccoutcome.radiomics.binarypatterns import local_binary_pattern, spherical_patterns
from hccoutcome.radiomics.grid import array_view
from hccoutcome.radiomics.laplacian import laplacian_of_gaussian
from hccoutcome.radiomics.parameters import Parameters
from hccoutcome.radiomics.preprocess import Box, Prepared
from hccoutcome.radiomics.settings import RadiomicsSettings
from hccoutcome.radiomics.wavelets import wavelet_bands

Named = Iterator[tuple[str, NDArray[Any]]]


def filtered_images(prepared: Prepared, image_type: str, parameters: Parameters) -> Named:
    """Yield the name and the values, shape of the bounding box (z, y, x), of each image of one type.

    Args:
        prepared: The region from ``prepare_region``.
        image_type: PyRadiomics' name of the type, e.g. ``LoG``.
        parameters: The values in force for this type.

    Raises:
        InputError: the filter has no finite value somewhere in the region, e.g. the square of an image of zeros.
    """
    region = prepared.labels == parameters.label
    for name, values in _FILTERS[image_type](prepared, parameters):
        inside = values[region]
        if inside.dtype.kind == "f" and not np.isfinite(inside).all():
            count = int(np.count_nonzero(~np.isfinite(inside)))
            raise InputError(
                f"The image type {name} must be defined in the whole region, found {count} voxels without a finite "
                "value (the image is constant there): leave this image type out."
            )
        yield name, values


def image_names(settings: RadiomicsSettings) -> list[str]:
    """Return the names of all images that the settings ask for, in PyRadiomics' order.

    A LoG image is missing from the result of an extraction where the image is too small for its sigma.
    """
    names: list[str] = []
    for image_type in settings.image_types:
        parameters = settings.parameters_for(image_type)
        names += _NAMES.get(image_type.name, lambda _, plain=image_type.name: [plain.lower()])(parameters)
    return names


def _original(prepared: Prepared, parameters: Parameters) -> Named:
    yield "original", prepared.values()[prepared.box]


def _wavelet(prepared: Prepared, parameters: Parameters) -> Named:
    bands = wavelet_bands(
        prepared.values(),
        prepared.box,
        parameters.wavelet,
        _wavelet_axes(parameters),
        parameters.level,
        parameters.start_level,
    )
    for level, band, values in bands:
        yield _wavelet_name(level, band), values


def _wavelet_axes(parameters: Parameters) -> list[int]:
    return [axis for axis in (2, 1, 0) if not (parameters.force_2d and axis == parameters.force_2d_dimension)]


def _wavelet_name(level: int, band: str) -> str:
    return f"wavelet{level if level > 1 else ''}-{band}"


def _wavelet_names(parameters: Parameters) -> list[str]:
    bands = [""]
    for _ in _wavelet_axes(parameters):
        bands = [band + letter for band in bands for letter in "LH"]
    names = [_wavelet_name(level, band) for level in range(1, parameters.level + 1) for band in bands[1:]]
    return [*names, _wavelet_name(parameters.level, bands[0])]


def _laplacian(prepared: Prepared, parameters: Parameters) -> Named:
    """Laplacian of Gaussian with ITK's recursive filter, normalised across scales; sigma in mm."""
    shape, spacing = np.array(prepared.values().shape), np.array(prepared.spacing_zyx)
    if shape.min() < 4:  # the recursive filter needs four voxels
        return
    for sigma in parameters.sigma:
        if (shape >= np.ceil(sigma / spacing) + 1).all():
            values = laplacian_of_gaussian(prepared.values(), prepared.box, float(sigma), prepared.spacing_zyx)
            yield _laplacian_name(sigma), values


def _laplacian_name(sigma: float) -> str:
    return f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D"


def _inside(image: sitk.Image, box: Box) -> NDArray[Any]:
    return np.array(array_view(image)[box])


def _gradient(prepared: Prepared, parameters: Parameters) -> Named:
    """Gradient magnitude by central differences, per mm where ``gradientUseSpacing``; it reaches one voxel."""
    values = prepared.values()
    block = tuple(
        slice(max(part.start - 1, 0), min(part.stop + 1, n)) for part, n in zip(prepared.box, values.shape, strict=True)
    )
    image = sitk.GetImageFromArray(np.ascontiguousarray(values[block]))
    image.SetSpacing(prepared.image.GetSpacing())
    image.SetDirection(prepared.image.GetDirection())
    gradient = sitk.GradientMagnitudeImageFilter()
    gradient.SetNumberOfThreads(1)
    gradient.SetUseImageSpacing(parameters.gradient_use_spacing)
    inner = tuple(
        slice(part.start - wide.start, part.stop - wide.start) for part, wide in zip(prepared.box, block, strict=True)
    )
    yield "gradient", _inside(gradient.Execute(image), inner)


def _extremes(prepared: Prepared) -> NDArray[np.float64]:
    """Return the smallest and largest value of the whole image; the point filters keep its range."""
    values = prepared.values()
    return np.array([values.min(), values.max()], np.float64)


def _square(prepared: Prepared, parameters: Parameters) -> Named:
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = 1 / np.sqrt(np.max(np.abs(_extremes(prepared))))
        yield "square", (factor * prepared.values()[prepared.box].astype(np.float64)) ** 2


def _square_root(prepared: Prepared, parameters: Parameters) -> Named:
    values = prepared.values()[prepared.box].astype(np.float64)
    largest = np.max(np.abs(_extremes(prepared)))
    yield "squareroot", np.where(values < 0, -1.0, 1.0) * np.sqrt(np.abs(values) * largest)


def _logarithm(prepared: Prepared, parameters: Parameters) -> Named:
    extremes = _extremes(prepared)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.max(np.abs(extremes)) / np.max(np.abs(_signed_log(extremes)))
        yield "logarithm", _signed_log(prepared.values()[prepared.box].astype(np.float64)) * factor


def _signed_log(values: NDArray[np.float64]) -> NDArray[np.float64]:
    result = values.copy()
    result[values > 0] = np.log(values[values > 0] + 1)
    result[values < 0] = -np.log(-(values[values < 0] - 1))
    return result


def _exponential(prepared: Prepared, parameters: Parameters) -> Named:
    largest = np.max(np.abs(_extremes(prepared)))
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.log(largest) / largest
        yield "exponential", np.exp(factor * prepared.values()[prepared.box].astype(np.float64))


def _planar_patterns(prepared: Prepared, parameters: Parameters) -> Named:
    """Local binary patterns slice by slice along ``force2Ddimension``, in the image's own type as in PyRadiomics."""
    values = prepared.values()
    axis = parameters.force_2d_dimension
    slices = values.swapaxes(0, axis)
    parts = list(prepared.box)
    parts[0], parts[axis] = parts[axis], parts[0]
    patterns = [
        local_binary_pattern(
            slices[index],
            parts[1],
            parts[2],
            parameters.lbp_2d_samples,
            parameters.lbp_2d_radius,
            parameters.lbp_2d_method,
        )
        for index in range(parts[0].start, parts[0].stop)
    ]
    result = np.stack(patterns).swapaxes(0, axis)
    yield "lbp-2D", result.astype(values.dtype) if np.isfinite(result).all() else result


def _spherical_patterns(prepared: Prepared, parameters: Parameters) -> Named:
    inside = np.nonzero(prepared.labels == parameters.label)
    voxels = tuple(index + part.start for index, part in zip(inside, prepared.box, strict=True))
    energies, kurtosis = spherical_patterns(
        prepared.values(),
        voxels,
        parameters.lbp_3d_levels,
        parameters.lbp_3d_icosphere_radius,
        parameters.lbp_3d_icosphere_subdivision,
    )
    for name, values in zip(_spherical_names(parameters), (*energies.T, kurtosis), strict=True):
        image = np.zeros(prepared.labels.shape)
        image[inside] = values
        yield name, image


def _spherical_names(parameters: Parameters) -> list[str]:
    return [f"lbp-3D-m{level}" for level in range(1, parameters.lbp_3d_levels + 1)] + ["lbp-3D-k"]


_FILTERS = {
    "Original": _original,
    "LoG": _laplacian,
    "Wavelet": _wavelet,
    "Square": _square,
    "SquareRoot": _square_root,
    "Logarithm": _logarithm,
    "Exponential": _exponential,
    "Gradient": _gradient,
    "LBP2D": _planar_patterns,
    "LBP3D": _spherical_patterns,
}
_NAMES = {
    "LoG": lambda parameters: [_laplacian_name(sigma) for sigma in parameters.sigma],
    "Wavelet": _wavelet_names,
    "LBP2D": lambda _: ["lbp-2D"],
    "LBP3D": _spherical_names,
}
