"""The cohort table: one row a case, with the paths of its images and masks and its clinical columns."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from hccoutcome.case import CaseFiles, ImageFile, MaskFile, Modality, canonical_phase, canonical_region
from hccoutcome.clinical.entry import variable_of
from hccoutcome.errors import HCCError, InputError

ID_COLUMN = "case_id"
IMAGE_PREFIX = "image_"
MASK_PREFIX = "mask_"
_PLAIN_COLUMNS = (ID_COLUMN, "modality")
_Line = tuple[int, list[str]]


def read_cohort_table(path: Path) -> list[dict[str, str]]:
    """Read the rows of a cohort table and check what can be checked without opening an image.

    Args:
        path: CSV in UTF-8, separated by comma, semicolon or tab, with a header.

    Returns:
        One mapping a row, from column name to text; empty cells are left out.

    Raises:
        InputError: no such file, no CSV, no ``case_id`` column, an unknown or doubled column, two columns of one phase,
            a row of another length, a case without a name or named twice.
    """
    (_, titles), *lines = _read_lines(path)
    header = [column.strip() for column in titles]
    _check_header(header)
    rows = {}
    for number, line in lines:
        if len(line) != len(header):
            raise InputError(
                f"Line {number} of the cohort table should have {len(header)} cells as the header, found {len(line)}: "
                "put cells that hold the separator into quotes."
            )
        rows[number] = {column: cell.strip() for column, cell in zip(header, line, strict=True) if cell.strip()}
    _check_rows(rows)
    return list(rows.values())


def _read_lines(path: Path) -> list[_Line]:
    """Return the records that are not blank, each with the number of the line in the file that it begins in."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"The cohort table '{path}' cannot be read: {reason}; give a CSV file in UTF-8.") from error
    lines = [(number, cells) for number, cells in _records(text) if any(cell.strip() for cell in cells)]
    if len(lines) < 2:
        raise InputError(f"A cohort table has a header and at least one case, found {len(lines)} lines in '{path}'.")
    return lines


def _records(text: str) -> Iterator[_Line]:
    first = text.lstrip().partition("\n")[0]
    # A stream that keeps its line ends lets the reader tell those in quotes from those that end a record.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    begins = 1
    try:
        for cells in reader:
            yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"Line {begins} of the cohort table cannot be read as CSV ({error}): check its quotes and separators."
        ) from error


def _check_header(header: Sequence[str]) -> None:
    if ID_COLUMN not in header:
        raise InputError(f"The cohort table needs a column '{ID_COLUMN}', found {', '.join(header)}: add it.")
    phases: dict[str, str] = {}
    for column, count in Counter(header).items():
        if count > 1:
            raise InputError(f"The cohort table has the column '{column}' {count} times: keep one.")
        if column.startswith(IMAGE_PREFIX):
            phase = canonical_phase(column.removeprefix(IMAGE_PREFIX))
            if phase in phases:
                raise InputError(
                    f"The columns '{phases[phase]}' and '{column}' of the cohort table both mean the {phase} image: "
                    "keep one."
                )
            phases[phase] = column
        elif column.startswith(MASK_PREFIX):
            canonical_region(column.removeprefix(MASK_PREFIX))
        elif column not in _PLAIN_COLUMNS:
            _check_clinical_column(column)


def _check_clinical_column(column: str) -> None:
    try:
        variable_of(column)
    except InputError as error:
        raise InputError(
            f"The column '{column}' of the cohort table is neither {ID_COLUMN}, modality, {IMAGE_PREFIX}<phase>, "
            f"{MASK_PREFIX}<region> nor a clinical variable; rename or remove it. {error}"
        ) from error


def _check_rows(rows: Mapping[int, Mapping[str, str]]) -> None:
    for number, row in rows.items():
        if ID_COLUMN not in row:
            raise InputError(f"Line {number} of the cohort table has no {ID_COLUMN}: name the case.")
        if len(row[ID_COLUMN].splitlines()) > 1:
            raise InputError(f"Line {number} of the cohort table has a line break within its {ID_COLUMN}: remove it.")
    # Folders are named after cases, and some file systems do not tell upper from lower case.
    for name, count in Counter(row[ID_COLUMN].lower() for row in rows.values()).items():
        if count > 1:
            raise InputError(f"The case '{name}' stands {count} times in the cohort table: keep one row a case.")


def case_files(row: Mapping[str, str], root: Path) -> CaseFiles:
    """Return where the files of one row's case lie.

    Args:
        row: a row of ``read_cohort_table``.
        root: folder that relative paths start from (the table's own).

    Raises:
        InputError: the row's content is wrong (its name, its modality); the message names what.
    """
    images = {
        canonical_phase(column.removeprefix(IMAGE_PREFIX)): ImageFile(root / cell)
        for column, cell in row.items()
        if column.startswith(IMAGE_PREFIX)
    }
    masks: dict[str, tuple[MaskFile, ...]] = {}
    for column, cell in row.items():
        if column.startswith(MASK_PREFIX):
            region = canonical_region(column.removeprefix(MASK_PREFIX))
            outlines = tuple(MaskFile(root / path.strip()) for path in cell.split(";") if path.strip())
            masks[region] = (*masks.get(region, ()), *outlines)
    clinical = {
        column: cell
        for column, cell in row.items()
        if column not in _PLAIN_COLUMNS and not column.startswith((IMAGE_PREFIX, MASK_PREFIX))
    }
    modality = cast("Modality | None", row["modality"].upper() if "modality" in row else None)
    return CaseFiles(row[ID_COLUMN], images, masks, clinical, modality)


def try_case_files(row: Mapping[str, str], root: Path) -> CaseFiles | HCCError:
    """Return the case's files, or the error that makes this one case fail and not the others."""
    try:
        return case_files(row, root)
    except HCCError as error:
        return error
