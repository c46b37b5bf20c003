from __future__ import annotations

import brute_force
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hccoutcome.habitat.islands import clean_islands, connected_parts, shared_faces

maps = arrays(np.uint8, st.tuples(*[st.integers(1, 5)] * 3), elements=st.integers(0, 3)).filter(np.any)
derandomised = settings(derandomize=True, deadline=None, max_examples=120)


def test_an_island_joins_what_surrounds_it() -> None:
    labels = np.ones((5, 5, 5), dtype=np.uint8)
    labels[:, :, 3:] = 2
    labels[2, 2, 1] = 2
    labels[2, 2, 4] = 3
    labels[2, 1, 4] = 3
    labels[0, 0, 4] = 3
    cleaned = clean_islands(labels, 2)
    assert cleaned[2, 2, 1] == 1
    assert cleaned[0, 0, 4] == 2
    # The largest part of habitat 3 stays, although it is small for a larger threshold.
    assert clean_islands(labels, 10)[2, 2, 4] == 3
    assert (labels[2, 2, 1], labels[0, 0, 4]) == (2, 3), "the map that was given is not changed"


def test_the_habitat_with_most_faces_wins_and_of_equal_ones_the_lowest() -> None:
    labels = np.array([[[1, 3, 2, 2], [1, 3, 2, 2], [1, 2, 2, 2], [3, 3, 3, 3]]], dtype=np.uint8)
    # The island (3, 3) above touches 1 with two faces and 2 with three.
    assert clean_islands(labels, 3)[0, :2, 1].tolist() == [2, 2]
    line = np.array([[[3, 3, 1, 1, 3, 2, 2]]], dtype=np.uint8)
    assert clean_islands(line, 2).tolist() == [[[3, 3, 1, 1, 1, 2, 2]]]


def test_islands_that_touch_each_other_end_up_large_enough() -> None:
    labels = np.array([[[1, 1, 1, 1, 2, 3, 2, 3, 1, 1, 1, 2, 2, 3, 3]]], dtype=np.uint8)
    cleaned = clean_islands(labels, 2)
    # First the 2 before the 3s joins the 1s, then the 2 between the 3s joins those.
    assert cleaned.tolist() == [[[1] * 5 + [3] * 3 + [1] * 3 + [2, 2, 3, 3]]]


def test_an_island_that_has_grown_but_is_still_small_goes_on() -> None:
    labels = np.array([[[1, 1, 1, 1, 3, 2, 3, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]]], dtype=np.uint8)
    # The 2 joins the 3s beside it; the three of them are still fewer than four.
    assert clean_islands(labels, 4).tolist() == [[[1] * 11 + [2] * 4 + [3] * 4]]


def test_an_island_that_touches_nothing_stays() -> None:
    labels = np.array([[[1, 1, 1, 0, 2, 0, 2, 2]]], dtype=np.uint8)
    np.testing.assert_array_equal(clean_islands(labels, 3), labels)


def test_without_a_threshold_nothing_changes() -> None:
    labels = np.random.default_rng(0).integers(0, 4, (5, 5, 5)).astype(np.uint8)
    for smallest in (0, 1):
        np.testing.assert_array_equal(clean_islands(labels, smallest), labels)


def is_surrounded(labels: np.ndarray, label: int, part: set) -> bool:
    around = {brute_force.label_at(labels, other) for place in part for other in brute_force.neighbours(place)}
    return bool(around - {0, label})


@derandomised
@given(maps, st.integers(2, 6))
def test_only_what_cannot_join_or_was_the_largest_stays_small(labels: np.ndarray, smallest: int) -> None:
    cleaned = clean_islands(labels, smallest)
    np.testing.assert_array_equal(cleaned > 0, labels > 0)
    assert set(np.unique(cleaned)) == set(np.unique(labels)), "no habitat is lost"
    before = brute_force.parts(labels)
    for label, part in brute_force.parts(cleaned):
        own = [other for at, other in before if at == label]
        held_largest = any(len(other) == max(map(len, own)) and other <= part for other in own)
        assert len(part) >= smallest or held_largest or not is_surrounded(cleaned, label, part)


@derandomised
@given(maps)
def test_parts_and_faces_equal_those_of_flooding(labels: np.ndarray) -> None:
    parts, numbers, sizes = connected_parts(labels)
    assert sorted(zip(numbers[1:].tolist(), sizes[1:].tolist(), strict=True)) == sorted(
        (label, len(part)) for label, part in brute_force.parts(labels)
    )
    pairs, faces = shared_faces(parts)
    assert len(pairs) == brute_force.graph(labels, (1.0, 1.0, 1.0))["graph_edges"]
    assert faces.sum() == brute_force.graph(labels, (1.0, 1.0, 1.0))["graph_interface_mm2"]
