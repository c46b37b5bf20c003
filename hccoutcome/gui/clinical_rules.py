"""What the clinical panel decides, apart from Qt: what may be entered, what is wrong, what follows, what was pasted."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hccoutcome.clinical.entry import is_missing, read_entry, split_name, variable_of
from hccoutcome.clinical.indices import COMPOSITE, INDICES, composite_index, missing_for_index
from hccoutcome.clinical.record import expected_values, judge, parse_record
from hccoutcome.clinical.scores import LIVER_SCORES
from hccoutcome.clinical.units import factor
from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.errors import InputError
from hccoutcome.gui.translate import _

_LEFT_OUT = ("case", "case id", "caseid", "id", "patient", "patient id", "name", "no", "nr")
"""Titles of columns that only say who it is: nothing of them is taken."""
LONGEST_TITLE = 40
"""How much of a column's title that is not known is quoted (characters)."""


@dataclass(frozen=True)
class FieldRow:
    """One variable as the panel shows it.

    Attributes:
        name: schema name.
        title: what a reader calls it.
        unit: the schema's unit.
        expected: what is typical of it.
        needed: whether a chosen model reads it.
    """

    name: str
    title: str
    unit: str
    expected: str
    needed: bool


@dataclass(frozen=True)
class Pasted:
    """What a spreadsheet row gave: text by schema name as a user would have typed it, and what was not taken."""

    record: dict[str, str]
    not_taken: tuple[str, ...]


def field_rows(needed: Iterable[str]) -> list[FieldRow]:
    """Return every clinical variable, those that are needed first."""
    first = [name for name in dict.fromkeys(needed) if name in VARIABLES]
    order = first + [name for name in VARIABLES if name not in first]
    return [
        FieldRow(name, VARIABLES[name].title, VARIABLES[name].unit, _expected(name), name in first) for name in order
    ]


def _expected(name: str) -> str:
    variable = VARIABLES[name]
    return _("yes or no") if variable.kind == "binary" else expected_values(variable)


def field_notes(typed: Mapping[str, str]) -> dict[str, tuple[bool, str]]:
    """Return, for each entry that is wrong or unusual, whether it is wrong and the sentence that says why."""
    notes: dict[str, tuple[bool, str]] = {}
    for name, text in typed.items():
        try:
            entry = read_entry(name, text)
        except InputError as error:
            notes[name] = (True, str(error))
            continue
        item = None if entry is None else judge(entry)
        if item is not None and item.status == "warning":
            notes[name] = (False, item.note)
    return notes


def index_rows(typed: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return title, value and formula of every index and score that follows from what is typed so far.

    Entries that cannot be read take no part. Of the indices of change only those that follow are listed; the others say
    what they lack.
    """
    notes = field_notes(typed)
    record = parse_record({name: text for name, text in typed.items() if not notes.get(name, (False, ""))[0]})
    rows = []
    for name, index in INDICES.items():
        missing = missing_for_index(name, record)
        if not missing:
            try:
                rows.append((index.title, f"{composite_index(name, record):.4g}", index.formula))
            except InputError as error:
                rows.append((index.title, "-", str(error)))
        elif name in COMPOSITE and len(missing) < len(index.needs):
            rows.append((index.title, "-", _lacks(missing)))
    for score in LIVER_SCORES.values():
        missing = score.missing(record)
        if not missing:
            rows.append((score.title, score.compute(record).label, score.rule))
    return rows


def _lacks(names: Iterable[str]) -> str:
    return _("lacks {variables}").format(variables=", ".join(VARIABLES[name].title for name in names))


def pasted_row(text: str) -> Pasted:
    """Read a spreadsheet row, its cells parted by tabs: below its header, or in the template's order without one.

    Values are taken as they stand, with the unit of their column behind them where it is not the schema's, so that what
    is wrong with one is said beside its field.

    Raises:
        InputError: there is no row, several rows, or a row without a header that is not in the template's order.
    """
    try:
        # Line ends of whatever system the spreadsheet runs on.
        lines = io.StringIO(text.strip("\r\n"), newline=None)
        rows = [row for row in csv.reader(lines, delimiter="\t") if any(map(str.strip, row))]
    except csv.Error as error:
        raise InputError(
            f"A spreadsheet row was expected on the clipboard, found a text ({error}): copy it."
        ) from error
    if not rows:
        raise InputError("A spreadsheet row was expected on the clipboard, found nothing: copy the row first.")
    if len(rows) > 2:
        raise InputError(
            f"One row of one patient was expected, found {len(rows)} rows: copy the header and the row of this patient."
        )
    if len(rows) == 2:
        return _below_header(rows[0], rows[1])
    if any(_is_name(cell) for cell in rows[0]):
        raise InputError("A header and the row of a patient below it were expected, found the header alone: copy both.")
    if len(rows[0]) != len(VARIABLES):
        raise InputError(
            f"A row without its header was expected to have {len(VARIABLES)} cells, as the template has them, found "
            f"{len(rows[0])}: copy the header row too."
        )
    return _below_header(list(VARIABLES), rows[0])


def _below_header(header: list[str], row: list[str]) -> Pasted:
    if len(row) > len(header):
        raise InputError(
            f"The row was expected to have at most {len(header)} cells, as its header has, found {len(row)}: copy both "
            "from the same column on."
        )
    record: dict[str, str] = {}
    not_taken: list[str] = []
    for title, cell in zip(header, row, strict=False):
        if not title.strip() or is_missing(cell) or title.strip().lower().replace("_", " ") in _LEFT_OUT:
            continue
        try:
            variable, unit = variable_of(title)
        except InputError:
            not_taken.append(split_name(title)[0])
            continue
        if variable.name in record:
            not_taken.append(split_name(title)[0])
            continue
        other = unit is not None and factor(unit, variable.units) != 1.0 and _is_number(cell)
        record[variable.name] = f"{cell.strip()} {unit}" if other else cell.strip()
    return Pasted(record, tuple(not_taken))


def _is_name(cell: str) -> bool:
    try:
        variable_of(cell)
    except InputError:
        return False
    return True


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def template() -> str:
    """Return the header of a spreadsheet with every variable and its unit, the cells parted by tabs."""
    titles = (f"{name} ({variable.unit})" if variable.unit else name for name, variable in VARIABLES.items())
    return "\t".join(titles) + "\n"


def pasted_in_words(pasted: Pasted) -> str:
    """Return what was taken from a pasted row, and what was not."""
    taken = _("{count} values taken.").format(count=len(pasted.record))
    if not pasted.not_taken:
        return taken
    columns = ", ".join(
        title if len(title) <= LONGEST_TITLE else f"{title[:LONGEST_TITLE]}..." for title in pasted.not_taken
    )
    return taken + " " + _("Not known, or given twice: {columns}.").format(columns=columns)
