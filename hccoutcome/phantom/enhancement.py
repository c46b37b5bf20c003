"""How each tissue looks in each phase: attenuation in CT, signal in T1-weighted MR.

The attenuations are those of a patient of 70 kg after 100 mL of contrast medium, in the precontrast, late arterial
(35 s), portal venous (70 s) and delayed (180 s) phase.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from hccoutcome.phantom.settings import PhantomSettings

MR_GAIN = 420.0
"""Largest rise of the MR signal by contrast medium, where the liver has 110 before it."""
MR_SATURATION = 220.0
"""Enhancement in HU at which the MR signal has risen by 63 % of ``MR_GAIN``."""
MR_TEXTURE = 1.2
"""MR signal for 1 HU of texture."""
PORTAL_WASHOUT = 2 / 3
"""Part of the delayed wash-out that already shows in the portal phase."""

LIVER_T1 = 110.0
"""MR signal of the liver before contrast medium, which sets the unit of all others."""

ByPhase = tuple[float, float, float, float]
STILL: ByPhase = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Tissue:
    """One tissue.

    Attributes:
        hu: attenuation in HU by phase, in the order of ``PHASES``.
        t1: signal in T1-weighted MR before contrast medium (liver: 110).
        mottle: standard deviation of its texture in HU by phase.
    """

    hu: ByPhase
    t1: float
    mottle: ByPhase = STILL


def _still(hu: float, t1: float) -> Tissue:
    return Tissue((hu, hu, hu, hu), t1)


TISSUES: Mapping[str, Tissue] = MappingProxyType(
    {
        "air": _still(-1000, 0),
        "couch": _still(-320, 0),
        "skin": Tissue((15, 20, 32, 30), 55),
        "fat": Tissue((-104, -103, -102, -102), 46, (5, 5, 5, 5)),
        "muscle": Tissue((53, 58, 66, 64), 92),
        "cartilage": _still(105, 60),
        "cortical bone": _still(520, 12),
        "spongy bone": Tissue((150, 153, 158, 156), 62, (28, 28, 28, 28)),
        "disc": _still(88, 50),
        "spinal canal": Tissue((26, 27, 30, 30), 45),
        "lung": Tissue((-845, -838, -834, -836), 8, (18, 18, 18, 18)),
        "lung vessel": Tissue((20, 180, 120, 95), 45),
        "myocardium": Tissue((44, 115, 108, 92), 85),
        "artery": Tissue((42, 315, 165, 121), 58),
        "vein": Tissue((41, 78, 158, 120), 60),
        "hepatic vein": Tissue((41, 56, 160, 121), 60),
        "renal vein": Tissue((41, 165, 170, 124), 60),
        "portal vein": Tissue((42, 122, 182, 126), 60),
        "liver": Tissue((57, 70, 113, 95), LIVER_T1),
        "spleen": Tissue((47, 120, 124, 99), 84, (0, 22, 2, 0)),
        "kidney cortex": Tissue((34, 180, 188, 152), 112),
        "kidney medulla": Tissue((32, 62, 150, 156), 80),
        "urine": Tissue((5, 5, 9, 190), 34),
        "pancreas": Tissue((42, 108, 96, 80), 128, (8, 10, 10, 9)),
        "bowel wall": Tissue((38, 80, 92, 78), 86),
        "bowel content": Tissue((28, 28, 29, 29), 70, (16, 16, 16, 16)),
        "stomach content": _still(16, 40),
        "gas": _still(-950, 2),
        "gallbladder wall": Tissue((28, 42, 58, 56), 80),
        "gallbladder": _still(9, 64),
        "necrosis": Tissue((25, 27, 29, 29), 58),
    }
)
"""Every tissue by name; ``tissues`` adds those of the lesions, which the settings plant."""

_LESION_BEFORE = -7.0  # HU of the unenhanced tumour above the unenhanced liver
_CAPSULE = (-6.0, 4.0, 22.0, 34.0)  # HU above the liver


def tissues(settings: PhantomSettings) -> dict[str, Tissue]:
    """Return every tissue by name, liver and lesions as the settings plant them."""
    liver = TISSUES["liver"]
    above = (_LESION_BEFORE, settings.arterial_enhancement, -PORTAL_WASHOUT * settings.washout, -settings.washout)
    mosaic, nodules = settings.heterogeneity, settings.nodularity
    tumor = Tissue(_sum(liver.hu, above), 88, (0.4 * mosaic, 1.4 * mosaic, mosaic, mosaic))
    capsule = Tissue(_sum(liver.hu, _CAPSULE), 92) if settings.capsule else tumor
    nodular = Tissue(liver.hu, liver.t1, (0.5 * nodules, 0.7 * nodules, nodules, 1.2 * nodules))
    return {**TISSUES, "liver": nodular, "tumor": tumor, "capsule": capsule}


def _sum(one: ByPhase, other: ByPhase) -> ByPhase:
    a, b, c, d = (x + y for x, y in zip(one, other, strict=True))
    return a, b, c, d


def levels(tissue: Tissue, modality: str) -> np.ndarray:
    """Return the grey value of a tissue in every phase: HU, or the MR signal (liver before contrast medium: 110)."""
    hu = np.array(tissue.hu, np.float32)
    if modality == "CT":
        return hu
    uptake = np.maximum(hu - hu[0], 0)
    return (tissue.t1 + MR_GAIN * (1 - np.exp(-uptake / MR_SATURATION))).astype(np.float32)


def mottles(tissue: Tissue, modality: str) -> np.ndarray:
    """Return the standard deviation of a tissue's texture in every phase, in grey values."""
    return np.array(tissue.mottle, np.float32) * (1.0 if modality == "CT" else MR_TEXTURE)
