"""The errors that reach a user: one sentence that says what was expected, what was found and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HCCError(Exception):
    """Any error whose message is meant for the user; everything else is a defect of the program."""


class InputError(HCCError, ValueError):
    """The input is wrong and the message says how to mend it; the command line answers it with exit status 2."""


class EnvironmentNeeded(HCCError, RuntimeError):
    """Something outside the input is missing (a library, a free disk, a display); the message names the one step."""


class Cancelled(HCCError):
    """The user stopped the work; nothing that was already written is lost."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a phrase that names the known words, the nearest first: ``did you mean 'portal'? Known: ...``."""
    words = sorted(known)
    close = difflib.get_close_matches(str(name), words, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}Known: {', '.join(words)}"
