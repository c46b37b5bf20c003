"""PythonQt's manners on PySide6 classes: Qt properties are attributes, signals connect by their C++ signature.

What PythonQt would refuse is refused here too: an unknown attribute (read or set), an unknown signal, a slot that is
not callable. Stand-ins are Python subclasses, because PySide6 only honours a ``connect`` in a class's own ``__dict__``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from PySide6 import QtCore

# Virtual methods that C++ calls by these names: they stay methods, as PythonQt code never reads them as attributes.
_VIRTUAL = {"sizeHint", "minimumSizeHint"}

_LOADING: list[None] = []


@contextmanager
def loading() -> Iterator[None]:
    """While a .ui file is read: PySide6 hangs every child on the root widget as an attribute, PythonQt does not."""
    _LOADING.append(None)
    try:
        yield
    finally:
        _LOADING.pop()


def _property(base: type, name: str) -> property:
    getter = getattr(base, name, None)
    setter = getattr(base, "set" + name[0].upper() + name[1:], None)

    def read(self: Any) -> Any:
        return getter(self) if callable(getter) else self.property(name)

    def write(self: Any, value: Any) -> None:
        if setter is not None:
            setter(self, value)
        elif not self.setProperty(name, value):
            raise AttributeError(f"{type(self).__name__}.{name} cannot be set")

    return property(read, write)


def _signal(widget: Any, signature: str) -> tuple[Any, int]:
    """Return the bound signal of that C++ signature and how many arguments its slots get."""
    declared = getattr(type(widget), "SIGNATURES", {})
    normalized = QtCore.QMetaObject.normalizedSignature(signature).data().decode()
    name, _, arguments = normalized.partition("(")
    if normalized not in declared and widget.metaObject().indexOfSignal(normalized) < 0:
        raise ValueError(f"{type(widget).__name__} has no signal {signature}")
    count = len([word for word in arguments.rstrip(")").split(",") if word])
    return getattr(widget, name), count


def connect(self: Any, signature: str, slot: Callable[..., None]) -> bool:
    """``widget.connect("clicked(bool)", slot)``: the slot gets as many arguments as the signature names."""
    if not callable(slot):
        raise TypeError(f"{slot!r} is not callable")
    signal, count = _signal(self, signature)

    # PySide6 looks at how many arguments a slot takes.
    call = (lambda: slot(), lambda a: slot(a), lambda a, b: slot(a, b), None, lambda a, b, c, d: slot(a, b, c, d))[
        count
    ]
    signal.connect(call)
    self._connections.append((signature, slot, signal, call))
    return True


def disconnect(self: Any, signature: str, slot: Callable[..., None]) -> bool:
    """Undo one ``connect``; False where there was none."""
    for entry in self._connections:
        if entry[0] == signature and entry[1] == slot:
            entry[2].disconnect(entry[3])
            self._connections.remove(entry)
            return True
    return False


def strict(base: type) -> type:
    """Return the stand-in of a PySide6 class: a subclass that behaves as PythonQt's wrapper of it does."""

    def initialise(self: Any, *arguments: Any) -> None:
        base.__init__(self, *arguments)
        base.__setattr__(self, "_connections", [])

    def set_attribute(self: Any, name: str, value: Any) -> None:
        if not name.startswith("_") and not hasattr(type(self), name):
            if _LOADING:
                return
            raise AttributeError(f"{type(self).__name__} has no attribute '{name}' and none can be added")
        base.__setattr__(self, name, value)

    namespace: dict[str, Any] = {
        "__init__": initialise,
        "__setattr__": set_attribute,
        "__module__": "qt",
        "connect": connect,
        "disconnect": disconnect,
        "className": lambda self: self.metaObject().className(),
    }
    meta = base.staticMetaObject
    for index in range(meta.propertyCount()):
        name = meta.property(index).name()
        if name.isidentifier() and name not in _VIRTUAL:
            namespace[name] = _property(base, name)
    namespace["PROPERTIES"] = frozenset(meta.property(index).name() for index in range(meta.propertyCount()))
    namespace["name"] = namespace["objectName"]
    return type(base)(base.__name__, (base,), namespace)


def own(cls: type) -> type:
    """Class decorator for stand-ins written in Python: gives the class a ``connect`` of its own."""
    cls.connect, cls.disconnect = connect, disconnect
    added = {name for name, value in vars(cls).items() if type(value) is QtCore.Property}
    cls.PROPERTIES = cls.PROPERTIES | added
    return cls
