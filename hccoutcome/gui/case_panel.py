"""The case: its name, its modality and the volume of each phase."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hccoutcome.gui.rules import guess_phases
from hccoutcome.gui.signals import Signal
from hccoutcome.scene.nodes import MODALITY, PHASE
from hccoutcome.scene.parameters import MODALITY_CHOICES, NOT_STATED, PHASES, CaseInputs


class CasePanel:
    """The case as the state connects it to its widgets, and the button that guesses volumes.

    Signals:
        guess_asked().
    """

    def __init__(self, ui: Any) -> None:
        """Take the widgets ``portalSelector``, which knows the scene, and ``guessButton``."""
        self.guess_asked = Signal()
        self._selector = ui.portalSelector
        ui.guessButton.connect("clicked()", self.guess_asked.emit)

    def guess(self, case: CaseInputs) -> None:
        """Choose the volume of each phase from the volumes' marks or names, leaving alone what is chosen already."""
        scene = self._selector.mrmlScene()
        names = {node.GetID(): node.GetAttribute(PHASE) or node.GetName() for node in self._volumes()}
        for phase, identifier in guess_phases(names).items():
            if phase in PHASES and getattr(case, phase) is None:
                setattr(case, phase, scene.GetNodeByID(identifier))
        known = {volume.GetAttribute(MODALITY) for volume in volumes_of(case).values()}
        if case.modality == NOT_STATED and len(known) == 1 and known <= set(MODALITY_CHOICES):
            case.modality = known.pop()

    def _volumes(self) -> Iterator[Any]:
        scene = self._selector.mrmlScene()
        for index in range(scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")):
            yield scene.GetNthNodeByClass(index, "vtkMRMLScalarVolumeNode")


def volumes_of(case: CaseInputs) -> dict[str, Any]:
    """Return the volume node of each phase that has one."""
    return {phase: getattr(case, phase) for phase in PHASES if getattr(case, phase) is not None}


def modality_of(case: CaseInputs) -> str | None:
    """Return the modality, None where it is not stated."""
    return None if case.modality == NOT_STATED else case.modality
