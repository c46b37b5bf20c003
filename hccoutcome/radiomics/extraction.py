"""Radiomic features of regions: from images, masks and settings to named numbers.

Two engines give the same values: ``fast`` (this package's own, the default) and ``pyradiomics`` (PyRadiomics itself,
where it is installed).
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import metadata
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hccoutcome.errors import InputError, nearest
from hccoutcome.naming import FeatureName
from hccoutcome.progress import Progress, part, silent
from hccoutcome.radiomics import pyradiomics
from hccoutcome.radiomics.binning import bin_image
from hccoutcome.radiomics.classes import (
    TextureSettings,
    compute_first_order,
    compute_shape,
    compute_shape_2d,
    compute_texture,
)
from hccoutcome.radiomics.features import TEXTURE_CLASSES
from hccoutcome.radiomics.imagetypes import filtered_images, image_names
from hccoutcome.radiomics.parameters import Parameters
from hccoutcome.radiomics.preprocess import Normalisation, Prepared, measure_normalisation, prepare_region
from hccoutcome.radiomics.settings import FeatureClass, RadiomicsSettings
from hccoutcome.version import __version__

ENGINES = ("auto", "fast", "pyradiomics")
Features = dict[str, float]


def extract_region(
    image: sitk.Image,
    mask: sitk.Image,
    settings: RadiomicsSettings,
    engine: str = "auto",
    progress: Progress = silent,
    workers: int = 1,
) -> Features:
    """Return the features of one region in one image.

    Args:
        image: Three-dimensional scalar image.
        mask: Label image of the region, on the image's grid unless the settings resample or correct it.
        settings: What to compute and how.
        engine: ``fast``, ``pyradiomics``, or ``auto`` for the fast one.
        progress: Called after each (filtered) image.
        workers: Threads that compute features of different images at once; changes no bit of the result.

    Returns:
        Values by PyRadiomics' names ``<imageType>_<class>_<Feature>``, in PyRadiomics' order. Images that are too small
        for a LoG filter are missing, as in PyRadiomics.

    Raises:
        InputError: the region or the image is not what the settings ask for.
        EnvironmentNeeded: PyRadiomics is asked for and missing.
    """
    normalisation = measure_normalisation(image, settings.parameters)
    return _extract(image, mask, settings, chosen_engine(engine), normalisation, progress, workers)


def extract(
    images: Mapping[str, sitk.Image],
    masks: Mapping[str, Mapping[str, sitk.Image]],
    settings: RadiomicsSettings,
    engine: str = "auto",
    progress: Progress = silent,
    workers: int = 1,
) -> Features:
    """Return the features of several regions in several phases.

    Args:
        images: Image by phase.
        masks: Mask by region and phase; each pair that is given is computed.
        settings: What to compute and how, the same for all.
        engine: See :func:`extract_region`.
        progress: Called after each (filtered) image of each region.
        workers: See :func:`extract_region`.

    Returns:
        Values by the names of ``hccoutcome.naming``, e.g. ``arterial_tumor_original_firstorder_Mean``.

    Raises:
        InputError: a mask belongs to a phase without image, or as in :func:`extract_region`.
    """
    engine = chosen_engine(engine)
    pairs = [(phase, region) for phase in images for region in masks if phase in masks[region]]
    for region, by_phase in masks.items():
        for phase in by_phase:
            if phase not in images:
                raise InputError(f"The mask '{region}' belongs to phase '{phase}', which has no image: add the image.")
    features: Features = {}
    normalisations = {phase: measure_normalisation(images[phase], settings.parameters) for phase, _ in pairs}
    for step, (phase, region) in enumerate(pairs):
        found = _extract(
            images[phase],
            masks[region][phase],
            settings,
            engine,
            normalisations[phase],
            part(progress, step / len(pairs), (step + 1) / len(pairs)),
            workers,
        )
        features.update({str(FeatureName(phase, region, name)): value for name, value in found.items()})
    return features


def chosen_engine(engine: str) -> str:
    """Return the engine that a choice stands for.

    Raises:
        InputError: there is no such engine.
    """
    if engine not in ENGINES:
        raise InputError(f"There is no radiomics engine '{engine}': {nearest(engine, ENGINES)}.")
    return "fast" if engine == "auto" else engine


def provenance(settings: RadiomicsSettings, engine: str = "auto") -> dict[str, Any]:
    """Return what determined the values: engine, versions, settings and their hash. Plain data for JSON."""
    engine = chosen_engine(engine)
    packages = [
        "numpy",
        "scipy",
        "SimpleITK",
        "PyWavelets",
        *(["pyradiomics"] if engine == "pyradiomics" else ["numba"]),
    ]
    return {
        "engine": engine,
        "hccoutcome": __version__,
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in packages},
        "settings": settings.to_dict(),
        "settings_sha256": settings.sha256(),
    }


def _extract(
    image: sitk.Image,
    mask: sitk.Image,
    settings: RadiomicsSettings,
    engine: str,
    normalisation: Normalisation | None,
    progress: Progress,
    workers: int,
) -> Features:
    prepared = prepare_region(image, mask, settings.parameters, normalisation)
    if engine == "pyradiomics":
        return pyradiomics.extract_region(image, mask, settings, progress)
    features = _shape_features(prepared, settings)
    features.update(_image_features(prepared, settings, progress, workers))
    return features


def _image_features(prepared: Prepared, settings: RadiomicsSettings, progress: Progress, workers: int) -> Features:
    """Compute the features of all images: this thread filters, and computes too when all other workers are busy.

    No more images than workers lie in memory at a time, and the order of the results is that of the images.
    """
    total = max(len(image_names(settings)), 1)
    tasks: list[Future[Features]] = []
    with ThreadPoolExecutor(max(workers - 1, 1)) as pool:
        try:
            for name, values, parameters in _images(prepared, settings):
                task = (name, values, prepared, settings.classes, parameters)
                if sum(not future.done() for future in tasks) < workers - 1:
                    tasks.append(pool.submit(_features_of, *task))
                else:
                    tasks.append(Future())
                    tasks[-1].set_result(_features_of(*task))
                progress(min(sum(future.done() for future in tasks) / total, 1.0), f"Computes features of {name}")
            return {feature: value for future in tasks for feature, value in future.result().items()}
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _images(prepared: Prepared, settings: RadiomicsSettings) -> Iterator[tuple[str, NDArray[np.generic], Parameters]]:
    for image_type in settings.image_types:
        parameters = settings.parameters_for(image_type)
        for name, values in filtered_images(prepared, image_type.name, parameters):
            yield name, values, parameters


def _features_of(
    name: str,
    values: NDArray[np.generic],
    prepared: Prepared,
    classes: tuple[FeatureClass, ...],
    parameters: Parameters,
) -> Features:
    """Compute the first-order and texture features of one image."""
    region = prepared.labels == parameters.label
    wanted = [group for group in classes if not group.name.startswith("shape")]
    if not wanted:
        return {}
    levels = bin_image(values, region, parameters.bin_width, parameters.bin_count)
    textures = [group.name for group in wanted if group.name in TEXTURE_CLASSES]
    _check_neighbours(region.shape, textures, parameters)
    found = compute_texture(levels, textures, texture_settings(prepared, parameters)) if textures else {}
    if any(group.name == "firstorder" for group in wanted):
        volume = float(np.prod(prepared.image.GetSpacing()))
        found["firstorder"] = compute_first_order(values[region], levels[region], volume, parameters.voxel_array_shift)
    return {
        f"{name}_{group.name}_{feature}": found[group.name][feature]
        for group in wanted
        for feature in group.features
        if feature in found[group.name]
    }


def _check_neighbours(shape: tuple[int, ...], textures: list[str], parameters: Parameters) -> None:
    """Refuse a region in which no voxel can have a neighbour at any of the distances."""
    flat = parameters.force_2d_dimension if parameters.force_2d else -1
    longest = max(extent for axis, extent in enumerate(shape) if axis != flat)
    nearest_distance = min(parameters.distances) if {"glcm", "gldm", "ngtdm"} & set(textures) else 1
    if textures and longest <= nearest_distance:
        raise InputError(
            f"Texture needs neighbours {nearest_distance} voxel(s) apart, found a region that extends over {longest} "
            "voxel(s) in the directions in use: draw a larger region, lower distances or switch force2D off."
        )


def texture_settings(prepared: Prepared, parameters: Parameters) -> TextureSettings:
    """Return what changes textures, from a parameter file's values and the spacing of the prepared region."""
    return TextureSettings(
        spacing_zyx=prepared.spacing_zyx,
        distances=parameters.distances,
        weighting_norm=parameters.weighting_norm,
        symmetrical_glcm=parameters.symmetrical_glcm,
        gldm_a=parameters.gldm_a,
        force_2d=parameters.force_2d,
        force_2d_dimension=parameters.force_2d_dimension,
    )


def _shape_features(prepared: Prepared, settings: RadiomicsSettings) -> Features:
    """Compute shape (3D) and, for a region of one slice with ``force2D``, shape2D features."""
    features: Features = {}
    region = prepared.shape_labels == settings.parameters.label
    classes = {group.name: group for group in settings.classes}
    if "shape" in classes:
        features.update(_named(classes["shape"], compute_shape(region, prepared.spacing_zyx)))
    if "shape2D" in classes and _asks_for_shape_2d(region, settings.parameters):
        axis = settings.parameters.force_2d_dimension
        if region.shape[axis] > 1:
            raise InputError(
                f"shape2D describes one slice, found {region.shape[axis]} along axis {axis} of (z, y, x): "
                "choose a mask of one slice or leave shape2D out."
            )
        spacing = tuple(np.delete(prepared.spacing_zyx, axis).tolist())
        features.update(_named(classes["shape2D"], compute_shape_2d(np.squeeze(region, axis), spacing)))
    return features


def _asks_for_shape_2d(region: NDArray[np.bool_], parameters: Parameters) -> bool:
    """Tell whether PyRadiomics would compute shape2D: it looks up the slice axis in the order x, y, z, not z, y, x."""
    return parameters.force_2d and region.shape[::-1][parameters.force_2d_dimension] > 1


def _named(group: FeatureClass, found: Mapping[str, float]) -> Features:
    return {f"original_{group.name}_{feature}": found[feature] for feature in group.features if feature in found}
