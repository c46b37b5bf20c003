"""The report of a de-identification: which elements were changed how, without any original value."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hccoutcome.imaging.deidentify_rules import PROFILE_TABLE
from hccoutcome.version import __version__

REPORT_FILE, TABLE_FILE = "deidentification.json", "deidentification.csv"
BASIC = ("113100", "Basic Application Confidentiality Profile")
SHIFTED = ("113107", "Retain Longitudinal Temporal Information Modified Dates Option")


@dataclass(frozen=True)
class Change:
    """What was done to one element: its tag and name, the action, and in how many files."""

    tag: str
    name: str
    action: str
    files: int


@dataclass(frozen=True)
class LeftOut:
    """A file that was not written, with the reason. The path is for the user's eyes and not in the report."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class WrittenSeries:
    """A series as written: its folder below the target, its modality, number of files and guessed phase."""

    folder: str
    modality: str
    files: int
    phase: str | None


@dataclass(frozen=True)
class Deidentification:
    """What a run did.

    Attributes:
        target: folder that was written.
        options: codes and meanings of the profile and its options (PS3.16 CID 7050).
        series: what was written.
        changes: one item for each element and action, without any value.
        left_out: files that were not written, with the reason.
        pseudonyms: pseudonym by original patient ID, for the user's own key; never written anywhere.
    """

    target: Path
    options: tuple[tuple[str, str], ...]
    series: tuple[WrittenSeries, ...]
    changes: tuple[Change, ...]
    left_out: tuple[LeftOut, ...]
    pseudonyms: Mapping[str, str] = field(repr=False, default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON data, without original values, file names or the key of the pseudonyms."""
        return {
            "profile": [{"code": code, "scheme": "DCM", "meaning": meaning} for code, meaning in self.options],
            "software": _software(),
            "patients": len({series.folder.split("/")[0] for series in self.series}),
            "files": sum(series.files for series in self.series),
            "series": [asdict(series) for series in self.series],
            "changes": [asdict(change) for change in self.changes],
            "left_out": [
                {"reason": reason, "files": count}
                for reason, count in sorted(Counter(item.reason for item in self.left_out).items())
            ],
            "pixels": "not altered",
        }

    def summary(self) -> str:
        """Return what was done in a few lines."""
        report = self.to_json()
        lines = [
            f"{report['files']} files of {report['patients']} patients in {len(self.series)} series written to "
            f"{self.target}; {len(self.changes)} kinds of change are listed in {TABLE_FILE}."
        ]
        lines += [f"{item['files']} files left out: {item['reason']}" for item in report["left_out"]]
        return "\n".join(lines)


def _software() -> dict[str, str]:
    libraries = {name: version(name) for name in ("dicom-anonymizer", "pydicom")}
    return {"hccoutcome": __version__, **libraries, "profile table": PROFILE_TABLE}


def changes_table(changes: Sequence[Change]) -> str:
    """Return the changes as a CSV table: tag, name, action, number of files."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["tag", "name", "action", "files"])
    writer.writerows([change.tag, change.name, change.action, change.files] for change in changes)
    return text.getvalue()
