"""The panels that show what an analysis found: scores with their applicability, and the quality of the input."""

from __future__ import annotations

from typing import Any

from hccoutcome.gui.panels import fill_rows, prepare_table
from hccoutcome.gui.rules import applicability_in_words, label_and_notes, quality_rows, score_rows, shown
from hccoutcome.gui.signals import Signal
from hccoutcome.gui.translate import _
from hccoutcome.report.outlook_words import number_in_words, sentences


class ScoresPanel:
    """The scores of an analysis side by side with their applicability; choosing one shows what there is to say of it.

    Signals:
        looked_at(prediction), None where there is none; picked(prediction) by the user.
    """

    def __init__(self, table: Any, details: Any) -> None:
        self.looked_at, self.picked = Signal(), Signal()
        self._table, self._details = table, details
        self._predictions: list[Any] = []
        self._unexplained: dict[str, str] = {}
        prepare_table(table, (_("Score"), _("Value"), _("Applicability")), 0, 1)
        table.setWordWrap(True)
        table.connect("currentCellChanged(int,int,int,int)", self._on_cell)

    def show(self, findings: Any) -> None:
        """Show what was found, None for nothing."""
        self._predictions = [] if findings is None else list(shown(findings))
        self._unexplained = {} if findings is None else dict(findings.provenance.get("unexplained", {}))
        fill_rows(self._table, [] if findings is None else score_rows(findings))
        row = self._table.currentRow()
        self._look_at(row if 0 <= row < len(self._predictions) else 0)

    def _look_at(self, row: int) -> None:
        found = self._predictions[row] if row < len(self._predictions) else None
        self._details.setText("" if found is None else _details(found, self._unexplained.get(found.package, "")))
        self.looked_at.emit(found)

    def _on_cell(self, row: int, column: int, old_row: int, old_column: int) -> None:
        if 0 <= row < len(self._predictions):
            self._look_at(row)
            self.picked.emit(self._predictions[row])


class QualityPanel:
    """The quality table of an analysis, the worst lines first; choosing one shows what to do."""

    def __init__(self, table: Any, details: Any) -> None:
        self._table, self._details = table, details
        self._notes: list[str] = []
        prepare_table(table, (_("Checked"), _("Found"), _("Verdict")), 0, 1)
        table.setWordWrap(True)
        table.connect("currentCellChanged(int,int,int,int)", self._on_cell)

    def show(self, findings: Any) -> None:
        """Show what was found, None for nothing."""
        rows = [] if findings is None else quality_rows(findings)
        self._notes = [note for *_, note in rows]
        fill_rows(self._table, [row[:3] for row in rows])
        self._details.setText(self._notes[0] if self._notes else "")

    def _on_cell(self, row: int, column: int, old_row: int, old_column: int) -> None:
        if 0 <= row < len(self._notes):
            self._details.setText(self._notes[row])


def _details(prediction: Any, unexplained: str = "") -> str:
    """Return what there is to say of a score, a paragraph each: verdict, where the case stands, what is not known."""
    endpoint = prediction.endpoint[:1].upper() + prediction.endpoint[1:]
    number = f" Value: {number_in_words(prediction)}." if prediction.score is not None else ""
    verdict = applicability_in_words(prediction.applicability)
    verdict_and_paper = f"{endpoint}.{number} {verdict} {prediction.citation}".strip()
    why = (
        _("What each input adds could not be computed: {unexplained}").format(unexplained=unexplained)
        if unexplained
        else ""
    )
    _label, notes = label_and_notes(prediction.label)
    return "\n\n".join(filter(None, (verdict_and_paper, notes, *sentences(prediction), why)))
