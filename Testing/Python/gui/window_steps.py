"""What a user does in the windows, step by step."""

from __future__ import annotations

from typing import Any


def fill_in(widget: Any, nodes: Any) -> None:
    """Choose a case in a window as a user does, by its widgets, and the first model where models are offered."""
    ui = widget.window.ui
    ui.caseIdEdit.text = nodes.case_id
    ui.guessButton.click()
    ui.segmentationSelector.setCurrentNode(nodes.segmentations[0])
    if hasattr(ui, "modelsList"):
        tick(ui.modelsList, 0)


def tick(view: Any, row: int, on: bool = True) -> None:
    """Tick a row of a list, or take the tick away."""
    import qt

    view.item(row).setCheckState(qt.Qt.Checked if on else qt.Qt.Unchecked)


def choose(box: Any, text: str) -> None:
    """Choose an entry of a combo box by its text."""
    texts = [box.itemText(index) for index in range(box.count)]
    assert text in texts, texts
    box.setCurrentIndex(texts.index(text))


def cells(table: Any) -> list[list[str]]:
    """Return the texts of a table, row by row."""
    return [[table.item(row, column).text() for column in range(table.columnCount)] for row in range(table.rowCount)]


def tables(scene: Any) -> list[Any]:
    """Return the table nodes of a scene."""
    count = scene.GetNumberOfNodesByClass("vtkMRMLTableNode")
    return [scene.GetNthNodeByClass(index, "vtkMRMLTableNode") for index in range(count)]
