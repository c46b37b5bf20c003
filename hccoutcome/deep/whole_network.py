"""Convolutions and what reads their features as one network: for training from scratch, and for Grad-CAM."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hccoutcome.deep.resnet import FeatureExtractor


class WholeNetwork(nn.Module):
    """A feature extractor and a network over its instances.

    Args:
        extractor: gives features of every plane.
        reader: ``TciNetwork`` or ``DlopctrNetwork``.
    """

    def __init__(self, extractor: FeatureExtractor, reader: nn.Module) -> None:
        super().__init__()
        self.extractor, self.reader = extractor, reader

    def features(self, images: Tensor, present: Tensor) -> Tensor:
        """Return features (batch, planes, channels) of planes (batch, planes, rows, columns); 0 for absent ones."""
        found = self.extractor(images[present])
        every = found.new_zeros((*present.shape, found.shape[-1]))
        return every.masked_scatter(present[..., None], found)

    def forward(self, images: Tensor, present: Tensor) -> Tensor:
        """Return what the reader makes of planes (batch, planes, rows, columns), of those present (batch, planes)."""
        return self.reader(self.features(images, present), present)


def planes_features(extractor: FeatureExtractor, images: Tensor, present: Tensor, at_once: int = 16) -> Tensor:
    """Return features (planes, channels) of one case's planes (planes, rows, columns), without gradients."""
    device = next(extractor.parameters()).device
    result = torch.zeros(len(images), extractor.size.channels)
    there = torch.nonzero(present).flatten()
    with torch.inference_mode():
        for some in there.split(at_once):
            result[some] = extractor(images[some].to(device)).float().cpu()
    return result
