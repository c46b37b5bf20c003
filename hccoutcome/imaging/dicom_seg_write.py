"""Write a label image, or masks that may overlap, as a DICOM SEG object that belongs to a DICOM series.

The object carries the patient and study of the series as they stand in its files, and its frame of reference. Labels on
the lattice of the series become frames that refer to its slices; labels on another grid (resampled to 1 mm, say) become
frames of their own at their place in space.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import SimpleITK as sitk

from hccoutcome.errors import InputError
from hccoutcome.files import write_atomically
from hccoutcome.imaging.dicom import DicomImage
from hccoutcome.imaging.dicom_headers import pydicom_errors, quiet_pydicom
from hccoutcome.imaging.geometry import Geometry, on_grid, same_lattice
from hccoutcome.version import __version__

if TYPE_CHECKING:
    from highdicom.seg import SegmentDescription
    from highdicom.volume import Volume
    from pydicom import Dataset

Concept = tuple[str, str, str]
"""A coded concept: value, coding scheme, meaning."""

_MAY_BE_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""What the standard allows to be empty and other programs leave out."""
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_SERIES_NUMBER = 9001
_MOST_MASKS = 32
_ALGORITHM_FAMILY: Concept = ("123110", "DCM", "Artificial Intelligence")


@dataclass(frozen=True)
class SegmentCode:
    """What one label means.

    Attributes:
        number: the label, from 1.
        name: name of the segment.
        category, type: what kind of thing it is, and what.
        site: the organ that it lies in, None where the type says so.
        colour: red, green and blue, 0 to 255.
    """

    number: int
    name: str
    category: Concept
    type: Concept
    site: Concept | None = None
    colour: tuple[int, int, int] = (255, 255, 255)


@dataclass(frozen=True)
class Maker:
    """What made the outlines.

    Attributes:
        name, version: of the program.
        kind: ``AUTOMATIC``, ``SEMIAUTOMATIC`` where a person pointed or corrected, ``MANUAL`` where a person drew.
    """

    name: str
    version: str = __version__
    kind: Literal["AUTOMATIC", "SEMIAUTOMATIC", "MANUAL"] = "AUTOMATIC"


def write_seg(
    path: Path,
    labels: sitk.Image,
    segments: Sequence[SegmentCode],
    series: DicomImage,
    algorithm: str,
    created: datetime | None = None,
) -> Path:
    """Write labels as a binary DICOM SEG object and return its path.

    Args:
        path: file to write.
        labels: label image, 0 outside.
        segments: what each label means, numbered from 1 without a gap; a label may be absent from the image.
        series: the series to which the labels belong.
        algorithm: what made the labels, in words.
        created: time of creation; now where None. With the content it decides the object's UIDs.

    Raises:
        InputError: the labels lie outside the series or are not all described, the series lacks what such an object
            needs, or the labels are empty.
        EnvironmentNeeded: the file cannot be written.
    """
    values = sitk.GetArrayViewFromImage(labels)
    _check_labels(values, segments)
    placed = _placed(labels, series)
    voxels = sitk.GetArrayFromImage(placed).astype(np.uint8)
    return _write(path, placed, voxels, segments, series, Maker(algorithm), created)


def write_masks(
    path: Path,
    masks: Sequence[sitk.Image],
    segments: Sequence[SegmentCode],
    series: DicomImage,
    maker: Maker,
    created: datetime | None = None,
) -> Path:
    """Write masks as a binary DICOM SEG object and return its path; a liver may hold its tumours.

    Args:
        path: file to write.
        masks: binary masks on one grid, none of them empty.
        segments: what each mask is, numbered from 1 in their order.
        series: the series to which the masks belong.
        maker: what made them.
        created: time of creation; now where None.

    Raises:
        InputError: a mask is empty or lies outside the series, or the series lacks what such an object needs.
        EnvironmentNeeded: the file cannot be written.
    """
    arrays = [sitk.GetArrayViewFromImage(mask) != 0 for mask in masks]
    empty = [segment.name for segment, array in zip(segments, arrays, strict=True) if not array.any()]
    if empty:
        raise InputError(f"A segmentation to write holds something, found '{empty[0]}' empty: outline it or leave it.")
    if len(masks) > _MOST_MASKS:
        raise InputError(f"A segmentation holds up to {_MOST_MASKS} masks, found {len(masks)}: write two of them.")
    # One bit a mask: so they go through the same steps as labels and stay apart.
    bits = sum(array.astype(np.uint32) << number for number, array in enumerate(arrays))
    image = sitk.GetImageFromArray(np.asarray(bits, np.uint32))
    image.CopyInformation(masks[0])
    placed = _placed(image, series)
    bits = sitk.GetArrayFromImage(placed)
    voxels = np.stack([(bits >> number & 1).astype(np.uint8) for number in range(len(masks))], axis=-1)
    return _write(path, placed, voxels, segments, series, maker, created)


def check_series(series: DicomImage) -> None:
    """Refuse a series to which no DICOM SEG object can refer, before there is one to write.

    Raises:
        InputError: a file lacks what such an object needs.
    """
    _check_sources([_source(file, series.image.GetSpacing()[2]) for file in series.files], series)


def _write(
    path: Path,
    placed: sitk.Image,
    voxels: np.ndarray,
    segments: Sequence[SegmentCode],
    series: DicomImage,
    maker: Maker,
    created: datetime | None,
) -> Path:
    """Write voxels, labels (slices, rows, columns) or masks (..., segments), at the place of an image."""
    import highdicom as hd

    created = created or datetime.now()
    sources = [_source(file, series.image.GetSpacing()[2]) for file in series.files]
    _check_sources(sources, series)
    volume = _volume(placed, voxels, str(sources[0].FrameOfReferenceUID))
    uids = [_uid(part, volume, sources, created) for part in ("series", "instance", "dimensions")]
    try:
        with _quiet_highdicom():
            found = hd.seg.Segmentation(
                source_images=sources,
                pixel_array=volume,
                segmentation_type="BINARY",
                segment_descriptions=[_description(segment, maker) for segment in segments],
                series_instance_uid=uids[0],
                series_number=_SERIES_NUMBER,
                sop_instance_uid=uids[1],
                instance_number=1,
                manufacturer="HCC Outcome",
                manufacturer_model_name="hccoutcome",
                software_versions=__version__,
                device_serial_number="none",
                content_label="HABITATS" if len(segments) > 1 and voxels.ndim == 3 else "SEGMENTATION",
                content_description=maker.name[:64],
                series_description=maker.name[:64],
            )
            _stamp(found, created, uids[2])
    except pydicom_errors() as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"The series '{series.series.uid}' was expected to allow a DICOM SEG object, but it does not ({reason}): "
            "give the original series of the scanner."
        ) from error
    return write_atomically(path, lambda partial: found.save_as(partial))


@contextmanager
def _quiet_highdicom() -> Iterator[None]:
    """Let pass what is warned of in the series' own elements, which are handed on as they are (names of one part)."""
    with warnings.catch_warnings(), quiet_pydicom():
        warnings.filterwarnings("ignore", module=r"highdicom\b.*")
        yield


def _check_labels(values: np.ndarray, segments: Sequence[SegmentCode]) -> None:
    numbers = [segment.number for segment in segments]
    if numbers != list(range(1, len(numbers) + 1)):
        raise InputError(f"Segments are numbered from 1 without a gap, found {numbers}: number them again.")
    largest = int(values.max())
    if not largest:
        raise InputError("A segmentation to write has labels, found none: outline something first.")
    if largest > len(segments) or values.min() < 0:
        raise InputError(f"Labels are 0 to {len(segments)}, found {int(values.min())} to {largest}: describe them all.")


def _placed(labels: sitk.Image, series: DicomImage) -> sitk.Image:
    """Return labels on the slices of the series where they lie on its lattice, else cut to their box."""
    inside = sitk.Resample(labels, series.image, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    if not np.count_nonzero(sitk.GetArrayViewFromImage(inside)):
        raise InputError(
            "The segmentation should lie inside the DICOM series, found no voxel of it there: give the series that the "
            "images were read from."
        )
    labels = on_grid(labels, series.image) if same_lattice(labels, series.image) else _cut(labels)
    return _whole_bytes(labels)


def _volume(placed: sitk.Image, voxels: np.ndarray, frame: str) -> Volume:
    """Return voxels as frames at the place of an image."""
    from highdicom.volume import Volume

    affine = Geometry.from_image(placed).affine[:, [2, 1, 0, 3]]
    channels: Any = None if voxels.ndim == 3 else {"SegmentNumber": list(range(1, voxels.shape[-1] + 1))}
    return Volume(voxels, affine, "PATIENT", frame, channels)


def _cut(labels: sitk.Image) -> sitk.Image:
    """Return labels cut to the box around them."""
    inside = sitk.GetArrayViewFromImage(labels) != 0
    spans = [np.flatnonzero(inside.any(axis=axes)) for axes in ((0, 1), (0, 2), (1, 2))]
    x, y, z = (slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    return labels[x, y, z]


def _whole_bytes(labels: sitk.Image) -> sitk.Image:
    """Return labels with empty columns added until a frame fills whole bytes.

    A voxel is one bit, and a frame may begin inside a byte; where one does, writers and readers in wide use go wrong
    (highdicom's writer here, dcmqi issue 341, QuantitativeReporting issue 278).
    """
    columns, rows, _ = labels.GetSize()
    more = next(count for count in range(8) if (columns + count) * rows % 8 == 0)
    return sitk.ConstantPad(labels, (0, 0, 0), (more, 0, 0), 0)


def _source(path: Path, step: float) -> Dataset:
    """Return the header of a file of the series in Unicode, with what it lacks and the object states.

    Args:
        path: the file.
        step: distance of the slices in mm, taken for their thickness where they do not state it.
    """
    import pydicom

    with quiet_pydicom():
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        dataset.decode()
        dataset.SpecificCharacterSet = "ISO_IR 192"
        for keyword in _MAY_BE_EMPTY:
            if keyword not in dataset:
                setattr(dataset, keyword, None)
        dataset.SliceThickness = dataset.get("SliceThickness") or step
    return dataset


def _check_sources(sources: Sequence[Dataset], series: DicomImage) -> None:
    for keyword in _NEEDED:
        if not all(dataset.get(keyword) for dataset in sources):
            raise InputError(
                f"The DICOM series should state the element {keyword} in each of its {len(series.files)} files, found "
                "one without it, to which no segmentation can refer: give the original series of the scanner."
            )


def _description(segment: SegmentCode, maker: Maker) -> SegmentDescription:
    import highdicom as hd
    from highdicom.sr.coding import CodedConcept

    return hd.seg.SegmentDescription(
        segment_number=segment.number,
        segment_label=segment.name,
        segmented_property_category=CodedConcept(*segment.category),
        segmented_property_type=CodedConcept(*segment.type),
        algorithm_type=maker.kind,
        algorithm_identification=None
        if maker.kind == "MANUAL"
        else hd.AlgorithmIdentificationSequence(
            name=maker.name[:64], family=CodedConcept(*_ALGORITHM_FAMILY), version=(maker.version or "not stated")[:64]
        ),
        anatomic_regions=None if segment.site is None else [CodedConcept(*segment.site)],
        display_color=hd.color.CIELabColor.from_rgb(*segment.colour),
    )


def _uid(part: str, volume: Volume, sources: Sequence[Dataset], created: datetime) -> str:
    """Return a UID that another object cannot have: from content, place, sources and time."""
    from pydicom.uid import generate_uid

    origin = [*(str(dataset.SOPInstanceUID) for dataset in sources), volume.affine.tobytes().hex()]
    return str(generate_uid(entropy_srcs=[part, *origin, volume.array.tobytes().hex(), created.isoformat()]))


def _stamp(found: Dataset, created: datetime, dimensions: str) -> None:
    """Write the time of creation wherever it stands, and the UID of the dimensions, which highdicom draws by lot."""
    date, time = created.strftime("%Y%m%d"), created.strftime("%H%M%S.%f")
    found.ContentDate = found.InstanceCreationDate = date
    found.ContentTime = found.InstanceCreationTime = time
    found.ContributingEquipmentSequence[-1].ContributionDateTime = date + time
    for item in (*found.DimensionOrganizationSequence, *found.DimensionIndexSequence):
        item.DimensionOrganizationUID = dimensions
