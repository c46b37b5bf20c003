"""Random weights in the format of torchvision's ResNet checkpoints."""

from __future__ import annotations

import torch


def standard(blocks, widen=1.0, classes=1000, seed=0):
    """Return random weights with the names and shapes of torchvision's checkpoints, written down from their rule."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}

    def conv(name, out, into, kernel):
        scale = (2.0 / (into * kernel**2)) ** 0.5
        weights[f"{name}.weight"] = torch.randn(out, into, kernel, kernel, generator=generator) * scale

    def norm(name, channels):
        weights[f"{name}.weight"] = torch.rand(channels, generator=generator) + 0.5
        weights[f"{name}.bias"] = torch.randn(channels, generator=generator) * 0.1
        weights[f"{name}.running_mean"] = torch.randn(channels, generator=generator) * 0.1
        weights[f"{name}.running_var"] = torch.rand(channels, generator=generator) + 0.5
        weights[f"{name}.num_batches_tracked"] = torch.tensor(1)

    stem = int(64 * widen)
    conv("conv1", stem, 3, 7)
    norm("bn1", stem)
    into = stem
    for stage, count in enumerate(blocks, 1):
        planes = int(64 * 2 ** (stage - 1) * widen)
        for block in range(count):
            name = f"layer{stage}.{block}"
            for number, (out, source, kernel) in enumerate(
                ((planes, into, 1), (planes, planes, 3), (4 * planes, planes, 1)), 1
            ):
                conv(f"{name}.conv{number}", out, source, kernel)
                norm(f"{name}.bn{number}", out)
            if block == 0:
                conv(f"{name}.downsample.0", 4 * planes, into, 1)
                norm(f"{name}.downsample.1", 4 * planes)
            into = 4 * planes
    weights["fc.weight"] = torch.randn(classes, into, generator=generator) * 0.1
    weights["fc.bias"] = torch.randn(classes, generator=generator)
    return weights
