"""SELECTION: a transformer that reads image patches of two phases and clinical variables as one kind of thing.

SELECTION (eClinicalMedicine 2024;75:102808, Fig. 2 and Supplementary E3, E4) follows IRENE (Nat Biomed Eng
2023;7:743-755): patches of 16 x 16 pixels and a class token of each phase, one token for each clinical variable (a
linear map of its own), two layers of bidirectional attention, then ten layers over all tokens joined; the mean of all
tokens gives the logit.

Left open there and decided here: both phases share the map from patches to tokens and have class tokens and positions
of their own; clinical variables and grey levels enter as z-scores of the training part, missing ones as its median.
Without clinical variables the same network is the paper's comparator, a ViT of twelve layers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hccoutcome.deep.attention import BidirectionalBlock, SelfBlock
from hccoutcome.deep.standardise import Standardise
from hccoutcome.errors import InputError, nearest


@dataclass(frozen=True)
class SelectionSize:
    """How large the network is.

    Attributes:
        pixels: rows and columns of a plane; a multiple of ``patch``.
        phases: number of planes.
        patch: rows and columns of a patch.
        width: of a token.
        hidden: width of the perceptrons.
        heads: attention heads.
        bidirectional: layers before image and clinical tokens are joined.
        joint: layers after that.
        dropout: of tokens.
        attention_dropout: of attention weights.
    """

    pixels: int = 224
    phases: int = 2
    patch: int = 16
    width: int = 768
    hidden: int = 3072
    heads: int = 12
    bidirectional: int = 2
    joint: int = 10
    dropout: float = 0.3
    attention_dropout: float = 0.2

    @property
    def patches(self) -> int:
        """Patches of one plane."""
        return (self.pixels // self.patch) ** 2

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data from which ``SelectionSize(**data)`` is the same again."""
        return asdict(self)


SIZES = {
    "base": SelectionSize(),
    "tiny": SelectionSize(
        patch=56, width=48, hidden=96, heads=4, bidirectional=1, joint=1, dropout=0.1, attention_dropout=0.0
    ),
}
"""``base`` is the paper's; ``tiny`` learns on a processor within minutes, for tests and small cohorts."""


def selection_size(name: str) -> SelectionSize:
    """Return the size of a name.

    Raises:
        InputError: there is none.
    """
    if name not in SIZES:
        raise InputError(f"'{name}' is not a size of the network; {nearest(name, SIZES)}.")
    return SIZES[name]


@dataclass(frozen=True)
class Tokens:
    """Which token stands for what, in the order of the joined sequence.

    Attributes:
        phases: number of planes.
        side: patches along one side of a plane.
        variables: number of clinical variables.
    """

    phases: int
    side: int
    variables: int

    @property
    def count(self) -> int:
        """All tokens."""
        return self.phases * (1 + self.side**2) + self.variables

    def class_token(self, phase: int) -> int:
        """Return the place of a phase's class token."""
        return phase * (1 + self.side**2)

    def patches(self, phase: int) -> slice:
        """Return the places of a phase's patches, row by row."""
        start = self.class_token(phase) + 1
        return slice(start, start + self.side**2)

    def variable(self, number: int) -> int:
        """Return the place of a clinical variable's token."""
        return self.phases * (1 + self.side**2) + number


class SelectionNetwork(nn.Module):
    """The network.

    Args:
        size: how large it is.
        variables: number of clinical variables; 0 makes it the ViT on images alone.
    """

    def __init__(self, size: SelectionSize, variables: int) -> None:
        super().__init__()
        if size.pixels % size.patch:
            raise ValueError(f"planes of {size.pixels} pixels cannot be cut into patches of {size.patch}")
        self.size, self.variables = size, variables
        shape = (size.width, size.hidden, size.heads, size.dropout, size.attention_dropout)
        self.grey, self.clinic = Standardise(size.phases), Standardise(variables)
        self.patches = nn.Conv2d(1, size.width, size.patch, stride=size.patch)
        self.classes = nn.Parameter(torch.zeros(size.phases, 1, size.width))
        self.positions = nn.Parameter(torch.empty(size.phases, 1 + size.patches, size.width))
        self.slopes = nn.Parameter(torch.empty(variables, size.width))
        self.levels = nn.Parameter(torch.empty(variables, size.width))
        self.dropout = nn.Dropout(size.dropout)
        together = size.joint if variables else size.joint + size.bidirectional
        self.bidirectional = nn.ModuleList(
            BidirectionalBlock(*shape) for _ in range(size.bidirectional if variables else 0)
        )
        self.joint = nn.ModuleList(SelfBlock(*shape) for _ in range(together))
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, 1)
        for parameter in (self.positions, self.slopes, self.levels):
            nn.init.trunc_normal_(parameter, std=0.02)

    @property
    def tokens(self) -> Tokens:
        """Which token stands for what."""
        return Tokens(self.size.phases, self.size.pixels // self.size.patch, self.variables)

    def learn_statistics(self, images: Iterable[NDArray[np.floating]], clinical: NDArray[np.floating]) -> None:
        """Take the statistics of the training part.

        Args:
            images: grey levels of every case, (phases, rows, columns) each; they may be read one after the other.
            clinical: variables (n, variables), NaN where not known.
        """
        sums, count = np.zeros((2, self.size.phases)), 0
        for planes in images:
            levels = np.asarray(planes, np.float64).reshape(self.size.phases, -1)
            sums += levels.mean(axis=1), (levels**2).mean(axis=1)
            count += 1
        mean, square = sums / count
        self.grey.take(mean, np.sqrt(np.maximum(square - mean**2, 0.0)))
        self.clinic.learn(clinical)

    def forward(self, images: Tensor, clinical: Tensor) -> Tensor:
        """Return logits (batch,) of planes (batch, phases, rows, columns) and variables (batch, variables)."""
        return self._run(images, clinical, keep=False)[0]

    def attention(self, images: Tensor, clinical: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return logits and, layer by layer, the weights (batch, heads, tokens, tokens) of all tokens (``tokens``)."""
        logits, weights = self._run(images, clinical, keep=True)
        return logits, weights

    def _run(self, images: Tensor, clinical: Tensor, keep: bool) -> tuple[Tensor, list[Tensor]]:
        image, text = self._image_tokens(images), self._text_tokens(clinical)
        kept: list[Tensor | None] = []
        for block in self.bidirectional:
            image, text, weights = block(image, text, keep)
            kept.append(weights)
        tokens = torch.cat([image, text], dim=1)
        for block in self.joint:
            tokens, weights = block(tokens, None, keep)
            kept.append(weights)
        logits = self.head(self.norm(tokens).mean(dim=1)).squeeze(-1)
        return logits, [weights for weights in kept if weights is not None]

    def _image_tokens(self, images: Tensor) -> Tensor:
        batch, phases = images.shape[:2]
        scores = self.grey(images.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        patches = self.patches(scores.flatten(0, 1)[:, None]).flatten(2).transpose(1, 2)
        patches = patches.unflatten(0, (batch, phases))
        classes = self.classes.expand(batch, -1, -1, -1)
        return self.dropout((torch.cat([classes, patches], dim=2) + self.positions).flatten(1, 2))

    def _text_tokens(self, clinical: Tensor) -> Tensor:
        return self.dropout(self.clinic(clinical)[..., None] * self.slopes + self.levels)
