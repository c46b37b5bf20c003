"""HCCResponse: the chance that a hepatocellular carcinoma responds to treatment, by published models."""

import math
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
    """The module's work, for the window and for scripts: ``process``, ``advise``, ``mapNetwork``."""

    def __init__(self) -> None:
        from hccoutcome.gui.network_work import AtomWork

        ModelModuleLogic.__init__(self)
        self.atom = AtomWork()

    def advise(self, case: Any, models: dict[str, str], wait: bool = True, **options: Any) -> Any:
        """Ask ATOM about a case of the scene; its advice comes into the scene.

        Args:
            case: hccoutcome.scene.inputs.SceneCase.
            models: name or path of the SELECTION package by model of ATOM: "TACE", "HAIC", "TC", "HC".
            wait: return hccoutcome.findings.Findings, which hold the advice, when it is done, otherwise None at once.
            options: see hccoutcome.gui.network_work.AtomWork.process.
        """
        return self.atom.process(case, models, wait=wait, **options)


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
        """The Clinical score is what the paper's coefficients make of the record by hand, and comes into the scene."""
        self.delayDisplay("Analysing the synthetic patient")
        logic = HCCResponseLogic()
        logic.installRequirements()
        case = self.phantomCase()
        findings = logic.process(case, ["haic-mri-clinical"])
        (prediction,) = findings.predictions
        self.assertEqual(prediction.package, "haic-mri-clinical")
        invasion, diameter = (case.clinical[name] for name in ("vascular_invasion", "tumor_diameter"))
        logit = 0.6212 + 0.4103 * invasion - 0.0652 * diameter
        self.assertAlmostEqual(prediction.score, 1 / (1 + math.exp(-logit)))
        self.assertEqual(prediction.applicability.status, "warning")
        table = logic.analysis.nodes.findings["results"]
        self.assertEqual(table.GetCellText(0, 0), prediction.title)
        self.delayDisplay("Test passed")
