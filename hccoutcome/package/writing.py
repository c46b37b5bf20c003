"""Writing a model package: the same package gives the same bytes, and a half-written one is never left behind."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

from hccoutcome.errors import InputError
from hccoutcome.package.container import NETWORK, is_plain, read_files
from hccoutcome.package.format import CARD, MANIFEST, Package
from hccoutcome.package.reading import verify
from hccoutcome.package.schema import manifest_of
from hccoutcome.strict_json import canonical_json

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def package_files(package: Package) -> dict[str, bytes]:
    """Return the bytes of all files of a package, ``package.json`` with their hashes first."""
    files: dict[str, bytes] = {CARD: package.card.encode("utf-8")}
    if package.parameters:
        files["parameters.yaml"] = package.parameters.encode("utf-8")
    if package.reference is not None:
        files["reference.json"] = canonical_json(package.reference.to_json())
    if package.stability is not None:
        files["stability.json"] = canonical_json(package.stability.to_dict())
    if package.prognosis is not None:
        files["prognosis.json"] = canonical_json(package.prognosis.to_json())
    if package.vectors:
        files["vectors.json"] = canonical_json(dict(package.vectors))
    files.update(package.models)
    if package.weights:
        files["weights.json"] = canonical_json(dict(package.weights))
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    return {MANIFEST: canonical_json(manifest_of(replace(package, files=hashes))), **files}


def write_package(package: Package, target: Path) -> Path:
    """Write a package as the folder ``target``, or as a zip where ``target`` ends in ``.zip``.

    The files appear under their final name only when all of them are written and verified; an older package of that
    name is replaced.

    Raises:
        InputError: ``target`` exists and is not a package, or the package does not pass its own verification.
    """
    target = Path(target)
    check_target(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".package-", dir=target.parent) as scratch:
        draft = Path(scratch) / target.name
        write = _write_zip if target.suffix == ".zip" else _write_folder
        write(package_files(package), draft)
        verify(draft)
        _put_in_place(draft, target, Path(scratch) / "older")
    return target


def check_target(target: Path) -> None:
    """Refuse a place where something else than a package or an empty folder lies.

    Raises:
        InputError: there is.
    """
    if not target.exists():
        return
    if target.is_dir() and not any(target.iterdir()):
        return
    try:
        read_files(target)
    except InputError:
        raise InputError(
            f"'{target.name}' exists and is not a model package: choose another name for the package."
        ) from None


def _write_folder(files: dict[str, bytes], folder: Path) -> None:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _write_zip(files: dict[str, bytes], path: Path) -> None:
    # The file itself may be called anything; what is inside goes to every system.
    folder = path.stem if is_plain(path.stem) else "package"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(f"{folder}/{name}", date_time=_ZIP_TIME)
            # Weights of a network hardly shrink, and there are hundreds of megabytes of them.
            info.compress_type = zipfile.ZIP_STORED if name == NETWORK else zipfile.ZIP_DEFLATED
            info.external_attr = 0o100644 << 16
            info.create_system = 3
            archive.writestr(info, content)


def _put_in_place(draft: Path, target: Path, older: Path) -> None:
    """Move the draft to its final name; a folder that is in the way steps aside first."""
    if target.is_dir():
        target.rename(older)
    draft.replace(target)
    if older.is_dir():
        shutil.rmtree(older)
