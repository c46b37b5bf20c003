"""The best closed surface around a point by one minimum cut.

Rays leave the point in directions spread evenly over the sphere; on each ray the surface may lie at any of a row of
radii. A graph with a node for each ray and radius, in which a node demands its inner neighbour and, on neighbouring
rays, the nodes a step further in, has the surface of greatest gain as its minimum cut: Li, Wu, Chen, Sonka, "Optimal
surface segmentation in volumetric images", IEEE TPAMI 28(1), 2006, eqs. 1 to 5, on a triangulated sphere in place of a
rectangle. The optimum is global, so no start can be wrong.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import ConvexHull, cKDTree

if TYPE_CHECKING:
    import maxflow

_NEVER = 1e6
"""Cost of a cut that the surface may not make; above any sum of gains of one ray."""


@lru_cache(maxsize=4)
def sphere(subdivisions: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return directions (n, 3) spread evenly over the sphere and their neighbours as pairs (m, 2).

    The corners of an icosahedron whose edges are halved so many times: 12, 42, 162, 642, 2562 directions.
    """
    golden = (1 + 5**0.5) / 2
    corners = np.array(
        [point for a in (-1, 1) for b in (-golden, golden) for point in ((0, a, b), (a, b, 0), (b, 0, a))], float
    )
    corners /= np.linalg.norm(corners, axis=1, keepdims=True)
    edges = _edges(corners)
    for _ in range(subdivisions):
        middles = corners[edges].mean(axis=1)
        corners = np.concatenate([corners, middles / np.linalg.norm(middles, axis=1, keepdims=True)])
        edges = _edges(corners)
    return corners, edges


def _edges(corners: np.ndarray) -> np.ndarray:
    """Return the edges of the triangles that points on a sphere span, each once."""
    triangles = ConvexHull(corners).simplices
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]])
    return np.unique(np.sort(pairs, axis=1), axis=0)


def best_surface(gain: np.ndarray, edges: np.ndarray, step: int = 1) -> np.ndarray:
    """Return on each ray the index of the radius at which the enclosed gain is greatest.

    Args:
        gain: (rays, radii) what is gained where the surface lies at least as far out as this radius.
        edges: (m, 2) pairs of neighbouring rays.
        step: by how many radii the surface may differ between neighbouring rays.

    Returns:
        (rays,) index of the outermost radius inside; at least 0, since the innermost one always is.
    """
    import maxflow

    rays, radii = gain.shape
    weight = gain.astype(float)
    weight[:, 0] = _NEVER / 10
    graph = maxflow.GraphFloat(rays * radii, rays * radii * 4)
    nodes = graph.add_grid_nodes((rays, radii))
    _demand(graph, nodes[:, 1:], nodes[:, :-1])
    for one, other in (edges.T, edges[:, ::-1].T):
        _demand(graph, nodes[one, step:], nodes[other, : radii - step])
    graph.add_grid_tedges(nodes, np.maximum(weight, 0), np.maximum(-weight, 0))
    graph.maxflow()
    return (~graph.get_grid_segments(nodes)).sum(axis=1) - 1


def _demand(graph: maxflow.GraphFloat, nodes: np.ndarray, needed: np.ndarray) -> None:
    """Let each of some nodes be inside only where the node that it needs is."""
    graph.add_edges(nodes.ravel(), needed.ravel(), np.full(nodes.size, _NEVER), np.zeros(nodes.size))


class Interpolator:
    """Carries a value from the rays to any direction: the mean of the three nearest rays, weighted by nearness."""

    def __init__(self, directions: np.ndarray, wanted: np.ndarray) -> None:
        far, self._rays = cKDTree(directions).query(wanted, k=3)
        weight = 1 / (far + 1e-3)
        self._weight = (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the value of each wanted direction."""
        return (values.astype(np.float32)[self._rays] * self._weight).sum(axis=1)
