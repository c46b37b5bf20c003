"""The run over a cohort: every case once, in any order, whatever happens in between."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from hccoutcome.case import CaseFiles
from hccoutcome.cohort.merge import FAILURES_FILE, RESULTS_FILE, merge
from hccoutcome.cohort.pool import Outcome, Runner
from hccoutcome.cohort.table import ID_COLUMN, read_cohort_table, try_case_files
from hccoutcome.errors import HCCError, InputError
from hccoutcome.files import explained_write_errors, sha256_of, sha256_of_json, write_json, write_text
from hccoutcome.jobs import AnalyseJob
from hccoutcome.package.commands import COHORT_MANIFEST
from hccoutcome.package.format import Package
from hccoutcome.package.reading import read_package
from hccoutcome.progress import Progress, silent
from hccoutcome.version import __version__
from hccoutcome.worker import FEATURES_FILE, RESULT_FILE

_LOCK_FILE = ".running"
_FINGERPRINT_FILE = "fingerprint"


@dataclass(frozen=True)
class CohortSettings:
    """What is done with every case; the fields are those of ``AnalyseJob``.

    Scenes and reports are off by default: they cost seconds and megabytes a case, and one case's are made any time by
    ``hcc analyse``.
    """

    packages: tuple[str, ...]
    settings: tuple[str, ...] = ()
    references: Mapping[str, Path] = field(default_factory=dict)
    engine: str = "auto"
    scene: bool = False
    report: bool = False


def run_cohort(
    table: Path,
    settings: CohortSettings,
    out: Path,
    runner: Runner,
    *,
    resume: bool = False,
    progress: Progress = silent,
) -> list[Outcome]:
    """Analyse every case of a cohort table and merge the results.

    Args:
        table: the cohort table (see ``hccoutcome.cohort.table``).
        settings: what is done with every case.
        out: folder for the results.
        runner: runs jobs, e.g. ``hccoutcome.cohort.pool.run_here`` with a number of workers.
        resume: go on in a folder that holds a run; finished cases whose job and files are unchanged are not run again.
        progress: told after every case.

    Returns:
        What became of each case, in the table's order; cases that were finished before have status 0 and 0 seconds.

    Raises:
        InputError: the table or a package is wrong, or ``out`` holds a run and ``resume`` is not asked for.
        EnvironmentNeeded: ``out`` cannot be written to.
    """
    rows = read_cohort_table(table)
    packages = [read_package(name) for name in settings.packages]
    hashes = {package.name: package.sha256 for package in packages}
    _check_out(out, resume)
    with _locked(out):
        started = _now()
        cases = {row[ID_COLUMN]: try_case_files(row, table.resolve().parent) for row in rows}
        outcomes = dict(_run_all(cases, settings, hashes, out, runner, progress))
        ordered = [outcomes[name] for name in cases]
        merge(out, ordered)
        _write_manifest(out, table, settings, packages, ordered, started)
    return ordered


def _check_out(out: Path, resume: bool) -> None:
    if out.is_dir() and any(out.iterdir()) and not resume:
        raise InputError(f"'{out}' is not empty: add --resume to go on with the run in it, or choose another folder.")


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the folder for this process; a lock left by a process that is gone is taken over.

    Raises:
        InputError: another run is at work in the folder.
    """
    lock = out / _LOCK_FILE
    with explained_write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        owner = lock.read_text(encoding="utf-8").strip() if lock.exists() else ""
        if owner and _is_running(owner):
            raise InputError(f"Another run (process {owner.split()[0]}) is at work in '{out}': wait for it or stop it.")
        lock.write_text(_identity(os.getpid()), encoding="utf-8")
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _identity(process: int) -> str:
    """Name a process so that another one that later gets its number is not mistaken for it."""
    return f"{process} {psutil.Process(process).create_time()}"


def _is_running(identity: str) -> bool:
    number = identity.split()[0]
    return number.isdigit() and psutil.pid_exists(int(number)) and _identity(int(number)) == identity


def _run_all(
    cases: Mapping[str, CaseFiles | HCCError],
    settings: CohortSettings,
    hashes: Mapping[str, str],
    out: Path,
    runner: Runner,
    progress: Progress,
) -> Iterator[tuple[str, Outcome]]:
    """Yield the outcome of every case: at once where it is finished or unusable, from a worker otherwise."""
    waiting: list[tuple[str, Path]] = []
    done = 0
    for name, files in cases.items():
        outcome = _outcome_without_running(name, files, settings, hashes, out)
        if outcome is None:
            waiting.append((name, out / "jobs" / name))
            continue
        done += 1
        progress(done / len(cases), _sentence(outcome))
        yield name, outcome
    if waiting:
        for outcome in runner(waiting):
            done += 1
            progress(done / len(cases), _sentence(outcome))
            yield outcome.case_id, outcome


def _outcome_without_running(
    name: str, files: CaseFiles | HCCError, settings: CohortSettings, hashes: Mapping[str, str], out: Path
) -> Outcome | None:
    """Write the case's job, unless its row is wrong or its result is there already."""
    if isinstance(files, HCCError):
        return Outcome(name, 2, str(files), 0.0)
    job = AnalyseJob(case=files, out=(out / "cases" / name).resolve(), **vars(settings))
    folder = out / "jobs" / name
    fingerprint = _fingerprint(job, hashes)
    with explained_write_errors(out):
        if _read_or_empty(folder / _FINGERPRINT_FILE) != fingerprint:
            # The old result goes first: from here on a result in place is one of this very job.
            shutil.rmtree(job.out, ignore_errors=True)
            job.save(folder)
            write_text(folder / _FINGERPRINT_FILE, fingerprint)
        elif (job.out / RESULT_FILE).exists():
            return Outcome(name, 0, "", 0.0)
    return None


def _fingerprint(job: AnalyseJob, hashes: Mapping[str, str]) -> str:
    """Return a hash over the job, its packages, the program's version and the state of the case's files."""
    paths = [image.path for image in job.case.images.values()]
    paths += [mask.path for masks in job.case.masks.values() for mask in masks]
    paths += job.references.values()
    files = {str(path): _state(path) for path in paths}
    return sha256_of_json({"job": job.to_json(), "packages": hashes, "version": __version__, "files": files})


def _state(path: Path) -> list[list[Any]]:
    """Return name, size and time of a file or of all files in a folder; nothing where it does not exist."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files if file.is_file()]


def _read_or_empty(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _sentence(outcome: Outcome) -> str:
    return f"{outcome.case_id}: {outcome.message or 'done'}"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _write_manifest(
    out: Path,
    table: Path,
    settings: CohortSettings,
    packages: Sequence[Package],
    outcomes: Sequence[Outcome],
    started: str,
) -> None:
    """Write what was run on what, with the hash of every result."""
    cases = []
    for outcome in outcomes:
        folder = out / "cases" / outcome.case_id
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        cases.append({**asdict(outcome), "files": {file.name: sha256_of(file) for file in files}})
    manifest = {
        "version": __version__,
        "table": {"name": table.name, "sha256": sha256_of(table)},
        "packages": {package.name: package.sha256 for package in packages},
        "settings_sha256": {package.name: package.settings_sha256 for package in packages if package.parameters},
        "settings": list(settings.settings),
        "engine": settings.engine,
        "started": started,
        "finished": _now(),
        "tables": {name: sha256_of(out / name) for name in (FEATURES_FILE, RESULTS_FILE, FAILURES_FILE)},
        "cases": cases,
    }
    write_json(out / COHORT_MANIFEST, manifest)
