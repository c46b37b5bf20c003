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

from hccoutcome.errors import EnvironmentNeeded

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def explained_write_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a read-only folder or a file in the way into one sentence that names the folder.

    Raises:
        EnvironmentNeeded: in place of the OSError; other OSErrors pass.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise EnvironmentNeeded(f"The disk of '{path}' is full: free some space and run again.") from error
        if error.errno in _NOT_WRITABLE:
            raise EnvironmentNeeded(f"'{path}' cannot be written to: choose another folder.") from error
        if isinstance(error, (NotADirectoryError, FileExistsError)):
            raise EnvironmentNeeded(f"A file stands where the folder '{path}' should be: choose another.") from error
        raise


def write_atomically(path: Path, write: Callable[[Path], None]) -> Path:
    """Let ``write`` fill a file beside ``path`` and put it in place once it is complete.

    Raises:
        EnvironmentNeeded: the disk is full or the folder cannot be written to; nothing is left behind.
    """
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
