"""TotalSegmentator: liver, lesions, vessels and Couinaud's segments on CT and MR, from an environment of its own.

The program runs as it is installed there (``TotalSegmentator -i IMAGE -o FOLDER -ta TASK``) and writes one NIfTI mask a
class. It gets a home folder for this run alone in which the sending of usage statistics is turned off, the weights by
``TOTALSEG_WEIGHTS_PATH``, and no way to the network.

Source: Wasserthal et al., Radiology: Artificial Intelligence 2023;5:e230024.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from hccoutcome.errors import EnvironmentNeeded
from hccoutcome.files import write_json
from hccoutcome.processes import Ended, run_program
from hccoutcome.progress import Progress, part
from hccoutcome.segmentation.devices import device_failed, device_record, devices_of
from hccoutcome.segmentation.engine import Card, Draft, Offer, Readiness, Task
from hccoutcome.segmentation.exchange import (
    check_ended,
    foreign_environment,
    hash_of_files,
    mask_of,
    read_labels,
    workspace,
    write_image,
)
from hccoutcome.segmentation.setup import Setup, installed_version, program_beside, python_beside, read_setup
from hccoutcome.segmentation.totalsegmentator_tasks import (
    LiverTask,
    checkpoints,
    downloads_for,
    regions_of,
    tasks_for,
    weights_there,
)

PROGRAM, PHASE_PROGRAM = "TotalSegmentator", "totalseg_get_phase"
_DEVICE_NAMES = {"cuda": "gpu", "cpu": "cpu", "mps": "mps"}
_HOME = {"totalseg_id": "none", "send_usage_stats": False, "prediction_counter": 0, "statistics_disclaimer_shown": True}
"""Its ``config.json``: no usage statistics."""
_STAGES = (
    ("generating rough", 0.02, 0.15, "finding the liver"),
    ("resampling", 0.15, 0.2, "resampling"),
    ("predicting", 0.2, 0.9, "running the network"),
    ("predicted in", 0.9, 0.92, "bringing the masks back"),
    ("saving", 0.95, 0.99, "saving the masks"),
)
"""How its lines begin, and from where to where the work is then done."""
_PERCENT = re.compile(r"^\s*(\d{1,3})%\|")


@dataclass(frozen=True)
class TotalSegmentator:
    """The engine, as a person has set it up."""

    setup: Setup = field(default_factory=Setup)

    @property
    def card(self) -> Card:
        """What the engine says of itself."""
        program = self.program
        both = [region for region in regions_of("CT") if region in regions_of("MR")]
        offers = [Offer(region, ("none",), ("CT", "MR") if region in both else ("CT",)) for region in regions_of("CT")]
        return Card(
            name="totalsegmentator",
            title="TotalSegmentator",
            version=installed_version(python_beside(program), "TotalSegmentator") if program else "",
            offers=tuple(offers),
            licence="Apache-2.0, the weights of these tasks too",
            citation="Wasserthal J, et al. Radiology: Artificial Intelligence 2023;5:e230024, doi 10.1148/ryai.230024; "
            "lesions: doi 10.1007/s10278-025-01716-y",
            weights="downloaded once by its own totalseg_download_weights",
        )

    @property
    def program(self) -> Path | None:
        """The program, None where it is not found."""
        return program_beside(self.setup.python, PROGRAM)

    @property
    def weights(self) -> Path:
        """The folder with the weights: that set, else the one where the program keeps them."""
        if self.setup.weights is not None:
            return self.setup.weights
        named, home = os.environ.get("TOTALSEG_WEIGHTS_PATH"), os.environ.get("TOTALSEG_HOME_DIR")
        if named:
            return Path(named)
        return (Path(home) if home else Path.home() / ".totalsegmentator") / "nnunet" / "results"

    def readiness(self, task: Task | None = None) -> Readiness:
        """Return whether the program and weights are there: those for a task, or for any of the regions."""
        if self.program is None:
            return Readiness(False, _install_step(self.setup.python))
        there = weights_there(self.weights)
        if task is not None:
            missing = _missing(tasks_for(task.regions, task.modality, there), there)
            return Readiness(not missing, _weights_step(missing, self.weights) if missing else "")
        able = any(
            not _missing(tasks_for((region,), modality, there), there)
            for modality in ("CT", "MR")
            for region in regions_of(modality)
        )
        return Readiness(able, "" if able else _weights_step(frozenset((297, 298, 591)), self.weights))

    def segment(self, task: Task, progress: Progress) -> Draft:
        """Outline the regions of a task with one run for each of the program's tasks."""
        program = self._ready_program(task)
        there = weights_there(self.weights)
        jobs = tasks_for(task.regions, task.modality, there)
        masks: dict[str, sitk.Image] = {}
        with workspace() as folder:
            environment = self.environment(folder)
            progress(0.0, "looking for devices")
            devices = tried = devices_of(python_beside(program), environment, self.setup.device)
            image = write_image(task.reference, folder / "image.nii")
            for number, job in enumerate(jobs):
                step = part(progress, 0.02 + 0.96 * number / len(jobs), 0.02 + 0.96 * (number + 1) / len(jobs))
                device = self._run(program, job, image, folder, environment, tried, step)
                tried = tried[tried.index(device) :]
                for region in (name for name in task.regions if name in job.classes):
                    path = folder / job.task / f"{job.classes[region]}.nii.gz"
                    masks[region] = mask_of(read_labels(path, task.reference, PROGRAM), range(1, 256))
            versions = _versions(python_beside(program))
        used = [
            path
            for number in dict.fromkeys(n for job in jobs for n in job.computes)
            for path in checkpoints(self.weights, number)
        ]
        return Draft(
            {region: masks[region] for region in task.regions},
            {
                "version": versions.get("TotalSegmentator", "unknown"),
                "settings": {"tasks": [[job.task, *job.arguments] for job in jobs]},
                "weights": hash_of_files(used, self.weights),
                "libraries": versions,
                **device_record(self.setup.device, devices, tried[0]),
            },
        )

    def environment(self, folder: Path) -> dict[str, str]:
        """Return the program's environment for a run in a folder, with a home that sends no statistics."""
        home = folder / "home"
        home.mkdir(exist_ok=True)
        write_json(home / "config.json", _HOME)
        return foreign_environment(folder, {"TOTALSEG_HOME_DIR": str(home), "TOTALSEG_WEIGHTS_PATH": str(self.weights)})

    def _ready_program(self, task: Task | None) -> Path:
        readiness, program = self.readiness(task), self.program
        if program is None or not readiness.ready:
            raise EnvironmentNeeded(f"The engine 'totalsegmentator' is not ready on this machine: {readiness.step}")
        return program

    def _run(
        self,
        program: Path,
        job: LiverTask,
        image: Path,
        folder: Path,
        environment: Mapping[str, str],
        devices: Sequence[str],
        progress: Progress,
    ) -> str:
        """Run one task on the first device that can, and return the device."""
        for device in devices:
            command = task_command(program, job, image, folder / job.task, device)
            ended = run_program(command, environment, folder, StageReader(), progress)
            if ended.status == 0 or device == devices[-1] or not device_failed(ended.lines):
                break
        check_ended(ended, PROGRAM)
        return device


def segmenter() -> TotalSegmentator:
    """Return the engine as it is set up on this machine."""
    return TotalSegmentator(read_setup("totalsegmentator"))


def task_command(program: Path, job: LiverTask, image: Path, out: Path, device: str) -> list[str]:
    """Return the command of one task; its masks go into the folder ``out``."""
    words = [program, "-i", image, "-o", out, "-ta", job.task, "-d", _DEVICE_NAMES[device], "-nr", "1", "-ns", "1"]
    return [str(word) for word in (*words, *job.arguments)]


class StageReader:
    """Turns the program's lines into progress; a percentage counts within the stage that was named last.

    The network runs once for each of its parts, and before that once to find the liver: what is reported never goes
    back.
    """

    def __init__(self) -> None:
        self._stage = (0.0, 0.02, "starting")
        self._done = 0.0

    def __call__(self, line: str) -> tuple[float, str] | None:
        """Return the fraction done and the stage, None for a line that tells neither."""
        low, high, message = self._stage
        if percent := _PERCENT.match(line):
            found = low + (high - low) * min(int(percent[1]), 100) / 100
        else:
            text = line.strip().lower()
            named = next((stage for stage in _STAGES if text.startswith(stage[0])), None)
            if named is None:
                return None
            _, low, high, message = named
            self._stage, found = (low, high, message), low
        self._done = max(self._done, found)
        return self._done, message


def _missing(jobs: Sequence[LiverTask], there: frozenset[int]) -> frozenset[int]:
    return frozenset(number for job in jobs for number in job.needed) - there


def _install_step(python: Path | None) -> str:
    if python is None:
        return (
            "install TotalSegmentator (https://github.com/wasserth/TotalSegmentator) into a Python environment of its "
            "own and name that Python: hcc engine totalsegmentator --python PYTHON."
        )
    return f"install TotalSegmentator into the environment of '{python}', which does not have it, or name another."


def _weights_step(missing: frozenset[int], folder: Path) -> str:
    commands = " and ".join(f"'totalseg_download_weights -t {name}'" for name in downloads_for(missing))
    return (
        f"run {commands} in its environment, which downloads the weights that are missing in '{folder}', or name the "
        "folder that holds them: hcc engine totalsegmentator --weights FOLDER."
    )


def _versions(python: Path) -> dict[str, str]:
    found = {name: installed_version(python, name) for name in ("TotalSegmentator", "nnunetv2", "torch")}
    return {name: version for name, version in found.items() if version}


@dataclass(frozen=True)
class DetectedPhase:
    """The contrast phase that TotalSegmentator sees in a CT.

    Attributes:
        phase: the canonical phase.
        found: its own, finer word: native, arterial_early, arterial_late, portal_venous.
        seconds: time after injection as its classifiers estimate it.
        range_s: the lowest and highest of their estimates.
        probability: its own estimate of being right.
    """

    phase: str
    found: str
    seconds: float
    range_s: tuple[float, float]
    probability: float


_PHASES = {
    "native": "precontrast",
    "arterial_early": "arterial",
    "arterial_late": "arterial",
    "portal_venous": "portal",
    "delayed": "delayed",
}


def detect_phase(image: sitk.Image, setup: Setup, progress: Progress) -> DetectedPhase:
    """Return the contrast phase of a CT by ``totalseg_get_phase``.

    Needs the weights of ``total`` at 3 mm and, in its environment, the package xgboost.

    Raises:
        EnvironmentNeeded: the program or its weights are missing, or it failed.
    """
    engine = TotalSegmentator(setup)
    program = program_beside(setup.python, PHASE_PROGRAM)
    if program is None:
        raise EnvironmentNeeded(f"The phase cannot be detected on this machine: {_install_step(setup.python)}")
    missing = frozenset((297,)) - weights_there(engine.weights)
    if missing:
        raise EnvironmentNeeded(
            f"The phase cannot be detected on this machine: {_weights_step(missing, engine.weights)}"
        )
    with workspace() as folder:
        environment = engine.environment(folder)
        answer = folder / "phase.json"
        path = write_image(image, folder / "image.nii")
        for device in devices_of(python_beside(program), environment, setup.device):
            ended = run_program(
                phase_command(program, path, answer, device), environment, folder, _phase_progress, progress
            )
            if ended.status == 0 or not device_failed(ended.lines):
                break
        _check_phase_ended(ended)
        return phase_in(answer.read_text(encoding="utf-8"))


def phase_command(program: Path, image: Path, out: Path, device: str) -> list[str]:
    """Return the command that detects the phase and writes it as JSON."""
    return [str(word) for word in (program, "-i", image, "-o", out, "-d", _DEVICE_NAMES[device])]


def phase_in(text: str) -> DetectedPhase:
    """Return the phase in what ``totalseg_get_phase`` has written.

    Raises:
        EnvironmentNeeded: it is not what version 2.18 writes.
    """
    try:
        data: dict[str, Any] = json.loads(text)
        return DetectedPhase(
            phase=_PHASES[data["phase"]],
            found=data["phase"],
            seconds=float(data["pi_time"]),
            range_s=(float(data["pi_time_min"]), float(data["pi_time_max"])),
            probability=float(data["probability"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise EnvironmentNeeded(
            f"{PHASE_PROGRAM} was expected to name a phase as version 2.18 does, found {error!r}: install that version."
        ) from error


_PHASE_STAGES = (
    ("loading data", 0.02), ("running totalsegmentator", 0.1), ("running headneck", 0.5), ("predicting phase", 0.85)
)  # fmt: skip


def _phase_progress(line: str) -> tuple[float, str] | None:
    text = line.strip().lower()
    return next(((done, "detecting the phase") for start, done in _PHASE_STAGES if text.startswith(start)), None)


def _check_phase_ended(ended: Ended) -> None:
    if any("No module named 'xgboost'" in line for line in ended.lines):
        raise EnvironmentNeeded(
            f"{PHASE_PROGRAM} needs the package xgboost in its environment, which lacks it: install it there."
        )
    check_ended(ended, PHASE_PROGRAM)
