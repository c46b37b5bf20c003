"""List the DICOM series of a folder, guess their phases and choose one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from hccoutcome.errors import InputError, nearest
from hccoutcome.imaging.dicom_headers import SliceHeader, scan
from hccoutcome.imaging.phase import guess_phase
from hccoutcome.progress import Progress, silent

PhaseSource = Literal["description", "contrast timing", "acquisition order"]
_DUMMY_YEAR = 1900  # de-identified files often state 00010101 or 19000101
_SPLITTING = ("AcquisitionNumber", "TemporalPositionIdentifier", "EchoNumbers", "DiffusionBValue", "ImageType")


@dataclass(frozen=True)
class Series:
    """One DICOM series (or one volume of a series that holds several) in a folder.

    Attributes:
        uid: Series Instance UID, with ``#<element>=<value>`` behind it where one series holds several volumes.
        description: series description; never the patient's name.
        modality: DICOM modality: ``"CT"``, ``"MR"``...
        count: number of images.
        acquired: time of acquisition (or of the content), ISO format, or None.
        phase: guessed phase or sequence (``hccoutcome.case.PHASES``), or None.
        phase_source: what the guess rests on; one by the order of acquisitions only is a hint and never chosen by.
        is_volume: True where the series can be a 3D image: several placed images that are no scouts.
        study_uid: Study Instance UID.
    """

    uid: str
    description: str
    modality: str
    count: int
    acquired: str | None
    phase: str | None
    phase_source: PhaseSource | None
    is_volume: bool
    study_uid: str

    def __str__(self) -> str:
        phase = f", {self.phase} by {self.phase_source}" if self.phase else ""
        return f"{self.uid} ({self.modality}, '{self.description}', {self.count} images{phase})"


@dataclass(frozen=True)
class SeriesFiles:
    """A series and the headers of its files."""

    series: Series
    headers: tuple[SliceHeader, ...]


def list_series(folder: Path, progress: Progress = silent) -> tuple[Series, ...]:
    """List the image series of a folder and the folders in it, in the order of their acquisition.

    A series that holds several volumes (phases under different acquisition numbers, echoes, b values) is listed as
    several. Phases are guessed from the description, else from the time since the contrast bolus, else from the order
    of the acquisitions of a study.

    Raises:
        InputError: the folder holds no DICOM image, or one of its files is cut short.
    """
    return tuple(found.series for found in find_series(folder, progress))


def find_series(folder: Path, progress: Progress = silent) -> tuple[SeriesFiles, ...]:
    """List the image series of a folder as ``list_series`` does, each with its files."""
    headers = scan(folder, progress)
    groups: dict[tuple[str, ...], list[SliceHeader]] = defaultdict(list)
    for header in headers:
        if header.is_image:
            uid = header.text("SeriesInstanceUID") or f"series {header.text('SeriesNumber') or 'without UID'}"
            groups[header.text("StudyInstanceUID"), uid].append(header)
    if not groups:
        kinds = ", ".join(sorted({header.text("Modality") or "no modality" for header in headers}))
        raise InputError(
            f"The folder '{folder.name}' was expected to hold DICOM images, found {len(headers)} DICOM files and no "
            f"image among them ({kinds}): give the folder of the image series."
        )
    found = [volume for (_, uid), group in groups.items() for volume in _volumes(uid, group)]
    return _with_phases(sorted(found, key=lambda volume: (volume.series.acquired or "", volume.series.uid)))


def _volumes(uid: str, headers: Sequence[SliceHeader]) -> list[SeriesFiles]:
    """Return one series, or one for each volume where several share the series."""
    multiframe = [header for header in headers if header.frames > 1]
    single = _without_copies([header for header in headers if header.frames == 1])
    found = [_series(uid if len(headers) == 1 else f"{uid}#file={h.path.name}", [h]) for h in multiframe]
    scouts = [header for header in single if header.is_localizer]
    if scouts and len(scouts) < len(single):
        single = [header for header in single if not header.is_localizer]
        found.append(_series(f"{uid}#localizer", scouts))
    for keyword in _SPLITTING:
        parts = _split(single, keyword)
        if _places_repeat(single) and len(parts) > 1 and not any(map(_places_repeat, parts.values())):
            return found + [_series(f"{uid}#{keyword}={value}", group) for value, group in parts.items()]
    return found + ([_series(uid, single)] if single else [])


def _without_copies(headers: Sequence[SliceHeader]) -> list[SliceHeader]:
    """Return the files without second copies of one instance (the same SOP Instance UID is the same image)."""
    unique: dict[str, SliceHeader] = {}
    for header in headers:
        unique.setdefault(header.text("SOPInstanceUID") or str(header.path), header)
    return list(unique.values())


def _split(headers: Sequence[SliceHeader], keyword: str) -> dict[str, list[SliceHeader]]:
    parts: dict[str, list[SliceHeader]] = defaultdict(list)
    for header in headers:
        value = header.values.get(keyword, "")
        parts["\\".join(map(str, value)) if isinstance(value, tuple) else str(value)].append(header)
    return parts


def _places_repeat(headers: Sequence[SliceHeader]) -> bool:
    places = [header.values.get("ImagePositionPatient") for header in headers]
    return len(set(places)) < len(places)


def _series(uid: str, headers: Sequence[SliceHeader]) -> SeriesFiles:
    return SeriesFiles(describe_series(uid, headers), tuple(headers))


def describe_series(uid: str, headers: Sequence[SliceHeader]) -> Series:
    """Return what the headers of a series say about it, with the phase guessed."""
    first = min(headers, key=lambda header: int(header.values.get("InstanceNumber", 0)))
    texts = [first.text(keyword) for keyword in ("SeriesDescription", "ProtocolName")]
    description = next((text for text in texts if text not in ("", "ANONYMIZED")), "")
    phase = guess_phase(texts[0]) or guess_phase(texts[1])
    source: PhaseSource | None = "description" if phase else None
    if phase is None:
        phase = _phase_by_bolus(first)
        source = "contrast timing" if phase else None
    when = _acquired(first)
    return Series(
        uid=uid,
        description=description,
        modality=first.text("Modality"),
        count=sum(header.frames for header in headers),
        acquired=when.isoformat(sep=" ") if when else None,
        phase=phase,
        phase_source=source,
        is_volume=_is_volume(headers),
        study_uid=first.text("StudyInstanceUID"),
    )


def _is_volume(headers: Sequence[SliceHeader]) -> bool:
    several = sum(header.frames for header in headers) > 1
    return several and all(header.is_placed and not header.is_localizer for header in headers)


def _acquired(header: SliceHeader) -> datetime | None:
    stamps = [header.text("AcquisitionDateTime")]
    stamps += [header.text(f"{what}Date") + header.text(f"{what}Time") for what in ("Acquisition", "Content", "Series")]
    for stamp in stamps:
        digits = stamp.split(".")[0].split("+")[0]
        if len(digits) >= 12 and digits.isdigit():
            try:
                found = datetime.strptime(digits[:14].ljust(14, "0"), "%Y%m%d%H%M%S")
            except ValueError:
                continue
            if found.year > _DUMMY_YEAR:
                return found
    return None


def _phase_by_bolus(header: SliceHeader) -> str | None:
    """Guess the phase from the seconds between the start of the contrast injection and the acquisition.

    Windows around the delays of the ACR CT/MRI LI-RADS technique: late arterial about 35 s, portal venous 60 to 80 s,
    delayed 2 to 5 min, hepatobiliary (MRI) 15 to 20 min and later.
    """
    start, taken = _seconds(header.text("ContrastBolusStartTime")), _acquired(header)
    if start is None or taken is None:
        return None
    delay = taken.hour * 3600 + taken.minute * 60 + taken.second - start
    windows = [("arterial", 15, 50), ("portal", 55, 110), ("delayed", 120, 900)]
    if header.text("Modality") == "MR":
        windows.append(("hepatobiliary", 901, 3 * 3600))
    return next((phase for phase, low, high in windows if low <= delay <= high), None)


def _seconds(time: str) -> float | None:
    digits = time.split(".")[0]
    if len(digits) != 6 or not digits.isdigit():
        return None
    return int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:])


_DYNAMIC = ("precontrast", "arterial", "portal", "delayed")


def _with_phases(found: Sequence[SeriesFiles]) -> tuple[SeriesFiles, ...]:
    """Fill in phases by the order of acquisition: one series between two whose phases leave one place free."""
    filled = list(found)
    for index in range(1, len(found) - 1):
        before, here, after = (item.series for item in found[index - 1 : index + 2])
        one_study = len({before.study_uid, here.study_uid, after.study_uid}) == 1
        if here.phase or not one_study or not here.is_volume or not {before.phase, after.phase} <= set(_DYNAMIC):
            continue
        first, last = _DYNAMIC.index(before.phase or ""), _DYNAMIC.index(after.phase or "")
        if last - first == 2:
            guessed = replace(here, phase=_DYNAMIC[first + 1], phase_source="acquisition order")
            filled[index] = replace(found[index], series=guessed)
    return tuple(filled)


def choose_series(
    found: Sequence[SeriesFiles], where: str, series_uid: str | None = None, phase: str | None = None
) -> SeriesFiles:
    """Choose one series: the one named, the only volume, or the only one of the phase sought.

    Raises:
        InputError: none or several fit; the sentence lists them.
    """
    if series_uid is not None:
        found = _named(found, where, series_uid)
    candidates = [item for item in found if item.series.is_volume] or list(found)
    if len(candidates) > 1 and phase is not None:
        sure = [item for item in candidates if item.series.phase_source != "acquisition order"]
        of_phase = [item for item in sure if item.series.phase == phase]
        candidates = of_phase if len(of_phase) == 1 else candidates
    if len(candidates) == 1:
        return candidates[0]
    sought = f"one {phase} series" if phase else "one series"
    raise InputError(
        f"'{where}' was expected to hold {sought}, found {len(candidates)} series: "
        f"{'; '.join(str(item.series) for item in candidates)}: name the one that is meant by its series UID."
    )


def _named(found: Sequence[SeriesFiles], where: str, uid: str) -> list[SeriesFiles]:
    named = [item for item in found if item.series.uid == uid]
    named = named or [item for item in found if item.series.uid.split("#")[0] == uid]
    if not named:
        known = nearest(uid, [item.series.uid for item in found])
        raise InputError(f"The series '{uid}' was expected in '{where}', found others; {known}: name one of them.")
    return named
