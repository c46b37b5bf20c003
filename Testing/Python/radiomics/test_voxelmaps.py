"""Maps of features against PyRadiomics' voxel-based mode, and their threads, progress and errors."""

from __future__ import annotations

import warnings
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from pyradiomics_oracle import (
    ABSOLUTE,
    RELATIVE,
    Region,
    glcm_by_definition,
    load_class,
    regions,
    texture_settings,
)

from hccoutcome.errors import Cancelled, InputError
from hccoutcome.radiomics.binning import bin_image
from hccoutcome.radiomics.classes import TextureSettings
from hccoutcome.radiomics.features import FEATURES
from hccoutcome.radiomics.levelgrid import unique_directions
from hccoutcome.radiomics.symmetric import largest_eigenvalue
from hccoutcome.radiomics.symmetriclanes import LANES, largest_magnitudes
from hccoutcome.radiomics.voxelmaps import MAP_CLASSES, MapSettings, compute_voxel_maps


def pyradiomics_maps(name: str, region: Region, **parameters):
    """Return PyRadiomics' maps as arrays, NaN where it gives none, and its own object."""
    extractor_class = load_class(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = sitk.GetImageFromArray(region.image)
        image.SetSpacing([float(step) for step in region.spacing[::-1]])
        mask = sitk.GetImageFromArray(region.mask.astype(np.uint8))
        mask.CopyInformation(image)
        extractor = extractor_class(image, mask, voxelBased=True, initValue=float("nan"), **parameters)
        extractor.enableAllFeatures()
        return {key: sitk.GetArrayFromImage(value) for key, value in extractor.execute().items()}, extractor


def left_to_rounding(extractor) -> dict[str, np.ndarray]:
    """Return for each voxel which features of weighted co-occurrences are decided by rounding in PyRadiomics."""
    p = np.nan_to_num(extractor.P_glcm)
    rows, columns = p.sum(axis=2), p.sum(axis=1)
    scale = np.sqrt(rows[:, :, None] * columns[:, None])
    scaled = np.divide(p, scale, where=scale > 0, out=np.zeros_like(p)).transpose(0, 3, 1, 2)
    second = np.linalg.svd(scaled)[1]
    alone = (second[..., 1] < 1e-4).any(axis=1) if second.shape[-1] > 1 else np.zeros(len(p), np.bool_)
    levels = extractor.coefficients["grayLevels"].astype(float)[None, :, None]
    spread = [(m * (levels - (m * levels).sum(axis=1, keepdims=True)) ** 2).sum(axis=1) for m in (rows, columns)]
    flat = (np.minimum(*spread) < 1e-14).any(axis=1)
    return {"Imc2": alone, "MCC": alone, "Correlation": flat}


@pytest.mark.parametrize("name", MAP_CLASSES)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data(), radius=st.integers(1, 2), masked=st.booleans())
def test_every_map_equals_pyradiomics(name: str, data: st.DataObject, radius: int, masked: bool) -> None:
    region = data.draw(regions())
    texture, theirs = data.draw(texture_settings(region))
    expected, extractor = pyradiomics_maps(
        name, region, binWidth=100.0, kernelRadius=radius, maskedKernel=masked, **theirs
    )
    wanted = {name: [feature for feature, entry in FEATURES[name].items() if entry.on_by_default]}
    found = compute_voxel_maps(
        region.image, region.mask, wanted, MapSettings(radius, masked, 100.0, texture=texture)
    ).values
    unsure: dict[str, np.ndarray] = {}
    if name == "glcm":
        weighted = texture.weighting_norm is not None
        unsure = left_to_rounding(extractor) if weighted else {}
        exact = {} if weighted else glcm_by_definition(extractor)
        unsure["Imc1"] = found["glcm_JointEntropy"] < 1e-12  # all but one pair weighs nothing
    if name == "firstorder":
        unsure = dict.fromkeys(("Skewness", "Kurtosis"), found["firstorder_Range"] == 0)
    if name == "ngtdm":
        unsure = {"Busyness": found["ngtdm_Busyness"] == 0}
    for feature in wanted[name]:
        ours, reference = found[f"{name}_{feature}"], expected[feature][region.mask]
        if name == "glcm" and feature in exact:
            reference = exact[feature]
        # The terms of a shade that cancel to 0 are as large as the prominence, and so is PyRadiomics' rounding.
        size = 1 + np.abs(found["glcm_ClusterProminence"]) if feature == "ClusterShade" else 1
        equal = np.abs(ours - reference) <= np.maximum(ABSOLUTE * size, RELATIVE * np.abs(reference))
        equal |= np.isnan(reference) & (np.isnan(ours) | (feature in ("JointAverage", "MCC")))
        equal |= unsure.get(feature, np.False_)
        if feature in ("Imc2", "MCC"):  # roots: the number under the root agrees
            equal |= np.abs(ours**2 - reference**2) <= ABSOLUTE
        # Without any pair or run PyRadiomics is NaN too, but for what it sums over no cell at all.
        equal |= np.isnan(ours) & (reference == 0) & (feature in ("InverseVariance", "RunEntropy", "RunVariance"))
        equal |= np.isnan(ours) & (reference == 1) & (feature == "MCC")  # its value for a region of one level
        assert equal.all(), (feature, ours[~equal], reference[~equal])


@pytest.mark.parametrize("width", [2.0, 4.0, 15.0])
def test_boxes_of_few_and_of_many_levels_equal_pyradiomics(width: float) -> None:
    """The boxes hold up to 40, 25 and 8 levels: which tables are taken changes no value."""
    rng = np.random.default_rng(1)
    image = rng.normal(scale=20, size=(4, 5, 6)) + 10 * np.arange(6)
    region = Region(image, rng.random(image.shape) < 0.9, (1.0, 1.0, 1.0))
    expected, extractor = pyradiomics_maps("glcm", region, binWidth=width, kernelRadius=2)
    wanted = {"glcm": list(expected)}
    found = compute_voxel_maps(region.image, region.mask, wanted, MapSettings(2, True, width)).values
    exact = glcm_by_definition(extractor)
    for feature in wanted["glcm"]:
        ours, reference = found[f"glcm_{feature}"], exact.get(feature, expected[feature][region.mask])
        scale = np.abs(found["glcm_ClusterProminence"]) if feature == "ClusterShade" else np.abs(reference)
        close = np.abs(ours - reference) <= ABSOLUTE + RELATIVE * scale
        assert close.all(), feature


@pytest.mark.parametrize("name", ["glcm", "gldm", "ngtdm"])
@pytest.mark.parametrize("shape", [(1, 5, 6), (4, 5, 6)])
def test_distances_given_twice_count_as_in_pyradiomics(name: str, shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(2)
    region = Region(rng.normal(scale=60, size=shape), rng.random(shape) < 0.9, (1.0, 1.0, 1.0))
    region.mask[[0, -1], [0, -1], [0, -1]] = True  # so that the box of the region is the image
    texture = TextureSettings(distances=(1, 2, 1), symmetrical_glcm=False)
    expected, _ = pyradiomics_maps(name, region, distances=[1, 2, 1], symmetricalGLCM=False, kernelRadius=2)
    wanted = ("Contrast",) if name != "gldm" else ("LargeDependenceEmphasis", "DependenceEntropy")
    found = compute_voxel_maps(region.image, region.mask, {name: wanted}, MapSettings(2, texture=texture)).values
    for feature in wanted:
        np.testing.assert_allclose(found[f"{name}_{feature}"], expected[feature][region.mask], rtol=1e-9)


def exact_shade(levels: np.ndarray, radius: int, symmetrical: bool) -> list[float]:
    """Return ClusterShade of the box around each voxel in fractions, rounded once at the end."""
    values = []
    for place in np.ndindex(levels.shape):
        box = levels[tuple(slice(max(p - radius, 0), p + radius + 1) for p in place)]
        shades = [Fraction(0)]
        for step in unique_directions((1,), shape=box.shape):
            here, there = (
                box[tuple(slice(max(sign * s, 0), n + min(sign * s, 0)) for s, n in zip(step, box.shape, strict=True))]
                for sign in (-1, 1)
            )
            sums = (here + there).ravel().tolist() * (2 if symmetrical else 1)
            mean = Fraction(sum(sums), len(sums))
            shades.append(sum((Fraction(value) - mean) ** 3 for value in sums) / len(sums))
        values.append(float(sum(shades) / (len(shades) - 1)))
    return values


@pytest.mark.parametrize("symmetrical", [True, False])
@pytest.mark.parametrize("texture", ["ramp", "noise"])
def test_a_cluster_shade_whose_terms_cancel_is_exact(texture: str, symmetrical: bool) -> None:
    """On a ramp it is 0 or nearly so in the middle, where PyRadiomics is up to 1e-11 off."""
    z, y, x = np.indices((3, 4, 5))
    image = (20 * x + 7 * y + 3 * z).astype(float)
    if texture == "noise":
        image = np.round(np.random.default_rng(0).normal(scale=80, size=x.shape))
    settings = MapSettings(1, True, 2.0, texture=TextureSettings(symmetrical_glcm=symmetrical))
    everywhere = np.ones(image.shape, np.bool_)
    found = compute_voxel_maps(image, everywhere, {"glcm": ["ClusterShade"]}, settings).values["glcm_ClusterShade"]
    expected = np.array(exact_shade(bin_image(image, everywhere, 2.0), 1, symmetrical))
    assert (np.abs(found - expected) <= np.maximum(ABSOLUTE, RELATIVE * np.abs(expected))).all()
    assert (np.abs(expected) < 1e-9).any() == (texture == "ramp")


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    return rng.normal(scale=40, size=(14, 15, 16)), rng.random((14, 15, 16)) < 0.9


def test_threads_change_no_bit(scene) -> None:
    wanted = {"glcm": ["MCC", "Contrast"], "firstorder": ["Median"]}
    alone = compute_voxel_maps(*scene, wanted, threads=1).values
    together = compute_voxel_maps(*scene, wanted, threads=4).values
    assert all((alone[name] == together[name]).all() for name in alone)


def test_a_map_lies_in_the_shape_of_the_image(scene) -> None:
    maps = compute_voxel_maps(*scene, {"firstorder": ["Mean"]})
    picture = maps.array("firstorder_Mean", elsewhere=-1.0)
    assert picture.shape == scene[0].shape
    assert (picture[~scene[1]] == -1).all()
    place = tuple(np.argwhere(scene[1])[700])
    box = tuple(slice(max(p - 1, 0), p + 2) for p in place)
    assert picture[place] == pytest.approx(scene[0][box][scene[1][box]].mean())


def test_progress_rises_to_one_and_may_cancel(scene) -> None:
    told: list[float] = []
    compute_voxel_maps(*scene, {"ngtdm": ["Contrast"]}, progress=lambda part, _: told.append(part))
    assert told == sorted(told)
    assert told[-1] == 1

    def stop(part: float, message: str) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled, match="stopped"):
        compute_voxel_maps(*scene, {"glcm": ["Contrast"]}, progress=stop)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"shape": ["Sphericity"]}, "there are no maps of the class 'shape'"),
        ({"glcm": ["Contrasts"]}, "glcm has no feature 'Contrasts': did you mean 'Contrast'"),
    ],
)
def test_what_cannot_be_mapped_is_refused(scene, wanted: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        compute_voxel_maps(*scene, wanted)


def test_a_radius_beyond_five_is_refused() -> None:
    with pytest.raises(InputError, match="The kernel radius must be 1 to 5 voxels, found 6: choose one of them"):
        replace(MapSettings(), radius=6)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.sampled_from(("any", "twice", "ones")))
def test_the_largest_eigenvalue_is_that_of_numpy(seed: int, n: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    vectors = np.linalg.qr(rng.normal(size=(n, n)))[0]
    values = rng.random(n)
    if kind == "twice":
        values[:2] = values.max()
    elif kind == "ones":
        values[rng.random(n) < 0.5] = 1.0
    matrix = (vectors * values) @ vectors.T
    matrix = (matrix + matrix.T) / 2
    found = largest_eigenvalue(matrix.copy(), np.zeros(n), np.zeros(n))
    assert found == pytest.approx(np.linalg.eigvalsh(matrix)[-1], rel=1e-13)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20))
def test_the_largest_magnitudes_are_those_of_numpy(seed: int, n: int) -> None:
    """Among the matrices are some of one level only, some with a double value and one whose largest is negative."""
    rng = np.random.default_rng(seed)
    matrices = []
    for lane in range(LANES):
        vectors = np.linalg.qr(rng.normal(size=(n, n)))[0]
        values = rng.uniform(-0.9, 0.9, n) * (rng.random(n) < (0.4 if lane % 2 else 1.0))
        values[: lane % 3] = values[0]
        values[:1] = -1.0 if lane == 4 else values[:1]
        matrices.append((vectors * values) @ vectors.T)
    matrices[3][:] = 0.0
    lower = np.tril(np.array(matrices)).transpose(1, 2, 0).reshape(n * n, LANES)
    found = largest_magnitudes(lower.copy(), n, np.zeros((4 * n + 8, LANES)))
    expected = np.abs(np.linalg.eigvalsh(np.array(matrices))).max(axis=1)
    np.testing.assert_allclose(found, np.where(expected > 1e-6, expected, 0.0), rtol=1e-10)
