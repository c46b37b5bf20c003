"""Check the headers of NIfTI, NRRD and MetaImage files before anything is read.

SimpleITK mends silently what must not be mended: it fills the end of a truncated NIfTI file with zeros, takes a voxel
size of zero as 1 mm and turns a negative one into a flipped axis. So the headers are read here as they are written.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from hccoutcome.errors import InputError

Kind = Literal["nifti", "nrrd", "meta", "dicom"]
_GZIP = b"\x1f\x8b"
_NIFTI_BYTES = {348: 348, 540: 540}


def image_kind(path: Path) -> Kind | None:
    """Return the format of a file by its content (never by its name), or None where it is none of those known."""
    start = _first_bytes(path, 352)
    if start.startswith(b"NRRD000"):
        return "nrrd"
    if _nifti_order(start) is not None:
        return "nifti"
    raw = start if start[:2] != _GZIP else b""
    if raw[128:132] == b"DICM" or re.match(rb"\x08\x00[\x00-\x20]\x00", raw):
        return "dicom"
    if re.match(rb"\s*(ObjectType|NDims|Comment)\s*=", raw):
        return "meta"
    return None


def _first_bytes(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        start = file.read(count)
    if start[:2] != _GZIP:
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


def check_header(path: Path, kind: Kind) -> None:
    """Refuse a NIfTI, NRRD or MetaImage file whose header is wrong or announces more voxels than the file holds.

    Raises:
        InputError: not three-dimensional, spacing not positive, singular axes, truncated, not understood.
    """
    check = {"nifti": _check_nifti, "nrrd": _check_nrrd, "meta": _check_meta}[kind]
    try:
        check(path)
    except InputError:
        raise
    except (ValueError, KeyError, struct.error) as error:
        raise InputError(
            f"'{path.name}' was expected to have a complete header, but it cannot be understood ({error}): "
            "copy it again from its source."
        ) from error


def files_of(path: Path, kind: Kind) -> tuple[Path, ...]:
    """Return the files that make up an image: the file itself, and the one with its voxels where that lies apart."""
    data = path
    if kind == "nifti":
        data = _paired_data(path)
    elif kind == "nrrd":
        fields = nrrd_fields(path)
        data = path.with_name(fields.get("data file", fields.get("datafile", path.name)))
    elif kind == "meta":
        name = _meta_fields(path)[0]["ElementDataFile"]
        data = path if name.upper() == "LOCAL" else path.with_name(name)
    return (path,) if data == path else (path, data)


# NIfTI (https://nifti.nimh.nih.gov/nifti-1; NIfTI-2 differs in the layout only)


def _nifti_order(start: bytes) -> str | None:
    """Return the byte order (``<`` or ``>``) of a NIfTI-1 or NIfTI-2 header, or None where it is none."""
    for order in "<>":
        size = struct.unpack(order + "i", start[:4])[0] if len(start) >= 348 else 0
        magic = start[344:348] if size == 348 else start[4:8]
        if size in _NIFTI_BYTES and magic[:3] in (b"n+1", b"ni1", b"n+2", b"ni2"):
            return order
    return None


def _check_nifti(path: Path) -> None:
    head = _first_bytes(path, 544)
    order = _nifti_order(head) or "<"
    second = struct.unpack(order + "i", head[:4])[0] == 540
    if len(head) < (540 if second else 348):
        raise InputError(_truncated(path, 540 if second else 348, len(head)))
    dims = struct.unpack(order + ("8q" if second else "8h"), head[16:80] if second else head[40:56])
    steps = struct.unpack(order + ("8d" if second else "8f"), head[104:168] if second else head[76:108])
    bits = struct.unpack(order + "h", head[14:16] if second else head[72:74])[0]
    offset = struct.unpack(order + ("q" if second else "f"), head[168:176] if second else head[108:112])[0]
    sizes = dims[1 : dims[0] + 1]
    _check_sizes(path, sizes)
    _check_spacing(path, steps[1:4])
    _check_sform(path, head, order, second, steps[1:4])
    _check_nifti_length(path, int(offset), math.prod(sizes) * bits // 8)


def _check_sform(path: Path, head: bytes, order: str, second: bool, steps: Sequence[float]) -> None:
    code = struct.unpack(order + ("i" if second else "h"), head[348:352] if second else head[254:256])[0]
    if code <= 0:
        return
    rows = struct.unpack(order + ("12d" if second else "12f"), head[400:496] if second else head[280:328])
    matrix = np.reshape(rows, (3, 4))[:, :3]
    _check_axes(path, matrix)
    lengths = np.linalg.norm(matrix, axis=0)
    if not np.allclose(lengths, steps, rtol=0.01):
        raise InputError(
            f"'{path.name}' was expected to state one voxel size, found {_mm(steps)} (pixdim) and {_mm(lengths)} "
            "(sform): write the file again with the right one."
        )


def _check_nifti_length(path: Path, offset: int, voxels: int) -> None:
    data = _paired_data(path)
    expected = voxels if data != path else offset + voxels
    found = _unpacked_length(data, expected)
    if found < expected:
        raise InputError(_truncated(data, expected, found))


def _paired_data(path: Path) -> Path:
    """Return the file that holds the voxels: the ``.img`` beside a ``.hdr``, otherwise the file itself."""
    if _first_bytes(path, 348)[344:347] != b"ni1":
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
    if _is_gzip(path):
        with path.open("rb") as file:
            file.seek(-min(4, length), 2)
            announced = int.from_bytes(file.read(4), "little")
        return expected if announced == expected % 2**32 else _unpack_and_count(path)
    return length


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == _GZIP


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


# NRRD (https://teem.sourceforge.net/nrrd/format.html)


def _check_nrrd(path: Path) -> None:
    fields = nrrd_fields(path)
    sizes = [int(word) for word in fields.get("sizes", "").split()]
    kinds = fields.get("kinds", "").split()
    spatial = [
        axis
        for axis in range(len(sizes))
        if axis >= len(kinds) or kinds[axis].lower() in ("domain", "space", "???", "none")
    ]
    _check_sizes(path, [sizes[axis] for axis in spatial])
    if "space directions" in fields:
        found = re.findall(r"none|\([^)]*\)", fields["space directions"])
        vectors = [[float(x) for x in text.strip("()").split(",")] for text in found if text != "none"]
        matrix = np.array(vectors, dtype=float).T
        _check_spacing(path, np.linalg.norm(matrix, axis=0))
        _check_axes(path, matrix)
    elif "spacings" in fields:
        steps = [float(word) for word in fields["spacings"].split()]
        _check_spacing(path, [steps[axis] for axis in spatial])


def nrrd_fields(path: Path) -> dict[str, str]:
    """Return the fields and key/value pairs of an NRRD header; the names of fields in lower case."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        file.readline()
        for line in _header_lines(file):
            if line.startswith("#"):
                continue
            name, joint, value = line.partition(":=") if ":=" in line else line.partition(":")
            fields[name if joint == ":=" else name.strip().lower()] = value.strip()
    return fields


def _header_lines(file: BinaryIO) -> list[str]:
    """Return the lines up to the first empty one; a header longer than 1 MB is no header."""
    lines: list[str] = []
    while (line := file.readline(1 << 20).decode("utf-8", "replace").rstrip("\r\n")) and len(lines) < 10_000:
        lines.append(line)
    return lines


# MetaImage (https://docs.itk.org/en/latest/learn/metaio.html)


def _check_meta(path: Path) -> None:
    fields, start = _meta_fields(path)
    sizes = [int(word) for word in fields.get("DimSize", "").split()]
    _check_sizes(path, sizes)
    steps = fields.get("ElementSpacing", fields.get("ElementSize", " ".join("1" * len(sizes))))
    _check_spacing(path, [float(word) for word in steps.split()][:3])
    turn = fields.get("TransformMatrix") or fields.get("Rotation") or fields.get("Orientation")
    if turn:
        matrix = np.array(turn.split(), dtype=float)
        _check_axes(path, matrix.reshape(math.isqrt(matrix.size), -1))
    _check_meta_length(path, fields, start)


def _meta_fields(path: Path) -> tuple[Mapping[str, str], int]:
    """Return the fields of a MetaImage header and the position of the first byte behind it."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while line := file.readline(1 << 16):
            name, _, value = line.decode("utf-8", "replace").partition("=")
            fields[name.strip()] = value.strip()
            if name.strip() == "ElementDataFile":
                return fields, file.tell()
    raise InputError(
        f"'{path.name}' was expected to name its voxels (ElementDataFile), found no such line: write it again."
    )


_META_BYTES = {
    "MET_CHAR": 1, "MET_UCHAR": 1, "MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4,
    "MET_LONG": 4, "MET_ULONG": 4, "MET_LONG_LONG": 8, "MET_ULONG_LONG": 8, "MET_FLOAT": 4, "MET_DOUBLE": 8,
}  # fmt: skip


def _check_meta_length(path: Path, fields: Mapping[str, str], start: int) -> None:
    name = fields["ElementDataFile"]
    data = path if name.upper() == "LOCAL" else path.with_name(name)
    if name.upper().startswith("LIST") or "%" in name:
        raise InputError(f"'{path.name}' spreads its voxels over several files, expected one: save it as one file.")
    if not data.is_file():
        raise InputError(
            f"'{path.name}' expects its voxels in the file '{name}' beside it, found none: copy both files."
        )
    expected = math.prod(int(word) for word in fields["DimSize"].split())
    expected *= _META_BYTES.get(fields.get("ElementType", ""), 1) * int(fields.get("ElementNumberOfChannels", "1"))
    if fields.get("CompressedData", "False").lower() in ("true", "1"):
        expected = int(fields.get("CompressedDataSize", "0"))
    found = data.stat().st_size - (start if data == path else max(int(fields.get("HeaderSize", "0")), 0))
    if found < expected:
        raise InputError(_truncated(data, expected, found))


# What every format must satisfy


def _check_sizes(path: Path, sizes: Sequence[int]) -> None:
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


def _check_spacing(path: Path, steps: Sequence[float]) -> None:
    if not all(math.isfinite(step) and step > 0 for step in steps):
        raise InputError(
            f"'{path.name}' was expected to have a positive voxel size along every axis, found {_mm(steps)}: "
            "correct the header or export the image again."
        )


def _check_axes(path: Path, matrix: np.ndarray) -> None:
    lengths = np.linalg.norm(matrix, axis=0)
    if not np.isfinite(matrix).all() or (lengths == 0).any() or abs(np.linalg.det(matrix / lengths)) < 1e-3:
        raise InputError(
            f"'{path.name}' was expected to have three independent axes, but its orientation matrix is singular: "
            "correct the header or export the image again."
        )


def _mm(steps: Sequence[float]) -> str:
    return " x ".join(f"{step:.4g}" for step in steps) + " mm"


def _truncated(path: Path, expected: int, found: int) -> str:
    return (
        f"'{path.name}' is cut short: {expected:,} bytes were expected after its header, found {max(found, 0):,}: "
        "copy it again from its source."
    )
