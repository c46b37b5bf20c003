"""Tensors read where they lie in the bytes of a file, against the library that writes and copies them."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytest.importorskip("safetensors", reason="safetensors is not installed: pip install hccoutcome[deep]")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from safetensors.torch import load, save  # noqa: E402

from hccoutcome.deep.tensor_views import TYPES, all_finite, tensor_views  # noqa: E402
from hccoutcome.errors import InputError  # noqa: E402

SHAPES = st.lists(st.integers(0, 4), max_size=3)
NAMES = st.text("abc.0é", min_size=1, max_size=6)


def drawn(kind: torch.dtype, shape: list[int]) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, 2, shape)).to(kind)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(NAMES, st.tuples(st.sampled_from(list(TYPES.values())), SHAPES), max_size=5))
def test_the_tensors_are_those_of_the_library(kinds):
    content = save({name: drawn(*kind) for name, kind in kinds.items()}, {"text": "kept out"})
    found, expected = tensor_views(content, "a file"), load(content)
    assert set(found) == set(expected)
    for name, tensor in found.items():
        assert tensor.dtype == expected[name].dtype
        assert torch.equal(tensor, expected[name])


def test_nothing_is_copied_and_the_bytes_stay_alive():
    content = save({"a": torch.arange(1000.0), "b": torch.ones(3, 4)})
    views = tensor_views(content, "a file")
    whole = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    starts = {name: tensor.data_ptr() for name, tensor in views.items()}
    assert max(starts.values()) - min(starts.values()) < whole.numel()
    del content
    assert torch.equal(views["a"], torch.arange(1000.0))


PLAIN = save({"a": torch.arange(6.0)})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"12345678",
        PLAIN[:-1],
        PLAIN[:40],
        PLAIN.replace(b"[6]", b"[7]"),
        PLAIN.replace(b"[6]", b"{1}"),
        PLAIN.replace(b"[0,24]", b"[4,28]"),
        PLAIN.replace(b"[0,24]", b"[24,0]"),
        PLAIN.replace(b"[0,24]", b"[-8,8]"),
        PLAIN.replace(b"[0,24]", b"[0,23]"),
        PLAIN.replace(b"[0,24]", b"[0, 0]"),
        PLAIN.replace(b"F32", b"F99"),
        PLAIN.replace(b"dtype", b"dtyqe"),
        (2**62).to_bytes(8, "little") + PLAIN[8:],
        (2).to_bytes(8, "little") + b"[]" + bytes(8),
    ],
)
def test_a_damaged_file_is_a_sentence(content):
    with pytest.raises(InputError, match="a file is damaged"):
        tensor_views(content, "a file")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_number_that_is_not_finite_is_noticed(value):
    tensor = torch.ones(5, 7)
    assert all_finite(tensor)
    tensor[3, 2] = value
    assert not all_finite(tensor)
    assert all_finite(torch.ones(0))
    assert all_finite(torch.ones(3, dtype=torch.int64))
