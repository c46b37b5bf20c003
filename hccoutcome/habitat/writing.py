"""Write habitats to files: a segmentation that 3D Slicer opens, a label image, and tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from hccoutcome.files import explained_write_errors, write_atomically, write_csv, write_json
from hccoutcome.habitat.habitats import Habitats
from hccoutcome.habitat.palette import habitat_colour
from hccoutcome.habitat.preparation import RegistrationCheck
from hccoutcome.habitat.tables import CURVE_COLUMNS, check_rows, columns_of, curve_rows, habitat_rows
from hccoutcome.imaging.dicom import DicomImage
from hccoutcome.imaging.dicom_seg_write import SegmentCode, write_seg
from hccoutcome.imaging.registration_figure import registration_picture

SEGMENTATION_FILE, LABEL_FILE, HABITAT_FILE = "habitats.seg.nrrd", "habitats.nii.gz", "habitats.csv"
FEATURE_FILE, CURVE_FILE, SUMMARY_FILE = "features.csv", "elbow.csv", "habitats.json"
CHECK_FILE, DICOM_FILE = "registration.csv", "habitats.dcm"
CHECK_IMAGES, CHECK_PICTURES = "checkerboard_*.nii.gz", "registration_*.png"
FILES = (
    SEGMENTATION_FILE, LABEL_FILE, HABITAT_FILE, FEATURE_FILE, CURVE_FILE, SUMMARY_FILE, DICOM_FILE, CHECK_FILE,
    CHECK_IMAGES, CHECK_PICTURES,
)  # fmt: skip
"""All that may be written of the habitats of one tumour; the last two are patterns."""

CATEGORY = ("309825002", "SCT", "Spatial and Relational Concept")
TYPE = ("HABITAT", "99HCCOUTCOME", "Tumour habitat")
SITE = ("10200004", "SCT", "Liver")
"""What a habitat is and where: value, coding scheme and meaning as in Resources/Terminology."""


def _slicer_code(code: tuple[str, str, str]) -> str:
    value, scheme, meaning = code
    return f"{scheme}^{value}^{meaning}"


TERMINOLOGY = f"HCC Outcome~{_slicer_code(CATEGORY)}~{_slicer_code(TYPE)}~^^~HCC Outcome~{_slicer_code(SITE)}~^^"
"""The same in the form that Slicer keeps with a segment."""


def write_habitats(
    habitats: Habitats, folder: Path, region: str = "tumor", checks: Sequence[RegistrationCheck] = ()
) -> tuple[Path, ...]:
    """Write everything about the habitats of one tumour into a folder (made where missing); return the files.

    Nothing of earlier habitats stays beside them.

    Raises:
        EnvironmentNeeded: the folder cannot be written to.
    """
    with explained_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for old in [path for pattern in FILES for path in folder.glob(pattern)]:
            old.unlink()
    rows = habitat_rows(habitats, region)
    files = [
        write_segmentation(habitats, folder / SEGMENTATION_FILE),
        write_atomically(folder / LABEL_FILE, lambda path: sitk.WriteImage(habitats.labels, str(path))),
        write_csv(folder / HABITAT_FILE, columns_of(rows), rows),
        write_csv(folder / FEATURE_FILE, list(habitats.features), [habitats.features]),
        write_csv(folder / CURVE_FILE, CURVE_COLUMNS, curve_rows(habitats)),
        write_json(folder / SUMMARY_FILE, habitats.summary()),
    ]
    if checks:
        found = check_rows(checks)
        files.append(write_csv(folder / CHECK_FILE, columns_of(found), found))
        files += [path for check in checks for path in _write_check(check, folder, habitats.labels)]
    return tuple(files)


def _write_check(check: RegistrationCheck, folder: Path, labels: sitk.Image) -> tuple[Path, Path]:
    """Write the checkerboard of one phase as an image, and as a picture as scanned and as registered."""
    image = sitk.Cast(sitk.Round(check.checkerboard), sitk.sitkUInt8)
    path = folder / f"checkerboard_{check.phase}.nii.gz"
    write_atomically(path, lambda partial: sitk.WriteImage(image, str(partial)))
    picture = registration_picture(check, sitk.Cast(labels != 0, sitk.sitkUInt8))
    shown = folder / f"registration_{check.phase}.png"
    return path, write_atomically(shown, lambda partial: _write_bytes(partial, picture))


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def write_segmentation(habitats: Habitats, path: Path) -> Path:
    """Write the map as a ``.seg.nrrd``: one named, coloured and coded segment for each habitat that the tumour has."""
    image = sitk.Image(habitats.labels)
    for key, value in _header(sitk.GetArrayViewFromImage(image)).items():
        image.SetMetaData(key, value)
    return write_atomically(path, lambda partial: sitk.WriteImage(image, str(partial), useCompression=True))


def write_dicom_seg(habitats: Habitats, path: Path, series: DicomImage, created: datetime | None = None) -> Path:
    """Write the map as a DICOM SEG object: one coded, coloured segment for each habitat, numbered as the habitats are.

    A habitat that the tumour lacks keeps its number and has no frames.

    Args:
        habitats: the habitats.
        path: file to write.
        series: the DICOM series in whose frame of reference the map lies; it takes patient and study from there.
        created: time of creation; now where None.

    Raises:
        InputError: the map lies beside the series, or the series lacks what a segmentation refers to.
    """
    segments = [
        SegmentCode(number, f"Habitat {number}", CATEGORY, TYPE, SITE, habitat_colour(number))
        for number in range(1, habitats.k + 1)
    ]
    settings = habitats.settings
    algorithm = f"HCC Outcome habitats, {settings.method}, {settings.algorithm}"
    return write_seg(path, habitats.labels, segments, series, algorithm, created)


def _header(labels: np.ndarray) -> dict[str, str]:
    """Return the fields by which Slicer reads a label image as a segmentation."""
    fields = {
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    present = [int(label) for label in np.unique(labels) if label]
    for index, label in enumerate(present):
        fields.update({f"Segment{index}_{name}": value for name, value in _segment(labels, label).items()})
    return fields


def _segment(labels: np.ndarray, label: int) -> dict[str, str]:
    where = labels == label
    spans = [np.flatnonzero(where.any(axis=axes)) for axes in ((0, 1), (0, 2), (1, 2))]
    return {
        "ID": f"habitat{label}",
        "Name": f"Habitat {label}",
        "NameAutoGenerated": "0",
        "Color": " ".join(f"{part / 255:.6g}" for part in habitat_colour(label)),
        "ColorAutoGenerated": "0",
        "LabelValue": str(label),
        "Layer": "0",
        "Extent": " ".join(f"{span[0]} {span[-1]}" for span in spans),
        "Tags": f"TerminologyEntry:{TERMINOLOGY}|",
    }
