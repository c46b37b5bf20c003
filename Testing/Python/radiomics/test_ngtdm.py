"""Tone difference matrices against PyRadiomics, its manual's example and cases solved by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyradiomics_oracle import ask_pyradiomics, assert_same_features, regions, texture_settings

from hccoutcome.radiomics.binning import bin_image
from hccoutcome.radiomics.classes import TextureRegion, compute_texture
from hccoutcome.radiomics.ngtdm import tone_differences

MANUAL = np.array([[1, 2, 5, 2], [3, 5, 1, 3], [1, 3, 5, 5], [3, 1, 1, 1]])[None]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from((5.0, 25.0)))
def test_every_feature_equals_pyradiomics(data: st.DataObject, bin_width: float) -> None:
    region = data.draw(regions())
    ours, theirs = data.draw(texture_settings(region))
    expected, _ = ask_pyradiomics("ngtdm", region, binWidth=bin_width, **theirs)
    found = compute_texture(bin_image(region.image, region.mask, bin_width), ["ngtdm"], ours)["ngtdm"]
    # Where level times frequency is the same for all levels, PyRadiomics divides by a rounding error.
    assert_same_features(found, expected, {"Busyness"} if found["Busyness"] == 0 else set())


def test_differences_of_the_example_in_pyradiomics_manual() -> None:
    region = TextureRegion(MANUAL)
    assert region.grid.counts.tolist() == [6, 2, 4, 4]
    differences = tone_differences(region.grid, region.steps)
    assert differences == pytest.approx([13.35, 2.0, 0.6 + 0.6 + 0.5 + 4 / 3, 10.075])


def test_a_flat_region_is_as_coarse_as_can_be() -> None:
    values = compute_texture(np.full((2, 2, 2), 4), ["ngtdm"])["ngtdm"]
    assert values == {"Busyness": 0, "Coarseness": 1e6, "Complexity": 0, "Contrast": 0, "Strength": 0}


def test_equal_shares_of_level_and_frequency_leave_busyness_at_zero() -> None:
    # Level 1 twice and level 2 once: 1 * 2/3 = 2 * 1/3.
    assert compute_texture(np.array([[[1, 1, 2]]]), ["ngtdm"])["ngtdm"]["Busyness"] == 0
