"""Wavelet bands of a block equal PyWavelets' bands of the whole image, bit for bit."""

from __future__ import annotations

import numpy as np
import pywt
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st
from numpy.typing import NDArray

from hccoutcome.radiomics.wavelets import wavelet_bands


def whole(
    image: NDArray[np.generic], wavelet: str, axes: tuple[int, ...], level: int, start_level: int
) -> list[tuple[int, str, NDArray[np.floating]]]:
    """Return all bands of the image by PyWavelets, as PyRadiomics asks for them."""
    data = np.pad(image, tuple((0, n % 2) for n in image.shape), "wrap")
    crop = tuple(slice(0, n) for n in image.shape)
    approximation = "a" * len(axes)
    bands = []
    for step in range(start_level + level):
        parts = pywt.swtn(data, wavelet, level=1, start_level=0, axes=axes)[0]
        data = parts[approximation]
        if step >= start_level:
            names = [name for name in parts if name != approximation]
            bands += [(step - start_level + 1, name, parts[name][crop]) for name in names]
    bands.append((level, approximation, data[crop]))
    return [(number, name.replace("a", "L").replace("d", "H"), values) for number, name, values in bands]


@given(data=st.data())
@tries(max_examples=200, deadline=None, derandomize=True)
def test_bands_of_a_block_equal_those_of_the_whole_image(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 21), min_size=3, max_size=3)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    image = (rng.normal(size=shape) * 100).astype(data.draw(st.sampled_from((np.float64, np.float32, np.int16))))
    image[: shape[0] // 2] = 50  # where an image is flat, only rounding decides the sign of a detail band
    low = [data.draw(st.integers(0, n - 1)) for n in shape]
    box = tuple(slice(first, data.draw(st.integers(first + 1, n))) for first, n in zip(low, shape, strict=True))
    asked = (
        data.draw(st.sampled_from(("coif1", "haar", "db7", "bior2.2", "rbio1.3", "sym4", "dmey"))),
        data.draw(st.sampled_from(((2, 1, 0), (2, 1), (2, 0), (1, 0)))),
        data.draw(st.integers(1, 2)),
        data.draw(st.integers(0, 2)),
    )
    found = list(wavelet_bands(image, box, *asked))
    expected = whole(image, *asked)
    assert [band[:2] for band in found] == [band[:2] for band in expected]
    for (_, name, values), (_, _, reference) in zip(found, expected, strict=True):
        assert values.dtype == reference.dtype
        assert np.array_equal(values, reference[box]), name


def test_the_low_pass_band_of_a_constant_is_the_constant_and_the_details_vanish() -> None:
    image = np.full((6, 6, 6), 8.0)
    bands = {name: values for _, name, values in wavelet_bands(image, (slice(0, 6),) * 3, "haar", (2, 1, 0), 1, 0)}
    np.testing.assert_allclose(bands.pop("LLL"), 8 * 2**1.5, rtol=1e-14)
    assert all(np.abs(values).max() < 1e-12 for values in bands.values())
    assert sorted(bands) == ["HHH", "HHL", "HLH", "HLL", "LHH", "LHL", "LLH"]
