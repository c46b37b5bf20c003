"""Programs run outside this process: heard line by line, and ended with all that they started on a cancel."""

from __future__ import annotations

import codecs
import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from hccoutcome.errors import EnvironmentNeeded
from hccoutcome.progress import Progress, silent

PACKAGE_HOME = Path(__file__).resolve().parents[1]
"""Folder in which this package lies."""
KILL_SECONDS = 2.0
_BEAT_SECONDS = 0.5
"""How often progress is reported, news or not, so that whoever reports it can cancel."""
_LINGER_SECONDS = 2.0
"""How long a program that has ended is heard, should something that it left behind hold its output open."""
_KEPT_LINES, _LONGEST_LINE = 40, 2000
_LINE_END = re.compile(r"[\r\n]+")
_MARK = "hcc-progress "
"""By which a line of progress is told from whatever libraries print."""

Reader = Callable[[str], "tuple[float, str] | None"]
"""Given a line of a program's output; returns the fraction done and a message where the line tells either."""


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit status and the last lines that it said."""

    status: int
    lines: tuple[str, ...]

    def last(self, count: int = 5) -> str:
        """Return the last lines as one text."""
        return "\n".join(self.lines[-count:])


def run_program(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    folder: Path,
    reader: Reader,
    progress: Progress = silent,
) -> Ended:
    """Run a program to its end and return how it ended.

    Args:
        command: the program and its arguments, as they are: no shell sees them.
        environment: its environment.
        folder: in which it runs.
        reader: turns its lines (standard output and error together) into progress.
        progress: told at least twice a second; where it raises, the program and all that it started are ended first.

    Raises:
        EnvironmentNeeded: the program cannot be started.
    """
    try:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise EnvironmentNeeded(
            f"The program '{command[0]}' cannot be started ({error.strerror}): check its path and install it again."
        ) from error
    kept: deque[str] = deque(maxlen=_KEPT_LINES)
    try:
        fraction, message = 0.0, "starting"
        for line in _heard(process):
            kept.extend([line] if line.strip() else [])
            fraction, message = (reader(line) if line else None) or (fraction, message)
            progress(fraction, message)
    finally:
        if process.poll() is None:
            kill_tree(process.pid)
        process.wait()
    return Ended(process.returncode, tuple(kept))


def own_environment() -> dict[str, str]:
    """Return this process's environment with a path on which a new Python finds this very package."""
    paths = [str(PACKAGE_HOME), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "PYTHONUNBUFFERED": "1"}


def tell_progress(fraction: float, message: str) -> None:
    """Tell the process that started this one how far the work is, as a line that ``read_progress`` reads there."""
    sys.stdout.write(_MARK + json.dumps({"fraction": round(fraction, 4), "message": message}) + "\n")
    sys.stdout.flush()


def read_progress(line: str) -> tuple[float, str] | None:
    """Return the progress in a line of one of our own processes, None for any other line."""
    if not line.startswith(_MARK):
        return None
    found = json.loads(line.removeprefix(_MARK))
    return float(found["fraction"]), str(found["message"])


def _heard(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """Yield the lines of a program until it has ended, and an empty one wherever it is silent for a beat."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    assert process.stdout is not None  # noqa: S101 - the pipe was asked for; told to the type checker
    threading.Thread(target=_listen, args=(process.stdout, lines), daemon=True).start()
    ended = None
    while True:
        try:
            line = lines.get(timeout=_BEAT_SECONDS)
        except queue.Empty:
            line = ""
        if line is None:
            process.wait()
            return
        yield line
        if process.poll() is not None:
            ended = ended or time.monotonic()
            if time.monotonic() - ended > _LINGER_SECONDS:
                return


def _listen(pipe: IO[bytes], lines: queue.SimpleQueue[str | None]) -> None:
    """Put whole lines into the queue, then None; a progress bar that rewrites its line gives one each time."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    with pipe:
        while chunk := os.read(pipe.fileno(), 65536):
            *whole, rest = _LINE_END.split(rest + decoder.decode(chunk))
            for line in filter(None, whole):
                lines.put(line[:_LONGEST_LINE])
            rest = rest[-_LONGEST_LINE:]
    if rest:
        lines.put(rest)
    lines.put(None)


def kill_tree(pid: int) -> None:
    """End a process and everything that it started, and wait until they are gone."""
    import psutil

    try:
        parent = psutil.Process(pid)
        family = [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        return
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    deadline = time.monotonic() + KILL_SECONDS
    while any(map(_alive, family)) and time.monotonic() < deadline:
        time.sleep(0.01)


def _alive(process: Any) -> bool:
    """Whether a process still runs; one that has ended but whose parent has not asked for its status does not."""
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
