"""HCCResponse: the chance that a hepatocellular carcinoma responds to treatment, by published models."""

from typing import Any

from slicer.i18n import tr as _

from hccoutcome.gui.module import CaseModule, CaseModuleTest, ModelModuleLogic, ModelModuleWidget


class HCCResponse(CaseModule):
    """The module as the application lists it."""

    def __init__(self, parent: Any) -> None:
        about = _(
            "Applies published models of treatment response in hepatocellular carcinoma to the case in the scene: "
            "choose the volumes by phase, say which segments are the tumours and the liver, fill in the clinical "
            "record, tick the models and press Apply. Every score comes with whether it may be applied to this case, "
            "and why. Habitats come from HCC Habitat."
        )
        CaseModule.__init__(self, parent, _("HCC Response"), about)


class HCCResponseLogic(ModelModuleLogic):
    """The module's work, for the window and for scripts: ``process``."""


class HCCResponseWidget(ModelModuleWidget):
    """The module's window."""

    Logic = HCCResponseLogic
    ui_file = "UI/HCCResponse.ui"
    models_field = "response_models"

    def models(self) -> Any:
        """Return the models to offer."""
        from hccoutcome.gui.models import response_models

        return response_models()


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
