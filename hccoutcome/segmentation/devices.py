"""On which device a network computes: what there is, what is tried in which order, what says that one has failed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

Device = Literal["auto", "cpu", "cuda", "mps"]
DEVICES: tuple[Device, ...] = get_args(Device)

_PROBE = """
import json, torch
found = ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available() + ["cpu"]
print(json.dumps(found))
"""
_PROBE_SECONDS = 120
_SIGNS = (
    "cuda out of memory", "outofmemoryerror", "cuda error", "cublas_status", "cudnn_status", "no kernel image",
    "acceleratorerror", "mps backend out of memory", "not currently implemented for the mps device",
    "not supported on mps", "found no nvidia driver", "torch not compiled with cuda enabled",
)  # fmt: skip
"""By which the programs' own words tell that the device failed and not the image."""


def devices_to_try(wanted: Device, available: Iterable[str]) -> tuple[str, ...]:
    """Return the devices to try in their order; the processor is always the last.

    ``auto`` takes a CUDA device where there is one, else the processor: on Apple's (``mps``) not all layers of 3D
    networks exist, so it is only taken where it is asked for.
    """
    there = set(available)
    first = "cuda" if wanted == "auto" else wanted
    return (first, "cpu") if first != "cpu" and first in there else ("cpu",)


def devices_of(python: Path, environment: Mapping[str, str], wanted: Device) -> tuple[str, ...]:
    """Return the devices to try in a Python's environment, which takes seconds to be asked what it has."""
    return ("cpu",) if wanted == "cpu" else devices_to_try(wanted, available_devices(python, environment))


def available_devices(python: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the devices that a Python's own PyTorch finds; the processor alone where it cannot be asked."""
    try:
        done = subprocess.run(
            [str(python), "-c", _PROBE],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        return tuple(json.loads(done.stdout.splitlines()[-1]))
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError):
        return ("cpu",)


def device_failed(lines: Sequence[str]) -> bool:
    """Whether the last words of a program tell that its device failed, so that another one may do."""
    text = "\n".join(lines).lower()
    return any(sign in text for sign in _SIGNS)


def device_record(wanted: Device, tried: Sequence[str], used: str) -> dict[str, str]:
    """Return what the provenance says of the device: which it was, and which one could not be used."""
    failed = wanted if wanted not in ("auto", used) else tried[0]
    note = {} if failed == used else {"device_note": f"{failed} could not be used"}
    return {"device": used, **note}
