"""The scene as a file: one ``.mrb`` that 3D Slicer opens with a double click, written whole or not at all."""

from __future__ import annotations

import math
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import slicer
from vtkmodules.vtkCommonCore import vtkObject

from hccoutcome.errors import EnvironmentNeeded, InputError
from hccoutcome.files import explained_write_errors, write_atomically
from hccoutcome.scene.exchange import table_from_node
from hccoutcome.scene.host import start_host

SUFFIX = ".mrb"
_STDERR = 2


def save_scene(path: Path) -> Path:
    """Write the scene with all its data to one ``.mrb`` file and return its path.

    Raises:
        InputError: the file is not called ``.mrb``.
        EnvironmentNeeded: the disk is full or cannot be written to; no half file is left.
    """
    path = Path(path)
    if path.suffix.lower() != SUFFIX:
        raise InputError(f"A scene is saved as one {SUFFIX} file, found '{path.name}': name it scene{SUFFIX}.")
    with explained_write_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=path.parent) as folder:
            bundle = Path(folder).resolve() / path.stem
            bundle.mkdir()
            _write_bundle(start_host(), bundle, path.parent)
            return write_atomically(path, lambda partial: _zip(bundle, partial))


def load_scene(path: Path) -> slicer.vtkMRMLScene:
    """Replace what the scene holds by what a ``.mrb`` or ``.mrml`` file holds, and return the scene.

    Raises:
        InputError: there is no such file, or it is not a scene.
    """
    path = Path(path).absolute()  # MRML takes a relative path for one within the scene's own folder
    if not path.is_file():
        raise InputError(f"A scene is a {SUFFIX} or .mrml file, found none at '{path}': check the path.")
    scene = start_host()
    if not (_read_bundle(scene, path) if path.suffix.lower() == SUFFIX else _read_mrml(scene, path)):
        raise InputError(f"'{path.name}' could not be read as a scene: it is damaged, or no {SUFFIX} or .mrml file.")
    return scene


def _read_bundle(scene: slicer.vtkMRMLScene, path: Path) -> bool:
    return zipfile.is_zipfile(path) and scene.ReadFromMRB(str(path), True)


def _read_mrml(scene: slicer.vtkMRMLScene, path: Path) -> bool:
    try:
        ElementTree.parse(path)  # noqa: S314 -- only whether it is XML at all; MRML reads it itself
    except ElementTree.ParseError:
        return False
    scene.SetURL(str(path))
    return bool(scene.Connect())


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Keep what the C++ libraries say off standard error; whatever fails in the meantime must be told otherwise.

    VTK is asked to be silent; ITK's writers, which ask nobody, find the stream itself led to nowhere.
    """
    before = vtkObject.GetGlobalWarningDisplay()
    vtkObject.SetGlobalWarningDisplay(False)
    try:
        with _closed_stderr():
            yield
    finally:
        vtkObject.SetGlobalWarningDisplay(before)


@contextmanager
def _closed_stderr() -> Iterator[None]:
    """Lead the process's standard error to nowhere; a window on Windows may have none, and then there is no need."""
    try:
        kept = os.dup(_STDERR)
    except OSError:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        os.close(nowhere)


def _write_bundle(scene: slicer.vtkMRMLScene, bundle: Path, folder: Path) -> None:
    """Write the scene and its data into a folder, as ``vtkMRMLScene::WriteToMRB`` does before it packs the folder.

    Args:
        scene: what to write.
        bundle: empty folder, gone after the packing.
        folder: where the user wants the scene, for the message.

    Raises:
        EnvironmentNeeded: something could not be written.
    """
    messages = slicer.vtkMRMLMessageCollection()
    with _quiet_libraries():
        written = scene.SaveSceneToSlicerDataBundleDirectory(str(bundle), None, messages)
    _raise_if_full(bundle)
    if not written:
        found = " ".join((messages.GetAllMessagesAsString() or "no reason given").split())
        found = found.replace(str(bundle.parent), str(folder))
        raise EnvironmentNeeded(f"The scene could not be written to '{folder}' ({found}): choose another folder.")
    _write_tables(scene, bundle)


def _raise_if_full(folder: Path) -> None:
    """Raise the system's own error if the disk is full: Slicer's text writers do not notice that."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(1 << 20))
        file.flush()


def _write_tables(scene: slicer.vtkMRMLScene, bundle: Path) -> None:
    """Write the tables' files once more with all digits: VTK's writer keeps six."""
    tree = ElementTree.parse(bundle / f"{bundle.name}.mrml")  # noqa: S314 -- written by MRML a moment ago
    files = {element.get("id"): unquote(element.get("fileName")) for element in tree.iter("TableStorage")}
    for table in slicer.util.getNodesByClass("vtkMRMLTableNode", scene):
        if table.GetStorageNode() is not None and table.GetStorageNodeID() in files:
            text = _tab_separated(table_from_node(table))
            (bundle / files[table.GetStorageNodeID()]).write_text(text, encoding="utf-8", newline="\n")


def _tab_separated(columns: dict) -> str:
    """Return a table as tab-separated text, numbers with as many digits as tell them apart."""
    rows = [list(columns), *zip(*(map(_digits, values) for values in columns.values()), strict=True)]
    return "".join("\t".join(row) + "\n" for row in rows)


def _digits(value: object) -> str:
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    return value if isinstance(value, str) else repr(value.item())


def _zip(bundle: Path, path: Path) -> None:
    """Pack a folder as Slicer packs its bundles: one top folder, images stored as they are since NRRD is packed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(bundle.rglob("*")):
            packed = file.suffix == ".nrrd"
            archive.write(file, file.relative_to(bundle.parent), zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED)
