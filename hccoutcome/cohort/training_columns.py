"""What each column of a training table holds, by its name."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType

from hccoutcome.clinical.endpoints import (
    ENDPOINTS,
    EventColumn,
    OutcomeColumn,
    ResponseColumn,
    TimeColumn,
    known_outcomes,
    outcome_of,
)
from hccoutcome.clinical.entry import split_name, variable_of
from hccoutcome.clinical.indices import COMPOSITE, INDICES
from hccoutcome.clinical.variable import Variable
from hccoutcome.clinical.variables import NAMES, VARIABLES, plain
from hccoutcome.cohort.finding import Finding, listed
from hccoutcome.cohort.table import ID_COLUMN, IMAGE_PREFIX, MASK_PREFIX
from hccoutcome.errors import InputError

_OF_EXTRACTION = ("modality",)
_ALIKE = 0.75
"""Names less alike than this are no misspellings of each other."""
_INDEX_NAMES: Mapping[str, str] = MappingProxyType(
    {**{plain(name): name for name in INDICES}, **{plain(index.title): index.name for index in COMPOSITE.values()}}
)


@dataclass(frozen=True)
class Columns:
    """The columns of a training table by what they hold.

    Attributes:
        clinical: variable by column.
        responses: criterion and reader by column.
        times: column and unit by endpoint; the unit is None where it is stated nowhere.
        events: column by endpoint.
        ignored: columns that are left out: asked for, or of images and masks.
    """

    clinical: Mapping[str, Variable] = field(default_factory=dict)
    responses: Mapping[str, ResponseColumn] = field(default_factory=dict)
    times: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    events: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


def is_ignored(column: str, ignore: Iterable[str]) -> bool:
    """Return whether a column is to be left out; ``*`` stands for any text."""
    return any(fnmatchcase(column, pattern) for pattern in ignore)


def columns_of(
    header: Sequence[str], ignore: Sequence[str] = (), unit: str | None = None
) -> tuple[Columns, list[Finding]]:
    """Return what the columns hold, and what is wrong with their names.

    Args:
        header: the table's column names.
        ignore: columns to leave out; ``*`` stands for any text.
        unit: unit of the times whose column states none, a key of ``TIME_UNITS``.
    """
    findings = [
        Finding("table", "refused", f"The column '{column}' stands {count} times in the header: keep one.")
        for column, count in Counter(header).items()
        if count > 1
    ]
    findings += _unused(header, ignore)
    ignored = tuple(c for c in header if is_ignored(c, ignore) or _of_extraction(c))
    clinical: dict[str, Variable] = {}
    outcomes: dict[str, OutcomeColumn] = {}
    for column in header:
        if column == ID_COLUMN or column in ignored:
            continue
        outcome = outcome_of(column)
        if outcome is not None:
            outcomes[column] = outcome
            continue
        try:
            clinical[column] = _variable(column)
        except InputError as error:
            findings.append(Finding(f"column {column}", "refused", str(error)))
    findings += _twice({column: variable.name for column, variable in clinical.items()})
    findings += _twice(
        {c: str(o) if not isinstance(o, TimeColumn) else f"the time of {o.endpoint}" for c, o in outcomes.items()}
    )
    columns, more = _arranged(clinical, outcomes, ignored, unit)
    return columns, findings + more


def _of_extraction(column: str) -> bool:
    return column in _OF_EXTRACTION or column.startswith((IMAGE_PREFIX, MASK_PREFIX))


def _unused(header: Sequence[str], ignore: Sequence[str]) -> list[Finding]:
    """Return a doubt for every pattern that leaves nothing out: it may be misspelt."""
    return [
        Finding("table", "warning", f"No column is called '{pattern}', which is to be left out: check its spelling.")
        for pattern in ignore
        if "*" not in pattern and pattern not in header
    ]


def _variable(column: str) -> Variable:
    """Return the variable that a column holds.

    Raises:
        InputError: it is an index, which is computed, or no variable, or states a unit that the variable has not.
    """
    if not column:
        raise InputError("A column has no name: name or remove it.")
    word, bare = plain(column), plain(split_name(column)[0])
    # A name is compared without its punctuation, which would turn the change AFP% into AFP itself.
    index = _INDEX_NAMES.get(f"{word} change" if column.endswith("%") else word)
    if index:
        raise InputError(
            f"'{column}' is an index that is computed from {', '.join(INDICES[index].needs)}: give these columns, and "
            f"leave it out with --ignore '{column}'."
        )
    if (word not in NAMES and bare not in NAMES) or column.endswith("%"):
        raise InputError(_unknown(column, bare))
    return variable_of(column)[0]


def _unknown(column: str, bare: str) -> str:
    outcomes = {plain(name): name for name in known_outcomes()}
    near = difflib.get_close_matches(bare, {**outcomes, **NAMES}, n=1, cutoff=_ALIKE)
    if not near and bare.partition(" ")[0] in ENDPOINTS:
        near = difflib.get_close_matches(bare, outcomes, n=1, cutoff=0)
    name = {**outcomes, **NAMES}[near[0]] if near else ""
    hint = f"did you mean '{name}'{_title(name)}? Rename it" if name else "rename it"
    return (
        f"'{column}' is neither a clinical variable nor an outcome; {hint}, or leave it out with --ignore '{column}'."
    )


def _title(name: str) -> str:
    return f" ({VARIABLES[name].title})" if name in VARIABLES else ""


def _twice(meaning: Mapping[str, str]) -> list[Finding]:
    """Return a fault for every meaning that several columns have."""
    owners: dict[str, list[str]] = {}
    for column, name in meaning.items():
        owners.setdefault(name, []).append(column)
    return [
        Finding(f"column {columns[0]}", "refused", f"The columns {listed(columns)} all hold {name}: keep one.")
        for name, columns in owners.items()
        if len(columns) > 1
    ]


def _arranged(
    clinical: Mapping[str, Variable], outcomes: Mapping[str, OutcomeColumn], ignored: tuple[str, ...], unit: str | None
) -> tuple[Columns, list[Finding]]:
    times: dict[str, tuple[str, str]] = {}
    findings = []
    for column, outcome in outcomes.items():
        if isinstance(outcome, TimeColumn):
            stated = outcome.unit or unit
            if stated is None:
                findings.append(_no_unit(column, outcome.endpoint))
            else:
                times[outcome.endpoint] = (column, stated)
    events = {o.endpoint: column for column, o in outcomes.items() if isinstance(o, EventColumn)}
    timed = {o.endpoint for o in outcomes.values() if isinstance(o, TimeColumn)}
    findings += [_lonely(name, "a time", f"{name}_event") for name in timed - set(events)]
    findings += [_lonely(name, "events", f"{name}_months") for name in set(events) - timed]
    responses = {column: o for column, o in outcomes.items() if isinstance(o, ResponseColumn)}
    return Columns(clinical, responses, times, events, ignored), sorted(findings, key=lambda f: f.subject)


def _no_unit(column: str, endpoint: str) -> Finding:
    return Finding(
        f"column {column}",
        "refused",
        f"'{column}' states no unit: call it {endpoint}_days, {endpoint}_weeks, {endpoint}_months or {endpoint}_years, "
        "or give --time-unit.",
    )


def _lonely(endpoint: str, has: str, needs: str) -> Finding:
    return Finding(
        f"outcome {endpoint}",
        "refused",
        f"{ENDPOINTS[endpoint]} ({endpoint}) has {has} but no column '{needs}': add it, or leave the other out with "
        "--ignore.",
    )
