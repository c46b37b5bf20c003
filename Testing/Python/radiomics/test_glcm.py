"""Co-occurrence matrices against PyRadiomics, its manual's example and cases solved by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyradiomics_oracle import (
    Region,
    ask_pyradiomics,
    assert_same_features,
    crop,
    glcm_by_definition,
    regions,
    texture_settings,
)

from hccoutcome.errors import InputError
from hccoutcome.radiomics.binning import bin_image
from hccoutcome.radiomics.classes import TextureSettings, compute_texture
from hccoutcome.radiomics.features import GLCM
from hccoutcome.radiomics.glcm import pair_counts, pair_weights
from hccoutcome.radiomics.levelgrid import level_grid, unique_directions

MANUAL = np.array([[1, 2, 5, 2, 3], [3, 2, 1, 3, 1], [1, 3, 5, 5, 2], [1, 1, 1, 1, 2], [1, 2, 4, 3, 5]])[None]


def compare(extractor, found: dict[str, float], expected: dict[str, float]) -> None:
    """Fail unless all features agree, those that rounding decides about in PyRadiomics with their definition."""
    if np.isnan(found["JointEnergy"]):  # no pair at all, where PyRadiomics' sum over no cell is 0
        expected = expected | {"InverseVariance": np.nan}
        assert_same_features(found, expected)
        return
    if extractor.weightingNorm is None:
        expected = expected | {name: values[0] for name, values in glcm_by_definition(extractor).items()}
    unsure = {"MCC", "Imc2", "Correlation"} if extractor.weightingNorm and is_degenerate(extractor) else set()
    assert_same_features(found, expected, unsure)


def is_degenerate(extractor) -> bool:
    """Tell whether the weighted pairs are independent, so that rounding and epsilon decide."""
    p = extractor.P_glcm[0, :, :, 0]
    scale = np.sqrt(np.outer(p.sum(axis=1), p.sum(axis=0)))
    scaled = np.divide(p, scale, where=scale > 0, out=np.zeros_like(scale))
    return len(p) > 1 and np.linalg.svd(scaled, compute_uv=False)[1] < 1e-4


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from((5.0, 25.0)))
def test_every_feature_equals_pyradiomics(data: st.DataObject, bin_width: float) -> None:
    region = data.draw(regions())
    ours, theirs = data.draw(texture_settings(region))
    expected, extractor = ask_pyradiomics("glcm", region, binWidth=bin_width, **theirs)
    found = compute_texture(bin_image(region.image, region.mask, bin_width), ["glcm"], ours)["glcm"]
    compare(extractor, found, expected)


def test_many_levels_equal_pyradiomics() -> None:
    rng = np.random.default_rng(3)
    region = crop(np.cumsum(rng.normal(size=(8, 9, 12)), axis=2) * 25, np.ones((8, 9, 12), np.bool_), (1, 1, 1))
    expected, extractor = ask_pyradiomics("glcm", region, binWidth=2.0)
    levels = bin_image(region.image, region.mask, 2.0)
    assert levels.max() > 100
    compare(extractor, compute_texture(levels, ["glcm"])["glcm"], expected)


ONE_END = [[[1, 2], [3, 3], [3, 1], [3, 1]]]  # along one of four directions the second level of a pair is always 3


def test_independent_levels_count_as_0_where_pyradiomics_leaves_their_direction_out() -> None:
    levels = np.array(ONE_END)
    region = Region(levels * 25.0, levels > 0, (1.0, 1.0, 1.0))
    expected, extractor = ask_pyradiomics("glcm", region, binWidth=25, symmetricalGLCM=False)
    found = compute_texture(levels, ["glcm"], TextureSettings(symmetrical_glcm=False))["glcm"]
    assert found["MCC"] == pytest.approx(glcm_by_definition(extractor)["MCC"][0], rel=1e-9)
    left_out = found["MCC"] / expected["MCC"]
    assert 4 * left_out == pytest.approx(round(4 * left_out)), "PyRadiomics takes the mean of fewer than 4 directions"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1), shape=st.tuples(*[st.integers(1, 4)] * 3), density=st.sampled_from((0.3, 0.6, 1))
)
def test_pairs_in_one_order_equal_pyradiomics(seed: int, shape: tuple[int, ...], density: float) -> None:
    """Small regions without symmetry, in which one of the levels of a pair often never varies along a direction."""
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < density
    if mask.sum() < 2:
        return
    region = crop(rng.integers(0, 4, shape) * 25.0, mask, (1.0, 1.0, 1.0))
    expected, extractor = ask_pyradiomics("glcm", region, binWidth=25, symmetricalGLCM=False)
    levels = bin_image(region.image, region.mask, 25)
    compare(extractor, compute_texture(levels, ["glcm"], TextureSettings(symmetrical_glcm=False))["glcm"], expected)


def test_pairs_of_the_example_in_pyradiomics_manual() -> None:
    grid = level_grid(MANUAL, 1)
    counts = pair_counts(grid, np.array([[0, 0, 1]]))[0].astype(int)
    expected = [[6, 4, 3, 0, 0], [4, 0, 2, 1, 3], [3, 2, 0, 1, 2], [0, 1, 1, 0, 0], [0, 3, 2, 0, 2]]
    assert (counts + counts.T).tolist() == expected


def test_a_region_of_one_level_is_perfectly_correlated() -> None:
    values = compute_texture(np.ones((3, 3, 3), np.int32), ["glcm"])["glcm"]
    ones = ("Correlation", "MCC", "Id", "Idm", "Idmn", "Idn", "JointEnergy", "MaximumProbability", "JointAverage")
    assert {name: values[name] for name in ones} == dict.fromkeys(ones, 1.0)
    assert values["Imc1"] == values["Imc2"] == values["Contrast"] == 0


def test_independent_levels_share_no_information() -> None:
    # Along x every pair of the levels 1 and 2 is equally frequent.
    levels = np.array([[[1, 1, 2, 2, 1]]])
    values = compute_texture(levels, ["glcm"])["glcm"]
    assert values["MCC"] == values["Imc2"] == 0
    assert values["Correlation"] == pytest.approx(0, abs=1e-15)


def test_voxels_without_a_neighbour_have_no_matrix() -> None:
    levels = np.zeros((1, 1, 5), np.int32)
    levels[0, 0, [0, 4]] = 1, 2
    values = compute_texture(levels, ["glcm"])["glcm"]
    assert set(values) == set(GLCM)
    assert np.isnan(list(values.values())).all()


def test_weights_fall_with_the_length_of_the_step_in_each_norm() -> None:
    step, spacing = np.array([[1, -1, 0]]), (3.0, 0.4, 7.0)
    assert pair_weights(step, spacing, "manhattan") == pytest.approx(np.exp(-(3.4**2)))
    assert pair_weights(step, spacing, "euclidean") == pytest.approx(np.exp(-(9 + 0.16)))
    assert pair_weights(step, spacing, "infinity") == pytest.approx(np.exp(-9.0))
    assert pair_weights(step, spacing, "no_weighting") == pytest.approx(1.0)
    assert pair_weights(step, spacing, None) is None


@pytest.mark.parametrize(("distances", "count"), [((1,), 13), ((2,), 49), ((1, 2), 62)])
def test_directions_cover_half_of_the_shell(distances: tuple[int, ...], count: int) -> None:
    directions = unique_directions(distances)
    assert len(directions) == count
    both = {tuple(step) for step in np.concatenate([directions, -directions])}
    assert len(both) == 2 * count
    assert {max(abs(part) for part in step) for step in both} == set(distances)


def test_directions_within_a_plane_leave_out_the_other_axis() -> None:
    directions = unique_directions((1,), force_2d=True, force_2d_dimension=1)
    assert len(directions) == 4
    assert not directions[:, 1].any()


def test_a_symmetrical_matrix_makes_the_sum_average_twice_the_joint_average() -> None:
    levels = np.random.default_rng(0).integers(1, 9, (6, 6, 6))
    values = compute_texture(levels, ["glcm"], TextureSettings(symmetrical_glcm=True))["glcm"]
    assert values["SumAverage"] == pytest.approx(2 * values["JointAverage"], rel=1e-14)


def test_matrices_that_do_not_fit_are_refused_before_they_are_made() -> None:
    grid = level_grid(np.arange(1, 6428).reshape(1, 1, -1), 1)
    with pytest.raises(InputError, match="GLCM takes at most 6426 grey levels, found 6427 in the region: use wider bi"):
        pair_counts(grid, unique_directions((1,)))
