"""The user's own packages, such as ``hcc train`` makes, beside the shipped ones in a window's list of models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import qt

from hccoutcome.errors import HCCError
from hccoutcome.gui.models import Model, own_model
from hccoutcome.gui.panels import ModelsPanel
from hccoutcome.gui.signals import Signal
from hccoutcome.gui.translate import _
from hccoutcome.package.format import MANIFEST


class OwnPackages:
    """A button that adds a package from its files; what was added is offered in every window of its outcome.

    Signals:
        changed(paths of all packages that were added).
    """

    def __init__(self, button: Any, models: ModelsPanel, response: bool, say: Callable[[str], None]) -> None:
        """Take the button, the list of models, whether the window is one of response, and what says a sentence."""
        self.changed = Signal()
        self._button, self._models, self._response, self._say = button, models, response, say
        self._paths: tuple[str, ...] = ()
        self._looked_at: set[str] = set()
        button.connect("clicked()", self.ask)
        say("")

    def show(self, paths: Sequence[str]) -> None:
        """Offer the packages that were added, as far as they are still there and of this window's outcome."""
        self._paths = tuple(paths)
        for path in self._paths:
            if path not in self._looked_at:
                self._looked_at.add(path)
                model = self._read(path)
                wanted = model is not None and model.of_response == self._response
                if model is not None and wanted and path not in self._models.models:
                    self._models.add(model)

    def ask(self) -> None:
        """Ask for the file of a package and add it."""
        title = _("Model package")
        path = qt.QFileDialog.getOpenFileName(self._button, title, "", f"{title} ({MANIFEST} *.zip)")
        if not path:
            return
        chosen = str(Path(path).parent if Path(path).name == MANIFEST else Path(path))
        self._say("")
        model = self._read(chosen)
        if model is None:
            return
        if model.of_response != self._response:
            other = "HCC Response" if model.of_response else "HCC Survival"
            self._say(_("'{title}' is offered in {module}.").format(title=model.title, module=other))
        self._looked_at.discard(chosen)
        if chosen not in self._paths:
            self.changed.emit([*self._paths, chosen])

    def _read(self, path: str) -> Model | None:
        """Return a package as a model, None where it cannot be used; then the reason is said."""
        try:
            return own_model(path)
        except HCCError as error:
            self._say(str(error))
            return None
