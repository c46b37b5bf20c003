"""The device that PyTorch computes on in this process, and what a failing device says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from hccoutcome.errors import EnvironmentNeeded, InputError, nearest
from hccoutcome.segmentation.devices import DEVICES, Device, devices_to_try


def devices_here() -> tuple[str, ...]:
    """Return the devices that PyTorch finds, the processor last."""
    found = ("cuda",) * torch.cuda.is_available() + ("mps",) * torch.backends.mps.is_available()
    return (*found, "cpu")


def check_device(wanted: str) -> Device:
    """Return the name of a device.

    Raises:
        InputError: there is no such name.
    """
    for device in DEVICES:
        if device == wanted:
            return device
    raise InputError(f"'{wanted}' is not a device; {nearest(wanted, DEVICES)}.")


def training_device(wanted: str) -> torch.device:
    """Return the device to train on: the one asked for, or with ``auto`` the best there is.

    Raises:
        InputError: there is no such name.
        EnvironmentNeeded: it is asked for by name and not here; training elsewhere might take days.
    """
    name, *_ = devices_to_try(check_device(wanted), devices_here())
    if wanted not in ("auto", name):
        raise EnvironmentNeeded(
            f"The device '{wanted}' was asked for, found {', '.join(devices_here())}: install its driver and the "
            "PyTorch for it, or choose the device 'auto'."
        )
    return torch.device(name)


@contextmanager
def enough_memory(device: torch.device, remedy: str) -> Iterator[None]:
    """Turn a device that runs out of memory into a sentence.

    Raises:
        EnvironmentNeeded: in place of PyTorch's error.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise EnvironmentNeeded(f"The memory of the device '{device.type}' is full: {remedy}.") from None


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Let PyTorch compute the same every time on a processor, and leave its random numbers as they were.

    On a GPU the fastest algorithms are taken instead, whose sums may differ in the last digits from run to run.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.use_deterministic_algorithms(device.type == "cpu")
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
