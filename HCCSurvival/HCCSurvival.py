"""HCCSurvival: survival with hepatocellular carcinoma, by published models and liver scores."""

from typing import Any

from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

from hccoutcome.gui.module import CaseModuleLogic, CaseModuleTest, CaseModuleWidget


class HCCSurvival(ScriptedLoadableModule):
    """The module as the application lists it."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("HCC Survival")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        parent.dependencies = []
        parent.contributors = ["SlicerHCC contributors"]
        parent.helpText = _(
            "<p>Applies published survival models of hepatocellular carcinoma, and the liver function and staging "
            "scores, to the case in the scene: choose the volumes by phase, say which segments are the tumours and the "
            "liver, fill in the clinical record, tick the models and press Apply. The liver scores come along where "
            "the record allows them. "
            "Every score comes with whether it may be applied to this case, and why.</p>"
            "<p>For research only: this is not a medical device and must not be used to decide on treatment.</p>"
        )
        parent.acknowledgementText = _(
            "Built on 3D Slicer, SimpleITK, PyRadiomics' feature definitions and the systems that each result cites."
        )


class HCCSurvivalLogic(CaseModuleLogic):
    """The module's work, for the window and for scripts."""

    def process(self, case: Any, packages: list[str], wait: bool = True, **options: Any) -> Any:
        """Apply survival models to a case of the scene; the scores come into the scene.

        Args:
            case: hccoutcome.scene.inputs.SceneCase.
            packages: names or paths of model packages.
            wait: return hccoutcome.findings.Findings when it is done, otherwise None at once.
            options: see hccoutcome.gui.work.CaseAnalysis.process.
        """
        return self.analysis.process(case, packages=packages, wait=wait, **options)


class HCCSurvivalWidget(CaseModuleWidget):
    """The module's window."""

    Logic = HCCSurvivalLogic
    ui_file = "UI/HCCSurvival.ui"

    def createWindow(self, ui: Any) -> Any:
        """Return the window on the widgets of the .ui file."""
        from hccoutcome.gui.models import survival_models
        from hccoutcome.gui.panels import ModelsPanel
        from hccoutcome.gui.window import CaseWindow

        models = ModelsPanel(ui.modelsList, ui.modelLabel, survival_models())
        return CaseWindow(ui, self.logic.analysis, self.logic.installRequirements, models, "survival_models")


class HCCSurvivalTest(CaseModuleTest):
    """The module's test inside the application."""

    def test_HCCSurvival(self) -> None:
        """Radscore and the liver scores come into the scene as a table."""
        self.delayDisplay("Analysing the synthetic patient")
        logic = HCCSurvivalLogic()
        logic.installRequirements()
        findings = logic.process(self.phantomCase(), ["radscore-tace-ct"])
        self.assertIsNotNone(findings.predictions[0].score)
        self.assertTrue(findings.liver_scores)
        self.assertIn("results", logic.analysis.nodes.findings)
        self.delayDisplay("Test passed")
