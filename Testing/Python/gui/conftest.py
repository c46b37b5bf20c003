"""The stand-in for the Slicer application, started once; every test begins with an empty scene."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from hccoutcome.case import Case

ROOT = Path(__file__).resolve().parents[3]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(ROOT / "Testing" / "Host"))

MODULES = ("HCCHabitat", "HCCResponse", "HCCSurvival")


@pytest.fixture(scope="session")
def application() -> Any:
    """The running stand-in: ``slicer``, ``qt`` and ``ctk`` can be imported as inside the application."""
    try:
        importlib.import_module("PySide6.QtWidgets")
    except ImportError as error:
        if "cannot open shared object file" not in str(error):
            raise
        pytest.skip(f"PySide6 lacks a library of the system ({error}): see Testing/Host/README.md")
    from standin import application

    application.start()
    return application


@pytest.fixture(autouse=True)
def no_error_in_callbacks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Qt and VTK only print what a callback raises: here it fails the test."""
    errors: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: errors.append(error))
    yield
    assert not errors, errors


@pytest.fixture
def scene(application: Any) -> Iterator[Any]:
    """The MRML scene, empty."""
    import slicer

    slicer.mrmlScene.Clear()
    yield slicer.mrmlScene
    slicer.mrmlScene.Clear()


@pytest.fixture
def open_module(application: Any, scene: Any) -> Iterator[Callable[[str], Any]]:
    """Open a module's window by name; it is cleaned up after the test."""
    windows = []

    def open_window(name: str) -> Any:
        module, _ = application.load_module(ROOT / name / f"{name}.py")
        windows.append(application.open_window(module))
        application.enter(windows[-1])
        return windows[-1]

    yield open_window
    for window in windows:
        application.close_window(window)


@pytest.fixture
def until(application: Any) -> Callable[..., None]:
    """Let Qt work until a condition holds."""
    import slicer

    def wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            slicer.app.processEvents()
            time.sleep(0.01)

    return wait


@pytest.fixture
def fake_worker(application: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A worker that answers at once; ``fake_worker("slow")`` and the like change its manners."""
    from hccoutcome.gui import work

    command = (sys.executable, str(Path(__file__).with_name("fake_worker.py")))
    monkeypatch.setattr(work, "worker_command", lambda: command)
    return lambda mode: monkeypatch.setenv("FAKE_WORKER", mode)


def box_mask(*corners: tuple[int, int]) -> sitk.Image:
    """Return a mask filled in a box, its corners along z, y, x."""
    array = np.zeros((12, 24, 24), np.uint8)
    array[tuple(slice(low, high) for low, high in corners)] = 1
    return sitk.GetImageFromArray(array)


@pytest.fixture
def case() -> Case:
    """A small case of two phases with tumour and liver, and half a record."""
    images = {
        phase: sitk.GetImageFromArray(np.random.default_rng(seed).normal(80, 10, (12, 24, 24)).astype(np.int16))
        for seed, phase in enumerate(("arterial", "portal"))
    }
    masks = {
        "tumor": (box_mask((3, 9), (6, 14), (6, 14)),),
        "liver": (box_mask((1, 11), (2, 22), (2, 22)),),
    }
    return Case("P001", images, masks, {"vascular_invasion": 1.0, "tumor_diameter": 5.0}, "CT")


@pytest.fixture
def case_nodes(scene: Any, case: Case) -> Any:
    """The small case in the scene."""
    from hccoutcome.scene.build import add_case

    return add_case(case)
