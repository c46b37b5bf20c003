"""The quality table: what is sound passes, each fault is found, named and answered with what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from hccoutcome.case import Case, CaseFiles, ImageFile, MaskFile
from hccoutcome.errors import Cancelled
from hccoutcome.imaging.geometry import Geometry
from hccoutcome.imaging.quality import check_quality
from hccoutcome.imaging.resample import resample_image
from hccoutcome.loading import load_case
from hccoutcome.phantom import PhantomSettings, phantom_case
from hccoutcome.status import QualityItem


@pytest.fixture(scope="module")
def ct() -> Case:
    return phantom_case(1, PhantomSettings(spacing=(2.0, 2.0, 5.0)))


@pytest.fixture(scope="module")
def mr() -> Case:
    return phantom_case(1, PhantomSettings(spacing=(2.0, 2.0, 5.0), modality="MR"))


def like(image: sitk.Image, array: np.ndarray) -> sitk.Image:
    made = sitk.GetImageFromArray(array)
    made.CopyInformation(image)
    return made


def changed(image: sitk.Image, change: Callable[[np.ndarray], np.ndarray]) -> sitk.Image:
    return like(image, change(sitk.GetArrayFromImage(image)))


def with_image(case: Case, phase: str, image: sitk.Image) -> Case:
    return replace(case, images={**case.images, phase: image})


def only(case: Case, phase: str = "portal") -> Case:
    return replace(case, images={phase: case.images[phase]}, masks={})


def with_mask(case: Case, region: str, *masks: sitk.Image) -> Case:
    return replace(case, masks={**case.masks, region: masks})


def faults(case: Case) -> list[QualityItem]:
    return [item for item in check_quality(case) if item.status != "ok"]


def the(case: Case, subject: str, check: str) -> QualityItem:
    found = [item for item in check_quality(case) if (item.subject, item.check) == (subject, check)]
    assert len(found) == 1, f"{len(found)} lines on {check} of {subject}"
    return found[0]


def test_a_sound_ct_and_a_sound_mri_raise_nothing(ct, mr):
    assert faults(ct) == []
    assert faults(mr) == []


def test_every_line_says_what_was_found_and_what_was_expected(ct):
    for item in check_quality(with_image(ct, "delayed", ct.images["portal"] * 0 + 3)):
        assert item.subject
        assert item.found
        assert item.expected
        assert (item.note == "") == (item.status == "ok")
        assert item.note == "" or item.note.endswith(".")


def test_the_real_ct_raises_nothing(data: Path):
    folder = data / "ircadb17_ct"
    tumors = tuple(MaskFile(folder / f"livertumor{number}.nii.gz") for number in (1, 2))
    masks = {
        "tumor": tumors,
        "liver": (MaskFile(folder / "liver.nii.gz"),),
        "portalvein": (MaskFile(folder / "portalvein.nii.gz"),),
    }
    case = load_case(CaseFiles("ircadb17", {"portal": ImageFile(folder / "ct.nii.gz")}, masks, modality="CT"))
    assert faults(case) == []
    assert the(case, "mask liver", "volume").found.startswith("1861 mL")
    assert the(case, "mask tumor", "pieces").found == "2"


def test_the_real_mri_raises_nothing(data: Path):
    folder = data / "brain_4seq_mri"
    images = {name: ImageFile(folder / file) for name, file in (("t1", "t1_bet.nii.gz"), ("t2", "t2_bet.nii.gz"))}
    case = load_case(CaseFiles("brain", images, modality="MR"))
    assert faults(case) == []


FAULTY_GRIDS = [
    ({"spacing": (2.0, 2.0, 8.0)}, "slice thickness", "warning", "8 mm", "load a thinner reconstruction"),
    ({"spacing": (2.5, 2.5, 5.0)}, "spacing", "warning", "2.5 x 2.5 x 5 mm", "load the original series"),
    ({"spacing": (0.5, 0.5, 4.9)}, "anisotropy", "warning", "9.8", "invented between slices"),
    ({"spacing": (0.01, 0.01, 5.0)}, "spacing", "refused", "0.01 x 0.01 x 5 mm", "correct the spacing in the header"),
    ({"spacing": (1.0, 1.0, 2.0)}, "size", "warning", "176 x 176 x 44 voxels, 88 mm across", "complete series"),
    ({"direction": (0.9, 0.1, 0, 0, 1, 0, 0, 0, 1)}, "axes", "refused", "0.2 off", "not at right angles"),
    ({"direction": (1, 0, 0, 0, 0, 1, 0, -1, 0)}, "orientation", "warning", "coronal slices", "load the axial series"),
]  # fmt: skip


@pytest.mark.parametrize(("header", "check", "status", "found", "advice"), FAULTY_GRIDS)
def test_each_fault_of_a_grid_is_named(ct, header, check, status, found, advice):
    image = sitk.Image(ct.images["portal"])
    if "spacing" in header:
        image.SetSpacing(header["spacing"])
    if "direction" in header:
        image.SetDirection(header["direction"])
    item = the(with_image(only(ct), "portal", image), "image portal", check)
    assert item.status == status
    assert found in item.found
    assert advice in item.note


def test_a_flipped_axis_is_noted_without_a_warning(ct):
    image = sitk.Image(ct.images["portal"])
    image.SetDirection((-1, 0, 0, 0, 1, 0, 0, 0, 1))
    item = the(with_image(only(ct), "portal", image), "image portal", "axes")
    assert item.status == "ok"
    assert item.found.startswith("orthonormal, left-handed")


def test_an_oblique_image_is_noted_without_a_warning(ct):
    image, turn = sitk.Image(ct.images["portal"]), sitk.Euler3DTransform()
    turn.SetRotation(0.2, 0.0, 0.0)
    image.SetDirection(turn.GetMatrix())
    item = the(with_image(only(ct), "portal", image), "image portal", "orientation")
    assert item.found == "LPS, oblique by 11 degrees"
    assert item.status == "ok"


FAULTY_CT = [
    (lambda a: np.full_like(a, 40), "grey levels", "refused", "40 everywhere", "exported completely"),
    (lambda a: np.where(a > 60, np.nan, a.astype(np.float32)), "grey levels", "refused", "NaN", "export it again"),
    (lambda a: (0.6 * (np.clip(a, -160, 240) + 160)).astype(np.uint8), "voxel type", "warning", "8-bit", "256 grey"),
    (lambda a: (a - a.mean()) / a.std(), "grey levels", "warning", "", "normalised before"),
    (lambda a: a + 1024, "grey levels", "warning", "0 to ", "rescale intercept"),
    (lambda a: np.where(a < -950, -2000, a), "extremes", "warning", "-2000 to", "padding below air"),
    (lambda a: np.where(a > 300, 8000, a), "extremes", "warning", "to 8000", "metal or another unit"),
    (lambda a: np.clip(a, -50, 350), "tissues", "warning", "air 0 %", "cropped or clipped"),
    (lambda a: np.abs(a) % 500 + 300, "tissues", "refused", "soft tissue 0 %, air 0 %", "no CT in HU"),
    (lambda a: a * 5, "tissues", "warning", "soft tissue", "check that the image is a CT in HU"),
    (lambda a: np.clip(a, -1024, 120), "clipping", "warning", "at 120", "display window or saturation"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "check", "status", "found", "advice"), FAULTY_CT)
def test_each_fault_of_ct_grey_levels_is_named(ct, change, check, status, found, advice):
    item = the(with_image(only(ct), "portal", changed(ct.images["portal"], change)), "image portal", check)
    assert item.status == status
    assert found in item.found
    assert advice in item.note


def test_mri_below_zero_is_warned_of(mr):
    image = changed(mr.images["portal"], lambda a: a.astype(np.float32) - 200)
    item = the(with_image(only(mr), "portal", image), "image portal", "grey levels")
    assert item.status == "warning"
    assert "subtraction or normalised image" in item.note


def test_an_unknown_modality_is_asked_for(ct):
    item = the(replace(ct, modality=None), "case", "modality")
    assert (item.status, item.found) == ("warning", "not stated")
    assert item.note == "Say whether the images are CT or MR, so that their grey levels can be judged."


def test_one_image_for_two_phases_is_refused(ct):
    item = the(with_image(ct, "arterial", ct.images["portal"]), "image portal", "voxels")
    assert item.status == "refused"
    assert item.note == "One image was given for arterial and for portal: give each phase its own series."


def test_phases_on_different_grids_are_warned_of(ct):
    image = ct.images["arterial"]
    grid = Geometry((170, 170, 40), (2.1, 2.1, 5.1), image.GetOrigin(), image.GetDirection())
    item = the(with_image(ct, "arterial", resample_image(image, grid)), "image arterial", "grid")
    assert item.status == "warning"
    assert "spacing 2.1 x 2.1 x 5.1 mm against 2 x 2 x 5 mm" in item.found
    assert "outline the regions on each phase, or register the phases" in item.note


def test_a_phase_with_fewer_slices_of_the_same_stack_fits(ct):
    item = the(with_image(ct, "arterial", ct.images["arterial"][:, :, 2:]), "image arterial", "grid")
    assert (item.status, item.found) == ("ok", "that of precontrast, more or fewer voxels")


def test_confused_phases_are_found_by_the_livers_enhancement(ct):
    swapped = {**ct.images, "arterial": ct.images["portal"], "portal": ct.images["arterial"]}
    item = the(replace(ct, images=swapped), "image arterial", "liver enhancement")
    assert item.status == "warning"
    assert "check that arterial and portal were not confused" in item.note
    assert the(ct, "image arterial", "liver enhancement").status == "ok"


@pytest.mark.parametrize(
    ("change", "status"), [(lambda a: a, "ok"), (lambda a: a + 1024, "refused"), (lambda a: (a + 1024) // 2, "refused")]
)
def test_a_ct_in_which_no_liver_has_the_level_of_the_liver_is_refused(ct, change, status):
    item = the(with_image(ct, "portal", changed(ct.images["portal"], change)), "image portal", "liver level")
    assert item.status == status
    assert ("correct the modality" in item.note) == (status == "refused")


def test_a_liver_full_of_enhancing_tumour_is_not_taken_for_another_phase(ct):
    liver = sitk.GetArrayFromImage(ct.masks["liver"][0])
    tumor = liver * (np.arange(liver.shape[2]) % 5 > 1)
    arterial = changed(ct.images["arterial"], lambda a: (a + 150 * tumor).astype(np.int16))
    case = with_mask(with_image(ct, "arterial", arterial), "tumor", like(ct.masks["liver"][0], tumor.astype(np.uint8)))
    assert the(case, "image arterial", "liver enhancement").status == "ok"


def outlined(case: Case, change: Callable[[np.ndarray], np.ndarray], region: str = "tumor") -> Case:
    return with_mask(case, region, changed(case.masks[region][0], change))


def cut_off(mask: np.ndarray) -> np.ndarray:
    mask[-1] = np.roll(mask[mask.any(axis=(1, 2)).argmax()], 0)
    mask[-1, 80:90, 80:90] = 1
    return mask


def speckled(mask: np.ndarray) -> np.ndarray:
    mask[5, 60, 60] = mask[8, 70, 70] = 1
    return mask


def one_voxel(mask: np.ndarray) -> np.ndarray:
    place = tuple(np.argwhere(mask)[0])
    mask[:] = 0
    mask[place] = 1
    return mask


FAULTY_MASKS = [
    (lambda m: m * 0, "volume", "refused", "empty", "Outline the tumor or leave it out"),
    (one_voxel, "volume", "warning", "0.02 mL, 1 voxels", "too small for texture"),
    (speckled, "pieces", "warning", "4", "2 pieces have 8 voxels or fewer: remove them unless they are tumor."),
    (cut_off, "border", "warning", "first or last slice", "cut off by the image"),
    (lambda m: np.roll(m, 60, axis=2), "outside the liver", "refused", "100 %", "belong to this patient and image"),
    (lambda m: np.roll(m, 20, axis=2), "outside the liver", "warning", "%", "correct the tumour"),
    (lambda m: np.roll(m, -50, axis=1), "background in portal", "refused", "%", "Most of the region lies in air"),
    (lambda m: np.roll(m, -30, axis=1), "background in portal", "warning", "%", "A part of the region lies in air"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "check", "status", "found", "advice"), FAULTY_MASKS)
def test_each_fault_of_a_mask_is_named(ct, change, check, status, found, advice):
    item = the(outlined(ct, change), "mask tumor", check)
    assert item.status == status
    assert found in item.found
    assert advice in item.note


def test_a_liver_outlined_without_its_tumours_is_no_reason_to_refuse_them(ct):
    tumor = sitk.GetArrayFromImage(ct.masks["tumor"][0])
    item = the(outlined(ct, lambda liver: liver * (1 - tumor), "liver"), "mask tumor", "outside the liver")
    assert (item.status, item.found) == ("warning", "100 %")
    assert "unite the masks if the liver was outlined without them" in item.note


def test_a_liver_of_impossible_volume_is_warned_of(ct):
    item = the(
        outlined(ct, lambda mask: mask * (np.arange(len(mask)) % 4 == 0)[:, None, None], "liver"),
        "mask liver",
        "volume",
    )
    assert item.status == "warning"
    assert item.expected == "500 to 4500 mL"
    assert "holds all of the liver and nothing else" in item.note


def test_vessels_may_leave_the_image(ct):
    assert not [i for i in faults(outlined(ct, cut_off, "portalvein")) if i.subject == "mask portalvein"]


def test_a_mask_on_no_image_is_refused(ct):
    mask = sitk.Image(ct.masks["tumor"][0])
    mask.SetSpacing((2.1, 2.0, 5.0))
    item = the(with_mask(ct, "tumor", mask), "mask tumor", "grid")
    assert item.status == "refused"
    assert "spacing 2.1 x 2 x 5 mm against 2 x 2 x 5 mm" in item.found
    assert item.note == "The mask lies on no image's grid: resample it onto the image that was outlined."


def test_a_habitat_may_lie_on_prepared_voxels(ct):
    mask = sitk.Image(ct.masks["tumor"][0])
    mask.SetSpacing((2.1, 2.0, 5.0))
    item = the(with_mask(ct, "habitat1", mask), "mask habitat1", "grid")
    assert (item.status, item.expected) == ("ok", "the grid of an image, as it came or prepared")


def test_a_flipped_mask_is_judged_where_it_lies(ct):
    flipped = sitk.Flip(ct.masks["tumor"][0], (True, False, False))
    case = with_mask(ct, "tumor", flipped)
    assert the(case, "mask tumor", "outside the liver").found == "0 %"
    assert [item for item in faults(case) if item.subject == "mask tumor"] == []


def test_a_mask_that_was_moved_as_a_whole_is_warned_of(ct):
    mask = sitk.Image(ct.masks["tumor"][0])
    mask.SetOrigin(mask.TransformIndexToPhysicalPoint((4, 0, 0)))
    item = the(with_mask(ct, "tumor", mask), "mask tumor", "origin")
    assert (item.status, item.found) == ("warning", "same size, another origin: 8 mm off")


def test_an_empty_case_has_an_empty_table():
    assert check_quality(Case("nothing")) == ()


def test_the_user_may_stop_it(ct):
    def stop(fraction: float, message: str) -> None:
        raise Cancelled("stopped by the user")

    with pytest.raises(Cancelled):
        check_quality(ct, progress=stop)
