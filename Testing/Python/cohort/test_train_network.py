"""``hcc train selection`` and its kin: from a table and case folders to a package that gives scores."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytest.importorskip("monai", reason="MONAI is not installed: pip install hccoutcome[deep]")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "deep"))

from planted_cases import write_cases  # noqa: E402
from safetensors.torch import load  # noqa: E402

from hccoutcome.cli import main  # noqa: E402
from hccoutcome.cohort import deep_training  # noqa: E402
from hccoutcome.cohort.deep_training import DeepTrainSettings, train_network  # noqa: E402
from hccoutcome.cohort.training import read_training_table  # noqa: E402
from hccoutcome.deep.package import DeepConfig  # noqa: E402
from hccoutcome.deep.resnet import DLOPCTR_EXTRACTOR, FeatureExtractor  # noqa: E402
from hccoutcome.deep.training_settings import TrainingSettings  # noqa: E402
from hccoutcome.errors import Cancelled  # noqa: E402
from hccoutcome.package.container import NETWORK  # noqa: E402
from hccoutcome.package.reading import read_package  # noqa: E402
from hccoutcome.package.writing import package_files  # noqa: E402

CASES = 40
QUICK = ("--size", "tiny", "--epochs", "2", "--batch", "8", "--device", "cpu", "--json")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    return write_cases(tmp_path_factory.mktemp("cohort"), CASES)


@pytest.fixture(scope="module")
def mri(tmp_path_factory) -> Path:
    return write_cases(tmp_path_factory.mktemp("mri"), 26, "MR", seed=1)


def run(capsys, *words: object) -> tuple[int, dict]:
    status = main([str(word) for word in words])
    return status, json.loads(capsys.readouterr().out)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("system", ["selection", "selection-vit"])
def test_a_trained_package_gives_the_scores_that_it_was_judged_by(system, table, tmp_path, capsys):
    out = tmp_path / "package"
    status, said = run(capsys, "train", system, table, "--images", table.parent, "--out", out, *QUICK)
    assert status == 0
    assert said["patients"] == {"training": 25, "validation": 7, "test": 8}
    package = read_package(out)
    config = DeepConfig.from_json(package.weights)
    assert config.phantoms
    assert [column.name for column in config.columns] == (["age", "sex", "alb"] if system == "selection" else [])
    rows = rows_of(Path(said["training"]) / "predictions.csv")
    training = [float(row["score"]) for row in rows if row["part"] == "training"]
    assert config.median == pytest.approx(np.median(training))
    for row in rows[:2]:
        case = table.parent / row["case_id"]
        _, found = run(
            capsys, "analyse", "--case", case, "--package", out, "--out", tmp_path / row["case_id"], "--json",
            "--no-scene", "--no-report",
        )  # fmt: skip
        assert found["results"][0]["score"] == pytest.approx(float(row["score"]), abs=1e-5)
    told = json.loads((Path(said["training"]) / "evaluation.json").read_text(encoding="utf-8"))
    assert {"AUC", "Brier score"} <= set(told["figures"])
    assert [row["left_out"] for row in told["occlusion"]] == ["nothing", "arterial", "portal"]
    assert "It refuses patients" in package.card


def test_tci_is_trained_from_scratch_where_that_is_said(mri, tmp_path, capsys):
    out = tmp_path / "tci.zip"
    words = ["train", "tci", mri, "--images", mri.parent, "--out", out, "--from-scratch", *QUICK]
    words[words.index("--epochs") + 1] = "1"
    status, said = run(capsys, *words)
    assert status == 0
    package = read_package(out)
    assert [need.optional for need in package.requirements.phases] == [True] * 4
    told = json.loads((Path(said["training"]) / "evaluation.json").read_text(encoding="utf-8"))
    left_out = [row["left_out"] for row in told["occlusion"]]
    # The cases have two of the four phases; without one of the others nothing changes.
    assert left_out[:1] == ["nothing"]
    assert {"arterial", "portal", "slice 0", "slices +-2", "slices +-4"} <= set(left_out)


def test_dlopctr_learns_survival_also_where_hardly_anyone_is_censored(table, tmp_path, capsys):
    out = tmp_path / "dlopctr"
    words = ["train", "dlopctr", table, "--images", table.parent, "--out", out, "--from-scratch", "--intervals", 4]
    status, said = run(capsys, *words, *QUICK)
    assert status == 0
    assert said["figure"] == "C-index (Harrell)"
    config = DeepConfig.from_json(read_package(out).weights)
    assert len(config.breaks) == 5
    assert config.target == "survival"


def test_pretrained_convolutions_stay_as_they_are(table, tmp_path, monkeypatch):
    """The way with ImageNet weights, with a small ResNet in the place of theirs."""
    torch.manual_seed(0)
    extractor = FeatureExtractor(DLOPCTR_EXTRACTOR["tiny"], frozen=True)
    before = {name: tensor.clone() for name, tensor in extractor.state_dict().items()}
    monkeypatch.setattr(deep_training, "_check", lambda settings: None)
    monkeypatch.setattr(deep_training, "_extractor", lambda *_: extractor)
    loop = TrainingSettings(epochs=3, batch=8, learning_rate=1e-2, class_weights=False, variants=1)
    settings = DeepTrainSettings(
        "dlopctr", "os", size="tiny", weights="given", intervals=4, training=loop, device="cpu"
    )
    found = train_network(read_training_table(table), table, table.parent, settings, tmp_path)
    kept = load(found.package.models[NETWORK])
    assert all(torch.equal(kept[f"extractor.{name}"], tensor) for name, tensor in before.items())
    assert not torch.equal(kept["reader.scores.centre"], torch.zeros_like(kept["reader.scores.centre"]))
    assert "ImageNet weights, convolutions frozen" in found.package.card


def test_a_stopped_training_goes_on_to_the_same_package(table, tmp_path):
    cohort = read_training_table(table)
    loop = TrainingSettings(epochs=4, batch=8, learning_rate=1e-3)
    settings = DeepTrainSettings("selection", "mrecist", size="tiny", training=loop, device="cpu")
    whole = train_network(cohort, table, table.parent, settings, tmp_path / "whole")

    def stop(fraction, message):
        if fraction > 0.6 and (tmp_path / "parts" / "checkpoint.safetensors").exists():
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        train_network(cohort, table, table.parent, settings, tmp_path / "parts", stop)
    again = train_network(cohort, table, table.parent, settings, tmp_path / "parts")
    assert package_files(again.package) == package_files(whole.package)


def test_the_endpoint_of_combinations_is_one_year(table, tmp_path, capsys):
    out = tmp_path / "tc"
    words = ["train", "selection", table, "--images", table.parent, "--out", out, "--endpoint", "survival-1y"]
    run(capsys, *words, *QUICK)
    assert DeepConfig.from_json(read_package(out).weights).target == "one-year survival"


def test_cases_may_be_named_by_the_table(table, tmp_path, capsys):
    """Columns of a cohort table in place of case folders; such cases are not marked as generated."""
    rows = rows_of(table)
    for row in rows:
        row |= {f"image_{phase}": f"{row['case_id']}/{phase}.nii.gz" for phase in ("arterial", "portal")}
        row |= {f"mask_{region}": f"{row['case_id']}/{region}.nii.gz" for region in ("tumor", "liver")}
    own = tmp_path / "own.csv"
    with own.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    out = tmp_path / "package"
    status, _ = run(capsys, "train", "selection", own, "--images", table.parent, "--out", out, *QUICK)
    assert status == 0
    assert not DeepConfig.from_json(read_package(out).weights).phantoms


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["selection"], "found no --images"),
        (["selection", "--images", "nowhere"], "found no such folder"),
        (["tci", "--images", "{root}"], "--from-scratch"),
        (["dlopctr", "--images", "{root}", "--from-scratch", "--endpoint", "mrecist"], "predicts survival"),
        (["selection", "--images", "{root}", "--weights", "w.pth"], "has no ResNet"),
        (["tci", "--images", "{root}", "--weights", "w.pth", "--size", "tiny"], "size 'base'"),
        (["tci", "--images", "{root}", "--weights", "w.pth", "--from-scratch"], "uses none"),
        (["tci", "--images", "{root}", "--weights", "w.pth"], "found no such file"),
        (["selection", "--images", "{root}", "--endpoint", "os"], "survival-1y"),
        (["selection", "--images", "{root}", "--modality", "late"], "no features"),
        (["selection", "--images", "{root}", "--test", "0.9"], "--test is a share"),
        (["logistic-ridge", "--size", "tiny"], "belongs to the networks"),
        (["logistic-ridge", "--images", "folder"], "'folder' is not a modality"),
    ],
)
def test_wrong_input_is_a_sentence(words, says, table, tmp_path, capsys):
    given = [word.format(root=table.parent) for word in words]
    status = main(["train", given[0], str(table), *given[1:], "--out", str(tmp_path / "out")])
    said = capsys.readouterr().err
    assert status in (1, 2)
    assert says in said
    assert "Traceback" not in said


def test_too_few_patients_are_refused_before_an_image_is_read(table, tmp_path, capsys):
    lines = table.read_text(encoding="utf-8").splitlines()
    outcome = lines[0].split(",").index("mrecist")
    both = [[line for line in lines[1:] if line.split(",")[outcome] == kind][:7] for kind in ("PR", "SD")]
    own = tmp_path / "few.csv"
    own.write_text("\n".join([lines[0], *both[0], *both[1]]) + "\n", encoding="utf-8")
    words = ["train", "selection", str(own), "--images", str(table.parent), "--out", str(tmp_path / "out"), *QUICK]
    assert main(words) == 2
    assert re.search(r"At least 10 patients to learn from were expected, found \d beside", capsys.readouterr().err)
    assert not (tmp_path / "out-training").exists()


def test_a_patient_without_a_folder_and_a_mixture_are_refused(table, tmp_path, capsys):
    root = tmp_path / "mixed"
    own = write_cases(root, CASES)
    case = root / "case-03" / "case.json"
    data = json.loads(case.read_text(encoding="utf-8"))
    case.write_text(json.dumps({**data, "synthetic": False}), encoding="utf-8")
    words = ["train", "selection", str(own), "--images", str(root), "--out", str(tmp_path / "out"), *QUICK]
    assert main(words) == 2
    assert "cannot be learned from together" in capsys.readouterr().err
    case.unlink()
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "'case-03'" in said
    assert "more" not in said


def test_images_that_no_package_would_be_applied_to_are_not_learned_from(tmp_path, capsys):
    own = write_cases(tmp_path / "cohort", CASES)
    stored, lost = (tmp_path / "cohort" / name for name in ("case-01", "case-02"))
    for path in stored.glob("*al.nii.gz"):  # as a scanner stores CT, without its rescaling
        sitk.WriteImage(sitk.ReadImage(str(path)) + 1024.0, str(path))
    liver = sitk.ReadImage(str(lost / "liver.nii.gz"))
    sitk.WriteImage(sitk.Cast(sitk.Image(liver) == 0, sitk.sitkUInt8), str(lost / "liver.nii.gz"))
    words = ["train", "selection", own, "--images", own.parent, "--out", tmp_path / "out", *QUICK]
    status, said = run(capsys, *words)
    assert status == 0
    assert set(said["lost"]) == {"case-01", "case-02"}
    assert "found no level below" in said["lost"]["case-01"]
    assert "outside the liver" in said["lost"]["case-02"]
