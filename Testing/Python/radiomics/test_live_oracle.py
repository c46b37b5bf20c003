"""All features equal PyRadiomics' on real images, the phantom and random ones, wherever PyRadiomics is installed."""

from __future__ import annotations

import ast
import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given
from hypothesis import settings as tries
from pipeline_oracle import assert_same_features, cases, one_thread, revive_spherical_patterns

from hccoutcome.case import Case
from hccoutcome.errors import InputError
from hccoutcome.phantom import PhantomSettings, phantom_case
from hccoutcome.radiomics import pyradiomics
from hccoutcome.radiomics.extraction import extract_region
from hccoutcome.radiomics.settings import FeatureClass, RadiomicsSettings, load_settings

pytestmark = pytest.mark.skipif(not pyradiomics.is_available(), reason="PyRadiomics is not installed")

CLASSES = dict.fromkeys(("shape", "firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm"))
TYPES = {"Original": {}, "LoG": {"sigma": [2.0]}, "Wavelet": {}, "Square": {}, "Gradient": {}, "LBP2D": {}, "LBP3D": {}}
MANY_LEVELS = "as it is, many levels"
BRAIN: dict[str, dict] = {
    MANY_LEVELS: {"binWidth": 5},
    "normalised to 1 mm": {"normalize": True, "normalizeScale": 100, "resampledPixelSpacing": [1, 1, 1]},
    "weighted, two distances": {"weightingNorm": "manhattan", "distances": [1, 2], "preCrop": True},
    "in plane": {"force2D": True, "binCount": 32, "gldm_a": 2, "symmetricalGLCM": False},
    "resegmented": {"resegmentRange": [-2, 2], "resegmentMode": "sigma", "resegmentShape": True},
}


def compare(image: sitk.Image, mask: sitk.Image, settings: RadiomicsSettings) -> None:
    with one_thread():
        expected = extract_region(image, mask, settings, engine="pyradiomics")
    assert_same_features(extract_region(image, mask, settings, engine="fast"), expected)


def read(folder: Path, *names: str) -> list[sitk.Image]:
    return [sitk.ReadImage(str(folder / name)) for name in names]


@pytest.mark.parametrize("variant", BRAIN)
def test_the_brain_of_pyradiomics(data: Path, variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    revive_spherical_patterns(monkeypatch)
    image, mask = read(data / "pyradiomics", "brain1_image.nrrd", "brain1_label.nrrd")
    types = {"Original": {}, "Square": {}} if variant == MANY_LEVELS else TYPES  # PyRadiomics takes its time there
    raw = {"imageType": types, "featureClass": CLASSES, "setting": BRAIN[variant]}
    compare(image, mask, RadiomicsSettings.from_dict(raw))


@pytest.mark.parametrize("name", ["prime", "radscore", "haic-mri"])
def test_a_real_liver_tumour(data: Path, name: str) -> None:
    image, tumour = read(data / "ircadb17_ct", "ct.nii.gz", "livertumor1.nii.gz")
    compare(image, tumour != 0, load_settings(name))


def test_a_real_region_found_by_its_threshold(data: Path) -> None:
    image = read(data / "hcc011_ct_2phase", "ct_acq2.nii.gz")[0]
    mask = sitk.Image(image.GetSize(), sitk.sitkUInt8)
    mask.CopyInformation(image)
    mask[180:230, 200:250, 40:60] = sitk.Cast((image > 60) & (image < 180), sitk.sitkUInt8)[180:230, 200:250, 40:60]
    compare(image, mask, load_settings("prime"))


@pytest.fixture(scope="module")
def phantom() -> Case:
    return phantom_case(settings=PhantomSettings(spacing=(4, 4, 5)))


@pytest.mark.parametrize(("phase", "region", "name"), [("arterial", "tumor", "prime"), ("portal", "tumor", "radscore")])
def test_the_phantom(phantom: Case, phase: str, region: str, name: str) -> None:
    compare(phantom.images[phase], phantom.masks[region][0], load_settings(name))


def test_random_images_regions_and_settings() -> None:
    """Values of noise, whose features rounding does not decide; degenerate matrices have tests of their own."""
    taken = []

    @given(case=cases())
    @tries(max_examples=480, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    def check(case: tuple[sitk.Image, sitk.Image, RadiomicsSettings]) -> None:
        _, mask, settings = case
        image = noise(mask, settings)
        settings = replace(settings, classes=tuple(FeatureClass(name) for name in CLASSES))
        try:
            found = extract_region(image, mask, settings)
        except InputError:
            return
        with one_thread():
            expected = extract_region(image, mask, settings, engine="pyradiomics")
        expected = without_rounding(expected, found)
        assert_same_features(found, expected, roots=1.5e-8)
        taken.append(len(found))

    check()
    assert len(taken) >= 200, "too few of the random cases were regions that can be computed"


def without_rounding(expected: dict[str, float], found: dict[str, float]) -> dict[str, float]:
    """Return PyRadiomics' values with ours where its own have no meaning; the documentation lists both cases."""
    mended = dict(expected)
    for name, value in expected.items():
        image, group, feature = name.split("_")
        divided_by_rounding = (group, feature) == ("ngtdm", "Busyness") and value > 1e12
        counted = {"glcm": "JointEnergy", "glrlm": "RunPercentage"}.get(group)
        nothing_to_count = counted is not None and np.isnan(expected[f"{image}_{group}_{counted}"])
        if divided_by_rounding or nothing_to_count:
            mended[name] = found[name]
    return mended


def noise(mask: sitk.Image, settings: RadiomicsSettings) -> sitk.Image:
    """Return noise around 40 on the grid of a mask, from the seed that the settings' hash gives."""
    rng = np.random.default_rng(int(settings.sha256()[:8], 16))
    image = sitk.GetImageFromArray(rng.normal(40, 60, mask.GetSize()[::-1]))
    image.CopyInformation(mask)
    return image


def baseline(folder: Path, name: str) -> dict[str, dict[str, str]]:
    """Return PyRadiomics' own baseline of a class: values and settings as text, by case and row name."""
    with (folder / "pyradiomics" / "baseline" / f"baseline_{name}.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return {case: {row[0]: row[column] for row in rows} for column, case in enumerate(header) if column}


PUBLISHED = ("", "_2d", "_FBN", "_combined", "_flatRegion", "_normalization", "_resampling", "_resegmentation")


@pytest.mark.parametrize("variant", PUBLISHED)
def test_the_published_values_of_pyradiomics(data: Path, variant: str) -> None:
    """The baseline that PyRadiomics tests itself with (2018, with numpy 1.14 and SimpleITK 0.9)."""
    image, mask = read(data / "pyradiomics", "brain1_image.nrrd", "brain1_label.nrrd")
    checked = 0
    for name in CLASSES:
        published = baseline(data, name).get(f"brain1{variant}", {})
        if not published:
            continue
        values = ast.literal_eval(published["diagnostics_Configuration_Settings"])
        settings = RadiomicsSettings.from_dict({"featureClass": {name: None}, "setting": values})
        older_mesh = name == "shape" and published["diagnostics_Versions_PyRadiomics"].startswith("2.0")
        for feature, value in extract_region(image, mask, settings).items():
            assert value == pytest.approx(float(published[feature]), rel=1e-3 if older_mesh else 1e-11), feature
            checked += 1
    assert checked >= 40
