"""The cohort table: one row a case, with the paths of its images and masks and its clinical columns."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from hccoutcome.case import CaseFiles, ImageFile, MaskFile, Modality, canonical_phase, canonical_region
from hccoutcome.clinical.entry import variable_of
from hccoutcome.errors import HCCError, InputError

ID_COLUMN = "case_id"
IMAGE_PREFIX = "image_"
MASK_PREFIX = "mask_"
_PLAIN_COLUMNS = (ID_COLUMN, "modality")


def read_cohort_table(path: Path) -> list[dict[str, str]]:
    """Read the rows of a cohort table and check what can be checked without opening an image.

    Args:
        path: CSV in UTF-8, separated by comma, semicolon or tab, with a header.

    Returns:
        One mapping a row, from column name to text; empty cells are left out.

    Raises:
        InputError: no such file, no ``case_id`` column, an unknown or doubled column, a row of another length, a case
            without a name or named twice.
    """
    lines = _read_lines(path)
    header = [column.strip() for column in lines[0]]
    _check_header(header)
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise InputError(
                f"Line {number} of the cohort table should have {len(header)} cells as the header, found {len(line)}: "
                "put cells that hold the separator into quotes."
            )
        rows.append({column: cell.strip() for column, cell in zip(header, line, strict=True) if cell.strip()})
    _check_rows(rows)
    return rows


def _read_lines(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"The cohort table '{path}' cannot be read: {reason}; give a CSV file in UTF-8.") from error
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    lines = [line for line in csv.reader(text.splitlines(), delimiter=separator) if any(cell.strip() for cell in line)]
    if len(lines) < 2:
        raise InputError(f"A cohort table has a header and at least one case, found {len(lines)} lines in '{path}'.")
    return lines


def _check_header(header: Sequence[str]) -> None:
    if ID_COLUMN not in header:
        raise InputError(f"The cohort table needs a column '{ID_COLUMN}', found {', '.join(header)}: add it.")
    for column, count in Counter(header).items():
        if count > 1:
            raise InputError(f"The cohort table has the column '{column}' {count} times: keep one.")
        if column.startswith(IMAGE_PREFIX):
            canonical_phase(column.removeprefix(IMAGE_PREFIX))
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


def _check_rows(rows: Sequence[Mapping[str, str]]) -> None:
    for number, row in enumerate(rows, start=2):
        if ID_COLUMN not in row:
            raise InputError(f"Line {number} of the cohort table has no {ID_COLUMN}: name the case.")
    # Folders are named after cases, and some file systems do not tell upper from lower case.
    for name, count in Counter(row[ID_COLUMN].lower() for row in rows).items():
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
    masks = {
        canonical_region(column.removeprefix(MASK_PREFIX)): tuple(
            MaskFile(root / path.strip()) for path in cell.split(";") if path.strip()
        )
        for column, cell in row.items()
        if column.startswith(MASK_PREFIX)
    }
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
