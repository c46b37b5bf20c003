"""The command line as its users meet it: what it writes, what it answers, and how it ends."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import SimpleITK as sitk

from hccoutcome.cli import build_parser, main
from hccoutcome.processes import own_environment


def test_analyse_writes_scene_report_features_and_result(phantom: Path, tmp_path: Path, capsys) -> None:
    packages = ["radscore-tace-ct", "haic-mri-clinical", "albi"]
    status = main(["analyse", "--case", str(phantom), "--package", *packages, "--out", str(tmp_path / "out")])
    assert status == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "scene.mrb", "report.html", "features.csv", "result.json",
    }  # fmt: skip
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["case"] == "phantom-0001"
    assert [item["package"] for item in result["results"]] == packages
    for item in result["results"]:
        assert isinstance(item["score"], float)
        assert len(item["sha256"]) == 64
        assert item["applicability"]["status"] == "warning"
        assert item["applicability"]["reasons"]
    with (tmp_path / "out" / "features.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert {name: float(text) for name, text in row.items()} == result["features"]
    assert "Radscore" in capsys.readouterr().out


def test_a_case_from_options_is_the_case_from_its_folder(phantom: Path, tmp_path: Path) -> None:
    record = tmp_path / "clinical.json"
    record.write_text(json.dumps(json.loads((phantom / "case.json").read_text())["clinical"]))
    given = ["analyse", "--image", f"arterial={phantom / 'arterial.nii.gz'}", "--mask"]
    given += [f"tumor={phantom / 'tumor-mask.nii.gz'}", "--clinical", str(record), "--modality", "CT"]
    common = ["--package", "radscore-tace-ct", "child-pugh", "--no-scene", "--no-report", "--out"]
    assert main([*given, *common, str(tmp_path / "options")]) == 0
    assert main(["analyse", "--case", str(phantom), *common, str(tmp_path / "folder")]) == 0
    scores = [
        [item["score"] for item in json.loads((tmp_path / name / "result.json").read_text())["results"]]
        for name in ("options", "folder")
    ]
    assert scores[0] == scores[1]


def test_several_masks_of_one_region_are_united(phantom: Path, tmp_path: Path) -> None:
    mask = sitk.ReadImage(phantom / "tumor-mask.nii.gz")
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(mask))
    assert sitk.GetArrayViewFromImage(parts).max() == 2
    options = ["features", "--image", f"portal={phantom / 'portal.nii.gz'}", "--settings", "haic-mri"]
    for label in (1, 2):
        sitk.WriteImage(sitk.Cast(parts == label, sitk.sitkUInt8), tmp_path / f"{label}.nrrd")
        options += ["--mask", f"tumor={tmp_path / f'{label}.nrrd'}"]
    assert main([*options, "--out", str(tmp_path / "parts.csv")]) == 0
    whole = [*options[:5], "--mask", f"tumor={phantom / 'tumor-mask.nii.gz'}"]
    assert main([*whole, "--out", str(tmp_path / "whole.csv")]) == 0
    assert (tmp_path / "parts.csv").read_text() == (tmp_path / "whole.csv").read_text()
    header, values = (tmp_path / "whole.csv").read_text().splitlines()
    assert len(header.split(",")) == len(values.split(",")) == 107


def test_json_is_the_only_thing_on_standard_output_when_asked_for(phantom: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    main(
        [
            "analyse",
            "--case",
            str(phantom),
            "--package",
            "albi",
            "--no-scene",
            "--no-report",
            "--json",
            "--out",
            str(out),
        ]
    )
    assert json.loads(capsys.readouterr().out) == json.loads((out / "result.json").read_text())


def test_a_refused_package_ends_with_two_and_the_others_are_still_written(
    phantom: Path, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "out"
    packages = ["haic-mri-cr", "albi"]
    status = main(
        ["analyse", "--case", str(phantom), "--package", *packages, "--no-scene", "--no-report", "--out", str(out)]
    )
    assert status == 2
    refused, given = json.loads((out / "result.json").read_text())["results"]
    assert refused["score"] is None
    assert refused["applicability"]["status"] == "refused"
    assert given["score"] is not None
    assert "haic-mri-cr gave no score" in capsys.readouterr().err


def test_a_cohort_with_a_failed_case_ends_with_a_status_and_names_it(phantom: Path, tmp_path: Path, capsys) -> None:
    table = tmp_path / "table.csv"
    table.write_text("case_id,tbil,alb\ngood,12,40\nbad,twelve,40\n")
    status = main(["cohort", str(table), "--package", "albi", "--out", str(tmp_path / "out"), "--json"])
    assert status == 2
    answer = capsys.readouterr()
    assert json.loads(answer.out) == {"cases": 2, "failed": ["bad"], "out": str(tmp_path / "out")}
    assert "case bad failed" in answer.err
    assert "twelve" in answer.err


def test_a_cohort_whose_package_refused_a_case_ends_with_two_and_names_it(tmp_path: Path, capsys) -> None:
    table = tmp_path / "table.csv"
    table.write_text("case_id,tbil,alb\ngood,12,40\nlacking,12,\n")
    assert main(["cohort", str(table), "--package", "albi", "--out", str(tmp_path / "out")]) == 2
    answer = capsys.readouterr()
    assert "2 of 2 cases are done" in answer.out
    assert "albi gave no score to 1 cases (lacking)" in answer.err


def test_features_make_the_folder_they_are_written_to(phantom: Path, tmp_path: Path, capsys) -> None:
    words = ["features", "--image", f"portal={phantom / 'portal.nii.gz'}", "--mask"]
    words += [f"tumor={phantom / 'tumor-mask.nii.gz'}", "--settings", "haic-mri", "--out"]
    assert main([*words, str(tmp_path / "new" / "f.csv")]) == 0
    assert main([*words, str(tmp_path)]) == 1
    assert "A folder stands where the file" in capsys.readouterr().err


def test_features_tell_of_a_mask_of_another_size(phantom: Path, tmp_path: Path, capsys) -> None:
    """It lies on the lattice of the image, so that it can be moved to its place; the values are the same."""
    mask = sitk.ReadImage(phantom / "tumor-mask.nii.gz")
    sitk.WriteImage(mask[3:, :-2, 1:], tmp_path / "crop.nrrd")
    words = ["features", "--image", f"portal={phantom / 'portal.nii.gz'}", "--settings", "haic-mri"]
    whole = [*words, "--mask", f"tumor={phantom / 'tumor-mask.nii.gz'}", "--out", str(tmp_path / "whole.csv")]
    crop = [*words, "--mask", f"tumor={tmp_path / 'crop.nrrd'}", "--out", str(tmp_path / "crop.csv")]
    assert main(whole) == 0
    assert "mask tumor" not in capsys.readouterr().out
    assert main(crop) == 0
    x, y, z = mask.GetSize()
    said = capsys.readouterr().out
    assert f"mask tumor, mask size: {x - 3} x {y - 2} x {z - 1} voxels, moved to its place; nothing is outlined" in said
    assert f"(expected {x} x {y} x {z} voxels, or a part of the portal image)" in said
    assert (tmp_path / "crop.csv").read_text() == (tmp_path / "whole.csv").read_text()
    assert main([*crop, "--json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)["quality"]
    assert (item["subject"], item["check"], item["status"]) == ("mask tumor", "mask size", "ok")


def test_the_headless_script_takes_the_same_words(tmp_path: Path) -> None:
    """As ``Slicer --python-script`` runs it: by its path, from anywhere."""
    script = Path(__file__).resolve().parents[3] / "hccoutcome" / "headless.py"
    environment = {name: value for name, value in own_environment().items() if name != "PYTHONPATH"}
    process = subprocess.run(
        [sys.executable, "-I", script, "package", "verify", "albi"],
        capture_output=True, text=True, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "albi 1.0.0 is intact" in process.stdout


def test_a_failure_shows_its_traceback_only_when_asked_for(tmp_path: Path, capsys) -> None:
    words = ["package", "show", "nothing-of-that-name"]
    assert main(words) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert main([*words, "--verbose"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_every_command_has_help_and_machine_readable_answers() -> None:
    parser = build_parser()
    (commands,) = (action for action in parser._actions if hasattr(action, "choices") and action.choices)
    assert set(commands.choices) >= {"analyse", "features", "cohort", "package", "deidentify"}
    for name, command in commands.choices.items():
        options = command.format_help()
        assert "--json" in options or name in ("package", "table", "dicomseg")


def test_deidentify_keeps_the_input_and_says_what_it_did(data: Path, tmp_path: Path, capsys) -> None:
    source = data / "totalseg_examples" / "example_ct_dicom"
    before = sorted((path.name, path.stat().st_mtime_ns) for path in source.iterdir())
    assert main(["deidentify", str(source), str(tmp_path / "out"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["files"] == len(before)
    assert before == sorted((path.name, path.stat().st_mtime_ns) for path in source.iterdir())


def test_the_two_phases_of_a_real_patient_give_a_score(data: Path, tmp_path: Path) -> None:
    """The mask is made here: what the liver window shows bright in a box of the right lobe."""
    image = sitk.ReadImage(data / "hcc011_ct_2phase" / "ct_acq2.nii.gz")
    size = image.GetSize()
    box = sitk.Image(size, sitk.sitkUInt8)
    box.CopyInformation(image)
    box[
        size[0] // 4 : size[0] // 4 + 60, size[1] // 2 - 30 : size[1] // 2 + 30, size[2] // 2 - 8 : size[2] // 2 + 8
    ] = 1
    mask = sitk.And(box, sitk.Cast((image > 20) & (image < 200), sitk.sitkUInt8))
    sitk.WriteImage(mask, tmp_path / "tumor.nii.gz")
    folder = data / "hcc011_ct_2phase"
    words = ["analyse", "--image", f"arterial={folder / 'ct_acq2.nii.gz'}", "--image"]
    words += [f"portal={folder / 'ct_acq3.nii.gz'}", "--mask", f"tumor={tmp_path / 'tumor.nii.gz'}", "--modality", "CT"]
    assert main([*words, "--package", "radscore-tace-ct", "--no-report", "--out", str(tmp_path / "out")]) == 0
    (result,) = json.loads((tmp_path / "out" / "result.json").read_text())["results"]
    assert result["applicability"]["status"] == "warning", (
        "the slices are 2.5 mm apart and the package was made on 5 mm"
    )
    assert not any("missing" in reason for reason in result["applicability"]["reasons"])
    assert result["score"] is not None


def test_a_real_tumour_on_the_portal_phase_is_scored_with_a_warning(data: Path, tmp_path: Path) -> None:
    folder = data / "ircadb17_ct"
    words = ["analyse", "--image", f"portal={folder / 'ct.nii.gz'}", "--modality", "CT"]
    for mask in ("tumor=livertumor1", "tumor=livertumor2", "liver=liver"):
        region, name = mask.split("=")
        words += ["--mask", f"{region}={folder / name}.nii.gz"]
    assert main([*words, "--package", "radscore-tace-ct", "--out", str(tmp_path / "out")]) == 0
    (result,) = json.loads((tmp_path / "out" / "result.json").read_text())["results"]
    assert result["applicability"]["status"] == "warning"
    assert "arterial" in result["applicability"]["reasons"][0]
    assert (tmp_path / "out" / "scene.mrb").stat().st_size > 1e6
