"""HCCHabitat: the radiomic features of the tumour by phase, the ground on which habitats are drawn."""

from typing import Any

from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

from hccoutcome.gui.module import CaseModuleLogic, CaseModuleTest, CaseModuleWidget


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


class HCCHabitatLogic(CaseModuleLogic):
    """The module's work, for the window and for scripts."""

    def process(self, case: Any, settings: list[str], wait: bool = True, **options: Any) -> Any:
        """Compute the features of every region of a case of the scene; features and quality table come into the scene.

        Args:
            case: hccoutcome.scene.inputs.SceneCase.
            settings: names or paths of radiomics parameter files.
            wait: return hccoutcome.findings.Findings when it is done, otherwise None at once.
            options: see hccoutcome.gui.work.CaseAnalysis.process.
        """
        return self.analysis.process(case, settings=settings, wait=wait, **options)


class HCCHabitatWidget(CaseModuleWidget):
    """The module's window."""

    Logic = HCCHabitatLogic
    ui_file = "UI/HCCHabitat.ui"


class HCCHabitatTest(CaseModuleTest):
    """The module's test inside the application."""

    def test_HCCHabitat(self) -> None:
        """The features of the tumour on the portal venous phase come into the scene."""
        self.delayDisplay("Analysing the synthetic patient")
        logic = HCCHabitatLogic()
        logic.installRequirements()
        findings = logic.process(self.phantomCase(), ["haic-mri"])
        self.assertIn("portal_tumor_original_firstorder_Mean", findings.features)
        self.assertIn("features", logic.analysis.nodes.findings)
        self.delayDisplay("Test passed")
