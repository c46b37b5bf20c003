"""Surfaces of regions drawn by casting one ray for each pixel, without OpenGL.

VTK draws only through OpenGL and ends the process where neither EGL nor OSMesa is installed, as on most servers. This
needs arrays alone and gives the same picture everywhere. A ray meets a surface where the smoothed mask crosses
``LEVEL``; between two samples the crossing is found by linear interpolation, so that steps of the grid do not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from hccoutcome.scene.appearance import Rgb


@dataclass(frozen=True)
class Surface:
    """One region to draw: its mask (uint8, 0/1), its colour and its opacity (0 to 1)."""

    mask: sitk.Image
    colour: Rgb
    opacity: float = 1.0


@dataclass(frozen=True)
class View:
    """From where the regions are seen: turned from the front towards the patient's right and upwards, in degrees."""

    towards_right: float = 20.0
    upwards: float = 12.0

    def axes(self) -> np.ndarray:
        """Return the picture's axes (right, down, away from the viewer) as columns of a 3x3 matrix in LPS."""
        turn, tilt = np.radians(self.towards_right), np.radians(self.upwards)
        camera = np.array([-np.sin(turn) * np.cos(tilt), -np.cos(turn) * np.cos(tilt), np.sin(tilt)])
        away = -camera
        right = np.cross(away, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(away, right), away], axis=1)


@dataclass(frozen=True)
class Layer:
    """What the rays met of one surface: ``depth`` (mm, infinite where nothing), ``colour`` (y, x, 3), ``alpha``."""

    depth: np.ndarray
    colour: np.ndarray
    alpha: np.ndarray


PIXEL_MM, STEP_MM, MARGIN_MM = 0.6, 2.0, 12.0
LEVEL = 0.4
"""Value of the smoothed mask at which the surface lies: a little below one half, or thin vessels would break up."""
LIGHT = np.array([-0.35, -0.5, -0.8]) / np.linalg.norm([0.35, 0.5, 0.8])
"""Direction to the light in the picture's axes: from the upper left, before the scene."""


def draw_surfaces(
    surfaces: Sequence[Surface], view: View | None = None, background: Rgb = (0.0, 0.0, 0.0)
) -> np.ndarray:
    """Return a picture (y, x, 3; 0 to 1) of the surfaces in parallel projection, ``PIXEL_MM`` a pixel."""
    axes = (view or View()).axes()
    low, high = _bounds([surface.mask for surface in surfaces], axes)
    size = np.ceil((high - low)[:2] / PIXEL_MM).astype(int)
    layers = [_cast(surface, axes, low, size) for surface in surfaces]
    return _composed(layers, np.broadcast_to(background, (size[1], size[0], 3)))


def _bounds(masks: Sequence[sitk.Image], axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest coordinates along the view's axes of anything to be seen, with a margin."""
    corners = np.concatenate([_corners(mask) for mask in masks]) @ axes
    return corners.min(axis=0) - MARGIN_MM, corners.max(axis=0) + MARGIN_MM


def _corners(mask: sitk.Image) -> np.ndarray:
    """Return the eight corners of an image's box in LPS."""
    indices = np.array(np.meshgrid(*([0, size - 1] for size in mask.GetSize()))).reshape(3, -1).T
    return np.array([mask.TransformIndexToPhysicalPoint(tuple(map(int, index))) for index in indices])


def _cast(surface: Surface, axes: np.ndarray, low: np.ndarray, size: np.ndarray) -> Layer:
    """Return what the rays of the whole picture meet of one surface."""
    soft = _smoothed(surface.mask)
    box_low, box_high = _bounds([soft], axes)
    first = np.maximum(np.floor((box_low - low)[:2] / PIXEL_MM).astype(int), 0)
    last = np.minimum(np.ceil((box_high - low)[:2] / PIXEL_MM).astype(int), size)
    origin = np.array([*(low[:2] + first * PIXEL_MM), box_low[2]])
    shape = (*(last - first), np.ceil((box_high - box_low)[2] / STEP_MM) + 1)
    resampled = _resampled(soft, axes, origin, [int(length) for length in shape])
    inner = _shaded(sitk.GetArrayViewFromImage(resampled), surface, origin[2])
    layer = Layer(np.full(size[::-1], np.inf), np.zeros((*size[::-1], 3)), np.zeros(size[::-1]))
    window = (slice(first[1], last[1]), slice(first[0], last[0]))
    for whole, part in zip((layer.depth, layer.colour, layer.alpha), inner, strict=True):
        whole[window] = part
    return layer


def _smoothed(mask: sitk.Image) -> sitk.Image:
    """Return the mask as numbers from 0 to 1 without the steps between its slices."""
    sigma = float(np.clip(0.6 * max(mask.GetSpacing()), 0.8, 2.5))
    width = [int(np.ceil(3 * sigma / spacing)) + 1 for spacing in mask.GetSpacing()]
    padded = sitk.ConstantPad(sitk.Cast(mask, sitk.sitkFloat32), width, width, 0.0)
    finer = [2 if spacing <= PIXEL_MM * 1.4 else 1 for spacing in mask.GetSpacing()]
    return sitk.SmoothingRecursiveGaussian(sitk.BinShrink(padded, finer), sigma)


def _resampled(image: sitk.Image, axes: np.ndarray, origin: np.ndarray, size: list[int]) -> sitk.Image:
    """Return the image on the grid of rays: along x and y the picture, along z the depth."""
    resample = sitk.ResampleImageFilter()
    resample.SetInterpolator(sitk.sitkLinear)
    resample.SetSize(size)
    resample.SetOutputSpacing((PIXEL_MM, PIXEL_MM, STEP_MM))
    resample.SetOutputDirection(axes.ravel().tolist())
    resample.SetOutputOrigin((axes @ origin).tolist())
    return resample.Execute(image)


def _shaded(samples: np.ndarray, surface: Surface, near: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return depth (mm), colour and alpha of the first crossing of ``LEVEL`` along each ray."""
    peak = samples.max(axis=0)
    cover = _cover(peak)
    hit = _first_inside(samples, (cover > 0) & (peak <= LEVEL))
    rows, columns = np.indices(hit.shape)
    before, behind = samples[hit - 1, rows, columns], samples[hit, rows, columns]
    part = np.clip((LEVEL - before) / np.where(behind > before, behind - before, 1.0), 0.0, 1.0)
    # Where a tumour reaches the capsule, the tumour is what should be seen.
    behind_opaque = 3.0 if surface.opacity < 1 else 0.0
    depth = np.where(cover > 0, near + (hit - 1 + part) * STEP_MM + behind_opaque, np.inf)
    normal = _normals(samples, hit, part)
    facing = np.clip(-normal[..., 2], 0.0, 1.0)
    light = np.clip(normal @ LIGHT, 0.0, 1.0)
    gloss = 0.25 * np.clip(normal @ _halfway(), 0.0, 1.0) ** 30
    colour = np.array(surface.colour) * (0.30 + 0.25 * facing + 0.55 * light)[..., None] + gloss[..., None]
    rim = (1.0 - surface.opacity) * 0.55 * (1.0 - facing) ** 2
    return depth, np.clip(colour, 0.0, 1.0), cover * (surface.opacity + rim)


def _first_inside(samples: np.ndarray, grazed: np.ndarray) -> np.ndarray:
    """Return the index in depth, at least 1, of the first sample inside; where a ray only grazes, of the nearest."""
    hit = (samples > LEVEL).argmax(axis=0)
    hit[grazed] = samples[:, grazed].argmax(axis=0)
    return np.maximum(hit, 1)


def _halfway() -> np.ndarray:
    """Return the direction midway between the light and the viewer, where a surface shines."""
    middle = LIGHT + np.array([0.0, 0.0, -1.0])
    return middle / np.linalg.norm(middle)


def _cover(peak: np.ndarray) -> np.ndarray:
    """Return how much of each pixel a surface covers, from the highest value along its ray: soft outlines."""
    slope = np.hypot(*np.gradient(peak))
    return np.clip(0.5 + (peak - LEVEL) / np.maximum(slope, 1e-3), 0.0, 1.0)


def _normals(samples: np.ndarray, hit: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return the outward unit normals (y, x, 3) in the picture's axes where the rays cross the surface.

    Args:
        samples: values (depth, y, x).
        hit: index in depth of the first sample inside.
        part: where between the sample before and that one the surface lies, 0 to 1.
    """
    normal = (1 - part)[..., None] * _downhill(samples, hit - 1) + part[..., None] * _downhill(samples, hit)
    return normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)


def _downhill(samples: np.ndarray, depth: np.ndarray, reach: int = 2) -> np.ndarray:
    """Return minus the gradient (y, x, 3) at one sample a ray, from differences over ``reach`` samples."""
    index = (depth, *np.indices(depth.shape))
    slopes = []
    for axis, spacing in ((2, PIXEL_MM), (1, PIXEL_MM), (0, STEP_MM)):
        ahead, back = list(index), list(index)
        ahead[axis] = np.minimum(index[axis] + reach, samples.shape[axis] - 1)
        back[axis] = np.maximum(index[axis] - reach, 0)
        slopes.append((samples[tuple(back)] - samples[tuple(ahead)]) / spacing)
    return np.stack(slopes, axis=-1)


def _composed(layers: Sequence[Layer], background: np.ndarray) -> np.ndarray:
    """Return the layers over each other, at each pixel the farthest first."""
    depth = np.stack([layer.depth for layer in layers])
    colour = np.stack([layer.colour for layer in layers])
    alpha = np.stack([layer.alpha for layer in layers])
    order = np.argsort(-depth, axis=0)
    picture = np.array(background, dtype=float)
    for turn in order:
        over = np.take_along_axis(alpha, turn[None], axis=0)[0][..., None]
        picture = picture * (1 - over) + np.take_along_axis(colour, turn[None, ..., None], axis=0)[0] * over
    return picture
