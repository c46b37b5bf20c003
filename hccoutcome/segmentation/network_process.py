"""Networks of ours in a process of their own: ``python -m hccoutcome.segmentation.network_process FOLDER``.

A network computes for minutes and cannot be stopped amid a layer; a process can. The folder holds ``request.json`` and
images; labels, ``answer.json`` or ``error.json`` come out. Progress goes as JSON lines to standard output.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hccoutcome.errors import EnvironmentNeeded, HCCError, InputError
from hccoutcome.files import write_json
from hccoutcome.processes import PACKAGE_HOME, own_environment, read_progress, run_program, tell_progress
from hccoutcome.progress import Progress
from hccoutcome.segmentation.devices import device_failed
from hccoutcome.segmentation.exchange import check_ended, foreign_environment
from hccoutcome.segmentation.setup import Setup

REQUEST, ANSWER, ERROR = "request.json", "answer.json", "error.json"
FAILED, WRONG_INPUT = 1, 2
NETWORKS = MappingProxyType(
    {
        "medsam": "hccoutcome.segmentation.medsam_inference",
        "monai": "hccoutcome.segmentation.monai_inference",
    }
)
"""Module by kind of network; its function ``answer(request, folder, device, progress)`` computes."""


def python_of(setup: Setup) -> Path:
    """Return the Python that computes: the one that is set, else this very one."""
    return setup.python or Path(sys.executable)


def ask(kind: str, request: Mapping[str, Any], setup: Setup, folder: Path, progress: Progress) -> dict[str, Any]:
    """Return what a network answers in a process of its own, on the device that is set or the one that there is.

    Args:
        kind: one of ``NETWORKS``.
        request: JSON data; files that it names lie in ``folder``.
        setup: Python and device.
        folder: of this run; the network writes its labels there.
        progress: told how far the work is; where it raises, the process is ended.

    Raises:
        InputError: the network refused its weights or the request.
        EnvironmentNeeded: a library is missing there, or the process ended without an answer.
    """
    python = python_of(setup)
    environment = _environment(setup, folder)
    write_json(folder / REQUEST, {"kind": kind, "device": setup.device, **request})
    command = [str(python), "-m", "hccoutcome.segmentation.network_process", str(folder)]
    ended = run_program(command, environment, folder, read_progress, progress)
    if (folder / ERROR).is_file():
        error = json.loads((folder / ERROR).read_text(encoding="utf-8"))
        raise (InputError if error["status"] == WRONG_INPUT else EnvironmentNeeded)(error["message"])
    check_ended(ended, "The network's process")
    return json.loads((folder / ANSWER).read_text(encoding="utf-8"))


def _environment(setup: Setup, folder: Path) -> dict[str, str]:
    """Return the environment of the process, on whose path this very package lies."""
    if setup.python is not None:
        return foreign_environment(folder, {"PYTHONPATH": str(PACKAGE_HOME)})
    return own_environment()


def main(arguments: list[str] | None = None) -> int:
    """Answer the request in the folder that the command line names, and return the exit status."""
    (name,) = sys.argv[1:] if arguments is None else arguments
    folder = Path(name)
    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    try:
        write_json(folder / ANSWER, _answer(request, folder))
    except HCCError as error:
        status = WRONG_INPUT if isinstance(error, InputError) else FAILED
        write_json(folder / ERROR, {"message": str(error), "status": status})
        return status
    except ModuleNotFoundError as error:
        message = (
            f"The network needs the Python package '{error.name}', which '{sys.executable}' does not have: install it "
            "there, or name another Python with hcc engine."
        )
        write_json(folder / ERROR, {"message": message, "status": FAILED})
        return FAILED
    return 0


def _answer(request: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Compute on the first device that can; the processor is the last."""
    import torch

    from hccoutcome.segmentation.devices import device_record, devices_to_try

    network = import_module(NETWORKS[request["kind"]])
    there = ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
    devices = devices_to_try(request["device"], there)
    for device in devices:
        try:
            found = network.answer(request, folder, device, tell_progress)
            return {**found, **device_record(request["device"], devices, device), "torch": torch.__version__}
        except (RuntimeError, NotImplementedError) as error:
            if device == devices[-1] or isinstance(error, HCCError) or not device_failed([repr(error)]):
                raise
    raise AssertionError("devices_to_try names at least one")


if __name__ == "__main__":
    sys.exit(main())
