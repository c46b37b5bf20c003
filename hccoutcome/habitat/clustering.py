"""Cluster rows of scaled features: k-means (Lloyd) and Gaussian mixture.

Everything runs on one thread: sums over threads come in no fixed order, and on a busy machine OpenMP's waiting threads
are many times slower than one. The same rows and seed therefore give the same clusters.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hccoutcome.errors import InputError
from hccoutcome.habitat.settings import Algorithm
from hccoutcome.habitat.voxels import distinct

SAMPLE = 10_000
"""Rows on which the starts of k-means are tried, and the mixture is fitted: enough for ten clusters of few features."""
STARTS = 10
"""k-means++ starts on the sample, of which the best is refined on all rows (HABIT: n_init 10)."""
ITERATIONS = 300


@dataclass(frozen=True)
class Partition:
    """Clusters of a feature space: every point of it belongs to one.

    Attributes:
        algorithm: ``"kmeans"`` (nearest centre) or ``"gmm"`` (likeliest component).
        centres: shape (k, f).
        covariances: shape (k, f, f), Gaussian mixture only.
        weights: share of each component, shape (k,), Gaussian mixture only.
    """

    algorithm: Algorithm
    centres: np.ndarray
    covariances: np.ndarray | None = None
    weights: np.ndarray | None = None

    @property
    def k(self) -> int:
        """Number of clusters."""
        return len(self.centres)

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """Return the cluster (0 to k - 1) of each row, shape (n,)."""
        if self.algorithm == "kmeans":
            costs = [_square_distance(rows, centre) for centre in self.centres]
        else:
            costs = [-_log_density(rows, *component) for component in self._components()]
        return np.argmin(np.stack(costs), axis=0)

    def reordered(self, order: np.ndarray) -> Partition:
        """Return the same clusters with other numbers: cluster i becomes what was ``order[i]``."""
        return Partition(
            self.algorithm,
            self.centres[order],
            None if self.covariances is None else self.covariances[order],
            None if self.weights is None else self.weights[order],
        )

    def to_json(self) -> dict[str, Any]:
        """Return JSON data that ``from_json`` reads."""
        arrays = {name: getattr(self, name) for name in ("centres", "covariances", "weights")}
        return {"algorithm": self.algorithm, **{n: None if a is None else a.tolist() for n, a in arrays.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Partition:
        """Return the partition that ``to_json`` wrote."""
        covariances, weights = (
            None if data[name] is None else np.array(data[name], dtype=float) for name in ("covariances", "weights")
        )
        return cls(data["algorithm"], np.array(data["centres"], dtype=float), covariances, weights)

    def _components(self) -> list[tuple[np.ndarray, np.ndarray, float]]:
        assert self.covariances is not None and self.weights is not None  # noqa: S101 -- both go with "gmm"
        return list(zip(self.centres, self.covariances, self.weights.tolist(), strict=True))


def cluster(
    rows: np.ndarray, k: int, algorithm: Algorithm = "kmeans", seed: int = 0, starts: int = STARTS
) -> Partition:
    """Return k clusters of rows.

    Args:
        rows: scaled features, shape (n, f), float32.
        k: number of clusters.
        algorithm: ``"kmeans"`` or ``"gmm"``.
        seed: seed of the sample and the starts.
        starts: k-means++ starts on the sample.

    Raises:
        InputError: there are fewer distinct rows than clusters, or a component of the mixture collapses onto a point.
    """
    check_distinct(rows, k)
    sample = _sample(rows, k, seed)
    return _mixture(sample, k, seed) if algorithm == "gmm" else _kmeans(rows, sample, k, seed, starts)


def check_distinct(rows: np.ndarray, k: int) -> None:
    """Refuse more clusters than there are distinct rows."""
    found = distinct(rows, k)
    if found < k:
        raise InputError(
            f"{k} habitats need at least {k} voxels with different values, found {found} distinct ones among "
            f"{len(rows)}: ask for fewer habitats."
        )


def square_distances(rows: np.ndarray, partition_centres: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the squared distance of each row to the centre of its cluster, shape (n,), float64."""
    return np.square(rows - partition_centres[labels], dtype=float).sum(axis=1)


def means_of(rows: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Return the mean row of each cluster, shape (k, f); every cluster has at least one."""
    counts = np.bincount(labels, minlength=k)
    sums = np.column_stack([np.bincount(labels, weights=column, minlength=k) for column in rows.T])
    return sums / counts[:, None]


def _square_distance(rows: np.ndarray, centre: np.ndarray) -> np.ndarray:
    away = rows - centre.astype(rows.dtype)
    return np.einsum("ij,ij->i", away, away)


def _log_density(rows: np.ndarray, mean: np.ndarray, covariance: np.ndarray, weight: float) -> np.ndarray:
    """Return log of weight times the Gaussian density of each row, without the constant."""
    lower = np.linalg.cholesky(covariance)
    standard = np.linalg.solve(lower, (rows - mean).T)
    return np.log(weight) - np.log(np.diag(lower)).sum() - 0.5 * np.square(standard).sum(axis=0)


def _sample(rows: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Return up to ``SAMPLE`` rows drawn without replacement; all where the sample would hold too few distinct ones."""
    if len(rows) <= SAMPLE:
        return rows
    chosen = np.random.default_rng(seed).choice(len(rows), SAMPLE, replace=False)
    sample = rows[np.sort(chosen)]
    return sample if distinct(sample, k) >= k else rows


def _kmeans(rows: np.ndarray, sample: np.ndarray, k: int, seed: int, starts: int) -> Partition:
    """Try several starts on the sample and refine the best on all rows (Lloyd)."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        # Doubled rows can leave a cluster empty; that is found out below.
        warnings.filterwarnings("ignore", message="Number of distinct clusters")
        found = KMeans(k, n_init=starts, max_iter=ITERATIONS, random_state=seed).fit(sample)
        if len(sample) < len(rows):
            found = KMeans(k, init=found.cluster_centers_, n_init=1, max_iter=ITERATIONS).fit(rows)
    return Partition("kmeans", _filled(found.cluster_centers_.astype(float), k))


def _filled(centres: np.ndarray, k: int) -> np.ndarray:
    distinct_centres = len(np.unique(centres, axis=0))
    if distinct_centres < k:
        raise InputError(
            f"{k} habitats were asked for, found only {distinct_centres} clusters that differ: ask for fewer habitats."
        )
    return centres


def _mixture(sample: np.ndarray, k: int, seed: int) -> Partition:
    """Fit a Gaussian mixture, started from k-means, on the sample."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        # The last digits of the likelihood do not move a habitat's border.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = GaussianMixture(k, max_iter=ITERATIONS, random_state=seed).fit(sample.astype(float))
    return Partition("gmm", found.means_, found.covariances_, found.weights_)
