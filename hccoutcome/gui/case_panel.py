"""The case: its name, its modality and the volume of each phase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hccoutcome.gui.panels import show_message
from hccoutcome.gui.rules import case_id_error, guess_phases, patients_error, volumes_error
from hccoutcome.gui.signals import Signal
from hccoutcome.scene.nodes import IMAGE, MODALITY, PHASE, ROLE, patient_of
from hccoutcome.scene.parameters import MODALITY_CHOICES, NOT_STATED, PHASES, CaseInputs
from hccoutcome.scene.phases import phases_by_dicom


class CasePanel:
    """The case as the state connects it to its widgets, what is wrong with it, and the button that guesses volumes.

    ``problem`` is the first sentence on what is wrong, empty where nothing is.

    Signals:
        guess_asked().
    """

    def __init__(self, ui: Any) -> None:
        """Take the widgets of the group "Case"; ``portalSelector`` knows the scene."""
        self.guess_asked = Signal()
        self.problem = ""
        self._selector = ui.portalSelector
        self._labels = {"case_id": ui.caseIdMessage, "volumes": ui.volumesMessage}
        ui.guessButton.connect("clicked()", self.guess_asked.emit)

    def show(self, case: CaseInputs) -> None:
        """Show beside each field what is wrong with it."""
        names = {phase: (volume.GetID(), volume.GetName()) for phase, volume in volumes_of(case).items()}
        patients = [(volume.GetName(), patient_of(volume)) for volume in volumes_of(case).values()]
        errors = {"case_id": case_id_error(case.case_id), "volumes": volumes_error(names) or patients_error(patients)}
        for field, message in errors.items():
            show_message(self._labels[field], message)
        self.problem = next(filter(None, errors.values()), "")

    def guess(self, case: CaseInputs) -> None:
        """Choose the volume of each phase from the volumes' marks, names or DICOM, leaving alone what is chosen."""
        scene = self._selector.mrmlScene()
        for phase, identifier in self._guessed().items():
            if phase in PHASES and getattr(case, phase) is None:
                setattr(case, phase, scene.GetNodeByID(identifier))
        known = {volume.GetAttribute(MODALITY) for volume in volumes_of(case).values()}
        if case.modality == NOT_STATED and len(known) == 1 and known <= set(MODALITY_CHOICES):
            case.modality = known.pop()

    def _guessed(self) -> Mapping[str, str]:
        """Return the identifier of the one volume of each phase."""
        scene = self._selector.mrmlScene()
        count = scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
        volumes = [scene.GetNthNodeByClass(index, "vtkMRMLScalarVolumeNode") for index in range(count)]
        # Maps and what networks see are volumes of a phase too, but no images of the patient.
        images = [node for node in volumes if node.GetAttribute(ROLE) in (None, IMAGE)]
        names = {node.GetID(): node.GetAttribute(PHASE) or node.GetName() for node in images}
        return guess_phases(names, phases_by_dicom(images))


def volumes_of(case: CaseInputs) -> dict[str, Any]:
    """Return the volume node of each phase that has one."""
    return {phase: getattr(case, phase) for phase in PHASES if getattr(case, phase) is not None}


def modality_of(case: CaseInputs) -> str | None:
    """Return the modality, None where it is not stated."""
    return None if case.modality == NOT_STATED else case.modality
