"""The clinical columns of a training table: read by the schema, completed, and checked as a whole column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hccoutcome.clinical.agreement import contradictions
from hccoutcome.clinical.complete import complete
from hccoutcome.clinical.derive import SOURCES
from hccoutcome.clinical.entry import Entry, amount, is_missing, likely_unit, read_entry, split_name
from hccoutcome.clinical.indices import INDICES, composite_indices
from hccoutcome.clinical.record import judge
from hccoutcome.clinical.units import factor
from hccoutcome.clinical.variable import Variable
from hccoutcome.clinical.variables import VARIABLES
from hccoutcome.cohort.finding import Finding, of_patients
from hccoutcome.errors import InputError

Cells = Mapping[str, Mapping[str, str]]
"""Cell by patient and column."""
Record = dict[str, float | str]

_SUSPICIOUS_SHARE = 0.5
"""A column of which more than this share is outside the typical range is probably in another unit."""


@dataclass(frozen=True)
class Records:
    """The clinical record of every patient, as given and completed by what follows from it."""

    given: Mapping[str, Record]
    full: Mapping[str, Record]


def read_records(cells: Cells, columns: Mapping[str, Variable]) -> tuple[Records, list[Finding]]:
    """Read the clinical columns.

    Args:
        cells: text by patient and column.
        columns: variable by column.

    Returns:
        The records, without the entries that cannot be; and what is wrong or doubtful.
    """
    given: dict[str, Record] = {case: {} for case in cells}
    findings: list[Finding] = []
    for column, variable in columns.items():
        entries, faults = _read_column(cells, column)
        for case, entry in entries.items():
            given[case][variable.name] = entry.value
        unit = _unit_doubt(column, variable, [row.get(column, "") for row in cells.values()])
        findings += _empty(column, entries, faults)
        if unit is not None:
            # The wrong unit explains the numbers; what is no number stays a fault of its own.
            faults = [(case, note) for case, note in faults if _number(cells[case].get(column, "")) is None]
        findings += of_patients(f"column {column}", "refused", faults)
        findings += [unit] if unit is not None else of_patients(f"column {column}", "warning", _untypical(entries))
    findings += _conflicts(given)
    return Records(given, {case: complete(record).record for case, record in given.items()}), findings


def _read_column(cells: Cells, column: str) -> tuple[dict[str, Entry], list[tuple[str, str]]]:
    entries: dict[str, Entry] = {}
    faults: list[tuple[str, str]] = []
    for case, row in cells.items():
        try:
            entry = read_entry(column, row.get(column))
        except InputError as error:
            faults.append((case, str(error)))
            continue
        if entry is not None:
            entries[case] = entry
    return entries, faults


def _untypical(entries: Mapping[str, Entry]) -> list[tuple[str, str]]:
    judged = {case: judge(entry) for case, entry in entries.items()}
    return [(case, item.note) for case, item in judged.items() if item.status != "ok"]


def _empty(column: str, entries: Mapping[str, Entry], faults: Sequence[object]) -> list[Finding]:
    if entries or faults:
        return []
    return [Finding(f"column {column}", "warning", f"'{column}' holds no value and is left out: fill or remove it.")]


def _unit_doubt(column: str, variable: Variable, texts: Iterable[str]) -> Finding | None:
    """Return the suspicion that a whole column is in another unit, None where there is none."""
    numbers = [number for number in map(_number, texts) if number is not None]
    if variable.kind != "number" or len(variable.units) < 2 or len(numbers) < 2:
        return None
    name, stated = split_name(column)
    scale = factor(stated or variable.unit, variable.units) or 1.0
    low, high = variable.typical
    outside = [number for number in numbers if not low <= number * scale <= high]
    unit = likely_unit(variable, float(np.median(numbers)), stated or variable.unit)
    if unit is None or len(outside) <= _SUSPICIOUS_SHARE * len(numbers):
        return None
    sentence = (
        f"{len(outside)} of {len(numbers)} values of '{column}' are unusual in {stated or variable.unit} (typical: "
        f"{low:g} to {amount(high, variable.unit)}) and would be usual in {unit}"
    )
    if stated:
        return Finding(f"column {column}", "warning", f"{sentence}: check the unit.")
    return Finding(
        f"column {column}",
        "refused",
        f"{sentence}: call the column '{name} ({unit})', or '{name} ({variable.unit})' if that is true.",
    )


def _number(text: str) -> float | None:
    try:
        return None if is_missing(text) else float(text)
    except ValueError:
        return None


def _conflicts(given: Mapping[str, Record]) -> list[Finding]:
    """Return the contradictions between the entries of a patient, those about one variable together."""
    notes: dict[str, list[tuple[str, str]]] = {}
    for case, record in given.items():
        for conflict in contradictions(record):
            notes.setdefault(conflict.name, []).append((case, conflict.note))
    return [finding for name, found in notes.items() for finding in of_patients(f"variable {name}", "warning", found)]


def clinical_frame(records: Records, cases: Sequence[str]) -> pd.DataFrame:
    """Return the clinical variables and indices of patients as a table.

    A variable that no record states becomes a column where the table has all that decides it: were only the presence
    of a disease to follow from the others, all known values would be alike.

    Args:
        records: of at least these patients.
        cases: the patients.

    Returns:
        One row a patient. Columns in the order of the schema, then of the indices, those that at least one patient has;
        numbers as floats with NaN, categories as text with None where not known.
    """
    full = [records.full[case] for case in cases]
    names = _decided({name for case in cases for name in records.given[case]})
    indices = [composite_indices(record) for record in full]
    computed = {name for row in indices for name in row}
    columns = {
        **{name: _column([row.get(name) for row in full], name) for name in VARIABLES if name in names},
        **{name: _column([row.get(name) for row in indices], name) for name in INDICES if name in computed},
    }
    return pd.DataFrame(columns, index=pd.Index(list(cases), name="case_id", dtype=object))


def _decided(given: set[str]) -> set[str]:
    names = set(given)
    for name, sources in SOURCES.items():
        if names.issuperset(sources):
            names.add(name)
    return names


def _column(values: Sequence[float | str | None], name: str) -> np.ndarray:
    if name in VARIABLES and VARIABLES[name].kind == "category":
        return np.array(values, dtype=object)
    return np.array([np.nan if value is None else float(value) for value in values])
