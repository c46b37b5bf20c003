"""First-order statistics and grey levels against PyRadiomics and cases solved by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyradiomics_oracle import ask_pyradiomics, assert_same_features, regions

from hccoutcome.radiomics.binning import bin_image
from hccoutcome.radiomics.classes import compute_first_order


@settings(max_examples=80, deadline=None, derandomize=True)
@given(regions(), st.sampled_from((5.0, 25.0)), st.sampled_from((0, 300)))
def test_every_feature_equals_pyradiomics(region, bin_width: float, shift: int) -> None:
    expected, _ = ask_pyradiomics("firstorder", region, binWidth=bin_width, voxelArrayShift=shift)
    levels = bin_image(region.image, region.mask, bin_width)
    volume = float(np.prod(region.spacing))
    found = compute_first_order(region.image[region.mask], levels[region.mask], volume, shift)
    flat = found["Range"] == 0
    assert_same_features(found, expected, {"Skewness", "Kurtosis"} if flat else set())


def test_large_regions_equal_pyradiomics_beyond_one_block_of_the_sums() -> None:
    from pyradiomics_oracle import Region

    rng = np.random.default_rng(5)
    image = rng.normal(scale=40, size=(20, 30, 40)).astype(np.float32)
    region = Region(image, np.ones(image.shape, np.bool_), (1.0, 1.0, 1.0))
    expected, _ = ask_pyradiomics("firstorder", region, binWidth=5.0)
    levels = bin_image(image, region.mask, 5.0)
    assert_same_features(compute_first_order(image.ravel(), levels.ravel(), 1.0), expected)


def test_a_flat_region_has_no_spread_although_its_mean_is_not_exact() -> None:
    values = compute_first_order(np.full(7, 0.1), np.ones(7, np.int32), 1.0)
    for name in ("Variance", "StandardDeviation", "Skewness", "Kurtosis", "MeanAbsoluteDeviation", "Range"):
        assert values[name] == 0
    assert values["Mean"] == values["Median"] == 0.1


def test_hand_computed_statistics_of_five_values() -> None:
    values = compute_first_order(np.array([1, 2, 3, 4, 10]), np.array([1, 1, 1, 1, 2]), 2.0, 1.0)
    assert values["Energy"] == 4 + 9 + 16 + 25 + 121
    assert values["TotalEnergy"] == 2 * values["Energy"]
    assert values["RootMeanSquared"] == pytest.approx(np.sqrt(35))
    assert (values["Mean"], values["Median"], values["Range"]) == (4, 3, 9)
    assert values["InterquartileRange"] == 2
    assert values["Variance"] == pytest.approx(10)
    assert values["Uniformity"] == pytest.approx(0.8**2 + 0.2**2)
    # Between the 10th (1.4) and 90th (7.6) percentile lie 2, 3 and 4.
    assert values["RobustMeanAbsoluteDeviation"] == pytest.approx(2 / 3)


def test_no_value_between_the_percentiles_leaves_the_robust_deviation_undefined() -> None:
    assert np.isnan(compute_first_order(np.array([0.0, 1.0]), np.array([1, 1]), 1.0)["RobustMeanAbsoluteDeviation"])
