"""The feature columns of a training table, in a CSV file of their own as ``hcc cohort`` writes it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hccoutcome.clinical.entry import MISSING
from hccoutcome.cohort.finding import Finding, counted, listed, of_patients
from hccoutcome.cohort.table import ID_COLUMN, Line, check_length, read_lines
from hccoutcome.cohort.training_columns import is_ignored
from hccoutcome.errors import InputError
from hccoutcome.naming import parse_feature_name

_WHAT = "feature table"
_NOT_A_NUMBER = MISSING | {"nan"}
_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
"""Spreadsheets drop them: 001 becomes 1."""


def read_features(path: Path, ignore: Sequence[str] = ()) -> tuple[pd.DataFrame, list[Finding]]:
    """Read features.

    Args:
        path: CSV with the column ``case_id`` and one column a feature, named by the rule of ``hccoutcome.naming``;
            empty cells and ``nan`` are missing.
        ignore: columns to leave out; ``*`` stands for any text.

    Returns:
        One row a case, floats; and what is wrong or doubtful. Faulty cells are NaN and faulty columns left out.

    Raises:
        InputError: no such file, no CSV, no ``case_id`` column, a line of another length, a column or case that stands
            twice.
    """
    header, lines = read_lines(path, _WHAT)
    _check(header, lines)
    features, findings = _feature_columns(header, ignore)
    index = header.index(ID_COLUMN)
    positions = [header.index(name) for name in features]
    values = np.full((len(lines), len(features)), np.nan)
    faults: dict[str, list[tuple[str, str]]] = {}
    for row, (_, cells) in enumerate(lines):
        for column, position in enumerate(positions):
            try:
                values[row, column] = _value(cells[position])
            except ValueError:
                note = f"a feature is a finite number, found '{cells[position]}' in '{features[column]}': correct it."
                faults.setdefault(features[column], []).append((cells[index], note))
    for name, notes in faults.items():
        findings += of_patients(f"feature {name}", "refused", notes)
    cases = pd.Index([cells[index] for _, cells in lines], name=ID_COLUMN, dtype=object)
    return pd.DataFrame(values, index=cases, columns=features), findings


def _check(header: Sequence[str], lines: Sequence[Line]) -> None:
    if ID_COLUMN not in header:
        raise InputError(f"The {_WHAT} needs a column '{ID_COLUMN}', found {listed(header)}: add it.")
    for column, count in Counter(header).items():
        if count > 1:
            raise InputError(f"The {_WHAT} has the column '{column}' {count} times: keep one.")
    for number, cells in lines:
        check_length(number, cells, header, _WHAT)
    for case, count in Counter(cells[header.index(ID_COLUMN)] for _, cells in lines).items():
        if not case:
            raise InputError(f"A line of the {_WHAT} has no {ID_COLUMN}: name the case.")
        if count > 1:
            raise InputError(f"The case '{case}' stands {count} times in the {_WHAT}: keep one row a case.")


def _feature_columns(header: Sequence[str], ignore: Sequence[str]) -> tuple[list[str], list[Finding]]:
    features, wrong = [], []
    for name in header:
        if name == ID_COLUMN or is_ignored(name, ignore):
            continue
        try:
            parse_feature_name(name)
        except InputError as error:
            wrong.append((name, str(error)))
        else:
            features.append(name)
    if not wrong:
        return features, []
    names = listed([name for name, _ in wrong])
    note = f"{len(wrong)} columns are no features ({names}); leave them out with --ignore. The first: {wrong[0][1]}"
    return features, [Finding("features", "refused", note)]


def _value(text: str) -> float:
    """Return a cell's number, NaN where it is missing.

    Raises:
        ValueError: no number, or an infinite one.
    """
    if text.lower() in _NOT_A_NUMBER:
        return math.nan
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def join(cases: Sequence[str], features: pd.DataFrame) -> tuple[list[str], list[Finding]]:
    """Return the patients that have both a row in the table and features, and every mismatch.

    Args:
        cases: the patients of the table.
        features: as ``read_features`` returns them.

    Raises:
        InputError: no patient has both.
    """
    measured = set(features.index[features.notna().any(axis=1)])
    known = set(features.index)
    kept = [case for case in cases if case in measured]
    if not known.intersection(cases):
        alike = " ".join(item.note for item in _near_names(cases, list(features.index)))
        raise InputError(
            f"Table and features are joined by {ID_COLUMN}, found no case in both (the table begins with "
            f"'{cases[0]}', the features with '{features.index[0]}'): {alike or 'name the cases alike.'}"
        )
    if not kept:
        empty = Finding("features", "refused", "No patient of the table has a value of any feature: fill them in.")
        return [case for case in cases if case in known], [empty]
    findings = [
        *_left_out([case for case in cases if case not in known], "of the table without features"),
        *_left_out([case for case in cases if case in known - measured], "with a row of features that holds no value"),
        *_left_out([case for case in features.index if case not in set(cases)], "with features but not in the table"),
    ]
    near = _near_names([c for c in cases if c not in known], [c for c in features.index if c not in set(cases)])
    return kept, [*findings, *near, *_columns(features.loc[kept])]


def _left_out(cases: Sequence[str], why: str) -> list[Finding]:
    if not cases:
        return []
    return [Finding("features", "warning", f"{counted(len(cases), 'patient')} {why}, left out: {', '.join(cases)}.")]


def _near_names(of_table: Sequence[str], of_features: Sequence[str]) -> list[Finding]:
    """Return a fault for names that differ in case, spaces, punctuation or leading zeros only."""

    def bare(name: str) -> str:
        return _LEADING_ZEROS.sub("", "".join(filter(str.isalnum, name.lower())))

    others = {bare(name): name for name in of_features}
    pairs = [f"'{name}' and '{others[bare(name)]}'" for name in of_table if bare(name) in others]
    if not pairs:
        return []
    return [
        Finding("features", "refused", f"The same patient seems to be named {listed(pairs)}: name the cases alike.")
    ]


def _columns(features: pd.DataFrame) -> list[Finding]:
    counts = features.nunique()
    empty, constant = [str(name) for name in counts.index[counts == 0]], int((counts == 1).sum())
    findings = [
        Finding("features", "ok", f"{features.shape[1]} features of {len(features)} patients."),
    ]
    if empty:
        findings.append(Finding("features", "warning", f"{len(empty)} features hold no value: {listed(empty)}."))
    if constant:
        findings.append(Finding("features", "warning", f"{constant} features are the same in all patients."))
    twins = features.index[features.duplicated(keep=False)]
    if len(twins):
        note = (
            f"{len(twins)} patients have the same features as another ({listed(list(twins))}): keep one row a patient."
        )
        findings.append(Finding("features", "warning", note))
    return findings
