"""A job in a process of its own: its events, its exit status, and results that appear whole or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hccoutcome.errors import Cancelled, EnvironmentNeeded, InputError
from hccoutcome.jobs import AnalyseJob
from hccoutcome.loading import read_case_folder
from hccoutcome.processes import own_environment
from hccoutcome.worker import run_job


def job(phantom: Path, out: Path, **changes) -> AnalyseJob:
    return AnalyseJob(
        **{"case": read_case_folder(phantom), "packages": ("albi",), "out": out, "scene": False, "report": False}
        | changes
    )


def run_worker(folder: Path) -> tuple[int, list[dict]]:
    process = subprocess.run(
        [sys.executable, "-m", "hccoutcome.worker", folder], capture_output=True, text=True, env=own_environment()
    )
    return process.returncode, [json.loads(line) for line in process.stdout.splitlines()]


def test_a_job_is_the_same_after_saving_and_loading(phantom: Path, tmp_path: Path) -> None:
    written = job(
        phantom, tmp_path / "out", settings=("prime",), references={"albi": tmp_path / "r.json"}, fingerprint="f"
    )
    written.save(tmp_path / "job")
    assert AnalyseJob.load(tmp_path / "job") == written


@pytest.mark.parametrize("text", ["", "{}", '{"kind": "train"}', '{"kind": "analyse", "case": 3}', "[1]"])
def test_a_folder_without_a_job_of_this_version_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "job.json").write_text(text)
    with pytest.raises(InputError, match=r"job\.json|case\.json"):
        AnalyseJob.load(tmp_path)


def test_a_job_needs_something_to_do(phantom: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one package or parameter file"):
        job(phantom, tmp_path, packages=())


def test_the_worker_reports_progress_and_its_result(phantom: Path, tmp_path: Path) -> None:
    job(phantom, tmp_path / "out").save(tmp_path / "job")
    status, events = run_worker(tmp_path / "job")
    assert status == 0
    fractions = [event["fraction"] for event in events if event["event"] == "progress"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert events[-1] == {"event": "result", "path": str(tmp_path / "out" / "result.json")}
    assert json.loads((tmp_path / "out" / "result.json").read_text())["results"][0]["package"] == "albi"


def test_wrong_input_ends_the_worker_with_status_two_and_a_sentence(phantom: Path, tmp_path: Path) -> None:
    job(phantom, tmp_path / "out", packages=("no-such-package",)).save(tmp_path / "job")
    status, events = run_worker(tmp_path / "job")
    assert status == 2
    assert "no-such-package" in events[-1]["message"]
    assert not (tmp_path / "out").exists()


def test_what_libraries_print_does_not_disturb_the_events(tmp_path: Path) -> None:
    script = "import sys, hccoutcome.worker as w; s = w._private_stdout(); print('noise'); s.write('event'); s.flush()"
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=own_environment())
    assert process.stdout == "event"
    assert "noise" in process.stderr


def test_a_cancelled_job_leaves_nothing_behind(phantom: Path, tmp_path: Path) -> None:
    def stop(fraction: float, message: str) -> None:
        if fraction > 0.5:
            raise Cancelled("stopped by the user")

    with pytest.raises(Cancelled):
        run_job(job(phantom, tmp_path / "out"), stop)
    assert list(tmp_path.iterdir()) == []


def test_results_replace_older_ones_and_leave_other_files(phantom: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    (out / "result.json").write_text("old")
    run_job(job(phantom, out))
    assert (out / "notes.txt").read_text() == "mine"
    assert json.loads((out / "result.json").read_text())["case"] == "phantom-0001"
    assert {path.name for path in out.iterdir()} == {"notes.txt", "result.json", "features.csv"}


def test_a_folder_that_cannot_be_made_is_named(phantom: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentNeeded, match="A file stands where the folder"):
        run_job(job(phantom, tmp_path / "file" / "out"))


def test_a_worker_whose_starter_is_gone_ends(phantom: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "hccoutcome.worker", "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=own_environment(),
    )
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_nothing_of_an_older_result_stays_beside_a_new_one(phantom: Path, tmp_path: Path) -> None:
    """Or the report of one patient would lie beside the result of another."""
    out = tmp_path / "out"
    run_job(job(phantom, out, report=True))
    assert (out / "report.html").exists()
    run_job(job(phantom, out))
    assert {path.name for path in out.iterdir()} == {"result.json", "features.csv"}


def test_a_reference_for_a_package_that_is_not_applied_is_refused(phantom: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'haic-mri-cr', which is not among the packages; Known: albi"):
        job(phantom, tmp_path / "out", references={"haic-mri-cr": tmp_path / "none.json"})
