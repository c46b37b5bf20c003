"""Registration of one phase to another: planted motions are found, runs repeat, what cannot work is refused."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from hccoutcome.case import Case
from hccoutcome.errors import Cancelled, InputError
from hccoutcome.imaging.geometry import Geometry
from hccoutcome.imaging.register import RegistrationSettings, mutual_information, register
from hccoutcome.imaging.resample import resample_image
from hccoutcome.phantom import PhantomSettings, phantom_case

FAST_SPLINES = RegistrationSettings(
    kind="deformable",
    voxel_sizes=(8.0, 4.0),
    meshes=(80.0,),
    mesh_voxels=(8.0,),
    mesh_samples=6_000,
    mesh_iterations=10,
)


@pytest.fixture(scope="module")
def case() -> Case:
    return phantom_case(1, PhantomSettings(spacing=(4.0, 4.0, 5.0)))


def motion() -> sitk.Euler3DTransform:
    found = sitk.Euler3DTransform()
    found.SetTranslation((6.0, -4.0, 5.0))
    found.SetRotation(0.03, -0.02, 0.05)
    return found


def warp(image: sitk.Image) -> sitk.DisplacementFieldTransform:
    """Return a smooth deformation of up to 7 mm that no rigid motion undoes."""
    z, y, x = (
        index * width for index, width in zip(np.indices(image.GetSize()[::-1]), image.GetSpacing()[::-1], strict=True)
    )
    field = [
        4 * np.sin(y / 50) * np.cos(z / 60),
        4 * np.sin(x / 55 + 1) * np.cos(z / 50),
        5 * np.sin(x / 60) * np.sin(y / 60),
    ]
    vectors = sitk.GetImageFromArray(np.stack(field, -1), isVector=True)
    vectors.CopyInformation(image)
    return sitk.DisplacementFieldTransform(vectors)


def moved(image: sitk.Image, transform: sitk.Transform) -> sitk.Image:
    return resample_image(image, Geometry.from_image(image), transform=transform)


def errors(planted: sitk.Transform, found: sitk.Transform, mask: sitk.Image) -> np.ndarray:
    """Return how far off (mm) each of some points of a region lands after the planted motion and its registration."""
    places = np.argwhere(sitk.GetArrayFromImage(mask))[::97]
    points = [mask.TransformIndexToPhysicalPoint([int(i) for i in place[::-1]]) for place in places]
    back = [planted.TransformPoint(found.TransformPoint(point)) for point in points]
    return np.linalg.norm(np.subtract(back, points), axis=1)


def test_a_planted_motion_is_found_within_half_a_millimetre_across_phases(case):
    moving = moved(case.images["arterial"], motion())
    found = register(moving, case.images["portal"])
    assert errors(motion(), found.transform, case.masks["liver"][0]).max() < 0.5
    assert found.after > 1.5 * found.before
    assert found.folding == 0
    assert found.note == ""
    assert found.image.GetSize() == case.images["portal"].GetSize()


def test_the_same_seed_gives_the_same_voxels_on_any_number_of_processors(case):
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    moving, found = moved(case.images["arterial"], motion()), []
    for threads in (1, 3):
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
        found.append(register(moving, case.images["portal"], seed=7))
        assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == threads
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    assert found[0].transform.GetParameters() == found[1].transform.GetParameters()
    assert sitk.Hash(found[0].image) == sitk.Hash(found[1].image)


def test_another_seed_looks_at_other_voxels_and_finds_nearly_the_same(case):
    moving = moved(case.images["arterial"], motion())
    few = RegistrationSettings(samples=5_000)
    first, other = (register(moving, case.images["portal"], few, seed=seed) for seed in (7, 8))
    assert first.transform.GetParameters() != other.transform.GetParameters()
    assert errors(motion(), other.transform, case.masks["liver"][0]).max() < 1


def test_a_smooth_deformation_is_undone_better_by_splines_than_rigidly_and_the_same_each_time(case):
    portal = case.images["portal"]
    moving = moved(case.images["arterial"], warp(portal))
    rigid = register(moving, portal)
    splines, again = (register(moving, portal, FAST_SPLINES) for _ in range(2))
    mask = case.masks["liver"][0]
    left, better = (np.median(errors(warp(portal), found.transform, mask)) for found in (rigid, splines))
    assert better < 0.7 * left
    assert splines.after > rigid.after
    assert splines.folding < 0.001
    assert sitk.Hash(splines.image) == sitk.Hash(again.image)


def test_a_region_says_where_the_phases_must_match(case):
    """The spine stays while the liver moves: with the liver as region, its motion is found."""
    portal, liver = case.images["portal"], case.masks["liver"][0]
    shift = sitk.TranslationTransform(3, (0.0, 0.0, 12.0))
    away = resample_image(portal, Geometry.from_image(portal), transform=shift)
    near = sitk.BinaryDilate(liver, (4, 4, 5)) != 0
    seen = moved(sitk.Cast(near, sitk.sitkFloat32), shift) > 0.5
    seen.CopyInformation(portal)
    torn = sitk.Mask(away, seen) + sitk.Mask(sitk.Cast(portal, sitk.sitkFloat32), sitk.Not(seen))
    planted = sitk.Euler3DTransform()
    planted.SetTranslation((0.0, 0.0, 12.0))
    within, without = (register(torn, portal, within=region) for region in (liver, None))
    assert errors(planted, within.transform, liver).max() < 2
    assert errors(planted, without.transform, liver).max() > 3


def test_images_that_match_stay_where_they_are(case):
    portal = case.images["portal"]
    found = register(portal, portal)
    assert errors(sitk.Euler3DTransform(), found.transform, case.masks["liver"][0]).max() < 0.05
    assert found.after >= found.before


def test_no_better_match_leaves_the_scanner_coordinates_and_says_so(case):
    portal = case.images["portal"]
    wandered = RegistrationSettings(voxel_sizes=(8.0,), samples=300, iterations=3)
    found = register(portal, portal, wandered)
    assert found.transform.GetParameters() == (0.0,) * 6
    assert found.after == found.before
    assert found.note == "No registration matched better than the scanner's coordinates, which were kept."


def test_images_of_different_places_are_refused(case):
    away = sitk.Image(case.images["arterial"])
    away.SetOrigin((0.0, 0.0, 900.0))
    with pytest.raises(
        InputError, match=r"same part of the body, found 0 % of the smaller one inside the other: check"
    ):
        register(away, case.images["portal"])


def test_another_frame_of_reference_is_bridged_where_the_user_says_so(case):
    away = sitk.Image(case.images["arterial"])
    away.SetOrigin(np.add(away.GetOrigin(), (0.0, 0.0, 900.0)).tolist())
    found = register(away, case.images["portal"], RegistrationSettings(start="geometry"))
    planted = sitk.Euler3DTransform()
    planted.SetTranslation((0.0, 0.0, -900.0))
    assert errors(planted, found.transform, case.masks["liver"][0]).max() < 0.5
    assert found.before == 0


def test_the_user_may_stop_it(case):
    def stop(fraction: float, message: str) -> None:
        assert 0 <= fraction < 1
        assert message == "Registering (rigid)"
        raise Cancelled("stopped by the user")

    with pytest.raises(Cancelled, match="stopped by the user"):
        register(case.images["arterial"], case.images["portal"], progress=stop)


def test_a_single_slice_is_refused(case):
    with pytest.raises(
        InputError, match=r"at least 4 voxels along each axis, found 88 x 88 x 1: give the whole series"
    ):
        register(case.images["arterial"][:, :, :1], case.images["portal"])


@pytest.mark.parametrize(("setting", "value", "hint"), [("kind", "rigd", "'rigid'"), ("start", "moment", "'moments'")])
def test_a_misspelt_setting_names_the_nearest(setting, value, hint):
    with pytest.raises(InputError, match=rf"'{value}' is not a known .*did you mean {hint}\?"):
        RegistrationSettings(**{setting: value})


def test_mutual_information_of_a_coin_with_itself_is_one_bit():
    coin = sitk.GetImageFromArray(np.tile([0.0, 1.0], 500).reshape(10, 10, 10))
    assert mutual_information(coin, coin) == pytest.approx(np.log(2))


def test_mutual_information_of_two_coins_is_nothing():
    first = sitk.GetImageFromArray(np.tile([0.0, 1.0], 500).reshape(10, 10, 10))
    second = sitk.GetImageFromArray(np.tile([0.0, 0.0, 1.0, 1.0], 250).reshape(10, 10, 10))
    assert mutual_information(first, second) == pytest.approx(0, abs=1e-12)


def test_mutual_information_of_normal_values_follows_their_correlation():
    rng = np.random.default_rng(0)
    one, two = rng.standard_normal((2, 60, 60, 60))
    mixed = 0.8 * one + 0.6 * two
    found = mutual_information(sitk.GetImageFromArray(one), sitk.GetImageFromArray(mixed))
    assert found == pytest.approx(-0.5 * np.log(1 - 0.8**2), rel=0.03)
