"""The colours of habitats, in files, in the scene and in windows."""

from __future__ import annotations

Rgb8 = tuple[int, int, int]

PALETTE: tuple[Rgb8, ...] = (
    (51, 34, 136), (221, 204, 119), (136, 204, 238), (17, 119, 51), (204, 102, 119),
    (221, 221, 221), (153, 153, 51), (68, 170, 153), (136, 34, 85), (170, 68, 153),
)  # fmt: skip
"""Colours (8 bits) that numbered regions take in turn: Tol's "muted" scheme (SRON/EPS/TN/09-002, 2021).

Its ten colours are told apart with and without colour vision deficiency; here they are ordered so that the first few,
which most tumours need, lie as far apart as can be.
"""


def habitat_colour(number: int) -> Rgb8:
    """Return the colour of habitat ``number``, counted from 1."""
    return PALETTE[(number - 1) % len(PALETTE)]
