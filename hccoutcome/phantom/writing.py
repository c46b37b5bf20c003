"""A phantom as a case folder: NIfTI images, ``case.json``, and ``phantom.json`` that says how it was made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from hccoutcome.case import Case, CaseFiles, ImageFile, MaskFile
from hccoutcome.errors import InputError
from hccoutcome.files import explained_write_errors, sha256_of, write_json
from hccoutcome.loading import read_json, write_case_json
from hccoutcome.phantom.patient import phantom_case, with_seed
from hccoutcome.phantom.settings import PhantomSettings
from hccoutcome.version import __version__

RECIPE_FILE = "phantom.json"


def write_phantom(folder: Path, seed: int | None = None, settings: PhantomSettings | None = None) -> Path:
    """Write a synthetic patient as a case folder; the folder appears when it is complete.

    A folder that already holds this very phantom, unchanged, is left as it is.

    Args:
        folder: folder to make; its parents are made too.
        seed: the patient; replaces the seed of the settings (1 where neither is given).
        settings: grid, modality, lesions, enhancement, noise.

    Returns:
        The folder.

    Raises:
        InputError: the folder holds something else.
        EnvironmentNeeded: the folder cannot be written.
    """
    settings = with_seed(seed, settings)
    recipe = {"version": __version__, "settings": {f.name: _plain(getattr(settings, f.name)) for f in fields(settings)}}
    if _is_used(folder):
        return _the_same(folder, recipe)
    case = phantom_case(settings=settings)
    partial = folder.absolute().with_name(f".partial-{os.getpid()}-{folder.absolute().name}")
    with explained_write_errors(folder):
        try:
            partial.mkdir(parents=True)
            _write(case, partial)
            hashes = {path.name: sha256_of(path) for path in sorted(partial.iterdir())}
            write_json(partial / RECIPE_FILE, {**recipe, "files": hashes})
            if not _put_in_place(partial, folder):
                return _the_same(folder, recipe)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def _is_used(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _the_same(folder: Path, recipe: dict[str, Any]) -> Path:
    """Return a folder that holds exactly the phantom of a recipe.

    Raises:
        InputError: it holds something else.
    """
    if _holds(folder, recipe):
        return folder
    raise InputError(
        f"An empty or new folder was expected for the phantom, found files in '{folder.name}': choose another."
    )


def _put_in_place(partial: Path, folder: Path) -> bool:
    """Rename a complete folder to its final name; False where another process has put one there in the meantime."""
    try:
        if folder.is_dir():
            with suppress(FileNotFoundError):  # another process is as far as this one
                folder.rmdir()
        partial.replace(folder)
    except OSError:
        if _is_used(folder):
            return False
        raise
    return True


def _write(case: Case, folder: Path) -> None:
    images = {phase: ImageFile(folder / f"{phase}.nii.gz") for phase in case.images}
    masks = {region: (MaskFile(folder / f"{region}-mask.nii.gz"),) for region in case.masks}
    for phase, image in case.images.items():
        sitk.WriteImage(image, images[phase].path, useCompression=True)
    for region, (mask,) in case.masks.items():
        sitk.WriteImage(mask, masks[region][0].path, useCompression=True)
    files = CaseFiles(case.case_id, images, masks, case.clinical, case.modality, case.synthetic)
    write_case_json(files, folder)


def _plain(value: Any) -> Any:
    """Return tuples as lists, as JSON gives them back."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _holds(folder: Path, recipe: dict[str, Any]) -> bool:
    """Tell whether a folder holds exactly the files that a recipe gave."""
    if not (folder / RECIPE_FILE).is_file():
        return False
    found = read_json(folder / RECIPE_FILE)
    hashes = found.pop("files", {}) if isinstance(found, dict) else {}
    present = {path.name for path in folder.iterdir()} - {RECIPE_FILE}
    return found == recipe and present == set(hashes) and all(sha256_of(folder / n) == h for n, h in hashes.items())
