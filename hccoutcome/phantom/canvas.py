"""A canvas on which tissues are painted one over the other, with anti-aliased borders."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from hccoutcome.phantom.settings import Vector
from hccoutcome.phantom.space import Array, Box, Shape, Space, cover

WHOLE: Box = (slice(None), slice(None), slice(None))


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
        part = None if texture is None else texture[tight].astype(np.float32)
        self.layers.append(Layer(tissue, (z, y, x), alpha[tight].astype(np.float32), part))

    def draw(self, tissue: str, shape: Shape, low: Vector, high: Vector, where: Array | None = None) -> None:
        """Paint a shape that lies between two corners (mm), only as far as ``where`` (coverage of the grid) allows."""
        box = self.space.box(low, high)
        alpha = cover(shape(self.space.points(box)), self.space.edge)
        self.add(tissue, alpha if where is None else alpha * where[box], box)
