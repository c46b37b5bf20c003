"""Files of a perturbation study: masks that Slicer opens as segmentations, tables, and what made them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.files import explained_write_errors, write_atomically, write_csv, write_json
from hccoutcome.stability.perturbation import Perturbation
from hccoutcome.stability.study import PerturbationStudy
from hccoutcome.stability.table import COLUMNS, StabilityTable, write_table
from hccoutcome.strict_json import parse_json

SUBJECT, PERTURBATION = "subject", "perturbation"
"""Columns of the feature table that name the subject and the repeat."""
FEATURE_FILE, STUDY_FILE, SCENE_FILE = "features.csv", "study.json", "scene.mrb"
FILES = (
    FEATURE_FILE, STUDY_FILE, SCENE_FILE, "original.csv", "perturbations.csv", "stability.csv", "stability.json",
)  # fmt: skip
"""All files of a study beside its masks."""
_COLOUR = "0.90 0.55 0.20"


def mask_path(folder: Path, perturbation: Perturbation) -> Path:
    """Return where the mask of a perturbation lies in the folder of a study."""
    return folder / "masks" / f"perturbation-{perturbation.index:03d}.seg.nrrd"


def check_study_folder(folder: Path) -> None:
    """Refuse a folder in which a study would replace or take away what no study wrote.

    Raises:
        InputError: names the first such file.
    """
    foreign = [path for path in _study_paths(folder) if path not in _written(folder)]
    if foreign:
        raise InputError(
            f"'{foreign[0].relative_to(folder)}' in the folder '{folder.name}' was not written by hcc perturb, which "
            "would replace it: choose another folder for the study."
        )


def clear_study(folder: Path) -> None:
    """Take away what an earlier study wrote in a folder; anything else in it stays."""
    for path in _written(folder):
        path.unlink()


def _study_paths(folder: Path) -> list[Path]:
    """Return what lies in a folder under the names of a study's files."""
    patterns = ("masks/perturbation-*.seg.nrrd", *FILES)
    return [path for pattern in patterns for path in sorted(folder.glob(pattern))]


def _written(folder: Path) -> list[Path]:
    """Return the files that a study wrote: its masks say so themselves, of the others ``study.json`` does."""
    whole = _is_study(folder / STUDY_FILE)
    masks = folder / "masks"
    return [path for path in _study_paths(folder) if (_is_own_mask(path) if path.parent == masks else whole)]


def _is_study(path: Path) -> bool:
    try:
        found = parse_json(path.read_bytes(), path.name)
    except (OSError, InputError):
        return False
    return isinstance(found, dict) and all(isinstance(found.get(key), dict) for key in ("perturbation", "radiomics"))


def _is_own_mask(path: Path) -> bool:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:  # cut short, or no image at all
        return False
    tag = "Segment0_Name"
    return reader.HasMetaDataKey(tag) and reader.GetMetaData(tag).startswith(f"{PERTURBATION} ")


def write_mask(path: Path, mask: sitk.Image, name: str) -> Path:
    """Write a mask as a segmentation of one segment on its whole grid, so that it can be extracted again exactly."""
    tagged = sitk.Image(mask)
    x, y, z = (length - 1 for length in mask.GetSize())
    tags = {
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
        "Segment0_ID": "Segment_1",
        "Segment0_Name": name,
        "Segment0_Color": _COLOUR,
        "Segment0_Extent": f"0 {x} 0 {y} 0 {z}",
        "Segment0_LabelValue": "1",
        "Segment0_Layer": "0",
    }
    for key, value in tags.items():
        tagged.SetMetaData(key, value)
    with explained_write_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    return write_atomically(path, lambda partial: _write_nrrd(tagged, partial))


def write_study(folder: Path, subject: str, study: PerturbationStudy, table: StabilityTable, prefix: str = "") -> None:
    """Write the tables of a study.

    ``features.csv`` holds a row for each perturbation that could be extracted, ``original.csv`` the case as it is,
    ``perturbations.csv`` what each did, ``stability.csv`` and ``stability.json`` the stability of each feature, and
    ``study.json`` the settings.

    Args:
        folder: where to write; made where it is missing.
        subject: name of the case.
        study: the study.
        table: its stability table.
        prefix: put before each feature's name, ``portal_tumor_`` for instance.
    """
    with explained_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    names = [prefix + name for name in study.features]
    columns = [SUBJECT, PERTURBATION, *names]
    rows = [
        {SUBJECT: subject, PERTURBATION: item.index, **_cells(names, values)}
        for item, values in zip(study.perturbations, study.values.tolist(), strict=True)
        if item.index not in study.failures
    ]
    original = {SUBJECT: subject, PERTURBATION: 0, **_cells(names, list(study.original.values()))}
    # First, so that the folder of an interrupted run is known for a study's.
    write_json(folder / STUDY_FILE, dict(study.provenance))
    write_csv(folder / FEATURE_FILE, columns, rows)
    write_csv(folder / "original.csv", columns, [original])
    done = study.rows()
    write_csv(folder / "perturbations.csv", list(done[0]), done)
    write_csv(folder / "stability.csv", COLUMNS, table.rows())
    write_table(folder / "stability.json", table)


def _write_nrrd(image: sitk.Image, path: Path) -> None:
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(path))
    writer.SetUseCompression(True)
    writer.SetCompressionLevel(1)
    writer.Execute(image)


def _cells(names: list[str], values: list[float]) -> dict[str, Any]:
    # NaN is not equal to itself: an empty cell.
    return {name: value for name, value in zip(names, values, strict=True) if value == value}
