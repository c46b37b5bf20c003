"""PyRadiomics as the oracle of the feature classes, random regions to ask it about, and how near is equal."""

from __future__ import annotations

import importlib
import logging
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import strategies as st
from numpy.typing import NDArray

from hccoutcome.radiomics.classes import WEIGHTING_NORMS, TextureSettings

RELATIVE = 1e-9
ABSOLUTE = 1e-12

_CLASSES = {
    "firstorder": ("firstorder", "RadiomicsFirstOrder"),
    "glcm": ("glcm", "RadiomicsGLCM"),
    "gldm": ("gldm", "RadiomicsGLDM"),
    "glrlm": ("glrlm", "RadiomicsGLRLM"),
    "glszm": ("glszm", "RadiomicsGLSZM"),
    "ngtdm": ("ngtdm", "RadiomicsNGTDM"),
    "shape": ("shape", "RadiomicsShape"),
    "shape2D": ("shape2D", "RadiomicsShape2D"),
}


@dataclass(frozen=True)
class Region:
    """An image and a mask, cropped to the mask, with spacing in mm; all axes (z, y, x)."""

    image: NDArray[np.generic]
    mask: NDArray[np.bool_]
    spacing: tuple[float, float, float]


def load_class(name: str) -> Any:
    """Return PyRadiomics' class of features; skip the test where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("radiomics", reason="PyRadiomics, the oracle, is not installed")
        logging.getLogger("radiomics").setLevel(logging.CRITICAL + 1)
        module, class_name = _CLASSES[name]
        return getattr(importlib.import_module(f"radiomics.{module}"), class_name)


def ask_pyradiomics(name: str, region: Region, **settings: Any) -> tuple[dict[str, float], Any]:
    """Return all features of a class, also those off by default, and PyRadiomics' own object."""
    extractor_class = load_class(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = sitk.GetImageFromArray(region.image)
        image.SetSpacing([float(step) for step in region.spacing[::-1]])
        mask = sitk.GetImageFromArray(region.mask.astype(np.uint8))
        mask.CopyInformation(image)
        extractor = extractor_class(image, mask, **settings)
        for feature in extractor.featureNames:
            extractor.enableFeatureByName(feature)
        return {feature: float(value) for feature, value in extractor.execute().items()}, extractor


def assert_same_features(
    ours: dict[str, float], theirs: dict[str, float], left_to_rounding: frozenset[str] | set[str] = frozenset()
) -> None:
    """Fail unless both have the same names and every value agrees to 1e-9, or to 1e-12 near zero."""
    assert set(ours) == set(theirs)
    wrong = {
        name: (ours[name], theirs[name])
        for name in ours
        if name not in left_to_rounding
        and not (np.isnan(ours[name]) and np.isnan(theirs[name]))
        and not abs(ours[name] - theirs[name]) <= max(ABSOLUTE, RELATIVE * abs(theirs[name]))
    }
    assert not wrong, f"(ours, PyRadiomics'): {wrong}"


def glcm_by_definition(extractor: Any) -> dict[str, NDArray[np.float64]]:
    """Return Imc2, MCC and Correlation of PyRadiomics' own matrices where rounding decides about its values.

    They are means over the directions that hold pairs. Where the two levels of a pair are independent, Imc2 and MCC of
    the direction are 0, for PyRadiomics 0, 1e-8, or NaN, which leaves the direction out of the mean. Where one of the
    two levels never varies Correlation is 1, for PyRadiomics 1 or 0. All else is PyRadiomics' formula.

    Args:
        extractor: Its object for the class, executed, without weights.

    Returns:
        Values by name, shape (voxels,), one voxel for a whole region; NaN without any pair.
    """
    p = np.nan_to_num(extractor.P_glcm.transpose(0, 3, 1, 2))
    levels = extractor.coefficients["grayLevels"].astype(float)
    rows, columns = p.sum(axis=3), p.sum(axis=2)
    product = rows[..., :, None] * columns[..., None, :]
    scaled = np.divide(p, np.sqrt(product), where=product > 0, out=np.zeros_like(p))
    second = np.linalg.svd(scaled, compute_uv=False)[..., 1] if levels.size > 1 else np.ones(p.shape[:2])
    independent = (second < 1e-6) | (levels.size == 1)
    eps = np.spacing(1)
    shared = (p * np.log2(p + eps) - product * np.log2(product + eps)).sum(axis=(2, 3))
    away = [levels - (margin @ levels)[..., None] for margin in (rows, columns)]
    spread = [(margin * gap**2).sum(axis=2) for margin, gap in zip((rows, columns), away, strict=True)]
    varies = np.minimum(*spread) > 1e-14
    covariance = np.einsum("vaij,vai,vaj->va", p, *away)
    each = {
        "Imc2": np.sqrt(np.where(independent, 0.0, -np.expm1(-2 * np.where(independent, 0.0, shared)))),
        "MCC": np.where(independent & (levels.size > 1), 0.0, second),
        "Correlation": np.where(varies, covariance / (np.sqrt(np.where(varies, spread[0] * spread[1], 1)) + eps), 1.0),
    }
    held = p.sum(axis=(2, 3)) > 0
    count = np.where(held.any(axis=1), held.sum(axis=1), np.nan)
    return {name: np.where(held, values, 0.0).sum(axis=1) / count for name, values in each.items()}


def crop(image: NDArray[np.generic], mask: NDArray[np.bool_], spacing: tuple[float, float, float]) -> Region:
    places = np.argwhere(mask)
    box = tuple(slice(low, high + 1) for low, high in zip(places.min(axis=0), places.max(axis=0), strict=True))
    return Region(image[box].copy(), mask[box].copy(), spacing)


@st.composite
def regions(draw: st.DrawFn) -> Region:
    """Random regions of two voxels or more: slabs, lines, dust, holes, solid boxes; few levels to many, any sign."""
    shape = tuple(draw(st.lists(st.integers(1, 8), min_size=3, max_size=3)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(("box", "dust", "dense", "hollow", "diagonal", "two parts")))
    mask = np.zeros(shape, np.bool_)
    if kind == "box":
        mask[:] = True
    elif kind in ("dust", "dense"):
        mask = rng.random(shape) < (0.25 if kind == "dust" else 0.8)
    elif kind == "hollow":
        mask[:] = True
        mask[tuple(slice(1, -1) for _ in shape)] = False
    elif kind == "diagonal":
        for step in range(min(shape)):
            mask[step, step, min(2 * step, shape[2] - 1)] = True
    else:
        mask[0, 0, :2] = mask[-1, -1, -2:] = True
    if mask.sum() < 2:
        mask = np.ones((1, 2, 2), np.bool_)
    scale = draw(st.sampled_from((0.0, 3.0, 30.0, 300.0)))
    image = rng.normal(size=mask.shape) * scale + draw(st.sampled_from((0.0, -80.0, 1000.0)))
    image = image.astype(draw(st.sampled_from((np.float64, np.float32, np.int16))))
    spacing = tuple(draw(st.sampled_from((0.7, 1.0, 2.5))) for _ in range(3))
    return crop(image, mask, spacing)


@st.composite
def texture_settings(draw: st.DrawFn, region: Region) -> tuple[TextureSettings, dict[str, Any]]:
    """Settings for the region, for the engine and for PyRadiomics; both look beyond a single voxel."""
    ours = TextureSettings(
        spacing_zyx=region.spacing,
        distances=draw(st.sampled_from(((1,), (1,), (2,), (1, 2), (1, 3), (1, 1), (2, 2), (1, 2, 1)))),
        weighting_norm=draw(st.sampled_from((None, *WEIGHTING_NORMS))),
        symmetrical_glcm=draw(st.booleans()),
        gldm_a=draw(st.integers(0, 2)),
        force_2d=draw(st.booleans()),
        force_2d_dimension=draw(st.integers(0, 2)),
    )
    in_plane = np.delete(region.mask.shape, ours.force_2d_dimension) if ours.force_2d else region.mask.shape
    # PyRadiomics stops where no neighbour can be in the box.
    if max(in_plane) <= min(ours.distances):
        ours = TextureSettings(spacing_zyx=region.spacing)
    theirs = {
        "distances": list(ours.distances),
        "weightingNorm": ours.weighting_norm,
        "symmetricalGLCM": ours.symmetrical_glcm,
        "gldm_a": ours.gldm_a,
        "force2D": ours.force_2d,
        "force2Ddimension": ours.force_2d_dimension,
    }
    return ours, theirs
