"""The measures of a habitat map written out voxel by voxel, as slow as they are plain."""

from __future__ import annotations

import math
from collections import Counter
from itertools import product

import numpy as np

FACES = ((0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 0, -1), (0, -1, 0), (-1, 0, 0))


def label_at(labels: np.ndarray, place: tuple[int, ...]) -> int:
    inside = all(0 <= at < length for at, length in zip(place, labels.shape, strict=True))
    return int(labels[place]) if inside else 0


def neighbours(place: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [tuple(a + b for a, b in zip(place, face, strict=True)) for face in FACES]


def places(labels: np.ndarray) -> list[tuple[int, ...]]:
    return [place for place in product(*map(range, labels.shape)) if labels[place]]


def interaction(labels: np.ndarray, k: int) -> np.ndarray:
    matrix = np.zeros((k + 1, k + 1), dtype=int)
    for place in places(labels):
        for other in neighbours(place):
            i, j = int(labels[place]), label_at(labels, other)
            matrix[i, j] += 1
            if j == 0:
                matrix[j, i] += 1
    return matrix


def parts(labels: np.ndarray) -> list[tuple[int, set[tuple[int, ...]]]]:
    """Return label and voxels of each face-connected part, by flooding."""
    left, found = set(places(labels)), []
    while left:
        start = left.pop()
        part, front = {start}, [start]
        while front:
            for other in neighbours(front.pop()):
                if other in left and labels[other] == labels[start]:
                    left.discard(other)
                    part.add(other)
                    front.append(other)
        found.append((int(labels[start]), part))
    return found


def ith(labels: np.ndarray) -> float:
    sizes: dict[int, list[int]] = {}
    for label, part in parts(labels):
        sizes.setdefault(label, []).append(len(part))
    total = sum(map(sum, sizes.values()))
    return 1 - sum(max(own) / len(own) for own in sizes.values()) / total


def haralick(matrix: np.ndarray) -> dict[str, float]:
    total = matrix.sum()
    p = {(i, j): matrix[i, j] / total for i in range(len(matrix)) for j in range(len(matrix))}
    mean = sum(i * value for (i, _), value in p.items())
    variance = sum((i - mean) ** 2 * value for (i, _), value in p.items())
    return {
        "contrast": sum((i - j) ** 2 * value for (i, j), value in p.items()),
        "homogeneity": sum(value / (1 + (i - j) ** 2) for (i, j), value in p.items()),
        "energy": sum(value**2 for value in p.values()),
        "correlation": sum((i - mean) * (j - mean) * value for (i, j), value in p.items()) / variance,
    }


def pair_entropies(labels: np.ndarray) -> tuple[float, float]:
    """Return the entropies in bits of unordered and of ordered pairs of habitats at a face inside the region."""
    unordered: Counter[tuple[int, int]] = Counter()
    ordered: Counter[tuple[int, int]] = Counter()
    for place in places(labels):
        for other in neighbours(place):
            pair = int(labels[place]), label_at(labels, other)
            if pair[1]:
                ordered[pair] += 1
                unordered[min(pair), max(pair)] += 1
    return entropy(unordered), entropy(ordered)


def entropy(counts: Counter) -> float:
    total = sum(counts.values())
    return -sum(count / total * math.log2(count / total) for count in counts.values())


def graph(labels: np.ndarray, spacing_zyx: tuple[float, float, float]) -> dict[str, float]:
    found = parts(labels)
    owner = {place: number for number, (_, part) in enumerate(found) for place in part}
    edges, area = set(), 0.0
    for place, number in owner.items():
        for axis, face in ((2, FACES[0]), (1, FACES[1]), (0, FACES[2])):
            other = owner.get(tuple(a + b for a, b in zip(place, face, strict=True)))
            if other is not None and other != number:
                edges.add((min(number, other), max(number, other)))
                area += math.prod(spacing_zyx) / spacing_zyx[axis]
    degrees = Counter(node for edge in edges for node in edge)
    nodes = len(found)
    measures = {
        "graph_nodes": nodes,
        "graph_edges": len(edges),
        "graph_mean_degree": 2 * len(edges) / nodes,
        "graph_largest_degree": max(degrees.values(), default=0),
        "graph_interface_mm2": area,
    }
    return measures | ({"graph_density": 2 * len(edges) / nodes / (nodes - 1)} if nodes > 1 else {})


def local_entropy(values: np.ndarray, inside: np.ndarray, radius: int, levels: int) -> list[float]:
    low, high = values.min(), values.max()
    codes = np.full(inside.shape, -1)
    codes[inside] = [min(int((value - low) * (levels / (high - low))), levels - 1) for value in values]
    found = []
    for place in map(tuple, np.argwhere(inside)):
        near = Counter(
            int(codes[other])
            for other in product(*(range(max(at - radius, 0), at + radius + 1) for at in place))
            if all(at < length for at, length in zip(other, codes.shape, strict=True)) and codes[other] >= 0
        )
        found.append(entropy(near))
    return found
