"""Start the stand-in: real MRML from slicer-core, Qt off screen, and the parts of the application that modules meet."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import sys
import types
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import qt
import slicer
import slicer.util
from PySide6.QtCore import Signal

from hccoutcome.scene.host import start_host
from standin.strict import own

ROOT = Path(__file__).resolve().parents[3]
"""The checkout."""


@own
class qSlicerApplication(qt.QApplication):
    """qSlicerApplication.h, the signals and properties that the modules use."""

    startupCompleted = Signal()
    SIGNATURES = frozenset({"startupCompleted()"})

    def applicationLogic(self) -> Any:
        """qSlicerCoreApplication.h; on the host, the logic that hccoutcome.scene.host keeps."""
        return slicer.hcc_host[0]


def _i18n() -> types.ModuleType:
    """slicer.i18n without a translation loaded."""
    module = types.ModuleType("slicer.i18n")
    module.tr = lambda text: text
    module.translate = lambda context, text: text
    return module


def _keep_true_false_and_none() -> None:
    """Count many references to the three: PySide6 gives up some that it never had (Python counts them until 3.11)."""
    if sys.version_info < (3, 12):
        for value in (True, False, None):
            ctypes.c_ssize_t.from_address(id(value)).value += 10**9


def start() -> Any:
    """Make ``slicer``, ``qt`` and ``ctk`` look as they do inside the application; return the scene. Once a process."""
    scene = start_host()
    if not hasattr(slicer, "app"):
        _keep_true_false_and_none()
        slicer.app = qSlicerApplication(["standin"])
        importlib.import_module("ctk")
        from standin import parameternode, qmrml, sampledata, scripted

        for cls in qmrml.WIDGETS:
            setattr(slicer, cls.__name__, cls)
        for name, module in {
            "i18n": _i18n(),
            "ScriptedLoadableModule": scripted,
            "parameterNodeWrapper": parameternode,
        }.items():
            sys.modules[f"slicer.{name}"] = module
            setattr(slicer, name, module)
        sys.modules["SampleData"] = sampledata
    return scene


class LoadableModule:
    """qSlicerScriptedLoadableModule: what a module's constructor fills in."""

    ATTRIBUTES = frozenset(
        {"title", "categories", "dependencies", "contributors", "helpText", "acknowledgementText", "icon", "path"}
    )

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.ATTRIBUTES:
            raise AttributeError(f"qSlicerScriptedLoadableModule has no attribute '{name}'")
        super().__setattr__(name, value)


def load_module(path: Path) -> tuple[types.ModuleType, Any]:
    """Import a module file as Slicer's module factory does; return it and the module's instance."""
    name = path.stem
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    module = sys.modules[name]
    parent = LoadableModule(path)
    setattr(slicer.modules, name.lower(), parent)
    return module, getattr(module, name)(parent)


def open_window(module: types.ModuleType) -> Any:
    """Build a module's window as the application does when the module is first chosen."""
    parent = slicer.qMRMLWidget()
    qt.QVBoxLayout(parent)
    parent.setMRMLScene(slicer.mrmlScene)
    window = getattr(module, f"{module.__name__}Widget")(parent)
    window.setup()
    return window


def enter(window: Any) -> None:
    """Show a module's window: what the module selector does."""
    window.parent._entered = True
    window.enter()


def leave(window: Any) -> None:
    """Show another module."""
    window.parent._entered = False
    window.exit()


def close_window(window: Any) -> None:
    """Destroy a module's window, as the application does before it unloads the module."""
    window.cleanup()
    for widget in [window.parent, *window.parent.findChildren(slicer.qMRMLWidget)]:
        widget.setMRMLScene(None)
    window.parent.deleteLater()
    slicer.app.processEvents()
