"""The runner with a real child process that speaks as the worker does."""

from __future__ import annotations

import os
import sys
import time

import psutil
import pytest

from hccoutcome.gui.runner import Failed, Finished, JobRunner, Progressed, parse_event

WORKER = """
import json, pathlib, subprocess, sys, time
folder = pathlib.Path(sys.argv[-1])
def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)
mode = (folder / "mode").read_text()
say("progress", fraction=0.25, message="reading")
if mode == "good":
    say("progress", fraction=1.0, message="done")
    say("result", path=str(folder / "result.json"))
elif mode == "bad":
    say("error", message="The mask is empty: outline it.", status=2, cancelled=False)
    sys.exit(2)
elif mode == "dead":
    print("last words", file=sys.stderr)
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
elif mode == "silent":
    sys.exit(0)
elif mode == "family":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (folder / "child").write_text(str(child.pid))
    time.sleep(600)
"""


@pytest.fixture
def job(tmp_path):
    """A job folder of a mode, and a runner whose signals are collected."""
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    runner = JobRunner([sys.executable, str(script)], os.environ)
    heard = []
    for name in ("progressed", "finished", "failed", "cancelled"):
        getattr(runner, name).connect(lambda *values, name=name: heard.append((name, *values)))

    def start(mode):
        folder = tmp_path / mode
        folder.mkdir()
        (folder / "mode").write_text(mode)
        runner.start(folder)
        return folder

    yield runner, heard, start
    runner.cancel()


def test_a_job_reports_progress_and_then_its_result(job):
    runner, heard, start = job
    folder = start("good")
    assert runner.running
    runner.wait()
    assert not runner.running
    assert heard == [
        ("progressed", 0.25, "reading"),
        ("progressed", 1.0, "done"),
        ("finished", folder / "result.json"),
    ]


def test_an_error_of_the_worker_is_its_sentence(job):
    runner, heard, start = job
    start("bad")
    runner.wait()
    assert heard[-1] == ("failed", Failed("The mask is empty: outline it.", wrong_input=True))


@pytest.mark.parametrize(("mode", "status", "words"), [("dead", "-9", "last words"), ("silent", "0", "")])
def test_a_worker_that_dies_is_reported_with_the_end_of_its_log(job, mode, status, words):
    runner, heard, start = job
    start(mode)
    runner.wait()
    name, failure = heard[-1]
    assert name == "failed"
    assert failure.message.startswith(f"The worker process ended unexpectedly (exit status {status}); the scene is as")
    assert failure.message.endswith(words)


def test_cancel_ends_the_worker_and_all_that_it_started_within_two_seconds(job):
    runner, heard, start = job
    folder = start("family")
    deadline = time.monotonic() + 20
    while not (folder / "child").exists() or not (folder / "child").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child = int((folder / "child").read_text())
    began = time.monotonic()
    runner.cancel()
    assert time.monotonic() - began < 2.0
    assert heard[-1] == ("cancelled",)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    assert not runner.running


def test_only_one_job_runs_at_a_time(job):
    runner, _, start = job
    folder = start("family")
    with pytest.raises(RuntimeError, match="a job is under way"):
        runner.start(folder)


def test_a_runner_can_be_used_again(job):
    runner, heard, start = job
    start("bad")
    runner.wait()
    start("good")
    runner.wait()
    assert [name for name, *_ in heard] == ["progressed", "failed", "progressed", "progressed", "finished"]


def test_events_are_read_by_their_kind(tmp_path):
    assert parse_event('{"event": "progress", "fraction": 0.5, "message": "m"}') == Progressed(0.5, "m")
    assert parse_event('{"event": "result", "path": "/r.json"}') == Finished(type(tmp_path)("/r.json"))
    assert parse_event('{"event": "error", "message": "e"}') == Failed("e")
    assert parse_event('{"event": "end", "status": 0}') is None
    with pytest.raises(ValueError):
        parse_event("not an event")
