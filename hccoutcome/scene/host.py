"""The MRML scene: that of the running application, or of a small host around the same libraries without it.

3D Slicer sets up its scene, logics and colour nodes when it starts. Where only the libraries are there
(``slicer-core`` from the package index, or Slicer's own ``PythonSlicer``), ``start_host`` does what the application
does before its first window: an application logic, the module logics that the scene needs, the colour tables, slice
orientations and the data manager without which no ``.mrb`` can be read. Nothing here opens a window or uses OpenGL.
"""

from __future__ import annotations

import atexit
import importlib.util
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import slicer
from vtkmodules.vtkCommonCore import vtkCollection, vtkObject

from hccoutcome.errors import EnvironmentNeeded
from hccoutcome.resources import resource
from hccoutcome.scene.appearance import TERMINOLOGY_CONTEXT

MODULE_LOGICS = {
    "Volumes": "vtkSlicerVolumesLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Models": "vtkSlicerModelsLogic",
    "Texts": "vtkSlicerTextsLogic",
}
"""Class of the logic by module: setting its scene also makes the module's node classes known to the scene."""

TERMINOLOGY_FILES = ("HCCOutcome.term.json", "HCCOutcome-Region.term.json")


@dataclass(frozen=True)
class ModuleStandIn:
    """What code written for the application finds under ``slicer.modules.<name>``."""

    module_logic: Any

    def logic(self) -> Any:
        """Return the module's logic."""
        return self.module_logic


def start_host() -> slicer.vtkMRMLScene:
    """Return the MRML scene; without the application, set one up first.

    Calling it again returns the same scene. In the running application nothing is changed, except that the
    extension's terminology is loaded where it was not yet.

    Raises:
        EnvironmentNeeded: the ``slicer`` that is installed is not Slicer's.
    """
    if getattr(slicer, "mrmlScene", None) is None:
        _find_module_classes()
        _wire(slicer.vtkMRMLScene(), _temporary_folder())
    load_terminology()
    return slicer.mrmlScene


def clear_scene() -> None:
    """Take everything out of the scene; colour tables and other nodes of the application itself stay."""
    start_host().Clear(False)


def load_terminology() -> str:
    """Make the shipped terminology known to the terminology logic and return its context's name."""
    logic = slicer.modules.terminologies.logic()
    if not logic.IsTerminologyContextLoaded(TERMINOLOGY_CONTEXT):
        for name in TERMINOLOGY_FILES:
            if not logic.LoadContextFromFile(str(resource("Terminology", name))):
                raise EnvironmentNeeded(f"Slicer could not read Resources/Terminology/{name}: install again.")
    return TERMINOLOGY_CONTEXT


def _temporary_folder() -> Path:
    """Return a folder of this process alone that is gone when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="hcc-scene-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _find_module_classes() -> None:
    """Bring the module logics into ``slicer``: Slicer's own Python leaves that to the application."""
    if not hasattr(slicer, "vtkMRMLScene"):
        raise EnvironmentNeeded(
            "The scene needs Slicer's MRML libraries, but another package named 'slicer' is installed: "
            "remove it and install slicer-core, or work inside 3D Slicer."
        )
    for name, logic_class in {**MODULE_LOGICS, "Colors": "vtkSlicerColorLogic"}.items():
        if hasattr(slicer, logic_class):
            continue
        for kit in (f"vtkSlicer{name}ModuleMRMLPython", f"vtkSlicer{name}ModuleLogicPython"):
            if importlib.util.find_spec(kit) is not None:
                module = importlib.import_module(kit)
                vars(slicer).update({key: value for key, value in vars(module).items() if not key.startswith("_")})


def _wire(scene: slicer.vtkMRMLScene, folder: Path) -> None:
    """Give the scene its logics and put both where code written for the application looks for them."""
    slicer.mrmlScene = scene
    application = slicer.vtkSlicerApplicationLogic()
    application.SetTemporaryPath(str(folder))
    application.SetMRMLScene(scene)
    application.SetSliceLogics(vtkCollection())
    application.SetViewLogics(vtkCollection())
    application.GetColorLogic().SetMRMLScene(scene)
    application.GetColorLogic().AddDefaultColorNodes()
    scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    modules = {"colors": ModuleStandIn(application.GetColorLogic())}
    for name, logic_class in MODULE_LOGICS.items():
        modules[name.lower()] = ModuleStandIn(_module_logic(name, getattr(slicer, logic_class)(), application))
    slicer.modules = SimpleNamespace(**modules)
    # The scene holds these only weakly: they live as long as the scene does.
    slicer.hcc_host = (application, _data_manager(scene, application, folder))


def _module_logic(name: str, logic: Any, application: slicer.vtkSlicerApplicationLogic) -> Any:
    """Connect one module's logic to the scene and to the application's logic."""
    # On meeting its scene the terminology logic looks for Slicer's own lists, which only the application has.
    vtkObject.SetGlobalWarningDisplay(name != "Terminologies")
    logic.SetMRMLScene(application.GetMRMLScene())
    vtkObject.SetGlobalWarningDisplay(True)
    logic.SetMRMLApplicationLogic(application)
    application.SetModuleLogic(name, logic)
    return logic


def _data_manager(scene: slicer.vtkMRMLScene, application: Any, folder: Path) -> tuple[Any, Any]:
    """Return the logics that unpack ``.mrb`` files, wired to the scene."""
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLScene(scene)
    remote.SetMRMLApplicationLogic(application)
    remote.GetCacheManager().SetRemoteCacheDirectory(str(folder))
    data = slicer.vtkDataIOManagerLogic()
    data.SetMRMLScene(scene)
    data.SetMRMLApplicationLogic(application)
    data.SetAndObserveDataIOManager(remote.GetDataIOManager())
    remote.AddDataIOToScene()
    return remote, data
