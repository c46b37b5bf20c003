"""Attention over tokens: within one sequence, and between image and clinical tokens in both directions.

The bidirectional attention is that of IRENE (Nat Biomed Eng 2023;7:743-755, Methods), which SELECTION follows: each
kind of token has its own queries, keys and values, every kind attends to both kinds, and the two contexts are averaged.
Layers normalise before they attend (pre-norm) and add what they find to what they were given.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Heads(nn.Module):
    """Queries, keys and values of one kind of token, and the map of the attended values back to it.

    Args:
        width: of a token; a multiple of ``heads``.
        heads: number of attention heads.
        dropout: of what is given back.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} cannot be divided among {heads} heads")
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.dropout = nn.Dropout(dropout)

    def split(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values of tokens (batch, n, width), each (batch, heads, n, width / heads)."""
        query, key, value = (
            part(tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        return query, key, value

    def joined(self, context: Tensor) -> Tensor:
        """Return tokens (batch, n, width) of attended values (batch, heads, n, width / heads)."""
        return self.dropout(self.out(context.transpose(1, 2).flatten(2)))


def attended(
    query: Tensor, key: Tensor, value: Tensor, dropout: float, present: Tensor | None, keep: bool
) -> tuple[Tensor, Tensor | None]:
    """Return the values that queries attend to and, where asked, the weights of this.

    Args:
        query: (batch, heads, n, d).
        key: (batch, heads, m, d).
        value: (batch, heads, m, d).
        dropout: share of weights that are dropped, 0 outside training.
        present: which of the m tokens exist, (batch, m), at least one each; all where None.
        keep: whether the weights (batch, heads, n, m) are wanted, which takes longer; each row sums to 1.
    """
    mask = None if present is None else present[:, None, None, :]
    if not keep:
        return functional.scaled_dot_product_attention(query, key, value, mask, dropout), None
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = scores.softmax(dim=-1)
    return functional.dropout(weights, dropout) @ value, weights


class Perceptron(nn.Sequential):
    """The two linear layers that follow an attention, with a GELU between them."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width), nn.Dropout(dropout)
        )


class SelfBlock(nn.Module):
    """One layer of self-attention and a perceptron.

    Args:
        width: of a token.
        hidden: width of the perceptron.
        heads: attention heads.
        dropout: of tokens.
        attention_dropout: of attention weights.
    """

    def __init__(self, width: int, hidden: int, heads: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.attention_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.heads = Heads(width, heads, dropout)
        self.perceptron = Perceptron(width, hidden, dropout)
        self.attention_dropout = attention_dropout

    def forward(
        self, tokens: Tensor, present: Tensor | None = None, keep: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Return tokens (batch, n, width) and, where asked, the weights (batch, heads, n, n) by which they attended.

        Args:
            tokens: (batch, n, width).
            present: which tokens exist, (batch, n); all where None. What is given back of others means nothing.
            keep: whether the weights are wanted.
        """
        dropout = self.attention_dropout if self.training else 0.0
        query, key, value = self.heads.split(self.attention_norm(tokens))
        context, weights = attended(query, key, value, dropout, present, keep)
        tokens = tokens + self.heads.joined(context)
        return tokens + self.perceptron(self.norm(tokens)), weights


class BidirectionalBlock(nn.Module):
    """One layer in which image tokens and clinical tokens attend to themselves and to each other.

    The arguments are those of ``SelfBlock``; each kind of token has its own of everything.
    """

    def __init__(self, width: int, hidden: int, heads: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        kinds = ("image", "text")
        self.attention_norm = nn.ModuleDict({kind: nn.LayerNorm(width) for kind in kinds})
        self.norm = nn.ModuleDict({kind: nn.LayerNorm(width) for kind in kinds})
        self.heads = nn.ModuleDict({kind: Heads(width, heads, dropout) for kind in kinds})
        self.perceptron = nn.ModuleDict({kind: Perceptron(width, hidden, dropout) for kind in kinds})
        self.attention_dropout = attention_dropout

    def forward(self, image: Tensor, text: Tensor, keep: bool = False) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return image tokens, clinical tokens and, where asked, the weights by which all of them attended to all.

        Args:
            image: (batch, n, width).
            text: (batch, m, width).
            keep: whether the weights are wanted.

        Returns:
            Both kinds of token, and weights (batch, heads, n + m, n + m), image tokens first. As the context of a token
            is the mean of one within its kind and one of the other kind, so are its weights; each row sums to 1.
        """
        dropout = self.attention_dropout if self.training else 0.0
        qi, ki, vi = self.heads["image"].split(self.attention_norm["image"](image))  # type: ignore[operator]
        qt, kt, vt = self.heads["text"].split(self.attention_norm["text"](text))  # type: ignore[operator]
        ii, wii = attended(qi, ki, vi, dropout, None, keep)
        it, wit = attended(qi, kt, vt, dropout, None, keep)
        tt, wtt = attended(qt, kt, vt, dropout, None, keep)
        ti, wti = attended(qt, ki, vi, dropout, None, keep)
        image = image + self.heads["image"].joined((ii + it) / 2)  # type: ignore[operator]
        text = text + self.heads["text"].joined((tt + ti) / 2)  # type: ignore[operator]
        image = image + self.perceptron["image"](self.norm["image"](image))
        text = text + self.perceptron["text"](self.norm["text"](text))
        if wii is None or wit is None or wtt is None or wti is None:
            return image, text, None
        rows = torch.cat([wii, wit], dim=-1), torch.cat([wti, wtt], dim=-1)
        return image, text, torch.cat(rows, dim=-2) / 2
