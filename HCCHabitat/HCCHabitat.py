"""HCCHabitat: the radiomic features of the tumour by phase, the ground on which habitats are drawn."""

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


class HCCHabitat(ScriptedLoadableModule):
    """The module as the application lists it."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("HCC Habitat")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        parent.dependencies = []
        parent.contributors = ["SlicerHCC contributors"]
        parent.helpText = _(
            "<p>Checks the case in the scene and computes the radiomic features of every region (tumour, liver) on "
            "every phase: choose the volumes, say which segments are the tumours and the liver, choose the parameter "
            "file and press Apply. The quality table and the features come into the scene. This version does not yet "
            "divide the tumour into habitats.</p>"
            "<p>For research only: this is not a medical device and must not be used to decide on treatment.</p>"
        )
        parent.acknowledgementText = _(
            "Built on 3D Slicer, SimpleITK, PyRadiomics' feature definitions and the systems that each result cites."
        )


class HCCHabitatWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's window: it lives and dies with the application's events; what it shows is in hccoutcome.gui."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: HCCHabitatLogic | None = None
        self.window: Any = None

    def setup(self) -> None:
        """Build the window when the user opens the module for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/HCCHabitat.ui"))
        self.layout.addWidget(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = HCCHabitatLogic()
        self.window = self.createWindow(slicer.util.childWidgetVariables(uiWidget))
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        # Low priority: after the node selectors have taken notice.
        for event in (slicer.mrmlScene.EndCloseEvent, slicer.mrmlScene.EndImportEvent):
            self.addObserver(slicer.mrmlScene, event, self.onSceneChanged, priority=-1.0)
        self.window.set_state(self.logic.getParameterNode())

    def createWindow(self, ui: Any) -> Any:
        """Return the window on the widgets of the .ui file."""
        from hccoutcome.gui.window import CaseWindow

        return CaseWindow(ui, self.logic.analysis, self.logic.installRequirements)

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


class HCCHabitatLogic(ScriptedLoadableModuleLogic):
    """The module's work, for the window and for scripts."""

    def __init__(self) -> None:
        from hccoutcome.gui.work import CaseAnalysis
        from hccoutcome.scene.parameters import STATE_NAME

        ScriptedLoadableModuleLogic.__init__(self)
        # One parameter node for the three modules, so that switching keeps the case.
        self.moduleName = STATE_NAME
        self.analysis = CaseAnalysis()

    def getParameterNode(self) -> Any:
        """Return the state that the three modules share."""
        from hccoutcome.scene.parameters import CaseState

        return CaseState(super().getParameterNode())

    def installRequirements(self) -> None:
        """Ask for the Python packages that the worker needs and are not there yet."""
        from hccoutcome.gui.compat import ensure_requirements
        from hccoutcome.resources import resource

        ensure_requirements(slicer, resource("requirements.txt"), "HCC Outcome")

    def process(self, case: Any, settings: list[str], wait: bool = True, **options: Any) -> Any:
        """Compute the features of every region of a case of the scene; features and quality table come into the scene.

        Args:
            case: hccoutcome.scene.inputs.SceneCase.
            settings: names or paths of radiomics parameter files.
            wait: return hccoutcome.findings.Findings when it is done, otherwise None at once.
            options: see hccoutcome.gui.work.CaseAnalysis.process.
        """
        return self.analysis.process(case, settings=settings, wait=wait, **options)


class HCCHabitatTest(ScriptedLoadableModuleTest):
    """The module's test inside the application."""

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

    def test_HCCHabitat(self) -> None:
        """The features of the tumour on the portal venous phase come into the scene."""
        self.delayDisplay("Analysing the synthetic patient")
        logic = HCCHabitatLogic()
        logic.installRequirements()
        findings = logic.process(self.phantomCase(), ["haic-mri"])
        self.assertIn("portal_tumor_original_firstorder_Mean", findings.features)
        self.assertIn("features", logic.analysis.nodes.findings)
        self.delayDisplay("Test passed")
