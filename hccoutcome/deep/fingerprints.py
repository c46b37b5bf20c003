"""How a network's package recognises the images that it learned from, without holding anything of them.

A fingerprint is 64 bits of a SHA256 over the grey levels of one image: it stays the same when a file is renamed,
compressed or stored in another format, and neither image nor patient can be told from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from hccoutcome.deep.inputs import Images

DIGITS = 16
LEARNED_IMAGES = "learned_images"
"""Where the settings of a package list the fingerprints of the images that it learned from."""


def fingerprints(images: Images, phases: Sequence[str]) -> tuple[str, ...]:
    """Return the fingerprint of the image of each of the phases that a case has."""
    return tuple(_fingerprint(images[phase]) for phase in phases if phase in images)


def _fingerprint(image: sitk.Image) -> str:
    voxels = np.ascontiguousarray(sitk.GetArrayViewFromImage(image), "<f4")
    return hashlib.sha256(repr(voxels.shape).encode() + voxels.tobytes()).hexdigest()[:DIGITS]
