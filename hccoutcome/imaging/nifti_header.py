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

_BITS = {2: 8, 4: 16, 8: 32, 16: 32, 32: 64, 64: 64, 128: 24, 256: 8, 512: 16, 768: 32, 1024: 64, 1280: 64, 2304: 32}
"""Bits a voxel by the code of its type."""
_FLOATS = {16: "f4", 64: "f8"}
_BLOCK = 1 << 22


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
    if not 1 <= dims[0] <= 7 or bits != _BITS.get(kind):
        raise ValueError(f"{dims[0]} dimensions of voxel type {kind} with {bits} bits")
    sizes = dims[1 : dims[0] + 1]
    check_sizes(path, sizes)
    check_spacing(path, steps)
    if struct.unpack(order + "h", head[254:256])[0] > 0:
        _check_sform(path, np.reshape(struct.unpack(order + "12f", head[280:328]), (3, 4))[:, :3], steps)
    data = paired_data(path)
    number = np.dtype(order + _FLOATS[kind]) if kind in _FLOATS else None
    _check_voxels(data, offset if data == path else 0, math.prod(sizes) * bits // 8, number)


def _check_sform(path: Path, matrix: np.ndarray, steps: Sequence[float]) -> None:
    """Refuse a matrix from index to mm that is singular or states another voxel size than the header's own."""
    check_axes(path, matrix)
    lengths = np.linalg.norm(matrix, axis=0)
    if not np.allclose(lengths, steps, rtol=0.01):
        raise InputError(
            f"'{path.name}' was expected to state one voxel size, found {in_mm(steps)} (pixdim) and {in_mm(lengths)} "
            "(sform): write the file again with the right one."
        )


def _check_voxels(data: Path, offset: int, length: int, number: np.dtype | None) -> None:
    """Refuse voxels that are cut short, damaged or (where they are floating-point numbers) not finite.

    The library behind SimpleITK reads missing and damaged voxels, NaN and infinity as zero without a word. A packed
    file is therefore unpacked once to its end, where its checksum stands.
    """
    found, wrong = data.stat().st_size, 0
    if is_gzip(data) or number is not None:
        found, wrong = _count(data, offset, number)
    if found < offset + length:
        raise InputError(truncated(data, offset + length, found))
    if wrong and number is not None:
        raise InputError(not_finite(data, wrong, length // number.itemsize))


def _count(data: Path, offset: int, number: np.dtype | None) -> tuple[int, int]:
    """Return the number of unpacked bytes in a file and of numbers behind the offset that are not finite."""
    found, wrong = 0, 0
    with gzip.open(data, "rb") if is_gzip(data) else data.open("rb") as file:
        try:
            found = len(file.read(offset))
            while block := file.read(_BLOCK):
                found += len(block)
                if number is not None:
                    values = np.frombuffer(block[: len(block) // number.itemsize * number.itemsize], number)
                    wrong += values.size - int(np.count_nonzero(np.isfinite(values)))
        except EOFError:
            return found, wrong
        except (OSError, zlib.error) as error:
            raise InputError(
                f"'{data.name}' was expected to unpack, but its packed data are damaged: copy it again from its source."
            ) from error
    return found, wrong


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
