"""ResNets that turn a grey plane into a row of features, as TCI and DLOPCTR use them: MONAI's, in the standard shape.

He et al. (CVPR 2016) with the stride in the 3 x 3 convolution, as in the checkpoints that are commonly given away.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from monai.networks.nets import ResNet

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the red, green and blue of ImageNet, by which its networks standardise grey levels between 0 and 1."""
CLASSES = 1000


@dataclass(frozen=True)
class ResNetSize:
    """How large a ResNet is, and where it is cut.

    Attributes:
        blocks: bottleneck blocks of the four stages.
        widen: factor on the number of channels; 1 is the standard.
        stages: stages that are used: 3 ends at 1,024 channels, 4 at 2,048.
    """

    blocks: tuple[int, int, int, int]
    widen: float = 1.0
    stages: int = 4

    @property
    def channels(self) -> int:
        """Features of a plane."""
        return int(int((64, 128, 256, 512)[self.stages - 1] * self.widen) * 4)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data that tells these settings."""
        return {**asdict(self), "blocks": list(self.blocks)}


RESNET50, RESNET101 = (3, 4, 6, 3), (3, 4, 23, 3)
TCI_EXTRACTOR = {"base": ResNetSize(RESNET50, stages=3), "tiny": ResNetSize((1, 1, 1, 1), 0.125, stages=3)}
DLOPCTR_EXTRACTOR = {"base": ResNetSize(RESNET101), "tiny": ResNetSize((1, 1, 1, 1), 0.125)}
CNN_EXTRACTOR = {"base": ResNetSize(RESNET50), "tiny": ResNetSize((1, 1, 1, 1), 0.125)}
"""Of the comparator of SELECTION that reads features of a ResNet-50 by logistic regression."""


def make_resnet(size: ResNetSize, classes: int = CLASSES) -> ResNet:
    """Return a whole ResNet for pictures of three colours, all four stages and the layer that tells the classes."""
    # MONAI takes seconds to import, which networks without a ResNet need not wait for.
    from monai.networks.nets import ResNet

    return ResNet(
        block="bottleneck",
        layers=list(size.blocks),
        block_inplanes=[64, 128, 256, 512],
        spatial_dims=2,
        n_input_channels=3,
        conv1_t_size=7,
        conv1_t_stride=2,
        widen_factor=size.widen,
        num_classes=classes,
        bias_downsample=False,
    )


class FeatureExtractor(nn.Module):
    """The convolutions of a ResNet up to a stage, and the mean over the plane.

    Args:
        size: how large it is, and where it is cut.
        frozen: whether its weights and the statistics of its normalisations stay as they are.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, size: ResNetSize, frozen: bool) -> None:
        super().__init__()
        whole = make_resnet(size, 1)
        self.size, self.frozen = size, frozen
        self.stem = nn.Sequential(whole.conv1, whole.bn1, whole.act, whole.maxpool)
        self.stages = nn.ModuleList([whole.layer1, whole.layer2, whole.layer3, whole.layer4][: size.stages])
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None], persistent=False)
        self.requires_grad_(not frozen)
        self.train()

    def take_weights(self, resnet: ResNet) -> None:
        """Take the weights of a whole ResNet of the same size."""
        self.stem[0].load_state_dict(resnet.conv1.state_dict())
        self.stem[1].load_state_dict(resnet.bn1.state_dict())
        given = (resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4)
        for stage, layer in zip(self.stages, given, strict=False):
            stage.load_state_dict(layer.state_dict())

    def train(self, mode: bool = True) -> FeatureExtractor:
        """Switch to training; a frozen one never does, so that its normalisations keep their statistics."""
        return super().train(mode and not self.frozen)

    def maps(self, planes: Tensor) -> Tensor:
        """Return feature maps (n, channels, rows / 16 or 32, ...) of grey planes (n, rows, columns) in [0, 1]."""
        colours = planes[:, None].expand(-1, 3, -1, -1)
        found = self.stem((colours - self.mean) / self.deviation)
        for stage in self.stages:
            found = stage(found)
        return found

    def forward(self, planes: Tensor) -> Tensor:
        """Return features (n, channels) of grey planes (n, rows, columns) in [0, 1]."""
        return self.maps(planes).mean(dim=(2, 3))
