from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import planted
import pytest
import SimpleITK as sitk

from hccoutcome.cli import main
from hccoutcome.habitat.find import find_habitats
from hccoutcome.habitat.settings import HabitatSettings

LABELS = planted.layers()
QUICK = ("--repeats", "0", "--settings", "none", "--no-scene")


def written(folder: Path, labels: np.ndarray = LABELS, seed: int = 0, phases=planted.PHASES) -> list[str]:
    """Write a planted patient and return the options that name it."""
    folder.mkdir(parents=True, exist_ok=True)
    options = []
    for phase, image in planted.images(labels, seed=seed).items():
        if phase in phases:
            sitk.WriteImage(image, str(folder / f"{phase}.nii.gz"))
            options += ["--image", f"{phase}={folder / phase}.nii.gz"]
    sitk.WriteImage(planted.mask(labels), str(folder / "mask.nii.gz"))
    return [*options, "--mask", f"tumor={folder / 'mask.nii.gz'}"]


def label_map(folder: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "habitats.nii.gz")))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def refusal(capsys: pytest.CaptureFixture, *options: str) -> str:
    assert main(["habitat", *options]) == 2
    return capsys.readouterr().err.removeprefix("hcc: ").strip()


def test_the_command_writes_what_the_function_finds(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("slicer", reason="slicer-core is not installed: pip install hccoutcome[host]")
    from hccoutcome.scene.nodes import find_case_nodes
    from hccoutcome.scene.store import load_scene

    options = written(tmp_path / "in")
    out = tmp_path / "out"
    assert main(["habitat", *options, "--k", "3", "--method", "one-step", "--repeats", "2", "--out", str(out)]) == 0
    assert "habitat 1: " in capsys.readouterr().out
    names = {path.name for path in out.iterdir()}
    assert names >= {"habitats.seg.nrrd", "habitats.csv", "features.csv", "elbow.csv", "scene.mrb"}
    np.testing.assert_array_equal(label_map(out), LABELS)
    images = {phase: sitk.ReadImage(str(tmp_path / "in" / f"{phase}.nii.gz")) for phase in planted.PHASES}
    expected = find_habitats(images, planted.mask(LABELS), HabitatSettings(k=3, repeats=2))
    (features,) = rows(out / "features.csv")
    assert {name: float(value) for name, value in features.items()} == dict(expected.features)
    assert len(features) == 1140
    nodes = find_case_nodes(load_scene(out / "scene.mrb"))["case"]
    assert set(nodes.images) == set(planted.PHASES)
    assert {"habitats", "habitats:table", "habitats:elbow", "habitats:features"} <= set(nodes.findings)
    provenance = json.loads(nodes.findings["habitats:provenance"].GetText())
    assert set(provenance["inputs"]) == {*(f"image:{phase}" for phase in planted.PHASES), "mask:tumor"}


def test_no_scene_of_earlier_habitats_stays(tmp_path: Path) -> None:
    options, scene = [*written(tmp_path / "in"), *QUICK, "--out", str(tmp_path)], tmp_path / "scene.mrb"
    scene.write_bytes(b"of something else")
    assert main(["habitat", *options, "--k", "3"]) == 0
    assert scene.exists()
    assert main(["habitat", *options, "--k", "2"]) == 0
    assert not scene.exists()


def test_auto_chooses_and_json_says_it(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    options = written(tmp_path / "in")
    assert main(["habitat", *options, "--k", "auto", "--json", *QUICK, "--out", str(tmp_path / "out")]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["k"], answer["case"]) == (3, "case")
    assert [row["k"] for row in rows(tmp_path / "out" / "elbow.csv") if row["chosen"] == "1"] == ["3"]
    assert "scene.mrb" not in {path.name for path in (tmp_path / "out").iterdir()}


def test_every_option_reaches_the_settings(tmp_path: Path) -> None:
    options = written(tmp_path / "in")
    seconds = {"precontrast": "0", "arterial": "30", "portal": "70", "delayed": "180"}
    extra = ["--no-intensities", "--resample", *(f"--time={phase}={text}" for phase, text in seconds.items())]
    values = {"k": 4, "algorithm": "gmm", "criterion": "silhouette", "entropy": 1, "kinetics": "difference", "seed": 3}
    values |= {"winsorise": 0.01, "scaling": "robust", "island": 5, "method": "pooled", "scope": "cohort"}
    extra += [f"--{name}={value}" for name, value in values.items()]
    texture = ["--map", f"texture={tmp_path / 'in' / 'arterial.nii.gz'}"]
    assert main(["habitat", *options, *extra, *texture, *QUICK, "--out", str(tmp_path / "out")]) == 0
    summary = json.loads((tmp_path / "out" / "habitats.json").read_text(encoding="utf-8"))
    asked = HabitatSettings(
        method="pooled",
        algorithm="gmm",
        k=4,
        criterion="silhouette",
        intensities=False,
        entropy_radius=1,
        kinetics="difference",
        times={"precontrast": 0, "arterial": 30, "portal": 70, "delayed": 180},
        winsorise=0.01,
        scaling="robust",
        scaling_scope="cohort",
        smallest_island_mm3=5,
        repeats=0,
        radiomics=None,
        resample=True,
        seed=3,
    )
    assert summary["settings"] == asked.to_dict()
    assert {"texture", "portal_entropy", "washin_arterial"} <= set(summary["habitats"][0]["means"])


def cohort_table(folder: Path) -> Path:
    lines = [",".join(["case_id", *(f"image_{phase}" for phase in planted.PHASES), "mask_tumor"])]
    for number, shape in enumerate(((12, 14, 15), (10, 11, 18))):
        written(folder / f"p{number}", planted.layers(shape), number)
        files = [f"p{number}/{phase}.nii.gz" for phase in planted.PHASES]
        lines.append(",".join([f"p{number}", *files, f"p{number}/mask.nii.gz"]))
    table = folder / "cohort.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


@pytest.mark.parametrize("method", ["two-step", "pooled"])
def test_a_cohort_is_learnt_and_its_package_divides_a_new_patient(tmp_path: Path, method: str) -> None:
    package, out = tmp_path / "package", tmp_path / "out"
    learn = ["--cohort", str(cohort_table(tmp_path)), "--package", str(package), "--method", method]
    assert main(["habitat", *learn, *QUICK, "--out", str(out)]) == 0
    assert [row["case_id"] for row in rows(out / "features.csv")] == ["p0", "p1"]
    np.testing.assert_array_equal(label_map(out / "p1"), planted.layers((10, 11, 18)))
    new = written(tmp_path / "new", seed=9)
    one = tmp_path / "one"
    assert main(["habitat", *new, "--package", str(package), "--method", method, *QUICK, "--out", str(one)]) == 0
    np.testing.assert_array_equal(label_map(one), LABELS)
    summary = json.loads((one / "habitats.json").read_text(encoding="utf-8"))
    assert summary["model"] is not None


def test_a_package_is_only_applied_to_what_it_was_made_for(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    package = tmp_path / "package"
    learn = ["--cohort", str(cohort_table(tmp_path)), "--package", str(package), "--method", "two-step"]
    assert main(["habitat", *learn, *QUICK, "--out", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    new = written(tmp_path / "new", phases=("arterial", "portal"))
    apply = [*new, "--package", str(package), *QUICK, "--out", str(tmp_path / "one")]
    assert refusal(capsys, *apply, "--method", "two-step") == (
        "The habitat package was made for precontrast, arterial, portal, delayed, found arterial, portal: add "
        "precontrast, delayed, or choose a package made for the phases at hand."
    )
    assert refusal(capsys, *apply, "--method", "pooled") == (
        "The habitat package was learnt by 'two-step', found the method 'pooled': choose the method two-step."
    )
    assert refusal(capsys, *apply) == (
        "A habitat package is applied by the method that it was learnt with, found 'one-step': choose the "
        "method two-step or pooled, or leave the package out."
    )
    assert refusal(capsys, *apply, "--method", "two-step", "--k", "7") == (
        "The habitat package has 3 habitats, found k 7: choose k auto."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--k", "three"], "--k is 'auto' or a whole number of habitats, found 'three': correct it."),
        (["--time", "portal"], "A time is given as PHASE=SECONDS, found 'portal': correct it."),
        (["--map", "texture"], "A map is given once as NAME=PATH, found 'texture': correct it."),
        (
            ["--package", "nowhere", "--method", "pooled"],
            "A habitat package is a folder with habitat-model.json, found",
        ),
        (
            ["--cohort", "x.csv"],
            "With --cohort the images stand in the table and --package names the folder to write, ",
        ),
        (["--k", "5000"], "The setting 'k' of the habitats is a whole number from 2 to 99, found 5000: correct it."),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture, options: list, message: str) -> None:
    found = refusal(capsys, *written(tmp_path / "in"), *options, *QUICK, "--out", str(tmp_path / "out"))
    assert found.startswith(message)
    assert not (tmp_path / "out").exists()


def test_a_bad_case_of_a_cohort_is_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    table = cohort_table(tmp_path)
    (tmp_path / "p1" / "portal.nii.gz").unlink()
    learn = ["--cohort", str(table), "--package", str(tmp_path / "package"), "--method", "two-step"]
    assert refusal(capsys, *learn, *QUICK, "--out", str(tmp_path / "out")).startswith("Case 'p1': ")


def test_a_map_of_the_engine_takes_part_although_it_has_no_value_outside_the_region(tmp_path: Path) -> None:
    options = written(tmp_path / "in", phases=("portal",))
    values = np.where(LABELS > 0, LABELS + np.random.default_rng(2).normal(0, 0.01, LABELS.shape), np.nan)
    mask = planted.mask(LABELS)
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(mask)
    z, y, x = (slice(int(span.min()), int(span.max()) + 1) for span in np.nonzero(LABELS))
    sitk.WriteImage(image[x, y, z], str(tmp_path / "map.nrrd"))
    call = ["habitat", *options, "--map", f"texture={tmp_path / 'map.nrrd'}", "--k", "3", *QUICK, "--no-intensities"]
    assert main([*call, "--out", str(tmp_path / "out")]) == 0
    np.testing.assert_array_equal(label_map(tmp_path / "out") > 0, LABELS > 0)
    assert "mean_texture" in rows(tmp_path / "out" / "habitats.csv")[0]


def test_a_map_without_a_value_inside_the_region_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    options = written(tmp_path / "in", phases=("portal",))
    values = LABELS.astype(float)
    values[tuple(np.argwhere(LABELS)[5])] = np.nan
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(planted.mask(LABELS))
    sitk.WriteImage(image, str(tmp_path / "map.nrrd"))
    call = [*options, "--map", f"texture={tmp_path / 'map.nrrd'}", "--k", "3", *QUICK, "--out", str(tmp_path / "out")]
    assert "found NaN or infinite values in 1 of" in refusal(capsys, *call)


def test_times_without_kinetics_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    options = written(tmp_path / "in")
    said = refusal(capsys, *options, "--time", "portal=70", *QUICK, "--out", str(tmp_path / "out"))
    assert said.startswith("--time goes with --kinetics, found it alone")


def test_nothing_of_an_earlier_run_stays_beside_the_habitats(tmp_path: Path) -> None:
    options, out = written(tmp_path / "in"), tmp_path / "out"
    out.mkdir()
    for name in ("habitats.dcm", "registration_arterial.png", "registration.csv", "notes.txt"):
        (out / name).write_text("earlier")
    assert main(["habitat", *options, "--k", "3", *QUICK, "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} & {
        "habitats.dcm",
        "registration_arterial.png",
        "registration.csv",
    } == set()
    assert (out / "notes.txt").read_text() == "earlier"
