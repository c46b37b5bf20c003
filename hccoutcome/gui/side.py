"""What every group of a window with work of its own has: a button with progress, and whether it can start."""

from __future__ import annotations

from typing import Any, Protocol

from hccoutcome.gui.rules import Chosen
from hccoutcome.gui.run_panel import RunPanel
from hccoutcome.gui.signals import Signal
from hccoutcome.gui.work import CaseWork
from hccoutcome.scene.inputs import SceneCase


class Side(Protocol):
    """A group beside Apply.

    Attributes:
        work: what it does.
        run: its button and progress.
        start_asked: announced when the user presses the button.
    """

    work: CaseWork
    run: RunPanel
    start_asked: Signal

    def show(self, state: Any) -> None:
        """Show a state; None lets go of it."""

    def readiness(self, chosen: Chosen) -> tuple[bool, str]:
        """Return whether the work can start and, if not, the one thing to do next."""

    def libraries(self) -> tuple[str, ...]:
        """Return what libraries are needed (keys of ``gui.compat.LISTS``)."""

    def begin(self, case: SceneCase) -> None:
        """Start the work.

        Raises:
            InputError: the input is wrong.
        """
