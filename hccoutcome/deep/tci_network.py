"""The TCI transformer: self-attention over the slices of all phases, whichever of them a patient has.

TCI (J Cancer 2025;16:2663-2672, "2.5D Segmentation Methods", "Model Construction"): features of a pretrained ResNet-50
up to 1,024 channels and global average pooling, z-scores, a linear layer to 512, two layers of self-attention with
eight heads, a multilayer perceptron.

Left open there and decided here: every instance carries a learned sign of its phase and one of its slice, since
attention alone does not know the order of what it reads; the mean over the instances present is the patient's; the
z-scores are those of the training part (the paper takes the whole data set).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hccoutcome.deep.attention import SelfBlock
from hccoutcome.deep.standardise import Standardise


@dataclass(frozen=True)
class TciSize:
    """How large the transformer is.

    Attributes:
        features: of an instance.
        phases: that it knows.
        slices: of each phase.
        width: to which the features are brought.
        hidden: width of the perceptrons.
        heads: attention heads.
        layers: of self-attention.
        dropout: of tokens and attention weights.
    """

    features: int = 1024
    phases: int = 4
    slices: int = 9
    width: int = 512
    hidden: int = 512
    heads: int = 8
    layers: int = 2
    dropout: float = 0.1

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data from which ``TciSize(**data)`` is the same again."""
        return asdict(self)


class TciNetwork(nn.Module):
    """The transformer over instances.

    Args:
        size: how large it is.
    """

    def __init__(self, size: TciSize) -> None:
        super().__init__()
        self.size = size
        self.scores = Standardise(size.features)
        self.reduce = nn.Linear(size.features, size.width)
        self.phase = nn.Parameter(torch.empty(size.phases, 1, size.width))
        self.slice = nn.Parameter(torch.empty(1, size.slices, size.width))
        self.blocks = nn.ModuleList(
            SelfBlock(size.width, size.hidden, size.heads, size.dropout, size.dropout) for _ in range(size.layers)
        )
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Sequential(
            nn.Linear(size.width, size.width // 2), nn.GELU(), nn.Dropout(size.dropout), nn.Linear(size.width // 2, 1)
        )
        for parameter in (self.phase, self.slice):
            nn.init.trunc_normal_(parameter, std=0.02)

    def learn_statistics(self, features: NDArray[np.floating], present: NDArray[np.bool_]) -> None:
        """Take the statistics of the training part.

        Args:
            features: (n, instances, features).
            present: which instances exist, (n, instances).
        """
        self.scores.learn(features[present])

    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        """Return logits (batch,).

        Args:
            features: (batch, instances, features), phase after phase; what is not present counts for nothing.
            present: which instances exist, (batch, instances), at least one each.
        """
        return self._run(features, present, keep=False)[0]

    def attention(self, features: Tensor, present: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return logits and, layer by layer, the weights (batch, heads, instances, instances)."""
        return self._run(features, present, keep=True)

    def _run(self, features: Tensor, present: Tensor, keep: bool) -> tuple[Tensor, list[Tensor]]:
        known = torch.where(present[..., None], features, 0.0)
        tokens = self.reduce(self.scores(known)) + (self.phase + self.slice).flatten(0, 1)
        kept: list[Tensor] = []
        for block in self.blocks:
            tokens, weights = block(tokens, present, keep)
            if weights is not None:
                kept.append(weights)
        return self.head(mean_of_present(self.norm(tokens), present)).squeeze(-1), kept


def mean_of_present(values: Tensor, present: Tensor) -> Tensor:
    """Return the mean over the instances that exist: of values (batch, n, width), where ``present`` (batch, n)."""
    weights = present[..., None].to(values.dtype)
    return torch.where(present[..., None], values, 0.0).sum(dim=1) / weights.sum(dim=1)
