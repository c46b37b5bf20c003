"""Read DICOM series as volumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.imaging.dicom_headers import read_header
from hccoutcome.imaging.dicom_series import Series, SeriesFiles, choose_series, find_series, list_series
from hccoutcome.imaging.dicom_stack import read_frames, read_stack
from hccoutcome.progress import Progress, part, silent

__all__ = ["DicomImage", "Series", "list_series", "read_series"]


@dataclass(frozen=True)
class DicomImage:
    """A volume read from DICOM the series that it was read from and its files."""

    image: sitk.Image
    series: Series
    files: tuple[Path, ...]


def read_series(
    path: Path, series_uid: str | None = None, phase: str | None = None, progress: Progress = silent
) -> DicomImage:
    """Read one series as a volume.

    Args:
        path: a folder, or one file of the series (the others are looked for beside it).
        series_uid: the series meant, where a folder holds several.
        phase: the phase sought, where a folder holds several and none is named.
        progress: told how far the reading is.

    Raises:
        InputError: no single series, slices missing, repeated or of mixed size or orientation, an encoding that cannot
            be decoded, or a file cut short.
    """
    if path.is_file():
        header = read_header(path)
        if not header.is_image:
            raise InputError(
                f"'{path.name}' was expected to be a DICOM image, found {header.text('Modality') or 'no image'}: "
                "give a file of the image series."
            )
        beside = find_series(path.parent, part(progress, 0, 0.3))
        found = [item for item in beside if path in {other.path for other in item.headers}]
        chosen = choose_series(found, path.parent.name, series_uid, phase)
    else:
        chosen = choose_series(find_series(path, part(progress, 0, 0.3)), path.name, series_uid, phase)
    read: Callable[[SeriesFiles, Progress], sitk.Image]
    read = read_frames if chosen.headers[0].frames > 1 else read_stack
    image = read(chosen, part(progress, 0.3, 1))
    return DicomImage(image, chosen.series, tuple(header.path for header in chosen.headers))
