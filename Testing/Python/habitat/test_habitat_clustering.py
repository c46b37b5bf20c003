from __future__ import annotations

import numpy as np
import planted
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from hccoutcome.errors import InputError
from hccoutcome.habitat import clustering
from hccoutcome.habitat.agreement import Agreement, adjusted_rand, judge, matched_dice
from hccoutcome.habitat.choice import (
    CurvePoint,
    best_k,
    calinski_harabasz,
    choose,
    davies_bouldin,
    elbow,
    kneedle,
    silhouette,
)
from hccoutcome.habitat.clustering import Partition, cluster, means_of, square_distances
from hccoutcome.habitat.settings import ALGORITHMS, CRITERIA, HabitatSettings

derandomised = settings(derandomize=True, deadline=None, max_examples=40)
ROWS, TRUTH = planted.blobs(600, 3)


def random_rows(n: int = 500, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, 4)).astype(np.float32)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_far_apart_clusters_are_found(algorithm) -> None:
    labels = cluster(ROWS, 3, algorithm).labels(ROWS)
    assert adjusted_rand(labels, TRUTH) == 1


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_order_of_the_voxels_does_not_matter(algorithm) -> None:
    order = np.random.default_rng(5).permutation(len(ROWS))
    straight, shuffled = (cluster(rows, 3, algorithm).labels(rows) for rows in (ROWS, ROWS[order]))
    assert adjusted_rand(straight[order], shuffled) == 1


def test_kmeans_is_that_of_scikit_learn_where_all_rows_are_tried() -> None:
    rows = random_rows()
    theirs = KMeans(5, n_init=10, max_iter=300, random_state=3).fit(rows)
    ours = cluster(rows, 5, seed=3)
    # Theirs adds float32 numbers on several threads, in no fixed order.
    np.testing.assert_allclose(ours.centres, theirs.cluster_centers_, rtol=1e-5)
    np.testing.assert_array_equal(ours.labels(rows), theirs.labels_)


def test_many_rows_are_started_on_a_sample_and_end_as_good_as_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = random_rows(4000)
    whole = cluster(rows, 4, seed=1)
    monkeypatch.setattr(clustering, "SAMPLE", 500)
    sampled = cluster(rows, 4, seed=1)
    inertia = [float(square_distances(rows, p.centres, p.labels(rows)).sum()) for p in (whole, sampled)]
    assert inertia[1] == pytest.approx(inertia[0], rel=0.02)
    assert not np.array_equal(whole.centres, sampled.centres)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_sample_with_too_few_distinct_rows_is_not_used(algorithm, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.zeros((2000, 2), dtype=np.float32)
    rows[:3] = [[1, 0], [1.1, 0], [0.9, 0]]
    monkeypatch.setattr(clustering, "SAMPLE", 10)
    assert sorted(np.bincount(cluster(rows, 2, algorithm).labels(rows))) == [3, 1997]


def test_mixture_assigns_as_scikit_learn() -> None:
    rows = random_rows().astype(float)
    theirs = GaussianMixture(4, max_iter=300, random_state=2).fit(rows)
    ours = cluster(rows, 4, "gmm", seed=2)
    np.testing.assert_array_equal(ours.labels(rows), theirs.predict(rows))
    assert not np.array_equal(ours.labels(rows), Partition("kmeans", ours.centres).labels(rows))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_same_seed_gives_the_same_clusters(algorithm) -> None:
    rows = random_rows(3000)
    first, second = (cluster(rows, 6, algorithm, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.centres, second.centres)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_partition_survives_json_and_reordering(algorithm) -> None:
    partition = cluster(ROWS, 3, algorithm)
    other = Partition.from_json(partition.to_json())
    np.testing.assert_array_equal(partition.labels(ROWS), other.labels(ROWS))
    order = np.array([2, 0, 1])
    np.testing.assert_array_equal(order[partition.reordered(order).labels(ROWS)], partition.labels(ROWS))


def test_more_clusters_than_distinct_rows_are_refused() -> None:
    rows = np.repeat(np.eye(3, dtype=np.float32), 5, axis=0)
    assert sorted(np.bincount(cluster(rows, 3).labels(rows))) == [5, 5, 5]
    with pytest.raises(InputError) as caught:
        cluster(rows, 4)
    assert str(caught.value) == (
        "4 habitats need at least 4 voxels with different values, found 3 distinct ones among 15: ask for fewer "
        "habitats."
    )


def test_indices_equal_those_of_scikit_learn() -> None:
    rows = random_rows()
    labels = cluster(rows, 4).labels(rows)
    centres = means_of(rows, labels, 4)
    squares = square_distances(rows, centres, labels)
    assert silhouette(rows, labels, 0) == pytest.approx(metrics.silhouette_score(rows, labels), rel=1e-5)
    expected = metrics.calinski_harabasz_score(rows.astype(float), labels)
    assert calinski_harabasz(rows, labels, centres, squares) == pytest.approx(expected)
    expected = metrics.davies_bouldin_score(rows.astype(float), labels)
    assert davies_bouldin(labels, centres, squares) == pytest.approx(expected)


def test_a_sampled_silhouette_is_close_to_that_of_all_rows() -> None:
    rows = random_rows(3000)
    labels = cluster(rows, 4).labels(rows)
    assert silhouette(rows, labels, 0, size=600) == pytest.approx(silhouette(rows, labels, 0, size=3000), abs=0.02)


def test_kneedle_by_hand() -> None:
    # 10, 4, 2, 1, 0 over 2..6: normalised and turned 0, .6, .8, .9, 1; less 0, .25, .5, .75, 1.
    np.testing.assert_allclose(kneedle([10, 4, 2, 1, 0], [2, 3, 4, 5, 6]), [0, 0.35, 0.3, 0.15, 0], atol=1e-12)
    assert elbow([10, 4, 2, 1, 0], [2, 3, 4, 5, 6]) == 1
    assert not kneedle([3, 3, 3], [2, 3, 4]).any()


def test_the_elbow_does_not_depend_on_the_units_of_the_curve() -> None:
    heights = np.array([90.0, 40, 22, 15, 11, 9])
    assert elbow(heights, range(2, 8)) == elbow(1e-6 * heights + 7, range(2, 8)) == 2


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("k", [3, 5])
def test_every_criterion_finds_the_planted_number(criterion, k: int) -> None:
    rows, _ = planted.blobs(900, k, seed=k)
    choice = choose(rows, HabitatSettings(criterion=criterion, k_range=(2, 7)))
    assert choice.partition.k == k == best_k(choice.curve, criterion)
    assert [point.k for point in choice.curve] == [2, 3, 4, 5, 6, 7]
    assert (choice.curve[0].gap is not None) == (criterion == "gap")


def test_the_gap_takes_the_smallest_number_within_the_error_of_the_next() -> None:
    def curve(*gaps: float) -> list[CurvePoint]:
        return [CurvePoint(k, 1.0, gap=gap, gap_error=0.02) for k, gap in enumerate(gaps, start=2)]

    assert best_k(curve(0.1, 0.5, 0.51, 0.9), "gap") == 3
    assert best_k(curve(0.1, 0.5, 0.53, 0.9), "gap") == 5
    assert best_k(curve(0.5, 0.1, 0.9), "gap") == 2


def test_a_fixed_number_is_kept_and_the_curve_still_drawn() -> None:
    choice = choose(ROWS, HabitatSettings(k=12, k_range=(2, 5)))
    assert choice.partition.k == 12
    assert [point.k for point in choice.curve] == [2, 3, 4, 5, 12]


def test_the_numbers_tried_end_at_the_distinct_voxels() -> None:
    rows = np.repeat(np.eye(4, dtype=np.float32), 10, axis=0)
    choice = choose(rows, HabitatSettings())
    assert [point.k for point in choice.curve] == [2, 3, 4]
    assert choice.notes[0] == "The region has only 4 distinct voxels, so no more than 4 habitats were tried."
    assert choice.curve[-1].calinski_harabasz is None
    assert choose(rows, HabitatSettings(criterion="calinski-harabasz")).partition.k == 4


def test_an_elbow_like_that_of_evenly_spread_voxels_is_noted() -> None:
    notes = choose(random_rows(3000), HabitatSettings()).notes
    assert len(notes) == 1
    assert notes[0].startswith("The elbow of the inertia stands out by 0.2")
    assert notes[0].endswith(
        "that of evenly spread voxels by 0.29, so that the number of habitats is hardly determined: compare the other "
        "criteria."
    )
    assert not choose(ROWS, HabitatSettings()).notes


@derandomised
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=2, max_size=40))
def test_adjusted_rand_equals_that_of_scikit_learn(pairs: list) -> None:
    first, second = np.array(pairs).T
    assert adjusted_rand(first, second) == pytest.approx(metrics.adjusted_rand_score(first, second), abs=1e-12)


def test_matched_dice_by_hand() -> None:
    first = np.array([0, 0, 0, 1, 1, 2])
    second = np.array([1, 1, 0, 0, 0, 2])
    # 0 meets 1 in two voxels (sizes 3 and 2), 1 meets 0 in two (2 and 3), 2 meets 2.
    np.testing.assert_allclose(matched_dice(first, second), [0.8, 0.8, 1.0])
    np.testing.assert_allclose(matched_dice(first, np.zeros(6, dtype=int)), [2 * 3 / 9, 0, 0])


@derandomised
@given(st.permutations(range(4)))
def test_agreement_does_not_depend_on_labels(order: list) -> None:
    labels = np.arange(40) % 4
    renamed = np.array(order)[labels]
    assert adjusted_rand(labels, renamed) == 1
    np.testing.assert_allclose(matched_dice(labels, renamed), 1)


def test_planted_clusters_are_found_again_and_noise_is_not() -> None:
    asked = HabitatSettings(repeats=4, k_range=(2, 5))
    clear = judge(ROWS, choose(ROWS, asked), asked)
    assert (clear.seed_rand, clear.bootstrap_rand, clear.seed_dice) == (1, 1, 1)
    assert clear.votes == {3: 4}
    noise = random_rows(300)
    vague = judge(noise, choose(noise, asked), asked)
    assert vague.bootstrap_rand < 0.9
    assert sum(vague.votes.values()) == 4
    assert Agreement.from_json(vague.to_json()) == vague


def test_bootstraps_move_borders_that_seeds_do_not() -> None:
    rows, _ = planted.blobs(90, 3, spread=0.25)
    fixed = HabitatSettings(repeats=4, k=3, k_range=(2, 4))
    found = judge(rows, choose(rows, fixed), fixed)
    assert (found.seed_rand, found.seed_dice) == (1, 1)
    assert 0.8 < found.bootstrap_rand < 1 and 0.9 < found.bootstrap_dice < 1


def test_no_repeats_no_agreement_and_a_fixed_number_has_no_votes() -> None:
    fixed = HabitatSettings(k=3, repeats=1)
    assert judge(ROWS, choose(ROWS, fixed), fixed).votes == {}
    assert judge(ROWS, choose(ROWS, fixed), HabitatSettings(repeats=0)) is None
