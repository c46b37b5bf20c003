"""Co-occurrence maps through PyTorch: which device is taken, the values of the kernels, and what happens on failure.

The values are compared on PyTorch's own processor device, which runs the same operations as a GPU.
"""

from __future__ import annotations

import numpy as np
import pytest

from hccoutcome.errors import EnvironmentNeeded, InputError
from hccoutcome.radiomics import voxelgpu, voxelmaps
from hccoutcome.radiomics.classes import TextureSettings
from hccoutcome.radiomics.features import FEATURES
from hccoutcome.radiomics.voxelgpu import WORTH_IT, chosen_device
from hccoutcome.radiomics.voxelmaps import MapSettings, VoxelMaps, compute_voxel_maps

ALL = {"glcm": list(FEATURES["glcm"])}
OTHER_NAME_OF_THE_PROCESSOR = "cpu:0"
"""Makes compute_voxel_maps take the way of a device, with PyTorch on the processor."""


@pytest.fixture
def through_torch(monkeypatch: pytest.MonkeyPatch):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
    monkeypatch.setattr(voxelmaps, "chosen_device", lambda *_: OTHER_NAME_OF_THE_PROCESSOR)
    return torch


def region(shape: tuple[int, int, int] = (4, 5, 6)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    return rng.normal(scale=40, size=shape).cumsum(axis=0), rng.random(shape) < 0.8


def worst(found: VoxelMaps, reference: VoxelMaps) -> dict[str, float]:
    """Return the largest relative difference by feature; a shade's rounding is as large as the prominence's."""
    prominence = np.abs(reference.values["glcm_ClusterProminence"])
    result = {}
    for name, expected in reference.values.items():
        scale = prominence if name == "glcm_ClusterShade" else np.abs(expected)
        np.testing.assert_array_equal(np.isnan(found.values[name]), np.isnan(expected))
        result[name] = float(np.nanmax(np.abs(found.values[name] - expected) / np.maximum(scale, 1e-3)))
    return result


@pytest.mark.parametrize(
    "texture",
    [
        TextureSettings(),
        TextureSettings(symmetrical_glcm=False),
        TextureSettings(distances=(1, 2)),
        TextureSettings(distances=(1, 2, 1)),
        TextureSettings(force_2d=True, force_2d_dimension=1),
    ],
    ids=["plain", "one order", "two distances", "a distance twice", "planes"],
)
@pytest.mark.parametrize("masked", [True, False])
def test_values_are_those_of_the_kernels(through_torch, texture: TextureSettings, masked: bool) -> None:
    settings = MapSettings(2, masked, 15.0, texture=texture)
    scene = region((3, 4, 4)) if max(texture.distances) > 1 else region()  # 62 directions take their time
    found = compute_voxel_maps(*scene, ALL, settings, device="cuda")
    assert found.on_device == ("glcm",)
    reference = voxelmaps._on_processor(voxelmaps._Scene(*scene, settings), ALL, 1, lambda *_: None)
    assert max(worst(found, VoxelMaps(found.shape, found.voxels, reference)).values()) < 1e-9


def test_a_region_of_one_level_has_the_conventional_values(through_torch) -> None:
    flat = np.full((3, 3, 3), 7.0), np.ones((3, 3, 3), np.bool_)
    values = compute_voxel_maps(*flat, ALL, device="cuda").values
    assert (values["glcm_MCC"] == 1).all()
    assert (values["glcm_Correlation"] == 1).all()
    assert (values["glcm_Imc1"] == 0).all()


def test_small_batches_change_no_value(through_torch, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compute_voxel_maps(*region(), ALL, device="cuda").values
    monkeypatch.setattr(voxelgpu, "_fitting", lambda *_: 17)
    parts = compute_voxel_maps(*region(), ALL, device="cuda").values
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-12, atol=1e-12)


def test_classes_and_weights_that_no_device_takes_come_from_the_processor(through_torch) -> None:
    told: list[float] = []
    both = {"ngtdm": ["Contrast"], **ALL}
    found = compute_voxel_maps(*region(), both, device="cuda", progress=lambda part, _: told.append(part))
    assert next(iter(found.values)) == "ngtdm_Contrast"
    assert told == sorted(told)
    assert told[-1] == 1
    weighted = MapSettings(texture=TextureSettings(weighting_norm="euclidean"))
    assert compute_voxel_maps(*region(), ALL, weighted, device="cuda").on_device == ()


def test_a_device_without_memory_is_replaced_by_the_processor(through_torch, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise through_torch.OutOfMemoryError("no memory left")

    reference = voxelmaps._on_processor(voxelmaps._Scene(*region(), MapSettings()), ALL, 1, lambda *_: None)
    monkeypatch.setattr(voxelmaps, "glcm_maps", full)
    found = compute_voxel_maps(*region(), ALL, device="cuda")
    assert found.on_device == ()
    for name, values in reference.items():
        np.testing.assert_array_equal(found.values[name], values)


def test_a_device_is_taken_for_large_regions_only_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voxelgpu, "has_cuda", lambda: True)
    assert chosen_device("auto", WORTH_IT) == "cuda"
    assert chosen_device("auto", WORTH_IT - 1) == "cpu"
    assert chosen_device("cuda", 1) == "cuda"
    assert chosen_device("cpu", WORTH_IT) == "cpu"


def test_without_a_device_auto_takes_the_processor_and_cuda_says_what_is_missing(monkeypatch) -> None:
    monkeypatch.setattr(voxelgpu, "has_cuda", lambda: False)
    assert chosen_device("auto", WORTH_IT) == "cpu"
    with pytest.raises(EnvironmentNeeded, match="needs PyTorch and an NVIDIA GPU, which were not found: install"):
        chosen_device("cuda", 1)
    with pytest.raises(InputError, match="found 'cude': did you mean 'cuda'"):
        chosen_device("cude", 1)


def test_a_broken_pytorch_counts_as_none(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libcudart is missing')")
    monkeypatch.delitem(__import__("sys").modules, "torch", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert not voxelgpu.has_cuda()
