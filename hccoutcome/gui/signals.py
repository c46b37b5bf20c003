"""A signal in plain Python: objects that are no Qt objects announce what happened to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Signal:
    """Calls every connected slot, in the order of connection."""

    def __init__(self) -> None:
        self._slots: list[Callable[..., None]] = []

    def connect(self, slot: Callable[..., None]) -> None:
        """Call ``slot`` with whatever the signal is emitted with."""
        self._slots.append(slot)

    def disconnect(self, slot: Callable[..., None]) -> None:
        """Call ``slot`` no more.

        Raises:
            ValueError: it was not connected.
        """
        self._slots.remove(slot)

    def emit(self, *values: Any) -> None:
        """Call the slots; one that connects or disconnects meanwhile does not disturb the others."""
        for slot in tuple(self._slots):
            slot(*values)
