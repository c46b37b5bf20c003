"""The report of an analysed case, drawn and written in a worker process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hccoutcome.case import CaseFiles
from hccoutcome.errors import InputError
from hccoutcome.findings import Findings
from hccoutcome.gui.work import CaseWork, temporary_folder
from hccoutcome.scene.inputs import SceneCase, case_nodes
from hccoutcome.scene.looks import looks_of, windows_of
from hccoutcome.scene.nodes import CaseNodes

if TYPE_CHECKING:
    from hccoutcome.jobs import ReportJob

REPORT_FILE = "report.html"


class ReportWork(CaseWork):
    """Draws and writes the report of a case.

    Signals:
        As ``CaseWork``; finished(path, nodes).
    """

    def __init__(self, command: Callable[[], Sequence[str]] | None = None) -> None:
        """Take what names the worker's command."""
        super().__init__(command)
        self.path: Path | None = None
        self._own_folder: Path | None = None

    def process(self, case: SceneCase, findings: Findings, out: Path | None = None, wait: bool = True) -> Path | None:
        """Write the report of an analysed case, with pictures of it as the scene shows it.

        Args:
            case: the case as it was analysed.
            findings: what was found.
            out: folder for the report; None takes one that is gone with the next report.
            wait: return when it is done; otherwise at once, and ``step`` reports until it is.

        Returns:
            The file, None where it is not waited for.

        Raises:
            InputError: the case is no longer in the scene as it was analysed.
            HCCError: with ``wait``, the worker could not do it.
        """
        # Needs libraries that are installed when an analysis is first asked for.
        from hccoutcome.jobs import ReportJob

        for node in filter(None, (*case.volumes.values(), case.segmentation, case.habitats)):
            if node.GetScene() is None:
                raise InputError(f"'{node.GetName()}' is no longer in the scene: choose another and press Apply again.")
        looks, windows = looks_of(case), windows_of(case)
        target = (self._new_folder() if out is None else out) / REPORT_FILE

        def job_of(files: CaseFiles) -> ReportJob:
            written = self._folder / "findings.json"
            written.write_text(json.dumps(findings.to_json()), encoding="utf-8")
            return ReportJob(case=files, findings=written, out=target, looks=looks, windows=windows)

        self._launch(case, job_of, wait)
        return self.path

    def forget(self) -> None:
        """Let go of the last report; one that nobody keeps is removed."""
        super().forget()
        self.path = None

    def close(self) -> None:
        """Remove a report that nobody keeps."""
        if self._own_folder is not None:
            shutil.rmtree(self._own_folder, ignore_errors=True)
            self._own_folder = None

    def _new_folder(self) -> Path:
        self.close()
        self._own_folder = temporary_folder("hcc-report-")
        return self._own_folder

    def _take(self, path: Path) -> tuple[Path, CaseNodes]:
        self.path = path
        return path, case_nodes(self._case)
