"""ImageNet weights of the ResNets: read from a file in the standard format, checked name by name, never run as code."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from hccoutcome.deep.resnet import RESNET50, RESNET101, ResNetSize, make_resnet
from hccoutcome.deep.tensor_views import all_finite
from hccoutcome.errors import EnvironmentNeeded, InputError, nearest
from hccoutcome.files import sha256_of, write_atomically

if TYPE_CHECKING:
    from monai.networks.nets import ResNet

_HEAD = ("fc.weight", "fc.bias")
_COUNTERS = "num_batches_tracked"
"""Old checkpoints lack these counters, which nothing reads while the weights are frozen."""


@dataclass(frozen=True)
class PublicWeights:
    """Weights that anyone may fetch.

    Attributes:
        blocks: of the ResNet that they fit.
        address: where they lie.
        sha256: of the file.
        megabytes: that it takes.
    """

    blocks: tuple[int, int, int, int]
    address: str
    sha256: str
    megabytes: int


PUBLIC: Mapping[str, PublicWeights] = MappingProxyType(
    {
        "resnet50": PublicWeights(
            RESNET50,
            "https://download.pytorch.org/models/resnet50-0676ba61.pth",
            "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
            98,
        ),
        "resnet101": PublicWeights(
            RESNET101,
            "https://download.pytorch.org/models/resnet101-63fe2227.pth",
            "63fe2227b86e8f1f2063f43a75c84d195911b6a0eace650907dd3dc62dd49a0a",
            171,
        ),
    }
)
"""ImageNet-1k weights (version 1) of PyTorch's torchvision, BSD-3-Clause."""


def read_resnet(path: Path, size: ResNetSize) -> ResNet:
    """Return a ResNet with the weights of a file: ``.pth`` in torchvision's format, or ``.safetensors``.

    The layer that tells the classes may be absent or of any size: it is not used.

    Raises:
        InputError: no such file, not such weights, of another network, or not finite.
    """
    found = dict(read_tensors(path))
    classes = len(found["fc.bias"]) if "fc.bias" in found and found["fc.bias"].ndim == 1 else 1
    network = make_resnet(size, max(classes, 1))
    expected = network.state_dict()
    _check(found, expected, path)
    network.load_state_dict({name: found.get(name, expected[name]) for name in expected})
    return network.eval()


def read_tensors(path: Path) -> Mapping[str, Tensor]:
    """Return the tensors of a file by name, without running anything that it holds.

    Raises:
        InputError: no such file, or not tensors by name.
    """
    if not path.is_file():
        raise InputError(f"Weights were expected in '{path.name}', found no such file: check its name.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            # A file of another format is refused below; PyTorch would also wonder aloud about its pickle protocol.
            warnings.simplefilter("ignore", UserWarning)
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, zipfile.BadZipFile, ValueError, KeyError):
        raise InputError(
            f"Weights by name and nothing else were expected in '{path.name}' (.pth or .safetensors), found something "
            "else: fetch the file again from its publisher."
        ) from None
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise InputError(f"Tensors by name were expected in '{path.name}', found something else: give a state_dict.")
    return found


def _check(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    """Refuse weights whose names or shapes are not those of the network, or that are not finite."""
    optional = {name for name in expected if name.endswith(_COUNTERS)} | set(_HEAD)
    missing = sorted(set(expected) - set(found) - optional)
    if missing:
        raise InputError(_other(path, len(missing), f"lacks '{missing[0]}'"))
    unknown = sorted(set(found) - set(expected))
    if unknown:
        raise InputError(_other(path, len(unknown), f"has '{unknown[0]}', which the network has not"))
    for name, tensor in found.items():
        if tensor.layout != torch.strided or tensor.is_floating_point() != expected[name].is_floating_point():
            raise InputError(
                f"Numbers of the network's own kind were expected, found '{name}' of '{path.name}' to be "
                f"{str(tensor.dtype).removeprefix('torch.')} ({str(tensor.layout).removeprefix('torch.')}): fetch it "
                "again."
            )
        if tensor.shape != expected[name].shape:
            shapes = " against ".join(str(tuple(each)) for each in (tensor.shape, expected[name].shape))
            raise InputError(_other(path, 1, f"has '{name}' in another shape, {shapes}"))
        if not all_finite(tensor):
            raise InputError(
                f"Finite weights were expected, found '{name}' of '{path.name}' not to be: fetch it again."
            )


def _other(path: Path, count: int, what: str) -> str:
    more = f" and {count - 1} more" if count > 1 else ""
    return f"The weights in '{path.name}' belong to another network: the file {what}{more}; give those that fit."


def fetch_weights(name: str, folder: Path, agreed: bool, fetch: Callable[[str, Path], None] | None = None) -> Path:
    """Return the file of public weights, fetched into a folder where it is not there yet and the user agreed.

    Args:
        name: ``"resnet50"`` or ``"resnet101"``.
        folder: where it lies or is to lie.
        agreed: whether the user said that it may be fetched.
        fetch: fetches an address into a file; through the network where None.

    Raises:
        InputError: no such weights, or the file has another SHA256 than its publisher's.
        EnvironmentNeeded: it is not there and the user has not agreed, or it cannot be fetched.
    """
    if name not in PUBLIC:
        raise InputError(f"'{name}' are no public weights; {nearest(name, PUBLIC)}.")
    public = PUBLIC[name]
    path = folder / public.address.rsplit("/", 1)[1]
    if not path.is_file():
        if not agreed:
            raise EnvironmentNeeded(
                f"ImageNet weights are needed, which lie at {public.address} ({public.megabytes} MB): fetch them "
                "yourself and name the file, or agree to the download."
            )
        write_atomically(path, lambda partial: _fetched(public, partial, fetch or _through_the_network))
    elif sha256_of(path) != public.sha256:
        raise InputError(f"The file '{path.name}' is not the one that its publisher made: remove it and run again.")
    return path


def _fetched(public: PublicWeights, path: Path, fetch: Callable[[str, Path], None]) -> None:
    try:
        fetch(public.address, path)
    except OSError as error:
        raise EnvironmentNeeded(
            f"{public.address} could not be fetched ({error}): fetch it on another machine and name the file."
        ) from None
    if sha256_of(path) != public.sha256:
        raise EnvironmentNeeded(
            f"What was fetched from {public.address} is not what its publisher made: try again from another network."
        )


def _through_the_network(address: str, path: Path) -> None:
    torch.hub.download_url_to_file(address, str(path), progress=False)
