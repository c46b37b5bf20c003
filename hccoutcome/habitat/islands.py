"""Small islands of a habitat map join the habitat that surrounds them."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage


@dataclass
class _Part:
    """One connected part of a habitat: its label, its voxels, and the faces that it shares with other parts."""

    label: int
    size: int
    faces: Counter[int] = field(default_factory=Counter)


def connected_parts(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the face-connected parts of all habitats.

    Args:
        labels: habitat map (z, y, x), 0 outside.

    Returns:
        Part of each voxel (0 outside, from 1), and the label and size of each part, shape (parts + 1,) with 0 first.
    """
    parts = np.zeros(labels.shape, dtype=np.int64)
    part_labels = [np.zeros(1, dtype=np.int64)]
    for label in np.unique(labels[labels > 0]):
        found, count = ndimage.label(labels == label)
        parts[found > 0] = found[found > 0] + sum(map(len, part_labels)) - 1
        part_labels.append(np.full(count, label))
    numbers = np.concatenate(part_labels)
    sizes = np.bincount(parts.ravel(), minlength=len(numbers))
    sizes[0] = 0
    return parts, numbers, sizes


def shared_faces(parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which parts touch: pairs (a < b), shape (m, 2), and how many voxel faces each shares along z, y, x (m, 3).

    Faces to the outside (part 0) do not count.
    """
    pairs, along = [], []
    for axis in range(3):
        ahead = np.moveaxis(parts, axis, 0)
        one, other = ahead[:-1].ravel(), ahead[1:].ravel()
        meet = (one != other) & (one > 0) & (other > 0)
        pairs.append(np.sort(np.column_stack([one[meet], other[meet]]), axis=1))
        along.append(np.full(len(pairs[-1]), axis))
    every = np.concatenate(pairs)
    if not len(every):
        return np.zeros((0, 2), dtype=np.int64), np.zeros((0, 3), dtype=np.int64)
    touching, which = np.unique(every, axis=0, return_inverse=True)
    counts = np.bincount(which.ravel() * 3 + np.concatenate(along), minlength=3 * len(touching))
    return touching, counts.reshape(-1, 3)


def clean_islands(labels: np.ndarray, smallest: int) -> np.ndarray:
    """Return a habitat map in which parts of fewer voxels than ``smallest`` have joined what surrounds them.

    The smallest part goes first, to the habitat with which it shares most voxel faces. What touches no other habitat,
    and the largest part of each habitat, stay: no habitat is lost.

    Args:
        labels: habitat map (z, y, x), 0 outside.
        smallest: voxels that a part needs to stay; 0 and 1 keep all.
    """
    parts, numbers, sizes = connected_parts(labels)
    if smallest <= 1 or not (sizes[1:] < smallest).any():
        return labels.copy()
    keep = {int(np.flatnonzero(numbers == label)[np.argmax(sizes[numbers == label])]) for label in np.unique(numbers)}
    graph = [_Part(int(label), int(size)) for label, size in zip(numbers, sizes, strict=True)]
    for (one, other), faces in zip(*map(np.ndarray.tolist, shared_faces(parts)), strict=True):
        graph[one].faces[other] = graph[other].faces[one] = sum(faces)
    owner = _merge(graph, smallest, keep)
    final = np.array([graph[part].label for part in owner], dtype=labels.dtype)
    return final[parts]


def _merge(graph: list[_Part], smallest: int, keep: set[int]) -> list[int]:
    """Let small parts join their surroundings; return the part that each part belongs to in the end."""
    owner = list(range(len(graph)))
    queue = [(part.size, number) for number, part in enumerate(graph) if number and part.size < smallest]
    heapq.heapify(queue)
    while queue:
        size, number = heapq.heappop(queue)
        part = graph[number]
        if owner[number] != number or part.size != size or number in keep or not part.faces:
            continue
        part.label = _surrounding(part, graph)
        for other in [other for other in part.faces if graph[other].label == part.label]:
            number = _join(number, other, graph, owner, keep)
        if graph[number].size < smallest:
            heapq.heappush(queue, (graph[number].size, number))
    return [_root(number, owner) for number in range(len(graph))]


def _surrounding(part: _Part, graph: list[_Part]) -> int:
    """Return the label with which a part shares most faces; of equal ones the lowest."""
    faces: Counter[int] = Counter()
    for other, count in part.faces.items():
        faces[graph[other].label] += count
    return min(faces, key=lambda label: (-faces[label], label))


def _join(one: int, other: int, graph: list[_Part], owner: list[int], keep: set[int]) -> int:
    """Make one part of two and return its number: that of the one with more neighbours, so that few are told."""
    if len(graph[one].faces) < len(graph[other].faces):
        one, other = other, one
    owner[other] = one
    graph[one].size += graph[other].size
    for neighbour, count in graph[other].faces.items():
        del graph[neighbour].faces[other]
        if neighbour != one:
            graph[one].faces[neighbour] += count
            graph[neighbour].faces[one] += count
    graph[other].faces.clear()
    if other in keep:
        keep.add(one)
    return one


def _root(number: int, owner: list[int]) -> int:
    while owner[number] != number:
        number = owner[number]
    return number
