"""What is costly to compute from images is kept on disk under the hash of all that it depends on.

An entry is one ``.npz`` of plain arrays (never pickled objects) with its description as JSON; it is written atomically,
read with its checksum, and the entries that were not used for longest go when the folder outgrows its limit.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hccoutcome.deep.frames import Frame
from hccoutcome.deep.inputs import ORIGINS, NetworkInput, Plane, digest
from hccoutcome.errors import InputError
from hccoutcome.files import write_atomically
from hccoutcome.strict_json import parse_json

VERSION = 1
"""Of the computations behind the entries: raised when one of them gives other numbers, so that old entries die out."""
LIMIT = 4 * 1024**3
_DESCRIPTION = "description"
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Cache:
    """A folder of computed arrays.

    Attributes:
        folder: where they lie; it is made when the first is written.
        limit: bytes that they may take together; the newest entry stays in any case.
    """

    folder: Path
    limit: int = LIMIT

    def arrays(self, key: str, compute: Callable[[], tuple[Arrays, Mapping[str, Any]]]) -> tuple[Arrays, Any]:
        """Return the arrays under a key with their description, computed where they are not there or damaged.

        Args:
            key: hexadecimal hash of all that they depend on (``inputs.digest``).
            compute: gives arrays by name and a description as JSON data.
        """
        path = self.folder / f"{digest(str(VERSION), key)}.npz"
        found = _read(path)
        if found is not None:
            with suppress(OSError):
                path.touch()
            return found
        arrays, description = compute()
        _write(path, arrays, description)
        self._trim(path)
        return arrays, description

    def _trim(self, newest: Path) -> None:
        """Remove the entries that were not used for longest until the rest fits; another process may do the same."""
        entries = []
        for path in self.folder.glob("*.npz"):
            with suppress(OSError):
                entries.append((path.stat().st_mtime_ns, path.name, path.stat().st_size, path))
        total = sum(entry[2] for entry in entries)
        for _, _, size, path in sorted(entries):
            if total <= self.limit:
                break
            if path != newest:
                with suppress(OSError):
                    path.unlink()
                total -= size


def _read(path: Path) -> tuple[Arrays, Any] | None:
    """Return an entry; None where there is none or it is damaged."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        description = parse_json(arrays.pop(_DESCRIPTION).tobytes(), path.name)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, InputError):
        return None
    return arrays, description


def _write(path: Path, arrays: Arrays, description: Mapping[str, Any]) -> None:
    text = json.dumps(description, allow_nan=False).encode("utf-8")
    entries: dict[str, Any] = {**arrays, _DESCRIPTION: np.frombuffer(text, np.uint8)}

    def save(partial: Path) -> None:
        with partial.open("wb") as file:
            np.savez(file, **entries)

    write_atomically(path, save)


def cached_input(
    cache: Cache | None, key: Callable[[], tuple[Any, ...]], compute: Callable[[], NetworkInput]
) -> NetworkInput:
    """Return what a network sees of a case, from the cache where it was computed before.

    Args:
        cache: where it is kept; None computes it.
        key: everything that it depends on, e.g. ``selection_key``.
        compute: computes it.
    """
    if cache is None:
        return compute()
    arrays, description = cache.arrays(digest(*key()), lambda: _packed(compute()))
    return _unpacked(arrays, description)


def _packed(seen: NetworkInput) -> tuple[Arrays, Mapping[str, Any]]:
    placed = [plane.frame for plane in seen.planes if plane.frame is not None]
    affines = np.array([frame.affine for frame in placed]).reshape(-1, 4, 4)
    description = {
        "planes": [
            {
                "phase": plane.phase,
                "offset": plane.offset,
                "origin": plane.origin,
                "present": plane.present,
                "size": None if plane.frame is None else list(plane.frame.size),
            }
            for plane in seen.planes
        ],
        "notes": list(seen.notes),
    }
    return {"pixels": seen.pixels, "affines": affines}, description


def _unpacked(arrays: Arrays, description: Any) -> NetworkInput:
    affines = iter(arrays["affines"])
    planes = [
        Plane(
            said["phase"],
            said["offset"],
            None if said["size"] is None else Frame(next(affines), (said["size"][0], said["size"][1])),
            ORIGINS[ORIGINS.index(said["origin"])],
            said["present"],
        )
        for said in description["planes"]
    ]
    return NetworkInput(arrays["pixels"], tuple(planes), tuple(description["notes"]))
