"""The bytes of a package's files, out of a folder or a zip, without ever writing or following anything.

A zip is read into memory and never unpacked. Names, types and sizes are judged before a file is read; what could run
code, lead out of the package or swell beyond its limits is refused by name.
"""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from pathlib import Path

from hccoutcome.errors import InputError

MEANING = {
    "package.json": "what the package is and needs",
    "weights.json": "coefficients",
    "reference.json": "reference distribution",
    "parameters.yaml": "radiomics parameter file",
    "stability.json": "stability of the features",
    "prognosis.json": "what became of the cohort",
    "vectors.json": "results to check the weights with",
    "clinical.skops": "model of the clinical part",
    "imaging.skops": "model of the imaging part",
    "both.skops": "model that reads both parts",
    "network.safetensors": "weights of a network",
    "card.md": "model card",
}
"""The files that a package may hold."""

MODEL_SUFFIX = ".skops"
NETWORK = "network.safetensors"
LARGEST_FILE = 4_000_000
LARGEST_PACKAGE = 10_000_000
"""Without the weights of a network."""
LARGEST_NETWORK = 1_000_000_000
MOST_ENTRIES = 20

_RUNS_CODE = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin", ".ckpt", ".h5", ".npy", ".npz", ".py", ".pyc", ".so")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PLAIN_COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_files(source: Path, unread: frozenset[str] = frozenset()) -> dict[str, bytes]:
    """Return the bytes of every file of a package by name.

    Args:
        source: the package's folder or zip.
        unread: names of files that are judged by name and size alone; nothing stands for their bytes.

    Raises:
        InputError: nothing there, a link, a folder inside, a name or type that a package may not hold, too large, or a
            zip that cannot be read.
    """
    try:
        files = _read(source, unread)
    except OSError:
        raise InputError(
            f"The package '{source.name}' cannot be read: check that it is intact and that you may read it."
        ) from None
    for name, content in files.items():
        if name not in unread:
            _check_content(name, content)
    if "package.json" not in files:
        raise InputError(f"'{source.name}' holds no package.json, so it is not a model package: check the path.")
    return files


def _read(source: Path, unread: frozenset[str]) -> dict[str, bytes]:
    if source.is_symlink():
        raise InputError(f"The package '{source.name}' is a link: give the folder or zip that it leads to.")
    if source.is_dir():
        return _read_folder(source, unread)
    if source.is_file():
        return _read_zip(source, unread)
    raise InputError(f"The package '{source.name}' should be a folder or a zip and does not exist: check the path.")


def _read_folder(folder: Path, unread: frozenset[str]) -> dict[str, bytes]:
    entries = sorted(folder.iterdir())
    if len(entries) > MOST_ENTRIES:
        raise InputError(f"The package '{folder.name}' holds more than {MOST_ENTRIES} files: check the path.")
    for entry in entries:
        if entry.is_symlink():
            raise InputError(f"The package '{folder.name}' holds the link '{entry.name}': replace it by the file.")
        if not entry.is_file():
            raise InputError(f"The package '{folder.name}' holds '{entry.name}', which is not a plain file: remove it.")
        _check_name(entry.name)
    _check_sizes({entry.name: entry.stat().st_size for entry in entries})
    return {entry.name: b"" if entry.name in unread else entry.read_bytes() for entry in entries}


def _read_zip(path: Path, unread: frozenset[str]) -> dict[str, bytes]:
    most = LARGEST_PACKAGE + LARGEST_NETWORK
    if path.stat().st_size > most:
        raise InputError(f"The package '{path.name}' is larger than {most // 1_000_000} MB: wrong file?")
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path.name)
            # Reading stops at the size that the archive states and that was judged, and checks the CRC.
            return {name: b"" if name in unread else archive.read(info) for name, info in members.items()}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError):
        raise InputError(f"The package '{path.name}' should be a folder or an intact zip: get it again.") from None


def _members(archive: zipfile.ZipFile, source: str) -> dict[str, zipfile.ZipInfo]:
    """Return the members by file name after judging every entry; one folder around all files is allowed."""
    infos = archive.infolist()
    if len(infos) > MOST_ENTRIES:
        raise InputError(f"The package '{source}' holds more than {MOST_ENTRIES} files: do not use it.")
    for info in infos:
        _check_member(info, source)
    files = [info for info in infos if not info.is_dir()]
    folders = {_folder(info) for info in infos}
    if len(folders) > 1:
        raise InputError(f"The package '{source}' should hold all files in one folder, found several: pack it again.")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in files:
        name = info.filename.rpartition("/")[2]
        _check_name(name)
        if name.lower() in {known.lower() for known in members}:
            raise InputError(f"The package '{source}' holds '{name}' twice: do not use it.")
        members[name] = info
    _check_sizes({name: info.file_size for name, info in members.items()})
    return members


def _folder(info: zipfile.ZipInfo) -> str:
    return info.filename.rpartition("/")[0]


def is_plain(part: str) -> bool:
    """Return whether a name may stand in a zip: letters, digits, dots, dashes and underscores."""
    return _PART.fullmatch(part) is not None


def _check_member(info: zipfile.ZipInfo, source: str) -> None:
    """Refuse an entry that could lead out of the package, is no plain file, or is packed in an unusual way."""
    # ZipInfo changes backslashes and cuts at NUL on reading; the name as stored decides.
    parts = info.orig_filename.removesuffix("/").split("/")
    if len(parts) > 2 or not all(map(is_plain, parts)):
        raise InputError(
            f"The package '{source}' holds the name {info.orig_filename!r}, which could lead out of the package: "
            "do not use it."
        )
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InputError(f"The package '{source}' holds '{info.filename}', a link or special file: do not use it.")
    if info.flag_bits & 0x1 or info.compress_type not in _PLAIN_COMPRESSION:
        raise InputError(f"The package '{source}' is encrypted or packed in an unusual way: pack it as a plain zip.")


def _check_name(name: str) -> None:
    if name in MEANING:
        return
    if Path(name).suffix.lower() in _RUNS_CODE:
        raise InputError(
            f"The package holds '{name}', a file type that can run code when opened; weights are JSON: do not use it."
        )
    raise InputError(f"The package holds '{name}'; a package holds only {', '.join(MEANING)}: remove it.")


def _check_sizes(sizes: dict[str, int]) -> None:
    for name, size in sizes.items():
        most = LARGEST_NETWORK if name == NETWORK else LARGEST_FILE
        if size > most:
            raise InputError(f"'{name}' in the package is larger than {most // 1_000_000} MB: do not use it.")
    if sum(size for name, size in sizes.items() if name != NETWORK) > LARGEST_PACKAGE:
        raise InputError(f"The package unpacks to more than {LARGEST_PACKAGE // 1_000_000} MB: do not use it.")


def _check_content(name: str, content: bytes) -> None:
    """Refuse by its first bytes what is not what its name says: an archive for a model, text for all else."""
    if name.endswith(MODEL_SUFFIX):
        if content[:4] != b"PK\x03\x04":
            raise InputError(f"'{name}' in the package should be a model file and is not: do not use it.")
        return
    if name == NETWORK:
        # The length of a header in JSON, then the header, which begins with a brace.
        header = int.from_bytes(content[:8], "little")
        if len(content) < 9 or header > len(content) - 8 or content[8:9] != b"{":
            raise InputError(f"'{name}' in the package should hold weights of a network and does not: do not use it.")
        return
    if content[:1] == b"\x80":
        raise InputError(f"'{name}' in the package is a Python pickle under another name: do not use it.")
    if content[:4] == b"PK\x03\x04":
        raise InputError(f"'{name}' in the package is an archive under another name: do not use it.")
    if b"\x00" in content:
        raise InputError(f"'{name}' in the package should be text and is a binary file: do not use it.")
