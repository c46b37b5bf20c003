"""What goes to programs outside and comes back: an environment of their own, images as NIfTI, masks on our grid."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import EnvironmentNeeded, InputError
from hccoutcome.files import explained_write_errors, sha256_of, sha256_of_json
from hccoutcome.imaging.geometry import on_grid, same_lattice
from hccoutcome.processes import Ended

_LAUNCHER_LEVEL, _BEFORE_LAUNCHER = "APPLAUNCHER_LEVEL", "APPLAUNCHER_0_"
"""Under these names Slicer's launcher keeps the environment in which it was started."""
_NOWHERE = "http://127.0.0.1:9"
"""A proxy that answers nobody: what asks the network through it fails at once."""


@contextmanager
def workspace() -> Iterator[Path]:
    """Yield a new folder for one run; it is gone afterwards, whatever happened.

    Raises:
        EnvironmentNeeded: the disk for temporary files is full.
    """
    with tempfile.TemporaryDirectory(prefix="hcc-segment-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with explained_write_errors(folder):
            yield folder


def foreign_environment(folder: Path, additions: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a program that belongs to another Python than ours.

    It knows nothing of ours, nor of Slicer's where the application was started by its launcher. Its temporary files go
    into ``folder``, and it cannot reach the network by the ways that HTTP clients take: nothing is downloaded and no
    statistics are sent while patients' images are at hand.
    """
    variables = dict(os.environ)
    if _LAUNCHER_LEVEL in variables:
        before = {name: text for name, text in variables.items() if name.startswith(_BEFORE_LAUNCHER)}
        variables = {name.removeprefix(_BEFORE_LAUNCHER): text for name, text in before.items()}
    for name in ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "no_proxy", "NO_PROXY"):
        variables.pop(name, None)
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    proxies = dict.fromkeys(
        ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), _NOWHERE
    )
    return {**variables, **temporary, **proxies, "PYTHONUNBUFFERED": "1", **(additions or {})}


def write_image(image: sitk.Image, path: Path) -> Path:
    """Write an image as NIfTI; not compressed, since it is read once and removed."""
    sitk.WriteImage(image, str(path))
    return path


def read_labels(path: Path, reference: sitk.Image, program: str) -> sitk.Image:
    """Return the labels that a program wrote for an image, on exactly its grid.

    Raises:
        EnvironmentNeeded: the file is missing, cannot be read, or lies on another grid than the image.
    """
    try:
        labels = sitk.Cast(sitk.ReadImage(str(path)), sitk.sitkUInt16)
    except RuntimeError as error:
        raise EnvironmentNeeded(
            f"{program} was expected to write '{path.name}', found no such image: run it on its own to see why."
        ) from error
    if labels.GetDimension() != 3 or not same_lattice(labels, reference):
        raise EnvironmentNeeded(f"{program} wrote '{path.name}' on another grid than the image: install it again.")
    return on_grid(labels, reference)


def mask_of(labels: sitk.Image, values: Iterable[int]) -> sitk.Image:
    """Return the voxels of some labels as a binary mask (uint8, 0/1)."""
    mask = sitk.GetImageFromArray(np.isin(sitk.GetArrayViewFromImage(labels), list(values)).astype(np.uint8))
    mask.CopyInformation(labels)
    return mask


def check_ended(ended: Ended, program: str) -> None:
    """Refuse to go on where a program has failed.

    Raises:
        EnvironmentNeeded: says how it ended and what it said last.
    """
    if ended.status == 0:
        return
    text = "\n".join(ended.lines).lower()
    if ended.status in (-9, 137) or "memoryerror" in text or "not enough memory" in text or "can't allocate" in text:
        raise EnvironmentNeeded(
            f"{program} was ended for want of memory (status {ended.status}): close other programs, or give an image "
            "cut to the liver."
        )
    if "proxyerror" in text or "max retries exceeded" in text or "connection refused" in text:
        raise EnvironmentNeeded(
            f"{program} asked the network for weights that are missing here, which is not allowed while images are at "
            f"hand: download them beforehand.\n{ended.last()}"
        )
    raise EnvironmentNeeded(
        f"{program} ended with status {ended.status}: run it again, and if it happens again look at its last words:\n"
        f"{ended.last()}"
    )


def hash_of_files(paths: Iterable[Path], base: Path) -> dict[str, str]:
    """Return the SHA256 of each file by its place in the folder ``base``.

    Raises:
        InputError: a file cannot be read.
    """
    try:
        return {path.relative_to(base).as_posix(): sha256_of(path) for path in sorted(paths)}
    except OSError as error:
        raise InputError(f"The weights '{error.filename}' cannot be read ({error.strerror}): check them.") from error


def one_hash(hashes: Mapping[str, str]) -> str:
    """Return one SHA256 for several files, the same wherever their folder lies."""
    return sha256_of_json(dict(hashes))
