"""Outcomes: response by RECIST and its kin, and times to death or progression, as a table's columns hold them.

A column says by its name what it holds: ``mrecist_reader1`` the category by mRECIST that reader 1 gave, ``os_weeks``
the time in weeks, ``os_event`` whether death was observed. Nothing is guessed: a time whose unit is stated nowhere is
refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from hccoutcome.clinical.entry import MISSING
from hccoutcome.clinical.variables import plain
from hccoutcome.errors import InputError, nearest

__all__ = [
    "CATEGORIES",
    "CRITERIA",
    "DAYS_PER_MONTH",
    "ENDPOINTS",
    "ONE_YEAR",
    "SURVIVAL_TYPE",
    "TIME_UNITS",
    "YEAR",
    "EventColumn",
    "ResponseColumn",
    "TimeColumn",
    "as_survival",
    "known_outcomes",
    "outcome_of",
    "read_category",
    "read_event",
    "read_months",
    "responds",
    "survived",
    "time_unit",
]

DAYS_PER_MONTH = 30.4375
"""One month is a twelfth of 365.25 days."""

CATEGORIES = ("CR", "PR", "SD", "PD")
"""Complete response, partial response, stable disease, progressive disease; coded 1 to 4 in this order."""

RESPONDER = "responder"
CRITERIA: Mapping[str, str] = MappingProxyType(
    {
        "recist": "RECIST",
        "recist1.1": "RECIST 1.1",
        "mrecist": "mRECIST",
        RESPONDER: "Objective response (CR or PR), by a criterion that the table does not name",
    }
)
"""Title of each response criterion by the name of its column."""

ENDPOINTS: Mapping[str, str] = MappingProxyType(
    {"os": "Overall survival", "pfs": "Progression-free survival", "ttp": "Time to progression"}
)
"""Title of each endpoint by its name."""

ONE_YEAR = "survival-1y"
"""Name of the endpoint of being alive a year after treatment, which is predicted as a response is."""
YEAR = 12.0

TIME_UNITS: Mapping[str, float] = MappingProxyType(
    {"days": 1 / DAYS_PER_MONTH, "weeks": 7 / DAYS_PER_MONTH, "months": 1.0, "years": 365.25 / DAYS_PER_MONTH}
)
"""Months that one unit of time is worth."""

LONGEST_MONTHS = 600.0
"""No patient with hepatocellular carcinoma is followed for longer: such a time is a mistake in its unit."""

SURVIVAL_TYPE = np.dtype([("event", bool), ("time", float)])
"""Type of survival outcomes, that of scikit-survival; times in months."""

_UNIT_WORDS = MappingProxyType(
    {
        **{word: "days" for word in ("d", "day", "days")},
        **{word: "weeks" for word in ("w", "wk", "wks", "week", "weeks")},
        **{word: "months" for word in ("mo", "mos", "mth", "month", "months")},
        **{word: "years" for word in ("y", "yr", "yrs", "year", "years")},
    }
)
_CATEGORY_WORDS = MappingProxyType(
    {
        **{word: "CR" for word in ("cr", "1", "complete response", "complete remission", "complete")},
        **{word: "PR" for word in ("pr", "2", "partial response", "partial remission", "partial")},
        **{word: "SD" for word in ("sd", "3", "stable disease", "stable")},
        **{word: "PD" for word in ("pd", "4", "progressive disease", "progression", "progressive")},
    }
)
_NOT_EVALUABLE = frozenset({"ne", "not evaluable", "not evaluated", "inevaluable", "not assessed"})
_YES = frozenset({"1", "yes", "y", "true"})
_NO = frozenset({"0", "no", "n", "false"})
_HAPPENED = _YES | {"event", "dead", "died", "deceased", "progressed", "progression"}
_CENSORED = _NO | {"censored", "alive", "living", "not progressed", "no progression", "no event"}

_CRITERION = (
    r"(?P<criterion>(?:m|modified )recist|recist(?: v(?:ersion)?)? ?1 ?1|recist|responder|objective response)"
    r"(?: (?:response|category))?"
)
_RESPONSE_NAME = re.compile(rf"^{_CRITERION}(?: (?:by )?reader ?(?P<reader>\w+))?$")
_ENDPOINT = r"(?P<endpoint>os|overall survival|pfs|progression free survival|ttp|time to progression)"
_TIME_NAME = re.compile(rf"^{_ENDPOINT}(?: time)?(?: in)?(?: (?P<unit>{'|'.join(_UNIT_WORDS)}))?$")
_EVENT_NAME = re.compile(rf"^(?:{_ENDPOINT} (?:event|status)|(?P<death>death))$")
_LONG_NAMES = {title.lower().replace("-", " "): name for name, title in ENDPOINTS.items()}


@dataclass(frozen=True)
class ResponseColumn:
    """A column of response categories: the criterion, and the reader who gave them (empty where there is one)."""

    criterion: str
    reader: str = ""

    def __str__(self) -> str:
        return f"{self.criterion}_reader{self.reader}" if self.reader else self.criterion


@dataclass(frozen=True)
class TimeColumn:
    """A column of times: the endpoint, and the unit that its name states, None where it states none."""

    endpoint: str
    unit: str | None = None

    def __str__(self) -> str:
        return f"{self.endpoint}_{self.unit or 'time'}"


@dataclass(frozen=True)
class EventColumn:
    """A column that says whether the endpoint's event was observed (1) or the time is censored (0)."""

    endpoint: str

    def __str__(self) -> str:
        return f"{self.endpoint}_event"


OutcomeColumn = ResponseColumn | TimeColumn | EventColumn


def outcome_of(name: str) -> OutcomeColumn | None:
    """Return the outcome that a column holds by its name; None where it holds none.

    ``"mRECIST (reader 2)"``, ``"recist1.1"``, ``"OS (weeks)"``, ``"pfs_event"`` and ``"Death"`` are outcomes.
    """
    word = plain(name)
    if match := _RESPONSE_NAME.match(word):
        return ResponseColumn(_criterion(match["criterion"]), match["reader"] or "")
    if match := _TIME_NAME.match(word):
        unit = match["unit"]
        return TimeColumn(_endpoint(match["endpoint"]), _UNIT_WORDS[unit] if unit else None)
    if match := _EVENT_NAME.match(word):
        return EventColumn("os" if match["death"] else _endpoint(match["endpoint"]))
    return None


def _criterion(word: str) -> str:
    if word in ("responder", "objective response"):
        return RESPONDER
    if word.startswith("m"):
        return "mrecist"
    return "recist1.1" if word.endswith("1") else "recist"


def _endpoint(word: str) -> str:
    return _LONG_NAMES.get(word, word)


def known_outcomes() -> tuple[str, ...]:
    """Return the names that outcome columns have, for messages."""
    events = (f"{name}_event" for name in ENDPOINTS)
    times = (f"{name}_{unit}" for name in ENDPOINTS for unit in TIME_UNITS)
    return (*CRITERIA, *(f"{name}_reader1" for name in CRITERIA), *times, *events)


def time_unit(word: str) -> str:
    """Return the unit of time that goes by a word: ``"mo"`` is ``"months"``.

    Raises:
        InputError: no unit goes by that word.
    """
    if word.strip().lower() not in _UNIT_WORDS:
        raise InputError(f"'{word}' is not a unit of time; {nearest(word, TIME_UNITS)}.")
    return _UNIT_WORDS[word.strip().lower()]


def read_category(criterion: str, text: str) -> str | None:
    """Return CR, PR, SD or PD; None where it is not known or the tumour could not be assessed.

    For the criterion ``"responder"`` the answer is CR or PR as ``"PR"`` and no response as ``"SD"``, which is all that
    a yes or no tells.

    Raises:
        InputError: the text is none of these.
    """
    word = _word(text)
    if word in MISSING or word in _NOT_EVALUABLE:
        return None
    if criterion == RESPONDER:
        if word in _YES | {"responder", "response"}:
            return "PR"
        if word in _NO | {"non responder", "nonresponder", "no response"}:
            return "SD"
        raise InputError(f"A responder is marked 1 and a non-responder 0, found '{text}': correct it.")
    if word not in _CATEGORY_WORDS:
        raise InputError(
            f"{CRITERIA[criterion]} is CR, PR, SD or PD (or 1 to 4 in this order), found '{text}': correct it."
        )
    return _CATEGORY_WORDS[word]


def responds(category: str) -> bool:
    """Return whether a category is an objective response: complete or partial."""
    return category in ("CR", "PR")


def read_months(endpoint: str, text: str, unit: str) -> float | None:
    """Return a time in months; None where it is not known.

    Args:
        endpoint: name of the endpoint, for messages.
        text: a number in ``unit``.
        unit: a key of ``TIME_UNITS``.

    Raises:
        InputError: not a number, below zero, or longer than anyone is followed.
    """
    if _word(text) in MISSING:
        return None
    label = f"{ENDPOINTS[endpoint]} ({endpoint})"
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"{label} is a number in {unit} with a point before decimals, found '{text}': correct it, or leave the "
            "cell empty where it is not known."
        )
    if value < 0:
        raise InputError(f"{label} is a time from 0 {unit}, found {value:g}: correct it.")
    months = value * TIME_UNITS[unit]
    if months > LONGEST_MONTHS:
        raise InputError(
            f"{label} is at most {LONGEST_MONTHS:g} months, found {value:g} {unit}: check the value and its unit."
        )
    return months


def read_event(endpoint: str, text: str) -> bool | None:
    """Return whether the event was observed; None where it is not known.

    Raises:
        InputError: the text says neither.
    """
    word = _word(text)
    if word in MISSING:
        return None
    if word in _HAPPENED:
        return True
    if word in _CENSORED:
        return False
    raise InputError(
        f"The event of {ENDPOINTS[endpoint].lower()} ({endpoint}) is 1 where it was observed and 0 where the time is "
        f"censored, found '{text}': recode it."
    )


def _word(text: str) -> str:
    """Return a cell as words are compared; whole numbers lose their ``.0``."""
    word = text.strip().lower()
    word = word[:-2] if re.fullmatch(r"\d+\.0", word) else word
    return word if word in MISSING else " ".join(re.sub(r"[\s_-]+", " ", word).split())


def as_survival(event: NDArray[np.bool_], months: NDArray[np.float64]) -> NDArray[np.void]:
    """Return the structured array ``(event, time)`` of scikit-survival from arrays of shape (n,)."""
    outcome = np.empty(len(months), SURVIVAL_TYPE)
    outcome["event"], outcome["time"] = event, months
    return outcome


def survived(outcome: NDArray[np.void], months: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return who was free of the event at a time, and of whom this is known.

    Args:
        outcome: shape (n,), of ``SURVIVAL_TYPE``; a NaN time is not known.
        months: the time at which to look.

    Returns:
        Two arrays of shape (n,): True where free of the event at ``months``, and True where this is known. A patient
        censored before is not known.
    """
    free = outcome["time"] > months
    had_event = outcome["event"] & (outcome["time"] <= months)
    at_limit = ~outcome["event"] & (outcome["time"] == months)
    return free | at_limit, free | at_limit | had_event
