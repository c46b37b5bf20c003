"""Worker processes for many jobs: a few on this machine, or one for each task of a dask cluster.

Both start ``python -m hccoutcome.worker``, so a job that brings its process down fails alone and is reported.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from hccoutcome.errors import EnvironmentNeeded
from hccoutcome.jobs import WORKER_ARGUMENTS
from hccoutcome.processes import own_environment

LOG_FILE = "log.txt"


@dataclass(frozen=True)
class Outcome:
    """What became of one job.

    Attributes:
        case_id: the job's case.
        status: 0 done, 1 failed, 2 wrong input.
        message: the sentence that says why, empty where it is done.
        seconds: how long it took.
    """

    case_id: str
    status: int
    message: str
    seconds: float


class WorkerProcess:
    """One process that runs jobs one after another; started when first needed, and again after it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[str] | None = None

    def run(self, case_id: str, folder: Path) -> Outcome:
        """Run the job in ``folder`` and return what became of it; its progress and errors go to its log file."""
        start = time.monotonic()
        with (folder / LOG_FILE).open("a", encoding="utf-8") as log:
            self._log = log
            status, message = self._converse(folder, log)
            self._log = None
        return Outcome(case_id, status, message, time.monotonic() - start)

    def close(self) -> None:
        """End the process; a job that it is in is given up."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in filter(None, (process.stdin, process.stdout)):
            with suppress(BrokenPipeError):
                stream.close()

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, *WORKER_ARGUMENTS, "--serve"],
                env=own_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
            threading.Thread(target=self._copy_errors, args=(self._process.stderr,), daemon=True).start()
        return self._process

    def _copy_errors(self, stream: IO[str]) -> None:
        """Copy what the process prints as errors into the log of the job that it is in."""
        with stream:
            for line in stream:
                log = self._log
                if log is not None and not log.closed:
                    log.write(line)

    def _converse(self, folder: Path, log: IO[str]) -> tuple[int, str]:
        """Hand over one job and follow its events until its end or the process's."""
        process = self._started()
        assert process.stdin is not None  # noqa: S101 - the pipes were asked for; told to the type checker
        assert process.stdout is not None  # noqa: S101
        message = ""
        try:
            process.stdin.write(f"{folder}\n")
            process.stdin.flush()
            for line in process.stdout:
                event = json.loads(line)
                _log_event(event, log)
                if event["event"] == "error":
                    message = event["message"]
                if event["event"] == "end":
                    return event["status"], message
        except BrokenPipeError:
            pass
        code = process.wait()
        self.close()
        return 1, f"The worker process ended in the midst of the case (exit status {code}): see {LOG_FILE}, run again."


def _log_event(event: dict[str, Any], log: IO[str]) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S")
    fields = " ".join(str(value) for key, value in event.items() if key != "event")
    log.write(f"{stamp} {event['event']} {fields}\n")
    log.flush()


def run_here(jobs: Iterable[tuple[str, Path]], workers: int) -> Iterator[Outcome]:
    """Run jobs in ``workers`` processes on this machine; yield each outcome as it comes."""
    local = threading.local()
    processes: list[WorkerProcess] = []

    def run(case_id: str, folder: Path) -> Outcome:
        if not hasattr(local, "worker"):
            local.worker = WorkerProcess()
            processes.append(local.worker)
        return local.worker.run(case_id, folder)

    pool = ThreadPoolExecutor(workers)
    try:
        for future in as_completed([pool.submit(run, *job) for job in jobs]):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.close()
        pool.shutdown()


def run_one(case_id: str, folder: Path) -> Outcome:
    """Run one job in a process of its own (a dask task)."""
    with closing(WorkerProcess()) as worker:
        return worker.run(case_id, folder)


def run_on_cluster(jobs: Iterable[tuple[str, Path]], scheduler: str) -> Iterator[Outcome]:
    """Run jobs on a dask.distributed cluster that sees the same file system; yield each outcome as it comes.

    Raises:
        EnvironmentNeeded: dask is not installed, or no scheduler answers at the address.
    """
    try:
        from dask.distributed import Client, as_completed
    except ImportError as error:
        raise EnvironmentNeeded(
            "A run on a cluster needs dask.distributed, which is not installed: pip install 'hccoutcome[cluster]'."
        ) from error
    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise EnvironmentNeeded(
            f"No dask scheduler answers at '{scheduler}': start it or correct the address."
        ) from error
    with client:
        futures = {client.submit(run_one, *job, key=f"hcc-{job[0]}", pure=False): job[0] for job in jobs}
        for future in as_completed(futures):
            yield _cluster_outcome(futures[future], future)


def _cluster_outcome(case_id: str, future: Any) -> Outcome:
    if future.status == "finished":
        return future.result()
    return Outcome(case_id, 1, f"The cluster gave the case up ({future.exception()}): run again with --resume.", 0.0)


Runner = Callable[[Iterable[tuple[str, Path]]], Iterator[Outcome]]
