"""What a DICOM file says about itself, as far as sorting slices and telling series apart needs it.

Patient names and numbers are never taken out of a file here.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from hccoutcome.errors import InputError
from hccoutcome.imaging.headers import image_kind
from hccoutcome.progress import Progress, silent

if TYPE_CHECKING:
    from pydicom import Dataset

NOT_IMAGES = frozenset(
    {"SEG", "SR", "PR", "KO", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE", "REG", "FID", "RWV", "AU", "ECG"}
)
"""DICOM modalities whose objects hold no image of their own."""

_TAGS = """
    SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID Modality SeriesDescription
    ProtocolName SeriesNumber InstanceNumber Rows Columns PixelSpacing ImagePositionPatient ImageOrientationPatient
    AcquisitionNumber TemporalPositionIdentifier EchoNumbers DiffusionBValue ImageType NumberOfFrames SamplesPerPixel
    AcquisitionDate AcquisitionTime AcquisitionDateTime ContentDate ContentTime SeriesDate SeriesTime
    ContrastBolusAgent ContrastBolusStartTime
""".split()  # noqa: SIM905


_COORDINATES = {"PixelSpacing": 2, "ImagePositionPatient": 3, "ImageOrientationPatient": 6}
_WHOLE = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "InstanceNumber")


@dataclass(frozen=True)
class SliceHeader:
    """One DICOM file of a series.

    Attributes:
        path: the file.
        values: elements by keyword; text, numbers or tuples of them. Absent and empty elements are not held.
        transfer_syntax: UID of the encoding.
    """

    path: Path
    values: dict[str, Any]
    transfer_syntax: str

    def text(self, keyword: str) -> str:
        """Return an element as text; empty where absent."""
        return str(self.values.get(keyword, ""))

    @property
    def frames(self) -> int:
        """Number of images in the file."""
        return int(self.values.get("NumberOfFrames", 1))

    @property
    def is_image(self) -> bool:
        """True where the file holds an image, and not a segmentation, a report or the like."""
        return {"Rows", "Columns"} <= set(self.values) and self.text("Modality") not in NOT_IMAGES

    @property
    def is_placed(self) -> bool:
        """True where the file says where its image lies in the patient (multi-frame files say it per frame)."""
        return self.frames > 1 or {"ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"} <= set(
            self.values
        )

    @property
    def is_localizer(self) -> bool:
        """True for a scout image."""
        return "LOCALIZER" in self.values.get("ImageType", ())


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Let pass what pydicom warns of in other programs' files (values that break the rules of their type)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"pydicom\b.*")
        yield


def pydicom_errors() -> tuple[type[Exception], ...]:
    """Return what pydicom and highdicom raise on damaged files, for an ``except`` clause."""
    from pydicom.errors import BytesLengthException, InvalidDicomError

    damaged = (EOFError, ValueError, TypeError, AttributeError, KeyError, RuntimeError, OverflowError)
    return (*damaged, struct.error, zlib.error, BytesLengthException, InvalidDicomError)


def read_header(path: Path) -> SliceHeader:
    """Read the header of one DICOM file and check that its pixels are all there.

    Raises:
        InputError: no DICOM file, or cut short.
    """
    import pydicom

    with path.open("rb") as file, quiet_pydicom():
        try:
            dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_TAGS), force=True)
            syntax = str(dataset.file_meta.get("TransferSyntaxUID", "1.2.840.10008.1.2"))
            values = _plain_values(dataset)
        except pydicom_errors() as error:
            reason = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
            raise InputError(
                f"The DICOM file '{path.name}' is cut short or damaged ({reason}): copy it again from its source."
            ) from error
        _refuse_truncated(path, file, syntax)
        return SliceHeader(path, values, syntax)


def _plain_values(dataset: Dataset) -> dict[str, Any]:
    """Return the elements as plain text, whole numbers and tuples; what is absent or empty is left out.

    Raises:
        ValueError: a number that is none, or a place without all its coordinates.
    """
    values: dict[str, Any] = {}
    for keyword in _TAGS:
        value = dataset.get(keyword)
        if value is None or value == "" or (hasattr(value, "__len__") and len(value) == 0):
            continue
        if keyword in _COORDINATES:
            values[keyword] = tuple(float(number) for number in value)
            if len(values[keyword]) != _COORDINATES[keyword]:
                raise ValueError(f"{keyword} of {len(values[keyword])} numbers")
        elif keyword in _WHOLE:
            values[keyword] = int(value)
        else:
            values[keyword] = value if isinstance(value, (str, int, float)) else tuple(value)
    return values


def _refuse_truncated(path: Path, file: BinaryIO, syntax: str) -> None:
    """Refuse a file that ends before its pixels do; the file stands at the start of the pixel element."""
    start = file.tell()
    head = file.read(12)
    order = ">" if syntax == "1.2.840.10008.1.2.2" else "<"
    if len(head) < 12 or struct.unpack(order + "HH", head[:4]) != (0x7FE0, 0x0010):
        return
    explicit = head[4:6].isalpha()
    length = struct.unpack(order + "I", head[8:12] if explicit else head[4:8])[0]
    found = path.stat().st_size
    expected = _end_of_fragments(file, found) if length == 0xFFFFFFFF else start + (12 if explicit else 8) + length
    if expected > found:
        raise InputError(
            f"The DICOM file '{path.name}' is cut short: at least {expected:,} bytes were expected, found {found:,}: "
            "copy it again from its source."
        )


def _end_of_fragments(file: BinaryIO, size: int) -> int:
    """Return where compressed pixels end: their fragments are followed up to the end mark (PS3.5 A.4)."""
    at = file.tell()
    while at <= size:
        head = file.read(8)
        if len(head) < 8:
            return at + 8
        group, element, length = struct.unpack("<HHI", head)
        if (group, element) != (0xFFFE, 0xE000):
            return at
        at = file.seek(at + 8 + length)
    return at


def scan(folder: Path, progress: Progress = silent) -> tuple[SliceHeader, ...]:
    """Read the headers of all DICOM files in a folder and the folders in it, in the order of their names.

    Files of another kind are passed over; a ``DICOMDIR`` is none of the images.

    Raises:
        InputError: a DICOM file is cut short, or there is no DICOM file at all.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name.upper() != "DICOMDIR")
    headers = []
    for number, path in enumerate(paths):
        progress(number / len(paths), "reads DICOM headers")
        if image_kind(path) == "dicom":
            headers.append(read_header(path))
    if not headers:
        raise InputError(
            f"The folder '{folder.name}' was expected to hold a DICOM series, found {len(paths)} files and none of "
            "them DICOM: check the path, or give the image's file itself."
        )
    return tuple(headers)
