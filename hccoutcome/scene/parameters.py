"""What the user has chosen in the windows, kept in the scene: one parameter node shared by the three modules.

So a case stays chosen when the module is switched, and a saved scene opens where it was left. Needs the application's
``slicer.parameterNodeWrapper``.
"""

# Annotations are read when the classes are made: this file does without postponed evaluation.

from typing import Annotated

import slicer
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper, parameterPack

STATE_NAME = "HCCOutcome"
"""Singleton tag and module name of the shared parameter node."""
NOT_STATED = "not stated"
MODALITY_CHOICES = [NOT_STATED, "CT", "MR"]
PARAMETER_FILES = ["prime", "radscore", "haic-mri"]
PHASES = ("precontrast", "arterial", "portal", "delayed")
"""The phases that the windows have a selector for."""


@parameterPack
class CaseInputs:
    """One case as chosen: volumes by phase, the segmentation with the region of each segment, the record as typed."""

    case_id: str = "case"
    modality: Annotated[str, Choice(MODALITY_CHOICES)] = NOT_STATED
    precontrast: slicer.vtkMRMLScalarVolumeNode
    arterial: slicer.vtkMRMLScalarVolumeNode
    portal: slicer.vtkMRMLScalarVolumeNode
    delayed: slicer.vtkMRMLScalarVolumeNode
    segmentation: slicer.vtkMRMLSegmentationNode
    regions: dict[str, str]
    clinical: dict[str, str]


@parameterNodeWrapper
class CaseState:
    """The state of the three windows.

    Attributes:
        case: the case's inputs.
        response_models: packages chosen in HCCResponse.
        survival_models: packages chosen in HCCSurvival.
        parameter_file: radiomics parameter file chosen in HCCHabitat.
        output_folder: where result files are kept; empty: nowhere, only the scene has the results.
    """

    case: CaseInputs
    response_models: list[str]
    survival_models: list[str]
    parameter_file: Annotated[str, Choice(PARAMETER_FILES)] = "prime"
    output_folder: str
