"""Stand-in for Slicer's ``qt`` module: exactly the classes that the modules use, nothing else."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any, ClassVar

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from standin.strict import loading, strict

Qt = QtCore.Qt
QUrl = QtCore.QUrl
QIcon = QtGui.QIcon
QColor = QtGui.QColor
QDesktopServices = QtGui.QDesktopServices
QListWidgetItem = QtWidgets.QListWidgetItem
QTableWidgetItem = QtWidgets.QTableWidgetItem
QHeaderView = QtWidgets.QHeaderView
QAbstractItemView = QtWidgets.QAbstractItemView

QFile = QtCore.QFile
QFile.ReadOnly = QtCore.QIODevice.OpenModeFlag.ReadOnly

QTimer = strict(QtCore.QTimer)
QApplication = strict(QtWidgets.QApplication)
QWidget = strict(QtWidgets.QWidget)
QVBoxLayout = strict(QtWidgets.QVBoxLayout)
QLabel = strict(QtWidgets.QLabel)
QPushButton = strict(QtWidgets.QPushButton)
QToolButton = strict(QtWidgets.QToolButton)
QLineEdit = strict(QtWidgets.QLineEdit)
QCheckBox = strict(QtWidgets.QCheckBox)
QComboBox = strict(QtWidgets.QComboBox)
QDoubleSpinBox = strict(QtWidgets.QDoubleSpinBox)
QListWidget = strict(QtWidgets.QListWidget)
QTableWidget = strict(QtWidgets.QTableWidget)
QProgressBar = strict(QtWidgets.QProgressBar)
QProgressDialog = strict(QtWidgets.QProgressDialog)
QMessageBox = QtWidgets.QMessageBox
QPlainTextEdit = strict(QtWidgets.QPlainTextEdit)


class QFileDialog:
    """PythonQt gives the path alone where PySide6 gives path and filter."""

    @staticmethod
    def getOpenFileName(parent: Any, title: str, folder: str, filters: str) -> str:
        return QtWidgets.QFileDialog.getOpenFileName(parent, title, folder, filters)[0]


_PLAIN = {
    cls.__name__: cls
    for cls in (
        QWidget,
        QLabel,
        QPushButton,
        QToolButton,
        QLineEdit,
        QCheckBox,
        QComboBox,
        QListWidget,
        QTableWidget,
        QProgressBar,
        QPlainTextEdit,
    )
}


class QUiLoader(QtUiTools.QUiLoader):
    """Loads a .ui file with the stand-ins as its widgets, and makes its connections by their C++ signatures."""

    custom: ClassVar[dict[str, type]] = {}

    def createWidget(self, class_name: str, parent: Any = None, name: str = "") -> Any:
        cls = self._class(class_name)
        widget = cls(parent) if parent is not None else cls()
        widget.setObjectName(name)
        return widget

    def _class(self, name: str) -> type:
        cls = self.custom.get(name) or _PLAIN.get(name)
        if cls is None:
            raise TypeError(f"The .ui file uses {name}, for which there is no stand-in")
        return cls

    def load(self, file: QtCore.QFile) -> Any:
        root = ElementTree.fromstring(file.readAll().data())
        for element in root.iter("widget"):
            _check_properties(element, self._class(element.get("class")))
        connections = root.find("connections")
        if connections is not None:
            root.remove(connections)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(root))
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        with loading():
            widget = super().load(buffer)
        for connection in connections if connections is not None else ():
            _connect(widget, *(connection.findtext(tag) for tag in ("sender", "signal", "receiver", "slot")))
        return widget


_OF_THE_LOADER = {"buddy"}
"""Entries of a .ui file that the loader itself understands, though no widget has a property of that name."""


def _check_properties(element: ElementTree.Element, cls: type) -> None:
    """Refuse a property that the widget does not have: Qt itself would only make a dynamic one of it."""
    for prop in element.findall("property"):
        known = prop.get("name") in cls.PROPERTIES | _OF_THE_LOADER
        if not known and prop.get("stdset") != "0":
            raise AttributeError(f"{element.get('class')} has no property '{prop.get('name')}'")


def _connect(root: Any, sender: str, signal: str, receiver: str, slot: str) -> None:
    widgets = {root.objectName: root} | {
        child.objectName: child for child in root.findChildren(QtWidgets.QWidget) if isinstance(child.objectName, str)
    }
    widgets[sender].connect(signal, getattr(widgets[receiver], slot.partition("(")[0]))
