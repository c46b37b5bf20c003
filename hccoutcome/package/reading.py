"""Reading a model package: verified first, then read; every refusal is a sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from hccoutcome.errors import InputError, nearest
from hccoutcome.package.container import MODEL_SUFFIX, NETWORK, read_files
from hccoutcome.package.format import MANIFEST, Package
from hccoutcome.package.prognosis import parse_prognosis
from hccoutcome.package.reference import parse_reference, read_reference
from hccoutcome.package.schema import parse_manifest, seal
from hccoutcome.package.stability import parse_stability
from hccoutcome.resources import resource
from hccoutcome.strict_json import canonical_json, parse_json


def read_package(name_or_path: str | Path, folders: Iterable[Path] = (), reference: Path | None = None) -> Package:
    """Return a package, after nothing in it was found changed, missing or of an unknown type.

    Args:
        name_or_path: name of a shipped package or of one in ``folders``, or the path of a package's folder or zip.
        folders: further folders with packages of the user.
        reference: ``reference.json`` of the user's own cohort, used instead of the package's.

    Raises:
        InputError: no such package, or not intact.
    """
    package = _read_verified(_locate(str(name_or_path), tuple(folders)))
    return package if reference is None else package.with_reference(read_reference(Path(reference)))


def read_outline(name_or_path: str | Path) -> Package:
    """Return a package without the weights of its network, which take a while to read and to check.

    For showing what a package is and needs; ``read_package`` is for applying it.

    Raises:
        InputError: no such package, or what was read of it is not intact.
    """
    return _read_verified(_locate(str(name_or_path), ()), frozenset({NETWORK}))


def list_packages(folders: Iterable[Path] = ()) -> tuple[str, ...]:
    """Return the names of the shipped packages and of those in ``folders``, sorted; nothing in them is read."""
    return tuple(sorted(_known(tuple(folders))))


def verify(source: Path) -> dict[str, str]:
    """Return the SHA256 of every file of a package but ``package.json``, after checking them all.

    Raises:
        InputError: names the first fault.
    """
    package = _read_verified(source)
    check_parameters(package)
    return dict(package.files)


def check_parameters(package: Package) -> None:
    """Refuse a package whose radiomics parameter file could not be applied.

    Raises:
        InputError: it is no YAML of plain data, or names a setting, image type, class or feature that there is not.
    """
    from hccoutcome.radiomics.settings import parse_settings

    if package.parameters:
        parse_settings(package.parameters)


def poses_as_shipped(package: Package) -> bool:
    """Return whether a package has the name of a shipped one and another content."""
    shipped = _known(()).get(package.name)
    return shipped is not None and _read_verified(shipped).sha256 != package.sha256


def _known(folders: tuple[Path, ...]) -> dict[str, Path]:
    """Return where each package lies by name: the name of its folder, or of its zip without the suffix."""
    known: dict[str, Path] = {}
    for folder in (*folders, resource("Models")):
        if not Path(folder).is_dir():
            raise InputError(f"The folder of packages '{folder}' does not exist: check the path.")
        for entry in sorted(Path(folder).iterdir()):
            if (entry.is_dir() and (entry / MANIFEST).is_file()) or entry.suffix == ".zip":
                known.setdefault(entry.name.removesuffix(".zip"), entry)
    return known


def _locate(name: str, folders: tuple[Path, ...]) -> Path:
    known = _known(folders)
    if name in known:
        return known[name]
    path = Path(name)
    # A text that the system takes for no name, as one that is too long, is no package either.
    with suppress(OSError, ValueError):
        if name and (path.exists() or path.is_symlink()):
            return path
    raise InputError(f"There is no package '{name}'; {nearest(name, known)}, or the path of a folder or zip.")


def _read_verified(source: Path, unread: frozenset[str] = frozenset()) -> Package:
    files = read_files(source, unread)
    manifest = _verified_manifest(files, source.name, unread)
    package = parse_manifest(manifest)
    return _with_contents(package, files, source)


def _verified_manifest(files: Mapping[str, bytes], source: str, unread: frozenset[str]) -> Mapping[str, Any]:
    """Return ``package.json`` as data, after comparing every hash that it states with what was read."""
    manifest = parse_json(files[MANIFEST], MANIFEST)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise InputError(f"{MANIFEST} of '{source}' should be an object with the field 'files': get the package again.")
    if files[MANIFEST] != canonical_json(manifest) or manifest.get("sha256") != seal(manifest):
        raise InputError(f"{MANIFEST} of the package '{source}' was changed after it was written: get it again.")
    listed = manifest["files"]
    for name in sorted(set(listed) - set(files)):
        raise InputError(f"The package '{source}' lacks its file '{name}': get it again.")
    for name in sorted(set(files) - set(listed) - {MANIFEST}):
        raise InputError(f"The package '{source}' holds '{name}', which {MANIFEST} does not list: remove it.")
    for name, digest in listed.items():
        if name not in unread and hashlib.sha256(files[name]).hexdigest() != digest:
            raise InputError(f"'{name}' of the package '{source}' was changed after it was written: get it again.")
    return manifest


def _with_contents(package: Package, files: Mapping[str, bytes], source: Path) -> Package:
    """Return the package with what lies in its verified files."""
    texts = {name: _text(files[name], name) for name in ("parameters.yaml", "card.md") if name in files}
    weights, vectors = (_object(files, name) for name in ("weights.json", "vectors.json"))
    found = replace(
        package,
        parameters=texts.get("parameters.yaml", ""),
        card=texts.get("card.md", ""),
        weights=weights,
        models={name: content for name, content in files.items() if name.endswith(MODEL_SUFFIX) or name == NETWORK},
        vectors=vectors,
        source=source,
    )
    if "prognosis.json" in files:
        found = replace(found, prognosis=parse_prognosis(files["prognosis.json"], "prognosis.json"))
    if "stability.json" in files:
        found = parse_stability(files["stability.json"], found, "stability.json")
    if "reference.json" not in files:
        return found
    return found.with_reference(parse_reference(files["reference.json"], "reference.json"))


def _object(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    """Return the object in a JSON file, empty where the package has no such file."""
    found = parse_json(files[name], name) if name in files else {}
    if not isinstance(found, dict):
        raise InputError(f"{name} should be an object with named fields: get the package again.")
    return found


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{name} should be text in UTF-8 and is not: get the package again.") from None
