"""N4: a planted field is found, a run repeats, wrong input is refused, and the user can stop."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from hccoutcome.errors import Cancelled, InputError
from hccoutcome.imaging.bias import correct_bias

SHAPE = (32, 48, 48)


def planted() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return three tissues without a field, the field, and where there is tissue."""
    rng = np.random.default_rng(3)
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in SHAPE], indexing="ij")
    body = x**2 + y**2 < 0.85
    tissue = np.where(body, 300.0, 5.0)
    tissue[(x - 0.3) ** 2 + y**2 + z**2 < 0.15] = 420.0
    tissue[(x + 0.3) ** 2 + (y - 0.2) ** 2 + z**2 < 0.1] = 180.0
    field = np.exp(0.35 * x + 0.2 * y * z - 0.25 * y)
    return tissue + rng.normal(0, 3, SHAPE).clip(-4, 4), field, body


def as_image(values: np.ndarray) -> sitk.Image:
    return sitk.GetImageFromArray(values.astype(np.float32))


def variation(values: np.ndarray, where: np.ndarray) -> float:
    return float(values[where].std() / values[where].mean())


def test_a_planted_field_is_removed():
    tissue, field, body = planted()
    liver = body & (np.abs(tissue - 300) < 15)
    corrected = sitk.GetArrayFromImage(correct_bias(as_image(tissue * field)))
    assert variation(tissue * field, liver) > 0.15
    assert variation(corrected, liver) < 0.05


def test_a_second_run_gives_the_same_voxels():
    tissue, field, _ = planted()
    first, second = (correct_bias(as_image(tissue * field)) for _ in range(2))
    assert sitk.Hash(first) == sitk.Hash(second)


def test_the_ripple_of_an_earlier_interpolation_is_let_pass():
    tissue, field, body = planted()
    ripple = np.where(body, tissue * field, np.random.default_rng(0).normal(0, 1.5, SHAPE))
    corrected = sitk.GetArrayFromImage(correct_bias(as_image(ripple)))
    assert np.isfinite(corrected).all()
    assert variation(corrected, body & (np.abs(tissue - 300) < 15)) < 0.05


def test_ct_is_refused():
    tissue, _, body = planted()
    with pytest.raises(InputError, match=r"N4 expects MR intensities of 0 and above, found a minimum of -1000: switch"):
        correct_bias(as_image(np.where(body, tissue - 250, -1000.0)))


def test_a_constant_image_is_refused():
    with pytest.raises(InputError, match=r"different grey levels, found 9 everywhere"):
        correct_bias(as_image(np.full(SHAPE, 9.0)))


def test_progress_is_told_and_may_stop_the_work():
    tissue, field, _ = planted()
    told: list[float] = []

    def stop(fraction: float, message: str) -> None:
        assert message == "Correcting the bias field"
        told.append(fraction)
        if len(told) > 2:
            raise Cancelled("stopped by the user")

    with pytest.raises(Cancelled, match="stopped by the user"):
        correct_bias(as_image(tissue * field), progress=stop)
    assert max(told) < 1
