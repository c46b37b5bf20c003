"""The panels that show what an analysis found: scores with their applicability, and the quality of the input."""

from __future__ import annotations

from typing import Any

from hccoutcome.gui.panels import fill_rows, prepare_table
from hccoutcome.gui.rules import applicability_in_words, number_in_words, quality_rows, score_rows, shown


class ScoresPanel:
    """The scores of an analysis with their applicability; choosing one shows its reasons."""

    def __init__(self, table: Any, details: Any) -> None:
        self._table, self._details = table, details
        self._texts: list[str] = []
        prepare_table(table, ("Score", "Value", "Applicability"), 0, 1)
        table.setWordWrap(True)
        table.connect("currentCellChanged(int,int,int,int)", self._on_cell)

    def show(self, findings: Any) -> None:
        """Show what was found, None for nothing."""
        rows = [] if findings is None else score_rows(findings)
        self._texts = [] if findings is None else [_details(item) for item in shown(findings)]
        fill_rows(self._table, rows)
        self._details.setText(self._texts[0] if self._texts else "")

    def _on_cell(self, row: int, column: int, old_row: int, old_column: int) -> None:
        if 0 <= row < len(self._texts):
            self._details.setText(self._texts[row])


class QualityPanel:
    """The quality table of an analysis, the worst lines first; choosing one shows what to do."""

    def __init__(self, table: Any, details: Any) -> None:
        self._table, self._details = table, details
        self._notes: list[str] = []
        prepare_table(table, ("Checked", "Found", "Verdict"), 0, 1)
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


def _details(prediction: Any) -> str:
    endpoint = prediction.endpoint[:1].upper() + prediction.endpoint[1:]
    number = f" Value: {number_in_words(prediction)}." if prediction.score is not None else ""
    verdict = applicability_in_words(prediction.applicability)
    return f"{endpoint}.{number} {verdict} {prediction.citation}".strip()
