"""Small synthetic images, regions and settings whose PyRadiomics values are stored in ``stored_oracle.json``.

All inputs come from whole-number arithmetic, so that they are the same on every machine.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hccoutcome.radiomics.settings import RadiomicsSettings, load_settings

STORED = Path(__file__).with_name("stored_oracle.json")
SHAPE = (14, 22, 24)

_TYPES = {
    "Original": {},
    "LoG": {"sigma": [1.5, 4]},
    "Wavelet": {},
    "Square": {},
    "SquareRoot": {},
    "Logarithm": {},
    "Exponential": {},
    "Gradient": {},
    "LBP2D": {"binWidth": 1},
    "LBP3D": {"binWidth": 0.5},
}
_FIRST = {"Original": {}, "LoG": {"sigma": [2.0]}, "Wavelet": {}}
_SOLID = {name: [] for name in ("shape", "firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm")}
_PLANE = {name: [] for name in ("shape2D", "firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm")}

PARAMETERS: dict[str, dict] = {
    "every image type": {"imageType": _TYPES, "featureClass": _SOLID, "setting": {"binWidth": 10}},
    "wavelet levels": {
        "imageType": {"Wavelet": {"wavelet": "bior2.2", "level": 2, "start_level": 1}},
        "featureClass": {**_SOLID, "shape": ["Compactness1", "SphericalDisproportion"]},
        "setting": {"binCount": 16},
    },
    "outliers and linear interpolation": {
        "imageType": _FIRST,
        "featureClass": _SOLID,
        "setting": {
            "normalize": True,
            "normalizeScale": 100,
            "removeOutliers": 1.5,
            "resampledPixelSpacing": [2, 1.5, 0],
            "interpolator": "sitkLinear",
            "padDistance": 3,
        },
    },
    "pre-crop and resegmentation by sigma": {
        "imageType": _FIRST,
        "featureClass": _SOLID,
        "setting": {"preCrop": True, "padDistance": 2, "resegmentRange": [-1.5, 1], "resegmentMode": "sigma"},
    },
    "one slice": {"imageType": _FIRST, "featureClass": _PLANE, "setting": {"force2D": True, "binWidth": 10}},
    "weights and distances": {
        "imageType": {"Original": {}, "Gradient": {"gradientUseSpacing": False}},
        "featureClass": _SOLID,
        "setting": {
            "weightingNorm": "euclidean",
            "distances": [1, 2],
            "symmetricalGLCM": False,
            "gldm_a": 1,
            "voxelArrayShift": 500,
        },
    },
    "label two, in the plane of y": {
        "imageType": {"Original": {"binWidth": 40}, "Wavelet": {"wavelet": "haar"}, "LBP2D": {"lbp2DMethod": "ror"}},
        "featureClass": {"firstorder": ["StandardDeviation", "Mean"], "glcm": [], "ngtdm": None},
        "setting": {"label": 2, "force2D": True, "force2Ddimension": 1, "resegmentRange": [-100, 180]},
    },
    "single precision": {"imageType": _FIRST, "featureClass": _SOLID, "setting": {"binWidth": 7.5}},
}
CASES = ("prime", "radscore", *PARAMETERS)


def case(name: str) -> tuple[sitk.Image, sitk.Image, RadiomicsSettings]:
    """Return image, mask and settings of a stored case."""
    values = _texture()
    if name == "single precision":
        values = values.astype(np.float32) / np.float32(8)
    labels = _labels()
    if name == "one slice":
        labels[np.arange(SHAPE[0]) != 7] = 0
    image, mask = sitk.GetImageFromArray(values), sitk.GetImageFromArray(labels)
    for item in (image, mask):
        item.SetSpacing((0.75, 1.25, 2.5))
        item.SetOrigin((-40.0, 17.5, 100.0))
        item.SetDirection((0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))
    settings = RadiomicsSettings.from_dict(PARAMETERS[name]) if name in PARAMETERS else load_settings(name)
    return image, mask, settings


def _texture() -> NDArray[np.int16]:
    """Return coarse and fine whole-number noise between about -150 and 250."""
    z, y, x = np.indices(SHAPE, np.int64)
    fine = (((x * 73856093) ^ (y * 19349663) ^ (z * 83492791)) >> 7) % 401 - 150
    coarse = (((x // 5 * 7368787) ^ (y // 4 * 8349279) ^ (z // 3 * 1934966)) >> 5) % 301 - 100
    return ((fine + 2 * coarse) // 3).astype(np.int16)


def _labels() -> NDArray[np.uint8]:
    """Return a ball with a hole and a detached block (label 1) and a box (label 2)."""
    z, y, x = np.indices(SHAPE, np.int64)
    distance = 9 * (z - 7) ** 2 + 4 * (y - 10) ** 2 + 4 * (x - 9) ** 2
    labels = ((distance <= 256) & (distance > 6)).astype(np.uint8)
    labels[5:9, 15:18, 18:21] = 1
    labels[2:12, 1:6, 17:23] = 2
    return labels
