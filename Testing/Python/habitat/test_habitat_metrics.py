from __future__ import annotations

import math

import brute_force
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hccoutcome.habitat.metrics import (
    entropy_measures,
    graph_measures,
    interaction_matrix,
    interaction_measures,
    ith,
    map_measures,
    sizes,
)

K = 3
maps = arrays(np.uint8, st.tuples(*[st.integers(1, 4)] * 3), elements=st.integers(0, K)).filter(np.any)
derandomised = settings(derandomize=True, deadline=None, max_examples=80)

ROW = np.array([[[1, 1, 2, 1]]], dtype=np.uint8)
"""Four voxels in a row: two of habitat 1, one of 2, one of 1 again."""


def test_sizes_of_a_row_by_hand() -> None:
    first, second, third = sizes(ROW, 3, voxel_mm3=500.0)
    assert (first.voxels, first.volume_ml, first.proportion, first.parts, first.largest_voxels) == (3, 1.5, 0.75, 2, 2)
    assert (second.voxels, second.volume_ml, second.proportion, second.parts) == (1, 0.5, 0.25, 1)
    assert (third.voxels, third.volume_ml, third.proportion, third.parts, third.largest_voxels) == (0, 0, 0, 0, 0)


def test_ith_of_a_row_by_hand() -> None:
    # Habitat 1: largest part 2 of 2 parts; habitat 2: 1 of 1; S = 4.
    assert ith(ROW) == pytest.approx(1 - (2 / 2 + 1 / 1) / 4)


def test_ith_is_zero_for_whole_habitats_and_rises_with_fragments() -> None:
    whole = np.ones((4, 4, 4), dtype=np.uint8)
    halves = whole.copy()
    halves[:2] = 2
    chequered = (np.indices(whole.shape).sum(axis=0) % 2 + 1).astype(np.uint8)
    assert ith(whole) == 0 == ith(halves)
    # Each of the 32 voxels of a habitat stands alone: 1 - 2 x (1 / 32) / 64.
    assert ith(chequered) == pytest.approx(1 - 2 / 32 / 64)


def test_interaction_matrix_of_a_row_by_hand() -> None:
    # Faces: 1-1 once, 1-2 twice; every voxel has four faces to the outside at its sides, and the ends one more.
    expected = [[0, 14, 4], [14, 2, 2], [4, 2, 0]]
    np.testing.assert_array_equal(interaction_matrix(ROW, 2), expected)


def test_interaction_measures_of_a_small_matrix_by_hand() -> None:
    found = interaction_measures(np.array([[0, 2, 0], [2, 4, 1], [0, 1, 0]]))
    # p = M / 10, margin (0.2, 0.7, 0.1), mean 0.9, variance 0.29.
    assert found["contrast"] == pytest.approx(0.6)
    assert found["homogeneity"] == pytest.approx(0.4 + 0.6 / 2)
    assert found["energy"] == pytest.approx((4 + 4 + 16 + 1 + 1) / 100)
    covariance = 2 * 0.2 * (-0.9) * 0.1 + 0.4 * 0.1 * 0.1 + 2 * 0.1 * 0.1 * 1.1
    assert found["correlation"] == pytest.approx(covariance / 0.29)


def test_entropies_of_a_row_by_hand() -> None:
    found = entropy_measures(ROW, 2, interaction_matrix(ROW, 2))
    assert found["shannon_entropy"] == pytest.approx(-(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)))
    # Unordered pairs: 1-1 once and 1-2 twice. Ordered: 1-1 twice, 1-2 twice, 2-1 twice.
    assert found["cooccurrence_entropy"] == pytest.approx(-(1 / 3 * math.log2(1 / 3) + 2 / 3 * math.log2(2 / 3)))
    assert found["contagion"] == pytest.approx(1 - math.log2(3) / 2)
    assert found["interface_share"] == pytest.approx(2 / 3)


def test_contagion_is_one_for_one_habitat_and_zero_for_pairs_at_random() -> None:
    whole = np.ones((3, 3, 3), dtype=np.uint8)
    assert entropy_measures(whole, 2, interaction_matrix(whole, 2))["contagion"] == 1
    even = np.array([[9, 9, 9], [9, 5, 5], [9, 5, 5]])
    assert entropy_measures(whole, 2, even)["contagion"] == pytest.approx(0)


def test_graph_of_a_row_by_hand() -> None:
    found = graph_measures(ROW, (2.0, 3.0, 5.0))
    assert found == {
        "graph_nodes": 3,
        "graph_edges": 2,
        "graph_mean_degree": pytest.approx(4 / 3),
        "graph_largest_degree": 2,
        "graph_interface_mm2": pytest.approx(12.0),
        "graph_density": pytest.approx(2 / 3),
    }


def test_what_cannot_be_computed_is_left_out() -> None:
    lonely = np.array([[[1, 0, 1]]], dtype=np.uint8)
    found = map_measures(lonely, 2, (1.0, 1.0, 1.0))
    assert not {"cooccurrence_entropy", "contagion", "interface_share"} & set(found)
    assert "graph_density" not in graph_measures(np.ones((1, 1, 1), dtype=np.uint8), (1.0, 1.0, 1.0))


@derandomised
@given(maps)
def test_measures_equal_those_counted_voxel_by_voxel(labels: np.ndarray) -> None:
    matrix = interaction_matrix(labels, K)
    np.testing.assert_array_equal(matrix, brute_force.interaction(labels, K))
    assert ith(labels) == pytest.approx(brute_force.ith(labels))
    assert interaction_measures(matrix) == pytest.approx(brute_force.haralick(matrix))
    assert graph_measures(labels, (3.0, 2.0, 1.5)) == pytest.approx(brute_force.graph(labels, (3.0, 2.0, 1.5)))
    found = entropy_measures(labels, K, matrix)
    if matrix[1:, 1:].any():
        unordered, ordered = brute_force.pair_entropies(labels)
        assert found["cooccurrence_entropy"] == pytest.approx(unordered, abs=1e-12)
        assert found["contagion"] == pytest.approx(1 - ordered / (2 * math.log2(K)))


@derandomised
@given(maps, st.permutations(range(1, K + 1)), st.permutations(range(3)))
def test_measures_do_not_depend_on_labels_axes_or_cropping(labels: np.ndarray, order: list, axes: list) -> None:
    spacing = (3.0, 2.0, 1.5)
    before = map_measures(labels, K, spacing)
    renamed = np.array([0, *order], dtype=np.uint8)[labels]
    turned = np.pad(renamed.transpose(axes), ((2, 0), (0, 1), (1, 3)))
    after = map_measures(turned, K, tuple(spacing[axis] for axis in axes))
    # Contrast, homogeneity and correlation take the labels as numbers.
    for name in set(before) - {"msi_contrast", "msi_homogeneity", "msi_correlation"}:
        assert after[name] == pytest.approx(before[name], abs=1e-12), name
    assert sorted(size.voxels for size in sizes(turned, K, 1.0)) == sorted(s.voxels for s in sizes(labels, K, 1.0))


@derandomised
@given(maps)
def test_measures_keep_their_bounds(labels: np.ndarray) -> None:
    found = map_measures(labels, K, (1.0, 1.0, 1.0))
    for name in ("ith", "msi_homogeneity", "msi_energy", "interface_share", "graph_density"):
        assert -1e-12 <= found.get(name, 0) <= 1 + 1e-12, name
    assert -1e-9 <= found.get("contagion", 0) <= 1 + 1e-9
    assert -1 - 1e-9 <= found["msi_correlation"] <= 1 + 1e-9
    assert 0 <= found["shannon_entropy"] <= math.log2(K) + 1e-9
    assert sum(size.proportion for size in sizes(labels, K, 1.0)) == pytest.approx(1)
