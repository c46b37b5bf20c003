"""DLOPCTR: the fully connected layer that turns features of a tumour's patches into hazards.

DLOPCTR (Appendix E3): a ResNet-101 from ImageNet, its convolutions frozen, dropout of 0.5 before the fully connected
layer, which is trained; the loss is that of discrete-time survival (``hazards``).

Left open there and decided here: features enter as z-scores of the training part; a patient's logits are the mean over
the patches; hazards start at the training part's own, whatever the features.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hccoutcome.deep.standardise import Standardise
from hccoutcome.deep.tci_network import mean_of_present

DROPOUT = 0.5


class DlopctrNetwork(nn.Module):
    """The trained part of the network.

    Args:
        features: of a patch.
        intervals: of survival.
        dropout: before the fully connected layer.
    """

    def __init__(self, features: int, intervals: int, dropout: float = DROPOUT) -> None:
        super().__init__()
        self.scores = Standardise(features)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(features, intervals)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def learn_statistics(self, features: NDArray[np.floating], present: NDArray[np.bool_]) -> None:
        """Take the statistics of the training part: features (n, patches, features) of those present (n, patches)."""
        self.scores.learn(features[present])

    def start_at(self, survived: NDArray[np.floating], failed: NDArray[np.floating]) -> None:
        """Start at the hazards of the training part as a whole (``hazards.followed``), each (n, intervals)."""
        deaths, lived = failed.sum(axis=0) + 0.5, survived.sum(axis=0) + 0.5
        with torch.no_grad():
            self.head.bias.copy_(torch.from_numpy(np.log(deaths / lived).astype(np.float32)))

    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        """Return logits of hazards (batch, intervals).

        Args:
            features: (batch, patches, features).
            present: which patches exist, (batch, patches), at least one each.
        """
        known = torch.where(present[..., None], features, 0.0)
        return mean_of_present(self.head(self.dropout(self.scores(known))), present)
