"""TotalSegmentator: its commands and lines as pure functions, a stand-in in its formats, and itself where it is."""

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

from hccoutcome.errors import Cancelled, EnvironmentNeeded
from hccoutcome.imaging.geometry import same_geometry
from hccoutcome.progress import silent
from hccoutcome.segmentation import Task, choose, segment
from hccoutcome.segmentation.setup import Setup, change_setup
from hccoutcome.segmentation.totalsegmentator import (
    StageReader,
    TotalSegmentator,
    detect_phase,
    phase_in,
    segmenter,
    task_command,
)
from hccoutcome.segmentation.totalsegmentator_tasks import WEIGHTS, downloads_for, tasks_for

REAL = os.environ.get("HCC_TEST_TOTALSEGMENTATOR", "")
"""A Python that has TotalSegmentator and nnU-Net."""
needs_real = pytest.mark.skipif(
    not REAL, reason="HCC_TEST_TOTALSEGMENTATOR does not name a Python with TotalSegmentator"
)
posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in programs start by their first line")
EVERYTHING = frozenset(WEIGHTS)


# --- pure functions -----------------------------------------------------------------------------------------------


def test_each_region_comes_from_its_task_and_one_task_is_run_once():
    names = [task.task for task in tasks_for(("liver", "tumor", "segment4", "segment7", "vessel"), "CT", EVERYTHING)]
    assert names == ["total", "liver_lesions", "liver_segments", "liver_vessels"]
    names = [task.task for task in tasks_for(("liver", "tumor", "segment4"), "MR", EVERYTHING)]
    assert names == ["total_mr", "liver_lesions_mr", "liver_segments_mr"]


def test_the_liver_is_found_at_3_mm_where_only_those_weights_are_there():
    (fine,) = tasks_for(("liver",), "CT", EVERYTHING)
    (coarse,) = tasks_for(("liver",), "CT", frozenset((297, 298)))
    assert "--fast" not in fine.arguments
    assert "--fast" in coarse.arguments


@pytest.mark.parametrize(
    ("missing", "names"),
    [
        ((291, 292, 293, 294, 295, 298), ("total",)),
        ((591, 297), ("total_fast", "liver_lesions")),
        ((8, 298), {"liver_vessels", "total", "total_fast"}),
        ((589, 852), {"liver_lesions_mr", "total_fast_mr"}),
    ],
)
def test_the_downloads_bring_what_is_missing(missing, names):
    found = downloads_for(frozenset(missing))
    assert set(found) <= set(names)
    assert len(found) <= 2


def test_the_command_is_the_program_s_own():
    (task,) = tasks_for(("liver",), "CT", EVERYTHING)
    assert task_command(Path("TS"), task, Path("ct.nii"), Path("out"), "cuda") == [
        "TS", "-i", "ct.nii", "-o", "out", "-ta", "total", "-d", "gpu", "-nr", "1", "-ns", "1", "--roi_subset", "liver",
    ]  # fmt: skip


def test_its_lines_become_progress_that_never_goes_back():
    lines = """
    If you use this tool please cite
    Generating rough segmentation for cropping...
      0%|          | 0/2 [00:00<?, ?it/s]
    100%|##########| 2/2 [00:01<00:00]
    Resampling...
      Resampled in 0.21s
    Predicting...
      0%|          | 0/8 [00:00<?, ?it/s]
     50%|#####     | 4/8 [00:01<00:01]
    100%|##########| 8/8 [00:02<00:00]
      0%|          | 0/8 [00:00<?, ?it/s]
      Predicted in 3.10s
    Resampling...
    Saving segmentations...
      Saved in 0.02s
    """.splitlines()
    reader = StageReader()
    said = [found for line in lines if (found := reader(line)) is not None]
    fractions = [fraction for fraction, _ in said]
    assert fractions == sorted(fractions)
    assert 0.5 < next(fraction for fraction, words in said if words == "running the network" and fraction > 0.4) < 0.6
    assert list(dict.fromkeys(words for _, words in said)) == [
        "finding the liver", "resampling", "running the network", "bringing the masks back", "saving the masks",
    ]  # fmt: skip


def test_the_phase_is_read_from_what_it_writes():
    found = phase_in(
        '{"pi_time": 71.3, "phase": "portal_venous", "probability": 1.0, "pi_time_min": 66, "pi_time_max": 80}'
    )
    assert (found.phase, found.seconds, found.range_s) == ("portal", 71.3, (66.0, 80.0))
    with pytest.raises(EnvironmentNeeded, match=r"expected to name a phase as version 2\.18 does"):
        phase_in('{"phase": "teatime"}')


# --- what is missing ----------------------------------------------------------------------------------------------


def with_weights(folder: Path, *numbers: int) -> Path:
    for number in numbers:
        fold = folder / WEIGHTS[number] / "nnUNetTrainer__nnUNetPlans__3d_fullres" / "fold_0"
        fold.mkdir(parents=True)
        (fold / "checkpoint_final.pth").write_bytes(str(number).encode())
    return folder


def test_without_the_program_it_says_to_install_it_apart_and_name_its_python(monkeypatch):
    monkeypatch.setenv("PATH", "")
    step = segmenter().readiness().step
    assert "into a Python environment of its own and name that Python: hcc engine totalsegmentator --python" in step


@posix
def test_without_weights_it_names_the_downloads_and_the_folder(tmp_path, ct):
    python = environment_with(tmp_path / "ts", "TotalSegmentator")
    made = TotalSegmentator(Setup(python=python, weights=with_weights(tmp_path / "w", 297, 298)))
    assert made.readiness().ready
    assert made.readiness(Task({"portal": ct}, ("liver",))).ready
    tumour = Task({"portal": ct}, ("tumor",))
    assert not made.readiness(tumour).ready
    with pytest.raises(EnvironmentNeeded, match=r"run 'totalseg_download_weights -t liver_lesions' in its environment"):
        choose("totalsegmentator", tumour, [made])
    with pytest.raises(EnvironmentNeeded, match="is not ready on this machine: run 'totalseg_download_weights"):
        made.segment(tumour, silent)


# --- the stand-in -------------------------------------------------------------------------------------------------


@posix
def test_the_masks_of_a_run_are_those_that_the_program_wrote(tmp_path, ct, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    monkeypatch.setenv("APPLAUNCHER_LEVEL", "1")
    monkeypatch.setenv("APPLAUNCHER_0_PATH", os.environ["PATH"])
    monkeypatch.setenv("APPLAUNCHER_0_LANG", "C.UTF-8")
    python = environment_with(tmp_path / "ts", "TotalSegmentator")
    weights = with_weights(tmp_path / "w", 297, 298, 591, 570)
    change_setup("totalsegmentator", {"python": python, "weights": weights, "device": "cpu"})
    said = []
    draft = segment(Task({"portal": ct}, ("liver", "tumor")), "totalsegmentator", lambda done, words: said.append(done))
    values = sitk.GetArrayFromImage(ct)
    for region, border in (("liver", 35), ("tumor", 190)):
        assert same_geometry(draft.masks[region], ct)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(draft.masks[region]) != 0, values > border)
    provenance = draft.provenance
    assert provenance["engine"] == "totalsegmentator"
    assert provenance["settings"]["tasks"] == [["total", "--fast", "--roi_subset", "liver"], ["liver_lesions"]]
    assert {name.split("/")[0] for name in provenance["weights"]} == {WEIGHTS[n] for n in (297, 298, 591)}
    assert provenance["device"] == "cpu"
    assert said == sorted(said)
    json.dumps(provenance)


@posix
def test_where_the_graphics_card_fails_the_processor_does_it(tmp_path, ct, monkeypatch):
    monkeypatch.setattr("hccoutcome.segmentation.devices.available_devices", lambda *_: ("cuda", "cpu"))
    python = environment_with(tmp_path / "ts", "TotalSegmentator")
    made = TotalSegmentator(Setup(python=python, weights=with_weights(tmp_path / "w", 297, 298, 591)))
    draft = made.segment(Task({"portal": ct}, ("tumor", "liver")), silent)
    assert draft.provenance["device"] == "cpu"
    assert draft.provenance["device_note"] == "cuda could not be used"
    assert sitk.GetArrayViewFromImage(draft.masks["liver"]).any()


@posix
def test_a_cancel_ends_the_program_and_what_it_started(tmp_path, ct, monkeypatch):
    pids = tmp_path / "pids"
    monkeypatch.setenv("STAND_IN_HANGS", str(pids))
    python = environment_with(tmp_path / "ts", "TotalSegmentator")
    made = TotalSegmentator(Setup(python=python, weights=with_weights(tmp_path / "w", 297, 591), device="cpu"))

    def cancel(fraction: float, message: str) -> None:
        if pids.exists():
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        made.segment(Task({"portal": ct}, ("tumor",)), cancel)
    for pid in map(int, pids.read_text().split()):
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@posix
def test_the_phase_of_a_ct_is_detected(tmp_path, ct):
    python = environment_with(tmp_path / "ts", "TotalSegmentator", "totalseg_get_phase")
    weights = with_weights(tmp_path / "w", 297)
    found = detect_phase(ct, Setup(python=python, weights=weights, device="cpu"), silent)
    assert (found.phase, found.found, found.seconds) == ("arterial", "arterial_late", 41.7)
    with pytest.raises(EnvironmentNeeded, match="The phase cannot be detected on this machine: run 'totalseg_download"):
        detect_phase(ct, Setup(python=python, weights=tmp_path), silent)


# --- the program itself -------------------------------------------------------------------------------------------


@needs_real
def test_the_program_itself_runs_tiny_networks_in_its_own_weights_folder(tmp_path):
    values = np.full((30, 40, 36), -50, np.int16)
    values[6:24, 8:34, 6:30] = 170
    values[12:18, 14:24, 12:20] = 280
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((2.5, 2.5, 3.0))
    image.SetDirection((-1, 0, 0, 0, 1, 0, 0, 0, 1))
    organs = {"background" if label == 0 else f"organ{label}": label for label in range(118)}
    models = (
        (297, "nnUNetTrainer_4000epochs_NoMirroring", "3d_fullres", organs, [3, 3, 3], [0, 5, 5]),
        (298, "nnUNetTrainer_4000epochs_NoMirroring", "3d_fullres", organs, [6, 6, 6], [0, 5, 5]),
        (591, "nnUNetTrainer", "3d_fullres_high", {"background": 0, "lesion": 1}, [1, 0.75, 0.75], [0, 0, 1]),
    )
    request = [
        {
            "folder": str(tmp_path / WEIGHTS[number] / f"{trainer}__nnUNetPlans__{configuration}"),
            "trainer": trainer, "configuration": configuration, "labels": labels, "spacing": spacing, "bands": bands,
        }
        for number, trainer, configuration, labels, spacing, bands in models
    ]  # fmt: skip
    script = Path(__file__).parent / "tiny_nnunet.py"
    subprocess.run([REAL, str(script), json.dumps(request)], check=True, capture_output=True)
    made = TotalSegmentator(Setup(python=Path(REAL), weights=tmp_path, device="cpu"))
    draft = made.segment(Task({"portal": image}, ("liver", "tumor")), silent)
    for region, border in (("liver", 150), ("tumor", 200)):
        found, truth = sitk.GetArrayFromImage(draft.masks[region]) != 0, values > border
        assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.9, region
    assert draft.provenance["version"].startswith("2.")
