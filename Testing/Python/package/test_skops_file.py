"""Model files: the same model gives the same bytes and comes back exactly; hostile files are refused."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.gaussian_process import GaussianProcessClassifier
from sksurv.ensemble import GradientBoostingSurvivalAnalysis, RandomSurvivalForest

from hccoutcome.errors import EnvironmentNeeded, InputError
from hccoutcome.package.skops_file import dump_model, load_model
from hccoutcome.response.candidates import CANDIDATES, configurations, fitted
from hccoutcome.survival.baselines import without_patients

ROOT = Path(__file__).resolve().parents[3]
DRAW = np.random.default_rng(0)
VALUES = DRAW.normal(size=(60, 4))
RESPONSE = VALUES[:, 0] + DRAW.normal(size=60) > 0
OUTCOME = np.array(
    list(zip(DRAW.random(60) < 0.7, DRAW.exponential(20, 60), strict=True)), [("event", bool), ("time", float)]
)


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(3, max_depth=3, random_state=0).fit(VALUES, RESPONSE)


@pytest.fixture(scope="module")
def content() -> bytes:
    return dump_model(forest())


def members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def changed(content: bytes, change: Any) -> bytes:
    """The file with its schema changed by a function of the schema."""
    files = members(content)
    schema = json.loads(files["schema.json"])
    change(schema)
    return packed({**files, "schema.json": json.dumps(schema).encode()})


def nodes(value: Any) -> list[dict[str, Any]]:
    """All nodes of a schema."""
    found = [value] if isinstance(value, dict) and "__loader__" in value else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return found + [node for item in inner for node in nodes(item)]


def trees(schema: Any) -> list[dict[str, Any]]:
    return [node for node in nodes(schema) if node["__loader__"] == "TreeNode"]


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


# --- round trips ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_every_candidate_of_prime_r_comes_back_exactly(candidate: str) -> None:
    configuration = configurations(candidate)[0]
    model = fitted(configuration, VALUES, RESPONSE, 0)
    expected = model.predict_proba(VALUES)
    found = load_model(dump_model(model), "both.skops", 4)
    np.testing.assert_array_equal(found.predict_proba(VALUES), expected)


@pytest.mark.parametrize(
    "model",
    [
        RandomSurvivalForest(5, low_memory=True, random_state=0),
        GradientBoostingSurvivalAnalysis(n_estimators=5, subsample=0.8, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_survival_ensembles_come_back_without_the_times_of_patients(model: Any) -> None:
    model = model.fit(VALUES, OUTCOME)
    expected = model.predict(VALUES)
    content = dump_model(without_patients(model))
    np.testing.assert_array_equal(load_model(content, "both.skops", 4).predict(VALUES), expected)
    numbers = [np.load(io.BytesIO(c)) for name, c in members(content).items() if name.endswith(".npy")]
    plain = np.concatenate([array.ravel() for array in numbers if array.dtype.names is None and array.dtype != bool])
    assert not set(OUTCOME["time"].tolist()) & set(plain.astype(float).tolist())


def test_the_same_model_gives_the_same_bytes_in_two_processes(content: bytes) -> None:
    code = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]); import test_skops_file as t;"
        "print(hashlib.sha256(t.dump_model(t.forest())).hexdigest())"
    )
    run = [sys.executable, "-c", code, str(Path(__file__).parent)]
    hashes = {
        subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip() for _ in range(2)
    }
    import hashlib

    assert hashes == {hashlib.sha256(content).hexdigest()}


def test_the_padding_of_tree_nodes_is_zero(content: bytes) -> None:
    """numpy writes the seven bytes after each node as they lie in memory."""
    found = 0
    for name, member in members(content).items():
        if name.endswith(".npy") and (array := np.load(io.BytesIO(member))).dtype.names:
            raw = np.frombuffer(array.tobytes(), np.uint8).reshape(-1, 64)
            assert not raw[:, 57:].any()
            found += 1
    assert found == 3


def test_members_have_no_times_and_no_addresses(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.namelist() == ["schema.json", *(f"{i}.npy" for i in range(len(archive.namelist()) - 1))]
        assert b"__id__" not in archive.read("schema.json")


def test_a_model_that_no_reader_accepts_is_not_written() -> None:
    with pytest.raises(InputError, match="GaussianProcessClassifier"):
        dump_model(GaussianProcessClassifier().fit(VALUES, RESPONSE))


# --- hostile files ----------------------------------------------------------------------------------------------------


def refuse(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_model(content, "both.skops", 4)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"}, "'FunctionNode' .os.system."),
        ({"__class__": "Popen", "__module__": "subprocess", "__loader__": "TypeNode"}, "'subprocess.Popen'"),
        ({"__class__": "eval", "__module__": "builtins", "__loader__": "TypeNode"}, "'builtins.eval'"),
        ({"__class__": "methodcaller", "__module__": "operator", "__loader__": "OperatorFuncNode"}, "'OperatorFuncN"),
        ({"__class__": "partial", "__module__": "functools", "__loader__": "PartialNode"}, "'PartialNode'"),
        ({"__class__": "SVC", "__module__": "sklearn.svm._classes", "__loader__": "ObjectNode"}, r"_classes\.SVC'"),
        ({"__class__": "x", "__module__": "y", "__loader__": "CachedNode", "__id__": 3}, "'CachedNode'"),
        ({"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "1", "__id__": 3}, "Json"),
        ({"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy",
          "file": "../../secret.npy"}, "is not put together"),
        ({"__class__": "bytes", "__module__": "builtins", "__loader__": "BytesNode", "file": "0.npy"}, "'BytesNode'"),
        ({"__loader__": "DictNode"}, "is not put together"),
        ([], "is not put together"),
        ({"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "{"}, "is not put toge"),
    ],
)  # fmt: skip
def test_foreign_nodes_are_refused_before_anything_is_built(content: bytes, node: Any, message: str) -> None:
    def plant(schema: dict[str, Any]) -> None:
        schema["content"]["content"]["verbose"] = node

    refuse(changed(content, plant), message)


def test_a_foreign_class_at_the_top_is_refused(content: bytes) -> None:
    refuse(changed(content, lambda s: s.update(__module__="os", __class__="system")), "holds a 'os.system', which")


def test_more_than_one_process_is_refused(content: bytes) -> None:
    def many(schema: dict[str, Any]) -> None:
        schema["content"]["content"]["n_jobs"]["content"] = "4000"

    refuse(changed(content, many), "it asks for more than one process")


def test_an_older_container_is_refused(content: bytes) -> None:
    refuse(changed(content, lambda s: s.update(protocol=0)), "has version 0 of the container, expected 2")


def replaced(content: bytes, name: str, member: bytes) -> bytes:
    return packed({**members(content), name: member})


def first_nodes(content: bytes) -> tuple[str, np.ndarray]:
    name = trees(json.loads(members(content)["schema.json"]))[0]["content"]["content"]["nodes"]["file"]
    return name, np.load(io.BytesIO(members(content)[name]))


@pytest.mark.parametrize(
    ("field", "value"),
    [("left_child", 10_000_000), ("left_child", 0), ("right_child", -5), ("feature", 4), ("feature", -7)],
)
def test_a_tree_whose_branches_lead_out_of_it_or_back_is_refused(content: bytes, field: str, value: int) -> None:
    name, array = first_nodes(content)
    array[field][0] = value
    refuse(replaced(content, name, npy(array)), "a tree's branches lead out of it")


def test_a_leaf_with_one_branch_is_refused(content: bytes) -> None:
    name, array = first_nodes(content)
    array["right_child"][np.flatnonzero(array["left_child"] == -1)[0]] = 1
    refuse(replaced(content, name, npy(array)), "a tree's branches lead out of it")


def test_a_tree_that_states_more_nodes_than_it_has_is_refused(content: bytes) -> None:
    def more(schema: dict[str, Any]) -> None:
        trees(schema)[0]["content"]["content"]["node_count"]["content"] = "4000"

    refuse(changed(content, more), "a tree has another number of nodes than it states")


def test_a_tree_of_more_inputs_than_are_given_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="a tree reads 4 inputs and 3 are given"):
        load_model(content, "both.skops", 3)


def test_a_tree_of_more_outputs_than_values_is_refused(content: bytes) -> None:
    def more(schema: dict[str, Any]) -> None:
        trees(schema)[0]["__reduce__"]["args"]["content"][2]["content"] = "500"

    refuse(changed(content, more), "a tree's sizes contradict each other")


@pytest.mark.parametrize("shape", [(10**9, 10**6), (3,), (-1, 4)])
def test_an_array_of_another_size_than_it_states_is_refused_unread(content: bytes, shape: tuple[int, ...]) -> None:
    name, array = first_nodes(content)
    member = npy(array)
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    text = str(header).encode().ljust(len(member[10:]) - array.nbytes - 1) + b"\n"
    forged = member[:8] + len(text).to_bytes(2, "little") + text + array.tobytes()
    refuse(replaced(content, name, forged), "is not of the size that it states")


def test_an_array_of_objects_is_refused_unread(content: bytes) -> None:
    name, _ = first_nodes(content)
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refuse(replaced(content, name, buffer.getvalue()), "is not of the size that it states")


@pytest.mark.parametrize("name", ["../0.npy", "evil.py", "/etc/passwd", "a.npy", "0.npz"])
def test_strange_members_are_refused(content: bytes, name: str) -> None:
    refuse(replaced(content, name, b"x"), "which no model file needs")


def test_a_bomb_is_refused_by_its_stated_size(content: bytes) -> None:
    refuse(replaced(content, "99.npy", bytes(60_000_000)), "unpacks to more than 40 MB: do not use it")


def test_too_many_members_are_refused(content: bytes) -> None:
    files = {**members(content), **{f"{i}.npy": b"" for i in range(10_001)}}
    refuse(packed(files), "or holds more than 10000 members")


def test_what_is_no_container_is_refused(content: bytes) -> None:
    refuse(b"PK\x03\x04nothing", "should be a model file and cannot be read")
    refuse(packed({"0.npy": b""}), r"lacks its schema\.json")
    refuse(replaced(content, "schema.json", b"[1, 2"), "is not put together as a model file is")
    refuse(replaced(content, "schema.json", b"[" * 100_000), "is not put together as a model file is")
    damaged = bytearray(content)
    damaged[len(damaged) // 3] ^= 0xFF
    refuse(bytes(damaged), "cannot be read|not put together|not of the size|lead out")


def test_a_member_that_stands_twice_is_refused(content: bytes) -> None:
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("0.npy", b"")
    refuse(buffer.getvalue(), "holds a member twice or encrypted")


def test_a_library_that_is_not_installed_is_named(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    import skops.io

    def absent(*_: Any, **__: Any) -> Any:
        raise ModuleNotFoundError("No module named 'sksurv'", name="sksurv")

    monkeypatch.setattr(skops.io, "loads", absent)
    with pytest.raises(EnvironmentNeeded, match="needs the Python package 'sksurv', which is not installed here"):
        load_model(content, "both.skops", 4)
