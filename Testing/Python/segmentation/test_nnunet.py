"""nnU-Net: model folders read without opening a checkpoint, trust, labels, a stand-in, and itself where it is."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import psutil
import pytest
import SimpleITK as sitk
from stand_ins import environment_with

from hccoutcome.errors import Cancelled, EnvironmentNeeded, InputError
from hccoutcome.imaging.geometry import same_geometry
from hccoutcome.progress import silent
from hccoutcome.segmentation import Task
from hccoutcome.segmentation.label_map import labels_by_name, parse_label_map, region_named
from hccoutcome.segmentation.nnunet import FoldReader, NnUnet, fingerprint, predict_command, read_model_folder
from hccoutcome.segmentation.setup import Setup

REAL = os.environ.get("HCC_TEST_NNUNET", "")
"""A Python that has nnU-Net v2."""
needs_real = pytest.mark.skipif(not REAL, reason="HCC_TEST_NNUNET does not name a Python with nnU-Net v2")
posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in programs start by their first line")
LITS = {"background": 0, "liver": 1, "cancer": 2}


def model_folder(folder: Path, folds: tuple[str, ...] = ("0",), **changes) -> Path:
    """Write what a trained model folder holds, with checkpoints that nobody can load."""
    dataset = {"channel_names": {"0": "CT"}, "labels": LITS, "numTraining": 131, "file_ending": ".nii.gz", **changes}
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps(dataset))
    (folder / "plans.json").write_text(json.dumps({"dataset_name": "Dataset003_Liver", "plans_name": "nnUNetPlans"}))
    for fold in folds:
        (folder / f"fold_{fold}").mkdir()
        (folder / f"fold_{fold}" / "checkpoint_final.pth").write_bytes(f"fold {fold}".encode())
    return folder


# --- the folder ---------------------------------------------------------------------------------------------------


def test_a_model_folder_is_read_by_its_two_json_files(tmp_path):
    model = read_model_folder(model_folder(tmp_path / "m", ("0", "3", "all")))
    assert (model.name, model.channels, model.folds) == ("Dataset003_Liver", ("CT",), ("0", "3", "all"))
    assert model.modalities == ("CT",)
    assert len(model.files) == 5
    mr = read_model_folder(model_folder(tmp_path / "mr", channel_names={"0": "T2w", "1": "DWI"}))
    assert mr.modalities == ("MR",)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda m: (m / "plans.json").unlink(), r"should hold plans\.json, which cannot be read"),
        (lambda m: (m / "dataset.json").write_text("{}"), "should state labels, channel_names and file_ending"),
        (lambda m: (m / "dataset.json").write_text('{"labels": {"liver": "1"}}'), "should state labels"),
        (lambda m: (m / "fold_0" / "checkpoint_final.pth").unlink(), r"should hold fold_0/checkpoint_final\.pth"),
        (lambda m: (m / "dataset.json").write_text("[1]"), "should be an object with named fields"),
    ],
)
def test_what_is_no_model_folder_is_refused(tmp_path, spoil, message):
    folder = model_folder(tmp_path / "m")
    spoil(folder)
    with pytest.raises(InputError, match=message):
        read_model_folder(folder)


def test_the_fingerprint_is_that_of_the_bytes_and_not_of_the_place(tmp_path):
    one, other = (read_model_folder(model_folder(tmp_path / name)) for name in ("a", "b"))
    assert fingerprint(one) == fingerprint(other)
    (other.path / "fold_0" / "checkpoint_final.pth").write_bytes(b"fold 1")
    assert fingerprint(one) != fingerprint(other)


# --- labels -------------------------------------------------------------------------------------------------------


def test_the_labels_of_known_data_sets_are_understood():
    assert labels_by_name({"background": (0,), "liver": (1,), "cancer": (2,)}) == {"liver": (1, 2), "tumor": (2,)}
    assert labels_by_name({"whole_liver": (1, 2), "tumour": (2,)}) == {"liver": (1, 2), "tumor": (2,)}
    assert labels_by_name({"vessel": (1,), "tumor": (2,), "spleen": (3,)}) == {"vessel": (1,), "tumor": (2,)}
    assert labels_by_name({"liver_segment_4": (4,), "Couinaud-Segment-8": (8,)}) == {"segment4": (4,), "segment8": (8,)}
    assert region_named("kidney tumor") is None


def test_labels_may_be_said_and_are_checked():
    known = {"background": (0,), "a": (1,), "b": (2,)}
    assert parse_label_map("liver=1+2, tumour=2", known) == {"liver": (1, 2), "tumor": (2,)}
    for text, message in (
        ("liver", "Labels are given as REGION=LABEL"),
        ("liver=3", "has the labels 1, 2, found 3 asked for"),
        ("spleen=1", "'spleen' is not a known region"),
        ("liver=0", "found 0 asked for"),
    ):
        with pytest.raises(InputError, match=message):
            parse_label_map(text, known)


# --- readiness and trust ------------------------------------------------------------------------------------------


@posix
def test_each_thing_that_is_missing_has_its_step(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "install nnunetv2 into a Python environment of its own" in NnUnet().readiness().step
    python = environment_with(tmp_path / "nn", "nnUNetv2_predict_from_modelfolder")
    assert "hcc engine nnunet --model FOLDER" in NnUnet(Setup(python=python)).readiness().step
    folder = model_folder(tmp_path / "m")
    untrusted = NnUnet(Setup(python=python, model=folder)).readiness()
    assert not untrusted.ready
    assert "(nnU-Net runs code that a checkpoint may hold), say so: hcc engine nnunet --trust" in untrusted.step
    organs = NnUnet(Setup(python=python, model=model_folder(tmp_path / "o", labels={"spleen": 1})))
    assert "expected to name a region" in organs.readiness().step


@posix
def test_a_model_is_not_run_unless_it_is_trusted_as_it_is(tmp_path, ct):
    python = environment_with(tmp_path / "nn", "nnUNetv2_predict_from_modelfolder")
    folder = model_folder(tmp_path / "m")
    task = Task({"portal": ct}, ("tumor",))
    with pytest.raises(EnvironmentNeeded, match="if you trained the model"):
        NnUnet(Setup(python=python, model=folder)).segment(task, silent)
    trusted = Setup(python=python, model=folder, device="cpu", trusted=fingerprint(read_model_folder(folder)))
    (folder / "fold_0" / "checkpoint_final.pth").write_bytes(b"another")
    with pytest.raises(EnvironmentNeeded, match="has changed since it was trusted: find out why"):
        NnUnet(trusted).segment(task, silent)


# --- the stand-in -------------------------------------------------------------------------------------------------


def ready(tmp_path: Path, **changes) -> NnUnet:
    python = environment_with(tmp_path / "nn", "nnUNetv2_predict_from_modelfolder")
    folder = model_folder(tmp_path / "m", ("0", "1"), **changes)
    return NnUnet(Setup(python=python, model=folder, device="cpu", trusted=fingerprint(read_model_folder(folder))))


@posix
def test_liver_and_tumour_come_from_one_run_the_tumour_within_the_liver(tmp_path, ct):
    said = []
    draft = ready(tmp_path).segment(Task({"portal": ct}, ("liver", "tumor")), lambda done, words: said.append(done))
    values = sitk.GetArrayFromImage(ct)
    for region, border in (("liver", 35), ("tumor", 190)):
        assert same_geometry(draft.masks[region], ct)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(draft.masks[region]) != 0, values > border)
    assert draft.provenance["settings"]["folds"] == ["0", "1"]
    assert set(draft.provenance["weights"]) == {
        "dataset.json", "plans.json", "fold_0/checkpoint_final.pth", "fold_1/checkpoint_final.pth",
    }  # fmt: skip
    assert said == sorted(said)
    json.dumps(draft.provenance)


@posix
def test_several_channels_are_phases_on_one_grid_in_the_model_s_order(tmp_path, ct):
    made = ready(tmp_path, channel_names={"0": "arterial", "1": "venous"})
    dark = ct * 0
    found = made.segment(Task({"arterial": dark, "portal": ct}, ("liver",)), silent).masks["liver"]
    assert (sitk.GetArrayViewFromImage(found) != 0).sum() == (sitk.GetArrayViewFromImage(ct) > 35).sum()
    with pytest.raises(InputError, match="takes the arterial image too, found portal: give it as well"):
        made.segment(Task({"portal": ct}, ("liver",)), silent)
    with pytest.raises(InputError, match="expected on the grid of the first image"):
        made.segment(Task({"portal": ct, "arterial": ct[:, :, 1:]}, ("liver",)), silent)


@posix
def test_a_cancel_ends_nnunet_and_its_workers(tmp_path, ct, monkeypatch):
    pids = tmp_path / "pids"
    monkeypatch.setenv("STAND_IN_HANGS", str(pids))

    def cancel(fraction: float, message: str) -> None:
        if pids.exists():
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        ready(tmp_path).segment(Task({"portal": ct}, ("liver",)), cancel)
    for pid in map(int, pids.read_text().split()):
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_the_command_is_the_program_s_own(tmp_path):
    model = read_model_folder(model_folder(tmp_path / "m", ("0", "2")))
    command = predict_command(Path("P"), model, Path("in"), Path("out"), "cuda")
    assert command[:5] == ["P", "-i", "in", "-o", "out"]
    assert command[command.index("-f") + 1 : command.index("-chk")] == ["0", "2"]
    assert command[command.index("-device") + 1] == "cuda"


def test_the_bars_of_several_folds_become_one():
    reader = FoldReader(2)
    bars = [" 50%|##| 1/2", "100%|####| 2/2", "  0%|  | 0/2", "100%|####| 2/2"]
    fractions = [reader(line)[0] for line in ("Predicting case:", *bars, "done with case")]
    assert fractions == sorted(fractions)
    assert fractions[2] == pytest.approx(0.5)
    assert fractions[4] == pytest.approx(0.95)


# --- nnU-Net itself -----------------------------------------------------------------------------------------------


@needs_real
def test_nnunet_itself_runs_a_tiny_network_in_its_own_folder(tmp_path, ct):
    request = {
        "folder": str(tmp_path / "m"), "trainer": "nnUNetTrainer", "configuration": "3d_fullres", "labels": LITS,
        "spacing": [2.0, 1.6, 1.6], "bands": [0, 1, 2],
    }  # fmt: skip
    script = Path(__file__).parent / "tiny_nnunet.py"
    subprocess.run([REAL, str(script), json.dumps([request])], check=True, capture_output=True)
    model = read_model_folder(tmp_path / "m")
    made = NnUnet(Setup(python=Path(REAL), model=model.path, device="cpu", trusted=fingerprint(model)))
    draft = made.segment(Task({"portal": ct}, ("liver", "tumor")), silent)
    values = sitk.GetArrayFromImage(ct)
    for region, border in (("liver", 100), ("tumor", 200)):
        np.testing.assert_array_equal(sitk.GetArrayFromImage(draft.masks[region]) != 0, values > border)
    assert draft.provenance["version"].startswith("2.")
