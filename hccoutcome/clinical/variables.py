"""The clinical variables by their names, and the lookup that understands other spellings of a name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from hccoutcome.clinical.schema import LABORATORY, LIVER, PATIENT, TREATMENT, TUMOUR
from hccoutcome.clinical.variable import Variable
from hccoutcome.errors import InputError

__all__ = ["CHANGING", "NAMES", "VARIABLES", "Variable", "as_number", "find", "plain"]

CHANGING = ("afp", "alb", "ldh", "pt", "lym", "neu", "mon", "plt")
"""Variables that PRIME measures one week before and again one month after treatment.

``<name>`` (also ``<name>_before``) holds the first value, ``<name>_post`` (also ``<name>_after``) the second.
"""


def _after_treatment(variable: Variable) -> Variable:
    synonyms = tuple(f"{word} {when}" for word in (variable.title, *variable.synonyms) for when in ("post", "after"))
    return replace(
        variable,
        name=f"{variable.name}_post",
        title=f"{variable.title} after treatment",
        synonyms=(f"{variable.name} after", *synonyms),
        description="one month after the treatment",
    )


def _before_treatment(variable: Variable) -> Variable:
    words = (variable.name, variable.title, *variable.synonyms)
    before = tuple(f"{word} {when}" for word in words for when in ("before", "pre"))
    return replace(variable, synonyms=(*variable.synonyms, *before))


_BASELINE = tuple(
    _before_treatment(variable) if variable.name in CHANGING else variable
    for variable in (*PATIENT, *LABORATORY, *TUMOUR, *LIVER, *TREATMENT)
)
VARIABLES: Mapping[str, Variable] = MappingProxyType(
    {
        variable.name: variable
        for variable in (*_BASELINE, *(_after_treatment(v) for v in LABORATORY if v.name in CHANGING))
    }
)
"""Every clinical variable by its name."""


def plain(text: str) -> str:
    """Return a name as names are compared: lower case, every run of other characters a single space."""
    return re.sub(r"[\W_]+", " ", text.lower()).strip()


def _index() -> dict[str, str]:
    names: dict[str, str] = {}
    for variable in VARIABLES.values():
        for word in (variable.name, variable.title, *variable.synonyms):
            owner = names.setdefault(plain(word), variable.name)
            if owner != variable.name:
                raise AssertionError(f"'{word}' names both {owner} and {variable.name}")
    return names


NAMES: Mapping[str, str] = MappingProxyType(_index())
"""Name of the variable by each of its names, as ``plain`` spells them."""


def find(name: str) -> Variable:
    """Return the variable that goes by a name: ``"Alpha-fetoprotein"`` and ``"AFP"`` are ``afp``.

    Raises:
        InputError: no variable goes by that name; the message names the nearest one.
    """
    word = plain(str(name))
    if word in NAMES:
        return VARIABLES[NAMES[word]]
    close = difflib.get_close_matches(word, NAMES, n=1, cutoff=0.75)
    hint = f"did you mean '{NAMES[close[0]]}'? " if close else ""
    raise InputError(f"'{name}' is not a known clinical variable; {hint}Known: {', '.join(VARIABLES)}.")


def as_number(name: str, value: float | str) -> float:
    """Return the number that stands for a record's value in a model: a category's code, or the number itself.

    Raises:
        InputError: the text is not one of the variable's categories.
    """
    variable = find(name)
    if not isinstance(value, str):
        return float(value)
    for code in variable.codes:
        if code.value == value:
            return code.number
    known = ", ".join(code.value for code in variable.codes) or "numbers only"
    raise InputError(f"{variable.name} is one of {known}, found '{value}': correct it.")
