"""Check a NIfTI file before it is read (https://nifti.nimh.nih.gov/nifti-1)."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hccoutcome.errors import InputError
from hccoutcome.imaging.header_rules import (
    check_axes,
    check_sizes,
    check_spacing,
    first_bytes,
    in_mm,
    is_gzip,
    not_finite,
    truncated,
)

_FLOATS = {16: "f4", 64: "f8"}  # codes of the floating-point voxel types


def nifti_order(start: bytes) -> str | None:
    """Return the byte order (``<`` or ``>``) of a NIfTI-1 or NIfTI-2 header, or None where it is none."""
    if len(start) < 348:
        return None
    for order in "<>":
        size = struct.unpack(order + "i", start[:4])[0]
        if (size == 348 and start[344:347] in (b"n+1", b"ni1")) or (size == 540 and start[4:7] in (b"n+2", b"ni2")):
            return order
    return None


def check_nifti(path: Path) -> None:
    """Refuse a NIfTI file that is not 3D, not placed in space by one voxel size, cut short or not finite.

    Raises:
        InputError: the first of these that is found, or NIfTI-2, which SimpleITK cannot read.
    """
    head = first_bytes(path, 348)
    order = nifti_order(head) or "<"
    if struct.unpack(order + "i", head[:4])[0] != 348:
        raise InputError(f"'{path.name}' was expected to be NIfTI-1, found NIfTI-2: convert it to NIfTI-1 or NRRD.")
    dims = struct.unpack(order + "8h", head[40:56])
    kind, bits = struct.unpack(order + "2h", head[70:74])
    steps = struct.unpack(order + "8f", head[76:108])[1:4]
    offset = int(struct.unpack(order + "f", head[108:112])[0])
    sizes = dims[1 : dims[0] + 1]
    check_sizes(path, sizes)
    check_spacing(path, steps)
    if struct.unpack(order + "h", head[254:256])[0] > 0:
        _check_sform(path, np.reshape(struct.unpack(order + "12f", head[280:328]), (3, 4))[:, :3], steps)
    data = paired_data(path)
    offset = offset if data == path else 0
    _check_length(data, offset + math.prod(sizes) * bits // 8)
    if kind in _FLOATS and (count := _not_finite(data, offset, np.dtype(order + _FLOATS[kind]))):
        raise InputError(not_finite(path, count, math.prod(sizes)))


def _check_sform(path: Path, matrix: np.ndarray, steps: Sequence[float]) -> None:
    """Refuse a matrix from index to mm that is singular or states another voxel size than the header's own."""
    check_axes(path, matrix)
    lengths = np.linalg.norm(matrix, axis=0)
    if not np.allclose(lengths, steps, rtol=0.01):
        raise InputError(
            f"'{path.name}' was expected to state one voxel size, found {in_mm(steps)} (pixdim) and {in_mm(lengths)} "
            "(sform): write the file again with the right one."
        )


def _check_length(data: Path, expected: int) -> None:
    found = _unpacked_length(data, expected)
    if found < expected:
        raise InputError(truncated(data, expected, found))


def _not_finite(path: Path, offset: int, dtype: np.dtype) -> int:
    """Count NaN and infinite voxels in the file itself: the library behind SimpleITK reads them as zero."""
    count = 0
    with gzip.open(path, "rb") if is_gzip(path) else path.open("rb") as file:
        file.seek(offset)
        while block := file.read(1 << 22):
            values = np.frombuffer(block[: len(block) // dtype.itemsize * dtype.itemsize], dtype)
            count += values.size - int(np.count_nonzero(np.isfinite(values)))
    return count


def paired_data(path: Path) -> Path:
    """Return the file that holds the voxels: the ``.img`` beside a ``.hdr``, otherwise the file itself."""
    if first_bytes(path, 348)[344:347] != b"ni1":
        return path
    for name in (path.name.replace(".hdr", ".img"), path.name.replace(".hdr", ".img") + ".gz"):
        if name != path.name and path.with_name(name).is_file():
            return path.with_name(name)
    raise InputError(
        f"'{path.name}' is a header whose voxels were expected in an .img file beside it, found none: copy both files."
    )


def _unpacked_length(path: Path, expected: int) -> int:
    """Return the number of bytes in a file after unpacking; unpacks only where its last four bytes do not tell."""
    length = path.stat().st_size
    if is_gzip(path):
        with path.open("rb") as file:
            file.seek(-min(4, length), 2)
            announced = int.from_bytes(file.read(4), "little")
        return expected if announced == expected % 2**32 else _unpack_and_count(path)
    return length


def _unpack_and_count(path: Path) -> int:
    count = 0
    with gzip.open(path, "rb") as file:
        try:
            while block := file.read(1 << 22):
                count += len(block)
        except EOFError:
            return count
        except (OSError, zlib.error) as error:
            raise InputError(
                f"'{path.name}' was expected to unpack, but its packed data are damaged: copy it again from its source."
            ) from error
    return count
