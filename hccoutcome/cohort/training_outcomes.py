"""The outcome columns of a training table: response by criterion and reader, survival in months by endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hccoutcome.clinical.endpoints import (
    ENDPOINTS,
    ResponseColumn,
    as_survival,
    read_category,
    read_event,
    read_months,
    responds,
)
from hccoutcome.cohort.finding import Finding, counted, of_patients
from hccoutcome.cohort.training_columns import Columns
from hccoutcome.errors import InputError

Cells = Mapping[str, Mapping[str, str]]
Value = TypeVar("Value")
Notes = list[tuple[str, str]]

FEW = 10
"""With fewer events, or fewer patients of the rarer response, no model can be told from chance."""
_LONG_MEDIAN, _SHORT_MEDIAN = 180.0, 0.5
_TOLERANCE = 0.1
"""Months by which two dates of one day may differ, rounding of weeks or months included."""


@dataclass(frozen=True)
class Outcomes:
    """What became of the patients.

    Attributes:
        categories: CR, PR, SD, PD or None of every patient, by criterion and reader.
        survival: shape (patients,), ``(event, time in months)`` with time NaN where not known, by endpoint.
    """

    categories: Mapping[ResponseColumn, tuple[str | None, ...]]
    survival: Mapping[str, NDArray[np.void]]


def read_outcomes(cells: Cells, columns: Columns) -> tuple[Outcomes, list[Finding]]:
    """Read the outcome columns.

    Args:
        cells: text by patient and column.
        columns: what the columns hold.

    Returns:
        The outcomes, and what is wrong or doubtful.
    """
    findings: list[Finding] = []
    categories = {}
    for column, outcome in columns.responses.items():
        categories[outcome], faults = _each(cells, column, partial(read_category, outcome.criterion))
        findings += of_patients(f"column {column}", "refused", faults)
        findings += _response_facts(outcome, categories[outcome])
    survival = {}
    for endpoint in (name for name in ENDPOINTS if name in columns.times and name in columns.events):
        survival[endpoint], more = _endpoint(cells, columns, endpoint)
        findings += more
        findings += _survival_facts(endpoint, survival[endpoint])
    findings += _impossible_orders(tuple(cells), survival)
    return Outcomes(categories, survival), findings


def _each(cells: Cells, column: str, read: Callable[[str], Value | None]) -> tuple[tuple[Value | None, ...], Notes]:
    values, faults = [], []
    for case, row in cells.items():
        try:
            values.append(read(row.get(column, "")))
        except InputError as error:
            values.append(None)
            faults.append((case, str(error)))
    return tuple(values), faults


def _endpoint(cells: Cells, columns: Columns, endpoint: str) -> tuple[NDArray[np.void], list[Finding]]:
    (time_column, unit), event_column = columns.times[endpoint], columns.events[endpoint]
    months, wrong_times = _each(cells, time_column, lambda text: read_months(endpoint, text, unit))
    events, wrong_events = _each(cells, event_column, lambda text: read_event(endpoint, text))
    faulty = {case for case, _ in (*wrong_times, *wrong_events)}
    halves = [
        (case, _half(endpoint, time_column, event_column, month is None))
        for case, month, event in zip(cells, months, events, strict=True)
        if (month is None) != (event is None) and case not in faulty
    ]
    findings = [
        *of_patients(f"column {time_column}", "refused", wrong_times),
        *of_patients(f"column {event_column}", "refused", wrong_events),
        *of_patients(f"outcome {endpoint}", "refused", halves),
    ]
    known = [month is not None and event is not None for month, event in zip(months, events, strict=True)]
    time = np.array([month if is_known else np.nan for month, is_known in zip(months, known, strict=True)], float)
    happened = np.array([bool(event) and is_known for event, is_known in zip(events, known, strict=True)], bool)
    return as_survival(happened, time), findings


def _half(endpoint: str, time_column: str, event_column: str, lacks_time: bool) -> str:
    has, lacks = (event_column, time_column) if lacks_time else (time_column, event_column)
    return (
        f"{ENDPOINTS[endpoint]} ({endpoint}) needs time and event, found '{has}' without '{lacks}': fill it in, or "
        "empty both."
    )


def _response_facts(outcome: ResponseColumn, categories: tuple[str | None, ...]) -> Iterator[Finding]:
    known = [item for item in categories if item is not None]
    responders = sum(map(responds, known))
    others = len(known) - responders
    subject = f"outcome {outcome}"
    yield Finding(subject, "ok", f"{counted(responders, 'responder')} among {_among(known, categories)}.")
    if min(responders, others) < FEW:
        note = (
            f"{counted(responders, 'responder')} and {counted(others, 'non-responder')}: too few to train on, {FEW} of"
        )
        yield Finding(subject, "warning", f"{note} each are the least.")


def _survival_facts(endpoint: str, outcome: NDArray[np.void]) -> Iterator[Finding]:
    known = outcome[~np.isnan(outcome["time"])]
    events = int(known["event"].sum())
    subject = f"outcome {endpoint}"
    if len(known) == 0:
        yield Finding(subject, "warning", f"{ENDPOINTS[endpoint]} ({endpoint}) is known of no patient: fill it in.")
        return
    low, median, high = np.quantile(known["time"], (0.0, 0.5, 1.0))
    times = f"times from {low:.3g} to {high:.4g} months, median {median:.3g}"
    yield Finding(subject, "ok", f"{counted(events, 'event')} among {_among(known, outcome)}; {times}.")
    if events < FEW:
        yield Finding(subject, "warning", f"{counted(events, 'event')}: too few to train on, {FEW} are the least.")
    if not _SHORT_MEDIAN <= median <= _LONG_MEDIAN:
        yield Finding(subject, "warning", f"The median time is {median:.3g} months, which is unusual: check the unit.")
    zeros = int((known["time"] == 0).sum())
    if zeros:
        note = f"{counted(zeros, 'patient')} with a time of 0: check whether the follow-up is known."
        yield Finding(subject, "warning", note)


def _among(known: Sized, everyone: Sized) -> str:
    lost = len(everyone) - len(known)
    return counted(len(known), "patient") + (f", not known of {lost} more" if lost else "")


def _impossible_orders(cases: tuple[str, ...], survival: Mapping[str, NDArray[np.void]]) -> list[Finding]:
    """Return the contradictions between overall survival and the times to progression."""
    findings: list[Finding] = []
    if "os" not in survival:
        return findings
    overall = survival["os"]
    for endpoint in (name for name in ("pfs", "ttp") if name in survival):
        other = survival[endpoint]
        # A comparison with NaN is False.
        later = other["time"] > overall["time"] + _TOLERANCE
        findings += of_patients(
            f"outcome {endpoint}",
            "warning",
            [(cases[i], _later(endpoint, other["time"][i], overall["time"][i])) for i in np.flatnonzero(later)],
        )
        if endpoint == "pfs":
            missed = overall["event"] & ~other["event"] & (other["time"] >= overall["time"] - _TOLERANCE) & ~later
            note = "death is an event of progression-free survival, found the time of death censored: set pfs_event."
            findings += of_patients("outcome pfs", "warning", [(cases[i], note) for i in np.flatnonzero(missed)])
    return findings


def _later(endpoint: str, time: float, overall: float) -> str:
    return (
        f"{ENDPOINTS[endpoint]} ({endpoint}, {time:.3g} months) is longer than overall survival ({overall:.3g} "
        "months): check both."
    )
