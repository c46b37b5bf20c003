"""One job in a process of its own: ``python -m hccoutcome.worker FOLDER``, or ``--serve`` for one job after another.

The process speaks JSON lines on its standard output: ``{"event": "progress", "fraction": 0.4, "message": "..."}`` while
it works, then ``{"event": "result", "path": "..."}`` or ``{"event": "error", "message": "...", "status": 2}``.
With ``--serve`` it reads one job folder a line from standard input, and ends when that closes, even amid a job.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TextIO

from hccoutcome.analysis import analyse
from hccoutcome.case import Case
from hccoutcome.deep.screenshots import find_screenshots
from hccoutcome.errors import Cancelled, HCCError, InputError
from hccoutcome.files import explained_write_errors, write_csv, write_json
from hccoutcome.findings import Findings
from hccoutcome.jobs import AnalyseJob, AtomJob, HabitatJob, MapsJob, ReportJob, SegmentJob, load_job
from hccoutcome.loading import load_case
from hccoutcome.package.reading import read_package
from hccoutcome.progress import Progress, part, silent

if TYPE_CHECKING:
    import SimpleITK as sitk

    from hccoutcome.imaging.registration_check import RegistrationCheck

RESULT_FILE = "result.json"
FEATURES_FILE = "features.csv"
SCENE_FILE = "scene.mrb"
REPORT_FILE = "report.html"

REGISTRATION_FILES = "registration-*.png"
DRAFT_FILES = "draft*.seg.nrrd"

ANALYSIS_FILES = (RESULT_FILE, FEATURES_FILE, SCENE_FILE, REPORT_FILE, REGISTRATION_FILES, DRAFT_FILES)

FAILED, WRONG_INPUT = 1, 2


def run_job(job: AnalyseJob, progress: Progress = silent) -> Findings:
    """Analyse one case and publish the results in ``job.out``.

    The results are written beside ``job.out`` first and put in place when all are complete, ``result.json`` last, so
    that a folder with a ``result.json`` is a finished one.

    Raises:
        InputError: the case or a package is not usable; the message says why.
        EnvironmentNeeded: the results cannot be written, or a library is missing.
        Cancelled: ``progress`` asked to stop; nothing is published.
    """
    packages = [read_package(name, reference=job.references.get(name)) for name in job.packages]
    case = load_case(job.case, part(progress, 0.0, 0.05))
    with _staging(job.out) as folder:
        case, drafts = _with_drafts(case, job, folder, part(progress, 0.05, 0.1))
        registrations: dict[str, bytes] = {}
        findings = analyse(
            case,
            packages,
            settings=job.settings,
            engine=job.engine,
            explain=job.scene or job.report or job.explain,
            device=job.device,
            screenshots={} if job.screenshots is None else find_screenshots(job.screenshots),
            progress=part(progress, 0.1, 0.8),
            on_registration=partial(_keep_registration, registrations),
        )
        if drafts:
            findings = replace(findings, provenance={**findings.provenance, "segmentation": drafts})
        if job.outlined_by:
            findings = replace(findings, provenance={**findings.provenance, "outlined_by": dict(job.outlined_by)})
        for name, picture in registrations.items():
            (folder / f"{name}.png").write_bytes(picture)
        write_csv(folder / FEATURES_FILE, list(findings.features), [findings.features])
        if job.scene or job.report:
            _show(case, findings, registrations, job, folder, part(progress, 0.8, 0.97))
        if job.fingerprint:
            findings = replace(findings, provenance={**findings.provenance, "fingerprint": job.fingerprint})
        write_json(folder / RESULT_FILE, findings.to_json())
        progress(0.98, "putting the results in place")
        _publish(folder, job.out, ANALYSIS_FILES)
    progress(1.0, "done")
    return findings


def _with_drafts(case: Case, job: AnalyseJob, folder: Path, progress: Progress) -> tuple[Case, dict[str, Any]]:
    """Return the case with what it lacked outlined, where that is wanted, and for the provenance by whom."""
    if job.segment is None:
        return case, {}
    from hccoutcome.segmentation.draft import write_draft
    from hccoutcome.segmentation.missing import outline_missing

    outlined = outline_missing(case, job.segment, progress)
    for number, (phase, draft) in enumerate(outlined.drafts.items()):
        write_draft(draft, folder / (f"draft-{phase}.seg.nrrd" if number else "draft.seg.nrrd"))
    return outlined.case, outlined.provenance


def run_habitat_job(job: HabitatJob, folder: Path, progress: Progress = silent) -> Path:
    """Find the habitats of one case, write them into the job's ``folder`` for whoever shows them, and publish files.

    The files in ``job.out`` are those that ``hcc habitat`` writes, without the scene.

    Returns:
        The file that ``hccoutcome.habitat.result.load_result`` reads.

    Raises:
        InputError: case, settings and package do not fit together; the message says why.
        EnvironmentNeeded: the files cannot be written, or a library is missing.
        Cancelled: ``progress`` asked to stop; nothing is published.
    """
    from hccoutcome.habitat.model import model_to_apply
    from hccoutcome.habitat.onecase import habitats_of_case
    from hccoutcome.habitat.preparation import preparation_for
    from hccoutcome.habitat.result import provenance_of, result_of, save_result
    from hccoutcome.habitat.writing import FILES, write_habitats

    model = None if job.package is None else model_to_apply(job.package, job.settings.method, job.settings.k)
    case = load_case(job.case, part(progress, 0.0, 0.1))
    wanted = job.preparation != "none" and model is None
    preparation = preparation_for(job.preparation, tuple(case.images), job.registration) if wanted else None
    found = habitats_of_case(case, job.region, job.settings, preparation, model, part(progress, 0.1, 0.95))
    if job.out is not None:
        progress(0.96, "writing the files")
        with _staging(job.out) as staged:
            write_habitats(found.habitats, staged, found.region, found.checks)
            _publish(staged, job.out, FILES)
    result = result_of(found.habitats, found.region, found.checks, provenance_of(found))
    path = save_result(result, folder / "habitats")
    progress(1.0, "done")
    return path


def run_segment_job(job: SegmentJob, folder: Path, progress: Progress = silent) -> Path:
    """Outline a region of one case as a draft, written into the job's ``folder`` for whoever shows it.

    Returns:
        The file that ``hccoutcome.segmentation.handover.load_handover`` reads.

    Raises:
        InputError: the case has no image, the engine does not fit, or nothing was found.
        EnvironmentNeeded: the engine is not ready on this machine.
        Cancelled: ``progress`` asked to stop.
    """
    from hccoutcome.imaging.geometry import on_grid, same_geometry, same_lattice
    from hccoutcome.segmentation import Task, modality_of, segment
    from hccoutcome.segmentation.handover import save_handover
    from hccoutcome.segmentation.hints import draft_hints

    case = load_case(job.case, part(progress, 0.0, 0.1))
    if not case.images:
        raise InputError("A region can only be outlined in an image, found none: choose the volume of a phase.")
    reference = next(iter(case.images.values()))
    images = {phase: image for phase, image in case.images.items() if same_geometry(image, reference)}
    known = {
        region: on_grid(masks[0], reference)
        for region, masks in case.masks.items()
        if region != job.region and same_lattice(masks[0], reference)
    }
    prompt = job.order.prompt(reference)
    task = Task(images, (job.region,), prompt, modality_of(case.modality, images), known)
    draft = segment(task, job.order.engine, part(progress, 0.1, 0.95))
    path = save_handover(draft, draft_hints(draft.masks, known, draft.provenance["engine"]), folder)
    progress(1.0, "done")
    return path


def run_report_job(job: ReportJob, progress: Progress = silent) -> Path:
    """Draw the pictures of an analysed case, write its report and return the file.

    Raises:
        InputError: the case or what was found cannot be read.
        EnvironmentNeeded: the report cannot be written, or a library is missing.
        Cancelled: ``progress`` asked to stop; nothing is written.
    """
    from hccoutcome.report.html import write_report
    from hccoutcome.scene.build import add_case
    from hccoutcome.scene.host import clear_scene, start_host
    from hccoutcome.scene.looks import apply_looks
    from hccoutcome.scene.render import case_pictures

    findings = Findings.from_json(json.loads(job.findings.read_text(encoding="utf-8")))
    case = load_case(job.case, part(progress, 0.0, 0.2))
    progress(0.2, "building the scene")
    start_host()
    clear_scene()
    nodes = add_case(case)
    apply_looks(nodes, job.looks, job.windows)
    pictures = case_pictures(nodes, part(progress, 0.3, 0.95))
    progress(0.95, "writing the report")
    path = write_report(job.out, findings, pictures)
    progress(1.0, "done")
    return path


def run_atom_job(job: AtomJob, folder: Path, progress: Progress = silent) -> Path:
    """Ask ATOM about one case, by the same steps as ``hcc atom``; return the file with the findings.

    Raises:
        InputError: the case or a package is not usable; the message says why.
        EnvironmentNeeded: the files cannot be written, or a library is missing.
        Cancelled: ``progress`` asked to stop; nothing is published.
    """
    from hccoutcome.cohort.networks import advise
    from hccoutcome.report.advice import write_advice

    packages = {model: read_package(name) for model, name in job.models.items()}
    case = load_case(job.case, part(progress, 0.0, 0.1))
    findings = advise(case, packages, job.device, part(progress, 0.1, 0.95))
    if job.outlined_by:
        findings = replace(findings, provenance={**findings.provenance, "outlined_by": dict(job.outlined_by)})
    path = write_json(folder / RESULT_FILE, findings.to_json())
    if job.out is not None:
        write_advice(findings, job.out)
    progress(1.0, "done")
    return path


def run_maps_job(job: MapsJob, folder: Path, progress: Progress = silent) -> Path:
    """Map what a network looks at in one case, by the same steps as ``hcc maps --package``.

    Returns:
        The file that ``hccoutcome.deep.relevance.read_relevance`` reads, in the job's ``folder``.

    Raises:
        InputError: the package holds no network or refuses the case, or the network does not allow the method.
        EnvironmentNeeded: the files cannot be written, or a library is missing.
        Cancelled: ``progress`` asked to stop; nothing is published.
    """
    from hccoutcome.cohort.networks import maps_of_case, write_case_maps
    from hccoutcome.deep.relevance import SUMMARY_FILE, check_method

    package = read_package(job.package)
    case = load_case(job.case, part(progress, 0.0, 0.1))
    found = maps_of_case(case, package, check_method(job.method), job.device, part(progress, 0.1, 0.9))
    written = folder / "maps"
    write_case_maps(found, case, package, written)
    if job.out is not None:
        with _staging(job.out) as staged:
            shutil.copytree(written, staged, dirs_exist_ok=True)
            _publish(staged, job.out, ())
    progress(1.0, "done")
    return written / SUMMARY_FILE


def _keep_registration(
    pictures: dict[str, bytes], recipe: str, check: RegistrationCheck, region: sitk.Image | None
) -> None:
    """Keep the picture of a registration; of two recipes that register one phase, the later one's tells its recipe."""
    from hccoutcome.imaging.registration_figure import registration_picture

    name = f"registration-{check.phase}"
    pictures[f"{name}@{recipe}" if name in pictures else name] = registration_picture(check, region)


def _show(
    case: Case,
    findings: Findings,
    registrations: Mapping[str, bytes],
    job: AnalyseJob,
    folder: Path,
    progress: Progress,
) -> None:
    """Put the case into a scene, and write the scene and the report that shows pictures of it."""
    from hccoutcome.report.html import write_report
    from hccoutcome.scene.build import add_case, add_findings
    from hccoutcome.scene.chart_view import first_chart, open_with_chart
    from hccoutcome.scene.host import clear_scene, start_host
    from hccoutcome.scene.render import case_pictures
    from hccoutcome.scene.store import save_scene

    progress(0.0, "building the scene")
    start_host()
    clear_scene()
    nodes = add_findings(findings, add_case(case))
    open_with_chart(nodes.scene, first_chart(findings, nodes))
    if job.scene:
        progress(0.3, "saving the scene")
        save_scene(folder / SCENE_FILE)
    if job.report:
        progress(0.5, "rendering pictures")
        pictures = {**case_pictures(nodes), **registrations}
        progress(0.9, "writing the report")
        write_report(folder / REPORT_FILE, findings, pictures)


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """Yield a new folder on the same disk as ``out``; it is gone afterwards, whatever happened."""
    with explained_write_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.exists() and not os.access(out, os.W_OK):
            raise PermissionError(13, "not writable", str(out))
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
    try:
        with explained_write_errors(out):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(folder: Path, out: Path, files: Iterable[str]) -> None:
    """Put finished results in place: the whole folder at once where ``out`` is new, file by file where it is not.

    Nothing of an older result, whose ``files`` (patterns) are known, stays beside the new one; other files in ``out``
    are left alone.
    """
    folder.chmod(0o755)
    if not out.exists():
        folder.rename(out)
        return
    for pattern in files:
        for path in out.glob(pattern):
            path.unlink()
    for path in sorted(folder.iterdir(), key=lambda path: path.name == RESULT_FILE):
        path.replace(out / path.name)


class _Reporter:
    """Writes events as JSON lines, each whole and at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: str, **fields: Any) -> None:
        self._stream.write(json.dumps({"event": event, **fields}) + "\n")
        self._stream.flush()

    def progress(self, fraction: float, message: str) -> None:
        self("progress", fraction=round(fraction, 4), message=message)


def work(folder: Path, report: _Reporter) -> int:
    """Run the job in ``folder``, report what comes of it, and return the exit status (0, 1 or 2)."""
    try:
        path = _run(folder, report.progress)
    except HCCError as error:
        status = WRONG_INPUT if isinstance(error, InputError) else FAILED
        report("error", message=str(error), status=status, cancelled=isinstance(error, Cancelled))
        return status
    except Exception as error:  # a defect of ours must not take the other jobs of this process with it
        traceback.print_exc()
        message = f"The program failed ({type(error).__name__}: {error}): report it with the log."
        report("error", message=message, status=FAILED, cancelled=False)
        return FAILED
    report("result", path=str(path))
    return 0


def _run(folder: Path, progress: Progress) -> Path:
    """Do the job in ``folder``, whichever kind it is, and return the file with its result."""
    job = load_job(folder)
    if isinstance(job, HabitatJob):
        return run_habitat_job(job, folder, progress)
    if isinstance(job, SegmentJob):
        return run_segment_job(job, folder, progress)
    if isinstance(job, ReportJob):
        return run_report_job(job, progress)
    if isinstance(job, AtomJob):
        return run_atom_job(job, folder, progress)
    if isinstance(job, MapsJob):
        return run_maps_job(job, folder, progress)
    if not isinstance(job, AnalyseJob):
        raise TypeError(f"a kind of job that nobody does: {type(job).__name__}")
    run_job(job, progress)
    return job.out / RESULT_FILE


def _lines_until_closed(stream: TextIO) -> Iterable[str]:
    """Yield lines of ``stream``; when it closes, whoever started this process is gone, and so is the process."""
    lines: SimpleQueue[str] = SimpleQueue()

    def read() -> None:
        for line in stream:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield lines.get()


def _private_stdout() -> TextIO:
    """Return a stream on the real standard output, and send what libraries print to standard error instead."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return stream


def main(arguments: list[str] | None = None) -> int:
    """Run one job, or serve jobs named on standard input."""
    parser = argparse.ArgumentParser(prog="python -m hccoutcome.worker", description=__doc__)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("folder", nargs="?", type=Path, help="job folder")
    group.add_argument("--serve", action="store_true", help="read job folders from standard input")
    options = parser.parse_args(arguments)
    report = _Reporter(_private_stdout())
    if not options.serve:
        return work(options.folder, report)
    for line in _lines_until_closed(sys.stdin):
        status = work(Path(line.rstrip("\n")), report)
        report("end", status=status)
    return 0


if __name__ == "__main__":
    sys.exit(main())
