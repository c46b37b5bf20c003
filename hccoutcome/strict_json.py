"""Reading JSON that others wrote: no repeated key, no NaN, no unknown field, every value of its type.

``parse_json`` turns bytes into plain data; ``Fields`` takes the fields of one object out by name and type and names
what is left over. Both answer in sentences that say where in which file the fault lies.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from hccoutcome.errors import InputError, nearest

_MISSING = object()
_LONGEST_SHOWN = 30
Word = TypeVar("Word", bound=str)


def canonical_json(data: Any) -> bytes:
    """Return the one way in which this project writes JSON: sorted keys, two spaces, UTF-8, a final line break."""
    text = json.dumps(data, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8")


def parse_json(content: bytes, where: str) -> Any:
    """Return the data in a JSON file.

    Args:
        content: the file's bytes.
        where: name of the file for the message.

    Raises:
        InputError: not UTF-8, not JSON, a key given twice, NaN, an infinite number or one that no float can hold, or
            nested too deeply.
    """
    try:
        return json.loads(
            content.decode("utf-8"),
            object_pairs_hook=lambda pairs: _unique(pairs, where),
            parse_constant=lambda word: _refuse_number(word, where),
            parse_float=lambda word: _finite(word, where),
            parse_int=lambda word: _whole(word, where),
        )
    except UnicodeDecodeError:
        raise InputError(f"{where} should be text in UTF-8 and is not: get the file again from its author.") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{where} should be JSON; {error.msg} in {place}: mend or replace it.") from None
    except RecursionError:
        raise InputError(f"{where} is nested far deeper than any such file needs: do not use it.") from None


def _unique(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InputError(f"{where} gives '{key}' twice in one object, so its meaning is not clear: keep one.")
        found[key] = value
    return found


def _refuse_number(word: str, where: str) -> float:
    raise InputError(f"{where} holds {word} where a finite number belongs: replace it.")


def _finite(word: str, where: str) -> float:
    value = float(word)
    if not math.isfinite(value):
        shown = word if len(word) <= _LONGEST_SHOWN else f"a number of {len(word)} characters"
        _refuse_number(shown, where)
    return value


def _whole(word: str, where: str) -> int:
    """Return a whole number; one beyond the floats' range could not be computed with."""
    _finite(word, where)
    return int(word)


class Fields:
    """The fields of one JSON object, each taken once by name and type; ``done`` refuses what was not asked for.

    Args:
        data: the object as parsed.
        where: what the object is, for the messages: ``"package.json, phase 1"``.
    """

    def __init__(self, data: Any, where: str) -> None:
        if not isinstance(data, Mapping):
            raise InputError(f"{where} should be an object with named fields, found {_kind(data)}: correct it.")
        self.where = where
        self._data = data
        self._asked: set[str] = set()

    def value(self, name: str, kind: type | tuple[type, ...], meaning: str, default: Any = _MISSING) -> Any:
        """Return the field ``name`` if it is of type ``kind``; ``default`` where it is absent or null."""
        self._asked.add(name)
        found = self._data.get(name)
        if found is None and default is not _MISSING:
            return default
        if name not in self._data:
            raise InputError(f"{self.where} lacks the field '{name}' ({meaning}): add it.")
        if not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool):
            raise InputError(f"{self.where}: '{name}' should be {meaning}, found {_kind(found)}: correct it.")
        return found

    def text(self, name: str, default: Any = _MISSING) -> str:
        """Return a text, which may only be empty where a default is given."""
        found = self.value(name, str, "a text", default)
        if found == "" and default is _MISSING:
            raise InputError(f"{self.where}: '{name}' should be a text and is empty: fill it in.")
        return found

    def number(self, name: str, default: Any = _MISSING) -> float:
        """Return a finite number."""
        found = self.value(name, (int, float), "a number", default)
        return found if found is default else float(found)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; an absent field is an empty list."""
        found = self.value(name, list, "a list of texts", [])
        wrong = [item for item in found if not isinstance(item, str)]
        if wrong:
            raise InputError(f"{self.where}: '{name}' should hold texts only, found {_kind(wrong[0])}: correct it.")
        return tuple(found)

    def objects(self, name: str) -> list[Any]:
        """Return a list of objects, not yet looked into; an absent field is an empty list."""
        return self.value(name, list, "a list of objects", [])

    def object(self, name: str, default: Any = _MISSING) -> Mapping[str, Any]:
        """Return an object, not yet looked into."""
        return self.value(name, dict, "an object", default)

    def done(self) -> None:
        """Refuse any field that nobody asked for.

        Raises:
            InputError: names the field and the nearest known one.
        """
        for name in sorted(set(self._data) - self._asked):
            raise InputError(f"{self.where} has an unknown field '{name}'; {nearest(name, self._asked)}.")


def one_of(found: str, known: Iterable[Word], where: str) -> Word:
    """Return ``found`` if it is one of the known words.

    Raises:
        InputError: it is not.
    """
    words = {str(word): word for word in known}
    if found not in words:
        raise InputError(f"{where}: '{found}' is not known; {nearest(found, words)}.")
    return words[found]


def _kind(value: Any) -> str:
    names = {str: "a text", bool: "true or false", list: "a list", dict: "an object", type(None): "null"}
    return names.get(type(value), "a number")
