"""The Segment Anything network (SAM), as MedSAM's checkpoint needs it: image encoder, box prompts, mask decoder.

Written anew after the paper (Kirillov et al., ICCV 2023, doi 10.1109/ICCV51070.2023.00371) and its public code
(facebookresearch/segment-anything, Apache-2.0), with that code's names of parameters, so that its checkpoints load as
they are. What MedSAM does not use (prompts by points and masks, several masks for one prompt) has its parameters
here, since checkpoints hold them, and nothing more. Only loaded where PyTorch is at hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hccoutcome.segmentation.sam_settings import SamSettings

EPSILON = 1e-6


class ChannelNorm(nn.Module):
    """Normalises over the channels of (batch, channels, height, width)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised features, in the same shape."""
        last = functional.layer_norm(x.permute(0, 2, 3, 1), (len(self.weight),), self.weight, self.bias, EPSILON)
        return last.permute(0, 3, 1, 2)


class TwoLayers(nn.Module):
    """Two linear layers with a bend between them."""

    def __init__(self, width: int, hidden: int, bend: type[nn.Module]) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)
        self.act = bend()

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same width."""
        return self.lin2(self.act(self.lin1(x)))


class ImageAttention(nn.Module):
    """Self-attention over a square of places, with what their distances along both axes add (Li et al., MViTv2)."""

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, width // heads))

    def forward(self, x: Tensor) -> Tensor:
        """Return features (batch, side, side, width) of the same shape."""
        batch, side, _, width = x.shape
        qkv = self.qkv(x).reshape(batch, side * side, 3, self.heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        apart = torch.arange(side, device=x.device)
        apart = apart[:, None] - apart[None, :] + side - 1
        places = query.reshape(batch, self.heads, side, side, -1)
        rows = torch.einsum("bnhwc,hkc->bnhwk", places, self.rel_pos_h[apart])
        columns = torch.einsum("bnhwc,wkc->bnhwk", places, self.rel_pos_w[apart])
        bias = (rows[..., :, None] + columns[..., None, :]).reshape(batch, self.heads, side * side, side * side)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.proj(mixed.transpose(1, 2).reshape(batch, side, side, width))


class EncoderBlock(nn.Module):
    """One layer of the image encoder, which attends within windows or, where ``window`` is 0, everywhere."""

    def __init__(self, s: SamSettings, window: int) -> None:
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(s.width, EPSILON)
        self.attn = ImageAttention(s.width, s.heads, window or s.side)
        self.norm2 = nn.LayerNorm(s.width, EPSILON)
        self.mlp = TwoLayers(s.width, 4 * s.width, nn.GELU)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (batch, side, side, width) of the same shape."""
        x = x + self._attend(self.norm1(x))
        return x + self.mlp(self.norm2(x))

    def _attend(self, x: Tensor) -> Tensor:
        if not self.window:
            return self.attn(x)
        batch, side, _, width = x.shape
        more = -side % self.window
        x = functional.pad(x, (0, 0, 0, more, 0, more))
        count = (side + more) // self.window
        cut = (batch, count, self.window, count, self.window, width)
        windows = x.view(cut).transpose(2, 3).reshape(-1, self.window, self.window, width)
        mixed = self.attn(windows).view(batch, count, count, self.window, self.window, width).transpose(2, 3)
        return mixed.reshape(batch, side + more, side + more, width)[:, :side, :side]


class PatchEmbed(nn.Module):
    """Turns squares of pixels into features."""

    def __init__(self, s: SamSettings) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, s.width, s.patch, s.patch)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (batch, side, side, width) of images (batch, 3, size, size)."""
        return self.proj(x).permute(0, 2, 3, 1)


class ImageEncoder(nn.Module):
    """The vision transformer that sees the image once for all prompts."""

    def __init__(self, s: SamSettings) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(s)
        self.pos_embed = nn.Parameter(torch.zeros(1, s.side, s.side, s.width))
        self.blocks = nn.ModuleList(
            EncoderBlock(s, 0 if number in s.everywhere else s.window) for number in range(s.depth)
        )
        self.neck = nn.Sequential(
            nn.Conv2d(s.width, s.features, 1, bias=False),
            ChannelNorm(s.features),
            nn.Conv2d(s.features, s.features, 3, padding=1, bias=False),
            ChannelNorm(s.features),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return features (batch, features, side, side) of images (batch, 3, size, size)."""
        x = self.patch_embed(x) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.neck(x.permute(0, 3, 1, 2))


class PlaceCode(nn.Module):
    """Codes places by sines and cosines of random directions, which are part of the checkpoint."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, features // 2))

    def forward(self, places: Tensor) -> Tensor:
        """Return codes (..., features) of places (..., 2) as x and y from 0 to 1."""
        turns = 2 * math.pi * ((2 * places - 1) @ self.positional_encoding_gaussian_matrix)
        return torch.cat([turns.sin(), turns.cos()], dim=-1)


class PromptEncoder(nn.Module):
    """Codes boxes; holds what a checkpoint has for points and masks."""

    def __init__(self, s: SamSettings) -> None:
        super().__init__()
        self.size, self.side = s.size, s.side
        self.pe_layer = PlaceCode(s.features)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, s.features) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, s.features)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, s.mask_channels // 4, 2, 2),
            ChannelNorm(s.mask_channels // 4),
            nn.GELU(),
            nn.Conv2d(s.mask_channels // 4, s.mask_channels, 2, 2),
            ChannelNorm(s.mask_channels),
            nn.GELU(),
            nn.Conv2d(s.mask_channels, s.features, 1),
        )
        self.no_mask_embed = nn.Embedding(1, s.features)

    def boxes(self, boxes: Tensor) -> Tensor:
        """Return the codes (batch, 2, features) of boxes (batch, 4) as x0, y0, x1, y1 in pixels of the input."""
        corners = self.pe_layer((boxes.reshape(-1, 2, 2) + 0.5) / self.size)
        # The first two are those of points outside and inside.
        kinds = torch.cat([embedding.weight for embedding in self.point_embeddings[2:]])  # type: ignore[misc]
        return corners + kinds

    def no_mask(self, count: int) -> Tensor:
        """Return what stands for no mask, (batch, features, side, side)."""
        return self.no_mask_embed.weight.reshape(1, -1, 1, 1).expand(count, -1, self.side, self.side)

    def places(self) -> Tensor:
        """Return the codes of the places of the image's features, (1, features, side, side)."""
        device = self.no_mask_embed.weight.device
        along = (torch.arange(self.side, device=device, dtype=torch.float32) + 0.5) / self.side
        rows, columns = torch.meshgrid(along, along, indexing="ij")
        return self.pe_layer(torch.stack([columns, rows], dim=-1)).permute(2, 0, 1)[None]


class TokenAttention(nn.Module):
    """Attention between prompts and image."""

    def __init__(self, s: SamSettings, less: int) -> None:
        super().__init__()
        inner = s.features // less
        self.heads = s.decoder_heads
        self.q_proj = nn.Linear(s.features, inner)
        self.k_proj = nn.Linear(s.features, inner)
        self.v_proj = nn.Linear(s.features, inner)
        self.out_proj = nn.Linear(inner, s.features)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return what the queries (batch, n, features) take from the values (batch, m, features)."""
        parts = [self.q_proj(query), self.k_proj(key), self.v_proj(value)]
        split = [part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts]
        mixed = functional.scaled_dot_product_attention(*split)
        return self.out_proj(mixed.transpose(1, 2).flatten(-2))


class TwoWayBlock(nn.Module):
    """Prompts attend to each other and to the image, then the image to the prompts."""

    def __init__(self, s: SamSettings, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn = TokenAttention(s, 1)
        self.norm1 = nn.LayerNorm(s.features)
        self.cross_attn_token_to_image = TokenAttention(s, 2)
        self.norm2 = nn.LayerNorm(s.features)
        self.mlp = TwoLayers(s.features, s.decoder_hidden, nn.ReLU)
        self.norm3 = nn.LayerNorm(s.features)
        self.norm4 = nn.LayerNorm(s.features)
        self.cross_attn_image_to_token = TokenAttention(s, 2)

    def forward(self, tokens: Tensor, image: Tensor, token_code: Tensor, image_code: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens and image features, in the same shapes."""
        if self.first:
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            placed = tokens + token_code
            tokens = tokens + self.self_attn(placed, placed, tokens)
        tokens = self.norm1(tokens)
        seen = image + image_code
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(tokens + token_code, seen, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.cross_attn_image_to_token(seen, tokens + token_code, tokens))
        return tokens, image


class TwoWayTransformer(nn.Module):
    """Brings prompts and image together."""

    def __init__(self, s: SamSettings) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TwoWayBlock(s, first=number == 0) for number in range(s.decoder_depth))
        self.final_attn_token_to_image = TokenAttention(s, 2)
        self.norm_final_attn = nn.LayerNorm(s.features)

    def forward(self, image: Tensor, image_code: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens (batch, n, features) and image features (batch, places, features)."""
        image, image_code = image.flatten(2).transpose(1, 2), image_code.flatten(2).transpose(1, 2)
        code = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, code, image_code)
        tokens = tokens + self.final_attn_token_to_image(tokens + code, image + image_code, image)
        return self.norm_final_attn(tokens), image


class Perceptron(nn.Module):
    """Three linear layers with bends between them."""

    def __init__(self, width: int, hidden: int, out: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(width, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, out)])

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the width ``out``."""
        for layer in self.layers[:-1]:
            x = functional.relu(layer(x))
        return self.layers[-1](x)


class MaskDecoder(nn.Module):
    """Draws the mask of a prompt; MedSAM takes the first of four."""

    MASKS = 4

    def __init__(self, s: SamSettings) -> None:
        super().__init__()
        self.transformer = TwoWayTransformer(s)
        self.iou_token = nn.Embedding(1, s.features)
        self.mask_tokens = nn.Embedding(self.MASKS, s.features)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(s.features, s.features // 4, 2, 2),
            ChannelNorm(s.features // 4),
            nn.GELU(),
            nn.ConvTranspose2d(s.features // 4, s.features // 8, 2, 2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            Perceptron(s.features, s.features, s.features // 8) for _ in range(self.MASKS)
        )
        self.iou_prediction_head = Perceptron(s.features, s.iou_hidden, self.MASKS)

    def forward(self, image: Tensor, places: Tensor, prompt: Tensor, no_mask: Tensor) -> Tensor:
        """Return the logits of the mask (batch, 1, 4 side, 4 side) for prompts (batch, n, features)."""
        count = len(prompt)
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([own.expand(count, -1, -1), prompt], dim=1)
        tokens, mixed = self.transformer(image + no_mask, places.expand(count, -1, -1, -1), tokens)
        fine = self.output_upscaling(mixed.transpose(1, 2).view(count, *image.shape[1:]))
        weights = self.output_hypernetworks_mlps[0](tokens[:, 1])
        return torch.einsum("bc,bchw->bhw", weights, fine)[:, None]


class Sam(nn.Module):
    """The whole network."""

    def __init__(self, s: SamSettings) -> None:
        super().__init__()
        self.settings = s
        self.image_encoder = ImageEncoder(s)
        self.prompt_encoder = PromptEncoder(s)
        self.mask_decoder = MaskDecoder(s)

    def forward(self, image: Tensor, boxes: Tensor) -> Tensor:
        """Return the logits (batch, 1, 4 side, 4 side) of boxes (batch, 4) in one image (1, 3, size, size)."""
        seen = self.image_encoder(image)
        prompt = self.prompt_encoder.boxes(boxes)
        return self.mask_decoder(seen, self.prompt_encoder.places(), prompt, self.prompt_encoder.no_mask(len(boxes)))


def load_sam(state: Mapping[str, Any], settings: SamSettings) -> Sam:
    """Return the network with the parameters of a checkpoint, each of which must be there in its shape.

    Raises:
        InputError: a parameter is missing, has another shape, or is not one of the network's.
    """
    from hccoutcome.segmentation.checkpoints import check_parameters

    with torch.device("meta"):
        network = Sam(settings)
    check_parameters(state, network.state_dict(), "MedSAM (SAM ViT-B)")
    network.load_state_dict(state, strict=True, assign=True)
    return network.float().eval()
