"""A job: a folder with ``job.json`` that says everything a worker process needs to analyse one case.

The window, the command line and a cluster all write the same job and start the same worker on it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hccoutcome.case import CaseFiles
from hccoutcome.errors import InputError, nearest
from hccoutcome.files import write_json
from hccoutcome.loading import case_from_json, case_to_json

JOB_FILE = "job.json"
WORKER_ARGUMENTS = ("-m", "hccoutcome.worker")
"""What a Python interpreter is given to become a worker, before the job folder or ``--serve``."""


def worker_environment() -> dict[str, str]:
    """Return this process's environment with a path on which the worker finds this very package."""
    paths = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}


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
        fingerprint: what the result is marked with, so that it is known again as that of this very job.
    """

    case: CaseFiles
    packages: tuple[str, ...]
    out: Path
    settings: tuple[str, ...] = ()
    references: Mapping[str, Path] = field(default_factory=dict)
    engine: str = "auto"
    scene: bool = True
    report: bool = True
    fingerprint: str = ""

    def __post_init__(self) -> None:
        if not self.packages and not self.settings:
            raise InputError("An analysis needs at least one package or parameter file, found none: name one.")
        for name in self.references:
            if name not in self.packages:
                asked = nearest(name, self.packages)
                raise InputError(f"A reference is given for '{name}', which is not among the packages; {asked}.")

    def save(self, folder: Path) -> Path:
        """Write ``job.json`` into ``folder`` (made where it is missing) and return the file."""
        folder.mkdir(parents=True, exist_ok=True)
        return write_json(folder / JOB_FILE, self.to_json())

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
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def load(cls, folder: Path) -> AnalyseJob:
        """Read the job in ``folder``.

        Raises:
            InputError: there is none, or it is not one that this version understands.
        """
        path = folder / JOB_FILE
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data.pop("kind") != "analyse":
                raise KeyError("kind")
            return cls(
                case=case_from_json(data.pop("case"), folder),
                packages=tuple(data.pop("packages")),
                out=Path(data.pop("out")),
                settings=tuple(data.pop("settings")),
                references={name: Path(file) for name, file in data.pop("references").items()},
                **data,
            )
        except (OSError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"A job folder holds a {JOB_FILE} of this version, found {error!r} in '{folder}': write the job again."
            ) from error
