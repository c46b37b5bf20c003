"""One worker at a time: cancelled with all that it started, its log on demand, nothing done at length in the window."""

from __future__ import annotations

import os
import sys
import time

import psutil
import pytest
from window_steps import fill_in

from hccoutcome.gui.runner import JobRunner

STUBBORN = """
import json, pathlib, signal, subprocess, sys, time
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
folder = pathlib.Path(sys.argv[-1])
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
mother = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {deaf!r}]); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", mother])
print(json.dumps({"event": "progress", "fraction": 0.5, "message": "working"}), flush=True)
time.sleep(600)
"""


def lives(process):
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals on Windows")
def test_cancel_ends_workers_children_and_grandchildren_that_ignore_a_polite_request(tmp_path, children):
    (tmp_path / "worker.py").write_text(STUBBORN)
    runner = JobRunner([sys.executable, str(tmp_path / "worker.py")], os.environ)
    folder = tmp_path / "job"
    folder.mkdir()
    runner.start(folder)
    deadline = time.monotonic() + 30
    while len(children()) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    family = children()
    began = time.monotonic()
    runner.cancel()
    assert time.monotonic() - began < 2.0
    assert not [process for process in family if lives(process)]


@pytest.fixture
def window(open_module, case_nodes, fake_worker):
    widget = open_module("HCCSurvival")
    fill_in(widget, case_nodes)
    return widget


def test_a_worker_that_is_killed_is_reported_and_the_scene_stays(scene, window, fake_worker, until, children):
    fake_worker("slow")
    ui = window.window.ui
    before = scene.GetNumberOfNodes()
    ui.applyButton.click()
    until(lambda: ui.messageLabel.text.startswith("Pretending"))
    for process in children():
        process.kill()
    until(lambda: ui.applyButton.text == "Apply")
    assert ui.messageLabel.text.startswith("The worker process ended unexpectedly (exit status -9)")
    assert scene.GetNumberOfNodes() == before
    assert ui.applyButton.enabled, "it can be run again"


def test_the_log_is_shown_on_demand_and_followed(window, fake_worker, until):
    fake_worker("chatty")
    ui = window.window.ui
    assert ui.logButton.collapsed
    ui.applyButton.click()
    until(lambda: ui.messageLabel.text.startswith("Pretending"))
    assert ui.logText.plainText == "", "nobody looks"
    ui.logButton.setCollapsed(False)
    until(lambda: "a line for the log" in ui.logText.plainText)
    ui.applyButton.click()
    assert "a line for the log" in ui.logText.plainText, "it stays when the job is over"


def test_the_time_left_stands_behind_the_stage(window):
    from hccoutcome.gui.timeleft import TimeLeft

    run, ui = window.window.run, window.window.ui
    run.show_running()
    now = [0.0]
    run._left = TimeLeft(lambda: now[0])
    run.show_progress(0.1, "reading the images")
    assert ui.messageLabel.text == "Reading the images..."
    now[0] = 30.0
    run.show_progress(0.25, "measuring")
    assert ui.messageLabel.text == "Measuring... About 2 min left."


def test_cancel_while_voxels_are_handed_over_leaves_nothing_behind(scene, window, monkeypatch, tmp_path, until):
    from hccoutcome.gui import work
    from hccoutcome.scene import handover

    monkeypatch.setattr(work.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(work, "STEP_SECONDS", 0.0)
    monkeypatch.setattr(handover, "SLAB_BYTES", 64)
    monkeypatch.setattr(work.CaseWork, "_hand_over", _one_step)
    ui = window.window.ui
    ui.applyButton.click()
    until(lambda: "handing over" in ui.messageLabel.text.lower())
    assert list(tmp_path.glob("hcc-job-*/*.nrrd"))
    ui.applyButton.click()
    assert ui.messageLabel.text == "Cancelled; the scene is as it was."
    assert not list(tmp_path.glob("hcc-job-*"))
    assert not window.logic.analysis.running


def _one_step(self, deadline):
    self.progressed.emit(0.0, f"handing over the images ({100 * next(self._writing):.0f} %)")


def test_a_full_disk_while_voxels_are_handed_over_is_a_sentence(window, monkeypatch, until):
    from hccoutcome.scene import inputs

    def full(*words):
        raise OSError(28, "No space left on device")
        yield

    monkeypatch.setattr(inputs, "write_volume", full)
    ui = window.window.ui
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply")
    assert ui.messageLabel.text == (
        "The images cannot be handed over (No space left on device): make room on the disk."
    )


def test_one_job_at_a_time(window, fake_worker, until):
    from hccoutcome.errors import InputError

    fake_worker("slow")
    ui = window.window.ui
    ui.applyButton.click()
    until(lambda: ui.messageLabel.text.startswith("Pretending"))
    assert not ui.outlineApplyButton.enabled
    assert ui.outlineReadyLabel.text == "Other work of this window is under way: wait for it or cancel it."
    with pytest.raises(InputError, match="An analysis is under way"):
        window.logic.process(window.window.scene_case(), ["radscore-tace-ct"], wait=False)


def test_a_temporary_folder_that_cannot_be_made_is_a_sentence(window, fake_worker, until, monkeypatch, tmp_path):
    from hccoutcome.gui import work

    ui = window.window.ui
    monkeypatch.setattr(work.tempfile, "tempdir", str(tmp_path / "none"))
    ui.applyButton.click()
    assert ui.messageLabel.text.startswith("No temporary folder can be made (No such file or directory): make room")
    monkeypatch.undo()
    fake_worker("good")
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply")
    monkeypatch.setattr(work.tempfile, "tempdir", str(tmp_path / "none"))
    ui.reportButton.click()
    assert ui.messageLabel.text.startswith("No temporary folder can be made")


def test_a_worker_that_cannot_be_started_is_a_sentence(window, until, monkeypatch):
    from hccoutcome.gui import work

    monkeypatch.setattr(work, "worker_command", lambda: ("/no/such/python",))
    ui = window.window.ui
    ui.applyButton.click()
    until(lambda: ui.applyButton.text == "Apply")
    assert ui.messageLabel.text.startswith("The worker process cannot be started (No such file or directory)")
    assert not window.logic.analysis.running


def test_voxels_and_segments_that_go_while_they_are_handed_over_are_a_sentence(window, case_nodes, monkeypatch):
    ui = window.window.ui
    ui.applyButton.click()
    case_nodes.images["arterial"].SetAndObserveImageData(None)
    window.window._step()
    assert ui.messageLabel.text.startswith("The volume 'Arterial phase' has no voxels")


def test_what_an_application_that_died_left_behind_is_removed_after_a_day(
    window, fake_worker, until, monkeypatch, tmp_path
):
    from hccoutcome.gui import work

    monkeypatch.setattr(work.tempfile, "tempdir", str(tmp_path))
    left, fresh, other = tmp_path / "hcc-job-left", tmp_path / "hcc-job-fresh", tmp_path / "another"
    for folder in (left, fresh, other):
        folder.mkdir()
        (folder / "portal.nrrd").touch()
        for path in (folder / "portal.nrrd", folder):
            os.utime(path, (time.time() - 2 * 24 * 3600,) * 2)
    (fresh / "portal.nrrd").touch()
    fake_worker("good")
    window.window.ui.applyButton.click()
    until(lambda: window.window.ui.applyButton.text == "Apply")
    assert {path.name for path in tmp_path.iterdir()} == {"hcc-job-fresh", "another"}
