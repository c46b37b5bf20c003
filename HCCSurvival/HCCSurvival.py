"""HCCSurvival: survival with hepatocellular carcinoma, by published models and liver scores."""

import math
from typing import Any

from slicer.i18n import tr as _

from hccoutcome.gui.module import CaseModule, CaseModuleTest, ModelModuleLogic, ModelModuleWidget


class HCCSurvival(CaseModule):
    """The module as the application lists it."""

    def __init__(self, parent: Any) -> None:
        about = _(
            "Applies published survival models of hepatocellular carcinoma, and the liver function and staging "
            "scores, to the case in the scene: choose the volumes by phase, say which segments are the tumours and the "
            "liver, fill in the clinical record, tick the models and press Apply. The liver scores come along where "
            "the record allows them. Every score comes with whether it may be applied to this case, and why."
        )
        CaseModule.__init__(self, parent, _("HCC Survival"), about)


class HCCSurvivalLogic(ModelModuleLogic):
    """The module's work, for the window and for scripts: ``process``."""


class HCCSurvivalWidget(ModelModuleWidget):
    """The module's window."""

    Logic = HCCSurvivalLogic
    ui_file = "UI/HCCSurvival.ui"
    models_field = "survival_models"

    def models(self) -> Any:
        """Return the models to offer."""
        from hccoutcome.gui.models import survival_models

        return survival_models()


class HCCSurvivalTest(CaseModuleTest):
    """The module's test inside the application."""

    def test_HCCSurvival(self) -> None:
        """Radscore is that of the command line, ALBI what its formula makes of the record by hand."""
        self.delayDisplay("Analysing the synthetic patient")
        logic = HCCSurvivalLogic()
        logic.installRequirements()
        case = self.phantomCase()
        findings = logic.process(case, ["radscore-tace-ct"])
        # As hcc analyse gives it; other versions of the libraries may differ in the last digits.
        self.assertAlmostEqual(findings.predictions[0].score, 0.319875, places=3)
        scores = {prediction.package: prediction.score for prediction in findings.liver_scores}
        albi = 0.66 * math.log10(case.clinical["tbil"]) - 0.085 * case.clinical["alb"]
        self.assertAlmostEqual(scores["albi"], albi)
        self.assertIn("results", logic.analysis.nodes.findings)
        self.delayDisplay("Test passed")
