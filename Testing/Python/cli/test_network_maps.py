"""``hcc maps --package``: what a network looks at, as files and a scene, on a case as a new user has it."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytest.importorskip("monai", reason="MONAI is not installed: pip install hccoutcome[deep]")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "deep"))

from oblique import ball  # noqa: E402
from planted_cases import write_case  # noqa: E402
from small_packages import dlopctr_package, selection_package, tci_package  # noqa: E402

from hccoutcome.cli import main  # noqa: E402
from hccoutcome.imaging.geometry import same_lattice  # noqa: E402
from hccoutcome.package.writing import write_package  # noqa: E402

MAKERS = {"selection": selection_package, "tci": tci_package, "dlopctr": dlopctr_package}
MODALITY = {"tci": "MR"}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("cases")
    draw = np.random.default_rng(1)
    record = {"age": 61.0, "sex": "male", "alb": 36.0}
    for modality in ("CT", "MR"):
        write_case(root / modality, "case-1", 0.8, record, modality, True, draw)
    write_case(root / "patient", "case-1", 0.8, record, "CT", False, draw)
    return root


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("packages")
    for name, make in MAKERS.items():
        write_package(make()[0], root / name)
    return root


def run(*words: object) -> int:
    return main(["maps", *map(str, words)])


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("selection", "rollout"), ("selection", "gradcam"), ("selection", "shap"),
        ("tci", "rollout"), ("tci", "gradcam"), ("tci", "shap"),
        ("dlopctr", "gradcam"), ("dlopctr", "shap"),
    ],
)  # fmt: skip
def test_maps_lie_in_the_images_and_say_what_they_are(name, method, cases, packages, tmp_path, capsys):
    case = cases / MODALITY.get(name, "CT")
    assert run("--package", packages / name, "--case", case, "--method", method, "--out", tmp_path, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data == json.loads((tmp_path / "maps.json").read_text(encoding="utf-8"))
    phases = ["arterial"] if name == "dlopctr" else ["arterial", "portal"]
    assert [row["phase"] for row in data["maps"]] == phases
    for row in data["maps"]:
        volume = sitk.ReadImage(str(tmp_path / row["file"]))
        assert same_lattice(volume, sitk.ReadImage(str(case / f"{row['phase']}.nii.gz")))
        values = sitk.GetArrayFromImage(volume)
        assert np.nanmax(values) == pytest.approx(row["max"])
        picture = (tmp_path / row["file"]).with_suffix(".png").read_bytes()
        assert struct.unpack(">II", picture[16:24]) > (300, 300)
    total = sum(data["phases"].values()) + sum(data["variables"].values())
    if method == "rollout":
        assert total == pytest.approx(1)
    if method == "gradcam":
        assert 0 <= max(row["max"] for row in data["maps"]) <= 1
    if name == "selection" and method != "gradcam":
        assert set(data["variables"]) == {"age", "sex", "alb"}


def test_the_scene_holds_case_and_maps(cases, packages, tmp_path, capsys):
    from hccoutcome.scene.nodes import find_case_nodes
    from hccoutcome.scene.store import load_scene

    assert run("--package", packages / "selection", "--case", cases / "CT", "--scene", "--out", tmp_path) == 0
    assert "2 maps written" in capsys.readouterr().out
    (nodes,) = find_case_nodes(load_scene(tmp_path / "scene.mrb")).values()
    assert {role for role in nodes.findings if role.startswith("relevance:selection")} == {
        f"relevance:selection-response-small:{phase}_gradcam" for phase in ("arterial", "portal")
    }


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--package", "{packages}/dlopctr", "--case", "{cases}/CT", "--method", "rollout"], "no attention"),
        (
            ["--package", "{packages}/selection", "--case", "{cases}/CT", "--method", "gradcem"],
            "did you mean 'gradcam'",
        ),
        (["--package", "{packages}/selection", "--case", "{cases}/patient"], "generated cases"),
        (["--package", "{packages}/selection", "--case", "{cases}/MR"], "The images are MR"),
        (["--package", "albi", "--case", "{cases}/CT"], "holds no network"),
        (["--method", "shap", "--case", "{cases}/CT"], "found no --package"),
        (["--package", "{packages}/selection", "--case", "{cases}/CT", "--feature", "glcm"], "--feature belongs"),
        (["--feature", "glcm", "--case", "{cases}/CT", "--device", "mps"], "found 'mps'"),
    ],
)
def test_wrong_input_is_a_sentence(words, says, cases, packages, tmp_path, capsys):
    given = [word.format(cases=cases, packages=packages) for word in words]
    assert run(*given, "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


# --- real images ------------------------------------------------------------------------------------------------------


def case_of(folder: Path, images: dict[str, Path], masks: dict[str, list[Path]], modality: str = "CT") -> Path:
    """Write a case.json that points at files; the record is that of nobody."""
    folder.mkdir()
    data = {
        "case_id": "real-1",
        "modality": modality,
        "images": {phase: str(path) for phase, path in images.items()},
        "masks": {region: [str(path) for path in paths] for region, paths in masks.items()},
        "clinical": {"age": 61, "sex": "male", "alb": 36},
    }
    (folder / "case.json").write_text(json.dumps(data), encoding="utf-8")
    return folder


def check_maps(package: Path, case: Path, images: dict[str, Path], method: str, out: Path) -> None:
    assert run("--package", package, "--case", case, "--method", method, "--out", out) == 0
    rows = json.loads((out / "maps.json").read_text(encoding="utf-8"))["maps"]
    assert [row["phase"] for row in rows] == list(images)
    for row in rows:
        volume = sitk.ReadImage(str(out / row["file"]))
        assert same_lattice(volume, sitk.ReadImage(str(images[row["phase"]])))
        assert np.isfinite(sitk.GetArrayFromImage(volume)).any()


@pytest.fixture(scope="module")
def two_phases(data, tmp_path_factory) -> tuple[Path, dict[str, Path]]:
    """A part of the two phases of a patient; balls where liver and tumour may be, for nobody outlined them."""
    folder = data / "hcc011_ct_2phase"
    if not folder.is_dir():
        pytest.skip("hcc011_ct_2phase is not among the real data")
    root = tmp_path_factory.mktemp("real")
    images: dict[str, Path] = {}
    masks: dict[str, list[Path]] = {"tumor": [], "liver": []}
    for phase, name in (("arterial", "ct_acq2"), ("portal", "ct_acq3")):
        image = sitk.ReadImage(str(folder / f"{name}.nii.gz"))[90:250, 140:300, 28:52]
        images[phase] = root / f"{phase}.nii.gz"
        sitk.WriteImage(image, str(images[phase]))
        middle = image.TransformContinuousIndexToPhysicalPoint([n / 2 for n in image.GetSize()])
        for region, radius in (("tumor", 18.0), ("liver", 45.0)):
            masks[region].append(root / f"{region}-{phase}.nii.gz")
            sitk.WriteImage(ball(image, middle, radius), str(masks[region][-1]))
    return case_of(root / "case", images, masks), images


@pytest.mark.parametrize("method", ["rollout", "gradcam", "shap"])
def test_two_real_phases_go_through_selection_and_every_map(method, two_phases, tmp_path, capsys):
    package = write_package(selection_package(phantoms=False)[0], tmp_path / "package")
    check_maps(package, *two_phases, method, tmp_path / "out")


@pytest.mark.parametrize("method", ["rollout", "gradcam", "shap"])
def test_two_real_phases_go_through_tci_and_every_map(method, two_phases, tmp_path, capsys):
    """No real MRI is at hand: the phases of a CT are taken for one, of which TCI reads grey levels alone."""
    data = json.loads((two_phases[0] / "case.json").read_text(encoding="utf-8"))
    masks = {region: list(map(Path, paths)) for region, paths in data["masks"].items()}
    case = case_of(tmp_path / "case", two_phases[1], masks, "MR")
    package = write_package(tci_package(phantoms=False)[0], tmp_path / "package")
    check_maps(package, case, two_phases[1], method, tmp_path / "out")


def test_a_real_ct_with_real_outlines_goes_through_dlopctr(data, tmp_path, capsys):
    folder = data / "ircadb17_ct"
    if not folder.is_dir():
        pytest.skip("ircadb17_ct is not among the real data")
    images = {"arterial": folder / "ct.nii.gz"}
    masks = {
        "tumor": [folder / "livertumor1.nii.gz", folder / "livertumor2.nii.gz"],
        "liver": [folder / "liver.nii.gz"],
    }
    package = write_package(dlopctr_package(phantoms=False)[0], tmp_path / "package")
    check_maps(package, case_of(tmp_path / "case", images, masks), images, "gradcam", tmp_path / "out")
