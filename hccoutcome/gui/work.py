"""Analyse a case of the scene in a worker process and put what was found beside it; the same for window and batch."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from hccoutcome.errors import HCCError, InputError
from hccoutcome.findings import Findings
from hccoutcome.gui.compat import worker_environment, worker_python
from hccoutcome.gui.runner import Failed, JobRunner
from hccoutcome.gui.signals import Signal
from hccoutcome.scene.build import add_findings
from hccoutcome.scene.inputs import SceneCase, case_nodes, nodes_to_draw, write_case
from hccoutcome.scene.nodes import CaseNodes

REPORT_FILE = "report.html"


def worker_command() -> tuple[str, ...]:
    """Return the command of the worker, to which the job's folder is added."""
    return (worker_python(), "-m", "hccoutcome.worker")


class CaseAnalysis:
    """One analysis at a time.

    Signals:
        progressed(fraction, message), finished(findings, nodes), failed(message), cancelled().
    """

    def __init__(self, command: Callable[[], Sequence[str]] = worker_command) -> None:
        """Take what names the worker's command; it is asked at each start."""
        self.progressed, self.finished, self.failed, self.cancelled = Signal(), Signal(), Signal(), Signal()
        self.findings: Findings | None = None
        self.nodes: CaseNodes | None = None
        self._command = command
        self._runner: JobRunner | None = None
        self._case: SceneCase | None = None
        self._folder: Path | None = None
        self._out: Path | None = None
        self._report_folder: Path | None = None
        self._failure: Failed | None = None

    @property
    def running(self) -> bool:
        """Whether an analysis is under way."""
        return self._runner is not None and self._runner.running

    def process(
        self,
        case: SceneCase,
        packages: Sequence[str] = (),
        settings: Sequence[str] = (),
        out: Path | None = None,
        engine: str = "auto",
        wait: bool = True,
    ) -> Findings | None:
        """Analyse a case of the scene.

        Args:
            case: volumes, segments and record.
            packages: names or paths of the model packages to apply.
            settings: radiomics parameter files whose features are wanted besides.
            out: folder where the result files are kept; None keeps none: the scene has the results.
            engine: which radiomics engine computes the features.
            wait: return when it is done; otherwise at once, and ``step`` reports until it is.

        Returns:
            What was found, None where it is not waited for.

        Raises:
            InputError: the input is wrong, before or after the worker looked at it.
            HCCError: with ``wait``, the worker could not do it.
        """
        if self.running:
            raise InputError("An analysis is under way: wait for it or cancel it.")
        # Needs libraries that are installed when an analysis is first asked for.
        from hccoutcome.jobs import AnalyseJob

        self._folder = Path(tempfile.mkdtemp(prefix="hcc-job-"))
        self.forget()
        self._case, self._out = case, out
        try:
            files = write_case(case, self._folder)
            results = self._folder / "results" if out is None else out / case.case_id
            job = AnalyseJob(
                case=files,
                packages=tuple(packages),
                out=results,
                settings=tuple(settings),
                engine=engine,
                scene=False,
                report=False,
            )
            job.save(self._folder)
            self._runner = self._new_runner()
            self._runner.start(self._folder)
        except BaseException:
            self._clean()
            raise
        if wait:
            self._runner.wait()
            self._raise_failure()
        return self.findings

    def step(self) -> bool:
        """Report what has happened since the last call; False once the analysis is over."""
        return self._runner is not None and self._runner.step()

    def cancel(self) -> None:
        """End the analysis; the scene stays as it was."""
        if self._runner is not None:
            self._runner.cancel()

    def forget(self) -> None:
        """Let go of the last analysis: of its nodes, findings and failure, and of a report that nobody keeps."""
        self.findings, self.nodes, self._case, self._failure = None, None, None, None
        if self._report_folder is not None:
            shutil.rmtree(self._report_folder, ignore_errors=True)
            self._report_folder = None

    def write_report(self) -> Path:
        """Write the report of the last analysis, with pictures of the scene, and return the file."""
        from hccoutcome.report.html import write_report
        from hccoutcome.scene.render import case_pictures

        if self.findings is None or self._case is None:
            raise InputError("There is nothing to report yet: analyse a case first.")
        path = self._folder_of_report() / REPORT_FILE
        with nodes_to_draw(self._case) as nodes:
            write_report(path, self.findings, case_pictures(nodes))
        return path

    def _folder_of_report(self) -> Path:
        """Return the chosen folder, or one that is gone with the next analysis."""
        if self._out is not None:
            return self._out / self.findings.case_id
        if self._report_folder is None:
            self._report_folder = Path(tempfile.mkdtemp(prefix="hcc-report-"))
        return self._report_folder

    def _new_runner(self) -> JobRunner:
        runner = JobRunner(self._command(), worker_environment())
        runner.progressed.connect(self.progressed.emit)
        runner.finished.connect(self._on_finished)
        runner.failed.connect(self._on_failed)
        runner.cancelled.connect(self._on_cancelled)
        return runner

    def _on_finished(self, path: Path) -> None:
        try:
            self.findings = Findings.from_json(json.loads(path.read_text(encoding="utf-8")))
            # The user's own volumes carry no marks, so they are not among what add_findings finds again.
            nodes = case_nodes(self._case)
            self.nodes = replace(nodes, findings=add_findings(self.findings, nodes).findings)
        finally:
            self._clean()
        self.finished.emit(self.findings, self.nodes)

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
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
