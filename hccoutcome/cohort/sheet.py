"""A table as text, whatever file it comes in: CSV or an Excel workbook."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from hccoutcome.cohort.table import check_length, read_lines
from hccoutcome.errors import InputError, nearest

_WORKBOOKS = (".xlsx", ".xlsm")


@dataclass(frozen=True)
class Sheet:
    """A table: the file's name, its columns and its rows, every cell as text and empty where it holds nothing."""

    name: str
    header: tuple[str, ...]
    rows: tuple[dict[str, str], ...]


def read_sheet(path: Path, sheet: str = "") -> Sheet:
    """Read a table.

    Args:
        path: a CSV file in UTF-8, or an Excel workbook (.xlsx), of which the values are read and no formula is run.
        sheet: name of the sheet in a workbook; the first where empty.

    Raises:
        InputError: no such file or sheet, not a table, a column that stands twice.
    """
    header, rows = _workbook(path, sheet) if path.suffix.lower() in _WORKBOOKS else _csv(path)
    for column, count in Counter(header).items():
        if count > 1:
            raise InputError(f"'{path.name}' has the column '{column}' {count} times: keep one.")
    return Sheet(path.name, tuple(header), tuple(dict(zip(header, row, strict=True)) for row in rows))


def _csv(path: Path) -> tuple[list[str], list[list[str]]]:
    header, lines = read_lines(path, "table")
    for number, line in lines:
        check_length(number, line, header, "table")
    return header, [line for _, line in lines]


def _workbook(path: Path, sheet: str) -> tuple[list[str], list[list[str]]]:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (OSError, BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise InputError(
            f"The workbook '{path}' cannot be read ({error}): save it again as .xlsx or as CSV."
        ) from error
    try:
        if sheet and sheet not in book.sheetnames:
            raise InputError(f"'{path.name}' should have a sheet '{sheet}'; {nearest(sheet, book.sheetnames)}.")
        lines = [[_text(cell) for cell in row] for row in book[sheet or book.sheetnames[0]].values]
    finally:
        book.close()
    lines = [line for line in lines if any(line)]
    if len(lines) < 2:
        raise InputError(f"A table has a header and at least one case, found {len(lines)} lines in '{path.name}'.")
    width = max(position for position, title in enumerate(lines[0], 1) if title)
    return lines[0][:width], [line[:width] + [""] * (width - len(line)) for line in lines[1:]]


def _text(cell: Any) -> str:
    """Return a cell as a CSV file would hold it: whole numbers without decimals."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(int(cell))
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    return str(cell).strip()
