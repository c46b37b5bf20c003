"""The Laplacian of Gaussian of a block equals ITK's of the whole image, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

from hccoutcome.radiomics.laplacian import laplacian_of_gaussian


@given(data=st.data())
@tries(max_examples=150, deadline=None, derandomize=True)
def test_a_block_equals_that_of_itk(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(4, 40), min_size=3, max_size=3)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    values = (rng.normal(size=shape) * 100).astype(data.draw(st.sampled_from((np.float64, np.float32, np.int16))))
    values[: shape[0] // 2] = -1024  # where an image is flat, only rounding decides the sign
    low = [data.draw(st.integers(0, n - 1)) for n in shape]
    box = tuple(slice(first, data.draw(st.integers(first + 1, n))) for first, n in zip(low, shape, strict=True))
    spacing = tuple(data.draw(st.sampled_from((0.7, 1.0, 1.6, 3.3))) for _ in range(3))
    sigma = data.draw(st.sampled_from((0.5, 1.0, 2.0, 3.7, 4.0)))
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing[::-1])
    expected = sitk.GetArrayFromImage(sitk.LaplacianRecursiveGaussian(image, sigma, True))
    found = laplacian_of_gaussian(values, box, sigma, spacing)
    assert found.dtype == np.float32
    assert np.array_equal(found, expected[box])


def test_a_bright_ball_is_dark_inside_and_the_response_peaks_at_its_scale() -> None:
    """The normalised response in the centre of a ball of radius r is largest at sigma = r / sqrt(3)."""
    offsets = np.indices((61, 61, 61)) - 30
    ball = ((offsets**2).sum(axis=0) <= 10**2).astype(np.float64)
    centre = (slice(30, 31),) * 3
    response = {sigma: laplacian_of_gaussian(ball, centre, sigma, (1, 1, 1)).item() for sigma in (3.0, 5.8, 9.0)}
    assert max(response.values()) < 0
    assert min(response, key=response.get) == 5.8


def test_a_constant_image_has_no_response() -> None:
    flat = np.full((12, 12, 12), 250, np.int16)
    assert laplacian_of_gaussian(flat, (slice(0, 12),) * 3, 2.0, (1, 1, 1)) == pytest.approx(0, abs=1e-3)
