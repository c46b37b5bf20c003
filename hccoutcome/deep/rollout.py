"""Attention rollout: how much every token of the input counts, followed through all layers.

Abnar and Zuidema (ACL 2020, section 3), as SELECTION describes it: heads averaged, the identity added for what a layer
passes on unchanged, rows normalised, layers multiplied.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def attention_rollout(layers: Sequence[Tensor]) -> Tensor:
    """Return how much each token of the last layer (row) goes back to each of the input (column); rows sum to 1.

    Args:
        layers: weights of every layer, the first first, each (batch, heads, tokens, tokens).

    Returns:
        Shape (batch, tokens, tokens). The mean over rows is that of a head that reads the mean of all tokens.
    """
    tokens = layers[0].shape[-1]
    total = torch.eye(tokens, device=layers[0].device).expand(len(layers[0]), -1, -1)
    for weights in layers:
        step = weights.float().mean(dim=1) + torch.eye(tokens, device=weights.device)
        total = (step / step.sum(dim=-1, keepdim=True)) @ total
    return total
