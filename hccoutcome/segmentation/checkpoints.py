"""Weights of networks as data: read without running anything, and each parameter compared by name and shape."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hccoutcome.errors import InputError

_WRAPPERS = ("state_dict", "model", "model_state_dict", "network_weights")
"""Under which programs keep the parameters in a checkpoint beside other things."""
ENDINGS = (".pt", ".pth", ".safetensors")


def check_ending(path: Path) -> Path:
    """Return the path of a weights file.

    Raises:
        InputError: it ends in nothing that ``read_parameters`` reads, or does not exist.
    """
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"Weights end in {', '.join(ENDINGS)}, found '{path.name}': give such a file.")
    if not path.is_file():
        raise InputError(f"The weights '{path.name}' were expected, found no such file: check the path.")
    return path


def read_parameters(path: Path) -> dict[str, Any]:
    """Return the parameters in a file by name, on the processor.

    PyTorch's files are read with ``weights_only=True``, which takes tensors and plain values and refuses code.

    Raises:
        InputError: the file is not of that kind, holds something else than tensors, or is damaged.
    """
    import torch

    if check_ending(path).suffix.lower() == ".safetensors":
        return _read_safetensors(path)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"The weights '{path.name}' hold more than tensors, which could run code and is not loaded: save the "
            "network's state_dict alone, or as .safetensors."
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError) as error:
        raise InputError(f"The weights '{path.name}' cannot be read, the file is damaged: get it again.") from error
    for name in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    if not isinstance(found, Mapping) or not found or not all(isinstance(v, torch.Tensor) for v in found.values()):
        raise InputError(f"The weights '{path.name}' should hold a state_dict (tensors by name): save one.")
    return {str(name).removeprefix("module."): value for name, value in found.items()}


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device="cpu")
    except (SafetensorError, OSError) as error:
        raise InputError(f"The weights '{path.name}' cannot be read, the file is damaged: get it again.") from error


def check_parameters(found: Mapping[str, Any], expected: Mapping[str, Any], network: str) -> None:
    """Refuse parameters that are not exactly those of a network, or with which it can tell nothing.

    Args:
        found: tensors by name.
        expected: the network's own, of which only the shapes count.
        network: what it is, for the message.

    Raises:
        InputError: names the first parameter that is missing, has another shape, is not finite or is unknown.
    """
    advice = "give the weights of that very network."
    for name, tensor in expected.items():
        if name not in found:
            raise InputError(f"The weights were expected to be those of {network}, but '{name}' is missing: {advice}")
        if tuple(found[name].shape) != tuple(tensor.shape):
            raise InputError(
                f"The weights were expected to be those of {network}, but '{name}' has the shape "
                f"{tuple(found[name].shape)} and not {tuple(tensor.shape)}: {advice}"
            )
        if not bool(found[name].isfinite().all()):
            raise InputError(
                f"The weights were expected to be finite, but '{name}' holds NaN or infinite ones, as training leaves "
                "them that went astray: give weights from before that."
            )
    for name in found:
        if name not in expected:
            raise InputError(f"The weights were expected to be those of {network}, which has no '{name}': {advice}")
