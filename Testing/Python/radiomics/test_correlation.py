"""The maximal correlation coefficient of large matrices against the eigenvalues of the whole matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.radiomics.correlation import EPSILON, FEW_LEVELS, maximal_correlation


def of_the_whole_matrix(p: np.ndarray) -> float:
    weights = p / (p.sum(axis=1)[:, None] * p.sum(axis=0) + EPSILON)
    return float(np.sqrt(np.sort(np.linalg.eigvals(weights @ p.T))[-2].real))


def pairs_of_levels(seed: int, n: int, pairs: int, closeness: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    first = np.clip(rng.normal(n / 2, n / 6, pairs), 0, n - 1)
    second = np.clip(first + rng.normal(0, closeness, pairs), 0, n - 1)
    counts = np.zeros((n, n))
    np.add.at(counts, (first.astype(int), second.astype(int)), 1)
    return counts


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(FEW_LEVELS + 1, 120),
    pairs=st.sampled_from((150, 3000, 300_000)),
    closeness=st.sampled_from((0.5, 4.0, 40.0)),
    apart=st.integers(0, 3),
    symmetrical=st.booleans(),
)
def test_lanczos_equals_the_eigenvalues_of_the_whole_matrix(seed, n, pairs, closeness, apart, symmetrical) -> None:
    counts = pairs_of_levels(seed, n, pairs, closeness)
    for level in range(n - apart, n):  # levels that only pair with themselves
        counts[level] = counts[:, level] = 0
        counts[level, level] = 1 + level
    if symmetrical:
        counts += counts.T
    p = counts / counts.sum()
    assert maximal_correlation(p[None])[0] == pytest.approx(of_the_whole_matrix(p), rel=1e-10)


def test_levels_that_determine_each_other_are_fully_correlated() -> None:
    n = FEW_LEVELS + 10
    assert maximal_correlation(np.eye(n)[None] / n)[0] == pytest.approx(1)


@pytest.mark.parametrize("n", [3, FEW_LEVELS + 10])
def test_independent_levels_are_not_correlated(n: int) -> None:
    margin = np.arange(1.0, n + 1)
    p = np.outer(margin, margin)
    assert maximal_correlation(p[None] / p.sum())[0] == 0
