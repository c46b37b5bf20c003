"""Fitted scikit-learn models as bytes: the same model gives the same bytes, and reading them never runs code.

The container is that of skops. skops itself trusts every scikit-learn class and leaves trees unchecked, so a file is
judged here before skops sees it: fixed lists of node kinds and classes (what the file asks to be trusted is never
asked), every array of the size that its header states, and every tree's children and features within bounds, since
scikit-learn follows them without looking.
"""

from __future__ import annotations

import io
import json
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from hccoutcome.errors import EnvironmentNeeded, InputError

SCHEMA = "schema.json"
PROTOCOL = 2
LARGEST_MODEL = 40_000_000
MOST_MEMBERS = 10_000
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)

Node = Mapping[str, Any]

OBJECTS = frozenset(
    {
        "sklearn.dummy.DummyClassifier",
        "sklearn.ensemble._bagging.BaggingClassifier",
        "sklearn.ensemble._forest.RandomForestClassifier",
        "sklearn.ensemble._gb.GradientBoostingClassifier",
        "sklearn.ensemble._stacking.StackingClassifier",
        "sklearn.ensemble._weight_boosting.AdaBoostClassifier",
        "sklearn.linear_model._logistic.LogisticRegression",
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._data.StandardScaler",
        "sklearn.preprocessing._label.LabelEncoder",
        "sklearn.svm._classes.LinearSVC",
        "sklearn.tree._classes.DecisionTreeClassifier",
        "sklearn.tree._classes.DecisionTreeRegressor",
        "sklearn._loss.link.IdentityLink",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sksurv.ensemble.boosting.GradientBoostingSurvivalAnalysis",
        "sksurv.ensemble.forest.RandomSurvivalForest",
        "sksurv.ensemble.survival_loss.CoxPH",
        "sksurv.tree.tree.SurvivalTree",
    }
)
"""Classes whose attributes a file may fill."""

_TREE = "sklearn.tree._tree.Tree"
_LOSSES = frozenset({"sklearn._loss._loss.CyHalfBinomialLoss"})
_CONTAINERS = {
    "DictNode": frozenset({"builtins.dict", "sklearn.utils._bunch.Bunch"}),
    "ListNode": frozenset({"builtins.list"}),
    "TupleNode": frozenset({"builtins.tuple"}),
}
_ARRAYS = frozenset({"numpy.ndarray", *(f"numpy.{name}" for name in ("bool", "bool_", "int32", "int64", "float64"))})
_TYPES = frozenset({*(f"builtins.{name}" for name in ("str", "int", "float", "bool")), "numpy.float32", "numpy.int64"})
_TRUSTED = sorted({*OBJECTS, *_LOSSES, *_TYPES, *(_ARRAYS), *frozenset().union(*_CONTAINERS.values()), _TREE})
# What a damaged or hostile state makes the libraries raise while they build or use a model.
FAULTS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


# --- writing --------------------------------------------------------------------------------------------------------


def dump_model(model: Any) -> bytes:
    """Return a fitted model as bytes; the same fitted model gives the same bytes in every process.

    skops names arrays and objects after their addresses and keeps the padding of tree nodes as it lay in memory;
    here arrays are numbered in the order of their first use, equal ones are kept once, and padding is zero.

    Raises:
        InputError: the model holds something that no reader of packages would accept.
    """
    from skops.io import dumps

    with zipfile.ZipFile(io.BytesIO(dumps(model))) as source:
        schema = json.loads(source.read(SCHEMA))
        arrays = {name: _without_padding(source.read(name)) for name in source.namelist() if name != SCHEMA}
    order: dict[bytes, str] = {}
    renamed = {"_skops_version": "", **_renamed(schema, arrays, order)}
    members = {SCHEMA: json.dumps(renamed, separators=(",", ":")).encode(), **{n: b for b, n in order.items()}}
    _check_members({name: len(content) for name, content in members.items()}, "the model")
    _Judge(members, None).judge(renamed)
    return _zipped(members)


def _renamed(value: Any, arrays: Mapping[str, bytes], order: dict[bytes, str]) -> Any:
    """Return a schema without addresses, arrays named by the order of their first use."""
    if isinstance(value, list):
        return [_renamed(item, arrays, order) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _renamed(item, arrays, order) for key, item in value.items() if key != "__id__"}
    if value.get("type") == "numpy" and "file" in value:
        kept["file"] = order.setdefault(arrays[value["file"]], f"{len(order)}.npy")
    return kept


def _without_padding(content: bytes) -> bytes:
    """Return the bytes of an array whose padding between and after structured fields is zero."""
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.names is None:
        return content
    clean = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names:
        clean[name] = array[name]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()


def _zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, date_time=_ZIP_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o100644 << 16
            info.create_system = 3
            archive.writestr(info, content)
    return buffer.getvalue()


# --- reading --------------------------------------------------------------------------------------------------------


def load_model(content: bytes, where: str, features: int) -> Any:
    """Return the model that ``dump_model`` wrote.

    Args:
        content: the file's bytes.
        where: name of the file for messages.
        features: number of inputs that the model is going to be given; a tree that reads others is refused.

    Raises:
        InputError: not such a file, or anything in it that could do more than compute from ``features`` numbers.
        EnvironmentNeeded: the library that the model belongs to is not installed.
    """
    members = _members(content, where)
    try:
        _Judge(members, features).judge(json.loads(members[SCHEMA]))
    except FAULTS as error:
        if isinstance(error, InputError):
            raise InputError(f"{where}: {error}") from None
        raise InputError(f"{where} is not put together as a model file is: do not use it.") from error
    return _built(content, where)


def _built(content: bytes, where: str) -> Any:
    from skops.io import loads
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        with warnings.catch_warnings():
            # Another version of the library is not refused here: the package's stored results decide.
            warnings.simplefilter("ignore")
            return loads(content, trusted=_TRUSTED)
    except ModuleNotFoundError as error:
        raise EnvironmentNeeded(
            f"{where} needs the Python package '{error.name}', which is not installed here: install it and run again."
        ) from error
    except (UntrustedTypesFoundException, *FAULTS) as error:
        raise InputError(f"{where} cannot be put together with the libraries installed here: {error}.") from error


def _members(content: bytes, where: str) -> dict[str, bytes]:
    """Return the members of the container after judging their names and sizes."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            names = [info.orig_filename for info in infos]
            if len(set(names)) != len(names) or any(info.flag_bits & 0x1 for info in infos):
                raise InputError(f"{where} holds a member twice or encrypted: do not use it.")
            if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos):
                raise InputError(f"{where} is packed in an unusual way: do not use it.")
            _check_members({info.orig_filename: info.file_size for info in infos}, where)
            return {info.orig_filename: archive.read(info) for info in infos}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        raise InputError(f"{where} should be a model file and cannot be read: get the package again.") from error


def _check_members(sizes: Mapping[str, int], where: str) -> None:
    if SCHEMA not in sizes or len(sizes) > MOST_MEMBERS:
        raise InputError(f"{where} lacks its {SCHEMA} or holds more than {MOST_MEMBERS} members: do not use it.")
    if sum(sizes.values()) > LARGEST_MODEL:
        raise InputError(f"{where} unpacks to more than {LARGEST_MODEL // 1_000_000} MB: do not use it.")
    strange = [name for name in sizes if name != SCHEMA and not (name.endswith(".npy") and name[:-4].isdigit())]
    if strange:
        raise InputError(f"{where} holds {strange[0]!r}, which no model file needs: do not use it.")


class _Judge:
    """Walks the schema of a model file as skops would and refuses what is not on the lists of this file."""

    def __init__(self, members: Mapping[str, bytes], features: int | None) -> None:
        self._members = members
        self._features = features
        self._kinds: Mapping[str, Callable[[Node], Iterator[Node]]] = {
            "ObjectNode": self._object,
            "DictNode": self._dict,
            "ListNode": self._list,
            "TupleNode": self._list,
            "JsonNode": self._json,
            "NdArrayNode": self._array,
            "TypeNode": self._type,
            "TreeNode": self._tree,
            "LossNode": self._loss,
        }

    def judge(self, schema: Any) -> None:
        """Raise an InputError for the first node that is not allowed."""
        if schema["protocol"] != PROTOCOL:
            raise InputError(f"it has version {schema['protocol']!r} of the container, expected {PROTOCOL}")
        waiting = [schema]
        while waiting:
            node = waiting.pop()
            kind = self._kinds.get(node["__loader__"])
            # Objects that stand for one another could form a ring.
            if kind is None or "__id__" in node:
                raise InputError(f"it holds a {node['__loader__']!r} ({_name(node)}), which no model needs")
            waiting.extend(kind(node))

    def _object(self, node: Node) -> Iterator[Node]:
        _allow(node, OBJECTS)
        state = node["content"]
        if state["__loader__"] == "DictNode" and "n_jobs" in state["content"]:
            workers = state["content"]["n_jobs"]
            if workers["__loader__"] != "JsonNode" or json.loads(workers["content"]) not in (None, 1):
                raise InputError("it asks for more than one process")
        yield state

    def _dict(self, node: Node) -> Iterator[Node]:
        _allow(node, _CONTAINERS["DictNode"])
        yield node["key_types"]
        yield from node["content"].values()

    def _list(self, node: Node) -> Iterator[Node]:
        _allow(node, _CONTAINERS[node["__loader__"]])
        yield from node["content"]

    def _json(self, node: Node) -> Iterator[Node]:
        value = json.loads(node["content"])
        if not isinstance(value, str | int | float | bool | list | dict | None):
            raise InputError("it holds a value of an unknown kind")
        return iter(())

    def _array(self, node: Node) -> Iterator[Node]:
        _allow(node, _ARRAYS)
        if node["type"] == "json":
            yield node["shape"]
            yield from node["content"]
        else:
            self._stored(node)

    def _type(self, node: Node) -> Iterator[Node]:
        _allow(node, _TYPES)
        return iter(())

    def _loss(self, node: Node) -> Iterator[Node]:
        _allow(node, _LOSSES)
        yield node["__reduce__"]["args"]
        yield node["content"]

    def _tree(self, node: Node) -> Iterator[Node]:
        _allow(node, frozenset({_TREE}))
        features, classes, outputs = node["__reduce__"]["args"]["content"]
        state = node["content"]["content"]
        counts, nodes, values = self._stored(classes), self._stored(state["nodes"]), self._stored(state["values"])
        wanted = (json.loads(features["content"]), json.loads(outputs["content"]))
        if self._features is not None and wanted[0] != self._features:
            raise InputError(f"a tree reads {wanted[0]} inputs and {self._features} are given")
        shape = (len(nodes), wanted[1], int(counts.max(initial=0)))
        if counts.shape != (wanted[1],) or counts.min(initial=1) < 1 or values.shape != shape:
            raise InputError("a tree's sizes contradict each other")
        if json.loads(state["node_count"]["content"]) != len(nodes) or set(state) != _TREE_STATE:
            raise InputError("a tree has another number of nodes than it states")
        _check_nodes(nodes, wanted[0])
        yield node["__reduce__"]["args"]
        yield node["content"]

    def _stored(self, node: Node) -> np.ndarray:
        """Return a stored array, after its header was found to describe just the bytes that are there."""
        if node["__loader__"] != "NdArrayNode" or node["type"] != "numpy":
            raise InputError("it holds an array of an unknown kind")
        content = self._members[node["file"]]
        stream = io.BytesIO(content)
        if np.lib.format.read_magic(stream) != (1, 0):
            raise InputError("it holds an array of an unknown kind")
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=4096)
        size = dtype.itemsize
        for length in shape:
            size *= length
        if dtype.hasobject or size != len(content) - stream.tell():
            raise InputError(f"the array '{node['file']}' is not of the size that it states")
        return np.load(io.BytesIO(content), allow_pickle=False)


_TREE_STATE = {"max_depth", "node_count", "nodes", "values"}


def _allow(node: Node, names: frozenset[str]) -> None:
    if _name(node) not in names:
        raise InputError(f"it holds a {_name(node)!r}, which no model needs")


def _name(node: Node) -> str:
    return f"{node['__module__']}.{node['__class__']}"


def _check_nodes(nodes: np.ndarray, features: int) -> None:
    """Refuse a tree in which a step could lead out of its nodes, back, or to a feature that is not there."""
    left, right, feature = nodes["left_child"], nodes["right_child"], nodes["feature"]
    leaf = left == -1
    place = np.arange(len(nodes))
    inner = ~leaf
    ordered = (left > place) & (left < len(nodes)) & (right > place) & (right < len(nodes))
    known = (feature >= 0) & (feature < features)
    if nodes.ndim != 1 or not len(nodes) or not (np.all((ordered & known)[inner]) and np.all(right[leaf] == -1)):
        raise InputError("a tree's branches lead out of it")
