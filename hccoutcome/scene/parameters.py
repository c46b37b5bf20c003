"""What the user has chosen in the windows, kept in the scene: one parameter node shared by the three modules.

So a case stays chosen when the module is switched, and a saved scene opens where it was left. Needs the application's
``slicer.parameterNodeWrapper``.
"""

# Annotations are read when the classes are made: this file does without postponed evaluation.

from typing import Annotated

import slicer
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper, parameterPack

from hccoutcome.habitat.settings import ALGORITHMS, CRITERIA, METHODS

STATE_NAME = "HCCOutcome"
"""Singleton tag and module name of the shared parameter node."""
NOT_STATED = "not stated"
MODALITY_CHOICES = [NOT_STATED, "CT", "MR"]
PARAMETER_FILES = ["prime", "radscore", "haic-mri"]
PHASES = ("precontrast", "arterial", "portal", "delayed")
"""The phases that the windows have a selector for."""
AUTOMATIC = "automatic"
NUMBERS = [AUTOMATIC, *map(str, range(2, 11))]
"""Numbers of habitats to choose from."""
BY_MODALITY = "by modality"
PREPARATIONS = [BY_MODALITY, "none", "mri", "ct"]
REGISTRATIONS = ["rigid", "deformable"]
NO_FEATURES = "none"
HABITAT_FEATURES = ["haic-mri", "prime", "radscore", NO_FEATURES]


DEVICES = {"automatic": "auto", "processor (CPU)": "cpu", "NVIDIA card (CUDA)": "cuda", "Apple graphics (MPS)": "mps"}
"""Where networks compute, by what the windows call it."""


@parameterPack
class CaseInputs:
    """One case as chosen: volumes by phase, the segmentation with the region of each segment, the record as typed.

    ``habitats`` is the segmentation of its habitats where they were handed over to the models, ``record`` the table
    under the patient that shows ``clinical`` to others.
    """

    case_id: str = "case"
    modality: Annotated[str, Choice(MODALITY_CHOICES)] = NOT_STATED
    precontrast: slicer.vtkMRMLScalarVolumeNode
    arterial: slicer.vtkMRMLScalarVolumeNode
    portal: slicer.vtkMRMLScalarVolumeNode
    delayed: slicer.vtkMRMLScalarVolumeNode
    segmentation: slicer.vtkMRMLSegmentationNode
    habitats: slicer.vtkMRMLSegmentationNode
    regions: dict[str, str]
    clinical: dict[str, str]
    record: slicer.vtkMRMLTableNode


@parameterPack
class HabitatInputs:
    """How habitats are found.

    Attributes:
        left_out: phases that have a volume but take no part.
        region: the region to divide.
        method, algorithm, criterion: see ``hccoutcome.habitat.settings.HabitatSettings``.
        package: folder of the habitat package to apply; empty for none.
        number: how many habitats.
        preparation: what is done to the images first; by modality: as published for MR, nothing for CT.
        registration: how phases are brought to the reference phase, with a preparation.
        resample: whether images on other grids may be resampled.
        features: parameter file of the features of each habitat.
    """

    left_out: list[str]
    region: str = "tumor"
    method: Annotated[str, Choice(list(METHODS))] = "one-step"
    package: str
    algorithm: Annotated[str, Choice(list(ALGORITHMS))] = "kmeans"
    number: Annotated[str, Choice(NUMBERS)] = AUTOMATIC
    criterion: Annotated[str, Choice(list(CRITERIA))] = "elbow"
    preparation: Annotated[str, Choice(PREPARATIONS)] = BY_MODALITY
    registration: Annotated[str, Choice(REGISTRATIONS)] = "rigid"
    resample: bool = False
    features: Annotated[str, Choice(HABITAT_FEATURES)] = "haic-mri"


@parameterPack
class OutlineInputs:
    """What is to be outlined automatically.

    Attributes:
        region: the region.
        phase: the phase on whose voxels the draft lies; empty: the one in which most is seen.
        engine: name of the engine, or ``auto``.
        prompt: the markup that points at the region.
    """

    region: str = "tumor"
    phase: str
    engine: str = "auto"
    prompt: slicer.vtkMRMLMarkupsNode


@parameterPack
class MapInputs:
    """What a network's view is mapped of.

    Attributes:
        package: path of the package; empty or unknown: the first that there is.
        method: ``rollout``, ``gradcam`` or ``shap``.
    """

    package: str
    method: str = "gradcam"


@parameterNodeWrapper
class CaseState:
    """The state of the three windows.

    Attributes:
        case: the case's inputs.
        outline: what is to be outlined automatically.
        habitat: how HCCHabitat finds habitats.
        response_models: packages chosen in HCCResponse.
        survival_models: packages chosen in HCCSurvival.
        own_packages: where the user's own packages lie.
        references: by package, the file with the reference table of the user's own cohort.
        atom_packages: by model of ATOM, where its SELECTION package lies.
        maps: what is mapped of a network's view.
        device: where networks compute.
        parameter_file: parameter file of whole regions chosen in HCCHabitat.
        output_folder: where result files are kept; empty: nowhere, only the scene has the results.
    """

    case: CaseInputs
    outline: OutlineInputs
    habitat: HabitatInputs
    response_models: list[str]
    survival_models: list[str]
    own_packages: list[str]
    references: dict[str, str]
    atom_packages: dict[str, str]
    maps: MapInputs
    device: Annotated[str, Choice(list(DEVICES))] = AUTOMATIC
    parameter_file: Annotated[str, Choice(PARAMETER_FILES)] = "prime"
    output_folder: str
