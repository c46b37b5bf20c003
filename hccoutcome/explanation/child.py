"""A process of its own for what needs shap: a request goes in as a file, an answer or a sentence comes out as one.

The process that asks may have loaded Slicer's ``slicer``; the one that answers has not, and shap may load the package
that it calls by the same name. The answering module is run as ``python -m MODULE FOLDER`` and calls ``answer`` there.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hccoutcome.errors import EnvironmentNeeded, HCCError, InputError
from hccoutcome.files import write_json
from hccoutcome.processes import Ended, own_environment, read_progress, run_program, tell_progress
from hccoutcome.progress import Progress, silent

REQUEST, ANSWER, ERROR = "request.json", "answer.json", "error.json"
FAILED, WRONG_INPUT = 1, 2

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
    with tempfile.TemporaryDirectory(prefix="hcc-explain-") as name:
        folder = Path(name)
        write_json(folder / REQUEST, dict(request))
        command = [sys.executable, "-m", module, str(folder)]
        return _answer_in(folder, run_program(command, own_environment(), folder, read_progress, progress))


def _answer_in(folder: Path, ended: Ended) -> dict[str, Any]:
    """Return the answer in a folder, or raise what the process said instead."""
    if (folder / ANSWER).is_file():
        return json.loads((folder / ANSWER).read_text(encoding="utf-8"))
    if (folder / ERROR).is_file():
        error = json.loads((folder / ERROR).read_text(encoding="utf-8"))
        kind = InputError if error["status"] == WRONG_INPUT else EnvironmentNeeded
        raise kind(error["message"])
    raise EnvironmentNeeded(
        f"The process that computes explanations ended unexpectedly (exit status {ended.status}): run it again, and if "
        f"it happens again report it with these lines:\n{ended.last()}"
    )


def answer(reply: Answer, arguments: list[str] | None = None) -> int:
    """Answer the request in the folder that the command line names, and return the exit status."""
    (name,) = sys.argv[1:] if arguments is None else arguments
    folder = Path(name)
    try:
        request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
        write_json(folder / ANSWER, dict(reply(request, tell_progress)))
    except HCCError as error:
        status = WRONG_INPUT if isinstance(error, InputError) else FAILED
        write_json(folder / ERROR, {"message": str(error), "status": status})
        return status
    return 0
