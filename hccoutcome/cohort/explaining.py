"""Requests for explanations, answered in a process of its own (``hccoutcome.cohort.explain``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hccoutcome.case import CaseFiles
from hccoutcome.explanation.child import ask
from hccoutcome.files import check_target
from hccoutcome.loading import case_from_json, case_to_json
from hccoutcome.progress import Progress, silent

MODULE = "hccoutcome.cohort.explain"
EXPLANATION_FILE, VALUES_FILE, IMPORTANCE_FILE = "explanation.json", "explanation.csv", "importance.csv"
WATERFALL, BEESWARM = "waterfall", "beeswarm"
_PATHS, _LISTS = ("table", "out", "features", "stability"), ("ignore", "candidates", "patients")


@dataclass(frozen=True)
class CaseRequest:
    """The explanation of one package's score of one case.

    Attributes:
        case: where the case's files lie (absolute paths).
        package: name or path of the package.
        out: folder for the files.
        reference: reference table of the user's own cohort, None for the package's own.
        engine: which radiomics engine computes the features.
        seed: of the permutations, where the model needs them.
    """

    case: CaseFiles
    package: str
    out: Path
    reference: Path | None = None
    engine: str = "auto"
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the request as plain JSON data."""
        return {
            "kind": "case",
            "case": case_to_json(self.case),
            "package": self.package,
            "out": str(self.out),
            "reference": None if self.reference is None else str(self.reference),
            "engine": self.engine,
            "seed": self.seed,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CaseRequest:
        """Return the request that ``to_json`` wrote."""
        return cls(
            case=case_from_json(data["case"], Path()),
            package=data["package"],
            out=Path(data["out"]),
            reference=None if data["reference"] is None else Path(data["reference"]),
            engine=data["engine"],
            seed=data["seed"],
        )


@dataclass(frozen=True)
class CohortRequest:
    """The out-of-fold explanation of a system that is trained on a cohort.

    Attributes:
        system: a key of ``trainable.TRAINABLE``.
        table: training table.
        out: folder for the files.
        features: features of the patients in a second file, None where the table holds all.
        ignore: columns to leave out; ``*`` stands for any text.
        time_unit: unit of the times whose column states none.
        modality: which columns the system reads, None for its first.
        endpoint: ``"os"``, ``"pfs"``, ``"ttp"``, or a response criterion; None for the system's usual one.
        reader: who read the response, empty where the table has one reading.
        stability: stability table, None where features are not gated.
        candidates: classifiers that compete in PRIME-R; all where empty.
        folds: held-out parts.
        permutations: of each patient, where the model is not additive.
        background: most training rows that stand in for inputs left out.
        patients: names of the patients of whom a waterfall is drawn.
        seed: of folds, models, background and permutations.
    """

    system: str
    table: Path
    out: Path
    features: Path | None = None
    ignore: tuple[str, ...] = ()
    time_unit: str | None = None
    modality: str | None = None
    endpoint: str | None = None
    reader: str = ""
    stability: Path | None = None
    candidates: tuple[str, ...] = ()
    folds: int = 5
    permutations: int = 10
    background: int = 100
    patients: tuple[str, ...] = ()
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the request as plain JSON data."""
        data = asdict(self)
        paths = {name: None if data[name] is None else str(data[name]) for name in _PATHS}
        lists = {name: list(data[name]) for name in _LISTS}
        return {"kind": "cohort", **data, **paths, **lists}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CohortRequest:
        """Return the request that ``to_json`` wrote."""
        fields = {name: value for name, value in data.items() if name != "kind"}
        paths = {name: None if data[name] is None else Path(data[name]) for name in _PATHS}
        lists = {name: tuple(data[name]) for name in _LISTS}
        return cls(**{**fields, **paths, **lists})


@dataclass(frozen=True)
class Explained:
    """What came of a request.

    Attributes:
        files: files written.
        summary: the content of ``explanation.json``.
        warnings: why to doubt the score, one sentence each.
    """

    files: tuple[Path, ...]
    summary: Mapping[str, Any]
    warnings: tuple[str, ...] = ()


def explain_in_own_process(request: CaseRequest | CohortRequest, progress: Progress = silent) -> Explained:
    """Answer a request in a process of its own, whatever this one has loaded.

    Raises:
        InputError: the case, the package or its score allow no explanation; the message says why.
        EnvironmentNeeded: a library or folder is missing, or the files cannot be written.
    """
    check_target(request.out / EXPLANATION_FILE)
    found = ask(MODULE, request.to_json(), progress)
    return Explained(tuple(map(Path, found["files"])), found["summary"], tuple(found["warnings"]))
