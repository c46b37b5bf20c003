"""The clinical record of one patient: from whatever a table or ``case.json`` holds to schema names and units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hccoutcome.clinical.agreement import contradictions
from hccoutcome.clinical.derive import derive
from hccoutcome.clinical.entry import Entry, amount, label, likely_unit, read_entry
from hccoutcome.clinical.variable import Variable
from hccoutcome.errors import InputError
from hccoutcome.status import QualityItem

__all__ = ["check_record", "derive", "parse_record"]

Record = dict[str, float | str]


def parse_record(raw: Mapping[str, Any]) -> Record:
    """Read a clinical record.

    Args:
        raw: by any name of a variable (``"AFP"``, ``"ALB (g/dL)"``): a number in the schema's unit, a text
            (``"400 ng/mL"``, ``"yes"``, ``"B"``), a truth value or ``{"value": ..., "unit": ...}``. Empty texts, None
            and ``"NA"`` mean that the value is not known.

    Returns:
        Value by schema name: numbers in the schema's unit, 0.0 or 1.0 for yes-or-no variables, the category's text
        for coded ones. What is not known is left out.

    Raises:
        InputError: the first entry that cannot be what its variable holds; ``check_record`` lists them all.
    """
    _check_mapping(raw)
    record: Record = {}
    written: dict[str, str] = {}
    for name, content in raw.items():
        entry = read_entry(name, content)
        if entry is not None:
            _add(record, written, str(name), entry)
    return record


def _check_mapping(raw: Any) -> None:
    if not isinstance(raw, Mapping):
        raise InputError(
            f"A clinical record is an object of names and values, found {type(raw).__name__}: "
            'write it as {"age": 61, "afp": {"value": 400, "unit": "ng/mL"}}.'
        )


def check_record(raw: Mapping[str, Any]) -> tuple[QualityItem, ...]:
    """List every entry of a clinical record with its verdict, and every contradiction between entries.

    Nothing is raised for an entry: what ``parse_record`` would refuse has the status ``"refused"``, what is possible
    but not typical of a patient with hepatocellular carcinoma ``"warning"``.
    """
    _check_mapping(raw)
    record: Record = {}
    written: dict[str, str] = {}
    items: list[QualityItem] = []
    for name, content in raw.items():
        try:
            entry = read_entry(name, content)
            if entry is not None:
                _add(record, written, str(name), entry)
                items.append(judge(entry))
        except InputError as error:
            items.append(QualityItem(f"clinical {name}", "value", _shown(content), "", "refused", str(error)))
    return (*items, *_contradictions(record))


def _add(record: Record, written: dict[str, str], name: str, entry: Entry) -> None:
    key = entry.variable.name
    if key in record and not _same(record[key], entry.value):
        raise InputError(
            f"{label(entry.variable)} is given twice, as '{written[key]}' and as '{name}', with the different values "
            f"{_shown(record[key])} and {_shown(entry.value)}: keep one."
        )
    record.setdefault(key, entry.value)
    written.setdefault(key, name)


def _same(one: float | str, other: float | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return math.isclose(one, other, rel_tol=1e-9)


def judge(entry: Entry) -> QualityItem:
    """Return one entry with its verdict: a warning where it is possible but not typical."""
    variable = entry.variable
    found = entry.value if isinstance(entry.value, str) else amount(entry.value, variable.unit)
    subject, expected = f"clinical {variable.name}", expected_values(variable)
    if isinstance(entry.value, str) or variable.typical[0] <= entry.value <= variable.typical[1]:
        return QualityItem(subject, "value", found, expected)
    unit = likely_unit(variable, entry.value, variable.unit)
    doubt = f"it may be in {unit}: " if unit else ""
    note = f"{label(variable)} is unusual, {found} where {expected} is typical; {doubt}check the value and its unit."
    return QualityItem(subject, "value", found, expected, "warning", note)


def expected_values(variable: Variable) -> str:
    """Return what is typical of a variable, in words: ``"18 to 55 g/L"``, ``"A, B, C"``, ``"0 or 1"``."""
    if variable.kind == "category":
        return ", ".join(code.value for code in variable.codes)
    if variable.kind == "binary":
        return "0 or 1"
    low, high = variable.typical
    return f"{low:g} to {amount(high, variable.unit)}"


def _contradictions(record: Record) -> list[QualityItem]:
    return [
        QualityItem(
            f"clinical {conflict.name}", "agreement", conflict.found, conflict.expected, "warning", conflict.note
        )
        for conflict in contradictions(record)
    ]


def _shown(content: Any) -> str:
    return f"{content:g}" if isinstance(content, float) else str(content)
