"""From painted tissues to images: contrast phases, breathing, blur and noise of the scanner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from hccoutcome.phantom.canvas import Canvas
from hccoutcome.phantom.enhancement import LIVER_T1, levels, mottles, tissues
from hccoutcome.phantom.rooms import Rooms
from hccoutcome.phantom.settings import PHASES, PhantomSettings
from hccoutcome.phantom.shapes import cover
from hccoutcome.phantom.space import Array, Space, draw_field

RESOLUTION = 0.9
"""Standard deviation in mm of the scanner's point spread in the transverse plane."""
NOISE = {"CT": 10.0, "MR": 3.5}
"""Standard deviation of the noise where the settings leave it open: HU in CT, percent of the liver's signal in MR."""
NOISE_PEAK = 0.11
"""Frequency in 1/mm of the most noise power in CT, as with a smooth kernel and iterative reconstruction."""
MR_SCALE = (2.2, 5.5)
"""Range of the arbitrary scale of an MR examination."""
BIAS = 0.22
"""Standard deviation of the logarithm of the MR bias field."""


def take_images(
    canvas: Canvas, rooms: Rooms, settings: PhantomSettings, rngs: Sequence[np.random.Generator]
) -> dict[str, Array]:
    """Return the image (z, y, x; int16) of every phase.

    Args:
        canvas: the painted patient.
        rooms: which parts breathe.
        settings: modality, enhancement, breathing and noise.
        rngs: a random number generator for what all phases share and one for each phase.
    """
    common, *own = rngs
    still = _phases(canvas, settings)
    noise = NOISE[settings.modality] if settings.noise is None else settings.noise
    bias = _bias(canvas.space, common) if settings.modality == "MR" else None
    scale = float(common.uniform(*MR_SCALE))
    images = {}
    for phase, image, shift, rng in zip(PHASES, still, settings.breathing, own, strict=True):
        seen = _blurred(_breathed(image, canvas.space, rooms, shift), canvas.space)
        if bias is None:
            seen = seen + noise * ct_noise(canvas.space, rng)
            images[phase] = np.clip(np.round(seen), -1024, 3071).astype(np.int16)
        else:
            images[phase] = np.round(scale * _rician(seen * bias, noise, rng)).astype(np.int16)
    return images


def _phases(canvas: Canvas, settings: PhantomSettings) -> Array:
    """Return the grey values of the motionless patient without noise (phase, z, y, x; float32)."""
    known = tissues(settings)
    images = np.empty((len(PHASES), *canvas.space.shape), np.float32)
    images[:] = levels(known["air"], settings.modality)[:, None, None, None]
    for layer in canvas.layers:
        tissue = known[layer.tissue]
        for image, level, mottle in zip(
            images, levels(tissue, settings.modality), mottles(tissue, settings.modality), strict=True
        ):
            value = level if layer.texture is None else level + mottle * layer.texture
            image[layer.box] += layer.alpha * (value - image[layer.box])
    return images


def _breathed(image: Array, space: Space, rooms: Rooms, shift: float) -> Array:
    """Return an image whose organs have moved to the head by ``shift`` mm, while wall and spine stay."""
    if shift == 0:
        return image
    moves = shift / space.spacing[2] * cover(rooms.cavity, 24.0)
    z, y, x = np.indices(space.shape, np.float32, sparse=True)
    places = np.broadcast_arrays(z - moves, y, x)
    return ndimage.map_coordinates(image, places, order=1, mode="nearest")


def _blurred(image: Array, space: Space) -> Array:
    sigma = [RESOLUTION / width for width in space.spacing[::-1]]
    return ndimage.gaussian_filter(image, sigma, truncate=3.0)


def ct_noise(space: Space, rng: np.random.Generator) -> Array:
    """Return CT noise: deviation 1 in the liver, a little more amid the body, with the texture of a CT.

    The noise power rises with the frequency, as the ramp filter makes it, and falls beyond ``NOISE_PEAK``
    (filtered backprojection).
    """
    nz, ny, nx = space.shape
    fy = np.fft.fftfreq(ny, space.spacing[1])[:, None]
    fx = np.fft.rfftfreq(nx, space.spacing[0])[None, :]
    frequency = np.hypot(fx, fy) / NOISE_PEAK
    gain = np.sqrt(frequency + 0.02) * np.exp(-0.25 * frequency**2)
    white = rng.standard_normal((nz, ny, nx), np.float32)
    noise = np.fft.irfft2(np.fft.rfft2(white) * gain, (ny, nx)).astype(np.float32)
    noise = ndimage.gaussian_filter1d(noise, 1.0 / space.spacing[2], axis=0)
    x, y, _ = space.straight()
    depth = np.sqrt((x / 176) ** 2 + (y / 120) ** 2)
    return noise / noise.std() * (1.18 - 0.4 * np.minimum(depth, 1.0))


def _bias(space: Space, rng: np.random.Generator) -> Array:
    return np.exp(BIAS * space.field(draw_field(rng, 160.0))).astype(np.float32)


def _rician(signal: Array, noise: float, rng: np.random.Generator) -> Array:
    """Return the magnitude of a complex signal with noise in percent of the liver's."""
    deviation = np.float32(noise / 100 * LIVER_T1)
    real = signal + deviation * rng.standard_normal(signal.shape, np.float32)
    return np.hypot(real, deviation * rng.standard_normal(signal.shape, np.float32))
