"""The stand-in for the Slicer application, started once; every test begins with an empty scene."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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
