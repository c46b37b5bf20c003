"""The run over a cohort: every case once, in any order, whatever happens in between."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from hccoutcome.case import CaseFiles
from hccoutcome.cohort.merge import FAILURES_FILE, RESULTS_FILE, merge
from hccoutcome.cohort.pool import Outcome, Runner
from hccoutcome.cohort.table import ID_COLUMN, read_cohort_table, try_case_files
from hccoutcome.errors import HCCError, InputError
from hccoutcome.files import explained_write_errors, sha256_of, sha256_of_json, write_json
from hccoutcome.jobs import AnalyseJob
from hccoutcome.package.commands import COHORT_MANIFEST
from hccoutcome.package.format import Package
from hccoutcome.package.reading import list_packages, read_package
from hccoutcome.progress import Progress, silent
from hccoutcome.radiomics.settings import is_shipped, load_settings
from hccoutcome.version import __version__
from hccoutcome.worker import FEATURES_FILE, REPORT_FILE, RESULT_FILE, SCENE_FILE

_LOCK_FILE = ".running"


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
    device: str = "auto"

    def resolved(self) -> CohortSettings:
        """Return the same with absolute paths, which mean the same to every worker."""
        shipped = set(list_packages())
        return replace(
            self,
            packages=tuple(name if name in shipped else _absolute(name) for name in self.packages),
            settings=tuple(name if is_shipped(name) else _absolute(name) for name in self.settings),
            references={
                name if name in shipped else _absolute(name): path.resolve() for name, path in self.references.items()
            },
        )


def _absolute(name: str) -> str:
    """Return the absolute path of what exists; a word that names nothing stays as it is, for the message about it."""
    return str(Path(name).resolve()) if Path(name).exists() else name


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
    settings = settings.resolved()
    packages = [read_package(name, reference=settings.references.get(name)) for name in settings.packages]
    recipe = {
        "version": __version__,
        "packages": {package.name: package.sha256 for package in packages},
        "settings": {name: load_settings(name).sha256() for name in settings.settings},
    }
    _check_out(out, resume)
    with _locked(out):
        started = _now()
        _clean(out)
        cases = {row[ID_COLUMN]: try_case_files(row, table.resolve().parent) for row in rows}
        outcomes = dict(_run_all(cases, settings, recipe, out, runner, progress))
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
    recipe: Mapping[str, Any],
    out: Path,
    runner: Runner,
    progress: Progress,
) -> Iterator[tuple[str, Outcome]]:
    """Yield the outcome of every case: at once where it is finished or unusable, from a worker otherwise."""
    waiting: list[tuple[str, Path]] = []
    done = 0
    for name, files in cases.items():
        outcome = _outcome_without_running(name, files, settings, recipe, out)
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
    name: str, files: CaseFiles | HCCError, settings: CohortSettings, recipe: Mapping[str, Any], out: Path
) -> Outcome | None:
    """Write the case's job, unless its row is wrong or its result is there already.

    A result of another job stays in place until the new one takes it.
    """
    if isinstance(files, HCCError):
        return Outcome(name, 2, str(files), 0.0)
    job = AnalyseJob(case=files, out=(out / "cases" / name).resolve(), **vars(settings))
    job = replace(job, fingerprint=_fingerprint(job, recipe))
    if _is_finished(job):
        return Outcome(name, 0, "", 0.0)
    with explained_write_errors(out):
        job.save(out / "jobs" / name)
    return None


def _is_finished(job: AnalyseJob) -> bool:
    """Return whether all that the job gives is in place, and came of this very job."""
    expected = [RESULT_FILE, FEATURES_FILE, *[SCENE_FILE] * job.scene, *[REPORT_FILE] * job.report]
    if not all((job.out / name).is_file() for name in expected):
        return False
    result = json.loads((job.out / RESULT_FILE).read_text(encoding="utf-8"))
    return bool(result["provenance"].get("fingerprint") == job.fingerprint)


def _clean(out: Path) -> None:
    """Remove what killed workers left half done."""
    for folder in out.glob("cases/.*.partial-*"):
        shutil.rmtree(folder, ignore_errors=True)


def _fingerprint(job: AnalyseJob, recipe: Mapping[str, Any]) -> str:
    """Return a hash over the job, its packages and settings, the version and the state of the case's files."""
    paths = [image.path for image in job.case.images.values()]
    paths += [mask.path for masks in job.case.masks.values() for mask in masks]
    paths += job.references.values()
    files = {str(path): _state(path) for path in paths}
    return sha256_of_json({"job": job.to_json(), "recipe": recipe, "files": files})


def _state(path: Path) -> list[list[Any]]:
    """Return name, size and time of a file or of all files in a folder; nothing where it does not exist."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files if file.is_file()]


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
        # Only a finished case has results; the name of one that was refused may not even be a folder's.
        files = sorted((out / "cases" / outcome.case_id).iterdir()) if outcome.status == 0 else []
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
