from __future__ import annotations

from dataclasses import replace

import numpy as np
import planted
import pytest
import SimpleITK as sitk

from hccoutcome.case import Case
from hccoutcome.errors import InputError
from hccoutcome.habitat.learn import learn_model
from hccoutcome.habitat.onecase import chosen_region, habitats_of_case, patient_of_case
from hccoutcome.habitat.preparation import CT, MRI, checkerboard, preparation_for
from hccoutcome.habitat.settings import HabitatSettings
from hccoutcome.imaging.prepare import Preparation
from hccoutcome.phantom import PhantomSettings, phantom_case
from hccoutcome.response.haic_mri import PREPARATION

QUICK = HabitatSettings(k=3, k_range=(2, 4), radiomics=None, repeats=0)
BREATHING = PhantomSettings(spacing=(4.0, 4.0, 5.0), modality="MR", lesion_diameters=(75.0,), breathing=(0, 6, 0, 0))


@pytest.fixture(scope="module")
def patient() -> Case:
    """A synthetic patient in MR whose organs moved by 6 mm in the arterial phase."""
    case = phantom_case(seed=1, settings=BREATHING)
    return Case(
        case.case_id,
        {phase: case.images[phase] for phase in ("arterial", "portal")},
        {"tumor": case.masks["tumor"]},
        modality="MR",
        synthetic=True,
    )


def test_the_preparation_is_that_of_the_published_score() -> None:
    assert Preparation.from_dict(PREPARATION) == MRI == preparation_for("mri", planted.PHASES)


def test_a_preparation_refers_to_the_portal_phase_or_else_the_first() -> None:
    assert preparation_for("ct", ("arterial", "delayed")).reference_phase == "arterial"
    assert preparation_for("mri", ("arterial", "portal"), "deformable").registration == "deformable"
    assert preparation_for("ct", ("portal",)).registration == "none"
    assert (CT.bias_correction, CT.normalisation) == (False, "none")
    with pytest.raises(InputError, match="'mr' is not a known preparation; did you mean 'mri'"):
        preparation_for("mr", ("portal",))


def test_a_patient_is_prepared_and_its_registration_can_be_checked(patient: Case) -> None:
    coarse = replace(preparation_for("mri", tuple(patient.images)), spacing=(4.0, 4.0, 4.0))
    found = habitats_of_case(patient, settings=QUICK, preparation=coarse)
    assert found.case.images["arterial"].GetSpacing() == (4.0, 4.0, 4.0)
    assert found.habitats.labels.GetSize() == found.case.images["portal"].GetSize()
    (check,) = found.checks
    assert (check.phase, check.reference) == ("arterial", "portal")
    assert check.after > check.before > 0
    assert check.checkerboard.GetSize() == found.case.images["portal"].GetSize()
    assert f"{check.before:.3f} before" in found.habitats.notes[0]
    outlined = sitk.GetArrayFromImage(patient.masks["tumor"][0]).sum() * 4 * 4 * 5
    assert sum(size.voxels for size in found.habitats.sizes) == pytest.approx(outlined / 64, rel=0.03)
    image = sitk.GetArrayFromImage(found.case.images["arterial"])
    assert (image.min(), image.max()) == (0, 255)


def test_a_package_prepares_a_patient_as_its_cohort_was(patient: Case) -> None:
    portal = replace(patient, images={"portal": patient.images["portal"]})
    cohort = replace(preparation_for("mri", ("portal",)), bias_correction=False, spacing=(6.0, 6.0, 6.0))
    asked = replace(QUICK, method="two-step")
    model = learn_model([patient_of_case(portal, preparation=cohort)], asked, preparation=cohort.to_dict())
    assert habitats_of_case(portal, settings=asked, model=model).habitats.labels.GetSpacing() == (6.0, 6.0, 6.0)
    as_scanned = replace(model, preparation=None)
    found = habitats_of_case(portal, settings=asked, model=as_scanned, preparation=cohort)
    assert found.habitats.labels.GetSpacing() == portal.images["portal"].GetSpacing()


def test_without_preparation_a_case_is_taken_as_it_is(patient: Case) -> None:
    found = habitats_of_case(patient, settings=QUICK)
    assert found.case is patient
    assert found.checks == ()
    assert found.habitats.k == 3


def test_a_checkerboard_shows_both_images_in_turns() -> None:
    ramp = planted.image(np.tile(np.arange(50.0), (50, 50, 1)).astype(np.float32))
    falling = planted.image(np.tile(np.arange(50.0)[::-1].copy(), (50, 50, 1)).astype(np.float32))
    board = sitk.GetArrayFromImage(checkerboard(ramp, falling, square_mm=25.0))
    rising = np.linspace(0, 255, 50)
    np.testing.assert_allclose(board[0, 0, :25], rising[:25], atol=1e-3)
    np.testing.assert_allclose(board[0, 0, 25:], rising[::-1][25:], atol=1e-3)
    np.testing.assert_allclose(board[0, 25, :25], rising[::-1][:25], atol=1e-3)


def test_a_few_bright_voxels_do_not_darken_a_checkerboard() -> None:
    values = np.tile(np.arange(50.0), (50, 50, 1)).astype(np.float32)
    values[0, :3] = 1e6
    board = sitk.GetArrayFromImage(checkerboard(planted.image(values), planted.image(values)))
    assert np.median(board) == pytest.approx(127.5, abs=3)


def test_the_region_is_the_tumour_or_the_only_one(patient: Case) -> None:
    mask = patient.masks["tumor"]
    assert chosen_region(patient) == "tumor"
    assert chosen_region(Case("a", masks={"liver": mask})) == "liver"
    assert chosen_region(Case("a", masks={"tumor": mask, "liver": mask}), "Liver") == "liver"
    with pytest.raises(InputError, match=r"Habitats divide one region, found liver, tumor2: name the one"):
        chosen_region(Case("a", masks={"liver": mask, "tumor2": mask}))


def test_a_missing_image_or_mask_is_named(patient: Case) -> None:
    with pytest.raises(InputError, match="Habitats need at least one image, found none"):
        habitats_of_case(Case("a", masks=patient.masks), settings=QUICK)
    for preparation in (None, MRI):
        with pytest.raises(InputError, match="Case 'a' was expected to have the mask 'tumor', found none"):
            habitats_of_case(Case("a", patient.images), settings=QUICK, preparation=preparation)
    fewer = Case("a", {"arterial": patient.images["arterial"]}, patient.masks)
    with pytest.raises(InputError, match="The phases are registered to the portal phase, found only arterial"):
        habitats_of_case(fewer, settings=QUICK, preparation=MRI)
