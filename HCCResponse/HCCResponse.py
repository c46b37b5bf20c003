"""HCCResponse: the chance that a hepatocellular carcinoma responds to treatment, by published models."""

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


class HCCResponse(ScriptedLoadableModule):
    """The module as the application lists it."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("HCC Response")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        parent.dependencies = []
        parent.contributors = ["SlicerHCC contributors"]
        parent.helpText = _(
            "<p>Applies published models of treatment response in hepatocellular carcinoma to the case in the scene: "
            "choose the volumes by phase, say which segments are the tumours and the liver, fill in the clinical "
            "record, tick the models and press Apply. Every score comes with whether it may be applied to this case, "
            "and why.</p>"
            "<p>For research only: this is not a medical device and must not be used to decide on treatment.</p>"
        )
        parent.acknowledgementText = _(
            "Built on 3D Slicer, SimpleITK, PyRadiomics' feature definitions and the systems that each result cites."
        )


class HCCResponseWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's window: it lives and dies with the application's events; what it shows is in hccoutcome.gui."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: HCCResponseLogic | None = None
        self.window: Any = None

    def setup(self) -> None:
        """Build the window when the user opens the module for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/HCCResponse.ui"))
        self.layout.addWidget(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = HCCResponseLogic()
        self.window = self.createWindow(slicer.util.childWidgetVariables(uiWidget))
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        # Low priority: after the node selectors have taken notice.
        for event in (slicer.mrmlScene.EndCloseEvent, slicer.mrmlScene.EndImportEvent):
            self.addObserver(slicer.mrmlScene, event, self.onSceneChanged, priority=-1.0)
        self.window.set_state(self.logic.getParameterNode())

    def createWindow(self, ui: Any) -> Any:
        """Return the window on the widgets of the .ui file."""
        from hccoutcome.gui.models import response_models
        from hccoutcome.gui.panels import ModelsPanel
        from hccoutcome.gui.window import CaseWindow

        models = ModelsPanel(ui.modelsList, ui.modelLabel, response_models())
        return CaseWindow(ui, self.logic.analysis, self.logic.installRequirements, models, "response_models")

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


class HCCResponseLogic(ScriptedLoadableModuleLogic):
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

    def process(self, case: Any, packages: list[str], wait: bool = True, **options: Any) -> Any:
        """Apply response models to a case of the scene; the scores come into the scene.

        Args:
            case: hccoutcome.scene.inputs.SceneCase.
            packages: names or paths of model packages.
            wait: return hccoutcome.findings.Findings when it is done, otherwise None at once.
            options: see hccoutcome.gui.work.CaseAnalysis.process.
        """
        return self.analysis.process(case, packages=packages, wait=wait, **options)


class HCCResponseTest(ScriptedLoadableModuleTest):
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

    def test_HCCResponse(self) -> None:
        """The Clinical score comes out of the record alone, as a probability."""
        self.delayDisplay("Analysing the synthetic patient")
        logic = HCCResponseLogic()
        logic.installRequirements()
        findings = logic.process(self.phantomCase(), ["haic-mri-clinical"])
        (prediction,) = findings.predictions
        self.assertEqual(prediction.package, "haic-mri-clinical")
        self.assertTrue(0 < prediction.score < 1)
        self.delayDisplay("Test passed")
