"""What PyRadiomics hands to its feature classes, random cases to ask about, and what this engine hands to its own."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import strategies as st
from numpy.typing import NDArray

from hccoutcome.errors import InputError
from hccoutcome.radiomics import pyradiomics
from hccoutcome.radiomics.binarypatterns import icosphere
from hccoutcome.radiomics.imagetypes import filtered_images
from hccoutcome.radiomics.preprocess import measure_normalisation, prepare_region
from hccoutcome.radiomics.settings import RadiomicsSettings

RELATIVE = 1e-9
ABSOLUTE = 1e-12
MEAN_ROOTS = ("_glcm_MCC", "_glcm_Imc2")
ROOTS = (*MEAN_ROOTS, "_Elongation", "_Flatness", "_LeastAxisLength", "_MinorAxisLength")


@dataclass(frozen=True)
class Handed:
    """What reaches the feature classes: per image its values inside the region, and the masks of shape and texture."""

    images: dict[str, NDArray[np.generic]]
    mask: NDArray[np.bool_] | None
    shape_mask: NDArray[np.bool_] | None


def revive_spherical_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give PyRadiomics what its LBP3D asks for: a function that SciPy dropped, and trimesh's sphere (tested apart)."""
    from scipy import special

    monkeypatch.setattr(
        special,
        "sph_harm",
        lambda order, degree, azimuth, polar: special.sph_harm_y(degree, order, polar, azimuth),
        raising=False,
    )
    creation = types.ModuleType("trimesh.creation")
    creation.icosphere = lambda subdivisions, radius: types.SimpleNamespace(vertices=icosphere(subdivisions, radius))
    trimesh = types.ModuleType("trimesh")
    trimesh.creation = creation
    monkeypatch.setitem(sys.modules, "trimesh", trimesh)
    monkeypatch.setitem(sys.modules, "trimesh.creation", creation)
    monkeypatch.setattr(pyradiomics, "_has_spherical_harmonics", lambda: True)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep ITK to one thread: with more, the mean of an image of real numbers changes in its last bit between runs."""
    process = sitk.ProcessObject
    before = process.GetGlobalDefaultNumberOfThreads()
    process.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        process.SetGlobalDefaultNumberOfThreads(before)


def theirs(image: sitk.Image, mask: sitk.Image, settings: RadiomicsSettings) -> Handed | None:
    """Run PyRadiomics up to its feature classes; None where it refuses the case or would fail on values that are not
    finite. Skip without PyRadiomics.
    """
    with pyradiomics._silence():
        featureextractor = pytest.importorskip("radiomics.featureextractor", reason="PyRadiomics is not installed")
        images: dict[str, NDArray[np.generic]] = {}
        masks: dict[str, NDArray[np.bool_]] = {}

        class Recorder(featureextractor.RadiomicsFeatureExtractor):
            def computeFeatures(self, image, mask, name, **values):
                region = sitk.GetArrayFromImage(mask) == values["label"]
                images[name] = sitk.GetArrayFromImage(image)[region]
                masks["mask"] = region
                return {}

            def computeShape(self, image, mask, box, **values):
                _, cropped = featureextractor.imageoperations.cropToTumorMask(image, mask, box)
                masks["shape"] = sitk.GetArrayFromImage(cropped) == values["label"]
                return {}

        extractor = pyradiomics.configured(settings, Recorder)
        try:
            with pyradiomics._tolerance(featureextractor), one_thread():
                extractor.execute(image, mask)
        except (ValueError, RuntimeError):
            return None
    if any(not np.isfinite(values).all() for values in images.values()):
        return None
    return Handed(images, masks.get("mask"), masks.get("shape"))


def ours(image: sitk.Image, mask: sitk.Image, settings: RadiomicsSettings) -> Handed | None:
    """Run this engine up to its feature classes; None where it refuses the case."""
    label = settings.parameters.label
    try:
        normalisation = measure_normalisation(image, settings.parameters)
        prepared = prepare_region(image, mask, settings.parameters, normalisation)
        images = {
            name: values[prepared.labels == label]
            for kind in settings.image_types
            for name, values in filtered_images(prepared, kind.name, settings.parameters_for(kind))
        }
    except InputError:
        return None
    return Handed(images, prepared.labels == label if images else None, prepared.shape_labels == label)


def assert_same_bits(found: Handed, expected: Handed) -> None:
    """Fail unless both have the same masks and images in the same order, equal in type and in every bit."""
    assert list(found.images) == list(expected.images)
    for one, other in ((found.mask, expected.mask), (found.shape_mask, expected.shape_mask)):
        assert (one is None) == (other is None)
        assert one is None or np.array_equal(one, other)
    for name, values in found.images.items():
        assert values.dtype == expected.images[name].dtype, name
        different = values != expected.images[name]
        assert not different.any(), (name, values[different][:3], expected.images[name][different][:3])


def assert_same_features(found: dict[str, float], expected: dict[str, float], roots: float = 0.0) -> None:
    """Fail unless both have the same names in the same order and each value agrees to 1e-9, or to 1e-12 near zero.

    MCC, Imc2 and the axis lengths are roots, and it is what stands under the root that both know to that precision. MCC
    and Imc2 are means over directions of such roots: a 0 that PyRadiomics knows to 1e-16 moves them by up to 1e-8.

    Args:
        found: This engine's values.
        expected: PyRadiomics' values.
        roots: Absolute difference of MCC and Imc2 to let pass, for matrices where the root is one of 0.
    """
    assert list(found) == list(expected)
    wrong = {}
    for name, value in found.items():
        reference = expected[name]
        power = 2 if name.endswith(ROOTS) else 1
        near = abs(value**power - reference**power) <= max(ABSOLUTE, RELATIVE * abs(reference**power))
        near = near or (name.endswith(MEAN_ROOTS) and abs(value - reference) <= roots)
        if not (near or (np.isnan(value) and np.isnan(reference))):
            wrong[name] = (value, reference)
    assert not wrong, f"(ours, theirs): {wrong}"


@st.composite
def grey_values(draw: st.DrawFn, shape: tuple[int, ...]) -> NDArray[np.generic]:
    """Noise of any type, few levels, one level, ramps; values that are not whole numbers, and negative ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(("int16", "float64", "float32", "uint16", "levels", "flat", "ramp")))
    if kind == "levels":
        return rng.integers(0, 3, shape).astype(np.uint8) * np.uint8(25)
    if kind == "flat":
        flat = np.full(shape, draw(st.integers(-50, 50)), np.int16)
        flat[0, 0, 0] += 1  # an image without any contrast has no standard deviation
        return flat
    if kind == "ramp":
        return np.indices(shape).sum(axis=0) * 3.7 + rng.normal(size=shape)
    if kind == "uint16":
        return rng.integers(0, 4000, shape).astype(np.uint16)
    return (rng.normal(size=shape) * 50).astype(kind)


@st.composite
def regions(draw: st.DrawFn, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Boxes at any place, balls with a hole, dust, one slice, one line; all of them also at the border."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(("box", "ball", "half", "dust", "slice", "line")))
    region = np.zeros(shape, np.uint8)
    if kind == "box":
        low = [int(rng.integers(0, n)) for n in shape]
        region[
            tuple(slice(first, int(rng.integers(first + 1, n + 1))) for first, n in zip(low, shape, strict=True))
        ] = 1
    elif kind == "ball":
        centre = np.array(shape) / 2
        offsets = np.indices(shape) - centre[:, None, None, None]
        reach = np.maximum(centre - 1, 0.6)[:, None, None, None]
        region[((offsets / reach) ** 2).sum(axis=0) <= 1] = 1
        region[tuple(n // 2 for n in shape)] = draw(st.sampled_from((0, 1)))
    elif kind == "slice":
        region[int(rng.integers(shape[0]))] = rng.random(shape[1:]) < 0.7
    elif kind == "line":
        region[:, int(rng.integers(shape[1])), int(rng.integers(shape[2]))] = 1
    else:
        region[:] = rng.random(shape) < (0.5 if kind == "half" else 0.05)
    if region.all():
        region[0, 0, 0] = 0  # PyRadiomics 3.0.1 refuses a mask that fills the image
    return region


IMAGE_TYPES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "LoG": st.just({"sigma": [1.0, 2]}),
    "Wavelet": st.fixed_dictionaries(
        {
            "wavelet": st.sampled_from(("coif1", "haar", "db3", "bior1.3")),
            "level": st.integers(1, 2),
            "start_level": st.integers(0, 1),
        }
    ),
    "Square": st.just({}),
    "SquareRoot": st.just({}),
    "Logarithm": st.just({}),
    "Exponential": st.just({}),
    "Gradient": st.fixed_dictionaries({"gradientUseSpacing": st.booleans()}),
    "LBP2D": st.fixed_dictionaries(
        {"lbp2DMethod": st.sampled_from(("default", "ror", "uniform")), "lbp2DRadius": st.sampled_from((1, 1.5))}
    ),
}
SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "normalize": st.just(True),
    "normalizeScale": st.sampled_from((100, 0.5)),
    "removeOutliers": st.sampled_from((1, 2.5)),
    "resampledPixelSpacing": st.lists(st.sampled_from((0, 1, 1.3, 2.0)), min_size=3, max_size=3),
    "interpolator": st.sampled_from(("sitkLinear", "sitkNearestNeighbor", "sitkGaussian", "sitkHammingWindowedSinc")),
    "preCrop": st.just(True),
    "padDistance": st.integers(0, 7),
    "resegmentRange": st.sampled_from((["sigma", -1.5, 1.5], ["relative", -0.5], ["absolute", 40, -40])),
    "resegmentShape": st.just(True),
    "force2D": st.just(True),
    "force2Ddimension": st.integers(0, 2),
    "minimumROIDimensions": st.integers(1, 3),
    "minimumROISize": st.integers(1, 9),
}


@st.composite
def cases(draw: st.DrawFn) -> tuple[sitk.Image, sitk.Image, RadiomicsSettings]:
    """A small image with anisotropic voxels in any direction, a region in it, and settings."""
    shape = tuple(draw(st.lists(st.sampled_from((5, 8, 13, 16, 3, 1)), min_size=3, max_size=3)))
    image = sitk.GetImageFromArray(draw(grey_values(shape)))
    mask = sitk.GetImageFromArray(draw(regions(shape)))
    angle = draw(st.sampled_from((0.0, 0.0, 0.3, 1.2)))
    cosine, sine = np.cos(angle), np.sin(angle)
    spacing = [draw(st.sampled_from((0.7, 1.0, 1.5, 3.3))) for _ in range(3)]
    for item in (image, mask):
        item.SetSpacing(spacing)
        item.SetOrigin((-31.7, 12.25, 105.1))
        item.SetDirection((cosine, -sine, 0, sine, cosine, 0, 0, 0, 1))
    chosen = draw(st.sets(st.sampled_from(sorted(SETTINGS)), max_size=6))
    kinds = draw(st.sets(st.sampled_from(sorted(IMAGE_TYPES)), max_size=3))
    values = {key: draw(SETTINGS[key]) for key in sorted(chosen)}
    if "resegmentRange" in values:
        values["resegmentMode"], *values["resegmentRange"] = values["resegmentRange"]
    raw = {
        "imageType": {"Original": {}, **{kind: draw(IMAGE_TYPES[kind]) for kind in sorted(kinds)}},
        "setting": values,
    }
    return image, mask, RadiomicsSettings.from_dict(raw)
