from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from hccoutcome.errors import InputError
from hccoutcome.habitat.agreement import adjusted_rand
from hccoutcome.habitat.assign import assign_habitats
from hccoutcome.habitat.find import find_habitats
from hccoutcome.habitat.learn import Patient, learn_model
from hccoutcome.habitat.settings import HabitatSettings

SEQUENCES = {"t1": "t1_bet", "t1ce": "t1c_bet", "t2": "t2_bet", "flair": "fla_bet"}
SEGMENTERS = ("hnfnetv1-20", "isen-20", "sanet0-20", "scan-20", "yixinmpl-20")
QUICK = HabitatSettings(radiomics=None, repeats=0)


@pytest.fixture(scope="module")
def brain(data: Path) -> dict[str, sitk.Image]:
    """Four co-registered MRI sequences of one patient."""
    folder = data / "brain_4seq_mri"
    if not folder.is_dir():
        pytest.skip("brain_4seq_mri is not among the real data")
    return {phase: sitk.ReadImage(str(folder / f"{name}.nii.gz")) for phase, name in SEQUENCES.items()}


@pytest.fixture(scope="module")
def tumour(data: Path, brain) -> sitk.Image:
    return sitk.ReadImage(str(data / "brain_4seq_mri" / "fusion_mav.nii.gz")) != 0


def array(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


def outside_agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Return the adjusted Rand index of two maps where both have a habitat."""
    both = (first > 0) & (second > 0)
    return adjusted_rand(first[both], second[both])


def test_four_sequences_give_the_columns_of_paper_003_without_a_gap(brain, tumour) -> None:
    habitats = find_habitats(brain, tumour, HabitatSettings(k=3, repeats=3))
    assert len(habitats.features) == 1140
    assert np.isfinite(list(habitats.features.values())).all()
    assert habitats.measures["ith"] < 0.5
    assert sum(size.volume_ml for size in habitats.sizes) == pytest.approx(array(tumour).sum() / 1000)
    means = [habitats.centres[number]["t1"] for number in (1, 2, 3)]
    assert means == sorted(means)
    assert habitats.agreement.seed_rand > 0.95
    assert "ascending mean grey level of the t1 image" in habitats.ordering


def test_habitats_of_a_real_tumour_are_patches_and_not_noise(brain, tumour) -> None:
    habitats = find_habitats(brain, tumour, QUICK)
    shuffled = array(habitats.labels)
    inside = shuffled > 0
    shuffled[inside] = np.random.default_rng(0).permutation(shuffled[inside])
    from hccoutcome.habitat.metrics import map_measures

    noise = map_measures(shuffled, habitats.k, (1.0, 1.0, 1.0))
    assert habitats.measures["interface_share"] < 0.3 * noise["interface_share"]
    assert habitats.measures["contagion"] > noise["contagion"] + 0.2
    assert (habitats.measures["shannon_entropy"], noise["ith"] > 0.9) == (pytest.approx(noise["shannon_entropy"]), True)


@pytest.mark.parametrize("segmenter", SEGMENTERS)
def test_habitats_hardly_depend_on_who_outlined_the_tumour(brain, tumour, data: Path, segmenter: str) -> None:
    other = sitk.ReadImage(str(data / "brain_4seq_mri" / f"seg_{segmenter}.nii.gz")) != 0
    asked = HabitatSettings(k=3, k_range=(3, 3), radiomics=None, repeats=0)
    maps = [array(find_habitats(brain, mask, asked).labels) for mask in (tumour, other)]
    assert outside_agreement(*maps) > 0.7


def test_methods_agree_on_a_real_tumour(brain, tumour) -> None:
    asked = {"k": 3, "k_range": (3, 3), "radiomics": None, "repeats": 0}
    methods = ({"method": "two-step"}, {"method": "pooled"}, {"algorithm": "gmm"})
    one_step = array(find_habitats(brain, tumour, HabitatSettings(**asked)).labels)
    agreements = [
        outside_agreement(one_step, array(find_habitats(brain, tumour, HabitatSettings(**asked, **other)).labels))
        for other in methods
    ]
    assert agreements[0] > 0.6 and agreements[1] > 0.9, agreements
    assert agreements[2] > 0.2, agreements


def test_entropy_and_enhancement_of_a_real_tumour(brain, tumour) -> None:
    asked = HabitatSettings(k=3, entropy_radius=1, kinetics="ratio", radiomics=None, repeats=0)
    habitats = find_habitats(brain, tumour, asked)
    assert {"t2_entropy", "washin_t1ce"} <= set(habitats.centres[1])
    assert all(0 < habitats.centres[number]["flair_entropy"] < np.log2(27) for number in (1, 2, 3))


def test_a_missing_sequence_is_refused_by_a_package(brain, tumour) -> None:
    model = learn_model([Patient("brain", brain, tumour)], HabitatSettings(method="two-step", repeats=0))
    fewer = {phase: brain[phase] for phase in ("t1", "t2", "flair")}
    with pytest.raises(InputError) as caught:
        assign_habitats(fewer, tumour, model)
    assert str(caught.value) == (
        "The habitat package was made for t1, t1ce, t2, flair, found t1, t2, flair: add t1ce, or choose a package made "
        "for the phases at hand."
    )


@pytest.fixture(scope="module")
def two_phases(data: Path) -> dict[str, sitk.Image]:
    """Late arterial and portal venous CT of one patient with HCC, on grids of which the first slices are shared."""
    folder = data / "hcc011_ct_2phase"
    if not folder.is_dir():
        pytest.skip("hcc011_ct_2phase is not among the real data")
    return {phase: sitk.ReadImage(str(folder / f"ct_acq{n}.nii.gz")) for phase, n in (("arterial", 2), ("portal", 3))}


def ball_in_liver(image: sitk.Image) -> sitk.Image:
    """Return a ball of 25 mm within the largest soft-tissue mass: no mask came with these images."""
    soft = (array(image) > 40) & (array(image) < 250)
    eroded = ndimage.binary_erosion(soft[::2, ::4, ::4], iterations=2)
    numbered, _ = ndimage.label(eroded)
    largest = numbered == np.argmax(np.bincount(numbered.ravel())[1:]) + 1
    deepest = np.unravel_index(np.argmax(ndimage.distance_transform_edt(largest)), largest.shape)
    centre = np.array(deepest) * (2, 4, 4)
    spacing = np.array(image.GetSpacing()[::-1])
    places = np.indices(soft.shape, dtype=np.float32).transpose(1, 2, 3, 0)
    mask = sitk.GetImageFromArray((np.linalg.norm((places - centre) * spacing, axis=-1) < 25).astype(np.uint8))
    mask.CopyInformation(image)
    return mask


def test_two_phases_of_which_one_has_more_slices_are_clustered_without_resampling(two_phases) -> None:
    mask = ball_in_liver(two_phases["arterial"])
    habitats = find_habitats(two_phases, mask, HabitatSettings(k=3, repeats=0))
    assert habitats.labels.GetSize() == mask.GetSize()
    assert len(habitats.features) == 3 * 2 * 95
    means = [habitats.centres[number]["portal"] for number in (1, 2, 3)]
    assert means == sorted(means) and means[2] - means[0] > 10
    assert "portal image" in habitats.ordering


def test_one_phase_of_a_real_liver_tumour_is_divided_by_its_attenuation(data: Path) -> None:
    folder = data / "ircadb17_ct"
    if not folder.is_dir():
        pytest.skip("ircadb17_ct is not among the real data")
    image = sitk.ReadImage(str(folder / "ct.nii.gz"))
    mask = sitk.ReadImage(str(folder / "livertumor1.nii.gz")) != 0
    habitats = find_habitats({"portal": image}, mask, HabitatSettings(k=3, repeats=0))
    assert sum(size.volume_ml for size in habitats.sizes) == pytest.approx(85.6, abs=0.1)
    labels, values = array(habitats.labels), array(image)
    medians = [float(np.median(values[labels == number])) for number in (1, 2, 3)]
    assert medians == sorted(medians)
    smallest = 100 / np.prod(image.GetSpacing())
    assert all(size.largest_voxels >= smallest for size in habitats.sizes)
    assert len(habitats.features) == 3 * 95
