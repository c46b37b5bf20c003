"""Minimum cuts against trying everything."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hccoutcome.segmentation.morphology import ball, distance, largest, minimum_cut, without_bridges
from hccoutcome.segmentation.surface import Interpolator, best_surface, sphere

RING = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])


@pytest.mark.parametrize(("subdivisions", "count"), [(0, 12), (1, 42), (2, 162), (3, 642)])
def test_the_directions_are_those_of_a_divided_icosahedron(subdivisions, count):
    directions, edges = sphere(subdivisions)
    neighbours = np.bincount(edges.ravel())
    assert directions.shape == (count, 3)
    assert np.allclose(np.linalg.norm(directions, axis=1), 1)
    assert len(edges) == 3 * count - 6, "Euler's formula for a triangulated sphere"
    assert sorted(set(neighbours)) == ([5] if subdivisions == 0 else [5, 6])
    assert (neighbours == 5).sum() == 12


@settings(max_examples=40, deadline=None)
@given(gain=hnp.arrays(float, (4, 4), elements=st.floats(-5, 5, width=16)), step=st.integers(1, 2))
def test_no_surface_gains_more_than_the_cut(gain, step):
    found = best_surface(gain, RING, step)
    total = np.cumsum(gain, axis=1) - gain[:, :1]

    def worth(surface):
        return sum(total[ray, radius] for ray, radius in enumerate(surface))

    possible = [s for s in product(range(4), repeat=4) if all(abs(s[a] - s[b]) <= step for a, b in RING)]
    assert tuple(found) in possible
    assert worth(found) == pytest.approx(max(map(worth, possible)), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    odds=hnp.arrays(float, (2, 2, 2), elements=st.floats(-3, 3, width=16)),
    voxels=hnp.arrays(float, (2, 2, 2), elements=st.floats(0, 100, width=16)),
)
def test_no_labelling_costs_less_than_the_cut(odds, voxels):
    def cost(inside):
        border = 0.0
        for axis in range(3):
            apart = np.diff(inside.astype(int), axis=axis) != 0
            weight = 1.5 * (np.exp(-(np.diff(voxels, axis=axis) ** 2) / (2 * 20.0**2)) + 0.1)
            border += float((weight * apart).sum())
        return border - float(odds[inside].sum())

    everything = (np.array(bits, bool).reshape(2, 2, 2) for bits in product((False, True), repeat=8))
    assert cost(minimum_cut(voxels, odds, 1.5, 20.0)) == pytest.approx(min(map(cost, everything)), abs=1e-6)


def test_a_value_of_the_rays_is_carried_to_a_direction_between_them():
    directions, _ = sphere(2)
    wanted = np.array([[0.0, 0.0, 1.0], [0.6, 0.0, 0.8]])
    found = Interpolator(directions, wanted)(directions[:, 2])
    assert found == pytest.approx([1.0, 0.8], abs=0.03)


def test_distances_are_those_to_the_outermost_voxels():
    mask = np.zeros((9, 9, 9), bool)
    mask[2:7, 2:7, 2:7] = True
    assert distance(mask, 2.0)[4, 4, 4] == 4.0
    assert distance(mask, 2.0)[2, 4, 4] == 0.0
    assert distance(mask, 2.0)[0, 0, 0] == 0.0


def test_a_ball_and_the_largest_part():
    assert ball(1.0, 1.0).sum() == 7
    assert ball(2.0, 1.0).sum() == 33
    mask = np.array([1, 1, 0, 1, 1, 1], bool)
    assert largest(mask).tolist() == [False, False, False, True, True, True]
    assert not largest(np.zeros(3, bool)).any()


def test_a_part_behind_a_bridge_is_cut_off_and_the_rest_stays_as_it_was():
    mask = np.zeros((20, 20, 40), bool)
    mask[4:16, 4:16, 4:16] = True
    mask[6:14, 6:14, 26:34] = True
    body = mask.copy()
    body[:, :, 20:] = False
    mask[9:11, 9:11, 16:26] = True
    found = without_bridges(mask, 3.0, 1.0)
    assert np.array_equal(found[:, :, :16], body[:, :, :16])
    assert not found[:, :, 20:].any()
    thin = np.zeros((5, 5, 5), bool)
    thin[2, 2, 1:4] = True
    assert np.array_equal(without_bridges(thin, 3.0, 1.0), thin)
