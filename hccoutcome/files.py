"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hccoutcome.errors import EnvironmentNeeded, InputError

_NO_SPACE = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def explained_write_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a read-only folder or a file in the way into one sentence that names the folder.

    Raises:
        EnvironmentNeeded: in place of the OSError, or of what SimpleITK raises where it cannot write an image; other
            errors pass.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise EnvironmentNeeded(f"The disk of '{path}' is full: free some space and run again.") from error
        if error.errno in _NOT_WRITABLE:
            raise EnvironmentNeeded(f"'{path}' cannot be written to: choose another folder.") from error
        if isinstance(error, NotADirectoryError | FileExistsError):
            raise EnvironmentNeeded(f"A file stands where the folder '{path}' should be: choose another.") from error
        if isinstance(error, FileNotFoundError):
            raise EnvironmentNeeded(f"The folder '{path}' cannot be made: choose another.") from error
        raise
    except RuntimeError as error:
        # SimpleITK raises nothing narrower and names no cause.
        if "ImageFileWriter" not in str(error):
            raise
        raise EnvironmentNeeded(
            f"An image could not be written whole to '{path}': free some space, or choose another folder."
        ) from error


def check_target(path: Path) -> Path:
    """Make the folder of a file that is to be written, before the work that fills it, and return the file's path.

    Raises:
        EnvironmentNeeded: the folder cannot be made or written to, or a folder stands in the file's place.
    """
    if path.is_dir():
        raise EnvironmentNeeded(f"A folder stands where the file '{path}' should be: name a file in it.")
    with explained_write_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, "not writable", str(path.parent))
    return path


def check_not_replaced(targets: Iterable[Path], sources: Iterable[Path]) -> None:
    """Refuse to write a file over one that is read, or two results into one file.

    Args:
        targets: files that are to be written.
        sources: files that are read, and folders, in which no file may be replaced but a new one may be written.

    Raises:
        InputError: names the file.
    """
    read = {path.resolve() for path in sources}
    written: set[Path] = set()
    for path in targets:
        if path.resolve() in read or (path.exists() and not read.isdisjoint(path.resolve().parents)):
            raise InputError(f"A result is written beside what is read, found '{path}' for both: name another file.")
        if path.resolve() in written:
            raise InputError(f"Each result has a file of its own, found '{path}' for two: name another file.")
        written.add(path.resolve())


def write_atomically(path: Path, write: Callable[[Path], None]) -> Path:
    """Let ``write`` fill a file beside ``path`` and put it in place once it is complete.

    Raises:
        EnvironmentNeeded: the disk is full or the folder cannot be written to; nothing is left behind.
    """
    check_target(path)
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    with explained_write_errors(path.parent):
        try:
            write(partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    return path


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text with LF line ends atomically."""
    return write_atomically(path, lambda partial: _write_and_sync(partial, text))


def _write_and_sync(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, data: Any) -> Path:
    """Write JSON atomically; NaN and infinity are refused, since JSON has none."""
    return write_text(path, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write a table atomically: numbers with all their digits, missing values empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return write_text(path, text.getvalue())


def sha256_of(path: Path) -> str:
    """Return the SHA256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_json(data: Any) -> str:
    """Return the SHA256 of JSON data, the same for the same content whatever the order of its keys."""
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
