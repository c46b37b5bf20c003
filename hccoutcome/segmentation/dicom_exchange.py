"""Segmentations as DICOM SEG: our regions written with their standard codes, others' segments read as our regions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from hccoutcome.case import MaskFile
from hccoutcome.errors import InputError
from hccoutcome.imaging.dicom import DicomImage
from hccoutcome.imaging.dicom_headers import read_header
from hccoutcome.imaging.dicom_seg import SegSegment, list_segments
from hccoutcome.imaging.dicom_seg_write import Maker, SegmentCode, write_masks
from hccoutcome.imaging.geometry import on_grid, same_lattice
from hccoutcome.imaging.headers import nrrd_fields
from hccoutcome.imaging.reading import read_mask, unite
from hccoutcome.segmentation.appearance import APPEARANCES, HABITAT, NEOPLASM, Code, appearance
from hccoutcome.segmentation.draft import REVIEW, read_provenance
from hccoutcome.segmentation.label_map import region_named

IMPORTED = "DICOM SEG"
"""Engine, in the provenance, of masks that came from a DICOM SEG object."""
_OTHER_CODES = {
    "86049000": "tumor",  # Neoplasm, Primary
    "52988006": "tumor",  # Lesion
    "25370001": "tumor",  # Hepatocellular carcinoma
    "4147007": "tumor",  # Mass
    "M-01100": "tumor", "M-80003": "tumor", "M-80000": "tumor", "T-62000": "liver",  # the same in SRT
}  # fmt: skip
"""Further codes of segments that other programs give to lesions and the liver."""
_SOURCE = re.compile(r"HCCOutcome\.Source:([^|]+)")
_NUMBERED = re.compile(r"(Tumour|Habitat) ([1-9][0-9]?)")
"""Several tumours, and all habitats, have one code and are numbered by their names."""
_GENERAL = {"59820001"}
"""Codes that say what a thing is and not which: a blood vessel is one of the liver only by its name."""


def write_segments(
    path: Path,
    masks: Mapping[str, sitk.Image],
    series: DicomImage,
    maker: Maker,
    created: datetime | None = None,
) -> Path:
    """Write masks as one DICOM SEG object with the names, codes and colours of their regions.

    Args:
        path: file to write.
        masks: binary mask by canonical region, on one grid.
        series: the DICOM series that they belong to.
        maker: what made them.
        created: time of creation; now where None.

    Raises:
        InputError: a mask is empty or lies outside the series, or the series lacks what such an object needs.
        EnvironmentNeeded: the file cannot be written.
    """
    segments = [segment_code(region, number) for number, region in enumerate(masks, start=1)]
    return write_masks(path, list(masks.values()), segments, series, maker, created)


def segment_code(region: str, number: int) -> SegmentCode:
    """Return the description of a region's segment."""
    look = appearance(region)
    red, green, blue = (round(255 * part) for part in look.colour)
    site = None if look.site is None else _concept(look.site)
    return SegmentCode(number, look.title, _concept(look.category), _concept(look.type), site, (red, green, blue))


def _concept(code: Code) -> tuple[str, str, str]:
    return (code.value, code.scheme, code.meaning)


def maker_of(provenance: Mapping[str, Any], reviewed: bool = False) -> Maker:
    """Return what made a draft: automatic, or with a person's help where one pointed at it or corrected it."""
    if provenance["engine"] == IMPORTED and provenance.get("segments"):
        listed = [segment for segments in provenance["segments"].values() for segment in segments]
        return least_automatic([Maker(segment["maker"] or IMPORTED, "", segment["kind"]) for segment in listed])
    helped = reviewed or provenance.get("prompt") is not None
    name = f"HCC Outcome {provenance['engine']}"
    return Maker(name, str(provenance["version"]), "SEMIAUTOMATIC" if helped else "AUTOMATIC")


def least_automatic(makers: Sequence[Maker]) -> Maker:
    """Return which of several makers speaks for them all: the one on whom a person had the largest share."""
    return max(makers, key=lambda maker: ("AUTOMATIC", "SEMIAUTOMATIC", "MANUAL").index(maker.kind))


def maker_in(path: Path) -> Maker | None:
    """Return what made a segmentation of ours, by its header; None for any other file.

    A segment that a person accepted or edited was made with a person's help.
    """
    if not path.is_file() or path.suffix.lower() not in (".nrrd", ".nhdr"):
        return None
    tags = [text for name, text in nrrd_fields(path).items() if name.endswith("_Tags")]
    reviewed = any(f"HCCOutcome.Review:{REVIEW[state]}" in text for text in tags for state in ("edited", "accepted"))
    provenance = read_provenance(path)
    if "engine" in provenance:
        return maker_of(provenance, reviewed)
    # Another program that has saved the file keeps the segments' tags and not our field.
    sources = [found[1].rpartition(" ") for text in tags if (found := _SOURCE.search(text))]
    return maker_of({"engine": sources[0][0], "version": sources[0][2]}, reviewed) if sources else None


def regions_in(path: Path) -> dict[str, tuple[SegSegment, ...]]:
    """Return the segments of a DICOM SEG object by our region, as codes or else names say; others are left out.

    Raises:
        InputError: it is no SEG object, or none of its segments is a region of ours.
    """
    segments = list_segments(path)
    found: dict[str, tuple[SegSegment, ...]] = {}
    for segment in segments:
        region = region_of(segment)
        if region is not None:
            found[region] = (*found.get(region, ()), segment)
    if not found:
        listed = ", ".join(segment.label for segment in segments)
        raise InputError(
            f"The DICOM SEG file '{path.name}' was expected to hold the liver or a lesion, found {listed}: name the "
            "segment that is meant, as REGION=PATH#SEGMENT."
        )
    return found


def region_of(segment: SegSegment) -> str | None:
    """Return the region that a segment is, None for another."""
    value = segment.type[0]
    if value in (NEOPLASM.value, HABITAT.value) and (numbered := _NUMBERED.fullmatch(segment.label)):
        return {"Tumour": "tumor", "Habitat": "habitat"}[numbered[1]] + numbered[2]
    by_name = region_named(segment.label)
    by_code = {appearance(region).type.value: region for region in (*APPEARANCES, *_COUINAUD)}
    by_code = {**_OTHER_CODES, **by_code}
    if value in _GENERAL or value not in by_code:
        return by_name
    return by_code[value]


_COUINAUD = tuple(f"segment{number}" for number in range(1, 9))


def check_frame(path: Path, files: Sequence[Path]) -> None:
    """Refuse a DICOM SEG object that was drawn in another frame of reference than a DICOM series.

    Positions are told in it, so that the same numbers mean another place in another frame: another patient or visit.

    Args:
        path: the object's file.
        files: of the image; what is not DICOM has no frame of reference and is not compared.

    Raises:
        InputError: the frames differ.
    """
    own, other = (read_header(file).text("FrameOfReferenceUID") for file in (path, files[0]))
    if own and other and own != other:
        raise InputError(
            f"The DICOM SEG file '{path.name}' was expected in the frame of reference of the image, found another "
            "patient's, visit's or table position's: give the series that was outlined."
        )


def read_segments(path: Path, image: sitk.Image) -> dict[str, sitk.Image]:
    """Return the masks of our regions in a DICOM SEG object, on an image's grid; several of one region are united.

    Raises:
        InputError: it is no SEG object, none of its segments is a region of ours, or it belongs to another image.
    """
    masks = {}
    for region, segments in regions_in(path).items():
        found = [read_mask(MaskFile(path, str(segment.number))) for segment in segments]
        if not all(same_lattice(mask, image) for mask in found):
            raise InputError(
                f"The DICOM SEG file '{path.name}' was expected on the grid of the image, found another: give the "
                "series that was outlined."
            )
        masks[region] = unite([on_grid(mask, image) for mask in found])
    return masks
