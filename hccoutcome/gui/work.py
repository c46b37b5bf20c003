"""Work on a case of the scene, done in a worker process; what was found comes beside the case.

The same for window and batch.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hccoutcome.case import CaseFiles
from hccoutcome.errors import EnvironmentNeeded, HCCError, InputError
from hccoutcome.findings import Findings
from hccoutcome.gui.compat import worker_python
from hccoutcome.gui.runner import POLL_SECONDS, Failed, JobRunner
from hccoutcome.gui.signals import Signal
from hccoutcome.gui.translate import _
from hccoutcome.processes import own_environment
from hccoutcome.scene.build import add_findings
from hccoutcome.scene.found import findings_of
from hccoutcome.scene.inputs import SceneCase, Writing, case_nodes, case_writing, outlined_by, voxel_marks
from hccoutcome.scene.nodes import CaseNodes

if TYPE_CHECKING:
    from hccoutcome.jobs import Job

LEFT_BEHIND_SECONDS = 24 * 3600.0
"""After how long a folder that nobody writes into belongs to nobody any more."""
STEP_SECONDS = 0.03
"""How long one step may hand over voxels; what a window does not notice."""


def worker_command() -> tuple[str, ...]:
    """Return the command of the worker, to which the job's folder is added."""
    return (worker_python(), "-m", "hccoutcome.worker")


def temporary_folder(prefix: str) -> Path:
    """Return a new folder for what is not kept; what an application that died has left of its kind is removed.

    Raises:
        EnvironmentNeeded: none can be made.
    """
    try:
        _remove_left_behind(Path(tempfile.gettempdir()), prefix)
        return Path(tempfile.mkdtemp(prefix=prefix))
    except OSError as error:
        raise EnvironmentNeeded(
            _(
                "No temporary folder can be made ({strerror}): make room on the disk, or start Slicer with TMPDIR set "
                "to a folder that can be written to."
            ).format(strerror=error.strerror)
        ) from error


def _remove_left_behind(parent: Path, prefix: str) -> None:
    """Remove folders in which nothing was written for a day: they hold copies of patients' images."""
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):
            written = max(path.lstat().st_mtime for path in (folder, *folder.iterdir()))
            if time.time() - written > LEFT_BEHIND_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


class CaseWork:
    """One job on a case at a time; a kind of work adds ``process``, ``_take`` and what it ``forget``s.

    The case's voxels are handed over a little at each ``step``, then the worker runs, so that a window stays alive all
    the while.

    Signals:
        progressed(fraction, message), finished(found, nodes), failed(message), cancelled().
    """

    def __init__(self, command: Callable[[], Sequence[str]] | None = None) -> None:
        """Take what names the worker's command, Slicer's own Python where None; it is asked at each start."""
        self.progressed, self.finished, self.failed, self.cancelled = Signal(), Signal(), Signal(), Signal()
        self.nodes: CaseNodes | None = None
        self.log = ""
        self._command = command
        self._writing: Writing | None = None
        self._runner: JobRunner | None = None
        self._job_of: Callable[[CaseFiles], Job] | None = None
        self._case: SceneCase | None = None
        self._marks: tuple[object, ...] = ()
        self._folder: Path | None = None
        self._failure: Failed | None = None

    @property
    def running(self) -> bool:
        """Whether a job is under way."""
        return self._writing is not None or (self._runner is not None and self._runner.running)

    @property
    def handing_over(self) -> bool:
        """Whether voxels are being written for the worker."""
        return self._writing is not None

    def step(self) -> bool:
        """Do and report what is due since the last call, in a fraction of a second; False once the job is over."""
        if self._writing is not None:
            self._hand_over(time.monotonic() + STEP_SECONDS)
            return self.running
        if self._runner is None or not self._runner.running:
            return False
        self.log = self._runner.log()
        return self._runner.step()

    def cancel(self) -> None:
        """End the job; the scene stays as it was."""
        if self._writing is not None:
            self._on_cancelled()
        elif self._runner is not None:
            self._runner.cancel()

    def forget(self) -> None:
        """Let go of the last job: of its nodes, its case and its failure."""
        self.nodes, self._case, self._failure = None, None, None

    def is_of(self, case: SceneCase) -> bool:
        """Whether the last job was on this very case, and nobody has touched its voxels, regions or record since."""
        return self._case == case and self._marks == voxel_marks(case)

    def _take(self, path: Path) -> tuple[Any, CaseNodes]:
        """Put the result that a job wrote into the scene; return what was found and the case's nodes with it."""
        raise NotImplementedError

    def _launch(self, case: SceneCase, job_of: Callable[[CaseFiles], Job], wait: bool) -> None:
        """Begin to write a case and its job for the worker, which starts when all is written.

        Args:
            case: volumes, segments and record.
            job_of: makes the job once the case's files are written; the job's folder is ``self._folder``.
            wait: return when it is done; otherwise at once.

        Raises:
            InputError: the input is wrong, before or after the worker looked at it.
            EnvironmentNeeded: there is no temporary folder.
            HCCError: with ``wait``, the worker could not do it.
        """
        if self.running:
            raise InputError("An analysis is under way: wait for it or cancel it.")
        self._folder = temporary_folder("hcc-job-")
        self.forget()
        self.log, self._case, self._job_of = "", case, job_of
        self._marks = voxel_marks(case)
        try:
            self._writing = case_writing(case, self._folder)
        except BaseException:
            self._clean()
            raise
        if wait:
            while self.step():
                time.sleep(0 if self._writing is not None else POLL_SECONDS)
            self._raise_failure()

    def _hand_over(self, deadline: float) -> None:
        """Write on until a deadline; when all is written, start the worker."""
        try:
            while time.monotonic() < deadline:
                self.progressed.emit(
                    0.0, _("handing over the images ({percent:.0f} %)").format(percent=100 * next(self._writing))
                )
        except StopIteration as end:
            self._writing = None
            self._start_worker(end.value)
        except HCCError as error:
            self._on_failed(Failed(str(error), wrong_input=isinstance(error, InputError)))
        except OSError as error:
            self._on_failed(
                Failed(
                    _("The images cannot be handed over ({strerror}): make room on the disk.").format(
                        strerror=error.strerror
                    )
                )
            )

    def _start_worker(self, files: CaseFiles) -> None:
        try:
            self._job_of(files).save(self._folder)
            self._runner = self._new_runner()
            self._runner.start(self._folder)
        except HCCError as error:
            self._on_failed(Failed(str(error), wrong_input=isinstance(error, InputError)))
        except OSError as error:
            self._on_failed(
                Failed(
                    _(
                        "The worker process cannot be started ({strerror}): make room on the disk, and install the "
                        "extension again if that does not help."
                    ).format(strerror=error.strerror)
                )
            )
        except BaseException:
            self._clean()
            raise

    def _new_runner(self) -> JobRunner:
        runner = JobRunner((self._command or worker_command)(), own_environment())
        runner.progressed.connect(self.progressed.emit)
        runner.finished.connect(self._on_finished)
        runner.failed.connect(self._on_failed)
        runner.cancelled.connect(self._on_cancelled)
        return runner

    def _on_finished(self, path: Path) -> None:
        try:
            found, self.nodes = self._take(path)
        except HCCError as error:
            self._on_failed(Failed(str(error), wrong_input=isinstance(error, InputError)))
            return
        finally:
            self._clean()
        self.finished.emit(found, self.nodes)

    def _on_failed(self, failure: Failed) -> None:
        self._clean()
        self._failure = failure
        self.failed.emit(failure.message)

    def _on_cancelled(self) -> None:
        self._clean()
        self.cancelled.emit()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise (InputError if self._failure.wrong_input else HCCError)(self._failure.message)

    def _clean(self) -> None:
        """Remove the job's folder: it holds a copy of the patient's images."""
        if self._writing is not None:
            self._writing.close()
            self._writing = None
        if self._runner is not None:
            self.log = self._runner.log()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


class FindingsWork(CaseWork):
    """Work that finds something out about a case; a kind of it adds ``process``.

    ``findings`` is what the last job found, ``all_found`` that with what others had found of the very same inputs: so
    HCC Response and HCC Survival do not take each other's results from the scene.

    Signals:
        As ``CaseWork``; finished(findings, nodes).
    """

    def __init__(self, command: Callable[[], Sequence[str]] | None = None) -> None:
        """Take what names the worker's command."""
        super().__init__(command)
        self.findings: Findings | None = None
        self.all_found: Findings | None = None
        self._out: Path | None = None

    @property
    def case(self) -> SceneCase | None:
        """The case of the last job."""
        return self._case

    @property
    def kept_in(self) -> Path | None:
        """The folder in which the files of the last job are kept, None where nowhere."""
        return None if self._out is None or self.findings is None else self._out / self.findings.case_id

    def forget(self) -> None:
        """Let go of what the last job found; the scene keeps it."""
        super().forget()
        self.findings, self.all_found = None, None

    def _take(self, path: Path) -> tuple[Findings, CaseNodes]:
        self.findings = Findings.from_json(json.loads(path.read_text(encoding="utf-8")))
        # The user's own volumes carry no marks, so they are not among what add_findings finds again.
        nodes = case_nodes(self._case)
        self.all_found = self.findings.joined(_earlier(nodes))
        return self.findings, replace(nodes, findings=add_findings(self.all_found, nodes).findings)


def _earlier(nodes: CaseNodes) -> Findings | None:
    """Return what the scene holds of an earlier analysis of the case; what is damaged is replaced."""
    try:
        return findings_of(nodes)
    except InputError:
        return None


class CaseAnalysis(FindingsWork):
    """Features of a case and what model packages say of it."""

    def process(
        self,
        case: SceneCase,
        packages: Sequence[str] = (),
        settings: Sequence[str] = (),
        out: Path | None = None,
        engine: str = "auto",
        references: Mapping[str, Path] | None = None,
        device: str = "auto",
        wait: bool = True,
    ) -> Findings | None:
        """Analyse a case of the scene.

        Args:
            case: volumes, segments and record.
            packages: names or paths of the model packages to apply.
            settings: radiomics parameter files whose features are wanted besides.
            out: folder where the result files are kept; None keeps none: the scene has the results.
            engine: which radiomics engine computes the features.
            references: by package name, the reference table of the user's own cohort.
            device: on which networks compute: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
            wait: return when it is done; otherwise at once, and ``step`` reports until it is.

        Returns:
            What was found, None where it is not waited for.

        Raises:
            InputError: the input is wrong, before or after the worker looked at it.
            HCCError: with ``wait``, the worker could not do it.
        """
        # Needs libraries that are installed when an analysis is first asked for.
        from hccoutcome.jobs import AnalyseJob

        def job_of(files: CaseFiles) -> AnalyseJob:
            self._out = out
            return AnalyseJob(
                case=files,
                packages=tuple(packages),
                out=self._folder / "results" if out is None else out / case.case_id,
                settings=tuple(settings),
                references=dict(references or {}),
                engine=engine,
                scene=False,
                report=False,
                explain=True,
                outlined_by=outlined_by(case),
                device=device,
            )

        self._launch(case, job_of, wait)
        return self.findings
