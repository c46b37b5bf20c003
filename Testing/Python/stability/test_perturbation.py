"""Each family of perturbations does what it says, again and again the same, and stays over the patient."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from perturbation_case import SPACING, case

from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import Geometry
from hccoutcome.stability.lattice import block_around, block_of, cut, holds, turned
from hccoutcome.stability.noise import noise_deviation
from hccoutcome.stability.perturbation import PerturbationSettings, drawn
from hccoutcome.stability.perturber import Perturbed, Perturber, perturbations
from hccoutcome.stability.supervoxels import redrawn, supervoxels

LAWS = settings(derandomize=True, deadline=None, max_examples=60)


def one(chain: str, index: int = 1, **values: float) -> tuple[sitk.Image, sitk.Image, Perturbed]:
    image, mask = case()
    (found,) = perturbations(image, mask, PerturbationSettings(chain, **values), 4, [index])
    return image, mask, found


def voxels(mask: sitk.Image) -> int:
    return int(np.count_nonzero(sitk.GetArrayViewFromImage(mask)))


def centre_of(mask: sitk.Image) -> np.ndarray:
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(mask)
    return np.array(shape.GetCentroid(1))


def on(mask: sitk.Image, reference: sitk.Image) -> np.ndarray:
    """Return a mask sampled on another image's grid."""
    return sitk.GetArrayFromImage(sitk.Resample(mask, reference, sitk.Transform(), sitk.sitkNearestNeighbor, 0))


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def test_a_perturbation_follows_from_seed_and_number_alone() -> None:
    image, mask = case()
    chain = PerturbationSettings("NRTVC")
    together = {item.perturbation.index: item for item in perturbations(image, mask, chain, 9, [1, 2, 3])}
    (alone,) = perturbations(image, mask, chain, 9, [3])
    for kind in ("mask", "image"):
        ours, theirs = getattr(alone, kind), getattr(together[3], kind)
        np.testing.assert_array_equal(sitk.GetArrayViewFromImage(ours), sitk.GetArrayViewFromImage(theirs))
        assert Geometry.from_image(ours) == Geometry.from_image(theirs)
    other = drawn(chain, 10, 3)
    assert other != alone.perturbation
    assert other.degrees != alone.perturbation.degrees


def test_a_number_keeps_its_parameters_in_every_chain() -> None:
    rvc, ntv = drawn(PerturbationSettings("RVC"), 1, 7), drawn(PerturbationSettings("vtn"), 1, 7)
    assert rvc.growth == ntv.growth
    assert (rvc.shift, rvc.noise, ntv.degrees, ntv.contour) == ((0, 0, 0), 0, 0, False)


@LAWS
@given(st.integers(0, 10**9), st.integers(1, 1000))
def test_parameters_stay_within_the_settings(seed: int, index: int) -> None:
    chain = PerturbationSettings("NRTVC", 5, 0.5, 0.1, 2.0)
    found = drawn(chain, seed, index)
    assert abs(found.degrees) <= 5
    assert max(map(abs, found.shift)) <= 0.5
    assert abs(found.growth) <= 0.1
    assert found.noise == 2.0
    assert found == drawn(chain, seed, index)


def test_rotation_turns_the_grid_about_the_region_and_leaves_the_region_in_place() -> None:
    _, mask, found = one("R", rotation_degrees=40.0)
    before, after = (np.reshape(part.GetDirection(), (3, 3)) for part in (mask, found.mask))
    np.testing.assert_allclose(before[:, 2], after[:, 2])
    angle = np.degrees(np.arccos(before[:, 0] @ after[:, 0]))
    assert angle == pytest.approx(abs(found.perturbation.degrees))
    assert angle > 5
    np.testing.assert_allclose(centre_of(found.mask), centre_of(mask), atol=0.1)
    assert voxels(found.mask) == pytest.approx(voxels(mask), rel=0.02)
    assert dice(on(found.mask, mask), sitk.GetArrayFromImage(mask)) > 0.97
    assert found.mask.GetSize() == mask.GetSize()


def test_translation_shifts_the_grid_and_not_the_region() -> None:
    _, mask, found = one("T")
    step = np.array(found.mask.GetOrigin()) - mask.GetOrigin()
    np.testing.assert_allclose(
        np.reshape(mask.GetDirection(), (3, 3)).T @ step, np.array(found.perturbation.shift) * SPACING
    )
    assert np.abs(found.perturbation.shift).max() > 0.1
    # Whole voxels follow the region to half a voxel along each axis.
    assert np.linalg.norm(centre_of(found.mask) - centre_of(mask)) <= np.linalg.norm(SPACING) / 2
    assert voxels(found.mask) == pytest.approx(voxels(mask), rel=0.02)


@pytest.mark.parametrize("index", [1, 2, 3, 4])
def test_growth_changes_the_volume_by_its_fraction_and_keeps_the_centre(index: int) -> None:
    _, mask, found = one("V", index, volume_fraction=0.4)
    assert voxels(found.mask) == round(voxels(mask) * (1 + found.perturbation.growth))
    before, after = sitk.GetArrayFromImage(mask), sitk.GetArrayFromImage(found.mask)
    inner, outer = (before, after) if found.perturbation.growth > 0 else (after, before)
    assert (inner <= outer).all()
    np.testing.assert_allclose(centre_of(found.mask), centre_of(mask), atol=0.2)


def test_growth_is_even_in_millimetres() -> None:
    _, mask, found = one("V", 1, volume_fraction=0.9)
    assert abs(found.perturbation.growth) > 0.2
    changes = []
    for part, step in zip((0, 1, 2), reversed(SPACING), strict=True):
        spans = [
            np.flatnonzero(sitk.GetArrayViewFromImage(m).any(axis=tuple({0, 1, 2} - {part})))
            for m in (mask, found.mask)
        ]
        changes.append((np.ptp(spans[1]) - np.ptp(spans[0])) * step)
    assert np.ptp(changes) <= 2 * max(SPACING)


def test_contours_are_redrawn_along_supervoxels() -> None:
    image, mask = case()
    perturber = Perturber(image, mask, PerturbationSettings("C"))
    outlines = [perturber.outline(drawn(perturber.settings, 1, index)) for index in (1, 2)]
    assert (outlines[0] != outlines[1]).any()
    labels = perturber._supervoxels
    count, inside = np.bincount(labels.ravel()), np.bincount(labels[perturber.region], minlength=labels.max() + 1)
    overlap = inside / np.maximum(count, 1)
    for outline in outlines:
        assert 0.7 < dice(outline, perturber.region) < 1
        taken = np.bincount(labels[outline], minlength=count.size) / np.maximum(count, 1)
        assert (taken[(overlap >= 0.9) & (count > 0)] == 1).all()
        # What lies outside is touched by the closing of gaps only.
        assert (taken[(overlap < 0.2) & (count > 0)] < 0.5).all()


def test_supervoxels_are_taken_with_the_probability_of_their_overlap() -> None:
    labels = np.repeat(np.arange(4), 20)[None, None, :] + np.zeros((1, 1, 80), np.intp)
    region = np.zeros(labels.shape, bool)
    for label, inside in enumerate((20, 19, 10, 3)):  # overlaps 1, 0.95, 0.5, 0.15
        region[0, 0, 20 * label : 20 * label + inside] = True
    random = np.random.default_rng(3)
    taken = np.mean([redrawn(region, labels, random, 0.9, 0.2)[0, 0, 10::20] for _ in range(400)], axis=0)
    assert tuple(taken[[0, 1, 3]]) == (1, 1, 0)
    assert taken[2] == pytest.approx(0.5, abs=0.06)


def test_something_remains_where_no_supervoxel_lies_inside() -> None:
    labels = np.repeat(np.arange(2), 50)[None, None, :] + np.zeros((1, 1, 100), np.intp)
    region = np.zeros(labels.shape, bool)
    region[0, 0, 40:51] = True
    assert redrawn(region, labels, np.random.default_rng(0), 0.9, 0.3).sum() == 50


def test_supervoxels_have_the_volume_asked_for_and_cover_all() -> None:
    image, mask = case()
    values, region = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(mask) != 0
    labels = supervoxels(values, region, SPACING[::-1], 200.0, 1.0)
    assert labels.shape == values.shape
    volumes = np.bincount(labels.ravel()) * np.prod(SPACING)
    assert np.median(volumes[volumes > 0]) == pytest.approx(200, rel=0.5)


def test_noise_is_estimated_and_added_once_more() -> None:
    image, mask = case(noise=8.0)
    perturber = Perturber(image, mask, PerturbationSettings("N"))
    assert perturber._noise == pytest.approx(8.0, rel=0.1)
    added = [perturber.noisy(drawn(perturber.settings, 1, index)) for index in (1, 2)]
    original = sitk.GetArrayFromImage(image)[perturber.context]
    difference = [sitk.GetArrayFromImage(part) - original for part in added]
    assert difference[0].std() == pytest.approx(perturber._noise, rel=0.03)
    assert abs(np.corrcoef(difference[0].ravel(), difference[1].ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("deviation", [0.5, 3.0, 20.0])
def test_white_noise_is_estimated_on_structure(deviation: float) -> None:
    z, y, x = np.meshgrid(np.arange(20), np.arange(60), np.arange(60), indexing="ij")
    smooth = 100 * np.sin(x / 9) + 50 * np.cos(y / 7) + z
    noisy = smooth + deviation * np.random.default_rng(1).normal(size=smooth.shape)
    assert noise_deviation(noisy) == pytest.approx(deviation, rel=0.05)


def test_the_image_of_a_perturbation_is_that_of_the_patient_at_the_same_place() -> None:
    image, _, found = one("RT")
    grid = found.image
    back = sitk.Resample(grid, image, sitk.Transform(), sitk.sitkBSpline, float("nan"))
    difference = sitk.GetArrayFromImage(back) - sitk.GetArrayFromImage(image)
    inside = difference[4:-4, 8:-8, 8:-8]
    assert np.isfinite(inside).all()
    assert inside.std() < 5  # of a spread of 25, after two interpolations of white noise
    assert abs(inside.mean()) < 0.2


def test_a_region_at_the_border_stays_inside_the_image() -> None:
    image, mask = case(centre=(3, 22, 24))
    for found in perturbations(image, mask, PerturbationSettings("RTVC", volume_fraction=0.9), 2, range(1, 5)):
        places = np.argwhere(sitk.GetArrayViewFromImage(found.mask))
        assert len(places) > 100
        corner = [
            found.mask.TransformIndexToPhysicalPoint(tuple(map(int, at[::-1]))) for at in places[:: len(places) - 1]
        ]
        index = np.array([image.TransformPhysicalPointToContinuousIndex(at) for at in corner])
        assert ((index >= -0.5) & (index <= np.array(image.GetSize()) - 0.5)).all()


@LAWS
@given(st.floats(-180, 180), st.tuples(*[st.floats(-1, 1)] * 3))
def test_a_turned_grid_keeps_lengths_and_its_centre(degrees: float, shift: tuple[float, float, float]) -> None:
    grid = Geometry.from_image(case()[0])
    centre = np.array([3.0, 20.0, 44.0])
    new = turned(grid, centre, degrees, shift)
    np.testing.assert_allclose(np.linalg.norm(new.affine[:3, :3], axis=0), SPACING)
    assert np.linalg.det(np.reshape(new.direction, (3, 3))) == pytest.approx(1)
    before = np.linalg.solve(grid.affine, [*centre, 1])[:3]
    after = np.linalg.solve(new.affine, [*centre, 1])[:3]
    np.testing.assert_allclose(before - after, shift, atol=1e-9)
    assert new.size == grid.size


def test_blocks_are_cut_and_found_again() -> None:
    image, mask = case()
    grid = Geometry.from_image(image)
    block = block_around(sitk.GetArrayFromImage(mask) != 0, SPACING[::-1], 4.0)
    part = cut(grid, block)
    assert block_of(part, grid) == block
    z, y, x = block
    region = sitk.RegionOfInterest(image, part.size, [x.start, y.start, z.start])
    np.testing.assert_allclose(region.GetOrigin(), part.origin)
    assert holds(grid, part)
    assert not holds(part, grid)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"chain": "RVX"}, "found 'RVX': write RVC or NTCV"),
        ({"chain": ""}, "found ''"),
        ({"chain": "RR"}, "each once, found 'RR'"),
        ({"volume_fraction": 1.5}, "'volume_fraction' lies between 0 and 0.9, found 1.5"),
        ({"rotation_degrees": "ten"}, "'rotation_degrees' lies between 0 and 180, found 'ten'"),
        ({"never_below": 0.9, "always_from": 0.5}, "never_below is not above always_from, found 0.9 and 0.5"),
        ({"rotation": 5}, "no setting 'rotation'; did you mean 'rotation_degrees'"),
    ],
)
def test_settings_that_cannot_be_are_refused(values: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PerturbationSettings.from_dict(values)


def test_settings_survive_plain_data() -> None:
    chain = PerturbationSettings("ntcv", supervoxel_mm3=100)
    assert PerturbationSettings.from_dict(dataclasses.asdict(chain)) == chain
    assert chain.chain == "NTCV"


def test_wrong_cases_are_refused() -> None:
    image, mask = case()
    with pytest.raises(InputError, match="found an empty mask"):
        Perturber(image, mask * 0, PerturbationSettings())
    mask.SetSpacing((1.0, 1.0, 1.0))
    with pytest.raises(InputError, match=r"lie on one grid, found spacing 1 x 1.2 x 2 mm against 1 x 1 x 1 mm"):
        Perturber(image, mask, PerturbationSettings())
    with pytest.raises(InputError, match="found -1 and 1"):
        drawn(PerturbationSettings(), -1, 1)
