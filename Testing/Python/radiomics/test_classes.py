"""What holds for all texture classes: crop, threads, settings, the table of features, and IBSI's digital phantom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.radiomics.classes import TextureSettings, compute_first_order, compute_shape, compute_texture
from hccoutcome.radiomics.features import DEVIATES, FEATURES, RETIRED, TEXTURE_CLASSES


@pytest.fixture(scope="module")
def levels() -> np.ndarray:
    rng = np.random.default_rng(2)
    return rng.integers(1, 9, (9, 10, 11)) * (rng.random((9, 10, 11)) < 0.8)


def test_empty_space_around_the_region_changes_nothing(levels: np.ndarray) -> None:
    wide = np.pad(levels, ((3, 0), (1, 4), (0, 7)))
    assert compute_texture(wide, TEXTURE_CLASSES) == compute_texture(levels, TEXTURE_CLASSES)


def test_levels_that_do_not_occur_change_no_run_or_zone_count(levels: np.ndarray) -> None:
    sparse = compute_texture(levels * 1000, TEXTURE_CLASSES)
    dense = compute_texture(levels, TEXTURE_CLASSES)
    for name, feature in (
        ("glrlm", "RunPercentage"),
        ("glszm", "ZoneEntropy"),
        ("glcm", "JointEntropy"),
        ("glcm", "MCC"),
    ):
        assert sparse[name][feature] == pytest.approx(dense[name][feature], rel=1e-12)


def test_the_number_of_threads_does_not_change_a_bit(levels: np.ndarray) -> None:
    alone = compute_texture(levels, TEXTURE_CLASSES)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: compute_texture(levels, TEXTURE_CLASSES), range(16)))
    assert all(values == alone for values in together)


def test_every_class_gives_the_features_of_the_table(levels: np.ndarray) -> None:
    found = compute_texture(levels, TEXTURE_CLASSES)
    assert {name: set(values) for name, values in found.items()} == {c: set(FEATURES[c]) for c in TEXTURE_CLASSES}
    assert set(compute_shape(levels > 0, (1, 1, 1))) == set(FEATURES["shape"])


def test_the_table_holds_what_pyradiomics_knows() -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        radiomics = pytest.importorskip("radiomics", reason="PyRadiomics, the oracle, is not installed")
    for name, extractor in radiomics.getFeatureClasses().items():
        known = extractor.getFeatureNames()
        retired = RETIRED.get(name, {})
        assert set(known) == set(FEATURES[name]) | set(retired)
        assert {feature for feature, off in known.items() if not off} == {
            feature for feature, entry in FEATURES[name].items() if entry.on_by_default
        }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weighting_norm": "euclid"}, "weightingNorm 'euclid' is unknown: did you mean 'euclidean'"),
        ({"distances": ()}, r"distances must be whole numbers from 1 up, found \[\]"),
        ({"distances": (0, 1)}, r"distances must be whole numbers from 1 up, found \[0, 1\]"),
        ({"force_2d_dimension": 3}, "force2Ddimension must be 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TextureSettings(**settings)


def test_an_unknown_class_is_refused_with_the_nearest_name(levels: np.ndarray) -> None:
    with pytest.raises(InputError, match="'glcmm' is no texture class: did you mean 'glcm'"):
        compute_texture(levels, ["glcmm"])


def test_an_empty_region_is_refused() -> None:
    with pytest.raises(InputError, match="the region holds no voxel"):
        compute_texture(np.zeros((2, 2, 2), np.int32), ["glcm"])


def test_more_levels_than_the_grid_can_index_are_refused() -> None:
    with pytest.raises(InputError, match="the region holds 65536 grey levels, at most 65535 fit: use wider bins"):
        compute_texture(np.arange(1, 65537).reshape(64, 32, 32), ["ngtdm"])


def test_the_digital_phantom_of_ibsi_has_the_reference_values(data: Path) -> None:
    folder = data / "ibsi" / "ibsi_1_digital_phantom"
    image = sitk.ReadImage(str(folder / "phantom.nii.gz"))
    values = sitk.GetArrayFromImage(image).astype(np.int64)
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "mask.nii.gz"))) > 0
    spacing = image.GetSpacing()[::-1]
    found = compute_texture(values * mask, TEXTURE_CLASSES)
    found["firstorder"] = compute_first_order(values[mask], values[mask], float(np.prod(spacing)))
    found["shape"] = compute_shape(mask, spacing)
    table = data / "ibsi" / "reference_values" / "ibsi_1_dig_phantom.csv"
    rows = [line.split(";") for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    reference = {tag: (float(value), float(tolerance)) for value, tolerance, tag in rows if value}
    suffix = {"glcm": "_3D_avg", "glrlm": "_3D_avg", "gldm": "_3D", "glszm": "_3D", "ngtdm": "_3D"}
    compared, missed = 0, {}
    for name, features in FEATURES.items():
        for feature, entry in features.items():
            tag = f"{entry.ibsi}{suffix.get(name, '')}"
            if name not in found or tag not in reference or feature in DEVIATES.get(name, {}):
                continue
            value, tolerance = reference[tag]
            third_digit = 10.0 ** (int(f"{value:.2e}".split("e")[1]) - 2)
            compared += 1
            if abs(found[name][feature] - value) > tolerance + 0.51 * third_digit:
                missed[name, feature] = (found[name][feature], value)
    assert not missed
    assert compared > 85
