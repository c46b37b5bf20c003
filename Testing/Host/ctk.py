"""Stand-in for CTK's Python module: the widgets that the modules use, after CTK's headers of the same names."""

from __future__ import annotations

from typing import Any

import qt
from PySide6.QtCore import Property, Signal
from standin.strict import own


@own
class ctkCollapsibleButton(qt.QWidget):
    """CTK/Libs/Widgets/ctkCollapsibleButton.h: a titled group whose contents can be folded away."""

    contentsCollapsed = Signal(bool)
    SIGNATURES = frozenset({"contentsCollapsed(bool)"})

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._collapsed, self._hidden = False, []
        self._button = qt.QToolButton(self)
        self._button.setAutoRaise(True)
        self._button.setToolButtonStyle(qt.Qt.ToolButtonTextBesideIcon)
        self._button.setArrowType(qt.Qt.DownArrow)
        self._button.connect("clicked()", lambda: self.setCollapsed(not self._collapsed))
        self.setContentsMargins(0, self._button.sizeHint().height() + 2, 0, 0)

    def resizeEvent(self, event: Any) -> None:
        self._button.setGeometry(0, 0, self.width, self._button.sizeHint().height())

    def showEvent(self, event: Any) -> None:
        # The contents are often added after the button was collapsed.
        if self._collapsed:
            self._hide_contents()

    def setCollapsed(self, collapsed: bool) -> None:
        self._collapsed = bool(collapsed)
        self._button.setArrowType(qt.Qt.RightArrow if collapsed else qt.Qt.DownArrow)
        if collapsed:
            self._hide_contents()
        else:
            for child in self._hidden:
                child.setVisible(True)
            self._hidden = []
        self.contentsCollapsed.emit(self._collapsed)

    def _hide_contents(self) -> None:
        for child in self.children():
            if isinstance(child, qt.QtWidgets.QWidget) and child is not self._button and not child.isHidden():
                self._hidden.append(child)
                child.setVisible(False)

    def setText(self, text: str) -> None:
        self._button.setText(text)

    collapsed = Property(bool, lambda self: self._collapsed, setCollapsed)
    text = Property(str, lambda self: self._button.text, setText)


@own
class ctkPathLineEdit(qt.QWidget):
    """CTK/Libs/Widgets/ctkPathLineEdit.h: a path that is typed or browsed for."""

    currentPathChanged = Signal(str)
    Files, Dirs = 0x002, 0x001

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._filters = self.Files
        layout = qt.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._edit = qt.QLineEdit(self)
        layout.addWidget(self._edit)
        self._edit.connect("textChanged(QString)", self.currentPathChanged.emit)

    def setCurrentPath(self, path: str) -> None:
        self._edit.setText(path)

    currentPath = Property(str, lambda self: self._edit.text, setCurrentPath)
    filters = Property(int, lambda self: self._filters, lambda self, filters: setattr(self, "_filters", filters))


@own
class ctkSliderWidget(qt.QWidget):
    """CTK/Libs/Widgets/ctkSliderWidget.h: a number by a slider and a spin box; here the spin box alone."""

    valueChanged = Signal(float)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        layout = qt.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._box = qt.QDoubleSpinBox(self)
        self._box.setRange(0.0, 99.0)
        layout.addWidget(self._box)
        self._box.connect("valueChanged(double)", self.valueChanged.emit)

    def setValue(self, value: float) -> None:
        self._box.setValue(value)

    def _set(self, name: str, value: float) -> None:
        setattr(self._box, name, value)

    value = Property(float, lambda self: self._box.value, setValue)
    minimum = Property(float, lambda self: self._box.minimum, lambda self, value: self._set("minimum", value))
    maximum = Property(float, lambda self: self._box.maximum, lambda self, value: self._set("maximum", value))
    singleStep = Property(float, lambda self: self._box.singleStep, lambda self, value: self._set("singleStep", value))
    decimals = Property(int, lambda self: self._box.decimals, lambda self, value: self._set("decimals", value))


qt.QUiLoader.custom.update({cls.__name__: cls for cls in (ctkCollapsibleButton, ctkPathLineEdit, ctkSliderWidget)})
