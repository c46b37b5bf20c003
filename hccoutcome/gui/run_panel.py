"""The button that starts the work and ends it, with its progress and what is to be said of it."""

from __future__ import annotations

from typing import Any

from hccoutcome.gui.signals import Signal


class RunPanel:
    """Apply, which turns into Cancel; why it cannot start; how far it is; how it ended.

    Signals:
        pressed().
    """

    def __init__(self, ui: Any) -> None:
        """Take the widgets ``applyButton``, ``readyLabel``, ``progressBar`` and ``messageLabel``."""
        self.pressed = Signal()
        self._button, self._ready = ui.applyButton, ui.readyLabel
        self._bar, self._message = ui.progressBar, ui.messageLabel
        self._button.connect("clicked()", self.pressed.emit)
        self.show_idle("")

    def show_ready(self, possible: bool, reason: str) -> None:
        """Let the work be started, or say what is missing."""
        self._button.setEnabled(possible)
        self._button.setToolTip(reason)
        self._ready.setText("" if possible else reason)
        self._ready.setVisible(not possible)

    def show_running(self) -> None:
        """Offer to cancel."""
        self._button.setText("Cancel")
        self._button.setEnabled(True)
        self._button.setToolTip("End the work; the scene stays as it is.")
        self._ready.setVisible(False)
        self._bar.setValue(0)
        self._bar.setVisible(True)
        self._message.setText("Starting...")

    def show_progress(self, fraction: float, message: str) -> None:
        """Show how far the work is (0 to 1), and at what."""
        self._bar.setValue(round(100 * fraction))
        self._message.setText(f"{message[:1].upper()}{message[1:]}...")

    def show_idle(self, message: str) -> None:
        """Say how the work ended."""
        self._button.setText("Apply")
        self._bar.setVisible(False)
        self._message.setText(message)
