"""Files appear whole or not at all, and a folder that cannot be written to is named."""

from __future__ import annotations

import errno
import math
from pathlib import Path

import pytest

from hccoutcome.errors import EnvironmentNeeded
from hccoutcome.files import sha256_of_json, write_atomically, write_csv, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = write_json(tmp_path / "a.json", {"old": 1})

    def fail_midway(path: Path) -> None:
        path.write_text("half")
        raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        write_atomically(target, fail_midway)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert "old" in target.read_text()


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "disk of '.*' is full"),
        (errno.EFBIG, "disk of '.*' is full"),
        (errno.EROFS, "cannot be written to"),
        (errno.EACCES, "cannot be written"),
    ],
)
def test_the_operating_system_s_refusal_becomes_a_sentence(tmp_path: Path, number: int, sentence: str) -> None:
    def refuse(path: Path) -> None:
        raise OSError(number, "refused")

    with pytest.raises(EnvironmentNeeded, match=sentence):
        write_atomically(tmp_path / "a", refuse)
    assert not list(tmp_path.iterdir())


def test_a_really_full_disk_is_named() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    from hccoutcome.files import explained_write_errors

    with pytest.raises(EnvironmentNeeded, match="is full"), explained_write_errors(Path("out")), full.open("w") as file:
        file.write("x")


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentNeeded, match="A file stands where the folder"):
        write_json(tmp_path / "file" / "a.json", {})


def test_the_folder_of_a_file_is_made(tmp_path: Path) -> None:
    assert write_json(tmp_path / "new" / "folder" / "a.json", {}).read_text() == "{}\n"


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentNeeded, match=r"A folder stands where the file '.*' should be"):
        write_json(tmp_path, {})


def test_json_refuses_what_json_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": math.nan})


def test_a_table_keeps_every_digit(tmp_path: Path) -> None:
    value = 0.1 + 0.2
    path = write_csv(tmp_path / "a.csv", ["x", "y"], [{"x": value}])
    assert path.read_text() == f"x,y\n{value!r},\n"


def test_the_hash_of_data_does_not_depend_on_the_order_of_keys() -> None:
    assert sha256_of_json({"a": 1, "b": [1, 2]}) == sha256_of_json({"b": [1, 2], "a": 1})
    assert sha256_of_json({"a": 1}) != sha256_of_json({"a": 2})
