"""Extraction: engines, names, threads, progress, provenance."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from pipeline_oracle import assert_same_features
from stored_cases import case

from hccoutcome.errors import Cancelled, EnvironmentNeeded, InputError
from hccoutcome.radiomics import pyradiomics
from hccoutcome.radiomics.extraction import extract, extract_region, provenance
from hccoutcome.radiomics.imagetypes import image_names
from hccoutcome.radiomics.settings import FeatureClass, RadiomicsSettings

needs_pyradiomics = pytest.mark.skipif(not pyradiomics.is_available(), reason="PyRadiomics is not installed")


@pytest.fixture
def small() -> tuple[sitk.Image, sitk.Image, RadiomicsSettings]:
    """The synthetic case with three images and two classes."""
    image, mask, settings = case("weights and distances")
    return image, mask, replace(settings, classes=(FeatureClass("firstorder"), FeatureClass("glszm")))


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_the_number_of_threads_changes_no_bit(workers: int) -> None:
    image, mask, settings = case("every image type")
    alone = extract_region(image, mask, settings)
    together = extract_region(image, mask, settings, workers=workers)
    assert list(alone.items()) == list(together.items())


def test_auto_stands_for_the_fast_engine(small: tuple[sitk.Image, sitk.Image, RadiomicsSettings]) -> None:
    assert extract_region(*small, engine="auto") == extract_region(*small, engine="fast")


def test_an_unknown_engine_is_answered_with_the_known_ones(
    small: tuple[sitk.Image, sitk.Image, RadiomicsSettings],
) -> None:
    with pytest.raises(InputError, match=r"There is no radiomics engine 'quick': .*Known: auto, fast, pyradiomics"):
        extract_region(*small, engine="quick")


@needs_pyradiomics
@pytest.mark.parametrize("name", ["prime", "one slice", "weights and distances", "label two, in the plane of y"])
def test_both_engines_agree(name: str) -> None:
    fast, theirs = (extract_region(*case(name), engine=engine) for engine in ("fast", "pyradiomics"))
    assert_same_features(fast, theirs)


@needs_pyradiomics
@pytest.mark.parametrize("method", ["default", "ror"])
def test_patterns_up_to_255_in_8_bits_get_the_bins_that_they_get_in_16(method: str) -> None:
    """PyRadiomics' bin edges overflow where an 8-bit image ends; the patterns themselves are the same."""
    rng = np.random.default_rng(0)
    narrow = sitk.GetImageFromArray(rng.integers(0, 100, (6, 9, 10)).astype(np.uint8))
    mask = sitk.GetImageFromArray(np.pad(np.ones((4, 6, 7), np.uint8), ((1, 1), (1, 2), (2, 1))))
    settings = RadiomicsSettings.from_dict(
        {
            "imageType": {"LBP2D": {"lbp2DMethod": method}},
            "featureClass": {"firstorder": ["Minimum", "Mean", "Maximum", "Entropy"], "glcm": []},
        }
    )
    found = extract_region(narrow, mask, settings)
    wide = extract_region(sitk.Cast(narrow, sitk.sitkInt16), mask, settings, engine="pyradiomics")
    assert_same_features(found, wide)
    theirs = extract_region(narrow, mask, settings, engine="pyradiomics")
    for feature in ("Minimum", "Mean", "Maximum"):
        assert theirs[f"lbp-2D_firstorder_{feature}"] == pytest.approx(found[f"lbp-2D_firstorder_{feature}"])
    assert theirs["lbp-2D_firstorder_Entropy"] < 0.5 * found["lbp-2D_firstorder_Entropy"], "nearly all in one bin"


@needs_pyradiomics
@pytest.mark.parametrize("distances", [[1, 1], [2, 2], [1, 2, 1], [2, 1, 2], [1, 1, 1]])
@pytest.mark.parametrize("symmetrical", [True, False])
def test_a_distance_given_twice_counts_as_in_pyradiomics(distances: list[int], symmetrical: bool) -> None:
    image, mask, settings = case("weights and distances")
    settings = settings.with_values(distances=distances, symmetricalGLCM=symmetrical, weightingNorm=None)
    settings = replace(settings, classes=tuple(FeatureClass(name) for name in ("glcm", "gldm", "ngtdm")))
    found = extract_region(image, mask, settings)
    assert_same_features(found, extract_region(image, mask, settings, engine="pyradiomics"))
    once = extract_region(image, mask, settings.with_values(distances=sorted(set(distances))))
    name = next(name for name in found if name.endswith("gldm_LargeDependenceEmphasis"))
    assert found[name] != pytest.approx(once[name]), "dependences count such a neighbour twice"


@needs_pyradiomics
def test_pyradiomics_stays_silent_and_leaves_simpleitk_as_it_was(
    small: tuple[sitk.Image, sitk.Image, RadiomicsSettings], capfd: pytest.CaptureFixture[str]
) -> None:
    image, mask, settings = small
    mask.SetOrigin([value + 0.01 for value in mask.GetOrigin()])
    settings = settings.with_values(geometryTolerance=0.5, binCount=8)
    before = sitk.ProcessObject.GetGlobalDefaultCoordinateTolerance()
    level = logging.getLogger("radiomics").level
    first = extract_region(image, mask, settings, engine="pyradiomics")
    assert first == extract_region(image, mask, settings, engine="pyradiomics"), "the tolerance holds a second time"
    assert sitk.ProcessObject.GetGlobalDefaultCoordinateTolerance() == before
    assert logging.getLogger("radiomics").level in (level, logging.INFO)
    assert capfd.readouterr() == ("", "")


def test_without_pyradiomics_its_engine_names_the_one_step(
    small: tuple[sitk.Image, sitk.Image, RadiomicsSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyradiomics, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentNeeded, match="'radiomics', which is not installed: install the extension Slicer"):
        extract_region(*small, engine="pyradiomics")


@needs_pyradiomics
def test_an_image_type_that_pyradiomics_would_drop_in_silence_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    image, mask, settings = case("every image type")
    monkeypatch.setattr(pyradiomics, "_has_spherical_harmonics", lambda: False)
    with pytest.raises(EnvironmentNeeded, match=r"needs trimesh and SciPy before 1\.17 for the image type LBP3D"):
        extract_region(image, mask, settings, engine="pyradiomics")


def test_phases_and_regions_stand_before_the_name(small: tuple[sitk.Image, sitk.Image, RadiomicsSettings]) -> None:
    image, mask, settings = small
    other = mask == 2
    masks = {"tumor": {"arterial": mask, "portal": mask}, "liver": {"portal": other}}
    found = extract({"arterial": image, "portal": image * 2}, masks, settings)
    prefixes = list(dict.fromkeys("_".join(name.split("_")[:2]) for name in found))
    assert prefixes == ["arterial_tumor", "portal_tumor", "portal_liver"]
    alone = extract_region(image * 2, other, settings)
    assert {name: found[f"portal_liver_{name}"] for name in alone} == alone


def test_a_mask_without_its_image_is_refused(small: tuple[sitk.Image, sitk.Image, RadiomicsSettings]) -> None:
    image, mask, settings = small
    with pytest.raises(
        InputError, match="The mask 'tumor' belongs to phase 'portal', which has no image: add the image"
    ):
        extract({"arterial": image}, {"tumor": {"portal": mask}}, settings)


def test_progress_rises_to_one_and_names_what_is_done(
    small: tuple[sitk.Image, sitk.Image, RadiomicsSettings],
) -> None:
    image, mask, settings = small
    heard: list[tuple[float, str]] = []
    masks = {"tumor": {"arterial": mask}, "liver": {"arterial": mask}}
    extract({"arterial": image}, masks, settings, progress=lambda fraction, message: heard.append((fraction, message)))
    fractions = [fraction for fraction, _ in heard]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert {message for _, message in heard} == {"Computes features of original", "Computes features of gradient"}


@pytest.mark.parametrize("workers", [1, 2])
def test_the_work_stops_where_progress_says_so(workers: int) -> None:
    image, mask, settings = case("prime")
    heard: list[str] = []

    def stop(fraction: float, message: str) -> None:
        heard.append(message)
        if len(heard) == 2:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        extract_region(image, mask, settings, progress=stop, workers=workers)
    assert len(heard) == 2


def test_shape_in_two_dimensions_wants_one_slice() -> None:
    image, _, settings = case("one slice")
    thick = case("every image type")[1]
    with pytest.raises(InputError, match=r"shape2D describes one slice, found 11 along axis 0 of \(z, y, x\)"):
        extract_region(image, thick, settings)


def test_texture_wants_a_neighbour() -> None:
    image, _, settings = case("one slice")
    labels = np.zeros((14, 22, 24), np.uint8)
    labels[2:9, 5, 5] = 1
    line = sitk.GetImageFromArray(labels)
    line.CopyInformation(image)
    settings = replace(settings, classes=(FeatureClass("glcm"),)).with_values(minimumROIDimensions=1)
    with pytest.raises(InputError, match=r"Texture needs neighbours 1 voxel.* region that extends over 1 voxel"):
        extract_region(image, line, settings)
    assert extract_region(image, line, settings.with_values(force2D=False))["original_glcm_JointEntropy"] >= 0


def test_a_filter_without_a_finite_value_is_refused() -> None:
    image = sitk.Image(6, 6, 6, sitk.sitkInt16)
    mask = sitk.Image(6, 6, 6, sitk.sitkUInt8)
    mask[1:4, 1:4, 1:4] = 1
    settings = RadiomicsSettings.from_dict({"imageType": {"Square": {}}})
    with pytest.raises(InputError, match="The image type square must be defined in the whole region, found 27 voxels"):
        extract_region(image, mask, settings)


def test_small_types_do_not_overflow_when_they_are_binned() -> None:
    """The top bin of 0..255 lies beyond what eight bits hold; PyRadiomics makes one bin of the whole region there."""
    values = np.random.default_rng(0).integers(0, 256, (6, 6, 6))
    mask = sitk.Image(6, 6, 6, sitk.sitkUInt8)
    mask[0:5, 0:6, 0:6] = 1
    settings = replace(RadiomicsSettings(), classes=(FeatureClass("firstorder"), FeatureClass("glcm")))
    small, wide = (extract_region(sitk.GetImageFromArray(values.astype(kind)), mask, settings) for kind in ("u1", "i4"))
    assert small == wide
    assert small["original_firstorder_Entropy"] > 3


def test_the_image_names_are_known_before_the_work() -> None:
    image, mask, settings = case("every image type")
    found = extract_region(image, mask, replace(settings, classes=(FeatureClass("ngtdm"),)))
    assert list(dict.fromkeys(name.split("_")[0] for name in found)) == image_names(settings)


def test_provenance_says_what_determined_the_values() -> None:
    settings = case("prime")[2]
    record = provenance(settings)
    assert record["engine"] == "fast" and record["settings_sha256"] == settings.sha256()
    assert {"numpy", "SimpleITK", "PyWavelets", "numba"} <= set(record["packages"])
    assert RadiomicsSettings.from_dict(json.loads(json.dumps(record))["settings"]) == settings
