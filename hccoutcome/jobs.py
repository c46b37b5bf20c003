"""A job: a folder with ``job.json`` that says everything a worker process needs for one case.

The window, the command line and a cluster all write the same job and start the same worker on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self, get_args

from hccoutcome.case import CaseFiles, canonical_region
from hccoutcome.errors import InputError, nearest
from hccoutcome.files import write_json
from hccoutcome.habitat.settings import HabitatSettings
from hccoutcome.loading import case_from_json, case_to_json
from hccoutcome.segmentation.order import DraftOrder

JOB_FILE = "job.json"
WORKER_ARGUMENTS = ("-m", "hccoutcome.worker")
"""What a Python interpreter is given to become a worker, before the job folder or ``--serve``."""

HabitatPreparation = Literal["none", "mri", "ct"]
HabitatRegistration = Literal["rigid", "deformable"]
_DAMAGED = (OSError, json.JSONDecodeError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True)
class Job:
    """What a worker process does with one case.

    Attributes:
        case: where the case's files lie (absolute paths).
    """

    kind: ClassVar[str]
    _read: ClassVar[Mapping[str, Callable[[Any], Any]]]
    """By field, what makes its value of JSON data; the others are JSON data themselves."""

    case: CaseFiles

    def save(self, folder: Path) -> Path:
        """Write ``job.json`` into ``folder`` (made where it is missing) and return the file."""
        folder.mkdir(parents=True, exist_ok=True)
        return write_json(folder / JOB_FILE, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain JSON data with absolute paths."""
        values = {item.name: _plain(getattr(self, item.name)) for item in fields(self)}
        return {"kind": self.kind} | values

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the job in ``folder``.

        Raises:
            InputError: there is none, or it is not one that this version understands.
        """
        read = {"case": lambda data: case_from_json(data, folder)} | dict(cls._read)
        try:
            data: dict[str, Any] = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
            if data.pop("kind") != cls.kind:
                raise KeyError("kind")
            values = {item.name: data.pop(item.name) for item in fields(cls)}
            values |= {name: reader(values[name]) for name, reader in read.items()}
            return cls(**values, **data)
        except _DAMAGED as error:
            raise _unreadable(folder, error) from error


def _plain(value: Any) -> Any:
    """Return a field's value as JSON data."""
    match value:
        case Path():
            return str(value)
        case CaseFiles():
            return case_to_json(value)
        case DraftOrder():
            return value.to_json()
        case HabitatSettings():
            return value.to_dict()
        case Mapping():
            return {name: _plain(item) for name, item in value.items()}
        case tuple() | list():
            return [_plain(item) for item in value]
    return value


def _or_none(reader: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda data: None if data is None else reader(data)


def _paths(data: Mapping[str, str]) -> dict[str, Path]:
    return {name: Path(file) for name, file in data.items()}


def _windows(data: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    return {phase: (float(width), float(level)) for phase, (width, level) in data.items()}


@dataclass(frozen=True)
class AnalyseJob(Job):
    """The analysis of one case.

    Attributes:
        packages: names or paths of the model packages to apply.
        out: folder for the results; published only when all of it is written.
        settings: parameter files whose features are wanted, whether or not a package needs them.
        references: by package name, the reference table of the user's own cohort.
        engine: which radiomics engine computes the features: ``"auto"``, ``"fast"`` or ``"pyradiomics"``.
        scene: write ``scene.mrb``.
        report: write ``report.html``.
        explain: tell what each input adds also where that takes SHAP; scene and report want it anyway.
        fingerprint: what the result is marked with, so that it is known again as that of this very job.
        segment: outline a missing liver and tumour first, as drafts; None leaves them missing.
        outlined_by: for the provenance, what is known of who outlined each region; JSON data.
        device: on which networks compute: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        screenshots: folder with screenshots that take the place of phases, for packages that accept them.
    """

    kind = "analyse"
    _read = MappingProxyType(
        {
            "packages": tuple,
            "out": Path,
            "settings": tuple,
            "references": _paths,
            "segment": _or_none(DraftOrder.from_json),
            "screenshots": _or_none(Path),
        }
    )

    packages: tuple[str, ...]
    out: Path
    settings: tuple[str, ...] = ()
    references: Mapping[str, Path] = field(default_factory=dict)
    engine: str = "auto"
    scene: bool = True
    report: bool = True
    explain: bool = False
    fingerprint: str = ""
    segment: DraftOrder | None = None
    outlined_by: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    screenshots: Path | None = None

    def __post_init__(self) -> None:
        if not self.packages and not self.settings:
            raise InputError("An analysis needs at least one package or parameter file, found none: name one.")
        for name in self.references:
            if name not in self.packages:
                asked = nearest(name, self.packages)
                raise InputError(f"A reference is given for '{name}', which is not among the packages; {asked}.")


@dataclass(frozen=True)
class HabitatJob(Job):
    """The habitats of one region of one case.

    Attributes:
        case: where the case's files lie (absolute paths); every image takes part.
        region: the region to divide.
        settings: how habitats are found.
        preparation: what is done to the images first; a package's own takes its place.
        registration: how the other phases are brought to the reference phase, with a preparation.
        package: folder of the habitat package to apply; None finds the habitats in this case alone.
        out: folder for the files that ``hcc habitat`` writes; None writes none.
    """

    kind = "habitat"
    _read = MappingProxyType({"settings": HabitatSettings.from_dict, "package": _or_none(Path), "out": _or_none(Path)})

    region: str = "tumor"
    settings: HabitatSettings = field(default_factory=HabitatSettings)
    preparation: HabitatPreparation = "none"
    registration: HabitatRegistration = "rigid"
    package: Path | None = None
    out: Path | None = None

    def __post_init__(self) -> None:
        canonical_region(self.region)
        for name, known in (("preparation", HabitatPreparation), ("registration", HabitatRegistration)):
            value, words = getattr(self, name), get_args(known)
            if value not in words:
                raise InputError(f"'{value}' is not a known {name} of the habitats; {nearest(str(value), words)}.")


@dataclass(frozen=True)
class SegmentJob(Job):
    """The draft of one region of one case.

    Attributes:
        case: where the case's files lie (absolute paths). The draft lies on the first image's grid; the other images
            on that grid help, and so do the masks.
        region: the region to outline.
        order: which engine does it, and what a person points at.
    """

    kind = "segment"
    _read = MappingProxyType({"order": DraftOrder.from_json})

    region: str = "tumor"
    order: DraftOrder = field(default_factory=DraftOrder)

    def __post_init__(self) -> None:
        canonical_region(self.region)


@dataclass(frozen=True)
class ReportJob(Job):
    """The report of a case that was analysed, with pictures of it.

    Attributes:
        findings: the file with what was found (``Findings.to_json``).
        out: the HTML file to write.
        looks: by region, how it is shown: ``{"title": ..., "colour": [r, g, b], "opacity": ...}``.
        windows: by phase, width and level in which its image is shown.
    """

    kind = "report"
    _read = MappingProxyType({"findings": Path, "out": Path, "windows": _windows})

    findings: Path
    out: Path
    looks: Mapping[str, Any] = field(default_factory=dict)
    windows: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class AtomJob(Job):
    """The advice of ATOM on one case.

    Attributes:
        models: name or path of the SELECTION package by model of ATOM (``treatment.atom.MODELS``).
        out: folder for the files that ``hcc atom`` writes; None writes none.
        device: on which the networks compute: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        outlined_by: for the provenance, what is known of who outlined each region; JSON data.
    """

    kind = "atom"
    _read = MappingProxyType({"out": _or_none(Path)})

    models: Mapping[str, str]
    out: Path | None = None
    device: str = "auto"
    outlined_by: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class MapsJob(Job):
    """The maps of what a package's network looks at in one case.

    Attributes:
        package: name or path of the package.
        method: how it is found out: ``"rollout"``, ``"gradcam"`` or ``"shap"``.
        out: folder for the files that ``hcc maps --package`` writes; None writes none that stay.
        device: on which the network computes: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    """

    kind = "maps"
    _read = MappingProxyType({"out": _or_none(Path)})

    package: str
    method: str = "gradcam"
    out: Path | None = None
    device: str = "auto"


_KINDS: Mapping[str, type[Job]] = {
    job.kind: job for job in (AnalyseJob, HabitatJob, SegmentJob, ReportJob, AtomJob, MapsJob)
}


def load_job(folder: Path) -> Job:
    """Read the job in ``folder``, of whichever kind it is.

    Raises:
        InputError: there is none, or it is not one that this version understands.
    """
    try:
        kind = _KINDS[json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))["kind"]]
    except _DAMAGED as error:
        raise _unreadable(folder, error) from error
    return kind.load(folder)


def _unreadable(folder: Path, error: Exception) -> InputError:
    return InputError(
        f"A job folder holds a {JOB_FILE} of this version, found {error!r} in '{folder}': write the job again."
    )
