"""Run length matrices against PyRadiomics, its manual's example and cases solved by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyradiomics_oracle import ask_pyradiomics, assert_same_features, regions, texture_settings

from hccoutcome.radiomics.binning import bin_image
from hccoutcome.radiomics.classes import TextureRegion, compute_texture
from hccoutcome.radiomics.glrlm import run_counts, run_weights

MANUAL = np.array([[5, 2, 5, 4, 4], [3, 3, 3, 1, 3], [2, 1, 1, 1, 3], [4, 2, 2, 2, 3], [3, 5, 3, 3, 2]])[None]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from((5.0, 25.0)))
def test_every_feature_equals_pyradiomics(data: st.DataObject, bin_width: float) -> None:
    region = data.draw(regions())
    ours, theirs = data.draw(texture_settings(region))
    expected, _ = ask_pyradiomics("glrlm", region, binWidth=bin_width, **theirs)
    found = compute_texture(bin_image(region.image, region.mask, bin_width), ["glrlm"], ours)["glrlm"]
    # PyRadiomics gives 0 for these two, and NaN for the others, where its only matrix is empty.
    assert_same_features(found, expected, {"RunEntropy", "RunVariance"} if np.isnan(found["RunEntropy"]) else set())


def test_runs_of_the_example_in_pyradiomics_manual() -> None:
    region = TextureRegion(MANUAL)
    along_x = region.touching.tolist().index([0, 0, 1])
    counts = run_counts(region.grid, region.touching, *region.equal_neighbours)[along_x]
    assert counts.tolist() == [[1, 0, 1], [3, 0, 1], [4, 1, 1], [1, 1, 0], [3, 0, 0]]


def test_runs_longer_than_the_first_guess_are_counted() -> None:
    region = TextureRegion(np.ones((1, 1, 300), np.int32))
    counts = run_counts(region.grid, region.touching, *region.equal_neighbours)
    assert counts.shape[2] == 300
    assert counts.sum() == 1 and counts[-1, 0, 299] == 1


def test_directions_without_two_voxels_on_a_line_do_not_count() -> None:
    values = compute_texture(np.ones((1, 1, 4), np.int32), ["glrlm"])["glrlm"]
    assert values["RunPercentage"] == 0.25
    levels = np.zeros((1, 2, 3), np.int32)
    levels[0, 0, 0] = levels[0, 1, 2] = 1
    assert np.isnan(list(compute_texture(levels, ["glrlm"])["glrlm"].values())).all()


def test_a_gap_on_the_line_still_makes_the_direction_count() -> None:
    levels = np.zeros((1, 1, 5), np.int32)
    levels[0, 0, [0, 4]] = 1, 2
    assert compute_texture(levels, ["glrlm"])["glrlm"]["RunPercentage"] == 1


def test_weights_are_the_length_of_the_step_in_each_norm() -> None:
    step, spacing = np.array([[1, -1, 0]]), (3.0, 4.0, 7.0)
    assert run_weights(step, spacing, "manhattan") == pytest.approx(7)
    assert run_weights(step, spacing, "euclidean") == pytest.approx(5)
    assert run_weights(step, spacing, "infinity") == pytest.approx(4)
    assert run_weights(step, spacing, "no_weighting") == pytest.approx(1)
