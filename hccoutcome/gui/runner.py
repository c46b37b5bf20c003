"""Run one job in a worker process: progress while it works, its result or its error at the end, cancel at any time.

The worker writes its events into a file in the job's folder, which is looked at a few times a second: nothing blocks,
no pipe fills up, and the log stays for whoever wants to see it.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hccoutcome.gui.signals import Signal
from hccoutcome.gui.translate import _
from hccoutcome.processes import KILL_SECONDS, kill_tree

EVENTS_FILE, LOG_FILE = "events.jsonl", "log.txt"
POLL_SECONDS = 0.1
LOG_BYTES = 20_000
"""How much of the end of a log is shown."""
WRONG_INPUT = 2
"""Exit status of a worker that refused its input."""


@dataclass(frozen=True)
class Progressed:
    """The worker has done ``fraction`` (0 to 1) and is now at ``message``."""

    fraction: float
    message: str


@dataclass(frozen=True)
class Finished:
    """The worker has put its results in place; ``path`` is ``result.json``."""

    path: Path


@dataclass(frozen=True)
class Failed:
    """The worker could not do it; ``message`` says why, ``wrong_input`` that the user can mend it."""

    message: str
    wrong_input: bool = False


Event = Progressed | Finished | Failed


def parse_event(line: str) -> Event | None:
    """Return the event in a line of the worker's output; None for an event of another kind.

    Raises:
        ValueError: the line is not one that a worker writes.
    """
    data = json.loads(line)
    kind = data["event"]
    if kind == "progress":
        return Progressed(float(data["fraction"]), str(data["message"]))
    if kind == "result":
        return Finished(Path(data["path"]))
    if kind == "error":
        return Failed(str(data["message"]), wrong_input=data.get("status") == WRONG_INPUT)
    return None


class JobRunner:
    """Runs one job at a time.

    Signals:
        progressed(fraction, message), finished(path of result.json), failed(Failed), cancelled().
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Take the worker's command, to which the job's folder is added, and its environment."""
        self.progressed, self.finished, self.failed, self.cancelled = Signal(), Signal(), Signal(), Signal()
        self._command, self._environment = tuple(command), dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path()
        self._position = 0
        self._outcome: Finished | Failed | None = None

    @property
    def running(self) -> bool:
        """Whether a job is under way."""
        return self._process is not None

    def start(self, folder: Path) -> None:
        """Start the worker on the job in ``folder``.

        Raises:
            RuntimeError: a job is under way.
        """
        if self.running:
            raise RuntimeError("a job is under way")
        self._folder, self._position, self._outcome = folder, 0, None
        with (folder / EVENTS_FILE).open("wb") as events, (folder / LOG_FILE).open("wb") as log:
            self._process = subprocess.Popen(
                [*self._command, str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=events,
                stderr=log,
                env=self._environment,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )

    def step(self) -> bool:
        """Report what has happened since the last call; False once the job is over."""
        if self._process is None:
            return False
        status = self._process.poll()
        self._read_events()
        if status is None:
            return True
        # Written between the poll and the end of the process.
        self._read_events()
        self._end(status)
        return False

    def wait(self) -> None:
        """Report until the job is over; for work without a window."""
        while self.step():
            time.sleep(POLL_SECONDS)

    def cancel(self) -> None:
        """End the worker and all that it started; nothing of the job is kept."""
        if self._process is None:
            return
        process, self._process = self._process, None
        kill_tree(process.pid)
        process.wait(KILL_SECONDS)
        self.cancelled.emit()

    def log(self) -> str:
        """Return the end of what the worker wrote to its log."""
        try:
            with (self._folder / LOG_FILE).open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - LOG_BYTES))
                return file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def _read_events(self) -> None:
        with (self._folder / EVENTS_FILE).open("rb") as file:
            file.seek(self._position)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._position += len(whole)
        for line in whole.decode("utf-8").splitlines():
            event = parse_event(line)
            if isinstance(event, Progressed):
                self.progressed.emit(event.fraction, event.message)
            elif event is not None:
                self._outcome = event

    def _end(self, status: int) -> None:
        """Say once how the job ended; a worker that said nothing has died."""
        self._process = None
        if isinstance(self._outcome, Finished):
            self.finished.emit(self._outcome.path)
        elif isinstance(self._outcome, Failed):
            self.failed.emit(self._outcome)
        else:
            message = _(
                "The worker process ended unexpectedly (exit status {status}); the scene is as it was: run it again, "
                "and if it happens again report it with the log:\n{log}"
            ).format(status=status, log=self._last_log_lines())
            self.failed.emit(Failed(message))

    def _last_log_lines(self) -> str:
        return "\n".join(self.log().splitlines()[-5:])
