"""Register one phase to another by mutual information: rigid, or rigid and then deformable.

Mattes' mutual information (Mattes et al. 2003, IEEE TMI 22:120) on a pyramid, because contrast phases share anatomy and
not grey levels. Everything runs in one thread: SimpleITK's threads add up the metric in the order in which they finish,
which changes the last digits and after hundreds of iterations the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError, nearest
from hccoutcome.imaging.filters import Watch
from hccoutcome.imaging.resample import grid_of, resample_image, resample_mask
from hccoutcome.progress import Progress, part, silent

Kind = Literal["rigid", "deformable"]
KINDS: tuple[Kind, ...] = ("rigid", "deformable")
STARTS = ("best", "position", "geometry", "moments")
LEAST_OVERLAP = 0.25
"""Part of the smaller image that must lie inside the other: below it, they do not show the same organ."""


@dataclass(frozen=True)
class RegistrationSettings:
    """How two phases are registered.

    Attributes:
        kind: ``"rigid"`` (6 parameters) or ``"deformable"`` (rigid, then cubic B-splines; Rueckert et al. 1999).
        start: where to begin: ``"position"`` (scanner coordinates as they are), ``"geometry"`` (centres of the grids),
            ``"moments"`` (centres of mass), or ``"best"``, the one of these with the highest mutual information.
        bins: histogram bins of the metric along each axis.
        voxel_sizes: finest voxel in mm that each level of the pyramid keeps; Gaussian smoothing of half of it.
        samples: voxels at which a level compares the images, drawn at random.
        iterations: most iterations at each level.
        meshes: distance of the B-spline's control points in mm at each level of the deformable step.
        mesh_voxels: finest voxel in mm that each of these levels keeps.
        mesh_samples: voxels at which these levels compare the images; the metric's cost grows with them.
        mesh_iterations: most evaluations of the metric at each of these levels.
    """

    kind: Kind = "rigid"
    start: str = "best"
    bins: int = 32
    voxel_sizes: tuple[float, ...] = (8.0, 4.0, 2.5)
    samples: int = 100_000
    iterations: int = 100
    meshes: tuple[float, ...] = (70.0, 40.0)
    mesh_voxels: tuple[float, ...] = (6.0, 4.0)
    mesh_samples: int = 20_000
    mesh_iterations: int = 30

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"'{self.kind}' is not a known registration; {nearest(self.kind, KINDS)}.")
        if self.start not in STARTS:
            raise InputError(f"'{self.start}' is not a known start of a registration; {nearest(self.start, STARTS)}.")


@dataclass(frozen=True)
class Registration:
    """What a registration found.

    Attributes:
        transform: maps points of the reference to points of the moving image (mm, LPS).
        image: the moving image on the reference's grid (float32, B-spline interpolation).
        before: mutual information with the reference where both lie in scanner coordinates, in nats.
        after: the same with the transform.
        overlap: part of the reference grid that the moving image covers.
        folding: part of the reference grid where the transform turns space inside out; 0 for a rigid one.
        note: what a reader should know; empty where all is well.
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

    Args:
        moving: image to bring onto the reference.
        reference: image that stays.
        settings: kind of registration and its parameters.
        within: mask on the reference where the images are compared (the liver, say); the whole image where None.
        seed: seed of the metric's samples.
        progress: told the fraction done; may stop the work.

    Raises:
        InputError: the images do not show the same part of the body.
        Cancelled: the progress callback asked to stop.
    """
    settings = settings or RegistrationSettings()
    fixed, other = (sitk.Cast(image, sitk.sitkFloat32) for image in (reference, moving))
    start = _start(other, fixed, settings.start)
    share = 0.4 if settings.kind == "deformable" else 0.95
    transform = _rigid(other, fixed, start, within, settings, seed, part(progress, 0.0, share))
    if settings.kind == "deformable":
        transform = _deformable(other, fixed, transform, within, settings, seed, part(progress, share, 0.95))
    result = _judge(other, fixed, transform, within)
    progress(1.0, "Registered")
    return result


def mutual_information(first: sitk.Image, second: sitk.Image, where: np.ndarray | None = None, bins: int = 64) -> float:
    """Return the mutual information of two images on one grid in nats, from their joint histogram.

    Args:
        first: image.
        second: image on the same grid.
        where: array (z, y, x) of the voxels that count; all where None.
        bins: equal bins from the 0.5th to the 99.5th percentile of each image; values beyond count in the outer bins.
    """
    arrays = [sitk.GetArrayViewFromImage(image) for image in (first, second)]
    values = [array.ravel() if where is None else array[where] for array in arrays]
    edges = [np.linspace(*np.percentile(value, (0.5, 99.5)), bins + 1) for value in values]
    clipped = [np.clip(value, edge[0], edge[-1]) for value, edge in zip(values, edges, strict=True)]
    joint = np.histogram2d(*clipped, bins=edges)[0] / clipped[0].size
    product = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    filled = joint > 0
    return float((joint[filled] * np.log(joint[filled] / product[filled])).sum())


def _judge(
    moving: sitk.Image, reference: sitk.Image, transform: sitk.Transform, within: sitk.Image | None
) -> Registration:
    """Compare before and after where the transformed image covers the reference; undo what made it worse."""
    grid = grid_of(reference)
    covered = _covered(moving, reference, transform)
    overlap = float(covered.mean())
    where = covered if within is None else covered & (sitk.GetArrayViewFromImage(within) != 0)
    where &= _covered(moving, reference, sitk.Transform(3, sitk.sitkIdentity))
    image = resample_image(moving, grid, transform=transform)
    before = mutual_information(reference, resample_image(moving, grid), where)
    after = mutual_information(reference, image, where)
    return Registration(transform, image, before, after, overlap, _folding(transform, reference))


def _covered(moving: sitk.Image, reference: sitk.Image, transform: sitk.Transform) -> np.ndarray:
    everywhere = sitk.Image(moving.GetSize(), sitk.sitkUInt8) + 1
    everywhere.CopyInformation(moving)
    return sitk.GetArrayFromImage(resample_mask(everywhere, grid_of(reference), transform)) != 0


def _mask(where: np.ndarray, image: sitk.Image) -> sitk.Image:
    mask = sitk.GetImageFromArray(where.astype(np.uint8))
    mask.CopyInformation(image)
    return mask


def _start(moving: sitk.Image, reference: sitk.Image, name: str) -> sitk.Euler3DTransform:
    """Return the transform to begin with; the images must overlap where the scanner's coordinates are trusted."""
    small_moving, small = (_level(image, 8.0) for image in (moving, reference))
    starts = {key: _initial(small_moving, small, key) for key in (STARTS[1:] if name == "best" else (name,))}
    if "position" in starts:
        _check_overlap(small_moving, small, starts["position"])

    def gain(key: str) -> float:
        resampled = resample_image(small_moving, grid_of(small), "linear", starts[key])
        where = _covered(small_moving, small, starts[key])
        return mutual_information(small, resampled, where, bins=32) if where.mean() > LEAST_OVERLAP else -1.0

    return starts[max(starts, key=gain)]


def _check_overlap(moving: sitk.Image, reference: sitk.Image, transform: sitk.Transform) -> None:
    seen = _covered(moving, reference, transform).mean()
    smaller = min(1.0, _volume(moving) / _volume(reference))
    if seen < LEAST_OVERLAP * smaller:
        raise InputError(
            f"Images to register show the same part of the body, found {100 * seen / smaller:.0f} % of the smaller one "
            "inside the other: check that both belong to one study, or start the registration from 'geometry'."
        )


def _volume(image: sitk.Image) -> float:
    return float(np.prod(np.array(image.GetSize()) * image.GetSpacing()))


def _initial(moving: sitk.Image, reference: sitk.Image, name: str) -> sitk.Euler3DTransform:
    rigid = sitk.Euler3DTransform()
    middle = [(size - 1) / 2 for size in reference.GetSize()]
    rigid.SetCenter(reference.TransformContinuousIndexToPhysicalPoint(middle))
    if name == "position":
        return rigid
    mode = {
        "geometry": sitk.CenteredTransformInitializerFilter.GEOMETRY,
        "moments": sitk.CenteredTransformInitializerFilter.MOMENTS,
    }[name]
    # Moments weigh by intensity, which has to be positive: CT counts from air.
    raised = [image - float(sitk.GetArrayViewFromImage(image).min()) for image in (reference, moving)]
    return sitk.Euler3DTransform(sitk.CenteredTransformInitializer(*raised, rigid, mode))


def _level(image: sitk.Image, voxel: float) -> sitk.Image:
    """Return an image smoothed and shrunk until its voxels are about so many mm."""
    factors = [max(1, int(voxel / spacing + 1e-6)) for spacing in image.GetSpacing()]
    sigmas = [max(0.5 * voxel, 1e-3 * spacing) for spacing in image.GetSpacing()]
    return sitk.Shrink(sitk.SmoothingRecursiveGaussian(image, sigmas), factors)


def _rigid(
    moving: sitk.Image,
    reference: sitk.Image,
    start: sitk.Euler3DTransform,
    within: sitk.Image | None,
    settings: RegistrationSettings,
    seed: int,
    progress: Progress,
) -> sitk.Euler3DTransform:
    transform = sitk.Euler3DTransform(start)
    for number, voxel in enumerate(settings.voxel_sizes):
        small, small_moving = _level(reference, voxel), _level(moving, voxel)
        method = _method(small, within, settings.bins, settings.samples, seed)
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=voxel / 2, minStep=0.005, numberOfIterations=settings.iterations, relaxationFactor=0.6
        )
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetInitialTransform(transform, inPlace=True)
        step = part(progress, number / len(settings.voxel_sizes), (number + 1) / len(settings.voxel_sizes))
        _execute(method, small, small_moving, settings.iterations, step, "Registering (rigid)")
    return transform


def _deformable(
    moving: sitk.Image,
    reference: sitk.Image,
    rigid: sitk.Euler3DTransform,
    within: sitk.Image | None,
    settings: RegistrationSettings,
    seed: int,
    progress: Progress,
) -> sitk.CompositeTransform:
    """Refine a rigid transform by B-splines on a coarse mesh, and the result on a finer one."""
    # The last of a composite applies first: splines in the reference's space, then what was found before.
    transform = sitk.CompositeTransform([rigid])
    extent = np.array(reference.GetSize()) * reference.GetSpacing()
    for number, (distance, voxel) in enumerate(zip(settings.meshes, settings.mesh_voxels, strict=True)):
        small = _level(reference, voxel)
        # ITK cannot optimise splines inside a composite, so each level starts from the image as moved so far.
        moved = resample_image(_level(moving, voxel), grid_of(small), "linear", transform)
        seen = _mask(_covered(moving, small, transform), small)
        seen = seen if within is None else seen * resample_mask(within, grid_of(small))
        mesh = [max(1, round(length / distance)) for length in extent]
        splines = sitk.BSplineTransformInitializer(reference, mesh, order=3)
        method = _method(small, seen, settings.bins, settings.mesh_samples, seed)
        method.SetInitialTransform(splines, inPlace=True)
        method.SetOptimizerAsLBFGSB(maximumNumberOfFunctionEvaluations=settings.mesh_iterations)
        step = part(progress, number / len(settings.meshes), (number + 1) / len(settings.meshes))
        _execute(method, small, moved, settings.mesh_iterations, step, "Registering (deformable)")
        transform.AddTransform(splines)
    return transform


def _method(
    reference: sitk.Image, within: sitk.Image | None, bins: int, samples: int, seed: int
) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetMetricAsMattesMutualInformation(bins)
    method.SetMetricSamplingStrategy(method.RANDOM)
    part_sampled = samples / np.prod(reference.GetSize())
    method.SetMetricSamplingPercentage(float(min(1.0, part_sampled)), seed or 1)
    if within is not None:
        method.SetMetricFixedMask(resample_mask(within, grid_of(reference)))
    return method


def _execute(
    method: sitk.ImageRegistrationMethod,
    reference: sitk.Image,
    moving: sitk.Image,
    iterations: int,
    progress: Progress,
    message: str,
) -> sitk.Transform:
    watch = Watch(method, progress, message)
    done = iter(range(1, 1_000_000))
    method.AddCommand(sitk.sitkIterationEvent, lambda: watch.report(min(1.0, next(done) / iterations)))
    return watch.run(lambda: method.Execute(reference, moving))


def _folding(transform: sitk.Transform, reference: sitk.Image) -> float:
    """Return the part of the reference grid where the Jacobian determinant of a transform is not positive."""
    if isinstance(transform, sitk.Euler3DTransform):
        return 0.0
    small = _level(reference, 5.0)
    grid = grid_of(small)
    field = sitk.TransformToDisplacementField(
        transform, sitk.sitkVectorFloat64, grid.size, grid.origin, grid.spacing, grid.direction
    )
    determinant = sitk.GetArrayViewFromImage(sitk.DisplacementFieldJacobianDeterminant(field))
    return float((determinant <= 0).mean())
