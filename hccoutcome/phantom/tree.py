"""Vessel trees that reach every part of an organ with short and direct branches, as blood vessels do.

Cuntz H, et al. One rule to grow them all: a general theory of neuronal branching and its practical application. PLoS
Comput Biol 2010;6:e1000877: every target is joined to the tree where the new branch and the way back to the root are
short together. Radii follow Murray's law (Proc Natl Acad Sci 1926;12:207-214).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hccoutcome.phantom.space import Array

BALANCE = 0.45
"""Weight of the way to the root against the length of the new branch."""
MURRAY = 2.8
"""Power of the radius that is the same before and after a fork: 3 for laminar flow, 2.7 to 2.9 as measured."""
_PIECE = 5.0  # mm between the nodes of a branch
_BULGE = 0.35  # of a branch's length, in which it still follows the vessel that it leaves


@dataclass(frozen=True)
class Tree:
    """A vessel tree.

    Attributes:
        places: nodes in mm (node, xyz), every parent before its children.
        parents: index of each node's parent, -1 for the root.
        radii: in mm.
    """

    places: Array
    parents: Array
    radii: Array

    def pieces(self, least: float = 0.0) -> list[tuple[Array, tuple[float, float]]]:
        """Return the ends (2, xyz) and radii of every piece whose thinner end measures at least so much."""
        return [
            (self.places[[parent, node]], (float(self.radii[parent]), float(self.radii[node])))
            for node, parent in enumerate(self.parents)
            if parent >= 0 and self.radii[node] >= least
        ]


def grow(trunks: Sequence[Sequence[Sequence[float]]], targets: Array, radius: float) -> Tree:
    """Return the tree that joins targets to given trunks.

    Args:
        trunks: polylines in mm; the first begins at the root, the others at a point of an earlier one.
        targets: points in mm (target, xyz).
        radius: of the root in mm.
    """
    places, parents, lengths = _trunks(trunks)
    waiting = np.arange(len(targets))
    distances = np.linalg.norm(targets[:, None] - np.array(places)[None], axis=2)
    best, cost = _nearest(distances, np.array(lengths), 0, np.zeros(len(targets), int), np.full(len(targets), np.inf))
    while waiting.size:
        target = waiting[np.argmin(cost[waiting])]
        waiting = waiting[waiting != target]
        count = len(places)
        _join(places, parents, lengths, int(best[target]), targets[target])
        added = np.array(places[count:])
        distances = np.linalg.norm(targets[:, None] - added[None], axis=2)
        best, cost = _nearest(distances, np.array(lengths[count:]), count, best, cost)
    return Tree(np.array(places), np.array(parents), _radii(parents, radius))


def _nearest(distances: Array, lengths: Array, first: int, best: Array, cost: Array) -> tuple[Array, Array]:
    """Return for each target the best node so far and its cost, new nodes from index ``first`` on included."""
    costs = distances + BALANCE * (lengths[None] + distances)
    column = costs.argmin(1)
    least = costs[np.arange(len(costs)), column]
    better = least < cost
    return np.where(better, column + first, best), np.where(better, least, cost)


def _trunks(trunks: Sequence[Sequence[Sequence[float]]]) -> tuple[list[Array], list[int], list[float]]:
    places, parents, lengths = [np.array(trunks[0][0], float)], [-1], [0.0]
    for trunk in trunks:
        node = int(np.argmin([np.linalg.norm(place - trunk[0]) for place in places]))
        for end in trunk[1:]:
            start = places[node]
            for step in np.linspace(0, 1, max(int(np.linalg.norm(np.subtract(end, start)) / _PIECE), 1) + 1)[1:]:
                node = _append(places, parents, lengths, node, start + step * np.subtract(end, start))
    return places, parents, lengths


def _append(places: list[Array], parents: list[int], lengths: list[float], node: int, place: Array) -> int:
    places.append(place)
    parents.append(node)
    lengths.append(lengths[node] + float(np.linalg.norm(place - places[node])))
    return len(places) - 1


def _join(places: list[Array], parents: list[int], lengths: list[float], node: int, target: Array) -> None:
    """Add a branch to a target: a curve that leaves in the direction of its vessel."""
    start = places[node]
    reach = float(np.linalg.norm(target - start))
    ahead = start - places[parents[node]] if parents[node] >= 0 else target - start
    bend = start + _BULGE * reach * ahead / (np.linalg.norm(ahead) + 1e-9)
    for t in np.linspace(0, 1, max(int(reach / _PIECE), 1) + 1)[1:]:
        place = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * target
        node = _append(places, parents, lengths, node, place)


def _radii(parents: Sequence[int], radius: float) -> Array:
    """Return the radii: a vessel carries the flow of all the ends behind it."""
    flow = np.zeros(len(parents))
    leaves = np.setdiff1d(np.arange(len(parents)), parents)
    flow[leaves] = 1.0
    for node in range(len(parents) - 1, 0, -1):
        flow[parents[node]] += flow[node]
    return radius * (flow / flow[0]) ** (1 / MURRAY)


def spread(rng: np.random.Generator, candidates: Array, apart: float) -> Array:
    """Return candidates (point, xyz) in random order of which no two lie nearer than ``apart`` mm."""
    waiting = rng.permutation(candidates)
    chosen: list[Array] = []
    while len(waiting):
        chosen.append(waiting[0])
        waiting = waiting[((waiting - waiting[0]) ** 2).sum(1) >= apart**2]
    return np.array(chosen).reshape(-1, 3)
