"""What the three scripted modules share: description, widget that lives with the application's events, logic, test.

The one file outside ``scene`` that imports slicer: these base classes are the application's own, and they are Qt.
"""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

TUTORIAL = "https://github.com/SlicerHCC/SlicerHCC/blob/main/Docs/tutorial.md"
SHARED_PANELS = ("HCCCase", "HCCSegmentation", "HCCClinical")
"""Names of the .ui files in Resources/UI, in the order in which they stand in every window."""


class CaseModule(ScriptedLoadableModule):
    """A module as the application lists it; a module gives its title and what it does."""

    def __init__(self, parent: Any, title: str, about: str) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = title
        parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        parent.dependencies = []
        parent.contributors = ["SlicerHCC contributors"]
        warning = _("For research only: this is not a medical device and must not be used to decide on treatment.")
        tutorial = f'<a href="{TUTORIAL}">{_("Tutorial")}</a>'
        parent.helpText = f"<p>{about}</p><p>{warning}</p><p>{tutorial}</p>"
        parent.acknowledgementText = _(
            "Built on 3D Slicer, SimpleITK, PyRadiomics' feature definitions and the systems that each result cites."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData() -> None:
    """Offer the synthetic patient in the Sample Data module, once for the three modules."""
    import SampleData

    from hccoutcome.gui.sample_data import PatientLoader, register

    loader = PatientLoader(slicer, lambda: CaseModuleLogic().getParameterNode())
    register(SampleData.SampleDataLogic, loader.load)


class CaseModuleLogic(ScriptedLoadableModuleLogic):
    """A module's work, for the window and for scripts; a module adds ``process``."""

    def __init__(self) -> None:
        from hccoutcome.gui.report_work import ReportWork
        from hccoutcome.gui.segment_work import SegmentWork
        from hccoutcome.gui.work import CaseAnalysis
        from hccoutcome.scene.parameters import STATE_NAME

        ScriptedLoadableModuleLogic.__init__(self)
        # One parameter node for the three modules, so that switching keeps the case.
        self.moduleName = STATE_NAME
        self.analysis, self.segmentation, self.report = CaseAnalysis(), SegmentWork(), ReportWork()
        # What the user can do without and did not want; asked for again after a restart.
        self.declined: set[str] = set()

    def getParameterNode(self) -> Any:
        """Return the state that the three modules share."""
        from hccoutcome.scene.parameters import CaseState

        return CaseState(super().getParameterNode())

    def installRequirements(self, purposes: Any = ("analysis",)) -> None:
        """Ask for the Python packages that the worker needs for these purposes and that are not there yet."""
        from hccoutcome.gui.compat import ensure_requirements

        ensure_requirements(slicer, purposes, "HCC Outcome", self.declined)

    def outline(self, case: Any, region: str = "tumor", wait: bool = True, **options: Any) -> Any:
        """Outline a region of a case; a draft comes into the scene, to be accepted, edited or rejected.

        Args:
            case: hccoutcome.scene.inputs.SceneCase.
            region: the region to outline.
            wait: return the drafts (hccoutcome.scene.drafts.SceneDraft) when it is done, otherwise none at once.
            options: see hccoutcome.gui.segment_work.SegmentWork.process.
        """
        return self.segmentation.process(case, region, wait=wait, **options)


class ModelModuleLogic(CaseModuleLogic):
    """The work of a module that applies models, for the window and for scripts."""

    def __init__(self) -> None:
        from hccoutcome.gui.network_work import MapsWork

        CaseModuleLogic.__init__(self)
        self.networkMaps = MapsWork()

    def process(self, case: Any, packages: list[str], wait: bool = True, **options: Any) -> Any:
        """Apply models to a case of the scene; the scores come into the scene.

        Args:
            case: hccoutcome.scene.inputs.SceneCase.
            packages: names or paths of model packages.
            wait: return hccoutcome.findings.Findings when it is done, otherwise None at once.
            options: see hccoutcome.gui.work.CaseAnalysis.process.
        """
        return self.analysis.process(case, packages=packages, wait=wait, **options)

    def mapNetwork(self, case: Any, package: str, method: str = "gradcam", wait: bool = True, **options: Any) -> Any:
        """Map what the network of a package looks at; the maps come into the scene as volumes.

        Args:
            case: hccoutcome.scene.inputs.SceneCase.
            package: name or path of the package.
            method: "gradcam", "rollout" or "shap".
            wait: return hccoutcome.gui.network_work.Mapped when it is done, otherwise None at once.
            options: see hccoutcome.gui.network_work.MapsWork.process.
        """
        return self.networkMaps.process(case, package, method, wait=wait, **options)


class CaseModuleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """A module's window: it lives and dies with the application's events; what it shows is in ``gui.window``.

    A module names its logic in ``Logic`` and its .ui file in ``ui_file``, and makes its window in ``createWindow``.
    """

    Logic: type[CaseModuleLogic] = CaseModuleLogic
    ui_file = ""
    panels_below: tuple[str, ...] = ()
    """Names of .ui files in Resources/UI that stand below the module's own."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: CaseModuleLogic | None = None
        self.window: Any = None

    def setup(self) -> None:
        """Build the window when the user opens the module for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath(self.ui_file))
        self.layout.addWidget(uiWidget)
        panels = self.addSharedPanels(uiWidget)
        for widget in (uiWidget, *panels):
            widget.setMRMLScene(slicer.mrmlScene)
        self.logic = self.Logic()
        self.window = self.createWindow(slicer.util.childWidgetVariables(uiWidget))
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        # Low priority: after the node selectors have taken notice.
        for event in (slicer.mrmlScene.EndCloseEvent, slicer.mrmlScene.EndImportEvent):
            self.addObserver(slicer.mrmlScene, event, self.onSceneChanged, priority=-1.0)
        self.window.set_state(self.logic.getParameterNode())

    def addSharedPanels(self, uiWidget: Any) -> list[Any]:
        """Put the panels that modules share above and below those of this module, and return them."""
        from hccoutcome.resources import resource

        layout = uiWidget.layout()
        # Those below come first: the Tab key follows the order in which panels are added, in a ring.
        below = [slicer.util.loadUI(str(resource("UI", f"{name}.ui"))) for name in self.panels_below]
        for panel in below:
            # The last item of a module's own layout is the spacer.
            layout.insertWidget(layout.count() - 1, panel)
        above = [slicer.util.loadUI(str(resource("UI", f"{name}.ui"))) for name in SHARED_PANELS]
        for place, panel in enumerate(above):
            layout.insertWidget(place, panel)
        return [*above, *below]

    def createWindow(self, ui: Any) -> Any:
        """Return the window on the widgets of the .ui files."""
        raise NotImplementedError

    def works(self) -> Any:
        """Return the work that every window offers."""
        from hccoutcome.gui.window import Works

        return Works(self.logic.analysis, self.logic.segmentation, self.logic.report)

    def application(self) -> Any:
        """Return what the window asks of the application."""
        from hccoutcome.gui.window import Application

        return Application(self.logic.installRequirements, slicer.util.selectModule)

    def cleanup(self) -> None:
        """End what is under way before the module is unloaded or the application closes."""
        self.removeObservers()
        self.window.close()

    def enter(self) -> None:
        """Show the shared state when the user opens the module."""
        self.window.set_state(self.logic.getParameterNode())

    def exit(self) -> None:
        """Leave the state to the other modules; an analysis goes on."""
        self.window.set_state(None)

    def onSceneStartClose(self, caller: vtk.vtkObject, event: str) -> None:
        """End what is under way: its case goes with the scene."""
        self.window.close()

    def onSceneChanged(self, caller: vtk.vtkObject, event: str) -> None:
        """Show the state of the new or loaded scene where the module is shown."""
        if self.parent.isEntered:
            self.window.set_state(self.logic.getParameterNode())


class ModelModuleWidget(CaseModuleWidget):
    """The window of a module that applies models; ``models_field`` of the state keeps the ticked ones."""

    Logic = ModelModuleLogic
    models_field = ""
    panels_below = ("HCCNetworks",)

    def models(self) -> Any:
        """Return the models to offer (hccoutcome.gui.models.Model)."""
        raise NotImplementedError

    def createWindow(self, ui: Any) -> Any:
        """Return the window on the widgets of the .ui file."""
        from hccoutcome.gui.panels import ModelsPanel
        from hccoutcome.gui.window import ModelWindow, NetworkWorks

        models = ModelsPanel(ui.modelsList, ui.modelLabel, self.models())
        networks = NetworkWorks(self.logic.networkMaps, getattr(self.logic, "atom", None))
        return ModelWindow(ui, self.works(), self.application(), models, self.models_field, networks)


class CaseModuleTest(ScriptedLoadableModuleTest):
    """A module's test inside the application, on the synthetic patient."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear()

    def phantomCase(self) -> Any:
        """Put the synthetic patient into the scene and return it as a case."""
        from hccoutcome.phantom import PhantomSettings, phantom_case
        from hccoutcome.scene.build import add_case
        from hccoutcome.scene.inputs import SceneCase

        case = phantom_case(seed=1, settings=PhantomSettings(spacing=(4.0, 4.0, 5.0)))
        nodes = add_case(case)
        return SceneCase(
            case_id=case.case_id,
            volumes=nodes.images,
            segmentation=nodes.segmentations[0],
            segments={"tumor": ("tumor",), "liver": ("liver",)},
            clinical=case.clinical,
            modality=case.modality,
        )
