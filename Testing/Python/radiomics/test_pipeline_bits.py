"""Up to the feature classes, every voxel and every mask equals PyRadiomics' in every bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given
from hypothesis import settings as tries
from pipeline_oracle import (
    assert_same_bits,
    cases,
    ours,
    revive_spherical_patterns,
    theirs,
)

from hccoutcome.radiomics.imagetypes import image_names
from hccoutcome.radiomics.settings import RadiomicsSettings, load_settings

EVERY_TYPE = {
    "Original": {},
    "LoG": {"sigma": [1.5, 4]},
    "Wavelet": {"level": 2},
    "Square": {},
    "SquareRoot": {},
    "Logarithm": {},
    "Exponential": {},
    "Gradient": {},
    "LBP2D": {},
    "LBP3D": {},
}
VARIANTS = {
    "as it is": {},
    "PyRadiomics' own example": {"normalize": True, "normalizeScale": 100, "resampledPixelSpacing": [2, 2, 2]},
    "outliers": {"normalize": True, "removeOutliers": 2, "preCrop": True, "padDistance": 10},
    "in plane": {"resampledPixelSpacing": [1.1, 1.1, 0], "force2D": True},
    "linear": {"resampledPixelSpacing": [1, 1, 3], "interpolator": "sitkLinear"},
    "resegmented": {"resegmentRange": [-1, 2], "resegmentMode": "sigma", "preCrop": True},
}


@pytest.fixture
def brain(data: Path) -> tuple[sitk.Image, sitk.Image]:
    folder = data / "pyradiomics"
    return sitk.ReadImage(str(folder / "brain1_image.nrrd")), sitk.ReadImage(str(folder / "brain1_label.nrrd"))


def test_random_cases_reach_the_feature_classes_alike() -> None:
    taken = []

    @given(case=cases())
    @tries(max_examples=600, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    def compare(case: tuple[sitk.Image, sitk.Image, RadiomicsSettings]) -> None:
        found, expected = ours(*case), theirs(*case)
        assert (found is None) == (expected is None), "one refuses what the other takes"
        if found is not None and expected is not None:
            assert_same_bits(found, expected)
            taken.append(len(found.images))

    compare()
    assert len(taken) >= 200, "too few of the random cases were regions that can be computed"


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_image_type_of_the_brain_is_the_same(
    brain: tuple[sitk.Image, sitk.Image], variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    revive_spherical_patterns(monkeypatch)
    settings = RadiomicsSettings.from_dict({"imageType": EVERY_TYPE, "setting": VARIANTS[variant]})
    found, expected = ours(*brain, settings), theirs(*brain, settings)
    assert found is not None and expected is not None
    assert list(found.images) == image_names(settings)
    assert_same_bits(found, expected)


@pytest.mark.parametrize("name", ["prime", "radscore"])
def test_a_liver_tumour_is_the_same(data: Path, name: str) -> None:
    folder = data / "ircadb17_ct"
    image = sitk.ReadImage(str(folder / "ct.nii.gz"))
    mask = sitk.ReadImage(str(folder / "livertumor1.nii.gz")) != 0
    found, expected = ours(image, mask, load_settings(name)), theirs(image, mask, load_settings(name))
    assert found is not None and expected is not None
    assert_same_bits(found, expected)


def test_a_tumour_found_by_its_threshold_is_the_same(data: Path) -> None:
    image = sitk.ReadImage(str(next((data / "hcc011_ct_2phase").glob("*acq2*"))))
    block = image[180:260, 200:280, 40:70]
    mask = (block > 60) & (block < 180)
    settings = RadiomicsSettings.from_dict({"imageType": {"Original": {}, "Wavelet": {}, "LoG": {"sigma": [2.0]}}})
    found, expected = ours(block, mask, settings), theirs(block, mask, settings)
    assert found is not None and expected is not None
    assert_same_bits(found, expected)
