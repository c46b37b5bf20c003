"""What the header of every image format must satisfy, each with its sentence."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hccoutcome.errors import InputError

GZIP = b"\x1f\x8b"


def first_bytes(path: Path, count: int) -> bytes:
    """Return the first bytes of a file, unpacked where it is gzip."""
    with path.open("rb") as file:
        start = file.read(count)
    if start[:2] != GZIP:
        return start
    try:
        with gzip.open(path, "rb") as file:
            return file.read(count)
    except (OSError, EOFError, zlib.error):
        return _start_of_damaged(path, count)


def _start_of_damaged(path: Path, count: int) -> bytes:
    """Return what can be unpacked of the first bytes of a gzip file that is cut short; empty where nothing can."""
    with path.open("rb") as file:
        packed = file.read(64 * 1024)
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(packed, count)
    except zlib.error:
        return b""


def is_gzip(path: Path) -> bool:
    """Say whether a file is packed with gzip, by its content."""
    with path.open("rb") as file:
        return file.read(2) == GZIP


def check_sizes(path: Path, sizes: Sequence[int]) -> None:
    """Refuse what is no 3D image of several slices; further dimensions of size 1 do not count.

    Raises:
        InputError: four dimensions, two, or a single slice.
    """
    trimmed = list(sizes)
    while len(trimmed) > 3 and trimmed[-1] == 1:
        trimmed.pop()
    if len(trimmed) > 3:
        shape = " x ".join(map(str, trimmed))
        raise InputError(
            f"'{path.name}' was expected to hold one 3D image, found {len(trimmed)} dimensions ({shape}): "
            "save each time point or sequence as a file of its own."
        )
    if len(trimmed) < 3 or min(trimmed) < 1 or trimmed[2] == 1:
        shape = " x ".join(map(str, trimmed)) or "no size"
        raise InputError(
            f"'{path.name}' was expected to hold a 3D image of several slices, found {shape}: give the whole volume."
        )


def check_spacing(path: Path, steps: Sequence[float]) -> None:
    """Refuse a voxel size (mm) that is zero, negative or no number.

    Raises:
        InputError: such a size.
    """
    if not all(math.isfinite(step) and step > 0 for step in steps):
        raise InputError(
            f"'{path.name}' was expected to have a positive voxel size along every axis, found {in_mm(steps)}: "
            "correct the header or export the image again."
        )


def check_axes(path: Path, matrix: np.ndarray) -> None:
    """Refuse axes (columns of a 3 x 3 matrix) that do not span the space.

    Raises:
        InputError: two axes are parallel, or one has no length.
    """
    lengths = np.linalg.norm(matrix, axis=0)
    if not np.isfinite(matrix).all() or (lengths == 0).any() or abs(np.linalg.det(matrix / lengths)) < 1e-3:
        raise InputError(
            f"'{path.name}' was expected to have three independent axes, but its orientation matrix is singular: "
            "correct the header or export the image again."
        )


def in_mm(steps: Sequence[float]) -> str:
    """Return a voxel size as text: ``0.78 x 0.78 x 2.5 mm``."""
    return " x ".join(f"{step:.4g}" for step in steps) + " mm"


def truncated(path: Path, expected: int, found: int) -> str:
    """Return the sentence for a file that holds fewer bytes than its header announces."""
    return (
        f"'{path.name}' is cut short: {expected:,} bytes were expected, found {max(found, 0):,}: "
        "copy it again from its source."
    )


def not_finite(path: Path, count: int, total: int) -> str:
    """Return the sentence for an image with NaN or infinite voxels."""
    return (
        f"'{path.name}' was expected to hold a finite number in every voxel, found {count:,} of {total:,} "
        "NaN or infinite: replace them (outside the body by the value of air) and save it again."
    )
