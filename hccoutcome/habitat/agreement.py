"""Would the same habitats be found again? Other seeds and bootstraps against the clustering that was chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import comb

from hccoutcome.habitat.choice import Choice, choose
from hccoutcome.habitat.clustering import Partition, cluster
from hccoutcome.habitat.settings import HabitatSettings
from hccoutcome.habitat.voxels import distinct
from hccoutcome.progress import Progress, silent

BOOTSTRAP_ROWS = 3_000
"""Most rows of one bootstrap: more would only make the resamples alike."""
COMPARED_ROWS = 20_000
"""Most rows on which two clusterings are compared."""


@dataclass(frozen=True)
class Agreement:
    """How far clusterings with other seeds and of other resamples agree with the one that was chosen.

    Attributes:
        seed_rand, seed_dice: mean adjusted Rand index and mean matched Dice over other seeds.
        bootstrap_rand, bootstrap_dice: the same over bootstraps of the voxels.
        votes: how many bootstraps would choose each number of habitats; empty for a fixed number.
        repeats: number of seeds, and of bootstraps.
    """

    seed_rand: float
    seed_dice: float
    bootstrap_rand: float
    bootstrap_dice: float
    votes: Mapping[int, int] = field(default_factory=dict)
    repeats: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return JSON data that ``from_json`` reads."""
        return {**vars(self), "votes": {str(k): count for k, count in self.votes.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Agreement:
        """Return the agreement that ``to_json`` wrote."""
        return cls(**{**data, "votes": {int(k): count for k, count in data["votes"].items()}})


def contingency(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return how many voxels have label i in the first and j in the second map, shape (k1, k2)."""
    k1, k2 = int(first.max()) + 1, int(second.max()) + 1
    return np.bincount(first * k2 + second, minlength=k1 * k2).reshape(k1, k2)


def adjusted_rand(first: np.ndarray, second: np.ndarray) -> float:
    """Return the adjusted Rand index of two labellings (Hubert and Arabie 1985, J Classif 2:193).

    1 for the same partition whatever its labels, 0 on average for unrelated ones.
    """
    table = contingency(first, second)
    together = comb(table, 2).sum()
    rows, columns = comb(table.sum(axis=1), 2).sum(), comb(table.sum(axis=0), 2).sum()
    expected = rows * columns / comb(table.sum(), 2)
    most = (rows + columns) / 2
    return 1.0 if most == expected else float((together - expected) / (most - expected))


def matched_dice(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the Dice of each label of the first map with its partner in the second, shape (k1,).

    Partners are found by Hungarian matching of the Dice matrix; a label without partner has 0.
    """
    table = contingency(first, second)
    sizes = table.sum(axis=1)[:, None] + table.sum(axis=0)[None]
    dice = 2.0 * table / np.maximum(sizes, 1)
    found = np.zeros(len(table))
    rows, columns = linear_sum_assignment(dice, maximize=True)
    found[rows] = dice[rows, columns]
    return found


def judge(rows: np.ndarray, choice: Choice, settings: HabitatSettings, progress: Progress = silent) -> Agreement | None:
    """Cluster again with other seeds and on bootstraps, and compare with the chosen clusters.

    Returns:
        None where the settings ask for no repeats.
    """
    if not settings.repeats:
        return None
    compared = rows[np.linspace(0, len(rows) - 1, min(len(rows), COMPARED_ROWS)).astype(int)]
    own = choice.partition.labels(compared)
    others: dict[str, list[Partition]] = {"seed": [], "bootstrap": []}
    votes: Counter[int] = Counter()
    for step in range(settings.repeats):
        progress(step / settings.repeats, "Clusters again with another seed and resample")
        seed = settings.seed + 1 + step
        others["seed"].append(cluster(rows, choice.partition.k, settings.algorithm, seed))
        resample = _resample(rows, choice.partition.k, seed)
        others["bootstrap"].append(cluster(resample, choice.partition.k, settings.algorithm, seed))
        if settings.k is None:
            votes[_vote(resample, settings, seed)] += 1
    progress(1.0, "Compared the clusterings")
    labels = {name: [other.labels(compared) for other in found] for name, found in others.items()}
    rand = {name: float(np.mean([adjusted_rand(own, other) for other in found])) for name, found in labels.items()}
    dice = {name: float(np.mean([matched_dice(own, other) for other in found])) for name, found in labels.items()}
    return Agreement(
        rand["seed"], dice["seed"], rand["bootstrap"], dice["bootstrap"], dict(sorted(votes.items())), settings.repeats
    )


def _resample(rows: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Return a bootstrap of the rows; the rows themselves where so few of them differ that it would hold too few."""
    chosen = np.random.default_rng(seed).integers(0, len(rows), min(len(rows), BOOTSTRAP_ROWS))
    return rows[chosen] if distinct(rows[chosen], k) >= k else rows


def _vote(rows: np.ndarray, settings: HabitatSettings, seed: int) -> int:
    return choose(rows, replace(settings, seed=seed), quick=True).partition.k
