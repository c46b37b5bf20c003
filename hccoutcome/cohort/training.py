"""The training table: patients with their clinical variables, features and outcomes, ready to learn from.

A training table is a CSV file with one row a patient: ``case_id``, clinical variables by any of their names (another
unit in brackets), outcomes (see ``hccoutcome.clinical.endpoints``). Columns of images and masks may stand in it, so
that the table of ``hcc cohort`` serves both. Features come in a second file, joined by ``case_id``.

What is missing stays missing: it is imputed where a model is fitted, inside the fold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from hccoutcome.clinical.endpoints import TIME_UNITS
from hccoutcome.cohort.finding import Finding, listed
from hccoutcome.cohort.table import ID_COLUMN, check_length, read_lines
from hccoutcome.cohort.training_cohort import Filling, TrainingCohort
from hccoutcome.cohort.training_columns import Columns, columns_of
from hccoutcome.cohort.training_features import join, read_features
from hccoutcome.cohort.training_outcomes import read_outcomes
from hccoutcome.cohort.training_records import Cells, clinical_frame, read_records
from hccoutcome.errors import InputError, nearest
from hccoutcome.files import sha256_of

__all__ = ["Filling", "Finding", "TrainingCohort", "inspect_training_table", "read_training_table"]

_WHAT = "training table"
_SAME_ROWS = "are the same: keep one if they are one patient."
_ROW_WORTH_COMPARING = 5
"""Two patients who agree in this many cells, and in all of them, are probably one."""
_MANY_MISSING = 0.5


def read_training_table(
    path: Path, features: Path | None = None, *, ignore: Sequence[str] = (), time_unit: str | None = None
) -> TrainingCohort:
    """Read a table to learn from.

    Args:
        path: CSV with one row a patient.
        features: CSV with ``case_id`` and features, as ``hcc cohort`` writes it; patients without features are left
            out, and said so in ``findings``.
        ignore: columns of either file to leave out; ``*`` stands for any text.
        time_unit: unit of the times whose column states none: ``"days"``, ``"weeks"``, ``"months"`` or ``"years"``.

    Raises:
        InputError: anything that keeps the table from being used; the first such finding, and how many more there are.
    """
    cohort, findings = inspect_training_table(path, features, ignore=ignore, time_unit=time_unit)
    faults = [finding for finding in findings if finding.status == "refused"]
    if faults:
        first = faults[0]
        more = f" {len(faults) - 1} more are listed by: hcc table check {path.name}" if len(faults) > 1 else ""
        raise InputError(f"{path.name}, {first.subject}: {first.note}{more}")
    return replace(cohort, findings=tuple(findings))


def inspect_training_table(
    path: Path, features: Path | None = None, *, ignore: Sequence[str] = (), time_unit: str | None = None
) -> tuple[TrainingCohort, list[Finding]]:
    """Read a table and say everything that is wrong, doubtful or worth knowing.

    Args:
        path, features, ignore, time_unit: see ``read_training_table``.

    Returns:
        The cohort, as far as it could be read, and the findings.

    Raises:
        InputError: a file cannot be read as a table at all, or table and features have no patient in common.
    """
    if time_unit is not None and time_unit not in TIME_UNITS:
        raise InputError(f"'{time_unit}' is not a unit of time; {nearest(time_unit, TIME_UNITS)}.")
    header, lines = read_lines(path, _WHAT)
    if ID_COLUMN not in header:
        raise InputError(f"A {_WHAT} needs a column '{ID_COLUMN}', found {listed(header)}: add it.")
    for number, line in lines:
        check_length(number, line, header, _WHAT)
    measured, findings = (None, []) if features is None else read_features(features, ignore)
    of_features = () if measured is None else [name for name in ignore if name not in header]
    columns, wrong_names = columns_of(header, [name for name in ignore if name not in of_features], time_unit)
    cells, wrong_rows = _rows(header, lines, columns)
    cohort, in_cells = _cohort(cells, columns, measured)
    sources = {file.name: sha256_of(file) for file in (path, features) if file is not None}
    return replace(cohort, sources=sources), [*wrong_names, *wrong_rows, *findings, *in_cells]


def _rows(
    header: Sequence[str], lines: Sequence[tuple[int, list[str]]], columns: Columns
) -> tuple[dict[str, dict[str, str]], list[Finding]]:
    """Return the cells by case and column, and the rows without a name, that stand twice or look like another."""
    index = header.index(ID_COLUMN)
    nameless = [number for number, line in lines if not line[index]]
    findings = [Finding("table", "refused", f"Line {n} has no {ID_COLUMN}: name the case.") for n in nameless]
    named = [line for _, line in lines if line[index]]
    written = {line[index].lower(): line[index] for line in reversed(named)}
    for lower, count in Counter(line[index].lower() for line in named).items():
        if count > 1:
            case = written[lower]
            findings.append(
                Finding(f"patient {case}", "refused", f"'{case}' stands {count} times: keep one row a case.")
            )
    rows = {line[index]: dict(zip(header, line, strict=True)) for line in named}
    return rows, [*findings, *_twins(rows, columns)]


def doubts_of_folds(cohort: TrainingCohort) -> tuple[str, ...]:
    """Return why a cross-validation of a cohort may flatter, one sentence each; none names a patient."""
    found = sum(item.note.endswith(_SAME_ROWS) for item in cohort.findings)
    if not found:
        return ()
    rows = "One row stands" if found == 1 else f"{found} rows stand"
    return (
        f"{rows} in the table under more than one name: where that is one patient, folds learn from what they are "
        "judged by, and every figure of a cross-validation flatters; 'hcc table check' names them.",
    )


def _twins(rows: Mapping[str, Mapping[str, str]], columns: Columns) -> list[Finding]:
    """Return a doubt for patients whose rows agree in every cell: a patient under two names leaks between folds."""
    compared = [*columns.clinical, *columns.responses, *columns.events.values()]
    compared += [column for column, _ in columns.times.values()]
    groups: dict[tuple[str, ...], list[str]] = {}
    for case, row in rows.items():
        groups.setdefault(tuple(row[column] for column in compared), []).append(case)
    return [
        Finding("table", "warning", f"The rows of {listed(cases)} {_SAME_ROWS}")
        for key, cases in groups.items()
        if len(cases) > 1 and sum(map(bool, key)) >= _ROW_WORTH_COMPARING
    ]


def _cohort(cells: Cells, columns: Columns, measured: pd.DataFrame | None) -> tuple[TrainingCohort, list[Finding]]:
    records, findings = read_records(cells, columns.clinical)
    kept = list(cells)
    if measured is not None:
        kept, mismatches = join(kept, measured)
        findings += mismatches
    table = clinical_frame(records, kept)
    if measured is not None:
        table = pd.concat([table, measured.loc[kept]], axis=1).rename_axis(index=ID_COLUMN)
    outcomes, of_outcomes = read_outcomes({case: cells[case] for case in kept}, columns)
    if not (columns.responses or columns.times or columns.events):
        note = "The table has no outcome to learn from: add mrecist, recist or os_months with os_event, for example."
        of_outcomes.append(Finding("table", "warning", note))
    cohort = TrainingCohort(table, outcomes.categories, outcomes.survival, {c: records.full[c] for c in kept})
    return cohort, [*findings, *_often_missing(cohort), *of_outcomes]


def _often_missing(cohort: TrainingCohort) -> list[Finding]:
    return [
        Finding(
            f"variable {item.name}",
            "warning",
            f"{item.missing} of {item.known + item.missing} patients lack '{item.name}': what is imputed for them "
            "would outweigh what was measured.",
        )
        for item in cohort.fillings
        if item.kind != "imaging" and item.missing > _MANY_MISSING * (item.known + item.missing)
    ]
