"""A job: a folder with ``job.json`` that says everything a worker process needs for one case.

The window, the command line and a cluster all write the same job and start the same worker on it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

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
class AnalyseJob:
    """The analysis of one case.

    Attributes:
        case: where the case's files lie (absolute paths).
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

    case: CaseFiles
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

    def save(self, folder: Path) -> Path:
        """Write ``job.json`` into ``folder`` (made where it is missing) and return the file."""
        return _save(self.to_json(), folder)

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain JSON data with absolute paths."""
        return {
            "kind": "analyse",
            "case": case_to_json(self.case),
            "packages": list(self.packages),
            "out": str(self.out),
            "settings": list(self.settings),
            "references": {name: str(path) for name, path in self.references.items()},
            "engine": self.engine,
            "scene": self.scene,
            "report": self.report,
            "explain": self.explain,
            "fingerprint": self.fingerprint,
            "segment": None if self.segment is None else self.segment.to_json(),
            "outlined_by": dict(self.outlined_by),
            "device": self.device,
            "screenshots": None if self.screenshots is None else str(self.screenshots),
        }

    @classmethod
    def load(cls, folder: Path) -> AnalyseJob:
        """Read the job in ``folder``.

        Raises:
            InputError: there is none, or it is not one that this version understands.
        """
        try:
            data = _read(folder, "analyse")
            segment, screenshots = data.pop("segment"), data.pop("screenshots")
            return cls(
                case=case_from_json(data.pop("case"), folder),
                packages=tuple(data.pop("packages")),
                out=Path(data.pop("out")),
                settings=tuple(data.pop("settings")),
                references={name: Path(file) for name, file in data.pop("references").items()},
                segment=None if segment is None else DraftOrder.from_json(segment),
                screenshots=None if screenshots is None else Path(screenshots),
                **data,
            )
        except _DAMAGED as error:
            raise _unreadable(folder, error) from error


@dataclass(frozen=True)
class HabitatJob:
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

    case: CaseFiles
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

    def save(self, folder: Path) -> Path:
        """Write ``job.json`` into ``folder`` (made where it is missing) and return the file."""
        return _save(self.to_json(), folder)

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain JSON data with absolute paths."""
        return {
            "kind": "habitat",
            "case": case_to_json(self.case),
            "region": self.region,
            "settings": self.settings.to_dict(),
            "preparation": self.preparation,
            "registration": self.registration,
            "package": None if self.package is None else str(self.package),
            "out": None if self.out is None else str(self.out),
        }

    @classmethod
    def load(cls, folder: Path) -> HabitatJob:
        """Read the job in ``folder``.

        Raises:
            InputError: there is none, or it is not one that this version understands.
        """
        try:
            data = _read(folder, "habitat")
            package, out = data.pop("package"), data.pop("out")
            return cls(
                case=case_from_json(data.pop("case"), folder),
                settings=HabitatSettings.from_dict(data.pop("settings")),
                package=None if package is None else Path(package),
                out=None if out is None else Path(out),
                **data,
            )
        except _DAMAGED as error:
            raise _unreadable(folder, error) from error


@dataclass(frozen=True)
class SegmentJob:
    """The draft of one region of one case.

    Attributes:
        case: where the case's files lie (absolute paths). The draft lies on the first image's grid; the other images
            on that grid help, and so do the masks.
        region: the region to outline.
        order: which engine does it, and what a person points at.
    """

    case: CaseFiles
    region: str = "tumor"
    order: DraftOrder = field(default_factory=DraftOrder)

    def __post_init__(self) -> None:
        canonical_region(self.region)

    def save(self, folder: Path) -> Path:
        """Write ``job.json`` into ``folder`` (made where it is missing) and return the file."""
        return _save(self.to_json(), folder)

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain JSON data with absolute paths."""
        return {
            "kind": "segment",
            "case": case_to_json(self.case),
            "region": self.region,
            "order": self.order.to_json(),
        }

    @classmethod
    def load(cls, folder: Path) -> SegmentJob:
        """Read the job in ``folder``.

        Raises:
            InputError: there is none, or it is not one that this version understands.
        """
        try:
            data = _read(folder, "segment")
            return cls(
                case=case_from_json(data.pop("case"), folder), order=DraftOrder.from_json(data.pop("order")), **data
            )
        except _DAMAGED as error:
            raise _unreadable(folder, error) from error


@dataclass(frozen=True)
class ReportJob:
    """The report of a case that was analysed, with pictures of it.

    Attributes:
        case: where the case's files lie (absolute paths).
        findings: the file with what was found (``Findings.to_json``).
        out: the HTML file to write.
        looks: by region, how it is shown: ``{"title": ..., "colour": [r, g, b], "opacity": ...}``.
        windows: by phase, width and level in which its image is shown.
    """

    case: CaseFiles
    findings: Path
    out: Path
    looks: Mapping[str, Any] = field(default_factory=dict)
    windows: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def save(self, folder: Path) -> Path:
        """Write ``job.json`` into ``folder`` (made where it is missing) and return the file."""
        return _save(self.to_json(), folder)

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain JSON data with absolute paths."""
        return {
            "kind": "report",
            "case": case_to_json(self.case),
            "findings": str(self.findings),
            "out": str(self.out),
            "looks": dict(self.looks),
            "windows": {phase: list(window) for phase, window in self.windows.items()},
        }

    @classmethod
    def load(cls, folder: Path) -> ReportJob:
        """Read the job in ``folder``.

        Raises:
            InputError: there is none, or it is not one that this version understands.
        """
        try:
            data = _read(folder, "report")
            return cls(
                case=case_from_json(data.pop("case"), folder),
                findings=Path(data.pop("findings")),
                out=Path(data.pop("out")),
                windows={phase: (float(window[0]), float(window[1])) for phase, window in data.pop("windows").items()},
                **data,
            )
        except _DAMAGED as error:
            raise _unreadable(folder, error) from error


@dataclass(frozen=True)
class AtomJob:
    """The advice of ATOM on one case.

    Attributes:
        case: where the case's files lie (absolute paths).
        models: name or path of the SELECTION package by model of ATOM (``treatment.atom.MODELS``).
        out: folder for the files that ``hcc atom`` writes; None writes none.
        device: on which the networks compute: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        outlined_by: for the provenance, what is known of who outlined each region; JSON data.
    """

    case: CaseFiles
    models: Mapping[str, str]
    out: Path | None = None
    device: str = "auto"
    outlined_by: Mapping[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> Path:
        """Write ``job.json`` into ``folder`` (made where it is missing) and return the file."""
        return _save(self.to_json(), folder)

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain JSON data with absolute paths."""
        return {
            "kind": "atom",
            "case": case_to_json(self.case),
            "models": dict(self.models),
            "out": None if self.out is None else str(self.out),
            "device": self.device,
            "outlined_by": dict(self.outlined_by),
        }

    @classmethod
    def load(cls, folder: Path) -> AtomJob:
        """Read the job in ``folder``.

        Raises:
            InputError: there is none, or it is not one that this version understands.
        """
        try:
            data = _read(folder, "atom")
            out = data.pop("out")
            return cls(case=case_from_json(data.pop("case"), folder), out=None if out is None else Path(out), **data)
        except _DAMAGED as error:
            raise _unreadable(folder, error) from error


@dataclass(frozen=True)
class MapsJob:
    """The maps of what a package's network looks at in one case.

    Attributes:
        case: where the case's files lie (absolute paths).
        package: name or path of the package.
        method: how it is found out: ``"rollout"``, ``"gradcam"`` or ``"shap"``.
        out: folder for the files that ``hcc maps --package`` writes; None writes none that stay.
        device: on which the network computes: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    """

    case: CaseFiles
    package: str
    method: str = "gradcam"
    out: Path | None = None
    device: str = "auto"

    def save(self, folder: Path) -> Path:
        """Write ``job.json`` into ``folder`` (made where it is missing) and return the file."""
        return _save(self.to_json(), folder)

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain JSON data with absolute paths."""
        return {
            "kind": "maps",
            "case": case_to_json(self.case),
            "package": self.package,
            "method": self.method,
            "out": None if self.out is None else str(self.out),
            "device": self.device,
        }

    @classmethod
    def load(cls, folder: Path) -> MapsJob:
        """Read the job in ``folder``.

        Raises:
            InputError: there is none, or it is not one that this version understands.
        """
        try:
            data = _read(folder, "maps")
            out = data.pop("out")
            return cls(case=case_from_json(data.pop("case"), folder), out=None if out is None else Path(out), **data)
        except _DAMAGED as error:
            raise _unreadable(folder, error) from error


Job = AnalyseJob | HabitatJob | SegmentJob | ReportJob | AtomJob | MapsJob
_KINDS: Mapping[str, type[Job]] = {
    "analyse": AnalyseJob,
    "habitat": HabitatJob,
    "segment": SegmentJob,
    "report": ReportJob,
    "atom": AtomJob,
    "maps": MapsJob,
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


def _save(data: Mapping[str, Any], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return write_json(folder / JOB_FILE, data)


def _read(folder: Path, kind: str) -> dict[str, Any]:
    """Return what ``job.json`` holds besides its kind, which must be the one expected."""
    data: dict[str, Any] = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
    if data.pop("kind") != kind:
        raise KeyError("kind")
    return data


def _unreadable(folder: Path, error: Exception) -> InputError:
    return InputError(
        f"A job folder holds a {JOB_FILE} of this version, found {error!r} in '{folder}': write the job again."
    )
