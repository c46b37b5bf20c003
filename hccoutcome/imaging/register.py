"""Register one phase to another by mutual information: rigid, or rigid and then deformable.

Mattes' mutual information (Mattes et al. 2003, IEEE TMI 22:120) on a pyramid, because contrast phases share anatomy and
not grey levels. How it is optimised: ``hccoutcome.imaging.optimise``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import Geometry
from hccoutcome.imaging.greylevels import grey_levels
from hccoutcome.imaging.optimise import (
    STARTS,
    RegistrationSettings,
    coarse,
    covered,
    find_rigid,
    find_splines,
    initial,
)
from hccoutcome.imaging.resample import resample_image, resample_mask
from hccoutcome.progress import Progress, part, silent

__all__ = ["Registration", "RegistrationSettings", "doubt", "mutual_information", "register"]

LEAST_OVERLAP = 0.25
"""Part of the smaller image that must lie inside the other: below it, they do not show the same organ."""
COMPARED_VOXEL = 2.0
"""Voxel in mm, at the least, at which images are compared: finer ones hold noise, and cost eight times as much."""
FOLDING_NOTED = 0.001
"""Part of the grid with folded space from which a deformable registration is not to be trusted without a look."""


@dataclass(frozen=True)
class Registration:
    """What a registration found.

    Attributes:
        transform: maps points of the reference to points of the moving image (mm, LPS).
        image: the moving image on the reference's grid (float32, B-spline interpolation).
        before: mutual information with the reference where both lie in scanner coordinates, in nats, at voxels of about
            2 mm; 0 where they have none in common there.
        after: the same with the transform.
        overlap: part of the reference grid that the moving image covers.
        folding: part of the reference grid where the transform turns space inside out; 0 for a rigid one.
        note: what a reader should know, as a sentence; empty where all is well.
    """

    transform: sitk.Transform
    image: sitk.Image
    before: float
    after: float
    overlap: float
    folding: float = 0.0
    note: str = ""


def register(
    moving: sitk.Image,
    reference: sitk.Image,
    settings: RegistrationSettings | None = None,
    within: sitk.Image | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Registration:
    """Register an image to a reference; the same seed gives the same transform on every run.

    A registration that leaves less mutual information than the scanner's coordinates had is undone, and says so.

    Args:
        moving: image to bring onto the reference.
        reference: image that stays.
        settings: kind of registration and its parameters.
        within: mask on the reference where the images are compared (the liver, say); the whole image where None.
        seed: seed of the metric's samples.
        progress: told the fraction done; may stop the work.

    Raises:
        InputError: the images do not show the same part of the body, or one of them is constant or not finite.
        Cancelled: the progress callback asked to stop.
    """
    settings = settings or RegistrationSettings()
    for image in (moving, reference):
        _check(image)
    fixed, other = (coarse(sitk.Cast(image, sitk.sitkFloat32), COMPARED_VOXEL) for image in (reference, moving))
    share = 0.4 if settings.kind == "deformable" else 0.95
    start = _start(other, fixed, settings.start)
    rigid = find_rigid(other, fixed, start, within, settings, seed, part(progress, 0.0, share))
    transform: sitk.Transform = rigid
    if settings.kind == "deformable":
        transform = find_splines(other, fixed, rigid, within, settings, seed, part(progress, share, 0.95))
    verdict = _judge(other, fixed, transform, within)
    image = resample_image(moving, Geometry.from_image(reference), transform=verdict.transform)
    progress(1.0, "Registered")
    return Registration(image=image, **vars(verdict))


def doubt(found: Registration) -> str:
    """Return why a registration is to be doubted, as sentences; empty where nothing speaks against it."""
    fell = "The mutual information fell." if found.after < found.before else ""
    reasons = " ".join(filter(None, (fell, found.note)))
    return f"{reasons} Look at the checkerboard." if reasons else ""


def mutual_information(first: sitk.Image, second: sitk.Image, where: np.ndarray | None = None, bins: int = 64) -> float:
    """Return the mutual information of two images on one grid in nats, from their joint histogram.

    Args:
        first: image.
        second: image on the same grid.
        where: array (z, y, x) of the voxels that count; all where None.
        bins: equal bins from the 0.5th to the 99.5th percentile of each image; values beyond count in the outer bins.

    Returns:
        0 where no voxel counts, or one of the images has no contrast there.
    """
    arrays = [sitk.GetArrayViewFromImage(image) for image in (first, second)]
    values = [array.ravel() if where is None else array[where] for array in arrays]
    if not values[0].size:
        return 0.0
    numbers = []
    for value in values:
        low, high = np.percentile(value, (0.5, 99.5))
        if low == high:
            return 0.0
        numbers.append(np.clip((value - low) * (bins / (high - low)), 0, bins - 1).astype(np.intp))
    joint = np.bincount(numbers[0] * bins + numbers[1], minlength=bins * bins).reshape(bins, bins) / values[0].size
    product = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    filled = joint > 0
    return float((joint[filled] * np.log(joint[filled] / product[filled])).sum())


def _check(image: sitk.Image) -> None:
    grey_levels(image)
    if image.GetDimension() != 3 or min(image.GetSize()) < 4:
        raise InputError(
            "Registration needs volumes of at least 4 voxels along each axis, found "
            f"{' x '.join(map(str, image.GetSize()))}: give the whole series, or switch the registration off."
        )


def _start(moving: sitk.Image, reference: sitk.Image, name: str) -> sitk.Euler3DTransform:
    """Return the transform to begin with; where scanner coordinates are trusted, the images must overlap there."""
    small_moving, small = (coarse(image, 8.0) for image in (moving, reference))
    starts = {key: initial(small_moving, small, key) for key in (STARTS[1:] if name == "best" else (name,))}
    if "position" in starts:
        _check_overlap(small_moving, small, covered(small_moving, small, starts["position"]))

    def gain(key: str) -> float:
        resampled = resample_image(small_moving, Geometry.from_image(small), "linear", starts[key])
        where = covered(small_moving, small, starts[key])
        return mutual_information(small, resampled, where, bins=32) if where.mean() > LEAST_OVERLAP else -1.0

    return starts[max(starts, key=gain)]


def _check_overlap(moving: sitk.Image, reference: sitk.Image, where: np.ndarray) -> None:
    seen = float(where.mean())
    smaller = min(1.0, _volume(moving) / _volume(reference))
    if seen < LEAST_OVERLAP * smaller:
        raise InputError(
            f"Images to register show the same part of the body, found {100 * seen / smaller:.0f} % of the smaller one "
            "inside the other: check that both belong to one study, or start the registration from 'geometry'."
        )


def _volume(image: sitk.Image) -> float:
    return float(np.prod(np.array(image.GetSize()) * image.GetSpacing()))


@dataclass(frozen=True)
class _Verdict:
    """A ``Registration`` without its image."""

    transform: sitk.Transform
    before: float
    after: float
    overlap: float
    folding: float
    note: str = ""


def _judge(moving: sitk.Image, reference: sitk.Image, transform: sitk.Transform, within: sitk.Image | None) -> _Verdict:
    """Compare before and after on the same voxels, and undo a registration that made the match worse."""
    grid, unmoved = Geometry.from_image(reference), sitk.Euler3DTransform()
    shown, shown_before = (covered(moving, reference, way) for way in (transform, unmoved))
    _check_overlap(moving, reference, shown)
    where = shown & shown_before
    if within is not None:
        where &= sitk.GetArrayFromImage(resample_mask(within, grid)) != 0
    before, after = (
        mutual_information(reference, resample_image(moving, grid, transform=way), where)
        for way in (unmoved, transform)
    )
    if where.any() and after < before:
        note = "No registration matched better than the scanner's coordinates, which were kept."
        return _Verdict(unmoved, before, before, float(shown_before.mean()), 0.0, note)
    note, folding = "", _folding(transform, reference)
    if folding > FOLDING_NOTED:
        note = f"The deformation folds {100 * folding:.1f} % of the space: look at the result, or register rigidly."
    return _Verdict(transform, before, after, float(shown.mean()), folding, note)


def _folding(transform: sitk.Transform, reference: sitk.Image) -> float:
    """Return the part of the reference grid where the Jacobian determinant of a transform is not positive."""
    if isinstance(transform, sitk.Euler3DTransform):
        return 0.0
    grid = Geometry.from_image(coarse(reference, 5.0))
    field = sitk.TransformToDisplacementField(
        transform, sitk.sitkVectorFloat64, grid.size, grid.origin, grid.spacing, grid.direction
    )
    determinant = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(field))
    return float((determinant <= 0).mean())
