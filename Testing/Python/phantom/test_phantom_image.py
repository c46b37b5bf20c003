"""How the phantom looks: enhancement as planted, noise, breathing, and the MR variant."""

from __future__ import annotations

import numpy as np
import pytest
from phantom_arrays import COARSE, images, masks, means, quiet
from scipy import ndimage

from hccoutcome.case import Case
from hccoutcome.phantom import PHASES, PhantomSettings, phantom_case
from hccoutcome.phantom.enhancement import TISSUES
from hccoutcome.phantom.patient import draw_patient, streams


@pytest.fixture(scope="module")
def tissues() -> dict[str, np.ndarray]:
    """Return the voxels that a tissue fills, away from its borders."""
    canvas = draw_patient(quiet(), streams(1)).canvas
    names = list(dict.fromkeys(layer.tissue for layer in canvas.layers))
    top = np.full(canvas.space.shape, -1)
    for layer in canvas.layers:
        part = top[layer.box]
        part[layer.alpha > 0.02] = -1
        part[layer.alpha == 1] = names.index(layer.tissue)
    flat = np.ones((1, 3, 3))
    return {name: ndimage.binary_erosion(top == number, flat) for number, name in enumerate(names)}


@pytest.mark.parametrize(
    "tissue", ["artery", "liver", "spleen", "kidney cortex", "muscle", "vein", "stomach content", "gallbladder", "lung"]
)
def test_an_organ_enhances_as_planted(quiet_case: Case, tissues: dict[str, np.ndarray], tissue: str) -> None:
    assert tissues[tissue].sum() >= 5
    found = means(quiet_case, tissues[tissue])
    tolerance = 8 if tissue in ("spleen", "lung") else 5
    assert list(found.values()) == pytest.approx(TISSUES[tissue].hu, abs=tolerance)


def test_each_organ_peaks_in_its_phase(case: Case, tissues: dict[str, np.ndarray]) -> None:
    def peak(tissue: str) -> str:
        found = means(case, tissues[tissue])
        return max(found, key=lambda phase: found[phase])

    assert peak("artery") == "arterial"
    assert peak("liver") == "portal"
    assert peak("kidney cortex") == "portal"
    assert peak("vein") == "portal"


def lesion_against_liver(case: Case, tissues: dict[str, np.ndarray], tissue: str = "tumor") -> dict[str, float]:
    liver = means(case, tissues["liver"])
    return {phase: mean - liver[phase] for phase, mean in means(case, tissues[tissue]).items()}


def test_the_lesion_enhances_early_and_washes_out(case: Case, tissues: dict[str, np.ndarray]) -> None:
    above = lesion_against_liver(case, tissues)
    assert above["arterial"] == pytest.approx(45, abs=8)
    assert above["portal"] == pytest.approx(-16, abs=7)
    assert above["delayed"] == pytest.approx(-24, abs=7)


@pytest.mark.parametrize(("enhancement", "washout"), [(20.0, 10.0), (80.0, 40.0)])
def test_enhancement_and_washout_follow_the_settings(
    tissues: dict[str, np.ndarray], enhancement: float, washout: float
) -> None:
    settings = quiet(arterial_enhancement=enhancement, washout=washout)
    above = lesion_against_liver(phantom_case(1, settings), tissues)
    assert above["arterial"] == pytest.approx(enhancement, abs=3)
    assert above["portal"] == pytest.approx(-2 / 3 * washout, abs=3)
    assert above["delayed"] == pytest.approx(-washout, abs=3)


def test_the_core_is_necrotic_and_as_large_as_asked(tissues: dict[str, np.ndarray]) -> None:
    bare, cored = (necrotic_part(quiet(necrosis=part, capsule=False)) for part in (0.0, 0.3))
    assert bare == 0
    # The smaller lesion has no core: 30 % of the larger one's volume, in parts of both.
    assert cored == pytest.approx(0.3 * 52**3 / (52**3 + 25**3), rel=0.12)


def necrotic_part(settings: PhantomSettings) -> float:
    case = phantom_case(1, settings)
    tumor = masks(case)["tumor"]
    arterial = images(case)["arterial"]
    inner = ndimage.binary_erosion(tumor)
    return float((inner & (arterial < 71)).sum() / tumor.sum())


def test_the_capsule_enhances_late() -> None:
    with_capsule, without = (phantom_case(1, quiet(capsule=capsule)) for capsule in (True, False))
    tumor = masks(without)["tumor"]
    rim = tumor & ~ndimage.binary_erosion(tumor)
    late, before = means(with_capsule, rim), means(without, rim)
    assert late["delayed"] - before["delayed"] > 10
    assert late["precontrast"] == pytest.approx(before["precontrast"], abs=1)


def difference(case: Case, quiet_case: Case, phase: str) -> np.ndarray:
    return images(case)[phase] - images(quiet_case)[phase]


def test_noise_has_the_deviation_asked_for_and_differs_between_phases(quiet_case: Case) -> None:
    noisy = phantom_case(1, quiet(noise=14.0))
    liver = masks(noisy)["liver"]
    noise = {phase: difference(noisy, quiet_case, phase) for phase in PHASES}
    for found in noise.values():
        assert found[liver].std() == pytest.approx(14, rel=0.1)
        assert abs(found[liver].mean()) < 0.5
    assert abs(np.corrcoef(noise["arterial"][liver], noise["portal"][liver])[0, 1]) < 0.05


def test_noise_is_grained_as_in_ct() -> None:
    fine = PhantomSettings(spacing=(2.0, 2.0, 8.0), nodularity=0, heterogeneity=0)
    noisy = phantom_case(1, fine)
    silent = phantom_case(1, quiet(spacing=fine.spacing))
    noise = difference(noisy, silent, "portal")
    liver = ndimage.binary_erosion(masks(silent)["liver"], iterations=2)
    neighbours = [np.mean((noise * np.roll(noise, step, 2))[liver]) / noise[liver].var() for step in (1, 2)]
    assert 0.1 < neighbours[0] < 0.6
    # The ramp filter leaves no slow waves: farther voxels are not alike.
    assert neighbours[1] < 0.1


def test_breathing_moves_the_organs_and_leaves_the_spine(quiet_case: Case, tissues: dict[str, np.ndarray]) -> None:
    moved = phantom_case(1, quiet(breathing=(0.0, 10.0, 0.0, -5.0)))
    before, after = images(quiet_case), images(moved)
    liver = ndimage.binary_erosion(masks(quiet_case)["liver"], np.ones((5, 9, 9)))
    assert liver.sum() > 500
    for phase, slices in (("precontrast", 0), ("arterial", 2), ("delayed", -1)):
        expected = np.roll(before[phase], slices, 0)
        there = np.roll(liver, slices, 0)
        assert np.abs(after[phase] - expected)[there].mean() < 1.5
        assert np.abs(after[phase] - before[phase])[tissues["spongy bone"]].mean() < 0.5
    assert np.array_equal(masks(moved)["liver"], masks(quiet_case)["liver"])


def test_ct_is_stored_in_hounsfield_units(case: Case) -> None:
    for image in case.images.values():
        assert image.GetPixelIDTypeAsString() == "16-bit signed integer"
    portal = images(case)["portal"]
    assert portal[0, 0, 0] == pytest.approx(-1000, abs=60)
    assert portal.min() >= -1024


def test_mr_shows_the_same_patient_with_the_same_phases(case: Case, mr_case: Case) -> None:
    assert mr_case.modality == "MR" and case.modality == "CT"
    assert mr_case.clinical == case.clinical
    assert list(mr_case.images) == list(PHASES)
    for region, mask in masks(case).items():
        assert np.array_equal(mask, masks(mr_case)[region])


def test_mr_lesions_enhance_early_and_wash_out(mr_case: Case, tissues: dict[str, np.ndarray]) -> None:
    above = lesion_against_liver(mr_case, tissues)
    assert above["precontrast"] < 0 < above["arterial"]
    assert above["delayed"] < 0 and above["portal"] < 0
    veins = lesion_against_liver(mr_case, tissues, "vein")
    assert veins["precontrast"] < 0 < veins["portal"]


def test_mr_has_a_bias_field_an_arbitrary_scale_and_noise_above_zero(tissues: dict[str, np.ndarray]) -> None:
    settings = quiet(modality="MR")
    one, other = phantom_case(1, settings), phantom_case(7, settings)
    muscle = images(one)["precontrast"][tissues["muscle"]]
    assert muscle.std() / muscle.mean() > 0.08
    liver = [images(case)["precontrast"][masks(case)["liver"]].mean() for case in (one, other)]
    assert max(liver) / min(liver) > 1.05
    noisy = phantom_case(1, quiet(modality="MR", noise=5.0))
    air = images(noisy)["portal"][:, :8, :8]
    # Rayleigh noise in air: mean and deviation stand as 1.253 to 0.655.
    assert air.mean() / air.std() == pytest.approx(1.253 / 0.655, rel=0.05)


def test_a_coarse_grid_is_the_way_to_a_quick_phantom() -> None:
    assert PhantomSettings(spacing=COARSE).size == (88, 88, 44)
    assert PhantomSettings().size == (176, 176, 88)
