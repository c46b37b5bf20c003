"""The button that starts work and ends it, with its progress and what is to be said of it."""

from __future__ import annotations

from typing import Any

from hccoutcome.gui.panels import show_message
from hccoutcome.gui.signals import Signal
from hccoutcome.gui.timeleft import TimeLeft
from hccoutcome.gui.translate import _


class RunPanel:
    """A button that turns into Cancel; why it cannot start; how far it is; how it ended.

    Signals:
        pressed().
    """

    def __init__(self, button: Any, ready: Any, bar: Any, message: Any) -> None:
        """Take the widgets.

        Args:
            button: starts the work; its text is what it is called when nothing is under way.
            ready: label that says why it cannot start.
            bar: progress bar.
            message: label for what is going on and how it ended.
        """
        self.pressed = Signal()
        self._button, self._ready, self._bar, self._message = button, ready, bar, message
        self._title = button.text
        self._left = TimeLeft()
        self._button.connect("clicked()", self.pressed.emit)
        self.show_idle("")

    def show_ready(self, possible: bool, reason: str) -> None:
        """Let the work be started, or say what is missing."""
        self._button.setEnabled(possible)
        self._button.setToolTip(reason)
        show_message(self._ready, "" if possible else reason)

    def show_running(self) -> None:
        """Offer to cancel."""
        self._left = TimeLeft()
        self._button.setText(_("Cancel"))
        self._button.setEnabled(True)
        self._button.setToolTip(_("End the work; the scene stays as it is."))
        self._ready.setVisible(False)
        self._bar.setValue(0)
        self._bar.setVisible(True)
        self.say(_("Starting..."))

    def show_progress(self, fraction: float, message: str) -> None:
        """Show how far the work is (0 to 1), at what, and how long it will take yet."""
        self._bar.setValue(round(100 * fraction))
        left = self._left.words(fraction)
        self.say(f"{message[:1].upper()}{message[1:]}..." + (f" {left[:1].upper()}{left[1:]}." if left else ""))

    def show_idle(self, message: str) -> None:
        """Say how the work ended."""
        self._button.setText(self._title)
        self._bar.setVisible(False)
        self.say(message)

    def say(self, message: str) -> None:
        """Say something; an empty text takes no room."""
        show_message(self._message, message)
