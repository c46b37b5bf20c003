"""The optimisations behind a registration: rigid on a pyramid, then cubic B-splines (Rueckert et al. 1999).

Each optimisation runs in one thread (``hccoutcome.imaging.filters``), so that it repeats to the last digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError, nearest
from hccoutcome.imaging.filters import one_thread, watched
from hccoutcome.imaging.geometry import Geometry
from hccoutcome.imaging.resample import resample_image, resample_mask
from hccoutcome.progress import Progress, part

Kind = Literal["rigid", "deformable"]
KINDS: tuple[Kind, ...] = ("rigid", "deformable")
STARTS = ("best", "position", "geometry", "moments")


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
        mesh_iterations: most iterations at each of these levels, with up to 1.5 evaluations of the metric for each.
    """

    kind: Kind = "rigid"
    start: str = "best"
    bins: int = 32
    voxel_sizes: tuple[float, ...] = (8.0, 4.0, 2.5)
    samples: int = 50_000
    iterations: int = 100
    meshes: tuple[float, ...] = (70.0, 40.0)
    mesh_voxels: tuple[float, ...] = (6.0, 4.0)
    mesh_samples: int = 20_000
    mesh_iterations: int = 20

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"'{self.kind}' is not a known registration; {nearest(self.kind, KINDS)}.")
        if self.start not in STARTS:
            raise InputError(f"'{self.start}' is not a known start of a registration; {nearest(self.start, STARTS)}.")


def find_rigid(
    moving: sitk.Image,
    reference: sitk.Image,
    start: sitk.Euler3DTransform,
    within: sitk.Image | None,
    settings: RegistrationSettings,
    seed: int,
    progress: Progress,
) -> sitk.Euler3DTransform:
    """Return the rigid transform with the highest mutual information, coarse to fine from a start."""
    transform = sitk.Euler3DTransform(start)
    for number, voxel in enumerate(settings.voxel_sizes):
        small, small_moving = coarse(reference, voxel), coarse(moving, voxel)
        method = _method(small, within, settings.bins, settings.samples, seed)
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=voxel / 2, minStep=0.005, numberOfIterations=settings.iterations, relaxationFactor=0.6
        )
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetInitialTransform(transform, inPlace=True)
        step = part(progress, number / len(settings.voxel_sizes), (number + 1) / len(settings.voxel_sizes))
        run = partial(method.Execute, small, small_moving)
        watched(method, run, settings.iterations, step, "Registering (rigid)")
    return transform


def find_splines(
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
        small = coarse(reference, voxel)
        # ITK cannot optimise splines inside a composite, so each level starts from the image as moved so far.
        moved = resample_image(coarse(moving, voxel), Geometry.from_image(small), "linear", transform)
        seen = _mask(covered(moving, small, transform), small)
        seen = seen if within is None else seen * resample_mask(within, Geometry.from_image(small))
        mesh = [max(1, round(length / distance)) for length in extent]
        splines = sitk.BSplineTransformInitializer(reference, mesh, order=3)
        method = _method(small, seen, settings.bins, settings.mesh_samples, seed)
        method.SetInitialTransform(splines, inPlace=True)
        evaluations = round(1.5 * settings.mesh_iterations)
        method.SetOptimizerAsLBFGSB(
            numberOfIterations=settings.mesh_iterations, maximumNumberOfFunctionEvaluations=evaluations
        )
        step = part(progress, number / len(settings.meshes), (number + 1) / len(settings.meshes))
        watched(method, partial(method.Execute, small, moved), 2 * evaluations, step, "Registering (deformable)")
        transform.AddTransform(splines)
    return transform


def _method(
    reference: sitk.Image, within: sitk.Image | None, bins: int, samples: int, seed: int
) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetMetricAsMattesMutualInformation(bins)
    method.SetMetricSamplingStrategy(method.RANDOM)
    part_sampled = samples / np.prod(reference.GetSize())
    # ITK takes a seed of 0 for the clock.
    method.SetMetricSamplingPercentage(float(min(1.0, part_sampled)), 1 + seed % (2**31 - 1))
    if within is not None:
        method.SetMetricFixedMask(resample_mask(within, Geometry.from_image(reference)))
    return method


def covered(moving: sitk.Image, reference: sitk.Image, transform: sitk.Transform) -> np.ndarray:
    """Return where on the reference grid (z, y, x; bool) the moving image has voxels."""
    everywhere = sitk.Image(moving.GetSize(), sitk.sitkUInt8) + 1
    everywhere.CopyInformation(moving)
    return sitk.GetArrayFromImage(resample_mask(everywhere, Geometry.from_image(reference), transform)) != 0


def _mask(where: np.ndarray, image: sitk.Image) -> sitk.Image:
    mask = sitk.GetImageFromArray(where.astype(np.uint8))
    mask.CopyInformation(image)
    return mask


def coarse(image: sitk.Image, voxel: float) -> sitk.Image:
    """Return an image smoothed and shrunk until its voxels are about so many mm."""
    factors = [max(1, int(voxel / spacing + 1e-6)) for spacing in image.GetSpacing()]
    sigmas = [max(0.5 * voxel, 1e-3 * spacing) for spacing in image.GetSpacing()]
    return sitk.Shrink(sitk.SmoothingRecursiveGaussian(image, sigmas), factors)


def initial(moving: sitk.Image, reference: sitk.Image, name: str) -> sitk.Euler3DTransform:
    """Return the rigid transform that a start's name stands for, about the centre of the reference."""
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
    with one_thread():
        return sitk.Euler3DTransform(sitk.CenteredTransformInitializer(*raised, rigid, mode))
