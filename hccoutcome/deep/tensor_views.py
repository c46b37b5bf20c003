"""The tensors of a ``.safetensors`` file where they lie in its bytes: the library copies them, and they are large."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hccoutcome.errors import InputError
from hccoutcome.strict_json import parse_json

TYPES: Mapping[str, torch.dtype] = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
LARGEST_HEADER = 10_000_000


def tensor_views(content: bytes, where: str) -> dict[str, Tensor]:
    """Return the tensors of a file by name, to be read only: they share the memory of ``content`` and keep it alive.

    The format is that of https://huggingface.co/docs/safetensors: the length of a header, the header in JSON, then the
    numbers of every tensor one after the other.

    Raises:
        InputError: the file is damaged.
    """
    try:
        length = int.from_bytes(content[:8], "little")
        if not 0 < length <= min(LARGEST_HEADER, len(content) - 8):
            raise ValueError("a header longer than the file")
        header = parse_json(content[8 : 8 + length], where)
        header.pop("__metadata__", None)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given buffer is not writable", UserWarning)
            return {name: _view(content, 8 + length, entry) for name, entry in header.items()}
    except (InputError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        raise InputError(f"{where} is damaged: get it again.") from None


def _view(content: bytes, start: int, entry: Mapping[str, Any]) -> Tensor:
    """Return one tensor; what does not fit into the file or its own shape is a ValueError or RuntimeError."""
    kind = TYPES[entry["dtype"]]
    first, last = entry["data_offsets"]
    if not 0 <= first <= last <= len(content) - start or (last - first) % kind.itemsize:
        raise ValueError("numbers beyond the file")
    if first == last:  # no buffer of nothing can be made
        return torch.empty(0, dtype=kind).reshape(entry["shape"])
    count = (last - first) // kind.itemsize
    return torch.frombuffer(content, dtype=kind, count=count, offset=start + first).reshape(entry["shape"])


def all_finite(tensor: Tensor) -> bool:
    """Return whether a tensor holds neither NaN nor infinity: its extremes tell in one pass, and NaN is both."""
    if not (tensor.is_floating_point() and tensor.numel()):
        return True
    return bool(torch.isfinite(torch.stack(torch.aminmax(tensor))).all())
