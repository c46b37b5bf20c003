"""What the schema says of one clinical variable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hccoutcome.clinical.units import RATIO

Kind = Literal["number", "integer", "binary", "category"]
Range = tuple[float, float]


@dataclass(frozen=True)
class Code:
    """One category: the text that a record holds, the number that stands for it in a model, and its other names."""

    value: str
    number: float
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variable:
    """One clinical variable.

    Attributes:
        name: column name in tables and key in records.
        title: what a reader calls it.
        kind: ``"number"``, ``"integer"``, ``"binary"`` (0 or 1) or ``"category"`` (text of one of ``codes``).
        units: factor to the schema's unit by unit; the first is the schema's unit; empty where there is none.
        limits: least and greatest possible value in the schema's unit, both allowed.
        typical: range outside which a value is worth a look; the limits where not stated.
        codes: categories of a ``"category"``; for the other kinds, texts that stand for a number.
        synonyms: other names, compared without case, spaces and punctuation.
        description: what exactly is meant, where the title leaves it open.
        nominal: True where the categories have no order, so that their numbers mean nothing in a model.
        loinc: LOINC code of the laboratory test in the schema's unit, empty where none applies.
    """

    name: str
    title: str
    kind: Kind = "number"
    units: Mapping[str, float] = field(default_factory=lambda: RATIO)
    limits: Range = (0.0, 1.0)
    typical: Range = (0.0, 0.0)
    codes: tuple[Code, ...] = ()
    synonyms: tuple[str, ...] = ()
    description: str = ""
    loinc: str = ""
    nominal: bool = False

    def __post_init__(self) -> None:
        if self.typical == (0.0, 0.0):
            object.__setattr__(self, "typical", self.limits)

    @property
    def unit(self) -> str:
        """The schema's unit, empty where there is none."""
        return next(iter(self.units), "")
