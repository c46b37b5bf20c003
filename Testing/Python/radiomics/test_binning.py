"""Grey levels against numpy's own placing in PyRadiomics' edges, and against PyRadiomics."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.errors import InputError
from hccoutcome.radiomics.binning import MOST_BINS, bin_edges, bin_image, bin_values

TYPES = (np.float64, np.float32, np.int16, np.uint8)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(TYPES),
    spread=st.sampled_from((0, 0.01, 5, 100)),
    bin_width=st.sampled_from((0.1, 0.3, 1.7, 5, 25, 25.0)),
    bin_count=st.sampled_from((None, None, 1, 2, 16, 64)),
    whole=st.booleans(),
)
def test_levels_equal_pyradiomics(seed, kind, spread, bin_width, bin_count, whole) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        operations = pytest.importorskip("radiomics.imageoperations", reason="PyRadiomics is not installed")
    values = np.random.default_rng(seed).normal(loc=100, scale=spread, size=(3, 4, 5))
    values = np.clip(np.round(values / 5) * 5 if whole else values, 0, 200).astype(kind)
    mask = np.ones(values.shape, np.bool_)
    mask[0, 0] = False
    expected, _ = operations.binImage(values, mask, binWidth=bin_width, binCount=bin_count)
    assert (bin_image(values, mask, bin_width, bin_count) == expected).all()


def test_bins_start_at_whole_multiples_of_the_width() -> None:
    assert bin_edges(np.float64(54), np.float64(166)).tolist() == [50, 75, 100, 125, 150, 175, 200]
    assert bin_values(np.array([54.0, 74.999, 75.0, 166.0])).tolist() == [1, 1, 2, 5]


def test_whole_numbers_near_the_end_of_their_type_do_not_overflow() -> None:
    values = np.array([0, 100, 255], np.uint8)
    assert bin_values(values, bin_width=25).tolist() == [1, 5, 11]


def test_a_bin_number_puts_the_largest_value_in_the_top_bin() -> None:
    assert bin_values(np.arange(10.0), bin_count=3).tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3, 3]


def test_every_value_is_placed_as_numpy_places_it_among_the_edges() -> None:
    values = np.random.default_rng(0).normal(size=5000) * 100
    edges = bin_edges(values.min(), values.max(), 0.7)
    assert (bin_values(values, 0.7) == np.digitize(values, edges)).all()


@pytest.mark.parametrize("kind", TYPES)
def test_more_bins_than_fit_are_refused_before_they_are_made(kind: type) -> None:
    values = np.array([10, 110], kind)
    for width in (1e-9, 1e-320):
        with pytest.raises(InputError, match=f"found values from 10 to 110 with a binWidth of {width:g}: use wider bi"):
            bin_values(values, width)
    with pytest.raises(InputError, match="at most 16777216 bins, found binCount 1000000000000: lower it"):
        bin_values(values, bin_count=10**12)


def test_many_bins_of_which_few_are_used_are_still_taken() -> None:
    levels = bin_values(np.array([0.0, 1.0, float(MOST_BINS)]), 1.0)
    assert levels.tolist() == [1, 2, MOST_BINS + 1]
