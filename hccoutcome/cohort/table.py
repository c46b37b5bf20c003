"""The cohort table: one row a case, with the paths of its images and masks and its clinical columns.

Columns of outcomes (see ``hccoutcome.clinical.endpoints``) may stand in the same table, so that one table serves the
extraction of features and the training on them; the extraction never sees them.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from hccoutcome.case import CaseFiles, ImageFile, MaskFile, Modality, canonical_phase, canonical_region
from hccoutcome.clinical.endpoints import outcome_of
from hccoutcome.clinical.entry import variable_of
from hccoutcome.errors import HCCError, InputError

ID_COLUMN = "case_id"
IMAGE_PREFIX = "image_"
MASK_PREFIX = "mask_"
_PLAIN_COLUMNS = (ID_COLUMN, "modality")
Line = tuple[int, list[str]]
"""A record of a CSV file: the number of the line that it begins in, and its cells."""


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
    header, lines = read_lines(path, "cohort table")
    _check_header(header)
    rows = {}
    for number, line in lines:
        check_length(number, line, header, "cohort table")
        rows[number] = {column: cell for column, cell in zip(header, line, strict=True) if cell}
    _check_rows(rows)
    return list(rows.values())


def read_lines(path: Path, what: str) -> tuple[list[str], list[Line]]:
    """Read a CSV file in UTF-8, separated by comma, semicolon or tab.

    Args:
        path: the file.
        what: what messages call it: ``"cohort table"``.

    Returns:
        The header, and the records that are not blank; all cells without the spaces around them.

    Raises:
        InputError: no such file, not text, no CSV, a header alone.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"The {what} '{path}' cannot be read: {reason}; give a CSV file in UTF-8.") from error
    lines = [(number, cells) for number, cells in _records(text, what) if any(cells)]
    if len(lines) < 2:
        raise InputError(f"A {what} has a header and at least one case, found {len(lines)} lines in '{path}'.")
    return lines[0][1], lines[1:]


def _records(text: str, what: str) -> Iterator[Line]:
    first = text.lstrip().partition("\n")[0]
    # A stream that keeps its line ends lets the reader tell those in quotes from those that end a record.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    begins = 1
    try:
        for cells in reader:
            yield begins, [cell.strip() for cell in cells]
            begins = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"Line {begins} of the {what} cannot be read as CSV ({error}): check its quotes and separators."
        ) from error


def check_length(number: int, line: Sequence[str], header: Sequence[str], what: str) -> None:
    """Check that a line has as many cells as the header.

    Raises:
        InputError: it has more or fewer.
    """
    if len(line) != len(header):
        raise InputError(
            f"Line {number} of the {what} should have {len(header)} cells as the header, found {len(line)}: "
            "put cells that hold the separator into quotes."
        )


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
        elif not _is_plain(column):
            _check_clinical_column(column)


def _is_plain(column: str) -> bool:
    """Return whether a column is known and neither of images nor clinical."""
    return column in _PLAIN_COLUMNS or outcome_of(column) is not None


def _check_clinical_column(column: str) -> None:
    try:
        variable_of(column)
    except InputError as error:
        raise InputError(
            f"The column '{column}' of the cohort table is neither {ID_COLUMN}, modality, {IMAGE_PREFIX}<phase>, "
            f"{MASK_PREFIX}<region>, an outcome nor a clinical variable; rename or remove it. {error}"
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
        if not _is_plain(column) and not column.startswith((IMAGE_PREFIX, MASK_PREFIX))
    }
    modality = cast("Modality | None", row["modality"].upper() if "modality" in row else None)
    return CaseFiles(row[ID_COLUMN], images, masks, clinical, modality)


def try_case_files(row: Mapping[str, str], root: Path) -> CaseFiles | HCCError:
    """Return the case's files, or the error that makes this one case fail and not the others."""
    try:
        return case_files(row, root)
    except HCCError as error:
        return error
