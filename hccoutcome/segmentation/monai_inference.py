"""A MONAI network on a case; only loaded in the process that computes."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from monai.inferers import sliding_window_inference
from monai.networks import nets
from torch import nn

from hccoutcome.errors import InputError
from hccoutcome.progress import Progress
from hccoutcome.segmentation.checkpoints import check_parameters, read_parameters
from hccoutcome.segmentation.network_config import NetworkConfig, read_config
from hccoutcome.segmentation.network_images import labels_on, network_grid, network_input, on_image


def answer(request: Mapping[str, Any], folder: Path, device: str, progress: Progress) -> dict[str, Any]:
    """Outline the regions of a request and write a mask for each.

    Raises:
        InputError: the weights are not those of the network.
    """
    import monai

    progress(0.0, "loading the network")
    reference = sitk.ReadImage(str(folder / request["reference"]))
    config = read_config(folder / request["config"])
    network = build_network(config)
    parameters = read_parameters(Path(request["weights"]))
    check_parameters(parameters, network.state_dict(), f"the network '{config.name}' ({config.network})")
    network.load_state_dict(parameters, strict=True)
    images = [sitk.ReadImage(str(folder / name)) for name in request["images"]]
    grid = network_grid(reference, config)
    progress(0.1, "preparing the image")
    values = torch.from_numpy(network_input(images, grid, config.intensity))[None]
    probabilities = predict(network.to(device), values, config, device, progress)
    progress(0.92, "bringing the masks back")
    for region, mask in masks_of(probabilities, grid, reference, config, request["regions"]).items():
        sitk.WriteImage(mask, str(folder / f"{region}.nrrd"))
    return {"monai": monai.__version__, "grid": {"size": list(grid.GetSize()), "spacing_mm": list(grid.GetSpacing())}}


def build_network(config: NetworkConfig) -> nn.Module:
    """Return the network with the arguments that its description has.

    Raises:
        InputError: the arguments do not fit each other.
    """
    try:
        return getattr(nets, config.network)(spatial_dims=3, **config.arguments).eval()
    except (ValueError, TypeError, AssertionError, RuntimeError, IndexError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"The network '{config.name}' cannot be built from its arguments ({reason}): correct its description."
        ) from error


@torch.inference_mode()
def predict(
    network: nn.Module, values: torch.Tensor, config: NetworkConfig, device: str, progress: Progress
) -> np.ndarray:
    """Return the probability of each output, (outputs, x, y, z), for an input (1, channels, x, y, z)."""
    count = prod(
        ceil(max(size - window, 0) / max(int(window * (1 - config.overlap)), 1)) + 1
        for size, window in zip(values.shape[2:], config.window, strict=True)
    )
    done = 0

    def one_window(window: torch.Tensor) -> torch.Tensor:
        nonlocal done
        progress(0.1 + 0.8 * min(done / count, 1), "running the network")
        done += 1
        return network(window)

    try:
        logits = sliding_window_inference(
            values,
            config.window,
            sw_batch_size=1,
            predictor=one_window,
            overlap=config.overlap,
            mode=config.blending,
            sw_device=device,
            device="cpu",
        )
    except RuntimeError as error:
        if device == "cpu" and "size" in str(error).lower():
            raise InputError(
                f"A window of {' x '.join(map(str, config.window))} voxels does not pass through the network "
                f"'{config.name}': give a size that all its strides divide."
            ) from error
        raise
    assert isinstance(logits, torch.Tensor)  # noqa: S101 - so it is with one output; told to the type checker
    chosen = torch.softmax(logits, 1) if config.activation == "softmax" else torch.sigmoid(logits)
    return chosen[0].float().numpy()


def masks_of(
    probabilities: np.ndarray,
    grid: sitk.Image,
    image: sitk.Image,
    config: NetworkConfig,
    regions: Mapping[str, list[int]],
) -> dict[str, sitk.Image]:
    """Return a mask (uint8) on the image's grid for each region, from the labels that make it up."""
    masks = {}
    labels = labels_on(probabilities, grid, image) if config.activation == "softmax" else None
    for region, values in regions.items():
        if labels is not None:
            inside = np.isin(sitk.GetArrayViewFromImage(labels), values)
        else:
            inside = np.logical_or.reduce([on_image(probabilities[number - 1], grid, image) > 0.5 for number in values])
        masks[region] = sitk.GetImageFromArray(inside.astype(np.uint8))
        masks[region].CopyInformation(image)
    return masks
