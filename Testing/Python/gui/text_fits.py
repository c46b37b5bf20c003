"""Which texts of a window are cut: measured by Qt itself, in the font that is set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ARROW = 24
"""Pixels that a combo box needs besides its text."""


def cut_texts(root: Any) -> list[str]:
    """Return the texts of the visible widgets below ``root`` that have less room than they need."""
    import qt

    widgets = [widget for widget in root.findChildren(qt.QtWidgets.QWidget) if widget.isVisibleTo(root)]
    return [text for widget in widgets for text in _cut(widget)]


def _cut(widget: Any) -> Iterator[str]:
    import qt

    if isinstance(widget, qt.QtWidgets.QLabel):
        short = widget.height < widget.heightForWidth(widget.width)
        if short if widget.wordWrap else widget.width < widget.sizeHint().width():
            yield widget.text
    elif isinstance(widget, qt.QtWidgets.QPushButton | qt.QtWidgets.QCheckBox):
        if widget.width < widget.minimumSizeHint().width():
            yield widget.text
    elif isinstance(widget, qt.QtWidgets.QComboBox):
        # One that lists names which nobody can foresee shortens them with an ellipsis.
        shortens = widget.sizeAdjustPolicy == widget.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        if not shortens and widget.width < widget.fontMetrics().horizontalAdvance(widget.currentText) + ARROW:
            yield widget.currentText
    elif isinstance(widget, qt.QtWidgets.QHeaderView):
        yield from _cut_titles(widget)


def _cut_titles(header: Any) -> Iterator[str]:
    import qt

    if header.isVisible() and header.orientation() == qt.Qt.Horizontal:
        for section in range(header.count()):
            title = str(header.model().headerData(section, qt.Qt.Horizontal))
            if header.sectionSize(section) < header.fontMetrics().horizontalAdvance(title):
                yield title
