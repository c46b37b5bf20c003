"""Check the headers of NIfTI, NRRD and MetaImage files before anything is read.

SimpleITK mends silently what must not be mended: it fills the end of a truncated NIfTI file with zeros, takes a voxel
size of zero as 1 mm, turns a negative one into a flipped axis and reads NaN in NIfTI as zero. So the headers are read
here as they are written.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from hccoutcome.errors import InputError
from hccoutcome.imaging.header_rules import GZIP, check_axes, check_sizes, check_spacing, first_bytes, truncated
from hccoutcome.imaging.nifti_header import check_nifti, nifti_order, paired_data

Kind = Literal["nifti", "nrrd", "meta", "dicom"]


def image_kind(path: Path) -> Kind | None:
    """Return the format of a file by its content (never by its name), or None where it is none of those known."""
    start = first_bytes(path, 352)
    if start.startswith(b"NRRD000"):
        return "nrrd"
    if nifti_order(start) is not None:
        return "nifti"
    raw = start if start[:2] != GZIP else b""
    if raw[128:132] == b"DICM" or re.match(rb"\x08\x00[\x00-\x20]\x00", raw):
        return "dicom"
    if re.match(rb"\s*(ObjectType|NDims|Comment)\s*=", raw):
        return "meta"
    return None


def check_header(path: Path, kind: Kind) -> None:
    """Refuse a NIfTI, NRRD or MetaImage file whose header is wrong or announces more voxels than the file holds.

    Raises:
        InputError: not three-dimensional, spacing not positive, singular axes, truncated, not understood.
    """
    check = {"nifti": check_nifti, "nrrd": _check_nrrd, "meta": _check_meta}[kind]
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
        data = paired_data(path)
    elif kind == "nrrd":
        fields = nrrd_fields(path)
        data = path.with_name(fields.get("data file", fields.get("datafile", path.name)))
    elif kind == "meta":
        name = _meta_fields(path)[0]["ElementDataFile"]
        data = path if name.upper() == "LOCAL" else path.with_name(name)
    return (path,) if data == path else (path, data)


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
    check_sizes(path, [sizes[axis] for axis in spatial])
    if "space directions" in fields:
        found = re.findall(r"none|\([^)]*\)", fields["space directions"])
        vectors = [[float(x) for x in text.strip("()").split(",")] for text in found if text != "none"]
        matrix = np.array(vectors, dtype=float).T
        check_spacing(path, np.linalg.norm(matrix, axis=0))
        check_axes(path, matrix)
    elif "spacings" in fields:
        steps = [float(word) for word in fields["spacings"].split()]
        check_spacing(path, [steps[axis] for axis in spatial])


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
    if not {"NDims", "DimSize"} <= set(fields) or fields.get("ElementType") not in _META_BYTES:
        raise ValueError(f"NDims {fields.get('NDims')}, ElementType {fields.get('ElementType')}")
    sizes = [int(word) for word in fields.get("DimSize", "").split()]
    check_sizes(path, sizes)
    steps = fields.get("ElementSpacing", fields.get("ElementSize", " ".join("1" * len(sizes))))
    check_spacing(path, [float(word) for word in steps.split()][:3])
    turn = fields.get("TransformMatrix") or fields.get("Rotation") or fields.get("Orientation")
    if turn:
        matrix = np.array(turn.split(), dtype=float)
        check_axes(path, matrix.reshape(math.isqrt(matrix.size), -1))
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
        raise InputError(truncated(data, expected, found))
