"""``hcc maps`` as its users meet it: PyRadiomics' values through the whole way, files, answers and refusals."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from hccoutcome.cli import main
from hccoutcome.files import sha256_of

RELATIVE, ABSOLUTE = 1e-9, 1e-11
FEATURES = {
    "firstorder": ["Mean", "Entropy", "Skewness", "90Percentile"],
    "glcm": ["Contrast", "Correlation", "ClusterProminence", "Imc1", "SumEntropy"],
    "gldm": ["DependenceEntropy", "LargeDependenceHighGrayLevelEmphasis"],
    "glrlm": ["RunEntropy", "LongRunEmphasis"],
    "glszm": ["ZoneEntropy", "SmallAreaEmphasis"],
    "ngtdm": ["Busyness", "Complexity"],
}
PARAMETERS = {
    "as it is": {"binWidth": 12},
    "resampled and normalised": {
        "binCount": 16,
        "normalize": True,
        "normalizeScale": 100,
        "removeOutliers": 3,
        "resampledPixelSpacing": [2, 2, 2],
        "interpolator": "sitkLinear",
        "padDistance": 7,
    },
    "slices, resegmented": {"binWidth": 12, "force2D": True, "weightingNorm": "euclidean", "resegmentRange": [40, 110]},
}


@pytest.fixture(scope="module")
def region(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the portal image and a small ball in the tumour."""
    image = phantom / "portal.nii.gz"
    mask = sitk.ReadImage(str(phantom / "tumor-mask.nii.gz"))
    places = np.argwhere(sitk.GetArrayViewFromImage(mask))
    middle = places[np.linalg.norm(places - places.mean(axis=0), axis=1).argmin()]
    grid = np.stack(np.meshgrid(*map(np.arange, sitk.GetArrayViewFromImage(mask).shape), indexing="ij"), axis=-1)
    small = sitk.GetImageFromArray((np.linalg.norm(grid - middle, axis=-1) <= 3.5).astype(np.uint8))
    small.CopyInformation(mask)
    path = tmp_path_factory.mktemp("region") / "small.nii.gz"
    sitk.WriteImage(small, str(path))
    return image, path


@pytest.fixture(scope="module")
def two_maps(region: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Map two features with the default settings; return the folder."""
    folder = tmp_path_factory.mktemp("maps")
    assert (
        main([*words(region, folder), "--feature", "glcm_Contrast", "firstorder_Mean", "--scene", "--threads", "1"])
        == 0
    )
    return folder


def words(region: tuple[Path, Path], folder: Path) -> list[str]:
    return ["maps", "--image", f"portal={region[0]}", "--mask", f"tumor={region[1]}", "--out", str(folder)]


def pyradiomics_maps(region: tuple[Path, Path], parameters: Path) -> dict[str, sitk.Image]:
    """Return what PyRadiomics' voxel-based mode makes of the same files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        extraction = pytest.importorskip(
            "radiomics.featureextractor", reason="PyRadiomics is not installed: make oracle"
        )
        logging.getLogger("radiomics").setLevel(logging.CRITICAL + 1)
        found = extraction.RadiomicsFeatureExtractor(str(parameters)).execute(*map(str, region), voxelBased=True)
    return {name: value for name, value in found.items() if isinstance(value, sitk.Image)}


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("case", PARAMETERS)
def test_maps_equal_those_of_pyradiomics(region, tmp_path: Path, case: str, masked: bool) -> None:
    filters = {"LoG": {"sigma": [3]}, "Gradient": {}} if case == "as it is" else {}
    content = {
        "imageType": {"Original": {}, **filters},
        "featureClass": FEATURES,
        "setting": PARAMETERS[case],
        "voxelSetting": {"kernelRadius": 2, "maskedKernel": masked, "voxelBatch": 200},
    }
    parameters = tmp_path / "parameters.json"
    parameters.write_text(json.dumps(content))
    expected = pyradiomics_maps(region, parameters)
    assert main([*words(region, tmp_path / "out"), "--settings", str(parameters)]) == 0
    rows = json.loads((tmp_path / "out" / "maps.json").read_text())["maps"]
    assert {row["name"] for row in rows} == {f"portal_tumor_{name}" for name in expected}
    for row in rows:
        ours = sitk.ReadImage(str(tmp_path / "out" / row["file"]))
        theirs = expected[row["name"].removeprefix("portal_tumor_")]
        for part in ("GetSize", "GetSpacing", "GetDirection", "GetOrigin"):
            np.testing.assert_allclose(getattr(ours, part)(), getattr(theirs, part)(), rtol=1e-12)
        values, reference = sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(theirs)
        inside = ~np.isnan(values)
        assert inside.sum() == row["voxels"] - row["undefined"] > 100
        assert (reference[~inside] == 0).all(), "outside the region PyRadiomics has 0"
        np.testing.assert_allclose(values[inside], reference[inside], RELATIVE, ABSOLUTE, err_msg=row["name"])


def test_the_summary_says_what_each_map_is_and_how_it_was_made(region, two_maps: Path) -> None:
    found = json.loads((two_maps / "maps.json").read_text())
    assert [row["name"] for row in found["maps"]] == [
        "portal_tumor_original_glcm_Contrast",
        "portal_tumor_original_firstorder_Mean",
    ]
    assert found["inputs"] == {"image:portal": sha256_of(region[0]), "mask:tumor": sha256_of(region[1])}
    assert found["settings"]["setting"]["binWidth"] == 25
    assert found["settings"]["voxelSetting"]["kernelRadius"] == 1
    assert set(found["packages"]) >= {"numpy", "numba", "SimpleITK"}
    for row in found["maps"]:
        assert row["computed_on"] == "cpu"
        assert row["sha256"] == sha256_of(two_maps / row["file"])
        values = sitk.GetArrayFromImage(sitk.ReadImage(str(two_maps / row["file"])))
        assert (row["min"], row["max"]) == (np.nanmin(values), np.nanmax(values))
        assert row["mean"] == pytest.approx(np.nanmean(values), rel=1e-12)


def test_the_scene_holds_the_case_and_its_maps(two_maps: Path) -> None:
    pytest.importorskip("slicer", reason="slicer-core is not installed: pip install hccoutcome[host]")
    from hccoutcome.scene.nodes import find_case_nodes
    from hccoutcome.scene.store import load_scene

    (nodes,) = find_case_nodes(load_scene(two_maps / "scene.mrb")).values()
    assert set(nodes.images) == {"portal"}
    assert {"map:portal_tumor_original_glcm_Contrast", "map:portal_tumor_original_firstorder_Mean"} <= set(
        nodes.findings
    )


def test_threads_change_no_byte(region, two_maps: Path, tmp_path: Path) -> None:
    assert main([*words(region, tmp_path), "--feature", "glcm_Contrast", "--threads", "3"]) == 0
    name = "portal_tumor_original_glcm_Contrast.nrrd"
    assert (tmp_path / name).read_bytes() == (two_maps / name).read_bytes()


def test_a_class_alone_means_all_its_features_and_options_win_over_the_file(region, tmp_path: Path, capsys) -> None:
    options = ["--settings", "haic-mri", "--feature", "ngtdm", "--radius", "2", "--no-masked", "--json"]
    assert main([*words(region, tmp_path), *options]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {name.split("_")[-1] for name in answer["maps"]} == {
        "Busyness", "Coarseness", "Complexity", "Contrast", "Strength",
    }  # fmt: skip
    found = json.loads((tmp_path / "maps.json").read_text())
    voxels = found["settings"]["voxelSetting"]
    assert (voxels["kernelRadius"], voxels["maskedKernel"]) == (2, False)


def test_only_the_phases_and_regions_asked_for_are_mapped(phantom: Path, tmp_path: Path, capsys) -> None:
    options = ["--phase", "venous", "--region", "portalvein", "--feature", "firstorder_Range"]
    assert main(["maps", "--case", str(phantom), *options, "--out", str(tmp_path)]) == 0
    (row,) = json.loads((tmp_path / "maps.json").read_text())["maps"]
    assert (row["phase"], row["region"]) == ("portal", "portalvein")
    assert "1 maps written" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "Maps need features, found none: name them with --feature, or a parameter file that does."),
        (["--feature", "glcm_Contrasts"], "The class 'glcm' has no feature 'Contrasts': did you mean 'Contrast'?"),
        (["--feature", "glmc_Contrast"], "There are no maps of the class 'glmc' in 'glmc_Contrast': did you mean"),
        (["--feature", "shape_Sphericity"], "There are no maps of the class 'shape'"),
        (["--feature", "glcm_Homogeneity1"], "no value for the retired feature 'glcm_Homogeneity1' (glcm Id)"),
        (["--feature", "glcm", "--radius", "6"], "The kernel radius must be 1 to 5 voxels, found 6: choose one"),
        (["--feature", "glcm", "--radius", "0"], "The kernel radius must be 1 to 5 voxels, found 0: choose one"),
        (["--feature", "glcm", "--settings", "primes"], "There is no parameter file 'primes': give a path or a"),
        (["--feature", "glcm", "--region", "liver"], "The region 'liver' is to be mapped, found tumor: add --mask"),
        (["--feature", "glcm", "--phase", "t2"], "The image 't2' is to be mapped, found portal: add --image"),
        (["--feature", "glcm", "--threads", "0"], "expected a whole number from 1, found '0'"),
        (["--feature", "glcm", "--radios", "2"], "unknown option '--radios'; did you mean '--radius'?"),
    ],
)
def test_wrong_options_are_refused_with_a_sentence(region, tmp_path: Path, capsys, options, sentence: str) -> None:
    assert main([*words(region, tmp_path / "out"), *options]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_missing_image_or_region_is_named(region, tmp_path: Path, capsys) -> None:
    rest = ["--feature", "glcm", "--out", str(tmp_path / "out")]
    assert main(["maps", "--image", f"portal={region[0]}", *rest]) == 2
    assert "Maps need at least one region, found none: add --mask REGION=PATH." in capsys.readouterr().err
    assert main(["maps", "--mask", f"tumor={region[1]}", *rest]) == 2
    assert "Maps need at least one image, found none: add --image PHASE=PATH." in capsys.readouterr().err


def test_a_file_in_the_way_of_the_folder_is_named(region, tmp_path: Path, capsys) -> None:
    (tmp_path / "out").write_text("in the way")
    assert main([*words(region, tmp_path / "out"), "--feature", "glcm_Contrast"]) == 1
    assert "A file stands where the folder" in capsys.readouterr().err


def test_a_gpu_asked_for_and_not_there_is_named(region, tmp_path: Path, capsys, monkeypatch) -> None:
    from hccoutcome.radiomics import voxelgpu

    monkeypatch.setattr(voxelgpu, "has_cuda", lambda: False)
    assert main([*words(region, tmp_path), "--feature", "glcm_Contrast", "--device", "cuda"]) == 1
    assert "The device 'cuda' needs PyTorch and an NVIDIA GPU, which were not found" in capsys.readouterr().err
    assert main([*words(region, tmp_path), "--feature", "glcm_Contrast"]) == 0


def test_an_interruption_ends_with_its_own_status_and_keeps_no_half_file(region, tmp_path, capsys, monkeypatch) -> None:
    from hccoutcome.radiomics import mapfiles

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(mapfiles, "sha256_of", interrupted)
    assert main([*words(region, tmp_path / "out"), "--feature", "glcm_Contrast"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["portal_tumor_original_glcm_Contrast.nrrd"]
