"""Which files make up a case: ``case.json`` and command-line options.

``case.json`` holds ``case_id`` and, all optional, ``modality``, ``synthetic``, ``images`` (path or
``{"path", "series"}`` by phase), ``masks`` (path, ``{"path", "segment"}`` or a list of them by region) and
``clinical``. Paths are relative to its folder.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hccoutcome.case import CaseFiles, ImageFile, MaskFile, Modality, canonical_phase, canonical_region
from hccoutcome.errors import InputError, nearest
from hccoutcome.files import write_json
from hccoutcome.strict_json import parse_json

CASE_FILE = "case.json"
_KEYS = ("case_id", "modality", "synthetic", "images", "masks", "clinical")


def read_case_folder(folder: Path) -> CaseFiles:
    """Return the case that ``case.json`` in a folder describes; nothing else is read yet.

    Raises:
        InputError: no folder, no ``case.json``, no valid JSON, or a key or value that it may not hold.
    """
    path = folder / CASE_FILE
    if not path.is_file():
        raise InputError(
            f"A case folder holds a {CASE_FILE}, found none in '{folder.name}': write one or check the path."
        )
    return case_from_json(read_json(path), folder)


def read_json(path: Path) -> Any:
    """Read a JSON file as strictly as a model package, but for a byte order mark, which editors of Windows write.

    Raises:
        InputError: not found, not to be opened, or not the JSON that ``parse_json`` takes.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(
            f"The file '{path.name}' was expected in '{path.parent.name}', found no such file: check the path."
        ) from error
    except (IsADirectoryError, PermissionError) as error:
        raise InputError(
            f"'{path.name}' was expected to be a JSON file that may be read, found {error.strerror}: check the path."
        ) from error
    return parse_json(content.removeprefix(codecs.BOM_UTF8), f"'{path.name}'")


def case_from_json(data: Any, folder: Path) -> CaseFiles:
    """Return the case that JSON data describe, with paths relative to ``folder``.

    Raises:
        InputError: an unknown key (the sentence gives the nearest known one), or a value of another kind.
    """
    data = _mapping(data, CASE_FILE)
    for key in data:
        if key not in _KEYS:
            raise InputError(f"'{key}' is no key of {CASE_FILE}; {nearest(str(key), _KEYS)}: correct or remove it.")
    if not isinstance(data.get("synthetic", False), bool):
        raise InputError(f"'synthetic' in {CASE_FILE} is true or false, found {data['synthetic']!r}: correct it.")
    case_id = data.get("case_id", folder.name)
    if not isinstance(case_id, str):
        raise InputError(f"'case_id' in {CASE_FILE} is a text, found {case_id!r}: put it into quotes.")
    images: dict[str, ImageFile] = {}
    for name, entry in _mapping(data.get("images", {}), "images").items():
        _put(images, canonical_phase(name), ImageFile(*_path_and(entry, "series", name, folder)), "image")
    masks: dict[str, tuple[MaskFile, ...]] = {}
    for name, entry in _mapping(data.get("masks", {}), "masks").items():
        entries = entry if isinstance(entry, list) else [entry]
        _put(
            masks,
            canonical_region(name),
            tuple(MaskFile(*_path_and(e, "segment", name, folder)) for e in entries),
            "mask",
        )
    return CaseFiles(
        case_id=case_id,
        images=images,
        masks={region: files for region, files in masks.items() if files},
        clinical=dict(_mapping(data.get("clinical", {}), "clinical")),
        modality=data.get("modality"),
        synthetic=data.get("synthetic", False),
    )


def _mapping(data: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise InputError(f"'{name}' was expected to hold names and values ({{...}}), found {data!r}: correct it.")
    return data


def _put(found: dict[str, Any], name: str, value: Any, what: str) -> None:
    if name in found:
        raise InputError(f"Each {what} is named once, found '{name}' twice under different spellings: remove one.")
    found[name] = value


def _path_and(entry: Any, extra: str, name: str, folder: Path) -> tuple[Path, str | None]:
    """Return the path of an entry (a text, or an object with ``path`` and ``extra``) and its extra word."""
    fields = {"path": entry} if isinstance(entry, str) else _mapping(entry, name)
    for key in fields:
        if key not in ("path", extra):
            raise InputError(
                f"'{key}' is no key of '{name}'; {nearest(str(key), ('path', extra))}: correct or remove it."
            )
    path, word = fields.get("path"), fields.get(extra)
    if not isinstance(path, str) or not path:
        raise InputError(f"'{name}' was expected to name a path, found {path!r}: write the path of its file.")
    if isinstance(word, bool) or not isinstance(word, (str, int, type(None))):
        raise InputError(f"The {extra} of '{name}' was expected to be a text or number, found {word!r}: correct it.")
    return folder / Path(path).expanduser(), None if word is None else str(word)


def case_to_json(files: CaseFiles) -> dict[str, Any]:
    """Return a case as JSON data with absolute paths; ``case_from_json`` reads it from any folder."""
    return _to_json(files, lambda path: str(path.absolute()))


def write_case_json(files: CaseFiles, folder: Path) -> Path:
    """Write ``case.json`` into a folder (made where missing), with paths relative to it where they lie in it."""

    def written(path: Path) -> str:
        path, base = path.absolute(), folder.absolute()
        return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)

    folder.mkdir(parents=True, exist_ok=True)
    return write_json(folder / CASE_FILE, _to_json(files, written))


def _to_json(files: CaseFiles, written: Callable[[Path], str]) -> dict[str, Any]:
    def entry(path: Path, extra: str, word: str | None) -> Any:
        return written(path) if word is None else {"path": written(path), extra: word}

    data: dict[str, Any] = {"case_id": files.case_id}
    if files.modality is not None:
        data["modality"] = files.modality
    if files.synthetic:
        data["synthetic"] = True
    data["images"] = {phase: entry(file.path, "series", file.series_uid) for phase, file in files.images.items()}
    data["masks"] = {
        region: [entry(file.path, "segment", file.segment) for file in masks] for region, masks in files.masks.items()
    }
    data["clinical"] = dict(files.clinical)
    return data


def case_files(
    folder: Path | None,
    images: Sequence[str] = (),
    masks: Sequence[str] = (),
    clinical: Path | None = None,
    *,
    case_id: str | None = None,
    modality: Modality | None = None,
) -> CaseFiles:
    """Return the case that command-line options describe, over that of a case folder where one is given.

    Args:
        folder: case folder, or None.
        images: ``PHASE=PATH`` or ``PHASE=PATH#SERIES-UID``; replaces the folder's image of that phase.
        masks: ``REGION=PATH`` or ``REGION=PATH#SEGMENT``; several of one region are united; replaces the folder's.
        clinical: JSON file with the clinical record; its entries are added to the folder's.
        case_id: name of the case.
        modality: ``"CT"`` or ``"MR"``.

    Raises:
        InputError: an option that is not ``NAME=PATH``, an unknown phase or region, a phase given twice.
    """
    base = CaseFiles("case") if folder is None else read_case_folder(folder)
    named_images: dict[str, ImageFile] = {}
    for phase, path, series in (_option(text, "PHASE") for text in images):
        _put(named_images, canonical_phase(phase), ImageFile(path, series), "image")
    named_masks: dict[str, tuple[MaskFile, ...]] = {}
    for name, path, segment in (_option(text, "REGION") for text in masks):
        region = canonical_region(name)
        named_masks[region] = (*named_masks.get(region, ()), MaskFile(path, segment))
    record = {} if clinical is None else _mapping(read_json(clinical), clinical.name)
    return replace(
        base,
        case_id=case_id or base.case_id,
        images={**base.images, **named_images},
        masks={**base.masks, **named_masks},
        clinical={**base.clinical, **record},
        modality=modality or base.modality,
    )


def _option(text: str, what: str) -> tuple[str, Path, str | None]:
    name, separator, place = text.partition("=")
    if not (name and separator and place):
        raise InputError(f"An option of the form {what}=PATH was expected, found '{text}': write it so.")
    path, word = place, None
    if "#" in place and not Path(place).exists():
        path, _, word = place.partition("#")
    return name, Path(path).expanduser().absolute(), word or None
