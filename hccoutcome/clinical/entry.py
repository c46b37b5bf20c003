"""Reading one entry of a clinical record: its name, its value, its unit; nothing is guessed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from hccoutcome.clinical.units import convert, factor
from hccoutcome.clinical.variable import Code, Variable
from hccoutcome.clinical.variables import NAMES, find, plain
from hccoutcome.errors import InputError

MISSING = frozenset({"", "na", "n/a", "n.a.", "?", "not stated", "unknown", "missing"})
"""Texts that mean "not known", in lower case; a dash is not among them, because it may mean "negative"."""

_WHOLE = re.compile(r"\A(\d+)\.0+\Z")
_YES = frozenset({"yes", "y", "true", "1", "present", "presence", "positive", "pos", "ja", "oui", "si", "sí", "是"})
_NO = frozenset({"no", "n", "false", "0", "absent", "absence", "negative", "neg", "none", "nein", "non", "nee", "否"})
_HEADER = re.compile(r"^(?P<name>[^(\[]+?)\s*[(\[]\s*(?P<unit>[^)\]]+?)\s*[)\]]$")
_QUANTITY = re.compile(r"^(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?P<unit>.*)$", re.IGNORECASE)
_CENSORED = re.compile(r"^\s*[<>≤≥]")
_SPAN = re.compile(r"^\d+(?:\.\d+)?\s*(?:-|–|to|/|or|,\s)\s*\d+(?:\.\d+)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One entry as read: the variable, its value in the schema's unit, and what was written."""

    variable: Variable
    value: float | str
    written: str


def split_name(name: str) -> tuple[str, str | None]:
    """Return a column's name and the unit that it states: ``"ALB (g/dL)"`` is ``("ALB", "g/dL")``."""
    match = _HEADER.match(str(name).strip())
    return (match["name"], match["unit"]) if match else (str(name).strip(), None)


def variable_of(name: str) -> tuple[Variable, str | None]:
    """Return the variable that a column holds and the unit that its name states, if any.

    Raises:
        InputError: no variable goes by that name.
    """
    if plain(str(name)) in NAMES:
        return find(name), None
    bare, unit = split_name(name)
    variable = find(bare)
    if unit is None or factor(unit, variable.units) is not None:
        return variable, unit
    if variable.units:
        raise InputError(_impossible_unit(variable, unit))
    return variable, None


def is_missing(raw: Any) -> bool:
    """Whether an entry says that the value is not known; a not-a-number does not say so, it is a mistake."""
    if isinstance(raw, Mapping):
        return is_missing(raw.get("value"))
    return raw is None or (isinstance(raw, str) and raw.strip().lower() in MISSING)


def read_entry(name: str, raw: Any) -> Entry | None:
    """Read one entry; None where it is missing.

    Args:
        name: any name of the variable, with its unit in parentheses if the unit is not the schema's.
        raw: a number, a text (``"400 ng/mL"``, ``"yes"``, ``"B"``), a truth value, or ``{"value": ..., "unit": ...}``.

    Raises:
        InputError: the name is not known, the value is not one that the variable can have, or the unit does not fit.
    """
    variable, column_unit = variable_of(name)
    unit = None
    if isinstance(raw, Mapping):
        raw, unit = _value_and_unit(variable, raw)
    if is_missing(raw):
        return None
    if variable.kind in ("number", "integer"):
        return _read_number(variable, raw, unit, column_unit)
    if variable.kind == "binary":
        return Entry(variable, _read_binary(variable, raw), str(raw))
    return Entry(variable, _read_category(variable, raw), str(raw))


def label(variable: Variable) -> str:
    """Return what messages call a variable: ``"Albumin (alb)"``."""
    return f"{variable.title} ({variable.name})"


def amount(value: float, unit: str) -> str:
    """Return a value with its unit: ``"41 g/L"``."""
    return f"{value:.8g} {unit}".rstrip()


def likely_unit(variable: Variable, value: float, stated: str) -> str | None:
    """Return the unit in which an untypical value would be a typical one, the nearest to the typical middle first."""
    low, high = variable.typical
    middle = math.log(math.sqrt(max(low, 1e-3) * high))
    scale = factor(stated, variable.units) if stated else 1.0
    fits = [
        (abs(math.log(value * other) - middle), unit)
        for unit, other in variable.units.items()
        if other != scale and value > 0 and low <= value * other <= high
    ]
    return min(fits)[1] if fits else None


def _value_and_unit(variable: Variable, raw: Mapping[str, Any]) -> tuple[Any, str | None]:
    strange = sorted(set(raw) - {"value", "unit"})
    if strange or "value" not in raw:
        raise InputError(
            f'{label(variable)} as an object is {{"value": ..., "unit": ...}}, '
            f"found the keys {', '.join(map(repr, sorted(raw))) or 'none'}: correct them."
        )
    return raw["value"], raw.get("unit")


def _one_unit(variable: Variable, written: str, stated: str | None) -> str | None:
    """Return the unit that an entry states beside its number, in its ``unit``, or in both if they are the same."""
    if written and stated and factor(written, variable.units) != factor(stated, variable.units):
        raise InputError(
            f"{label(variable)} was expected in one unit, found '{written}' and '{stated}' for one value: keep the "
            "right one."
        )
    return written or stated


def _read_number(variable: Variable, raw: Any, unit: str | None, column_unit: str | None) -> Entry:
    code = _code(variable, raw) if isinstance(raw, str) else None
    if code is not None:
        return Entry(variable, float(code.number), str(raw))
    number, written_unit = _number_and_unit(variable, raw)
    stated = _one_unit(variable, written_unit, unit) or column_unit or variable.unit
    scale = factor(stated, variable.units) if stated else 1.0
    if scale is None:
        raise InputError(_impossible_unit(variable, stated))
    value = convert(number, scale)
    _check_limits(variable, value, number, stated)
    if variable.kind == "integer" and value != int(value):
        raise InputError(f"{label(variable)} is a whole number, found {number:g}: correct it.")
    return Entry(variable, value, amount(number, stated))


def _number_and_unit(variable: Variable, raw: Any) -> tuple[float, str]:
    if isinstance(raw, Real) and not isinstance(raw, bool):
        number, unit = float(raw), ""
    elif isinstance(raw, str):
        number, unit = _parse_text(variable, raw.strip())
    else:
        raise InputError(_not_a_number(variable, raw))
    if not math.isfinite(number):
        raise InputError(
            f"{label(variable)} is {number}, expected a finite number"
            f"{' in ' + variable.unit if variable.unit else ''}: leave it out where it is not known."
        )
    return number, unit


def _parse_text(variable: Variable, text: str) -> tuple[float, str]:
    if text.lower() in ("nan", "inf", "+inf", "-inf"):
        return float(text), ""
    if _CENSORED.match(text):
        raise InputError(
            f"{label(variable)} is a number, found the limit '{text}': write the number that is to be used."
        )
    if _SPAN.match(text):
        raise InputError(f"{label(variable)} is one value, found '{text}': write the one that holds for this patient.")
    match = _QUANTITY.match(text)
    if match is None or match["unit"].startswith(","):
        raise InputError(_not_a_number(variable, text))
    return float(match["number"]), match["unit"].strip()


def _check_limits(variable: Variable, value: float, number: float, stated: str) -> None:
    low, high = variable.limits
    if low <= value <= high:
        return
    sentence = (
        f"{label(variable)} lies between {low:.8g} and {amount(high, variable.unit)}, found {amount(number, stated)}"
    )
    unit = likely_unit(variable, number, stated)
    if unit is None:
        remedy = "correct the value, or state its unit" if variable.units else "correct it"
        raise InputError(f"{sentence}: {remedy}.")
    raise InputError(f"{sentence}, which looks like {unit}: write '{amount(number, unit)}' with the unit.")


def _read_binary(variable: Variable, raw: Any) -> float:
    code = _code(variable, raw)
    if code is not None:
        return float(code.number)
    word = _word(raw)
    if word in _YES or word in _NO:
        return float(word in _YES)
    raise InputError(f"{label(variable)} is yes or no (1 or 0), found '{raw}': correct it.")


def _read_category(variable: Variable, raw: Any) -> str:
    code = _code(variable, raw)
    if code is None:
        known = ", ".join(code.value for code in variable.codes)
        raise InputError(f"{label(variable)} is one of {known}, found '{raw}': correct it.")
    return code.value


def _code(variable: Variable, raw: Any) -> Code | None:
    word = _word(raw)
    for code in variable.codes:
        if word == _word(code.value) or word in map(_word, code.synonyms):
            return code
    return None


def _word(raw: Any) -> str:
    """Return a category's text as it is compared.

    Comparison signs are kept, for ``">50%"`` is not ``"50%"``. Whole numbers lose the ``.0`` that columns
    with gaps have in many a table.
    """
    text = f"{raw:g}" if isinstance(raw, Real) and not isinstance(raw, bool) else str(raw)
    text = _WHOLE.sub(r"\1", text.strip())
    return re.sub(r"[\s_/–-]+", " ", text.lower()).strip(" .") or text.strip()


def _not_a_number(variable: Variable, raw: Any) -> str:
    unit = f" in {variable.unit}" if variable.unit else ""
    return f"{label(variable)} is a number{unit} with a point before decimals, found '{raw}': correct it."


def _impossible_unit(variable: Variable, unit: str) -> str:
    if not variable.units:
        return f"{label(variable)} has no unit, found '{unit}': leave the unit out."
    return f"{label(variable)} is given in {' or '.join(variable.units)}, found the unit '{unit}': convert it."
