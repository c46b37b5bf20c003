"""Small networks of each system in evaluation, with a case to show them."""

from __future__ import annotations

import torch

from hccoutcome.deep.dlopctr_network import DlopctrNetwork
from hccoutcome.deep.model import DeepModel
from hccoutcome.deep.resnet import FeatureExtractor, ResNetSize
from hccoutcome.deep.selection_network import SelectionNetwork, SelectionSize
from hccoutcome.deep.tci_network import TciNetwork, TciSize
from hccoutcome.deep.whole_network import WholeNetwork

SIZE = SelectionSize(pixels=32, patch=8, width=16, hidden=24, heads=4, joint=2, dropout=0.2, attention_dropout=0.1)
VARIABLES = 3
EXTRACTOR = {stages: ResNetSize((1, 1, 1, 1), 0.125, stages=stages) for stages in (3, 4)}
PHASES, SLICES = 2, 3


def selection(variables: int = VARIABLES, size: SelectionSize = SIZE) -> DeepModel:
    torch.manual_seed(3)
    network = SelectionNetwork(size, variables)
    with torch.no_grad():  # larger weights than at the start, so that what is read counts
        for parameter in (network.slopes, network.levels, network.positions):
            parameter.mul_(20)
        for median, value in zip(network.clinic.median, (0.5, -0.2, 1.0), strict=False):
            median.fill_(value)
    return DeepModel(network).eval()


def tci() -> DeepModel:
    torch.manual_seed(6)
    extractor = FeatureExtractor(EXTRACTOR[3], frozen=True)
    size = TciSize(extractor.size.channels, PHASES, SLICES, width=24, hidden=24, heads=4)
    return DeepModel(_awake(WholeNetwork(extractor, TciNetwork(size)))).eval()


def dlopctr() -> DeepModel:
    torch.manual_seed(5)
    extractor = FeatureExtractor(EXTRACTOR[4], frozen=True)
    reader = DlopctrNetwork(extractor.size.channels, 5)
    torch.nn.init.normal_(reader.head.weight, std=0.5)
    return DeepModel(_awake(WholeNetwork(extractor, reader))).eval()


def _awake(network: WholeNetwork) -> WholeNetwork:
    """Give the features different levels, as a trained network's have."""
    with torch.no_grad():
        sample = network.extractor(torch.rand(8, 32, 32))
    network.reader.scores.take(sample.mean(0).numpy(), sample.std(0).numpy())
    return network


def case(planes: int, variables: int = 0, missing: tuple[int, ...] = (), pixels: int = 32):
    """Return grey levels, which planes exist, and clinical variables of one case."""
    generator = torch.Generator().manual_seed(11)
    present = torch.ones(1, planes, dtype=torch.bool)
    present[0, list(missing)] = False
    images = torch.rand(1, planes, pixels, pixels, generator=generator) * present[..., None, None]
    return images, present, torch.randn(1, variables, generator=generator)
