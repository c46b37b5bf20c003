"""What a habitat map says about a tumour: sizes, heterogeneity, interaction, neighbourhood and disorder.

All formulas take the map alone, labels 1 to K inside and 0 outside, and count voxel faces (6-connectivity).

* ITH: 1 - (1/S) sum_i S_i,max / n_i, with S all voxels, S_i,max those of the largest part of habitat i and n_i its
  number of parts (HABIT, ``habitat_metrics``; after Li et al. 2023, Eur Radiol 33:893, ITHscore).
* MSI: multiregional spatial interaction matrix, (K + 1) x (K + 1), of faces between habitats and to the outside (Wu et
  al. 2018, Radiology 288:26), with Haralick's contrast, homogeneity, energy and correlation of it.
* Shannon entropy of the proportions; co-occurrence entropy (Leibovici 2009, COSIT, LNCS 5756:392) of the unordered
  pairs of habitats at a face, both in bits; contagion (Riitters et al. 1996, Landscape Ecol 11:197), 0 to 1.
* Graph: nodes are the parts of all habitats, edges join parts that share a face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hccoutcome.habitat.islands import connected_parts, shared_faces


@dataclass(frozen=True)
class HabitatSize:
    """How large one habitat is.

    Attributes:
        voxels: number of voxels; 0 where the patient has none of it.
        volume_ml: volume in mL.
        proportion: share of the region, 0 to 1.
        parts: number of connected parts.
        largest_voxels: voxels of the largest part.
    """

    voxels: int
    volume_ml: float
    proportion: float
    parts: int
    largest_voxels: int


def sizes(labels: np.ndarray, k: int, voxel_mm3: float) -> tuple[HabitatSize, ...]:
    """Return the size of each habitat 1 to k.

    Args:
        labels: habitat map (z, y, x), 0 outside.
        k: number of habitats.
        voxel_mm3: volume of a voxel in mm3.
    """
    _, numbers, voxels = connected_parts(labels)
    total = int(voxels.sum())
    found = []
    for label in range(1, k + 1):
        own = voxels[numbers == label]
        count = int(own.sum())
        largest = int(own.max(initial=0))
        found.append(HabitatSize(count, count * voxel_mm3 / 1000.0, count / total, own.size, largest))
    return tuple(found)


def ith(labels: np.ndarray) -> float:
    """Return the heterogeneity score: 0 for one habitat in one part, towards 1 for many small parts."""
    _, numbers, voxels = connected_parts(labels)
    own = [voxels[numbers == label] for label in np.unique(numbers[numbers > 0])]
    return float(1.0 - sum(parts.max() / parts.size for parts in own) / voxels.sum())


def interaction_matrix(labels: np.ndarray, k: int) -> np.ndarray:
    """Return the MSI matrix: how many voxels of i have a face to a voxel of j, over all ordered pairs.

    Faces between two voxels outside are not counted, since their number depends only on how the image is cropped.

    Returns:
        Symmetric, shape (k + 1, k + 1), int64; row and column 0 are the outside.
    """
    padded = np.pad(labels, 1).astype(np.int64)
    counts = np.zeros((k + 1, k + 1), dtype=np.int64)
    for axis in range(3):
        ahead = np.moveaxis(padded, axis, 0)
        pairs = ahead[:-1] * (k + 1) + ahead[1:]
        counts += np.bincount(pairs.ravel(), minlength=counts.size).reshape(counts.shape)
    counts = counts + counts.T
    counts[0, 0] = 0
    return counts


def interaction_measures(matrix: np.ndarray) -> dict[str, float]:
    """Return contrast, homogeneity, energy and correlation of an MSI matrix, scaled to a sum of 1.

    sum p (i-j)^2, sum p / (1 + (i-j)^2), sum p^2 and sum p (i-m)(j-m) / s^2, with m and s of the marginal; the labels
    count as numbers, so contrast, homogeneity and correlation depend on the habitats' order.
    """
    p = matrix / matrix.sum()
    i, j = np.indices(p.shape)
    margin, places = p.sum(axis=0), np.arange(len(p))
    mean = float(margin @ places)
    variance = float(margin @ np.square(places - mean))
    return {
        "contrast": float((p * np.square(i - j)).sum()),
        "homogeneity": float((p / (1.0 + np.square(i - j))).sum()),
        "energy": float(np.square(p).sum()),
        "correlation": float((p * (i - mean) * (j - mean)).sum() / variance),
    }


def entropy_measures(labels: np.ndarray, k: int, matrix: np.ndarray) -> dict[str, float]:
    """Return Shannon entropy, co-occurrence entropy, contagion and the share of faces between different habitats.

    What needs neighbours, or more than one habitat to be possible, is left out where there are none.

    Args:
        labels: habitat map (z, y, x), 0 outside.
        k: number of habitats.
        matrix: its MSI matrix.
    """
    found = {"shannon_entropy": _entropy(np.bincount(labels[labels > 0], minlength=k + 1)[1:])}
    inner = matrix[1:, 1:]
    if not inner.any():
        return found
    unordered = np.triu(inner + inner.T) - np.diag(np.diag(inner))
    found["cooccurrence_entropy"] = _entropy(unordered[np.triu_indices(k)])
    if k > 1:
        found["contagion"] = float(1.0 - _entropy(inner.ravel()) / (2.0 * np.log2(k)))
    found["interface_share"] = float(1.0 - np.trace(inner) / inner.sum())
    return found


def _entropy(counts: np.ndarray) -> float:
    """Return the Shannon entropy of counts in bits."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def graph_measures(labels: np.ndarray, spacing_zyx: tuple[float, float, float]) -> dict[str, float]:
    """Return measures of the graph of connected parts.

    Args:
        labels: habitat map (z, y, x), 0 outside.
        spacing_zyx: voxel size in mm.

    Returns:
        Number of nodes and edges, mean and largest degree, density (edges over possible ones; left out for one node),
        and the area in mm2 of all borders between habitats.
    """
    parts, numbers, _ = connected_parts(labels)
    touching, faces = shared_faces(parts)
    nodes, edges = len(numbers) - 1, len(touching)
    degrees = np.bincount(touching.ravel(), minlength=nodes + 1)[1:]
    areas = np.prod(spacing_zyx) / np.array(spacing_zyx)
    found = {
        "graph_nodes": float(nodes),
        "graph_edges": float(edges),
        "graph_mean_degree": 2.0 * edges / nodes,
        "graph_largest_degree": float(degrees.max()),
        "graph_interface_mm2": float((faces @ areas).sum()),
    }
    if nodes > 1:
        found["graph_density"] = 2.0 * edges / (nodes * (nodes - 1))
    return found


def map_measures(labels: np.ndarray, k: int, spacing_zyx: tuple[float, float, float]) -> dict[str, float]:
    """Return all measures of a map as a whole by name; those of the MSI matrix begin with ``msi_``."""
    matrix = interaction_matrix(labels, k)
    return {
        "ith": ith(labels),
        **{f"msi_{name}": value for name, value in interaction_measures(matrix).items()},
        **entropy_measures(labels, k, matrix),
        **graph_measures(labels, spacing_zyx),
    }
