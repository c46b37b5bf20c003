"""A process of its own for what needs shap: a request goes in as a file, an answer or a sentence comes out as one.

The process that asks may have loaded Slicer's ``slicer``; the one that answers has not, and shap may load the package
that it calls by the same name. The answering module is run as ``python -m MODULE FOLDER`` and calls ``answer`` there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from hccoutcome.errors import EnvironmentNeeded, HCCError, InputError
from hccoutcome.files import write_json
from hccoutcome.progress import Progress, silent

REQUEST, ANSWER, ERROR = "request.json", "answer.json", "error.json"
FAILED, WRONG_INPUT = 1, 2
_LAST_LINES = 5

Answer = Callable[[Mapping[str, Any], Progress], Mapping[str, Any]]


def ask(module: str, request: Mapping[str, Any], progress: Progress = silent) -> dict[str, Any]:
    """Return what a module answers in a process of its own.

    Args:
        module: full name of a module of this package that calls ``answer`` when it is run.
        request: JSON data.
        progress: told how far the work is; where it raises, the process is ended.

    Raises:
        InputError: the module refused the request.
        EnvironmentNeeded: a library or folder is missing there, or the process ended without an answer.
    """
    with tempfile.TemporaryDirectory(prefix="hcc-explain-") as name, tempfile.TemporaryFile("w+") as log:
        folder = Path(name)
        write_json(folder / REQUEST, dict(request))
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder)],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        assert process.stdout is not None  # noqa: S101 - the pipe was asked for; told to the type checker
        try:
            for line in process.stdout:
                progress(*_progress(line))
            process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()
        return _answer_in(folder, process.returncode, log)


def _environment() -> dict[str, str]:
    """Return this process's environment with a path on which the new one finds this very package."""
    home = str(Path(__file__).resolve().parents[2])
    paths = [home, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "PYTHONUNBUFFERED": "1"}


def _progress(line: str) -> tuple[float, str]:
    found = json.loads(line)
    return float(found["fraction"]), str(found["message"])


def _answer_in(folder: Path, status: int, log: IO[str]) -> dict[str, Any]:
    """Return the answer in a folder, or raise what the process said instead."""
    if (folder / ANSWER).is_file():
        return json.loads((folder / ANSWER).read_text(encoding="utf-8"))
    if (folder / ERROR).is_file():
        error = json.loads((folder / ERROR).read_text(encoding="utf-8"))
        kind = InputError if error["status"] == WRONG_INPUT else EnvironmentNeeded
        raise kind(error["message"])
    log.seek(0)
    last = "\n".join(log.read().splitlines()[-_LAST_LINES:])
    raise EnvironmentNeeded(
        f"The process that computes explanations ended unexpectedly (exit status {status}): run it again, and if it "
        f"happens again report it with these lines:\n{last}"
    )


def answer(reply: Answer, arguments: list[str] | None = None) -> int:
    """Answer the request in the folder that the command line names, and return the exit status.

    Progress goes as JSON lines to the real standard output, what libraries print to standard error.
    """
    (name,) = sys.argv[1:] if arguments is None else arguments
    folder = Path(name)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as stream:
        os.dup2(2, 1)

        def progress(fraction: float, message: str) -> None:
            stream.write(json.dumps({"fraction": round(fraction, 4), "message": message}) + "\n")
            stream.flush()

        try:
            request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
            write_json(folder / ANSWER, dict(reply(request, progress)))
        except HCCError as error:
            status = WRONG_INPUT if isinstance(error, InputError) else FAILED
            write_json(folder / ERROR, {"message": str(error), "status": status})
            return status
    return 0
