"""Parameter files: all that PyRadiomics reads is read, all else is refused with a sentence that helps."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hccoutcome.errors import InputError
from hccoutcome.radiomics import pyradiomics
from hccoutcome.radiomics.imagetypes import image_names
from hccoutcome.radiomics.parameters import FIELDS, VOXEL_KEYS, Parameters
from hccoutcome.radiomics.settings import (
    CLASSES,
    IMAGE_TYPES,
    RadiomicsSettings,
    default_features,
    load_settings,
)

EXAMPLE = """
imageType:
  Original: {}
  LoG:
    sigma: [1, 2.5]
    binWidth: 10
featureClass:
  shape:
  firstorder: []
  glcm:
    - 'JointEnergy'
    - Contrast
setting:
  geometryTolerance: 1e-3
  interpolator: 'sitkBSpline'  # a comment
  resampledPixelSpacing: [2, 2, 0]
  normalize: true
  resegmentRange: [-3, 3]
  resegmentMode: sigma
voxelSetting:
  kernelRadius: 2
  initValue: nan
"""

# Values that PyRadiomics' schema takes or refuses, by key.
VALUES: dict[str, tuple[list[Any], list[Any]]] = {
    "minimumROIDimensions": ([1, 3], [0, 4, 1.5, "two", True]),
    "minimumROISize": ([1, None], [0, -3, 2.5]),
    "geometryTolerance": ([1e-3, 1, None], [0, -1.0, "loose"]),
    "correctMask": ([True, False, None], [1, "yes"]),
    "label": ([1, 255], [0, -1, 1.0]),
    "label_channel": ([0, 3], [-1, "first"]),
    "binWidth": ([25, 0.1], [0, -5, "wide", True]),
    "binCount": ([16, None], [0, 2.5]),
    "normalizeScale": ([100, 0.5], [0]),
    "removeOutliers": ([3, 2.5, None], [0, "3 sigma"]),
    "resampledPixelSpacing": ([[1, 1, 1], [0, 0.5, 2], None], [[-1, 1, 1], 1, ["a", 1, 1]]),
    "interpolator": (["sitkLinear", 3, None], ["linear", 11, 0, 2.5]),
    "padDistance": ([0, 10], [-1, 2.5]),
    "distances": ([[1], [1, 2]], [[0], 1, [1.5]]),
    "force2Ddimension": ([0, 2], [3, -1]),
    "resegmentMode": (["relative"], ["range"]),
    "sigma": ([[1, 2.5]], [[0], 2.0, ["big"]]),
    "start_level": ([0, 2], [-1]),
    "level": ([1], [0]),
    "wavelet": (["db4", "bior2.2"], ["coif99", 4]),
    "lbp2DMethod": (["ror"], ["nri_uniform"]),
    "lbp3DIcosphereSubdivision": ([0, 2], [-1]),
    "voxelArrayShift": ([-1000, 300], [2.5]),
    "weightingNorm": (["euclidean", None], ["cosine", 2]),
    "gldm_a": ([0, 2], [-1]),
}
ACCEPTED = [(key, value) for key, (good, _) in VALUES.items() for value in good]
REFUSED = [(key, value) for key, (_, wrong) in VALUES.items() for value in wrong]


def from_yaml(folder: Path, text: str) -> RadiomicsSettings:
    path = folder / "parameters.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def pyradiomics_accepts(parameters: dict[str, Any]) -> bool:
    """Ask PyRadiomics' own schema; skip where PyRadiomics is not installed."""
    with pyradiomics._silence():
        featureextractor = pytest.importorskip("radiomics.featureextractor", reason="PyRadiomics is not installed")
        try:
            with pyradiomics._tolerance(featureextractor):
                featureextractor.RadiomicsFeatureExtractor(parameters)
        except Exception:  # the schema library raises errors of many kinds
            return False
    return True


def test_an_example_is_read_as_it_stands(tmp_path: Path) -> None:
    settings = from_yaml(tmp_path, EXAMPLE)
    values = settings.parameters
    assert values.geometry_tolerance == 1e-3
    assert values.resampled_pixel_spacing == (2, 2, 0)
    assert values.kernel_radius == 2
    assert values.init_value != values.init_value, "nan is a number that is not itself"
    assert [group.name for group in settings.classes] == ["shape", "firstorder", "glcm"]
    assert settings.classes[2].features == ("JointEnergy", "Contrast")
    assert len(settings.classes[1].features) == 18
    laplacian = settings.image_types[1]
    assert settings.parameters_for(laplacian).bin_width == 10
    assert settings.parameters.bin_width == 25
    assert image_names(settings) == ["original", "log-sigma-1-mm-3D", "log-sigma-2-5-mm-3D"]


def test_json_gives_the_same_settings_as_yaml(tmp_path: Path) -> None:
    raw = {"imageType": {"Wavelet": {"wavelet": "haar"}}, "setting": {"binWidth": 10, "label": 2}}
    (tmp_path / "p.json").write_text(json.dumps(raw), encoding="utf-8")
    assert load_settings(tmp_path / "p.json") == RadiomicsSettings.from_dict(raw)


def test_an_empty_section_means_pyradiomics_defaults() -> None:
    settings = RadiomicsSettings.from_dict({"setting": {"binWidth": 5}})
    assert [kind.name for kind in settings.image_types] == ["Original"]
    assert [group.name for group in settings.classes] == list(CLASSES)


@pytest.mark.parametrize(
    ("name", "images", "features"), [("prime", 10, 944), ("radscore", 12, 1130), ("haic-mri", 1, 107)]
)
def test_the_shipped_files_ask_for_the_published_numbers_of_features(name: str, images: int, features: int) -> None:
    settings = load_settings(name)
    names = image_names(settings)
    per_image = sum(len(group.features) for group in settings.classes if group.name != "shape")
    assert len(names) == images
    assert len(default_features("shape")) + images * per_image == features


@pytest.mark.parametrize("name", ["prime", "radscore", "haic-mri"])
def test_pyradiomics_reads_the_shipped_files_alike(name: str) -> None:
    settings = load_settings(name)
    with pyradiomics._silence():
        featureextractor = pytest.importorskip("radiomics.featureextractor", reason="PyRadiomics is not installed")
        from hccoutcome.resources import resource

        theirs = featureextractor.RadiomicsFeatureExtractor(str(resource("Parameters", f"{name}.yaml")))
    ours = settings.to_dict()["setting"]
    assert {key: ours[key] for key in theirs.settings} == theirs.settings
    assert list(theirs.enabledImagetypes) == [kind.name for kind in settings.image_types]
    assert list(theirs.enabledFeatures) == [group.name for group in settings.classes]


@pytest.mark.parametrize(("key", "value"), ACCEPTED)
def test_what_pyradiomics_takes_is_taken(key: str, value: Any) -> None:
    RadiomicsSettings.from_dict({"setting": {key: value}})
    assert pyradiomics_accepts({"setting": {key: value}})


@pytest.mark.parametrize(("key", "value"), REFUSED)
def test_what_pyradiomics_refuses_is_refused_by_key_and_value(key: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"'{key}' in 'setting' expects .*, found ") as caught:
        RadiomicsSettings.from_dict({"setting": {key: value}})
    assert repr(value) in str(caught.value)
    assert not pyradiomics_accepts({"setting": {key: value}})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("resegmentRange", [1, 2, 3]),
        ("wavelet", "gaus1"),
        ("binWidth", float("inf")),
        ("binWidth", None),
        ("label", None),
        ("resampledPixelSpacing", [1]),
        ("distances", []),
        ("distances", None),
    ],
)
def test_values_that_would_fail_only_later_are_refused_at_once(key: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"'{key}' in 'setting' expects "):
        RadiomicsSettings.from_dict({"setting": {key: value}})


@pytest.mark.parametrize("distances", [(), (0,), (-1,), (1.5,), (True,), 1])
def test_distances_are_refused_wherever_they_come_from(distances: Any) -> None:
    message = "'distances' in '.*' expects a list of one distance or more.*, found "
    with pytest.raises(InputError, match=message):
        RadiomicsSettings.from_dict({"imageType": {"Original": {"distances": distances}}})
    with pytest.raises(InputError, match=message):
        RadiomicsSettings().with_values(distances=distances)
    with pytest.raises(InputError, match=message):
        Parameters(distances=distances)
    with pytest.raises(InputError, match=message):
        replace(Parameters(), distances=distances)


def test_values_are_checked_and_kept_alike_without_a_file() -> None:
    assert Parameters(interpolator=3, sigma=[1.0]) == Parameters(interpolator="sitkBSpline", sigma=(1.0,))
    with pytest.raises(InputError, match="'binWidth' in 'Parameters' expects a number above 0, found -5: correct"):
        Parameters(bin_width=-5)


def test_an_empty_bin_width_is_taken_beside_a_bin_count_as_in_pyradiomics() -> None:
    settings = RadiomicsSettings.from_dict({"setting": {"binWidth": None, "binCount": 16}})
    assert settings.parameters.bin_count == 16


@pytest.mark.parametrize(
    ("text", "lenient"),
    [
        ("setting:", RadiomicsSettings().to_dict()),
        ("imageType:\n  Original:", RadiomicsSettings().to_dict()),
        ("setting: {binWidth: '12.5'}", RadiomicsSettings().with_values(binWidth=12.5).to_dict()),
        ("setting: {interpolator: 3}", RadiomicsSettings().to_dict()),
        ("setting: {force2D: }", RadiomicsSettings().to_dict()),
    ],
)
def test_what_is_taken_although_pyradiomics_stops_there(tmp_path: Path, text: str, lenient: dict) -> None:
    """The cases that the documentation lists; PyRadiomics' schema, or its code on a real image, refuses them."""
    found = from_yaml(tmp_path, f"{text}\nfeatureClass: {{firstorder: }}\n").to_dict()
    assert {**found, "featureClass": lenient["featureClass"]} == lenient


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"setting": {"binwidth": 5}}, r"PyRadiomics knows no key 'binwidth' in 'setting': did you mean 'binWidth'\?"),
        ({"setting": {"kernelRadius": 2}}, "'kernelRadius' stands in the section 'voxelSetting', found in 'setting'"),
        ({"settings": {}}, r"A parameter file has no section 'settings': did you mean 'setting'\?"),
        ({"imageType": {"Wavelets": {}}}, r"PyRadiomics knows no image type 'Wavelets': did you mean 'Wavelet'\?"),
        ({"imageType": {"LoG": {"sigmas": [1]}}}, r"no key 'sigmas' in 'imageType: LoG': did you mean 'sigma'\?"),
        ({"featureClass": {"GLCM": []}}, "PyRadiomics knows no feature class 'GLCM'"),
        ({"featureClass": {"glcm": ["Energie"]}}, "The class 'glcm' has no feature 'Energie': "),
        ({"featureClass": {"glcm": "Contrast"}}, "The class 'glcm' takes a list of features, found 'Contrast'"),
        ({"setting": ["binWidth"]}, "The section 'setting' holds keys and values"),
        ({}, "A parameter file holds the sections imageType, featureClass, setting, voxelSetting, found"),
    ],
)
def test_errors_name_the_nearest_word(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RadiomicsSettings.from_dict(raw)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.txt", "setting: {}", "A parameter file ends with .yaml, .yml or .json, found 'p.txt'"),
        ("p.yaml", "setting: {binWidth: 5", "The parameter file 'p.yaml' cannot be read"),
        ("p.yaml", "setting: {binWidth: 5}\nsetting: {}", "the key 'setting' stands twice"),
        ("p.json", "{'setting': 1}", "The parameter file 'p.json' cannot be read"),
    ],
)
def test_unreadable_files_are_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_settings(tmp_path / name)


def test_an_unknown_name_is_answered_with_the_shipped_ones() -> None:
    with pytest.raises(InputError, match=r"There is no parameter file 'prim': .*did you mean 'prime'\?"):
        load_settings("prim")


def test_yaml_is_read_as_version_1_2_like_pyradiomics_does(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'normalize' in 'setting' expects true or false, found 'on'"):
        from_yaml(tmp_path, "setting: {normalize: on}")
    assert from_yaml(tmp_path, "setting: {binWidth: 010}").parameters.bin_width == 10


SHARED = "setting: &base {binWidth: 10, label: 2}\nimageType:\n"
VERSIONS = {
    "merged": SHARED + "  LoG: {<<: *base, sigma: [2.0]}\n",
    "merged, one overridden": SHARED
    + "  LoG:\n    <<: *base\n    binWidth: 5\n    sigma: &s [2.0]\n  Wavelet: {sigma: *s}",
    "two merged": SHARED + "  LoG: &log {<<: *base, sigma: [2.0], binWidth: 7}\n  Wavelet: {<<: [*log, *base]}\n",
    "image types merged": "imageType: {<<: {Wavelet: {}, Square: {}}, Original: {}}\n",
    "version 1.1": "%YAML 1.1\n---\nsetting: {normalize: on, preCrop: y, force2D: NO, label: 010, removeOutliers: 1.5}",
    "version 1.1, merged": "# a comment\n%YAML 1.1\n--- \n" + SHARED + "  LoG: {<<: *base, geometryTolerance: 1e-3}\n",
    "version 1.2": "%YAML 1.2\n---\nsetting: {binWidth: 1e1, label: 010, label_channel: 0b11}\n",
}


@pytest.mark.parametrize("name", VERSIONS)
def test_anchors_merges_and_versions_are_read_as_pyradiomics_reads_them(tmp_path: Path, name: str) -> None:
    settings = from_yaml(tmp_path, VERSIONS[name])
    with pyradiomics._silence():
        featureextractor = pytest.importorskip("radiomics.featureextractor", reason="PyRadiomics is not installed")
        with pyradiomics._tolerance(featureextractor):
            theirs = featureextractor.RadiomicsFeatureExtractor(str(tmp_path / "parameters.yaml"))
    ours = settings.to_dict()
    assert {key: ours["setting"][key] for key in theirs.settings} == theirs.settings
    assert list(ours["imageType"]) == list(theirs.enabledImagetypes)
    assert ours["imageType"] == theirs.enabledImagetypes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("%YAML 1.3\n---\nsetting: {}", r"A parameter file is in YAML 1\.1 or 1\.2, found %YAML 1\.3: state"),
        ("setting: {<<: {label: 2}, <<: {label: 3}}", "the key '<<' stands twice"),
        ("setting: {<<: [5]}", "expected a mapping for merging, but found scalar"),
        ("setting: {'<<': {label: 2}}", "PyRadiomics knows no key '<<' in 'setting'"),
        (
            "\n".join(["a0: &a0 {label: 2}", *(f"a{k}: &a{k} {{<<: [{f'*a{k - 1}, ' * 40}]}}" for k in range(1, 9))]),
            "more than 1000 keys",
        ),
    ],
    ids=["version", "merged twice", "no mapping", "quoted", "growing without end"],
)
def test_what_is_wrong_with_versions_and_merges_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_yaml(tmp_path, text)


@pytest.mark.parametrize("name", ["prime", "radscore", "haic-mri"])
def test_settings_survive_the_way_through_their_dictionary(name: str) -> None:
    settings = load_settings(name)
    assert RadiomicsSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_the_hash_tells_settings_apart_and_ignores_the_order_of_keys() -> None:
    first = RadiomicsSettings.from_dict({"setting": {"binWidth": 5, "label": 2}})
    again = RadiomicsSettings.from_dict({"setting": {"label": 2, "binWidth": 5}})
    assert first.sha256() == again.sha256()
    assert first.sha256() != first.with_values(padDistance=6).sha256()


def test_every_key_and_feature_of_pyradiomics_is_known() -> None:
    with pyradiomics._silence():
        radiomics = pytest.importorskip("radiomics", reason="PyRadiomics is not installed")
    import yaml

    schema = yaml.safe_load(Path(radiomics.getParameterValidationFiles()[0]).read_text(encoding="utf-8"))["mapping"]
    assert set(schema["setting"]["mapping"]) | set(schema["voxelSetting"]["mapping"]) == set(FIELDS)
    assert set(schema["voxelSetting"]["mapping"]) == set(VOXEL_KEYS)
    assert sorted(radiomics.getImageTypes()) == sorted(IMAGE_TYPES)
    assert list(radiomics.getFeatureClasses()) == list(CLASSES)
    for name, feature_class in radiomics.getFeatureClasses().items():
        theirs = [feature for feature, retired in feature_class.getFeatureNames().items() if not retired]
        assert list(default_features(name)) == theirs, name


def test_reading_settings_loads_nothing_heavy() -> None:
    code = (
        "import sys, hccoutcome.radiomics.settings as s; s.load_settings('prime').sha256(); "
        "print([name for name in ('numba', 'scipy', 'SimpleITK', 'pywt') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
