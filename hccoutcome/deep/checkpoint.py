"""All that a training needs to go on, in one file of tensors and JSON: nothing in it is ever run as code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from hccoutcome.errors import InputError
from hccoutcome.files import write_atomically
from hccoutcome.strict_json import parse_json

_STATE = "state"
_NETWORK, _OPTIMISER = "network.", "optimiser."


def save_checkpoint(path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Write network, optimiser and the rest of the state (JSON data) atomically into one ``.safetensors`` file."""
    tensors = {f"{_NETWORK}{name}": tensor for name, tensor in network.state_dict().items()}
    given = optimiser.state_dict()
    for number, entry in given["state"].items():
        tensors |= {f"{_OPTIMISER}{number}.{name}": torch.as_tensor(value) for name, value in entry.items()}
    text = json.dumps({"groups": given["param_groups"], **state}, allow_nan=False, sort_keys=True)
    # One entry of text only: the order of several would vary from run to run.
    save_tensors(path, tensors, {_STATE: text})


def load_checkpoint(path: Path, network: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """Give network and optimiser the state of a checkpoint and return the rest of it.

    Raises:
        InputError: the file is damaged or belongs to another network.
    """
    tensors, state = read_checkpoint(path)
    entries: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(_OPTIMISER):
            number, _, part = name.removeprefix(_OPTIMISER).partition(".")
            entries.setdefault(int(number), {})[part] = tensor
    weights = {name.removeprefix(_NETWORK): t for name, t in tensors.items() if name.startswith(_NETWORK)}
    try:
        network.load_state_dict(weights)
        optimiser.load_state_dict({"state": entries, "param_groups": state.pop("groups")})
    except (RuntimeError, ValueError, KeyError):
        raise InputError(
            f"The checkpoint in '{path.parent.name}' belongs to another network: remove that folder, or choose another."
        ) from None
    return state


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the state of a checkpoint.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            text = (file.metadata() or {})[_STATE]
        return tensors, parse_json(text.encode("utf-8"), path.name)
    except (SafetensorError, OSError, KeyError):
        raise InputError(
            f"The checkpoint '{path.name}' in '{path.parent.name}' is damaged: remove it to start anew."
        ) from None


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors by name atomically into a ``.safetensors`` file, the same bytes for the same tensors."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, lambda partial: save_file(plain, partial, metadata=dict(metadata or {})))
