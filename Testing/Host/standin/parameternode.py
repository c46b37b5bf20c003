"""Stand-in for ``slicer.parameterNodeWrapper`` (Slicer/Base/Python/slicer/parameterNodeWrapper).

The same names in the parameter node, the same observed values and the same connections to widgets, for the types that
the modules use: str, bool, MRML nodes, list[str], dict[str, str], Choice, and packs of these. Any other is an error.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, MutableMapping, MutableSequence
from contextlib import contextmanager
from typing import Annotated, Any

import qt
import slicer
from vtkmodules.vtkCommonCore import vtkCommand

from standin.qmrml import qMRMLNodeComboBox

PARAMETER_NAME_PROPERTY = "SlicerParameterName"


class Choice:
    """Annotation: the value is one of these."""

    def __init__(self, choices: list[str]) -> None:
        self.choices = choices


class _Serializer:
    """How one type stands in the parameter node; ``split`` names become ``name.part``, as in Slicer."""

    def __init__(self, kind: Any, choice: Choice | None = None) -> None:
        self.kind, self.choice = kind, choice

    def default(self) -> Any:
        return self.kind()

    def validate(self, value: Any) -> None:
        if not isinstance(value, self.kind):
            raise TypeError(f"Value must be of type '{self.kind}', is type '{type(value)}' value '{value}'")
        if self.choice is not None and value not in self.choice.choices:
            raise ValueError(f"Value is {value}, but must be in one of the following: {self.choice.choices}")

    def is_in(self, node: Any, name: str) -> bool:
        return node.HasParameter(name)

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, str(value))

    def read(self, node: Any, name: str) -> Any:
        return self.kind(node.GetParameter(name))


class _BoolSerializer(_Serializer):
    def read(self, node: Any, name: str) -> bool:
        return node.GetParameter(name) == "True"


class _NodeSerializer(_Serializer):
    def default(self) -> None:
        return None

    def validate(self, value: Any) -> None:
        if value is not None:
            super().validate(value)

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, None if value is None else value.GetID())

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)


class _ObservedList(MutableSequence):
    """What reading a list gives: changing it changes the parameter node."""

    def __init__(self, save: Callable[[list[str]], None], values: list[str]) -> None:
        self._save, self._list = save, values

    def __eq__(self, other: object) -> bool:
        return self._list == (other._list if isinstance(other, _ObservedList) else other)

    __hash__ = None

    def __len__(self) -> int:
        return len(self._list)

    def __getitem__(self, index: Any) -> Any:
        return self._list[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self._list[index] = value
        self._save(self._list)

    def __delitem__(self, index: Any) -> None:
        del self._list[index]
        self._save(self._list)

    def insert(self, index: int, value: str) -> None:
        self._list.insert(index, value)
        self._save(self._list)


class _ListSerializer(_Serializer):
    def __init__(self) -> None:
        super().__init__((list, _ObservedList))

    def default(self) -> list[str]:
        return []

    def is_in(self, node: Any, name: str) -> bool:
        return node.HasParameter(f"{name}.len")

    def write(self, node: Any, name: str, value: Any) -> None:
        values = list(value)
        if not all(isinstance(item, str) for item in values):
            raise TypeError(f"Value must be of type '{str}' in {values}")
        with _one_event(node):
            for index in range(len(values), int(node.GetParameter(f"{name}.len") or 0)):
                node.UnsetParameter(f"{name}.{index}")
            for index, item in enumerate(values):
                node.SetParameter(f"{name}.{index}", item)
            node.SetParameter(f"{name}.len", str(len(values)))

    def read(self, node: Any, name: str) -> _ObservedList:
        values = [node.GetParameter(f"{name}.{index}") for index in range(int(node.GetParameter(f"{name}.len") or 0))]
        return _ObservedList(lambda items: self.write(node, name, items), values)


class _ObservedDict(MutableMapping):
    """What reading a dictionary gives; ``get`` takes no default, as in Slicer."""

    def __init__(self, save: Callable[[dict[str, str]], None], values: dict[str, str]) -> None:
        self._save, self._dict = save, values

    def __getitem__(self, key: str) -> str:
        return self._dict[key]

    def __setitem__(self, key: str, value: str) -> None:
        self._dict[key] = value
        self._save(self._dict)

    def __delitem__(self, key: str) -> None:
        del self._dict[key]
        self._save(self._dict)

    def __iter__(self) -> Iterator[str]:
        return iter(self._dict)

    def __len__(self) -> int:
        return len(self._dict)

    def get(self, key: str) -> str | None:
        return self._dict.get(key)


class _DictSerializer(_Serializer):
    def __init__(self) -> None:
        super().__init__((dict, _ObservedDict))

    def default(self) -> dict[str, str]:
        return {}

    def is_in(self, node: Any, name: str) -> bool:
        return node.HasParameter(f"{name}.len")

    def write(self, node: Any, name: str, value: Any) -> None:
        items = list(value.items())
        if not all(isinstance(word, str) for item in items for word in item):
            raise TypeError(f"Value must be of type '{str}' in {dict(items)}")
        with _one_event(node):
            for index in range(len(items), int(node.GetParameter(f"{name}.len") or 0)):
                node.UnsetParameter(f"{name}.{index}.0")
                node.UnsetParameter(f"{name}.{index}.1")
            for index, (key, word) in enumerate(items):
                node.SetParameter(f"{name}.{index}.0", key)
                node.SetParameter(f"{name}.{index}.1", word)
            node.SetParameter(f"{name}.len", str(len(items)))

    def read(self, node: Any, name: str) -> _ObservedDict:
        count = int(node.GetParameter(f"{name}.len") or 0)
        values = {node.GetParameter(f"{name}.{i}.0"): node.GetParameter(f"{name}.{i}.1") for i in range(count)}
        return _ObservedDict(lambda items: self.write(node, name, items), values)


class _PackSerializer(_Serializer):
    def is_in(self, node: Any, name: str) -> bool:
        first, serializer = next(iter(self.kind.allParameters.items()))
        return serializer.is_in(node, f"{name}.{first}")

    def write(self, node: Any, name: str, value: Any) -> None:
        with _one_event(node):
            for part, serializer in self.kind.allParameters.items():
                serializer.write(node, f"{name}.{part}", getattr(value, part))

    def read(self, node: Any, name: str) -> Any:
        values = {part: serializer.read(node, f"{name}.{part}") for part, serializer in self.kind.allParameters.items()}
        return _observed(self.kind, values, lambda pack: self.write(node, name, pack))


@contextmanager
def _one_event(node: Any) -> Iterator[None]:
    """Several changes, one Modified event: what ``slicer.util.NodeModify`` does."""
    with slicer.util.NodeModify(node):
        yield


def _serializer(annotated: Any) -> _Serializer:
    kind, *notes = typing.get_args(Annotated[annotated, None])[:-1]
    choice = next((note for note in notes if isinstance(note, Choice)), None)
    if kind is str:
        return _Serializer(kind, choice)
    if kind is bool:
        return _BoolSerializer(bool)
    if kind == list[str]:
        return _ListSerializer()
    if kind == dict[str, str]:
        return _DictSerializer()
    if getattr(kind, "_is_parameterPack", False):
        return _PackSerializer(kind)
    if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode):
        return _NodeSerializer(kind)
    raise TypeError(f"The stand-in knows no parameter of type {annotated}")


def _parameters(cls: type) -> dict[str, _Serializer]:
    return {name: _serializer(kind) for name, kind in typing.get_type_hints(cls, include_extras=True).items()}


def _default(cls: type, name: str, serializer: _Serializer) -> Any:
    given = cls.__dict__.get(name)
    return serializer.default() if given is None or isinstance(given, property) else given


def parameterPack(cls: type) -> type:
    """Class decorator: an aggregate of parameters."""
    parameters = _parameters(cls)
    defaults = {name: _default(cls, name, serializer) for name, serializer in parameters.items()}

    def initialise(self: Any, **values: Any) -> None:
        unknown = set(values) - set(parameters)
        if unknown:
            raise TypeError(f"__init__() got an unexpected keyword argument {unknown}")
        for name, value in {**defaults, **values}.items():
            setattr(self, name, value)

    def accessor(name: str) -> property:
        def write(self: Any, value: Any) -> None:
            parameters[name].validate(value)
            self.__dict__[name] = value

        return property(lambda self: self.__dict__[name], write)

    for name in parameters:
        setattr(cls, name, accessor(name))
    cls.__init__, cls.allParameters, cls._is_parameterPack = initialise, parameters, True
    return cls


def _observed(cls: type, values: dict[str, Any], save: Callable[[Any], None]) -> Any:
    """Return a pack that writes itself back whenever one of its parameters is set, and takes no new attributes."""

    def write(self: Any, name: str, value: Any) -> None:
        if not hasattr(cls, name):
            raise AttributeError(f"'{cls.__name__}' has no attribute '{name}' and none can be added")
        object.__setattr__(self, name, value)
        if self.__dict__.get("_frozen"):
            save(self)

    pack = type(cls.__name__, (cls,), {"__setattr__": write})(**values)
    pack.__dict__["_frozen"] = True
    return pack


def parameterNodeWrapper(cls: type) -> type:
    """Class decorator: typed access to a vtkMRMLScriptedModuleNode."""
    parameters = _parameters(cls)
    defaults = {name: _default(cls, name, serializer) for name, serializer in parameters.items()}

    def accessor(name: str, serializer: _Serializer) -> property:
        def write(self: Any, value: Any) -> None:
            serializer.validate(value)
            serializer.write(self.parameterNode, name, value)

        return property(lambda self: serializer.read(self.parameterNode, name), write)

    def initialise(self: Any, node: Any) -> None:
        self.parameterNode = node
        self._connections = {}
        self._updating = False
        for name, serializer in parameters.items():
            if not serializer.is_in(node, name):
                serializer.write(node, name, defaults[name])

    for name, serializer in parameters.items():
        setattr(cls, name, accessor(name, serializer))
    cls.__init__, cls.allParameters = initialise, parameters
    for method in (connectGui, connectParametersToGui, disconnectGui, getValue, setValue):
        setattr(cls, method.__name__, method)
    cls.AddObserver = lambda self, event, callback, priority=0.0: self.parameterNode.AddObserver(
        event, callback, priority
    )
    cls.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)
    cls.StartModify = lambda self: self.parameterNode.StartModify()
    cls.EndModify = lambda self, state: self.parameterNode.EndModify(state)
    return cls


def _walk(self: Any, name: str) -> tuple[Any, str, _Serializer]:
    """Return the object that holds a possibly dotted parameter, its last name and its serializer."""
    holder: Any = self
    *path, last = name.split(".")
    for part in path:
        holder = getattr(holder, part)
    if last not in holder.allParameters:
        raise ValueError(f"Cannot find a param with the given name: {name}")
    return holder, last, holder.allParameters[last]


def getValue(self: Any, name: str) -> Any:
    holder, last, _ = _walk(self, name)
    return getattr(holder, last)


def setValue(self: Any, name: str, value: Any) -> None:
    holder, last, _ = _walk(self, name)
    setattr(holder, last, value)


def connectGui(self: Any, gui: Any) -> int:
    """Connect every widget among ``gui``'s attributes that has a ``SlicerParameterName``."""
    widgets = {widget.property(PARAMETER_NAME_PROPERTY): widget for widget in vars(gui).values()}
    return connectParametersToGui(self, {name: widget for name, widget in widgets.items() if name})


def connectParametersToGui(self: Any, mapping: dict[str, Any]) -> int:
    connectors = {name: _Connector(widget, _walk(self, name)[2]) for name, widget in mapping.items()}
    for name, connector in connectors.items():
        connector.write(getValue(self, name))
        connector.watch(lambda name=name, connector=connector: _from_gui(self, name, connector))
    tag = max(self._connections, default=-1) + 1
    observer = self.AddObserver(vtkCommand.ModifiedEvent, lambda caller, event: _to_gui(self))
    self._connections[tag] = (connectors, observer)
    return tag


def disconnectGui(self: Any, tag: int | None) -> None:
    if tag in self._connections:
        connectors, observer = self._connections.pop(tag)
        for connector in connectors.values():
            connector.unwatch()
        self.RemoveObserver(observer)


def _from_gui(self: Any, name: str, connector: _Connector) -> None:
    if not self._updating:
        with slicer.util.NodeModify(self):
            setValue(self, name, connector.read())


def _to_gui(self: Any) -> None:
    if self._updating:
        return
    self._updating = True
    try:
        for connectors, _ in self._connections.values():
            for name, connector in connectors.items():
                connector.write(getValue(self, name))
    finally:
        self._updating = False


class _Connector:
    """Reads, writes and watches one widget, for the pairs of widget and type that the modules use."""

    def __init__(self, widget: Any, serializer: _Serializer) -> None:
        self._widget, self._serializer, self._callback = widget, serializer, None
        pairs = {
            (qt.QLineEdit, str): (lambda: widget.text, self._write_text, "textChanged(QString)"),
            (qt.QCheckBox, bool): (lambda: widget.checked, self._write_bool, "stateChanged(int)"),
            (qt.QComboBox, str): (lambda: widget.currentText, self._write_choice, "currentIndexChanged(int)"),
            (qMRMLNodeComboBox, slicer.vtkMRMLNode): (
                widget_node(widget),
                self._write_node,
                "currentNodeChanged(vtkMRMLNode*)",
            ),
        }
        kind = slicer.vtkMRMLNode if isinstance(serializer, _NodeSerializer) else serializer.kind
        if (type(widget), kind) not in pairs:
            raise RuntimeError(
                f"Unable to create GUI connector from datatype '{kind}' to widget type '{type(widget)}'."
            )
        self.read, self.write, self._signal = pairs[(type(widget), kind)]
        if kind is slicer.vtkMRMLNode:
            widget.nodeTypes = [serializer.kind().GetClassName()]
        if type(widget) is qt.QComboBox:
            if serializer.choice is None:
                raise RuntimeError("ComboBoxToStringableConnector requires the Choice annotation to be used.")
            widget.clear()
            widget.addItems(serializer.choice.choices)

    def watch(self, callback: Callable[[], None]) -> None:
        self._callback = lambda *values: callback()
        self._widget.connect(self._signal, self._callback)

    def unwatch(self) -> None:
        self._widget.disconnect(self._signal, self._callback)

    def _write_text(self, value: str) -> None:
        if value != self._widget.text:
            self._widget.text = value

    def _write_bool(self, value: bool) -> None:
        self._widget.checked = value

    def _write_choice(self, value: str) -> None:
        self._widget.currentIndex = self._serializer.choice.choices.index(value)

    def _write_node(self, value: Any) -> None:
        self._widget.setCurrentNode(value)


def widget_node(widget: Any) -> Callable[[], Any]:
    return lambda: widget.currentNode()
