"""Grey levels: z-score against PyRadiomics and ITK, min-max and window by their definitions."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hccoutcome.errors import InputError
from hccoutcome.imaging.normalise import minmax, window, zscore


def made(values) -> sitk.Image:
    image = sitk.GetImageFromArray(np.asarray(values))
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetOrigin((-10, 20, 30))
    return image


def noise(seed: int = 0) -> sitk.Image:
    return made(np.random.default_rng(seed).normal(40, 30, (6, 7, 8)).astype(np.float32))


def values(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


@pytest.mark.parametrize(("scale", "outliers"), [(1.0, None), (100.0, None), (1.0, 1.5), (100.0, 2.0)])
def test_the_z_score_is_that_of_pyradiomics(scale, outliers):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        operations = pytest.importorskip("radiomics.imageoperations", reason="PyRadiomics is not installed")
        expected = operations.normalizeImage(noise(), normalizeScale=scale, removeOutliers=outliers)
    np.testing.assert_allclose(values(zscore(noise(), scale, outliers)), values(expected), rtol=2e-5, atol=2e-6 * scale)


def test_the_z_score_of_whole_numbers_is_that_of_itk():
    image = made(np.random.default_rng(1).integers(-1000, 2000, (6, 7, 8)).astype(np.int16))
    expected = sitk.Normalize(sitk.Cast(image, sitk.sitkFloat64))
    np.testing.assert_allclose(values(zscore(image)), values(expected), rtol=1e-6, atol=1e-6)


cubes = arrays(np.int16, (3, 4, 5), elements=st.integers(-1024, 3071)).filter(lambda a: a.min() < a.max())


@settings(derandomize=True, deadline=None, max_examples=40)
@given(cubes)
def test_min_max_reaches_both_ends_and_keeps_the_order(cube):
    scaled = values(minmax(made(cube)))
    assert scaled.min() == 0
    assert scaled.max() == pytest.approx(255)
    assert (np.diff(scaled.ravel()[np.argsort(cube, axis=None)]) >= 0).all()


def test_min_max_within_a_region_lets_the_rest_go_beyond():
    cube = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    region = made(((cube >= 10) & (cube <= 30)).astype(np.uint8))
    scaled = values(minmax(made(cube), 0, 100, within=region))
    assert scaled.ravel()[[10, 20, 30]] == pytest.approx([0, 50, 100])
    assert scaled.ravel()[[0, 59]] == pytest.approx([-50, 245])


@settings(derandomize=True, deadline=None, max_examples=40)
@given(cubes, st.integers(-500, 100), st.integers(101, 1500))
def test_a_window_clips_and_scales(cube, low, high):
    if np.clip(cube, low, high).min() == np.clip(cube, low, high).max():
        return
    np.testing.assert_array_equal(values(window(made(cube), low, high)), np.clip(cube, low, high))
    scaled = values(window(made(cube), low, high, (0, 1)))
    np.testing.assert_allclose(scaled, (np.clip(cube, low, high) - low) / (high - low), atol=1e-6)


@pytest.mark.parametrize("step", [zscore, minmax, lambda image: window(image, -50, 350)])
def test_the_grid_stays(step):
    result = step(noise())
    assert result.GetSpacing() == noise().GetSpacing()
    assert result.GetOrigin() == noise().GetOrigin()
    assert result.GetPixelID() == sitk.sitkFloat32


@pytest.mark.parametrize("step", [zscore, minmax])
def test_a_constant_image_is_refused(step):
    with pytest.raises(
        InputError, match=r"different grey levels, found 7 everywhere: check that the file was exported"
    ):
        step(made(np.full((3, 3, 3), 7.0)))


def test_nan_is_refused():
    with pytest.raises(InputError, match=r"holds finite values, found NaN or infinite ones: export"):
        zscore(made(np.array([[[1.0, np.nan, 2.0]]])))


def test_an_empty_region_is_refused():
    with pytest.raises(InputError, match=r"found the region empty: outline it"):
        minmax(noise(), within=made(np.zeros((6, 7, 8), np.uint8)))


def test_a_window_beside_the_values_is_refused():
    with pytest.raises(InputError, match=r"window 5000 to 6000 leaves a constant image of 5000: choose a window"):
        window(noise(), 5000, 6000)


def test_an_upside_down_window_is_refused():
    with pytest.raises(InputError, match=r"window runs from a lower to a higher value, found 350 to -50"):
        window(noise(), 350, -50)


def test_a_scale_of_zero_is_refused():
    with pytest.raises(InputError, match=r"'scale' is a number above 0, found 0"):
        zscore(noise(), scale=0)
