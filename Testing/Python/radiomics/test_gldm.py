"""Dependence matrices against PyRadiomics, its manual's example and cases solved by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyradiomics_oracle import ask_pyradiomics, assert_same_features, regions, texture_settings

from hccoutcome.radiomics.binning import bin_image
from hccoutcome.radiomics.classes import TextureRegion, compute_texture
from hccoutcome.radiomics.gldm import dependences, dependences_of_equal_neighbours

MANUAL = np.array([[5, 2, 5, 4, 4], [3, 3, 3, 1, 3], [2, 1, 1, 1, 3], [4, 2, 2, 2, 3], [3, 5, 3, 3, 2]])[None]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from((5.0, 25.0)))
def test_every_feature_equals_pyradiomics(data: st.DataObject, bin_width: float) -> None:
    region = data.draw(regions())
    ours, theirs = data.draw(texture_settings(region))
    expected, _ = ask_pyradiomics("gldm", region, binWidth=bin_width, **theirs)
    found = compute_texture(bin_image(region.image, region.mask, bin_width), ["gldm"], ours)["gldm"]
    assert_same_features(found, expected)


def test_dependences_of_the_example_in_pyradiomics_manual() -> None:
    region = TextureRegion(MANUAL)
    expected = [[0, 1, 2, 1], [1, 2, 3, 0], [1, 4, 4, 0], [1, 2, 0, 0], [3, 0, 0, 0]]
    counts = dependences(region.grid, region.steps, 0)
    assert counts[:, :4].tolist() == expected
    assert not counts[:, 4:].any()


def test_both_ways_to_count_equal_neighbours_agree() -> None:
    levels = np.random.default_rng(1).integers(0, 4, (7, 8, 9))
    region = TextureRegion(levels)
    slow = dependences(region.grid, region.steps, 0)
    assert (dependences_of_equal_neighbours(region.grid, *region.equal_neighbours) == slow).all()


def test_a_voxel_alone_depends_only_on_itself() -> None:
    values = compute_texture(np.full((1, 1, 1), 3), ["gldm"])["gldm"]
    assert values["SmallDependenceEmphasis"] == values["LargeDependenceEmphasis"] == 1
    assert values["HighGrayLevelEmphasis"] == pytest.approx(9)
