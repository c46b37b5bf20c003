"""What the phantom is made of: volumes, places and masks."""

from __future__ import annotations

import numpy as np
import pytest
from phantom_arrays import COARSE, images, masks
from scipy import ndimage

from hccoutcome.case import Case
from hccoutcome.errors import InputError
from hccoutcome.phantom import PhantomSettings, phantom_case

VOXEL_ML = np.prod(COARSE) / 1000


def sphere_ml(*diameters: float) -> float:
    return sum(np.pi * diameter**3 / 6000 for diameter in diameters)


@pytest.fixture(scope="module")
def several() -> list[Case]:
    return [phantom_case(seed, PhantomSettings(spacing=(6.0, 6.0, 6.0))) for seed in range(10, 16)]


def test_the_liver_takes_1200_to_1800_ml_in_every_patient(several: list[Case]) -> None:
    volumes = [masks(case)["liver"].sum() * 0.216 for case in several]
    assert min(volumes) > 1200 and max(volumes) < 1800
    assert max(volumes) - min(volumes) > 150


def test_lesions_lie_wholly_inside_the_liver_of_every_patient(several: list[Case]) -> None:
    for case in several:
        found = masks(case)
        assert not (found["tumor"] & ~ndimage.binary_erosion(found["liver"])).any()
        assert ndimage.label(found["tumor"])[1] == 2


@pytest.mark.parametrize("diameters", [(52.0, 25.0), (40.0,), (75.0, 30.0), (30.0, 20.0, 20.0, 14.0)])
def test_lesions_have_the_volumes_asked_for(diameters: tuple[float, ...]) -> None:
    case = phantom_case(3, PhantomSettings(spacing=COARSE, lesion_diameters=diameters))
    found = masks(case)["tumor"]
    assert not (found & masks(case)["portalvein"]).any()
    assert ndimage.label(found)[1] == len(diameters)
    assert found.sum() * VOXEL_ML == pytest.approx(sphere_ml(*diameters), rel=0.06)


def test_the_liver_has_the_volume_asked_for() -> None:
    case = phantom_case(2, PhantomSettings(spacing=COARSE, liver_volume=1300.0))
    assert masks(case)["liver"].sum() * VOXEL_ML == pytest.approx(1300, rel=0.02)


def test_the_liver_lies_on_the_right_and_the_portal_vein_runs_into_it(case: Case) -> None:
    found = masks(case)
    x = np.indices(found["liver"].shape)[2]
    middle = found["liver"].shape[2] / 2
    # LPS: the first columns are the patient's right.
    assert (x[found["liver"]] < middle).mean() > 0.8
    assert 0.6 < found["liver"][found["portalvein"]].mean() < 1
    assert ndimage.label(found["portalvein"], np.ones((3, 3, 3)))[1] == 1
    assert not (found["portalvein"] & found["tumor"]).any()


def test_all_images_and_masks_share_one_grid_in_lps(case: Case) -> None:
    grids = {
        (image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())
        for image in (*case.images.values(), *(mask for (mask,) in case.masks.values()))
    }
    ((size, spacing, origin, direction),) = grids
    assert size == (88, 88, 44) and spacing == COARSE
    assert direction == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert origin == (-174.0, -174.0, -107.5)


def test_another_voxel_size_shows_the_same_patient(case: Case) -> None:
    coarse = masks(case)
    fine = masks(phantom_case(1, PhantomSettings(spacing=(2.0, 2.0, 5.0))))
    for region, least in (("liver", 0.96), ("tumor", 0.93)):
        blocks = fine[region].reshape(44, 88, 2, 88, 2).mean((2, 4)) >= 0.5
        assert 2 * (blocks & coarse[region]).sum() / (blocks.sum() + coarse[region].sum()) > least


def test_the_same_seed_gives_the_same_voxels_and_another_seed_another_patient(case: Case) -> None:
    again, other = (phantom_case(seed, PhantomSettings(spacing=COARSE)) for seed in (1, 2))
    for phase, image in images(case).items():
        assert np.array_equal(image, images(again)[phase])
        assert not np.array_equal(image, images(other)[phase])
    assert again.clinical == case.clinical != other.clinical
    for region, mask in masks(case).items():
        assert np.array_equal(mask, masks(again)[region])
        assert not np.array_equal(mask, masks(other)[region])


def test_enhancement_does_not_change_the_anatomy(case: Case) -> None:
    other = phantom_case(1, PhantomSettings(spacing=COARSE, arterial_enhancement=10.0, washout=0.0, noise=20.0))
    for region, mask in masks(case).items():
        assert np.array_equal(mask, masks(other)[region])
    assert other.clinical == case.clinical


def test_lesions_without_room_are_refused() -> None:
    with pytest.raises(
        InputError,
        match=r"^Room for all lesions was expected in the phantom's liver, found none for that of 70 mm: "
        r"choose smaller ones or fewer\.$",
    ):
        phantom_case(1, PhantomSettings(spacing=(8.0, 8.0, 8.0), lesion_diameters=(70.0,) * 4))


def test_a_liver_without_room_is_refused() -> None:
    with pytest.raises(
        InputError,
        match=r"^A liver of at most \d+ mL was expected for this phantom, found 6000 mL: lower the volume\.$",
    ):
        phantom_case(1, PhantomSettings(spacing=(8.0, 8.0, 8.0), liver_volume=6000.0))
