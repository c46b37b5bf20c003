"""The sizes of a Segment Anything network; plain numbers, without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SamSettings:
    """The sizes of the network, as published for ViT-B.

    Attributes:
        size: width and height of the input in pixels.
        patch: width of the squares that become one place.
        width: features of a place in the image encoder.
        depth: its layers.
        heads: its attention heads.
        everywhere: its layers that attend to the whole image.
        window: width in places of the windows of the other layers.
        features: features of places and prompts afterwards.
        mask_channels: features of a mask prompt.
        decoder_depth, decoder_heads, decoder_hidden: layers, heads and hidden width of the mask decoder.
        iou_hidden: hidden width of what judges a mask.
    """

    size: int = 1024
    patch: int = 16
    width: int = 768
    depth: int = 12
    heads: int = 12
    everywhere: tuple[int, ...] = (2, 5, 8, 11)
    window: int = 14
    features: int = 256
    mask_channels: int = 16
    decoder_depth: int = 2
    decoder_heads: int = 8
    decoder_hidden: int = 2048
    iou_hidden: int = 256

    @property
    def side(self) -> int:
        """Places along one side of the image."""
        return self.size // self.patch
