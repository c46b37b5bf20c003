"""Sample data for the application's Sample Data module: the synthetic patient, and a public CT with its licence.

The synthetic patient is generated on this machine in a process of its own and nothing is downloaded, so no file exists
beforehand whose checksum could be registered. What is downloaded comes from an address that is its own SHA256.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import qt

from hccoutcome.errors import EnvironmentNeeded, HCCError
from hccoutcome.gui.compat import worker_python
from hccoutcome.gui.rules import record_from_json
from hccoutcome.gui.translate import _
from hccoutcome.gui.work import temporary_folder
from hccoutcome.loading import load_case, read_case_folder
from hccoutcome.processes import own_environment
from hccoutcome.resources import resource
from hccoutcome.scene.build import add_case
from hccoutcome.scene.nodes import CaseNodes
from hccoutcome.scene.parameters import CaseInputs, CaseState

CATEGORY = "HCC Outcome"
"""The category's name is its title: Slicer 5.10 knows no other."""
PATIENTS = {"Synthetic HCC patient, CT": "CT", "Synthetic HCC patient, MR": "MR"}
"""Modality of each synthetic patient, by the name of the sample."""
PUBLIC_NAME = "Liver CT (CC BY-SA 4.0)"
PUBLIC_ADDRESS = "https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/"
PUBLIC_SHA256 = "e16eae0ae6fefa858c5c11e58f0f1bb81834d81b7102e021571056324ef6f37e"
"""liver_100 of the Medical Segmentation Decathlon, as Slicer's own sample CTLiver names it (SampleData.py)."""
POLL_MILLISECONDS = 100


def register(samples: Any, load: Callable[[Any], None]) -> None:
    """Offer the samples; where they are offered already, nothing changes.

    Args:
        samples: ``SampleData.SampleDataLogic``.
        load: called with the source of a synthetic patient when its button is pressed.
    """
    if samples.sampleDataSourcesByCategory(CATEGORY):
        return
    for name, modality in PATIENTS.items():
        samples.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=name,
            uris=[],
            fileNames=[],
            customDownloader=load,
            thumbnailFileName=str(resource("SampleData", f"patient-{modality}.png")),
        )
    samples.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=PUBLIC_NAME,
        uris=PUBLIC_ADDRESS + PUBLIC_SHA256,
        fileNames="CTLiver.nrrd",
        nodeNames="CTLiver",
        checksums="SHA256:" + PUBLIC_SHA256,
    )


class PatientLoader:
    """Has a synthetic patient generated, one at a time; complete, it comes into the scene and is chosen as the case."""

    def __init__(self, slicer: ModuleType, state: Callable[[], CaseState]) -> None:
        """Take Slicer's module, for its dialogs, and what gives the state that the windows share."""
        self._slicer, self._state = slicer, state
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path()
        self._dialog: Any = None
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MILLISECONDS)
        self._timer.connect("timeout()", self._step)

    @property
    def running(self) -> bool:
        """Whether a patient is being generated."""
        return self._process is not None

    def load(self, source: Any) -> None:
        """Begin with the patient of a source; while another is under way nothing is done."""
        if self.running:
            return
        try:
            self._folder = temporary_folder("hcc-sample-")
        except EnvironmentNeeded as error:
            self._slicer.util.errorDisplay(str(error))
            return
        try:
            self._start(PATIENTS[source.sampleName])
        except (HCCError, OSError) as error:
            self._end()
            self._slicer.util.errorDisplay(str(error))

    def cancel(self) -> None:
        """End what is under way; the scene stays as it was."""
        if self._process is not None:
            _kill(self._process)
            self._end()

    def _start(self, modality: str) -> None:
        command = [worker_python(), "-m", "hccoutcome.cli", "phantom", str(self._folder / "case")]
        with (self._folder / "log.txt").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--modality", modality],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=own_environment(),
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        # Without a maximum the bar only moves: it takes some seconds.
        self._dialog = self._slicer.util.createProgressDialog(
            maximum=0, labelText=_("Generating the synthetic patient..."), windowTitle=CATEGORY
        )
        self._dialog.connect("canceled()", self.cancel)
        self._timer.start()

    def _step(self) -> None:
        status = None if self._process is None else self._process.poll()
        if status is None:
            return
        self._timer.stop()
        try:
            if status != 0:
                raise EnvironmentNeeded(
                    f"The synthetic patient was not generated (exit status {status}): press the button again, and if "
                    f"it happens again report it with this line:\n{self._last_line()}"
                )
            choose(self._folder / "case", self._state().case)
        except HCCError as error:
            self._slicer.util.errorDisplay(str(error))
        finally:
            self._end()

    def _last_line(self) -> str:
        text = (self._folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip()
        return text.rpartition("\n")[2]

    def _end(self) -> None:
        """Leave nothing behind: no process, no dialog, no file."""
        self._timer.stop()
        self._process = None
        if self._dialog is not None:
            # Closing a progress dialog cancels it too, which is over by now.
            self._dialog.close()
            self._dialog = None
        shutil.rmtree(self._folder, ignore_errors=True)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started: PythonSlicer is only a launcher, and psutil may not be installed yet."""
    if os.name == "nt":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def choose(folder: Path, inputs: CaseInputs) -> CaseNodes:
    """Put the case in a folder into the scene, choose it in the windows, and return its nodes.

    Raises:
        InputError: it is not a case.
    """
    case = load_case(read_case_folder(folder))
    nodes = add_case(case)
    inputs.case_id, inputs.modality = case.case_id, case.modality
    for phase, volume in nodes.images.items():
        setattr(inputs, phase, volume)
    # The windows guess the regions from the segments' names.
    inputs.regions, inputs.habitats, inputs.segmentation = {}, None, nodes.segmentations[0]
    inputs.clinical = record_from_json((folder / "case.json").read_text(encoding="utf-8"))
    return nodes
