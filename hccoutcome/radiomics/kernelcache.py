"""Compiled kernels on disk follow their sources: all of them, not only the file that a kernel stands in."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

STAMP = "kernels.sha256"


def drop_stale_kernels(folder: Path) -> bool:
    """Remove the compiled kernels of a package folder where any of its sources changed; return whether it did.

    numba compiles a kernel again when the file that it stands in changed, but not when one did whose functions it took
    in, and would go on giving the old values. A cache that cannot be written to is not numba's either: nothing is done.

    Args:
        folder: folder of the sources; numba keeps its files in ``__pycache__`` there.
    """
    sources = sorted(folder.glob("*.py"))
    digest = hashlib.sha256(b"\0".join(path.name.encode() + path.read_bytes() for path in sources)).hexdigest()
    cache = folder / "__pycache__"
    stamp = cache / STAMP
    with suppress(OSError):
        if stamp.is_file() and stamp.read_text(encoding="ascii") == digest:
            return False
        cache.mkdir(exist_ok=True)
        for path in [*cache.glob("*.nbi"), *cache.glob("*.nbc")]:
            path.unlink(missing_ok=True)
        # The stamp comes last: a process that dies before it leaves nothing that is taken for fresh.
        stamp.write_text(digest, encoding="ascii")
        return True
    return False
