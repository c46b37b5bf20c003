"""Feature maps of regions: from images, masks and settings to images of named features.

The way to the voxels is that of the features of a whole region (``extraction``): the same normalisation, resampling,
checks, resegmentation and filters. Only then does each voxel get the features of the box of voxels around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hccoutcome.errors import InputError, nearest
from hccoutcome.naming import FeatureName
from hccoutcome.progress import Progress, part, silent
from hccoutcome.radiomics.extraction import texture_settings
from hccoutcome.radiomics.features import FEATURES, RETIRED
from hccoutcome.radiomics.imagetypes import filtered_images, image_names
from hccoutcome.radiomics.parameters import Parameters
from hccoutcome.radiomics.preprocess import Prepared, measure_normalisation, prepare_region
from hccoutcome.radiomics.settings import FeatureClass, RadiomicsSettings, default_features
from hccoutcome.radiomics.voxelmaps import MAP_CLASSES, MapSettings, compute_voxel_maps


@dataclass(frozen=True)
class FeatureMap:
    """One feature as an image.

    Attributes:
        name: By the rule of ``hccoutcome.naming``, e.g. ``portal_tumor_original_glcm_Contrast``.
        image: float64, on the grid of the (resampled) image, cut to the region and the radius around it. NaN outside
            the region, or ``initValue`` where the settings give one other than 0, PyRadiomics' default.
        values: The values at the voxels of the region, shape (n,); NaN where the feature is not defined.
        computed_on: ``cpu`` or ``cuda``.
    """

    name: FeatureName
    image: sitk.Image
    values: NDArray[np.float64]
    computed_on: str = "cpu"


def wanted_features(names: Sequence[str]) -> tuple[FeatureClass, ...]:
    """Return the classes and features that ``CLASS_Feature`` names, or the name of a class alone, stand for.

    Raises:
        InputError: a class or feature that has no maps, with the nearest that has.
    """
    found: dict[str, dict[str, None]] = {}
    for text in names:
        name, _, feature = text.partition("_")
        if name not in MAP_CLASSES:
            raise InputError(f"There are no maps of the class '{name}' in '{text}': {nearest(name, MAP_CLASSES)}.")
        found.setdefault(name, {}).update(
            dict.fromkeys([_feature(name, feature)] if feature else default_features(name))
        )
    return tuple(FeatureClass(name, tuple(features)) for name, features in found.items())


def _feature(name: str, feature: str) -> str:
    if feature in RETIRED.get(name, {}):
        raise InputError(
            f"PyRadiomics gives no value for the retired feature '{name}_{feature}' ({RETIRED[name][feature]}): "
            "ask for that one instead."
        )
    if feature not in FEATURES[name]:
        raise InputError(f"The class '{name}' has no feature '{feature}': {nearest(feature, FEATURES[name])}.")
    return feature


def check_settings(settings: RadiomicsSettings) -> None:
    """Refuse settings that give no map, before anything is read.

    Raises:
        InputError: no feature that can be mapped, or a radius that is too large.
    """
    _mapped(settings)
    MapSettings(radius=settings.parameters.kernel_radius)


def feature_maps(
    images: Mapping[str, sitk.Image],
    masks: Mapping[str, Mapping[str, sitk.Image]],
    settings: RadiomicsSettings,
    threads: int = 1,
    progress: Progress = silent,
    device: str = "cpu",
) -> Iterator[FeatureMap]:
    """Yield the maps of several regions in several phases, one image type of a region at a time.

    Args:
        images: Image by phase.
        masks: Mask by region and phase; each pair that is given is mapped.
        settings: What to map and how; of its classes only those with maps. The kernel is that of ``voxelSetting``.
        threads: Threads that share the voxels; they change no bit of the result.
        progress: Called between pieces of work; may raise ``Cancelled``.
        device: ``cpu``, ``cuda`` or ``auto``, see :func:`hccoutcome.radiomics.voxelmaps.compute_voxel_maps`.

    Raises:
        InputError: a mask without an image, nothing to map, or a region, image or kernel that the settings refuse.
    """
    pairs = [(phase, region) for region, by_phase in masks.items() for phase in by_phase]
    steps = [part(progress, k / len(pairs), (k + 1) / len(pairs)) for k in range(len(pairs))]
    for (phase, region), step in zip(pairs, steps, strict=True):
        if phase not in images:
            raise InputError(f"The mask '{region}' belongs to phase '{phase}', which has no image: add the image.")
        for found in region_maps(images[phase], masks[region][phase], settings, threads, step, device):
            yield replace(found, name=FeatureName(phase, region, found.name.radiomic))


def region_maps(
    image: sitk.Image,
    mask: sitk.Image,
    settings: RadiomicsSettings,
    threads: int = 1,
    progress: Progress = silent,
    device: str = "cpu",
) -> Iterator[FeatureMap]:
    """Yield each map of one region in one image, its name without phase and region.

    Args and errors as in :func:`feature_maps`.
    """
    wanted = _mapped(settings)
    prepared = prepare_region(image, mask, settings.parameters, measure_normalisation(image, settings.parameters))
    prepared = _grown(prepared, settings.parameters.kernel_radius)
    total = max(len(image_names(settings)), 1)
    done = 0
    for image_type in settings.image_types:
        parameters = settings.parameters_for(image_type)
        region = prepared.labels == parameters.label
        for kind, values in filtered_images(prepared, image_type.name, parameters):
            maps = compute_voxel_maps(
                _checked(values, kind, parameters),
                region,
                wanted,
                _map_settings(prepared, parameters),
                threads,
                part(progress, min(done / total, 1.0), min((done + 1) / total, 1.0)),
                device,
            )
            done += 1
            for name in list(maps.values):
                picture = sitk.GetImageFromArray(maps.array(name, _elsewhere(parameters)))
                _place(picture, prepared)
                where = "cuda" if name.split("_")[0] in maps.on_device else "cpu"
                yield FeatureMap(FeatureName("", "", f"{kind}_{name}"), picture, maps.values.pop(name), where)


def _mapped(settings: RadiomicsSettings) -> dict[str, tuple[str, ...]]:
    """Return the features by class that can be mapped: no shape, and no retired feature."""
    wanted = {
        group.name: tuple(feature for feature in group.features if feature in FEATURES[group.name])
        for group in settings.classes
        if group.name in MAP_CLASSES
    }
    if not any(wanted.values()):
        raise InputError(
            f"Maps need features of the classes {', '.join(MAP_CLASSES)}, found "
            f"{', '.join(group.name for group in settings.classes) or 'none'}: name one of them."
        )
    return {name: features for name, features in wanted.items() if features}


def _grown(prepared: Prepared, radius: int) -> Prepared:
    """Return the region with a box that shows the kernel of each of its voxels, as far as the image goes."""
    size = prepared.values().shape
    z, y, x = (
        slice(max(side.start - radius, 0), min(side.stop + radius, n))
        for side, n in zip(prepared.box, size, strict=True)
    )
    box = (z, y, x)
    margins = [(old.start - new.start, new.stop - old.stop) for old, new in zip(prepared.box, box, strict=True)]
    labels = np.pad(prepared.labels, margins)
    return replace(prepared, box=box, labels=labels, shape_labels=labels)


def _checked(values: NDArray[np.generic], kind: str, parameters: Parameters) -> NDArray[np.generic]:
    """Return the values in a type whose bin edges cannot overflow; all that an unmasked kernel sees must be finite."""
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    if not parameters.masked_kernel and not np.isfinite(values).all():
        count = int(np.count_nonzero(~np.isfinite(values)))
        raise InputError(
            f"An unmasked kernel needs finite values around the region too, found {count} voxels of the image {kind} "
            "without: use the masked kernel."
        )
    return values


def _map_settings(prepared: Prepared, parameters: Parameters) -> MapSettings:
    return MapSettings(
        radius=parameters.kernel_radius,
        masked=parameters.masked_kernel,
        bin_width=parameters.bin_width,
        bin_count=parameters.bin_count,
        voxel_array_shift=parameters.voxel_array_shift,
        texture=texture_settings(prepared, parameters),
    )


def _elsewhere(parameters: Parameters) -> float:
    return float(parameters.init_value) if parameters.init_value != 0 else float("nan")


def _place(picture: sitk.Image, prepared: Prepared) -> None:
    """Give a map the position of the box in the image."""
    image, corner = prepared.image, [side.start for side in reversed(prepared.box)]
    picture.SetSpacing(image.GetSpacing())
    picture.SetDirection(image.GetDirection())
    picture.SetOrigin(image.TransformIndexToPhysicalPoint(corner))
