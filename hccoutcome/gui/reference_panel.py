"""The reference table of the user's own cohort, for models whose paper prints none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hccoutcome.gui.models import Model
from hccoutcome.gui.panels import show_message
from hccoutcome.gui.rules import file_error
from hccoutcome.gui.signals import Signal
from hccoutcome.gui.translate import _


class ReferencePanel:
    """One file a model: the field is there where the model that is looked at in the list has no reference of its own.

    Signals:
        changed(path by the model's name).
    """

    def __init__(self, ui: Any, models: Mapping[str, Model]) -> None:
        """Take the widgets of the list of models and of the field, and the models in the list's order."""
        self.changed = Signal()
        self._view, self._label, self._field = ui.modelsList, ui.referenceLabel, ui.referenceFile
        self._message = ui.referenceMessage
        self._models = models
        self._files: dict[str, str] = {}
        view, field = self._view, self._field
        view.connect("currentRowChanged(int)", lambda row: self._show())
        field.connect("currentPathChanged(QString)", self._on_path)
        self._show()

    def show(self, files: Mapping[str, str]) -> None:
        """Show the files that are chosen, by the model's name."""
        if dict(files) != self._files:
            self._files = dict(files)
            self._show()

    def _model(self) -> Model | None:
        """Return the model that is looked at where it wants a reference."""
        row = self._view.currentRow
        models = list(self._models.values())
        model = models[row] if 0 <= row < len(models) else None
        return model if model is not None and model.wants_reference else None

    def _show(self) -> None:
        model = self._model()
        for widget in (self._label, self._field):
            widget.setVisible(model is not None)
        path = "" if model is None else self._files.get(model.name, "")
        show_message(self._message, file_error(path))
        if model is None:
            return
        self._label.setText(_("Reference table of your own cohort for {model}:").format(model=model.title))
        if self._field.currentPath != path:
            self._field.currentPath = path

    def _on_path(self, path: str) -> None:
        model = self._model()
        if model is None or self._files.get(model.name, "") == path:
            return
        self._files = {name: file for name, file in {**self._files, model.name: path}.items() if file}
        self._show()
        self.changed.emit(dict(self._files))
