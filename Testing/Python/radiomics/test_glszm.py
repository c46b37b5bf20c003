"""Size zone matrices against PyRadiomics, its manual's example and cases solved by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pyradiomics_oracle import ask_pyradiomics, assert_same_features, regions, texture_settings
from scipy import ndimage

from hccoutcome.radiomics.binning import bin_image
from hccoutcome.radiomics.classes import TextureRegion, TextureSettings, compute_texture
from hccoutcome.radiomics.glszm import zones

MANUAL = np.array([[5, 2, 5, 4, 4], [3, 3, 3, 1, 3], [2, 1, 1, 1, 3], [4, 2, 2, 2, 3], [3, 5, 3, 3, 2]])[None]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from((5.0, 25.0)))
def test_every_feature_equals_pyradiomics(data: st.DataObject, bin_width: float) -> None:
    region = data.draw(regions())
    ours, theirs = data.draw(texture_settings(region))
    expected, _ = ask_pyradiomics("glszm", region, binWidth=bin_width, **theirs)
    found = compute_texture(bin_image(region.image, region.mask, bin_width), ["glszm"], ours)["glszm"]
    assert_same_features(found, expected)


def zone_list(levels: np.ndarray, **settings) -> list[tuple[int, int]]:
    region = TextureRegion(levels, TextureSettings(**settings))
    code, size = zones(region.grid, region.touching, region.equal_neighbours[1])
    return sorted(zip(region.grid.levels[code].astype(int).tolist(), size.tolist(), strict=True))


def test_zones_of_the_example_in_pyradiomics_manual() -> None:
    expected = [(1, 4), (2, 1), (2, 5), (3, 1), (3, 3), (3, 5), (4, 1), (4, 2), (5, 1), (5, 1), (5, 1)]
    assert zone_list(MANUAL) == expected


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.booleans())
def test_zones_are_the_connected_components_of_scipy(seed: int, highest: int, flat: bool) -> None:
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, highest + 1, rng.integers(1, 12, 3))
    if not levels.any():
        levels[0, 0, 0] = 1
    structure = np.ones((3, 3, 3), np.int8)
    if flat:
        structure[[0, 2]] = 0
    expected = []
    for level in range(1, highest + 1):
        labels = ndimage.label(levels == level, structure)[0]
        expected += [(level, int(size)) for size in np.bincount(labels.ravel())[1:]]
    assert zone_list(levels, force_2d=flat) == sorted(expected)
