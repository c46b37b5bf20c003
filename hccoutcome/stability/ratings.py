"""Repeated feature tables: from CSV files with one row a subject and rater to an array of ratings."""

from __future__ import annotations

import csv
import difflib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hccoutcome.errors import InputError

_MISSING = {"", "na", "nan", "none", "null", "n/a"}


@dataclass(frozen=True)
class Ratings:
    """Features of subjects, each measured by several raters (readers, repeats, perturbations).

    Attributes:
        subjects, raters, features: the names along each axis.
        values: shape (subjects, raters, features), NaN where missing.
        missing_pairs: subjects and raters without a row.
    """

    subjects: tuple[str, ...]
    raters: tuple[str, ...]
    features: tuple[str, ...]
    values: NDArray[np.float64]
    missing_pairs: tuple[tuple[str, str], ...] = ()


def read_ratings(paths: Sequence[Path], subject: str, rater: str, ignore: Sequence[str] = ()) -> Ratings:
    """Read one or several tables of features with a row for each subject and rater.

    Args:
        paths: CSV files in UTF-8 with equal columns, separated by comma, semicolon or tab.
        subject: column that names the subject.
        rater: column that names the rater or repeat.
        ignore: other columns that are no features; ``*`` stands for any text, as in ``diagnostics_*``.

    Raises:
        InputError: no such file or column, columns that differ, no feature, a cell that is no number, a pair that
            stands twice.
    """
    header, rows = _rows(paths)
    for column in (subject, rater):
        if column not in header:
            raise InputError(f"The table has no column '{column}'; {_likely(column, header)}.")
    if subject == rater:
        raise InputError(f"Subject and rater are two columns, found '{subject}' for both: name another.")
    features = [name for name in header if name not in (subject, rater) and not _matches(name, ignore)]
    if not features:
        raise InputError("The table holds no feature beside the columns of subject, rater and ignored ones: add one.")
    return ratings_of(
        [
            (row[subject], row[rater], {name: _number(row[name], name, where) for name in features})
            for where, row in rows
        ]
    )


def ratings_of(rows: Sequence[tuple[str, str, Mapping[str, float]]]) -> Ratings:
    """Return ratings from rows of subject, rater and features; a feature that a row lacks is missing.

    Raises:
        InputError: a subject or rater without a name, a pair that stands twice.
    """
    for (subject, rater), count in Counter((subject, rater) for subject, rater, _ in rows).items():
        if not subject or not rater:
            raise InputError(f"Every row names its subject and rater, found '{subject}' and '{rater}': fill them in.")
        if count > 1:
            raise InputError(f"Subject '{subject}' by rater '{rater}' stands {count} times: keep one row of each pair.")
    subjects = tuple(dict.fromkeys(subject for subject, _, _ in rows))
    raters = tuple(dict.fromkeys(rater for _, rater, _ in rows))
    features = tuple(dict.fromkeys(name for row in rows for name in row[2]))
    values = np.full((len(subjects), len(raters), len(features)), np.nan)
    place = [{name: index for index, name in enumerate(names)} for names in (subjects, raters)]
    for subject, rater, found in rows:
        values[place[0][subject], place[1][rater]] = [found.get(name, np.nan) for name in features]
    present = {(subject, rater) for subject, rater, _ in rows}
    missing = tuple((s, r) for s in subjects for r in raters if (s, r) not in present)
    return Ratings(subjects, raters, features, values, missing)


def renamed(ratings: Ratings, prefix: str) -> Ratings:
    """Return ratings with a prefix before each feature's name, ``portal_tumor_`` for instance."""
    return replace(ratings, features=tuple(prefix + name for name in ratings.features))


def _rows(paths: Sequence[Path]) -> tuple[list[str], list[tuple[str, dict[str, str]]]]:
    """Return the header and all rows with where they stand."""
    first: list[str] = []
    rows = []
    for path in paths:
        header, lines = _read(path)
        first = first or header
        if header != first:
            odd = set(header) ^ set(first)
            raise InputError(
                f"Tables of one study have the same columns in one order, found '{path.name}' to differ"
                f"{' in ' + ', '.join(sorted(odd)[:3]) if odd else ' in their order'}: extract them with one setting."
            )
        rows += [(f"line {number} of '{path.name}'", dict(zip(header, line, strict=True))) for number, line in lines]
    return first, rows


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"The table '{path.name}' cannot be read: {reason}; give a CSV file in UTF-8.") from error
    separator = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(text.splitlines(), delimiter=separator)
    lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader]
    lines = [(number, line) for number, line in lines if any(line)]
    if len(lines) < 2:
        raise InputError(f"A table has a header and at least one row, found {len(lines)} lines in '{path.name}'.")
    header = lines[0][1]
    for column, count in Counter(header).items():
        if count > 1 or not column:
            raise InputError(f"The columns of '{path.name}' have each a name, found '{column}' {count} times: rename.")
    for number, line in lines[1:]:
        if len(line) != len(header):
            raise InputError(
                f"Line {number} of '{path.name}' should have {len(header)} cells as the header, found {len(line)}: "
                "put cells that hold the separator into quotes."
            )
    return header, lines[1:]


def _likely(column: str, header: Sequence[str]) -> str:
    """Return which column may be meant; a feature table has too many to list."""
    close = difflib.get_close_matches(column, header, n=1)
    first = ", ".join(header[:5]) + (f" and {len(header) - 5} more" if len(header) > 5 else "")
    return (f"did you mean '{close[0]}'? " if close else "") + f"It has {first}"


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _number(cell: str, column: str, where: str) -> float:
    if cell.lower() in _MISSING:
        return np.nan
    try:
        value = float(cell)
        if not math.isfinite(value):
            raise ValueError(cell)
        return value
    except ValueError:
        raise InputError(
            f"A feature is a finite number, found '{cell}' in column '{column}', {where}: correct it, or leave the "
            f"column out with --ignore {column}."
        ) from None
