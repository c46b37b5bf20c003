"""The panels for automatic outlines: what is to be outlined by which engine, and the drafts that wait for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hccoutcome.case import REGIONS
from hccoutcome.gui.panels import Choices, fill_rows, prepare_table
from hccoutcome.gui.rules import phase_title
from hccoutcome.gui.segmentation_rules import DraftRow, EngineFacts, best_phase, draft_in_words, engine_in_words
from hccoutcome.gui.signals import Signal
from hccoutcome.gui.translate import _
from hccoutcome.segmentation.engine import AUTO


class OutlinePanel:
    """What is to be outlined: region, phase, engine, and what a person points at.

    Signals:
        changed(name of the state's field, value), place_asked(kind of prompt).
    """

    def __init__(self, ui: Any) -> None:
        """Take the widgets of the group "Outline automatically"."""
        self.changed, self.place_asked = Signal(), Signal()
        self._ui = ui
        self._choices = Choices({"region": ui.outlineRegionBox, "phase": ui.outlinePhaseBox, "engine": ui.engineBox})
        self._choices.changed.connect(self.changed.emit)
        self._filling = False
        ui.promptSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._on_prompt)
        for kind, button in {"box": ui.boxButton, "clicks": ui.clicksButton, "stroke": ui.strokeButton}.items():
            button.connect("clicked()", lambda kind=kind: self.place_asked.emit(kind))

    def show(self, chosen: Any, regions: Sequence[str], phases: Sequence[str], facts: Sequence[EngineFacts]) -> None:
        """Show what is chosen (``scene.parameters.OutlineInputs``) and what there is to choose from."""
        self._choices.fill("region", regions, [REGIONS[name] for name in regions], chosen.region)
        phase = chosen.phase if chosen.phase in phases else best_phase(phases)
        self._choices.fill("phase", phases, [phase_title(name) for name in phases], phase)
        names = (AUTO, *(engine.name for engine in facts))
        titles = [_("automatic"), *(engine.title for engine in facts)]
        self._choices.fill("engine", names, titles, chosen.engine)
        self._filling = True
        try:
            if self._ui.promptSelector.currentNode() is not chosen.prompt:
                self._ui.promptSelector.setCurrentNode(chosen.prompt)
        finally:
            self._filling = False
        self._ui.engineMessage.setText(engine_in_words(chosen.engine, facts))

    def _on_prompt(self, node: Any) -> None:
        if not self._filling:
            self.changed.emit("prompt", node)


class DraftsPanel:
    """The drafts of a case; one is chosen, to be accepted, edited or rejected.

    Signals:
        accept_asked(row), edit_asked(row), reject_asked(row).
    """

    def __init__(self, ui: Any) -> None:
        """Take the widgets ``draftsTable``, ``draftLabel`` and the buttons below."""
        self.accept_asked, self.edit_asked, self.reject_asked = Signal(), Signal(), Signal()
        self._table, self._label = ui.draftsTable, ui.draftLabel
        self._buttons = (ui.acceptButton, ui.editButton, ui.rejectButton)
        self._rows: tuple[DraftRow, ...] | None = None
        prepare_table(self._table, (_("Draft"), _("Outlined by"), _("mL")), 0)
        self._table.connect("currentCellChanged(int,int,int,int)", self._on_cell)
        for button, signal in zip(self._buttons, (self.accept_asked, self.edit_asked, self.reject_asked), strict=True):
            button.connect("clicked()", lambda signal=signal: self._ask(signal))

    def show(self, rows: Sequence[DraftRow]) -> None:
        """Show the drafts; without any the panel takes no room."""
        if tuple(rows) == self._rows:
            return
        self._rows = tuple(rows)
        fill_rows(self._table, [(row.title, row.source, row.volume) for row in rows])
        for widget in (self._table, self._label, *self._buttons):
            widget.setVisible(bool(rows))
        if rows:
            self._table.setCurrentCell(len(rows) - 1, 0)
        self._describe()

    def _ask(self, signal: Signal) -> None:
        row = self._table.currentRow()
        if self._rows and 0 <= row < len(self._rows):
            signal.emit(row)

    def _on_cell(self, row: int, column: int, old_row: int, old_column: int) -> None:
        self._describe()

    def _describe(self) -> None:
        row = self._table.currentRow()
        self._label.setText(draft_in_words(self._rows[row]) if self._rows and 0 <= row < len(self._rows) else "")
