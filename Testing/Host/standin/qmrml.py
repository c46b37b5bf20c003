"""Stand-ins for Slicer's own widgets, after the headers in Slicer/Libs/MRML/Widgets; they work on a real MRML scene."""

from __future__ import annotations

from typing import Any

import qt
from PySide6.QtCore import Property, Signal
from vtkmodules.util.vtkConstants import VTK_OBJECT

from standin.strict import own


def _with_node(slot: Any) -> Any:
    """Return an observer of a scene that hands the node of an event to a slot."""

    def observer(caller: Any, event: str, node: Any) -> None:
        slot(node)

    observer.CallDataType = VTK_OBJECT
    return observer


@own
class qMRMLWidget(qt.QWidget):
    """qMRMLWidget.h: keeps the scene and tells it to whoever is connected to ``mrmlSceneChanged``."""

    mrmlSceneChanged = Signal(object)
    SIGNATURES = frozenset({"mrmlSceneChanged(vtkMRMLScene*)"})

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._scene = None
        self._entered = False

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> Any:
        return self._scene

    # qSlicerAbstractModuleWidget.h: whether the module is the one shown.
    isEntered = property(lambda self: self._entered)


@own
class qMRMLNodeComboBox(qt.QWidget):
    """qMRMLNodeComboBox.h: chooses a node of the scene; follows nodes that come, go and change their names."""

    currentNodeChanged = Signal(object)
    SIGNATURES = frozenset({"currentNodeChanged(vtkMRMLNode*)"})

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._scene, self._tags = None, []
        self._types: list[str] = []
        self._attributes: list[tuple[str, str, str]] = []
        self._flags = {"noneEnabled": False, "addEnabled": True, "removeEnabled": True, "renameEnabled": False}
        self._children, self._none = True, "None"
        self._ids: list[str] = []
        self._reported = ""
        layout = qt.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._box = qt.QComboBox(self)
        # A long name is elided and does not widen the panel.
        self._box.setSizeAdjustPolicy(self._box.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._box.setMinimumContentsLength(12)
        layout.addWidget(self._box)
        self._box.connect("currentIndexChanged(int)", self._report)
        self.setEnabled(False)

    def setMRMLScene(self, scene: Any) -> None:
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene, self._tags = scene, []
        if scene is not None:
            whole = (scene.EndImportEvent, scene.EndCloseEvent)
            self._tags = [scene.AddObserver(event, lambda caller, event: self._populate()) for event in whole]
            one = (scene.NodeAddedEvent, scene.NodeRemovedEvent)
            self._tags += [scene.AddObserver(event, _with_node(self._on_node)) for event in one]
        self.setEnabled(scene is not None)
        self._populate()

    def mrmlScene(self) -> Any:
        return self._scene

    def currentNode(self) -> Any:
        identifier = self._current_id()
        return self._scene.GetNodeByID(identifier) if identifier else None

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentNodeID("" if node is None else node.GetID())

    def setCurrentNodeID(self, identifier: str) -> None:
        if identifier in self._ids:
            self._box.setCurrentIndex(self._ids.index(identifier))
        else:
            self._box.setCurrentIndex(self._ids.index("") if "" in self._ids else -1)

    def setNodeTypes(self, types: list[str]) -> None:
        self._types = list(types)
        self._populate()

    def addAttribute(self, node_type: str, name: str, value: str) -> None:
        """Show nodes of a type only where they have this attribute."""
        self._attributes.append((node_type, name, value))
        self._populate()

    def nodeCount(self) -> int:
        return len([identifier for identifier in self._ids if identifier])

    def _current_id(self) -> str:
        index = self._box.currentIndex
        return self._ids[index] if 0 <= index < len(self._ids) else ""

    def _nodes(self) -> list[Any]:
        if self._scene is None:
            return []
        nodes = [self._scene.GetNthNode(index) for index in range(self._scene.GetNumberOfNodes())]
        return [node for node in nodes if not node.GetHideFromEditors() and self._shows(node)]

    def _shows(self, node: Any) -> bool:
        wanted = [(name, value) for kind, name, value in self._attributes if node.IsA(kind)]
        if any(node.GetAttribute(name) != value for name, value in wanted):
            return False
        if self._children:
            return any(node.IsA(name) for name in self._types)
        return node.GetClassName() in self._types

    def _on_node(self, node: Any) -> None:
        """A node came or went: only one of the types that are shown here matters."""
        if any(node.IsA(name) for name in self._types):
            self._populate()

    def _populate(self) -> None:
        if self._scene is not None and (self._scene.IsImporting() or self._scene.IsClosing()):
            return
        current, nodes = self._current_id(), self._nodes()
        self._box.blockSignals(True)
        self._box.clear()
        self._ids = [""] if self._flags["noneEnabled"] else []
        self._box.addItems([self._none] * len(self._ids) + [node.GetName() for node in nodes])
        self._ids += [node.GetID() for node in nodes]
        self._box.setCurrentIndex(self._ids.index(current) if current in self._ids else (0 if self._ids else -1))
        self._box.blockSignals(False)
        self._report()

    def _report(self, index: int = -1) -> None:
        if self._current_id() != self._reported:
            self._reported = self._current_id()
            self.currentNodeChanged.emit(self.currentNode())

    def _set_flag(self, name: str, value: bool) -> None:
        self._flags[name] = bool(value)
        self._populate()

    def _set_children(self, shown: bool) -> None:
        self._children = bool(shown)
        self._populate()

    def _set_none(self, text: str) -> None:
        self._none = text
        self._populate()

    nodeTypes = Property("QStringList", lambda self: self._types, setNodeTypes)
    noneDisplay = Property(str, lambda self: self._none, _set_none)
    showChildNodeTypes = Property(bool, lambda self: self._children, _set_children)
    noneEnabled = Property(
        bool, lambda self: self._flags["noneEnabled"], lambda self, value: self._set_flag("noneEnabled", value)
    )
    addEnabled = Property(
        bool, lambda self: self._flags["addEnabled"], lambda self, value: self._set_flag("addEnabled", value)
    )
    removeEnabled = Property(
        bool, lambda self: self._flags["removeEnabled"], lambda self, value: self._set_flag("removeEnabled", value)
    )
    renameEnabled = Property(
        bool, lambda self: self._flags["renameEnabled"], lambda self, value: self._set_flag("renameEnabled", value)
    )


WIDGETS = (qMRMLWidget, qMRMLNodeComboBox)
qt.QUiLoader.custom.update({cls.__name__: cls for cls in WIDGETS})
