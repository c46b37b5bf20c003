"""Marks what a user reads for translation: ``_("text")``, by Slicer where it is there, as it stands elsewhere.

Slicer looks up a text by the file that calls ``_``; so it is taken as it is and never wrapped.
"""

from __future__ import annotations

__all__ = ["_"]

try:
    from slicer.i18n import tr as _
except ModuleNotFoundError:

    def _(text: str) -> str:
        return text
