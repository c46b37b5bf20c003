"""The panels of a window, each a thin view of the state: it shows it, and writes back what the user changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import qt

from hccoutcome.case import REGIONS
from hccoutcome.gui.models import Model
from hccoutcome.gui.rules import guess_region
from hccoutcome.gui.signals import Signal
from hccoutcome.gui.translate import _

NOT_USED = _("not used")
CHOICES = (*REGIONS, *(f"habitat{number}" for number in range(1, 11)))
"""The regions that a segment may be."""
_LONG_WORD = re.compile(r"[^\s/]{40}(?=[^\s/])")
"""A word that is broken, by a space of no width, so that a label can wrap it; at a slash it wraps by itself."""


def read_only_item(text: str, tip: str = "") -> Any:
    """Return a table item that shows a text and cannot be edited."""
    item = qt.QTableWidgetItem(text)
    item.setFlags(item.flags() & ~qt.Qt.ItemIsEditable)
    item.setToolTip(tip or text)
    return item


def prepare_table(table: Any, titles: Sequence[str], *stretched: int) -> None:
    """Set the columns of a table: titles, and which of them share the room that is left."""
    table.setColumnCount(len(titles))
    table.setHorizontalHeaderLabels(list(titles))
    table.verticalHeader().setVisible(False)
    table.verticalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
    table.setWordWrap(False)
    header = table.horizontalHeader()
    for column in range(len(titles)):
        mode = qt.QHeaderView.Stretch if column in stretched else qt.QHeaderView.ResizeToContents
        header.setSectionResizeMode(column, mode)


def fill_rows(table: Any, rows: Sequence[Sequence[str]]) -> None:
    """Fill a table with texts that cannot be edited."""
    table.setRowCount(len(rows))
    for row, texts in enumerate(rows):
        for column, text in enumerate(texts):
            table.setItem(row, column, read_only_item(text))


def show_message(label: Any, message: str) -> None:
    """Say something in a label beside a field; an empty text takes no room, a long name does not widen the window."""
    label.setText(_LONG_WORD.sub("\\g<0>\u200b", message))
    label.setVisible(bool(message))


class Choices:
    """Boxes in which a name is chosen by its title, by the field that they are about.

    Signals:
        changed(field, name): somebody else than ``fill`` chose.
    """

    def __init__(self, boxes: Mapping[str, Any]) -> None:
        """Take the boxes by field."""
        self.changed = Signal()
        self._boxes = boxes
        self._names: dict[str, tuple[str, ...]] = dict.fromkeys(boxes, ())
        self._filling = False
        for field, box in boxes.items():
            box.connect("currentIndexChanged(int)", lambda index, field=field: self._on_chosen(field, index))

    def fill(self, field: str, names: Sequence[str], titles: Sequence[str], chosen: str) -> None:
        """Offer names by their titles, and choose one: the first where ``chosen`` is not among them."""
        self._filling = True
        try:
            box = self._boxes[field]
            if tuple(names) != self._names[field]:
                self._names[field] = tuple(names)
                box.clear()
                box.addItems(list(titles))
            box.setCurrentIndex(names.index(chosen) if chosen in names else 0 if names else -1)
        finally:
            self._filling = False

    def _on_chosen(self, field: str, index: int) -> None:
        if not self._filling and 0 <= index < len(self._names[field]):
            self.changed.emit(field, self._names[field][index])


class RegionsPanel:
    """Which region each segment of the segmentation is; below, the habitats that were handed over.

    Signals:
        changed(region by segment identifier), segments_changed() where segments came, went or got another name.
    """

    def __init__(self, table: Any) -> None:
        self.changed, self.segments_changed = Signal(), Signal()
        self._table = table
        self._segments: list[tuple[str, str]] = []
        self._habitats: list[tuple[str, str]] = []
        self._regions: dict[str, str] = {}
        self._observed: tuple[Any, list[int]] = (None, [])
        prepare_table(table, (_("Segment"), _("Region")), 0)

    def show(self, segmentation: Any, regions: Mapping[str, str], habitats: Any = None) -> None:
        """Show the segments of a segmentation node; the region of one that is new is guessed from its name.

        Args:
            segmentation: the user's outlines; None for none.
            regions: region by segment identifier.
            habitats: segmentation of habitats, whose segments are the regions that their identifiers name.
        """
        self._observe(segmentation)
        segments = [] if segmentation is None else self._segments_of(segmentation.GetSegmentation())
        new = {key: guess_region(name) or "" for key, name in segments if key not in regions}
        shown_regions = {**regions, **new}
        handed_over = [] if habitats is None else self._segments_of(habitats.GetSegmentation())
        if (segments, handed_over) != (self._segments, self._habitats):
            self._segments, self._habitats = segments, handed_over
            self._fill()
        self._regions = shown_regions
        self._select()
        if new:
            self.changed.emit(dict(shown_regions))

    def close(self) -> None:
        """Stop following the segmentation."""
        self._observe(None)

    @staticmethod
    def _segments_of(segmentation: Any) -> list[tuple[str, str]]:
        keys = [segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments())]
        return [(key, segmentation.GetSegment(key).GetName()) for key in keys]

    def _observe(self, node: Any) -> None:
        old, tags = self._observed
        if node is old:
            return
        for tag in tags:
            old.GetSegmentation().RemoveObserver(tag)
        self._observed = (node, [])
        if node is not None:
            segmentation = node.GetSegmentation()
            events = (segmentation.SegmentAdded, segmentation.SegmentRemoved, segmentation.SegmentModified)
            announce = self.segments_changed.emit
            tags = [segmentation.AddObserver(event, lambda caller, name: announce()) for event in events]
            self._observed = (node, tags)

    def _fill(self) -> None:
        self._table.setRowCount(len(self._segments) + len(self._habitats))
        for row, (key, name) in enumerate(self._habitats, start=len(self._segments)):
            self._table.removeCellWidget(row, 1)
            self._table.setItem(row, 0, read_only_item(name))
            self._table.setItem(
                row, 1, read_only_item(key, _("Handed over by HCC Habitat; to leave it out, choose none."))
            )
        for row, (key, name) in enumerate(self._segments):
            self._table.setItem(row, 0, read_only_item(name))
            box = qt.QComboBox()
            box.addItems([NOT_USED, *CHOICES])
            box.setToolTip(_("Which region this segment is; several segments of one region are united."))
            box.connect("currentIndexChanged(int)", lambda index, key=key: self._on_chosen(key, index))
            self._table.setCellWidget(row, 1, box)

    def _select(self) -> None:
        names = ["", *CHOICES]
        for row, (key, _name) in enumerate(self._segments):
            region = self._regions.get(key, "")
            self._table.cellWidget(row, 1).setCurrentIndex(names.index(region) if region in names else 0)

    def _on_chosen(self, key: str, index: int) -> None:
        region = ["", *CHOICES][index]
        if self._regions.get(key) != region:
            self._regions = {**self._regions, key: region}
            self.changed.emit(dict(self._regions))


class ModelsPanel:
    """The models that a window offers, to tick.

    Signals:
        changed(names of the ticked models).
    """

    def __init__(self, view: Any, about: Any, models: Sequence[Model]) -> None:
        self.changed = Signal()
        self.models: dict[str, Model] = {}
        self._view, self._about = view, about
        self._filling = False
        for model in models:
            self.add(model)
        view.connect("itemChanged(QListWidgetItem*)", self._on_item)
        view.connect("currentRowChanged(int)", self._on_row)
        view.setCurrentRow(0)

    def add(self, model: Model) -> None:
        """Offer a model below the others."""
        self._filling = True
        try:
            self.models[model.name] = model
            item = qt.QListWidgetItem(model.title)
            item.setFlags(item.flags() | qt.Qt.ItemIsUserCheckable)
            item.setCheckState(qt.Qt.Unchecked)
            item.setToolTip(model.about)
            self._view.addItem(item)
        finally:
            self._filling = False

    def show(self, chosen: Iterable[str]) -> None:
        """Tick the models that are chosen."""
        chosen = set(chosen)
        self._filling = True
        try:
            for row, name in enumerate(self.models):
                self._view.item(row).setCheckState(qt.Qt.Checked if name in chosen else qt.Qt.Unchecked)
        finally:
            self._filling = False

    def _on_item(self, item: Any) -> None:
        if not self._filling:
            ticked = [
                name for row, name in enumerate(self.models) if self._view.item(row).checkState() == qt.Qt.Checked
            ]
            self.changed.emit(ticked)

    def _on_row(self, row: int) -> None:
        models = list(self.models.values())
        self._about.setText(models[row].about if 0 <= row < len(models) else "")
