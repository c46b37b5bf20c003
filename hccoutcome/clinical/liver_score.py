"""What a liver function or staging score gives, and how it asks for its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from hccoutcome.errors import InputError

Record = Mapping[str, float | str]
Item = tuple[str, float | str, float]
Scale = Literal["points", "score", "stage"]


@dataclass(frozen=True)
class LiverScore:
    """One score of one patient.

    Attributes:
        name: name of the score in ``LIVER_SCORES``.
        value: the number: points, score, or the stage as a number (BCLC 0, A to D: 0 to 4; Okuda I to III: 1 to 3).
        label: the number in words: ``"Child-Pugh B (7 points)"``.
        items: variable, value in the schema's unit, and what it adds; for BCLC the least stage that it demands.
    """

    name: str
    value: float
    label: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class ScoreDefinition:
    """A published score: how it is computed, from what, and where it comes from.

    Attributes:
        name: key in ``LIVER_SCORES`` and name of its package.
        title: what a reader calls it.
        endpoint: what it says, in words, and which direction is worse.
        scale: what the number is.
        needs: variables that it uses, in its own order; which of them a given record lacks says ``missing``.
        rule: the whole rule in words, with units and the side to which equality belongs.
        citation: the paper.
        compute: the score of a record; raises InputError where inputs are missing.
        missing: the variables that a record lacks for the score to be decided.
    """

    name: str
    title: str
    endpoint: str
    scale: Scale
    needs: tuple[str, ...]
    rule: str
    citation: str
    compute: Callable[[Record], LiverScore]
    missing: Callable[[Record], tuple[str, ...]]


def lacking(record: Record, *names: str) -> tuple[str, ...]:
    """Return those of some variables that a record does not hold."""
    return tuple(name for name in names if name not in record)


def require(title: str, missing: tuple[str, ...]) -> None:
    """Refuse to compute a score whose inputs are incomplete.

    Raises:
        InputError: something is missing; the message names it.
    """
    if missing:
        raise InputError(f"{title} needs {', '.join(missing)}: add what is missing to the clinical record.")


def number(record: Record, name: str) -> float:
    """Return the numeric value of a variable that the record holds."""
    return float(record[name])


def roman(value: int) -> str:
    """Return 1 to 3 as a roman numeral."""
    return "I" * value
