"""A canvas on which tissues are painted one over the other, with anti-aliased borders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from hccoutcome.phantom.shapes import Shape, cover
from hccoutcome.phantom.space import WHOLE, Array, Box, Space


@dataclass(frozen=True)
class Layer:
    """A tissue, how much of each voxel of a box it covers (0 to 1), and its texture there in standard deviations."""

    tissue: str
    box: Box
    alpha: Array
    texture: Array | None = None


@dataclass
class Canvas:
    """Layers in the order of painting; the later ones cover the earlier."""

    space: Space
    layers: list[Layer] = field(default_factory=list)

    def add(self, tissue: str, alpha: Array, box: Box = WHOLE, texture: Array | None = None) -> None:
        """Paint a tissue by its coverage of a box's voxels (0 to 1)."""
        found = ndimage.find_objects((alpha > 0).view(np.uint8))
        if not found:
            return
        tight = found[0]
        first = [part.indices(count)[0] for part, count in zip(box, self.space.shape, strict=True)]
        z, y, x = (slice(s.start + o, s.stop + o) for s, o in zip(tight, first, strict=True))
        mottle = None if texture is None else texture[tight].astype(np.float32)
        self.layers.append(Layer(tissue, (z, y, x), alpha[tight].astype(np.float32), mottle))

    def draw(
        self, tissue: str, shape: Shape, low: Sequence[float], high: Sequence[float], where: Array | None = None
    ) -> None:
        """Paint a shape that lies between two corners (mm), only as far as ``where`` (coverage of the grid) allows."""
        box = self.space.box(low, high)
        alpha = cover(shape(self.space.points(box)), self.space.edge)
        self.add(tissue, alpha if where is None else alpha * where[box], box)

    def draw_tube(
        self,
        tissue: str,
        shape: Shape,
        path: Sequence[Sequence[float]] | Array,
        width: float,
        where: Array | None = None,
    ) -> None:
        """Paint a shape that stays within ``width`` mm of a path."""
        self.draw(tissue, shape, np.min(path, 0) - width, np.max(path, 0) + width, where)
