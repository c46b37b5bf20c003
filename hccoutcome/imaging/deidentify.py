"""De-identify DICOM files by the basic confidentiality profile of PS3.15 and report what was changed.

The input is only read. The output is a new folder ``<pseudonym>/<series>/<number>.dcm`` with a report
(``deidentification.json``, ``deidentification.csv``) that holds no original value; it appears only when complete.
Pixels are not altered: what says or lets expect that text is burnt into them is left out and listed.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hccoutcome.case import check_case_id
from hccoutcome.errors import InputError
from hccoutcome.files import explained_write_errors, write_json, write_text
from hccoutcome.imaging.deidentify_report import (
    BASIC,
    REPORT_FILE,
    SHIFTED,
    TABLE_FILE,
    Change,
    Deidentification,
    LeftOut,
    WrittenSeries,
    changes_table,
)
from hccoutcome.imaging.deidentify_rules import PROFILE_TABLE, Cleaner, Secret
from hccoutcome.imaging.dicom_headers import SliceHeader, pydicom_errors, quiet_pydicom, read_header
from hccoutcome.imaging.dicom_series import describe_series
from hccoutcome.imaging.headers import image_kind
from hccoutcome.progress import Progress, part, silent
from hccoutcome.version import __version__

if TYPE_CHECKING:
    from pydicom import Dataset

_CAPTURES = ("1.2.840.10008.5.1.4.1.1.7",)
_DAMAGED = "DICOM file cut short or damaged"


def deidentify(
    source: Path,
    target: Path,
    *,
    keep_intervals: bool = False,
    pseudonym: str | None = None,
    key: bytes | None = None,
    progress: Progress = silent,
) -> Deidentification:
    """De-identify all DICOM images and segmentations in a folder.

    Args:
        source: folder (or file) with DICOM files; only read.
        target: folder to write; absent or empty.
        keep_intervals: put all dates of a patient back by one number of days instead of removing them.
        pseudonym: name for the patient where there is one; otherwise ``HCC_0001``, ``HCC_0002``... in the order of
            the files.
        key: secret from which new UIDs and date offsets follow, to get the same in several runs; by default a new one
            that is forgotten at the end.
        progress: told how far the work is.

    Returns:
        What was done; ``left_out`` names every file that was not written.

    Raises:
        InputError: nothing to do, the target lies in the source, is not empty, or the pseudonym cannot be used.
        EnvironmentNeeded: the target cannot be written to.
    """
    _check_places(source, target)
    entries, left_out = _sort_files(source, part(progress, 0, 0.2))
    patients = _patients(entries, pseudonym)
    run = _Run(Secret(key or secrets.token_bytes(32)), keep_intervals, patients, left_out)
    with explained_write_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            run.write(entries, partial, source, part(progress, 0.2, 1))
            result = run.result(target)
            write_json(partial / REPORT_FILE, result.to_json())
            write_text(partial / TABLE_FILE, changes_table(result.changes))
            _publish(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return result


def _check_places(source: Path, target: Path) -> None:
    if not source.exists():
        raise InputError(f"A folder with DICOM files was expected, found nothing at '{source}': check the path.")
    inside, outside = source.resolve(), target.resolve()
    if outside == inside or outside.is_relative_to(inside):
        raise InputError("The output was expected outside the input, found it inside or equal: choose another folder.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"A new or empty folder was expected as output, found '{target}' in use: choose another.")


@dataclass(frozen=True)
class _Entry:
    """One DICOM file to write, with what its place in the output depends on."""

    header: SliceHeader
    patient: str
    patient_id: str


def _sort_files(source: Path, progress: Progress) -> tuple[list[_Entry], list[LeftOut]]:
    """Return the files to write in the order of their paths, and those that are left out."""
    base = source if source.is_dir() else source.parent
    paths = sorted(p for p in source.rglob("*") if p.is_file()) if source.is_dir() else [source]
    entries: list[_Entry] = []
    left_out: list[LeftOut] = []
    for number, path in enumerate(paths):
        progress(number / len(paths), "reads DICOM headers")
        try:
            entry, reason = _entry(path)
        except InputError:
            entry, reason = None, _DAMAGED
        except PermissionError:
            entry, reason = None, "file may not be opened"
        if entry is None:
            left_out.append(LeftOut(path.relative_to(base), reason))
        else:
            entries.append(entry)
    if not entries:
        raise InputError(
            f"DICOM images were expected in '{source.name}', found {len(paths)} files and none of them usable "
            f"({'; '.join(sorted({item.reason for item in left_out})) or 'empty folder'}): check the path."
        )
    return entries, left_out


def _entry(path: Path) -> tuple[_Entry | None, str]:
    import pydicom

    if image_kind(path) != "dicom":
        return None, "not a DICOM file"
    if path.name.upper() == "DICOMDIR":
        return None, "DICOMDIR, an index that would name the original files"
    header = read_header(path)
    try:
        with quiet_pydicom():
            whole = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            patient_id = str(whole.get("PatientID") or "")
            person = f"{whole.get('PatientName') or ''}|{whole.get('PatientBirthDate') or ''}"
            reason = _why_not(whole, header)
    except pydicom_errors():
        return None, _DAMAGED
    patient = patient_id or (person if person != "|" else f"study {header.text('StudyInstanceUID')}")
    return (None, reason) if reason else (_Entry(header, patient, patient_id), "")


def _why_not(dataset: Dataset, header: SliceHeader) -> str:
    """Return why a file cannot be de-identified by its elements alone; empty where it can."""
    kinds = [str(kind).upper() for kind in header.values.get("ImageType", ())]
    if str(dataset.get("BurnedInAnnotation", "")).upper() == "YES":
        return "text is burnt into its pixels (Burned In Annotation is YES)"
    if header.text("SOPClassUID").startswith(_CAPTURES) or any("SCREEN SAVE" in kind for kind in kinds):
        return "screen capture, whose pixels may show the patient's name"
    if header.text("Modality") in ("US", "XC", "ES", "GM", "DOC"):
        return f"modality {header.text('Modality')}, whose pixels may show the patient's name or face"
    if not {"Rows", "Columns"} <= set(header.values) or header.text("Modality") in (
        "SR",
        "PR",
        "KO",
        "RTSTRUCT",
        "RTPLAN",
    ):
        return "no image or segmentation (report, presentation state, plan...)"
    return ""


def _patients(entries: Sequence[_Entry], pseudonym: str | None) -> dict[str, str]:
    """Return the pseudonym of each patient."""
    keys = list(dict.fromkeys(entry.patient for entry in entries))
    if pseudonym is None:
        return {key: f"HCC_{number:04d}" for number, key in enumerate(keys, start=1)}
    if len(keys) > 1:
        raise InputError(
            f"One pseudonym was given for one patient, found {len(keys)} patients: leave it out, or give "
            "the folder of one patient."
        )
    return {keys[0]: check_case_id(pseudonym)}


@dataclass
class _Run:
    """The state of one run: the key, the patients and what has been counted."""

    secret: Secret
    keep_intervals: bool
    patients: Mapping[str, str]
    left_out: list[LeftOut]
    done: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    series: list[WrittenSeries] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        return (BASIC, SHIFTED) if self.keep_intervals else (BASIC,)

    def write(self, entries: Sequence[_Entry], folder: Path, source: Path, progress: Progress) -> None:
        """Write all files, patient by patient and series by series."""
        base = source if source.is_dir() else source.parent
        count = 0
        for patient, pseudonym in self.patients.items():
            own = [entry for entry in entries if entry.patient == patient]
            self.ids.update({entry.patient_id: pseudonym for entry in own})
            days = self.secret.days(patient) if self.keep_intervals else None
            cleaner = Cleaner(self.secret, pseudonym, days)
            for number, group in enumerate(_series_of(own), start=1):
                self._write_series(group, folder, number, cleaner, base)
                count += len(group)
                progress(count / len(entries), "de-identifies")

    def _write_series(
        self, group: Sequence[SliceHeader], folder: Path, number: int, cleaner: Cleaner, base: Path
    ) -> None:
        series = describe_series("", group)
        name = f"{cleaner.pseudonym}/{number:02d}" + (f"-{series.phase}" if series.phase else "")
        (folder / name).mkdir(parents=True)
        written = 0
        for header in group:
            written += self._write_file(header.path, folder / name / f"{written + 1:04d}.dcm", cleaner, base)
        if written:
            self.series.append(WrittenSeries(name, series.modality, written, series.phase))
        else:
            (folder / name).rmdir()

    def _write_file(self, path: Path, target: Path, cleaner: Cleaner, base: Path) -> bool:
        """Write one cleaned file; say False where it cannot be handled (it is listed)."""
        import pydicom

        try:
            with quiet_pydicom():
                dataset = pydicom.dcmread(path, force=True)
                _refresh_meta(dataset, self.secret)
                done = cleaner.clean(dataset)
                _state_method(dataset, self.options)
                dataset.save_as(target, enforce_file_format=True)
        except pydicom_errors() as error:
            target.unlink(missing_ok=True)
            self.left_out.append(LeftOut(path.relative_to(base), f"{_DAMAGED} ({type(error).__name__})"))
            return False
        self.done.update(done)
        return True

    def result(self, target: Path) -> Deidentification:
        changes = tuple(Change(*what, files) for what, files in sorted(self.done.items()))
        return Deidentification(target, self.options, tuple(self.series), changes, tuple(self.left_out), dict(self.ids))


def _series_of(entries: Sequence[_Entry]) -> list[list[SliceHeader]]:
    """Return the files of a patient by series, in the order of study, series and instance number."""
    groups: dict[tuple[str, str], list[SliceHeader]] = defaultdict(list)
    for entry in entries:
        header = entry.header
        groups[header.text("StudyInstanceUID"), header.text("SeriesInstanceUID") or str(header.path.parent)].append(
            header
        )
    ordered = [sorted(group, key=lambda h: (_number(h, "InstanceNumber"), str(h.path))) for group in groups.values()]
    return sorted(
        ordered, key=lambda g: (describe_series("", g).acquired or "", _number(g[0], "SeriesNumber"), str(g[0].path))
    )


def _number(header: SliceHeader, keyword: str) -> int:
    value = header.values.get(keyword, 0)
    return int(value) if str(value).strip().lstrip("-").isdigit() else 0


def _refresh_meta(dataset: Dataset, secret: Secret) -> None:
    """Give the data set new file meta information, a clean preamble and, where it lacks them, its own UIDs."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    old = dataset.file_meta
    instance = str(dataset.get("SOPInstanceUID") or old.get("MediaStorageSOPInstanceUID") or "")
    dataset.SOPClassUID = dataset.get("SOPClassUID") or old.get("MediaStorageSOPClassUID")
    if not instance or not dataset.SOPClassUID:
        raise ValueError("no SOP class or instance")
    dataset.SOPInstanceUID = instance
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = UID(secret.uid(instance))
    plain = ImplicitVRLittleEndian if dataset.original_encoding[0] else ExplicitVRLittleEndian
    meta.TransferSyntaxUID = old.get("TransferSyntaxUID") or plain
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    dataset.file_meta = meta
    dataset.preamble = b"\0" * 128


def _state_method(dataset: Dataset, options: Sequence[tuple[str, str]]) -> None:
    """Say in the data set itself that and how it was de-identified (PS3.15 E.1.1, PS3.16 CID 7050)."""
    from pydicom.dataset import Dataset

    items = []
    for code, meaning in options:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "DCM", meaning[:64]
        items.append(item)
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = [f"hccoutcome {__version__}", "PS3.15 basic profile", f"{PROFILE_TABLE}"]
    dataset.DeidentificationMethodCodeSequence = items
    dataset.LongitudinalTemporalInformationModified = "MODIFIED" if len(options) > 1 else "REMOVED"


def _publish(partial: Path, target: Path) -> None:
    """Put the complete folder in place of the absent or empty target."""
    if target.exists():
        target.rmdir()
    partial.chmod(0o755)
    partial.replace(target)
