"""The clinical record: a form over the schema, what follows from it, a row pasted from a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import qt

from hccoutcome.errors import InputError
from hccoutcome.gui.clinical_rules import (
    FieldRow,
    field_notes,
    field_rows,
    index_rows,
    pasted_in_words,
    pasted_row,
    template,
)
from hccoutcome.gui.panels import fill_rows, prepare_table, read_only_item, show_message
from hccoutcome.gui.rules import record_from_json, variable_hint
from hccoutcome.gui.signals import Signal
from hccoutcome.gui.translate import _
from hccoutcome.scene.clinical import follow_record, read_record, write_record

VALUE_WIDTH = 90
"""Pixels for a typed value: enough for a number with its unit."""
VARIABLE, VALUE, UNIT, EXPECTED = range(4)
WRONG, UNUSUAL = "\u2716", "\u26a0"
"""Signs before a note, so that no colour is needed to tell them apart."""


class ClinicalPanel:
    """The clinical record as a table of all variables, those that the chosen models need first.

    Signals:
        changed(text by schema name).
    """

    def __init__(self, ui: Any) -> None:
        """Take the widgets of the group "Clinical record"."""
        self.changed = Signal()
        self._table, self._message, self._indices = ui.clinicalTable, ui.clinicalMessage, ui.indicesTable
        self._rows: list[FieldRow] = []
        self._needed: tuple[str, ...] | None = None
        self._record: dict[str, str] = {}
        self._noted: dict[str, tuple[bool, str]] = {}
        self._filling = False
        prepare_table(self._table, (_("Variable"), _("Value"), _("Unit"), _("Expected")), VARIABLE, EXPECTED)
        self._table.setWordWrap(True)
        self._table.horizontalHeader().setSectionResizeMode(VALUE, qt.QHeaderView.Interactive)
        self._table.setColumnWidth(VALUE, VALUE_WIDTH)
        self._table.connect("itemChanged(QTableWidgetItem*)", self._on_item)
        prepare_table(self._indices, (_("Index or score"), _("Value"), _("From")), 0, 1, 2)
        self._indices.setWordWrap(True)
        ui.readRecordButton.connect("clicked()", self.read_file)
        ui.pasteRecordButton.connect("clicked()", self.paste)
        ui.templateButton.connect("clicked()", self.copy_template)
        self._say("")

    def show(self, record: Mapping[str, str], needed: Iterable[str]) -> None:
        """Show a record, with the variables that are needed on top."""
        needed = tuple(dict.fromkeys(needed))
        self._filling = True
        try:
            fresh = needed != self._needed
            if fresh:
                self._needed = needed
                self._fill()
            if fresh or dict(record) != self._record:
                self._record = dict(record)
                self._show_values()
                fill_rows(self._indices, index_rows(self._record))
        finally:
            self._filling = False

    def paste(self) -> None:
        """Take the values of a spreadsheet row from the clipboard."""
        try:
            pasted = pasted_row(qt.QApplication.clipboard().text())
        except InputError as error:
            self._say(str(error))
            return
        self.changed.emit({**self._record, **pasted.record})
        self._say(pasted_in_words(pasted))

    def copy_template(self) -> None:
        """Put the header of a spreadsheet on the clipboard."""
        qt.QApplication.clipboard().setText(template())
        self._say(_("The header is on the clipboard: paste it into a spreadsheet."))

    def read_file(self) -> None:
        """Ask for a JSON file with a record and take what it says."""
        path = qt.QFileDialog.getOpenFileName(self._table, _("Clinical record"), "", _("Clinical record") + " (*.json)")
        if not path:
            return
        try:
            record = record_from_json(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            self._say(str(error))
            return
        self.changed.emit({**self._record, **record})
        self._say(_("{count} values taken.").format(count=len(record)))

    def _say(self, message: str) -> None:
        show_message(self._message, message)

    def _fill(self) -> None:
        self._rows, self._noted = field_rows(self._needed or ()), {}
        self._table.setRowCount(len(self._rows))
        for row, field in enumerate(self._rows):
            hint = variable_hint(field.name)
            label = read_only_item(field.title, hint)
            font = label.font()
            font.setBold(field.needed)
            label.setFont(font)
            self._table.setItem(row, VARIABLE, label)
            value = qt.QTableWidgetItem("")
            value.setToolTip(hint)
            self._table.setItem(row, VALUE, value)
            self._table.setItem(row, UNIT, read_only_item(field.unit))
            self._table.setItem(row, EXPECTED, read_only_item(field.expected, hint))

    def _show_values(self) -> None:
        """Show the values, and beside each what is wrong or unusual about it."""
        notes = field_notes(self._record)
        for row, field in enumerate(self._rows):
            text = self._record.get(field.name, "")
            if self._table.item(row, VALUE).text() != text:
                self._table.item(row, VALUE).setText(text)
            note = notes.get(field.name)
            if note != self._noted.get(field.name):
                item = self._table.item(row, EXPECTED)
                sign = "" if note is None else f"{WRONG if note[0] else UNUSUAL} "
                item.setText(field.expected if note is None else sign + note[1])
                item.setToolTip(variable_hint(field.name) if note is None else note[1])
        self._noted = notes

    def _on_item(self, item: Any) -> None:
        if self._filling or item.column() != VALUE:
            return
        name, text = self._rows[item.row()].name, item.text().strip()
        record = {**self._record, name: text} if text else {k: v for k, v in self._record.items() if k != name}
        if record != self._record:
            self._say("")
            self.changed.emit(record)


class RecordTable:
    """Keeps the record of the state and its table in the scene the same, whichever of the two is changed."""

    def __init__(self) -> None:
        """Follow nothing yet."""
        self._case: Any = None
        self._table: tuple[Any, int] = (None, 0)

    def follow(self, case: Any) -> None:
        """Write the record of a case (``scene.parameters.CaseInputs``) into its table, and follow that; or nothing."""
        self._case = case
        table = None
        if case is not None:
            record = dict(case.clinical)
            table = write_record(case.record, case.case_id, record)
            if table is not case.record:
                case.record = table
        old, tag = self._table
        if table is not old:
            if old is not None:
                old.RemoveObserver(tag)
            self._table = (table, 0 if table is None else follow_record(table, self._on_table))

    def _on_table(self) -> None:
        table, _tag = self._table
        if self._case is not None and table is not None:
            record = read_record(table)
            if record != dict(self._case.clinical):
                self._case.clinical = record
