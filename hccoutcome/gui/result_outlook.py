"""The charts of a score, to be shown beside the images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hccoutcome.scene.display import show_chart


class ChartsPanel:
    """The charts of the score that is chosen: one is picked from a list and shown beside the slice views."""

    def __init__(self, box: Any, button: Any) -> None:
        self._box, self._button = box, button
        self._charts: dict[str, Any] = {}
        self._kind, self._filling = "", False
        box.connect("currentIndexChanged(int)", self._on_chosen)
        button.connect("clicked()", self.show_beside)
        self.show({})

    def show(self, charts: Mapping[str, Any]) -> None:
        """Offer the charts of a score by their titles; the kind that the user chose last stays chosen where it is."""
        self._charts, titles = dict(charts), list(charts)
        self._filling = True
        try:
            self._box.clear()
            self._box.addItems(titles)
            if titles:
                self._box.setCurrentIndex(titles.index(self._kind) if self._kind in titles else 0)
        finally:
            self._filling = False
        for widget in (self._box, self._button):
            widget.setVisible(bool(titles))

    def _on_chosen(self, index: int) -> None:
        if not self._filling:
            self._kind = self._box.currentText

    def show_beside(self) -> None:
        """Show the chosen chart beside the slice views."""
        chart = self._charts.get(self._box.currentText)
        if chart is not None and chart.GetScene() is not None:
            show_chart(chart)
