"""The network in a package: made to its configuration, filled with its weights, proven by its stored results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from hccoutcome.deep.devices import check_device, devices_here
from hccoutcome.deep.dlopctr_network import DlopctrNetwork
from hccoutcome.deep.inputs import NetworkInput
from hccoutcome.deep.model import DeepModel, Network
from hccoutcome.deep.package import DeepConfig
from hccoutcome.deep.resnet import FeatureExtractor, ResNetSize
from hccoutcome.deep.selection_network import SelectionNetwork, SelectionSize
from hccoutcome.deep.tci_network import TciNetwork, TciSize
from hccoutcome.deep.tensor_views import all_finite, tensor_views
from hccoutcome.deep.whole_network import WholeNetwork
from hccoutcome.errors import InputError
from hccoutcome.package.container import NETWORK
from hccoutcome.package.format import Package
from hccoutcome.segmentation.devices import device_failed, devices_to_try
from hccoutcome.strict_json import Fields

KEPT = 4
"""Models that stay in memory, those that were used last: the four of ATOM."""
LARGEST_LENGTH = 8192
"""Of anything in a configuration: layers, widths, pixels."""
VECTORS = "vectors.json"
CELLS = 14
TOLERANCE = 2e-3
"""By how much a stored result may differ, relative to the largest: what single precision and devices cost."""
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Key:
    """What a loaded model depends on; the package itself is only read, since its hash says all."""

    sha256: str
    device: str
    package: Package = field(compare=False, repr=False)


def load_model(package: Package, device: str) -> DeepModel:
    """Return the model of a package on a device, in evaluation; the same one when asked again.

    Raises:
        InputError: the weights are not those of the network, or do not give their stored results here.
    """
    key = _Key(package.sha256, device, package)
    return _kept(key) if package.sha256 else _loaded(key)


@lru_cache(maxsize=KEPT)
def _kept(key: _Key) -> DeepModel:
    return _loaded(key)


def _loaded(key: _Key) -> DeepModel:
    config = DeepConfig.from_json(key.package.weights)
    model = DeepModel(_network(config, key.package)).to(key.device).eval()
    check_vectors(model, config, key.package)
    return model


def on_device(package: Package, wanted: str, use: Callable[[DeepModel], Result]) -> tuple[Result, str]:
    """Return what ``use`` makes of a package's model, and on which device: the processor where the other one fails.

    Raises:
        InputError: there is no such device, or the package is not intact.
    """
    for device in devices_to_try(check_device(wanted), devices_here()):
        try:
            return use(load_model(package, device)), device
        except (RuntimeError, AssertionError) as error:  # a PyTorch without CUDA asserts that it has it
            if device == "cpu" or not device_failed([f"{type(error).__name__}: {error}"]):
                raise
    raise ValueError("the processor was not tried")


def apply_network(
    package: Package, config: DeepConfig, seen: NetworkInput, row: Sequence[float], device: str
) -> tuple[NDArray[np.float64], str]:
    """Return what a network gives for one case, logits (1,) or of hazards (intervals,), and the device used."""

    def use(model: DeepModel) -> NDArray[np.float64]:
        with torch.inference_mode():
            raw = model.raw(*as_batch(seen.pixels, seen.present, row, model.device))
        return raw[0].reshape(-1).double().cpu().numpy()

    return on_device(package, device, use)


def as_batch(
    pixels: NDArray[np.float32], present: NDArray[np.bool_], row: Sequence[float], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Return one case as a batch: grey levels, which planes exist, clinical variables."""
    images = torch.from_numpy(np.ascontiguousarray(pixels))[None]
    return (
        images.to(device),
        torch.from_numpy(np.asarray(present, bool))[None].to(device),
        torch.tensor([list(row)], dtype=torch.float32).reshape(1, len(row)).to(device),
    )


# --- weights ----------------------------------------------------------------------------------------------------------


def network_bytes(model: DeepModel) -> bytes:
    """Return the content of ``network.safetensors``."""
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()})


def _network(config: DeepConfig, package: Package) -> Network:
    """Return the network of a package with its weights, after name, shape and value of each were checked."""
    tensors = tensor_views(package.models[NETWORK], f"'{NETWORK}' of '{package.name}'")
    # Without memory for its weights first: a hostile configuration cannot ask for more than the file holds.
    with torch.device("meta"):
        network = make_network(config)
    _check(network.state_dict(), tensors, package.name)
    if any(name not in tensors for name, _ in network.named_buffers()):
        network = make_network(config)  # with constants that no file holds
    network.load_state_dict(tensors, assign=True)
    return network.requires_grad_(False)


def _check(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], name: str) -> None:
    if set(expected) != set(found):
        other = sorted(set(expected) ^ set(found))[0]
        raise InputError(f"The weights of '{name}' are not those of its network ('{other}'): get the package again.")
    for key, tensor in found.items():
        if tensor.shape != expected[key].shape or tensor.dtype != expected[key].dtype:
            raise InputError(f"'{key}' of '{name}' has another shape or type than in its network: get it again.")
        if not all_finite(tensor):
            raise InputError(f"'{key}' of '{name}' is not finite: get the package again.")


def make_network(config: DeepConfig) -> Network:
    """Return the network of a configuration with weights as at the start.

    Raises:
        InputError: the configuration is not one of its system.
    """
    try:
        _check_lengths([*config.size.values(), *(config.extractor or {}).values()])
        if config.system in ("selection", "selection-vit"):
            return SelectionNetwork(SelectionSize(**config.size), len(config.columns))
        extractor = FeatureExtractor(_extractor_size(config.extractor or {}), frozen=True)
        reader: nn.Module
        if config.system == "tci":
            reader = TciNetwork(TciSize(**config.size))
        else:
            reader = DlopctrNetwork(config.size["features"], len(config.breaks) - 1)
        return WholeNetwork(extractor, reader)
    except (TypeError, ValueError, KeyError, ZeroDivisionError, RuntimeError) as error:
        raise InputError(
            f"The network of a package is not one of {config.system} ({error}): get the package again."
        ) from None


def _extractor_size(data: Mapping[str, Any]) -> ResNetSize:
    blocks = data["blocks"]
    if len(blocks) != 4:
        raise ValueError("a ResNet has four stages")
    return ResNetSize(tuple(blocks), data["widen"], data["stages"])


def _check_lengths(values: Sequence[Any]) -> None:
    """Refuse lengths with which making the network itself would not end."""
    for value in values:
        if isinstance(value, list):
            _check_lengths(value)
        elif type(value) not in (int, float) or not 0 <= value <= LARGEST_LENGTH:
            raise ValueError(f"{value!r} is no length")


# --- stored results ---------------------------------------------------------------------------------------------------


def make_vectors(
    model: DeepModel, planes: int, pixels: int, rows: Sequence[Sequence[float]], seed: int = 0
) -> dict[str, Any]:
    """Return the content of ``vectors.json``: made-up cases and what the network gives for them.

    Args:
        model: in evaluation, on the processor.
        planes: of a case.
        pixels: along a side of a plane.
        rows: numbers of clinical variables, one row for each made-up case; none of a patient.
        seed: of the planes.
    """
    cases = [{"seed": seed + number, "clinical": list(map(float, row))} for number, row in enumerate(rows)]
    settings = {"planes": planes, "pixels": pixels}
    return {**settings, "cases": cases, "expected": [_result(model, case, planes, pixels) for case in cases]}


def made_up_planes(planes: int, pixels: int, seed: int) -> NDArray[np.float32]:
    """Return planes of random squares, the same everywhere."""
    side = -(-pixels // CELLS)
    drawn = np.random.default_rng(seed).random((planes, CELLS, CELLS))
    return np.kron(drawn, np.ones((1, side, side)))[:, :pixels, :pixels].astype(np.float32)


def _result(model: DeepModel, case: Mapping[str, Any], planes: int, pixels: int) -> list[float]:
    images = made_up_planes(planes, pixels, case["seed"])
    batch = as_batch(images, np.ones(planes, bool), case["clinical"], model.device)
    with torch.inference_mode():
        return [float(value) for value in model.raw(*batch)[0].reshape(-1)]


def check_vectors(model: DeepModel, config: DeepConfig, package: Package) -> None:
    """Refuse a network that does not give its stored results.

    Raises:
        InputError: a result differs, or there is none.
    """
    fields = Fields(package.vectors, VECTORS)
    planes, pixels = (fields.value(name, int, "a whole number") for name in ("planes", "pixels"))
    cases, expected = fields.objects("cases"), fields.value("expected", list, "a list of results")
    fields.done()
    if not cases or len(cases) != len(expected) or (planes, pixels) != (config.planes, config.view.pixels):
        raise InputError(f"{VECTORS} should hold a result for each of its cases: get the package again.")
    made_up = [_vector_case(case, config) for case in cases]
    try:
        found = [_result(model, case, planes, pixels) for case in made_up]
    except RuntimeError:
        if model.device.type != "cpu":  # the device may have failed, which says nothing of the package
            raise
        raise InputError(
            f"The network of '{package.name}' does not fit how it is to look at a case: get the package again."
        ) from None
    if not all(_numbers(row) and len(row) == len(own) for row, own in zip(expected, found, strict=True)):
        raise InputError(f"{VECTORS} holds results of another network: get the package again.")
    apart = np.abs(np.array(found) - np.array(expected, float)).max()
    if not apart <= TOLERANCE * max(1.0, np.abs(np.array(expected, float)).max()):
        raise InputError(
            f"The network of '{package.name}' gives other results here than when it was made (they differ by "
            f"{apart:.2g}): do not use the package with this PyTorch ({torch.__version__})."
        )


def _vector_case(data: Any, config: DeepConfig) -> dict[str, Any]:
    fields = Fields(data, VECTORS)
    clinical = fields.value("clinical", list, "a list of numbers")
    case = {"seed": fields.value("seed", int, "a whole number"), "clinical": clinical}
    fields.done()
    if len(clinical) != len(config.columns) or not _numbers(clinical) or case["seed"] < 0:
        raise InputError(
            f"{VECTORS} should hold a seed and a number for each clinical variable: get the package again."
        )
    return case


def _numbers(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) in (int, float) for value in values)
