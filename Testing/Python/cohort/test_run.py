"""A cohort: every case once, one bad case alone, nothing lost and nothing done twice."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from hccoutcome.cohort.pool import Outcome, run_here, run_on_cluster
from hccoutcome.cohort.run import CohortSettings, run_cohort
from hccoutcome.errors import EnvironmentNeeded, InputError
from hccoutcome.processes import own_environment

SETTINGS = """imageType: {Original: {}}
featureClass: {firstorder: [Mean, Entropy]}
"""


@pytest.fixture
def cohort(phantom: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a cohort table over the phantom, with given extra rows."""

    def write(cases: int, *extra: str) -> Path:
        lines = ["case_id,modality,image_arterial,mask_tumor,tbil,alb"]
        lines += [
            f"p{n},CT,{phantom / 'arterial.nii.gz'},{phantom / 'tumor-mask.nii.gz'},{10 + n},38" for n in range(cases)
        ]
        path = tmp_path / "table.csv"
        path.write_text("\n".join([*lines, *extra]) + "\n")
        return path

    return write


@pytest.fixture
def settings(tmp_path: Path) -> CohortSettings:
    path = tmp_path / "small.yaml"
    path.write_text(SETTINGS)
    return CohortSettings(packages=("albi",), settings=(str(path),))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def stamps(out: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("cases/*/result.json")}


def test_a_bad_case_is_named_and_the_others_are_finished(cohort, settings, phantom: Path, tmp_path: Path) -> None:
    image = phantom / "arterial.nii.gz"
    table = cohort(
        2,
        f"bad,CT,{phantom / 'none.nii.gz'},{phantom / 'tumor-mask.nii.gz'},12,38",
        f"../worse,CT,{image},,12,38",
        f"odd,CT,{image},{phantom / 'tumor-mask.nii.gz'},12,4.1",
    )
    out = tmp_path / "out"
    outcomes = run_cohort(table, settings, out, partial(run_here, workers=2))
    assert [(item.case_id, item.status) for item in outcomes] == [
        ("p0", 0), ("p1", 0), ("bad", 2), ("../worse", 2), ("odd", 2),
    ]  # fmt: skip
    assert [row["case_id"] for row in rows(out / "features.csv")] == ["p0", "p1"]
    assert [(row["case_id"], row["package"]) for row in rows(out / "results.csv")] == [("p0", "albi"), ("p1", "albi")]
    failures = {row["case_id"]: row["message"] for row in rows(out / "failures.csv")}
    assert "none.nii.gz" in failures["bad"]
    assert "rename it" in failures["../worse"]
    assert "looks like g/dL" in failures["odd"]
    assert not (tmp_path / "worse").exists()


def test_the_manifest_names_what_was_run_and_hashes_what_came_out(cohort, settings, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_cohort(cohort(1), settings, out, partial(run_here, workers=1))
    manifest = json.loads((out / "manifest.json").read_text())
    assert set(manifest["packages"]) == {"albi"}
    (case,) = manifest["cases"]
    assert case["case_id"] == "p0"
    assert set(case["files"]) == {"features.csv", "result.json"}
    assert all(len(digest) == 64 for digest in case["files"].values())


def test_the_number_of_workers_does_not_change_a_digit(cohort, settings, tmp_path: Path) -> None:
    table = cohort(3)
    for workers in (1, 2):
        run_cohort(table, settings, tmp_path / str(workers), partial(run_here, workers=workers))
    for name in ("features.csv", "results.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_resuming_runs_only_what_is_missing_or_changed(cohort, settings, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_cohort(cohort(2), settings, out, partial(run_here, workers=1))
    before = stamps(out)
    lines = cohort(3).read_text().replace(",10,38", ",20,38")
    table = tmp_path / "table.csv"
    table.write_text(lines)
    outcomes = run_cohort(table, settings, out, partial(run_here, workers=1), resume=True)
    after = stamps(out)
    assert [item.status for item in outcomes] == [0, 0, 0]
    assert after["p1"] == before["p1"], "an unchanged case was run again"
    assert after["p0"] > before["p0"], "a changed case was not run again"
    assert set(after) == {"p0", "p1", "p2"}
    assert len(rows(out / "features.csv")) == 3


def test_a_changed_parameter_file_is_followed(cohort, settings, tmp_path: Path) -> None:
    table, out = cohort(1), tmp_path / "out"
    run_cohort(table, settings, out, partial(run_here, workers=1))
    before = rows(out / "features.csv")
    Path(settings.settings[0]).write_text(SETTINGS + "setting: {binWidth: 3}\n")
    run_cohort(table, settings, out, partial(run_here, workers=1), resume=True)
    assert rows(out / "features.csv") != before


def test_a_wrong_word_leaves_the_finished_cases_alone(cohort, settings, tmp_path: Path) -> None:
    table, out = cohort(2), tmp_path / "out"
    run_cohort(table, settings, out, partial(run_here, workers=1))
    before = stamps(out), (out / "features.csv").read_bytes()
    with pytest.raises(InputError, match="no parameter file"):
        run_cohort(
            table, dataclasses.replace(settings, settings=("haic-mr",)), out, partial(run_here, workers=1), resume=True
        )
    with pytest.raises(InputError, match="no package 'albii'"):
        run_cohort(
            table, dataclasses.replace(settings, packages=("albii",)), out, partial(run_here, workers=1), resume=True
        )
    assert (stamps(out), (out / "features.csv").read_bytes()) == before


def test_a_case_that_lost_a_file_is_done_again(cohort, settings, tmp_path: Path) -> None:
    table, out = cohort(2), tmp_path / "out"
    run_cohort(table, settings, out, partial(run_here, workers=1))
    before = stamps(out)
    (out / "cases" / "p1" / "features.csv").unlink()
    run_cohort(table, settings, out, partial(run_here, workers=1), resume=True)
    after = stamps(out)
    assert after["p0"] == before["p0"]
    assert after["p1"] > before["p1"]
    assert len(rows(out / "features.csv")) == 2


def test_what_a_killed_worker_left_is_swept(cohort, settings, tmp_path: Path) -> None:
    table, out = cohort(1), tmp_path / "out"
    (out / "cases" / ".p0.partial-abc").mkdir(parents=True)
    run_cohort(table, settings, out, partial(run_here, workers=1), resume=True)
    assert [path.name for path in (out / "cases").iterdir()] == ["p0"]


def test_a_case_named_like_a_parent_folder_is_refused_and_nothing_else_is_touched(cohort, settings, tmp_path) -> None:
    out = tmp_path / "out"
    outcomes = run_cohort(cohort(1, "..,CT,,,12,38"), settings, out, partial(run_here, workers=1))
    assert [item.status for item in outcomes] == [0, 2]
    assert [case["files"] for case in json.loads((out / "manifest.json").read_text())["cases"]][1] == {}


def test_a_folder_with_a_run_is_not_written_into_unasked(cohort, settings, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "precious.txt").write_text("mine")
    with pytest.raises(InputError, match="add --resume"):
        run_cohort(cohort(1), settings, out, partial(run_here, workers=1))
    assert [path.name for path in out.iterdir()] == ["precious.txt"]


def test_two_runs_in_one_folder_are_kept_apart(cohort, settings, tmp_path: Path) -> None:
    table, out = cohort(1), tmp_path / "out"

    def run_again(jobs) -> list[Outcome]:
        with pytest.raises(InputError, match=f"process {os.getpid()}"):
            run_cohort(table, settings, out, partial(run_here, workers=1), resume=True)
        return [Outcome(name, 1, "", 0.0) for name, _ in jobs]

    run_cohort(table, settings, out, run_again)
    assert not (out / ".running").exists()


def test_a_lock_of_a_process_that_is_gone_is_taken_over(cohort, settings, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / ".running").write_text(f"{os.getpid()} 12345.0")
    assert run_cohort(cohort(1), settings, out, partial(run_here, workers=1), resume=True)[0].status == 0


def test_a_worker_that_is_killed_fails_its_case_alone(cohort, settings, tmp_path: Path) -> None:
    """The case that is at work when its process is killed is reported; the next one gets a new process."""
    import psutil

    killed: list[int] = []

    def kill_first_worker(jobs):
        import threading

        def kill() -> None:
            log = tmp_path / "out" / "jobs" / "p0" / "log.txt"
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not (log.exists() and "progress" in log.read_text()):
                time.sleep(0.002)
            for child in psutil.Process().children():
                if "--serve" in child.cmdline():
                    killed.append(child.pid)
                    child.kill()

        thread = threading.Thread(target=kill)
        thread.start()
        yield from run_here(jobs, workers=1)
        thread.join()

    slow = CohortSettings(packages=("radscore-tace-ct",))
    outcomes = run_cohort(cohort(2), slow, tmp_path / "out", kill_first_worker)
    assert killed
    assert [item.status for item in outcomes] == [1, 0]
    assert "The worker process ended in the midst of the case" in outcomes[0].message
    assert [row["case_id"] for row in rows(tmp_path / "out" / "features.csv")] == ["p1"]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is a matter of POSIX systems")
def test_a_run_that_is_killed_goes_on_where_it_stopped(cohort, settings, tmp_path: Path) -> None:
    table, out = cohort(4), tmp_path / "out"
    command = [
        sys.executable, "-m", "hccoutcome.cli", "cohort", table, "--package", "albi",
        "--settings", settings.settings[0], "--out", out,
    ]  # fmt: skip
    process = subprocess.Popen(command, env=own_environment(), start_new_session=True)
    deadline = time.monotonic() + 120
    while len(stamps(out)) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = stamps(out)
    assert len(before) >= 2
    again = subprocess.run([*command, "--resume"], env=own_environment(), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    after = stamps(out)
    assert {name: after[name] for name in before} == before, "a finished case was run again"
    assert len(rows(out / "features.csv")) == 4
    assert not list(out.glob("cases/.*")), "half a result was left behind"


def test_a_dask_cluster_gives_the_same_tables(cohort, settings, tmp_path: Path) -> None:
    distributed = pytest.importorskip("dask.distributed", reason="dask.distributed is not installed")
    table = cohort(2, "bad,CT,none.nii.gz,,12,38")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        runner = partial(run_on_cluster, scheduler=cluster.scheduler_address)
        outcomes = run_cohort(table, settings, tmp_path / "cluster", runner)
    run_cohort(table, settings, tmp_path / "here", partial(run_here, workers=1))
    assert [item.status for item in outcomes] == [0, 0, 2]
    for name in ("features.csv", "results.csv", "failures.csv"):
        assert (tmp_path / "cluster" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def test_a_scheduler_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentNeeded, match="No dask scheduler answers at"):
        list(run_on_cluster([("a", tmp_path)], "tcp://127.0.0.1:9"))
