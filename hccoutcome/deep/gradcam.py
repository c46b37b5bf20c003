"""Grad-CAM: which part of a plane speaks for the score, by the features of a layer and their gradients.

Selvaraju et al. (ICCV 2017, equations 1 and 2): the gradient of the score by each feature map, averaged over the map,
weighs it; the weighted sum, where it is above 0, is the map. MONAI's ``GradCAM`` computes the same (see the tests), for
networks of one input and one plane alone.

A transformer has no convolution behind its tokens: there the tokens of the patches that enter the last layer take the
place of the feature maps, as is usual for such networks.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hccoutcome.deep.model import AT_ONCE, DeepModel, number_of
from hccoutcome.deep.selection_network import SelectionNetwork
from hccoutcome.deep.whole_network import WholeNetwork


def gradcam(model: DeepModel, images: Tensor, present: Tensor, clinical: Tensor) -> list[NDArray[np.float32]]:
    """Return a map of each plane of one case, in the cells of the layer; 0 for a plane that is missing.

    Args:
        model: in evaluation.
        images: grey levels (1, planes, rows, columns).
        present: which planes exist, (1, planes).
        clinical: variables (1, variables).
    """
    network = model.network
    if isinstance(network, SelectionNetwork):
        found = _of_tokens(network, images, clinical)
    else:
        found = _of_features(network, images, present)
    return [cells.float().cpu().numpy() for cells in found]


def weighed(features: Tensor, gradient: Tensor) -> Tensor:
    """Return maps (n, rows, columns) of feature maps and gradients (n, channels, rows, columns)."""
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return (weights * features).sum(dim=1).relu()


def _of_features(network: WholeNetwork, images: Tensor, present: Tensor) -> list[Tensor]:
    there = torch.nonzero(present[0]).flatten()
    with torch.no_grad():
        maps = torch.cat([network.extractor.maps(images[0, some]) for some in there.split(AT_ONCE)])
    maps.requires_grad_()
    features = maps.new_zeros((1, present.shape[1], maps.shape[1])).index_copy(1, there, maps.mean(dim=(2, 3))[None])
    (gradient,) = torch.autograd.grad(number_of(network.reader(features, present)).sum(), maps)
    found = weighed(maps.detach(), gradient)
    every = found.new_zeros((present.shape[1], *found.shape[1:])).index_copy(0, there, found)
    return list(every)


def _of_tokens(network: SelectionNetwork, images: Tensor, clinical: Tensor) -> list[Tensor]:
    kept: list[Tensor] = []
    hook = network.joint[-1].attention_norm.register_forward_hook(  # type: ignore[union-attr]
        lambda _module, _inputs, output: kept.append(output)
    )
    try:
        # Where the weights are frozen, the grey levels keep the graph alive.
        number = network(images.detach().requires_grad_(), clinical)
    finally:
        hook.remove()
    (gradient,) = torch.autograd.grad(number.sum(), kept[0])
    tokens = network.tokens
    return [
        weighed(*(_grid(part[0, tokens.patches(phase)], tokens.side) for part in (kept[0].detach(), gradient)))[0]
        for phase in range(tokens.phases)
    ]


def _grid(tokens: Tensor, side: int) -> Tensor:
    """Return patches (side * side, width) as feature maps (1, width, side, side)."""
    return tokens.T.unflatten(1, (side, side))[None]
