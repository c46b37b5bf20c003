"""How many habitats: cluster with every number of them, judge each clustering and choose one.

Sources: Kneedle (Satopää et al. 2011, ICDCSW, doi 10.1109/ICDCSW.2011.20), silhouette (Rousseeuw 1987, J Comput Appl
Math 20:53), Calinski and Harabasz (1974, Commun Stat 3:1), Davies and Bouldin (1979, IEEE PAMI 1:224), gap statistic
(Tibshirani et al. 2001, J R Stat Soc B 63:411).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hccoutcome.errors import InputError
from hccoutcome.habitat.clustering import STARTS, Partition, cluster, means_of, square_distances
from hccoutcome.habitat.settings import Algorithm, Criterion, HabitatSettings
from hccoutcome.habitat.voxels import distinct
from hccoutcome.progress import Progress, silent

SILHOUETTE_SAMPLE = 2_000
GAP_SAMPLE = 2_000
GAP_REFERENCES = 10
"""Uniform data sets with which the gap statistic compares."""
QUICK_STARTS = 3
WEAK_ELBOW = 0.1
"""By so much an elbow must stand out more than that of evenly spread voxels, on Kneedle's scale of 0 to 1."""


@dataclass(frozen=True)
class CurvePoint:
    """How well the voxels fall into k clusters.

    Attributes:
        k: number of clusters.
        inertia: sum of squared distances to the cluster's mean, in scaled units; for a mixture likewise.
        silhouette: mean silhouette of a seeded sample, -1 to 1; higher is better.
        calinski_harabasz: variance between over variance within clusters; higher is better.
        davies_bouldin: mean likeness of each cluster to its nearest; lower is better.
        gap: log inertia of uniform data less that of the voxels; only computed where it is the criterion.
        gap_error: its simulation error s_k.

    What is None was not computed, or has no bound (Calinski-Harabasz where every voxel lies on its centre).
    """

    k: int
    inertia: float
    silhouette: float | None = None
    calinski_harabasz: float | None = None
    davies_bouldin: float | None = None
    gap: float | None = None
    gap_error: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return JSON data that the constructor takes as keywords."""
        return asdict(self)


@dataclass(frozen=True)
class Choice:
    """The clusters chosen, and the curve by which they were.

    Attributes:
        partition: the clusters.
        curve: one point for each number of clusters tried.
        notes: sentences on what a reader should know.
    """

    partition: Partition
    curve: tuple[CurvePoint, ...]
    notes: tuple[str, ...] = ()


def choose(rows: np.ndarray, settings: HabitatSettings, progress: Progress = silent, quick: bool = False) -> Choice:
    """Cluster rows with every number of clusters in the settings' range and keep the chosen one.

    A fixed k is kept whatever the curve says; the curve is still drawn, so that it can be looked at.

    Args:
        rows: scaled features, shape (n, f), float32.
        settings: algorithm, k or criterion, range and seed.
        progress: told the fraction done; may stop the work.
        quick: judge each clustering by the settings' criterion alone, and try fewer starts. Otherwise by all but the
            gap, which costs so much that it is only computed where it decides.

    Raises:
        InputError: more clusters are asked for than there are distinct rows.
    """
    tried, notes = _numbers(rows, settings)
    partitions: dict[int, Partition] = {}
    curve = []
    for step, k in enumerate(tried):
        progress(step / len(tried), f"Clusters into {k}")
        partitions[k] = cluster(rows, k, settings.algorithm, settings.seed, QUICK_STARTS if quick else STARTS)
        curve.append(_point(rows, partitions[k], settings, quick))
    points = tuple(point for point in curve if settings.k_range[0] <= point.k <= settings.k_range[1]) or tuple(curve)
    k = settings.k if settings.k is not None else best_k(points, settings.criterion)
    if settings.k is None and settings.criterion == "elbow":
        notes += _about_elbow(points, rows.shape[1])
    progress(1.0, f"Chose {k} clusters")
    return Choice(partitions[k], tuple(curve), tuple(notes))


def best_k(curve: Sequence[CurvePoint], criterion: Criterion) -> int:
    """Return the number of clusters that a criterion prefers; its values must have been computed."""
    if criterion == "elbow":
        return curve[elbow([point.inertia for point in curve], [point.k for point in curve])].k
    if criterion == "gap":
        return _best_gap(curve)
    found = [getattr(point, criterion.replace("-", "_")) for point in curve]
    heights = [np.inf if height is None else height for height in found]
    best = np.argmin(heights) if criterion == "davies-bouldin" else np.argmax(heights)
    return curve[int(best)].k


def elbow(heights: Sequence[float], places: Sequence[float]) -> int:
    """Return the index of the elbow of a falling curve: where Kneedle's difference curve is highest."""
    return int(np.argmax(kneedle(heights, places)))


def kneedle(heights: Sequence[float], places: Sequence[float]) -> np.ndarray:
    """Return Kneedle's difference curve of a falling convex curve, shape (n,).

    Both axes are brought to 0..1 and the curve is turned upside down; the difference to the diagonal is what the curve
    falls earlier than a straight line would. A flat curve has none: zeros.
    """
    x, y = np.asarray(places, dtype=float), np.asarray(heights, dtype=float)
    if len(x) < 3 or np.ptp(y) == 0:
        return np.zeros(len(x))
    return (y.max() - y) / np.ptp(y) - (x - x[0]) / (x[-1] - x[0])


def _about_elbow(curve: Sequence[CurvePoint], features: int) -> list[str]:
    """Return a note where the curve looks like that of evenly spread voxels: inertia ~ k^(-2/f) (Zador 1982)."""
    places = [point.k for point in curve]
    if len(places) < 3:
        return []
    height = float(kneedle([point.inertia for point in curve], places).max())
    even = float(kneedle([k ** (-2.0 / features) for k in places], places).max())
    if height >= even + WEAK_ELBOW:
        return []
    return [
        f"The elbow of the inertia stands out by {height:.2f}, that of evenly spread voxels by {even:.2f}, so that the "
        "number of habitats is hardly determined: compare the other criteria."
    ]


def _best_gap(curve: Sequence[CurvePoint]) -> int:
    """Return the smallest k whose gap is at least the next one's less its error, or else that of the largest gap."""
    gaps = np.array([(point.gap, point.gap_error) for point in curve], dtype=float)
    enough = np.flatnonzero(gaps[:-1, 0] >= gaps[1:, 0] - gaps[1:, 1])
    return curve[int(enough[0]) if enough.size else int(gaps[:, 0].argmax())].k


def _numbers(rows: np.ndarray, settings: HabitatSettings) -> tuple[list[int], list[str]]:
    """Return the numbers of clusters to try, no more than there are distinct rows, and a note on what was cut."""
    low, high = settings.k_range
    wanted = {*range(low, high + 1)} | ({settings.k} if settings.k is not None else set())
    found = distinct(rows, max(wanted))
    needed = settings.k if settings.k is not None else low
    if found < needed:
        raise InputError(
            f"{needed} habitats need at least {needed} voxels with different values, found {found} distinct ones among "
            f"{len(rows)}: ask for fewer habitats or choose a larger region."
        )
    tried = sorted(k for k in wanted if k <= found)
    cut = [f"The region has only {found} distinct voxels, so no more than {found} habitats were tried."]
    return tried, cut if found < max(wanted) else []


def _point(rows: np.ndarray, partition: Partition, settings: HabitatSettings, quick: bool) -> CurvePoint:
    """Judge one clustering."""
    labels = _compact(partition.labels(rows))
    centres = means_of(rows, labels, int(labels.max()) + 1)
    squares = square_distances(rows, centres, labels)

    def wanted(criterion: Criterion) -> bool:
        return not quick or settings.criterion == criterion

    gap, gap_error = _gap(rows, partition.k, settings) if settings.criterion == "gap" else (None, None)
    return CurvePoint(
        k=partition.k,
        inertia=float(squares.sum()),
        silhouette=silhouette(rows, labels, settings.seed) if wanted("silhouette") else None,
        calinski_harabasz=(calinski_harabasz(rows, labels, centres, squares) if wanted("calinski-harabasz") else None),
        davies_bouldin=davies_bouldin(labels, centres, squares) if wanted("davies-bouldin") else None,
        gap=gap,
        gap_error=gap_error,
    )


def _compact(labels: np.ndarray) -> np.ndarray:
    """Return labels without unused numbers: a component of a mixture may be the likeliest nowhere."""
    return np.unique(labels, return_inverse=True)[1]


def silhouette(rows: np.ndarray, labels: np.ndarray, seed: int, size: int = SILHOUETTE_SAMPLE) -> float:
    """Return the mean silhouette of up to ``size`` rows, drawn so that each cluster keeps its share and at least two.

    The mean is weighted by the clusters' true sizes. 0 where all rows are in one cluster, or each in one of its own.
    """
    from sklearn.metrics import silhouette_samples
    from threadpoolctl import threadpool_limits

    counts = np.bincount(labels)
    if not 1 < counts.size < len(rows):
        return 0.0
    draw = np.random.default_rng(seed)
    shares = np.minimum(counts, np.maximum(2, np.round(counts * (size / len(rows))).astype(int)))
    if len(rows) <= size:
        shares = counts
    chosen = np.concatenate(
        [draw.choice(np.flatnonzero(labels == label), share, replace=False) for label, share in enumerate(shares)]
    )
    with threadpool_limits(1):
        widths = silhouette_samples(rows[chosen], labels[chosen])
    means = np.bincount(labels[chosen], weights=widths) / shares
    return float(np.average(means, weights=counts))


def calinski_harabasz(rows: np.ndarray, labels: np.ndarray, centres: np.ndarray, squares: np.ndarray) -> float | None:
    """Return the Calinski-Harabasz index; 0 for one cluster, None where it has no bound: every row on its centre."""
    n, k = len(rows), len(centres)
    if k < 2:
        return 0.0
    counts = np.bincount(labels)
    between = float(counts @ np.square(centres - rows.mean(axis=0, dtype=float)).sum(axis=1))
    within = float(squares.sum())
    if n <= k or within == 0:
        return None
    return between / within * (n - k) / (k - 1)


def davies_bouldin(labels: np.ndarray, centres: np.ndarray, squares: np.ndarray) -> float:
    """Return the Davies-Bouldin index; 0 for one cluster."""
    if len(centres) < 2:
        return 0.0
    spread = np.bincount(labels, weights=np.sqrt(squares)) / np.bincount(labels)
    apart = np.sqrt(np.square(centres[:, None] - centres[None]).sum(axis=-1))
    np.fill_diagonal(apart, np.inf)
    return float(((spread[:, None] + spread[None]) / apart).max(axis=1).mean())


def _gap(rows: np.ndarray, k: int, settings: HabitatSettings) -> tuple[float, float]:
    """Return the gap statistic of k clusters and its error, on a sample and uniform data in the sample's box."""
    draw = np.random.default_rng([settings.seed, k])
    sample = rows
    if len(rows) > GAP_SAMPLE:
        sample = rows[draw.choice(len(rows), GAP_SAMPLE, replace=False)]
    low, high = rows.min(axis=0), rows.max(axis=0)
    references = [
        _log_inertia(draw.uniform(low, high, sample.shape).astype(np.float32), k, settings.algorithm, settings.seed)
        for _ in range(GAP_REFERENCES)
    ]
    own = _log_inertia(sample, k, settings.algorithm, settings.seed)
    return float(np.mean(references) - own), float(np.std(references) * np.sqrt(1.0 + 1.0 / GAP_REFERENCES))


def _log_inertia(rows: np.ndarray, k: int, algorithm: Algorithm, seed: int) -> float:
    labels = _compact(cluster(rows, k, algorithm, seed, QUICK_STARTS).labels(rows))
    inertia = square_distances(rows, means_of(rows, labels, int(labels.max()) + 1), labels).sum()
    # Rows that coincide with their centres leave nothing: the smallest positive number keeps the logarithm finite.
    return float(np.log(max(inertia, np.finfo(float).tiny)))


def curve_from_json(data: Sequence[Mapping[str, Any]]) -> tuple[CurvePoint, ...]:
    """Return the curve that ``CurvePoint.to_json`` wrote point by point."""
    return tuple(CurvePoint(**point) for point in data)
