"""Local binary patterns: equal to scikit-image in two dimensions, and lawful in three."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from hccoutcome.radiomics.binarypatterns import icosphere, local_binary_pattern, spherical_patterns


@pytest.mark.parametrize("method", ["default", "ror", "uniform", "var"])
@pytest.mark.parametrize(("samples", "radius"), [(1, 1), (4, 0.7), (8, 1), (9, 1.5), (16, 3.3)])
@pytest.mark.parametrize("kind", [np.int16, np.float64])
def test_planar_codes_equal_scikit_image(method: str, samples: int, radius: float, kind: type) -> None:
    feature = pytest.importorskip("skimage.feature", reason="scikit-image is not installed")
    image = (np.random.default_rng(0).normal(size=(19, 23)) * 4).astype(kind)
    image[:6] = 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of images of real numbers
        expected = feature.local_binary_pattern(image, samples, radius, method)
    rows, columns = slice(2, 19), slice(0, 20)
    found = local_binary_pattern(image, rows, columns, samples, radius, method)
    assert np.array_equal(found, expected[rows, columns], equal_nan=True)


def test_a_peak_has_the_code_of_no_brighter_neighbour() -> None:
    image = np.zeros((5, 5))
    image[2, 2] = 1
    codes = local_binary_pattern(image, slice(0, 5), slice(0, 5), 8, 1, "uniform")
    assert codes[2, 2] == 0
    assert codes[0, 0] == 8, "the outside counts as 0 and is not darker than 0"


@pytest.mark.parametrize(("subdivisions", "corners"), [(0, 12), (1, 42), (2, 162), (3, 642)])
def test_an_icosphere_lies_on_its_sphere_and_is_centred(subdivisions: int, corners: int) -> None:
    points = icosphere(subdivisions, 2.5)
    assert points.shape == (corners, 3)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 2.5, rtol=1e-14)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-13)


def test_the_energy_of_degree_zero_counts_the_neighbours_that_are_not_darker() -> None:
    """Degree 0 is constant on the sphere: its energy is the count times Y00^2 times the root of the points."""
    image = np.random.default_rng(0).normal(size=(9, 9, 9))
    image[4, 4, 4] = -100
    energies, kurtosis = spherical_patterns(image, tuple(np.array([[4], [4], [4]])), 2, 1, 1)
    assert energies[0, 0] == pytest.approx(42 * np.sqrt(42) / (4 * np.pi))
    assert energies.shape == (1, 2) and np.isfinite(kurtosis).all()


def test_many_voxels_are_handled_in_parts_without_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).normal(size=(12, 12, 12))
    voxels = tuple(index.ravel() for index in np.indices(image.shape))
    at_once = spherical_patterns(image, voxels, 3, 1.5, 1)
    monkeypatch.setattr("hccoutcome.radiomics.binarypatterns._CHUNK", 100)
    in_parts = spherical_patterns(image, voxels, 3, 1.5, 1)
    assert all(np.array_equal(one, other) for one, other in zip(at_once, in_parts, strict=True))
