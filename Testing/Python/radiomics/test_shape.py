"""3D and 2D shape against PyRadiomics, against brute force over the mesh, and against solids known exactly."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyradiomics_oracle import Region, ask_pyradiomics, assert_same_features, crop, regions

from hccoutcome.errors import InputError
from hccoutcome.radiomics.classes import compute_shape, compute_shape_2d
from hccoutcome.radiomics.diameters import mesh_diameters
from hccoutcome.radiomics.mesh import FACES, TRIANGLE_PATTERN, TRIANGLES, surface_and_volume

AXES = {"LeastAxisLength", "MinorAxisLength", "MajorAxisLength", "Elongation", "Flatness"}
TO_VOLUME = {"SurfaceVolumeRatio", "Sphericity", "SphericalDisproportion", "Compactness1", "Compactness2"}


def left_to_rounding(found: dict[str, float], expected: dict[str, float]) -> set[str]:
    """Name axes that are exactly 0 here and a rounding error in PyRadiomics, and ratios to a volume that is 0."""
    names = {name for name in AXES & set(found) if found[name] == 0 and abs(expected[name]) < 1e-6}
    return names | (TO_VOLUME if found.get("MeshVolume") == 0 else set())


@settings(max_examples=80, deadline=None, derandomize=True)
@given(regions())
def test_every_3d_feature_equals_pyradiomics(region: Region) -> None:
    expected, _ = ask_pyradiomics("shape", region)
    found = compute_shape(region.mask, region.spacing)
    assert_same_features(found, expected, left_to_rounding(found, expected))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(regions(), st.integers(0, 2))
def test_every_2d_feature_equals_pyradiomics(region: Region, axis: int) -> None:
    plane = np.moveaxis(region.mask, axis, 0)[:1]
    assume(plane.sum() > 1)
    flat = crop(
        np.zeros(region.mask.shape), np.moveaxis(np.where(np.arange(1) == 0, plane, False), 0, axis), region.spacing
    )
    expected, _ = ask_pyradiomics("shape2D", flat, force2D=True, force2Ddimension=axis)
    found = compute_shape_2d(flat.mask.squeeze(axis), tuple(np.delete(region.spacing, axis)))
    assert_same_features(found, expected, left_to_rounding(found, expected))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(regions())
def test_diameters_equal_all_pairs_of_vertices(region: Region) -> None:
    mask, spacing = np.pad(region.mask, 1), np.array(region.spacing)
    vertices = []
    for axis in range(3):
        crossing = np.argwhere(np.diff(mask.astype(np.int8), axis=axis)).astype(float)
        crossing[:, axis] += 0.5
        vertices += [tuple(point) for point in crossing]
    best = np.zeros(4)
    for a, b in combinations(np.array(vertices), 2):
        distance = np.sqrt((((a - b) * spacing) ** 2).sum())
        best[3] = max(best[3], distance)
        best[:3] = np.where(a == b, np.maximum(best[:3], distance), best[:3])
    assert mesh_diameters(mask, spacing) == pytest.approx(best, rel=1e-14)


def test_a_single_voxel_is_an_octahedron() -> None:
    values = compute_shape(np.ones((1, 1, 1), np.bool_), (1.0, 2.0, 3.0))
    assert values["MeshVolume"] == pytest.approx(1)  # a sixth of the box
    assert values["VoxelVolume"] == 6
    assert values["Maximum3DDiameter"] == values["Maximum2DDiameterSlice"] == 3
    assert values["Maximum2DDiameterRow"] == 2
    assert values["MajorAxisLength"] == 0
    assert np.isnan(values["Elongation"])


def test_a_large_ball_has_the_measures_of_a_ball() -> None:
    z, y, x = np.mgrid[-31:32, -31:32, -31:32]
    values = compute_shape(z**2 + y**2 + x**2 <= 30**2, (0.5, 0.5, 0.5))
    assert values["MeshVolume"] == pytest.approx(4 / 3 * np.pi * 15**3, rel=0.01)
    assert values["Maximum3DDiameter"] == pytest.approx(30, abs=0.6)
    assert values["MajorAxisLength"] == pytest.approx(4 * 15 / np.sqrt(5), rel=0.01)
    assert values["Elongation"] == pytest.approx(1)


def test_a_flat_region_askew_in_the_grid_has_an_axis_of_exactly_zero() -> None:
    mask = np.zeros((4, 4, 3), np.bool_)
    for step in range(4):
        mask[step, step] = True
    values = compute_shape(mask, (0.7, 0.9, 1.3))
    assert values["LeastAxisLength"] == values["Flatness"] == 0
    assert values["MinorAxisLength"] > 0


def test_each_pattern_of_a_cube_has_one_closed_border_on_the_faces_of_the_cube() -> None:
    # Inner edges of the triangles come twice, in both senses; what is left must lie on a face of the cube.
    for pattern in range(256):
        sides: dict[tuple, int] = {}
        for triangle in TRIANGLES[pattern == TRIANGLE_PATTERN]:
            points = [tuple(point) for point in triangle]
            for start, end in zip(points, [*points[1:], points[0]], strict=True):
                if sides.pop((end, start), None) is None:
                    sides[start, end] = 1
        for start, end in sides:
            assert any(a == b and a in (0, 2) for a, b in zip(start, end, strict=True)), (pattern, start, end)


def test_each_pattern_cuts_exactly_the_edges_between_inside_and_outside() -> None:
    corners = [(0, 0, 0), (0, 0, 2), (0, 2, 2), (0, 2, 0), (2, 0, 0), (2, 0, 2), (2, 2, 2), (2, 2, 0)]
    assert len(FACES.split()) == 128
    for pattern in range(256):
        inside = [bool(pattern >> k & 1) for k in range(8)]
        cut = {
            tuple((np.array(a) + b) // 2)
            for (a, one), (b, other) in combinations(zip(corners, inside, strict=True), 2)
            if one != other and np.abs(np.subtract(a, b)).sum() == 2
        }
        assert {tuple(point) for point in TRIANGLES[pattern == TRIANGLE_PATTERN].reshape(-1, 3)} == cut


def test_the_volume_of_a_closed_mesh_does_not_depend_on_where_it_lies() -> None:
    mask = np.zeros((8, 9, 10), np.bool_)
    mask[2:5, 2:6, 3:7] = True
    spacing = np.array([1.3, 0.7, 2.0])
    assert surface_and_volume(mask, spacing) == surface_and_volume(np.roll(mask, (1, 2, -1), (0, 1, 2)), spacing)


def test_an_empty_region_is_refused() -> None:
    with pytest.raises(InputError, match="the region holds no voxel: draw it, or name another label"):
        compute_shape(np.zeros((2, 2, 2), np.bool_), (1, 1, 1))
