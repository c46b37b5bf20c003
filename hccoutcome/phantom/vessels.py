"""The vessels of the liver: portal vein, hepatic veins and hepatic artery, planned as trees and painted as tubes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hccoutcome.phantom.canvas import Canvas
from hccoutcome.phantom.settings import Vector
from hccoutcome.phantom.shapes import cover, tube
from hccoutcome.phantom.space import Array, Box, Space
from hccoutcome.phantom.tree import Tree, grow, spread

Path = Sequence[Vector]

_CONFLUENCE, _FORK = (4.0, 2.0, -16.0), (-30.0, -4.0, 14.0)
_RIGHT, _UMBILICAL = (-58.0, 0.0, 20.0), (8.0, -44.0, 34.0)
PORTAL_TRUNKS: Sequence[Path] = (
    (_CONFLUENCE, (-14.0, 0.0, 2.0), _FORK),
    (_FORK, _RIGHT),
    (_RIGHT, (-76.0, -22.0, 24.0)),
    (_RIGHT, (-82.0, 20.0, 14.0)),
    (_FORK, (-4.0, -24.0, 28.0), _UMBILICAL),
)
"""Portal vein from the confluence to its first branches."""
SPLENIC_VEIN: Path = (_CONFLUENCE, (36.0, 10.0, 0.0), (66.0, 24.0, 10.0), (90.0, 32.0, 20.0))
MESENTERIC_VEIN: Path = ((14.0, -4.0, -130.0), (12.0, -2.0, -60.0), _CONFLUENCE)
_MOUTH = (-22.0, 4.0, 60.0)
HEPATIC_TRUNKS: Sequence[Path] = (
    (_MOUTH, (-56.0, 8.0, 50.0), (-92.0, 18.0, 26.0)),
    (_MOUTH, (-38.0, -22.0, 44.0), (-54.0, -46.0, 14.0)),
    (_MOUTH, (-4.0, -22.0, 48.0), (22.0, -42.0, 42.0)),
)
"""Right, middle and left hepatic vein from their mouth in the vena cava."""
ARTERY_TRUNK: Path = ((10.0, 6.0, 18.0), (-8.0, -10.0, 6.0), (-24.0, -14.0, 12.0), (-36.0, -12.0, 18.0))

MASKED_FROM = 1.7
"""Radius in mm from which a branch belongs to the portal vein's mask; a reader does not outline thinner ones."""
_SUBSURFACE = 6.0  # mm under the surface where the smallest branches that are drawn end
_CANDIDATES = 2500


class Round(Protocol):
    """Anything with a centre and a radius in mm."""

    @property
    def center(self) -> Vector:
        """Centre in mm."""

    @property
    def radius(self) -> float:
        """Radius in mm."""


@dataclass(frozen=True)
class Vessels:
    """The trees of the liver's vessels, in bent coordinates."""

    portal: Tree
    hepatic: Tree
    artery: Tree


def plan_vessels(space: Space, box: Box, depth: Array, lesions: Sequence[Round], rng: np.random.Generator) -> Vessels:
    """Plan the trees so that they reach every part of the liver and end before the lesions.

    Args:
        space: coarse grid.
        box: part of it that holds the liver.
        depth: distance in mm to the liver's surface inside that box.
        lesions: places to leave out.
        rng: random numbers.
    """
    free = depth > _SUBSURFACE
    x, y, z = space.straight(box)
    for lesion in lesions:
        far = (x - lesion.center[0]) ** 2 + (y - lesion.center[1]) ** 2 + (z - lesion.center[2]) ** 2
        free &= far > (1.1 * lesion.radius + 2) ** 2
    candidates = np.stack([axis[free] for axis in space.points(box)], -1).astype(float)
    portal = grow(PORTAL_TRUNKS, spread(rng, _some(rng, candidates), 15.0), 7.0)
    between = _some(rng, candidates)
    gaps = np.linalg.norm(between[:, None] - portal.places[None], axis=2) - portal.radii
    hepatic = grow(HEPATIC_TRUNKS, spread(rng, between[gaps.min(1) > 4.5], 17.0), 8.0)
    return Vessels(portal, hepatic, _artery(space, portal, lesions))


def _some(rng: np.random.Generator, candidates: Array) -> Array:
    return candidates[rng.permutation(len(candidates))[:_CANDIDATES]]


def _artery(space: Space, portal: Tree, lesions: Sequence[Round]) -> Tree:
    """Return the hepatic artery: it follows the larger portal branches, and its longest branches feed the lesions."""
    beside = portal.places[portal.radii > 2.4] + (1.0, -5.0, 2.0)
    targets = [beside[::2]]
    for lesion in lesions:
        center = space.bend(lesion.center)
        ways = portal.places - center
        nearest = ways[np.argsort(np.linalg.norm(ways, axis=1))[:60:20]]
        targets.append(center + 0.9 * lesion.radius * nearest / np.linalg.norm(nearest, axis=1, keepdims=True))
    return grow((ARTERY_TRUNK,), np.concatenate(targets), 2.6)


def paint_vessels(canvas: Canvas, vessels: Vessels) -> Array:
    """Paint all vessels of the liver and return the mask of the portal vein from the confluence on."""
    _paint(canvas, "hepatic vein", vessels.hepatic.pieces(0.6))
    canvas.draw_tube("portal vein", tube(SPLENIC_VEIN, [5.0, 4.6, 4.2, 4.0]), SPLENIC_VEIN, 6)
    canvas.draw_tube("portal vein", tube(MESENTERIC_VEIN, [5.5, 5.5, 6.5]), MESENTERIC_VEIN, 8)
    _paint(canvas, "portal vein", vessels.portal.pieces(0.6))
    mask = _filled(canvas.space, vessels.portal.pieces(MASKED_FROM)) >= 0.5
    _paint(canvas, "artery", vessels.artery.pieces(0.5))
    return mask


def _paint(canvas: Canvas, tissue: str, pieces: Sequence[tuple[Array, tuple[float, float]]]) -> None:
    canvas.add(tissue, _filled(canvas.space, pieces))


def _filled(space: Space, pieces: Sequence[tuple[Array, tuple[float, float]]]) -> Array:
    """Return how much of each voxel pieces of vessels fill."""
    total = np.zeros(space.shape, np.float32)
    for ends, radii in pieces:
        box = space.box(ends.min(0), ends.max(0), margin=max(radii) + 11)
        filled = cover(tube(ends, radii)(space.points(box)), space.edge)
        # A vessel thinner than a voxel fills only a part of it, however near its axis lies.
        total[box] = np.maximum(total[box], filled * min(1.0, 2 * max(radii) / space.edge))
    return total
