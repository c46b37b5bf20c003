"""Prepare the images of a case: bias field, voxel size, registration, grey levels; and bring every mask along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.imaging.bias import correct_bias
from hccoutcome.imaging.geometry import Geometry, describe_difference, on_grid, same_geometry, same_lattice
from hccoutcome.imaging.normalise import minmax, window, zscore
from hccoutcome.imaging.optimise import RegistrationSettings, covered
from hccoutcome.imaging.preparation import Preparation
from hccoutcome.imaging.register import Registration, doubt, register
from hccoutcome.imaging.resample import grid_with_spacing, resample_image, resample_mask
from hccoutcome.progress import Progress, part, silent

__all__ = ["Preparation", "Prepared", "prepare"]

REGION_MARGIN = 20.0
"""mm around the registration region that still count: a breath-hold moves the liver about that far."""
LEAST_COVERAGE = 0.95
"""Part of a region that every registered phase must show; features of less would be those of another region."""

Images = Mapping[str, sitk.Image]
Masks = Mapping[str, Sequence[sitk.Image]]


@dataclass(frozen=True)
class Prepared:
    """Images ready to be measured.

    Attributes:
        images: by phase.
        masks: by region and phase, exactly on that phase's grid; a phase on whose grid a region was not outlined (and
            to which nothing was registered) is left out.
        registrations: by registered phase.
        notes: sentences on what a reader of the results should know.
    """

    images: Images
    masks: Mapping[str, Images]
    registrations: Mapping[str, Registration] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def prepare(
    images: Images,
    masks: Masks,
    preparation: Preparation | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Prepared:
    """Prepare images and masks as a model package states.

    Args:
        images: by canonical phase.
        masks: by canonical region, one for each grid on which the region was outlined (``Case.masks``).
        preparation: the steps; none where None.
        seed: seed of the registrations.
        progress: told the fraction done; may stop the work.

    Raises:
        InputError: an image or mask does not allow a step; the message names the phase or region.
        Cancelled: the progress callback asked to stop.
    """
    preparation = preparation or Preparation()
    if not images:
        raise InputError("Images to prepare were expected, found none: add the images of the phases.")
    _check_reference(images, preparation)
    share = 0.4 if preparation.registration != "none" else 0.8
    corrected = _without_bias(images, preparation, part(progress, 0.0, share))
    if preparation.registration == "none":
        prepared = _on_own_grids(corrected, masks, preparation)
    else:
        prepared = _on_common_grid(corrected, masks, preparation, seed, part(progress, share, 0.9))
    normal = {}
    for phase, image in prepared.images.items():
        with _about(f"{phase} image"):
            normal[phase] = _normalised(image, preparation)
    progress(1.0, "Prepared the images")
    return Prepared(normal, prepared.masks, prepared.registrations, prepared.notes)


def _check_reference(images: Images, preparation: Preparation) -> None:
    if preparation.registration != "none" and preparation.reference_phase not in images:
        raise InputError(
            f"The phases are registered to the {preparation.reference_phase} phase, found only {', '.join(images)}: "
            f"add the {preparation.reference_phase} image."
        )


def _without_bias(images: Images, preparation: Preparation, progress: Progress) -> dict[str, sitk.Image]:
    if not preparation.bias_correction:
        return dict(images)
    corrected = {}
    for number, (phase, image) in enumerate(images.items()):
        step = part(progress, number / len(images), (number + 1) / len(images))
        with _about(f"{phase} image"):
            corrected[phase] = correct_bias(image, progress=step)
    return corrected


@contextmanager
def _about(subject: str) -> Iterator[None]:
    """Name what is worked on, where it is refused."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{subject}: {error}") from None


def _normalised(image: sitk.Image, preparation: Preparation) -> sitk.Image:
    if preparation.normalisation == "zscore":
        return zscore(image, preparation.scale, preparation.outliers)
    if preparation.normalisation == "minmax":
        return minmax(image, *(preparation.output_range or (0.0, 255.0)))
    if preparation.normalisation == "window" and preparation.window is not None:
        return window(image, *preparation.window, output=preparation.output_range)
    return image


def _own_mask(masks: Sequence[sitk.Image], image: sitk.Image) -> sitk.Image | None:
    """Return the mask that was outlined on an image's grid, exactly on it; None where there is none."""
    for mask in sorted(masks, key=lambda mask: not same_geometry(mask, image)):
        if same_lattice(mask, image):
            return on_grid(mask, image)
    return None


def _drawn_when_prepared(masks: Sequence[sitk.Image], images: Images, prepared: sitk.Image) -> sitk.Image | None:
    """Return the mask drawn on prepared voxels and on those of no image, as habitats are; None where there is none.

    It is taken as it is: by way of the image's own voxels its border would move.
    """
    strangers = [mask for mask in masks if not any(same_lattice(mask, image) for image in images.values())]
    return _own_mask(strangers, prepared)


def _filled(mask: sitk.Image, region: str) -> sitk.Image:
    if not sitk.GetArrayViewFromImage(mask).any():
        size = " x ".join(f"{width:g}" for width in mask.GetSpacing())
        raise InputError(
            f"The region '{region}' was expected to fill at least one voxel of {size} mm, found none: "
            "outline it again or choose a finer spacing."
        )
    return mask


def _on_own_grids(images: Images, masks: Masks, preparation: Preparation) -> Prepared:
    """Resample each image by itself; each region stays with the images on whose grid it was outlined."""
    fitting, notes = _fitting(images, masks)
    if preparation.spacing is None:
        return Prepared(dict(images), fitting, {}, notes)
    grids = {phase: grid_with_spacing(image, preparation.spacing) for phase, image in images.items()}
    resampled = {
        phase: resample_image(image, grids[phase], preparation.interpolation) for phase, image in images.items()
    }
    carried = {
        region: {
            phase: _resampled(mask, masks[region], images, resampled[phase], region) for phase, mask in found.items()
        }
        for region, found in fitting.items()
    }
    return Prepared(resampled, carried, {}, notes)


def _resampled(
    mask: sitk.Image, outlined: Sequence[sitk.Image], images: Images, prepared: sitk.Image, region: str
) -> sitk.Image:
    """Return a region on the voxels of a prepared image: as drawn there, or else resampled from its own image."""
    drawn = _drawn_when_prepared(outlined, images, prepared)
    return _filled(resample_mask(mask, Geometry.from_image(prepared)) if drawn is None else drawn, region)


def _fitting(images: Images, masks: Masks) -> tuple[dict[str, dict[str, sitk.Image]], tuple[str, ...]]:
    """Return by region and phase the mask outlined on that phase's grid, and a note for each that has none."""
    fitting = {
        region: {phase: own for phase, image in images.items() if (own := _own_mask(outlined, image)) is not None}
        for region, outlined in masks.items()
    }
    for region, found in fitting.items():
        if not found:
            phase, image = next(iter(images.items()))
            raise _misplaced(region, masks[region], phase, image)
    notes = [
        f"{region} was not outlined on the grid of the {phase} image, so nothing is measured there."
        for region, found in fitting.items()
        for phase in images
        if phase not in found
    ]
    return fitting, tuple(notes)


def _misplaced(region: str, outlined: Sequence[sitk.Image], phase: str, image: sitk.Image) -> InputError:
    found = f"{describe_difference(outlined[0], image)} (mask against image)" if outlined else "no mask"
    return InputError(
        f"The mask of '{region}' was expected on the grid of the {phase} image, found {found}: "
        "outline it on that image, or resample the mask onto it."
    )


def _on_common_grid(images: Images, masks: Masks, preparation: Preparation, seed: int, progress: Progress) -> Prepared:
    """Bring every image onto the reference's grid by registration, and every region with it."""
    name = str(preparation.reference_phase)
    own = images[name]
    if preparation.spacing is None:
        grid, reference = Geometry.from_image(own), sitk.Cast(own, sitk.sitkFloat32)
    else:
        grid = grid_with_spacing(own, preparation.spacing)
        reference = resample_image(own, grid, preparation.interpolation)
    within = _around(masks, preparation, own, reference)
    settings = RegistrationSettings(kind=preparation.registration)  # type: ignore[arg-type]
    registrations: dict[str, Registration] = {}
    others = [phase for phase in images if phase != name]
    for number, phase in enumerate(others):
        step = part(progress, number / len(others), (number + 1) / len(others))
        with _about(f"{phase} image against {name} image"):
            registrations[phase] = register(images[phase], reference, settings, within, seed, step)
    moved = {phase: _moved(images[phase], found, grid, preparation) for phase, found in registrations.items()}
    ready = {phase: reference if phase == name else moved[phase] for phase in images}
    carried = {region: _carried(region, masks[region], images, name, reference, registrations) for region in masks}
    notes = [_registered(phase, name, found) for phase, found in registrations.items()]
    for region, mask in carried.items():
        notes += _check_coverage(region, mask, images, registrations)
    return Prepared(
        ready, {region: dict.fromkeys(images, mask) for region, mask in carried.items()}, registrations, tuple(notes)
    )


def _around(masks: Masks, preparation: Preparation, own: sitk.Image, reference: sitk.Image) -> sitk.Image | None:
    """Return the region in which the phases are to match, with its margin, on the common grid."""
    region = preparation.registration_region
    if region is None:
        return None
    mask = _own_mask(masks.get(region, ()), own)
    if mask is None:
        raise InputError(
            f"The registration is to match around '{region}', found no mask of it on the grid of the "
            f"{preparation.reference_phase} image: outline it there, or leave 'registration_region' out."
        )
    distance = sitk.SignedMaurerDistanceMap(mask, squaredDistance=False, useImageSpacing=True)
    near = sitk.Cast(distance <= REGION_MARGIN, sitk.sitkUInt8)
    return resample_mask(near, Geometry.from_image(reference))


def _moved(image: sitk.Image, found: Registration, grid: Geometry, preparation: Preparation) -> sitk.Image:
    if preparation.interpolation == "bspline":
        return found.image
    return resample_image(image, grid, preparation.interpolation, found.transform)


def _carried(
    region: str,
    outlined: Sequence[sitk.Image],
    images: Images,
    reference: str,
    prepared: sitk.Image,
    registrations: Mapping[str, Registration],
) -> sitk.Image:
    """Return a region on the common grid, that of the prepared reference.

    As drawn there, or as outlined on the reference, or else on another phase and moved with it.
    """
    drawn = _drawn_when_prepared(outlined, images, prepared)
    if drawn is not None:
        return _filled(drawn, region)
    grid = Geometry.from_image(prepared)
    for phase in sorted(images, key=lambda phase: phase != reference):
        mask = _own_mask(outlined, images[phase])
        if mask is not None:
            transform = None if phase == reference else registrations[phase].transform
            return _filled(resample_mask(mask, grid, transform), region)
    raise _misplaced(region, outlined, reference, images[reference])


def _registered(phase: str, reference: str, found: Registration) -> str:
    text = (
        f"{phase} against {reference}: mutual information {found.before:.3f} before and {found.after:.3f} after "
        "registration."
    )
    return f"{text} {doubt(found)}".strip()


def _check_coverage(
    region: str, mask: sitk.Image, images: Images, registrations: Mapping[str, Registration]
) -> list[str]:
    """Return a note for each registered phase that does not show all of a region; refuse where it misses too much."""
    notes = []
    inside = sitk.GetArrayViewFromImage(mask) != 0
    for phase, found in registrations.items():
        seen = float(np.mean(covered(images[phase], mask, found.transform)[inside]))
        if seen < LEAST_COVERAGE:
            raise InputError(
                f"At least {100 * LEAST_COVERAGE:.0f} % of '{region}' should lie inside the {phase} image, found "
                f"{100 * seen:.0f} %: give a series that shows all of it, or leave that phase out."
            )
        if seen < 1:
            notes.append(f"{100 * (1 - seen):.1f} % of {region} lies outside the {phase} image.")
    return notes
