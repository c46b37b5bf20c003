"""HCCResponse: the chance that a hepatocellular carcinoma responds to treatment, by published models."""

from typing import Any

from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

from hccoutcome.gui.module import CaseModuleLogic, CaseModuleTest, CaseModuleWidget


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


class HCCResponseLogic(CaseModuleLogic):
    """The module's work, for the window and for scripts."""

    def process(self, case: Any, packages: list[str], wait: bool = True, **options: Any) -> Any:
        """Apply response models to a case of the scene; the scores come into the scene.

        Args:
            case: hccoutcome.scene.inputs.SceneCase.
            packages: names or paths of model packages.
            wait: return hccoutcome.findings.Findings when it is done, otherwise None at once.
            options: see hccoutcome.gui.work.CaseAnalysis.process.
        """
        return self.analysis.process(case, packages=packages, wait=wait, **options)


class HCCResponseWidget(CaseModuleWidget):
    """The module's window."""

    Logic = HCCResponseLogic
    ui_file = "UI/HCCResponse.ui"

    def createWindow(self, ui: Any) -> Any:
        """Return the window on the widgets of the .ui file."""
        from hccoutcome.gui.models import response_models
        from hccoutcome.gui.panels import ModelsPanel
        from hccoutcome.gui.window import CaseWindow

        models = ModelsPanel(ui.modelsList, ui.modelLabel, response_models())
        return CaseWindow(ui, self.logic.analysis, self.logic.installRequirements, models, "response_models")


class HCCResponseTest(CaseModuleTest):
    """The module's test inside the application."""

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
