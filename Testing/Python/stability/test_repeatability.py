"""Coefficient of variation, Bland-Altman, repeatability and concordance against printed examples and their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hccoutcome.errors import InputError
from hccoutcome.stability.repeatability import bland_altman, coefficient_of_variation, concordance, repeatability

# Peak flow of 17 people (L/min), Bland and Altman, Lancet 1986, table 1: Wright meter twice, mini Wright meter.
WRIGHT = np.array([494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427.0])
WRIGHT_AGAIN = np.array([490, 397, 512, 401, 470, 611, 415, 431, 638, 429, 420, 633, 275, 492, 165, 372, 421.0])
MINI = np.array([512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451.0])

LAWS = settings(derandomize=True, deadline=None, max_examples=100)
REPEATS = arrays(np.float64, (5, 3, 2), elements=st.integers(1, 1000).map(float))


def column(values: np.ndarray) -> np.ndarray:
    return values[:, None]


def test_limits_of_agreement_are_those_printed_in_1986() -> None:
    found = bland_altman(column(WRIGHT), column(MINI))
    assert found.pairs[0] == 17
    assert found.bias[0] == pytest.approx(-2.1, abs=0.05)
    assert found.deviation[0] == pytest.approx(38.8, abs=0.05)
    # Printed with 2 deviations: -79.7 and 75.5; the later convention is 1.96.
    assert found.bias[0] - 2 * found.deviation[0] == pytest.approx(-79.7, abs=0.1)
    assert found.lower[0] == pytest.approx(-2.1 - 1.96 * 38.8, abs=0.1)
    assert found.bias_limits[:, 0] == pytest.approx([-22.0, 17.8], abs=0.1)


def test_repeatability_is_that_printed_in_1999() -> None:
    found = repeatability(np.stack([WRIGHT, WRIGHT_AGAIN], axis=1)[:, :, None])
    assert found.deviation[0] == pytest.approx(15.3, abs=0.05)
    assert found.coefficient[0] == pytest.approx(2.77 * 15.3, abs=0.1)
    assert found.df[0] == 17
    assert found.lower[0] < found.coefficient[0] < found.upper[0]


def test_concordance_is_precision_times_accuracy() -> None:
    found = concordance(column(WRIGHT), column(MINI))
    assert found.ccc[0] == pytest.approx(0.943, abs=0.0005)  # as Stata's concord prints for these data
    assert found.pearson[0] == pytest.approx(np.corrcoef(WRIGHT, MINI)[0, 1])
    assert found.ccc[0] == pytest.approx(found.pearson[0] * found.bias_correction[0])
    assert found.lower[0] < found.ccc[0] < found.upper[0]


def test_concordance_falls_with_a_shift_where_the_correlation_stays() -> None:
    both = np.stack([MINI, MINI + 100, 2 * MINI], axis=1)
    found = concordance(np.stack([WRIGHT] * 3, axis=1), both)
    np.testing.assert_allclose(found.pearson, found.pearson[0])
    assert (found.ccc[1:] < found.ccc[0]).all()


def test_identical_measurements_have_concordance_one_and_constant_ones_none() -> None:
    same = concordance(np.stack([WRIGHT, np.ones(17)], axis=1), np.stack([WRIGHT, np.ones(17)], axis=1))
    assert same.ccc[0] == 1
    assert np.isnan(same.ccc[1])


def test_limits_cover_the_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(5)
    subjects = 60
    signal = random.normal(size=(subjects, 4000)) * 2
    first, second = (signal + random.normal(size=signal.shape) + shift for shift in (0, 0.5))
    ccc = 2 * 4 / (5 + 5 + 0.25)
    found = concordance(first, second)
    assert np.mean((found.lower < ccc) & (ccc < found.upper)) == pytest.approx(0.95, abs=0.015)
    limits = bland_altman(first, second)
    truth = -0.5 - 1.96 * np.sqrt(2)
    assert np.mean((limits.lower_limits[0] < truth) & (truth < limits.lower_limits[1])) == pytest.approx(
        0.95, abs=0.015
    )
    covered = repeatability(np.stack([first, second - 0.5], axis=1))
    truth = 1.96 * np.sqrt(2)
    assert np.mean((covered.lower < truth) & (truth < covered.upper)) == pytest.approx(0.95, abs=0.015)


def test_the_coefficient_of_variation_is_the_root_mean_square_of_the_subjects() -> None:
    repeats = np.array([[[9.0], [10], [11]], [[40], [50], [60]]])
    assert coefficient_of_variation(repeats).cv[0] == pytest.approx(np.sqrt((0.1**2 + 0.2**2) / 2))


def test_missing_repeats_leave_what_is_there() -> None:
    repeats = np.array([[[9.0], [10], [11]], [[40], [np.nan], [60]], [[1], [np.nan], [np.inf]]])
    found = coefficient_of_variation(repeats)
    assert found.subjects[0] == 2
    assert found.cv[0] == pytest.approx(np.sqrt((0.1**2 + (np.sqrt(200) / 50) ** 2) / 2))
    assert repeatability(repeats).df[0] == 3


def test_identical_repeats_vary_by_nothing_and_a_mean_of_zero_gives_no_coefficient() -> None:
    repeats = np.array([[[0.0, -1, np.nan], [0, 1, 2]]])
    found = coefficient_of_variation(repeats)
    assert found.cv[0] == 0
    assert np.isnan(found.cv[1:]).all()
    assert list(found.reasons) == ["", "the repeats of a subject have mean 0", "no subject has 2 repeats"]


@LAWS
@given(REPEATS, st.floats(1e-3, 1e3))
def test_another_unit_changes_no_coefficient_of_variation(repeats: np.ndarray, scale: float) -> None:
    np.testing.assert_allclose(
        coefficient_of_variation(repeats * scale).cv, coefficient_of_variation(repeats).cv, rtol=1e-9, atol=1e-12
    )


@LAWS
@given(REPEATS)
def test_swapping_the_measurements_turns_the_bias_and_keeps_the_concordance(repeats: np.ndarray) -> None:
    first, second = repeats[:, 0], repeats[:, 1]
    there, back = bland_altman(first, second), bland_altman(second, first)
    np.testing.assert_allclose(there.bias, -back.bias)
    np.testing.assert_allclose(there.lower, -back.upper)
    np.testing.assert_allclose(concordance(first, second).ccc, concordance(second, first).ccc, atol=1e-12)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="at least 2 repeats"):
        coefficient_of_variation(np.ones((3, 1, 2)))
    with pytest.raises(InputError, match=r"shapes \(17, 1\) and \(16, 1\)"):
        bland_altman(column(WRIGHT), column(MINI[1:]))
