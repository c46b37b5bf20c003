"""What ``hcc explain`` does, in a process of its own: ``python -m hccoutcome.cohort.explain FOLDER``.

One case: the package's score taken apart, as a waterfall. A cohort: SHAP values out of fold, as a beeswarm.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hccoutcome.analysis import analyse
from hccoutcome.case import CaseFiles
from hccoutcome.errors import InputError
from hccoutcome.explanation.child import answer, ask
from hccoutcome.explanation.figures import waterfall_figure, write_figure
from hccoutcome.explanation.waterfall import Waterfall, waterfall_of_prediction
from hccoutcome.files import check_target, write_csv, write_json
from hccoutcome.loading import case_from_json, case_to_json, load_case
from hccoutcome.package.format import Package
from hccoutcome.package.prediction import Prediction
from hccoutcome.package.reading import read_package
from hccoutcome.progress import Progress, part, silent
from hccoutcome.version import __version__

MODULE = "hccoutcome.cohort.explain"
EXPLANATION_FILE, VALUES_FILE = "explanation.json", "explanation.csv"
WATERFALL, BEESWARM = "waterfall", "beeswarm"
WATERFALL_COLUMNS = ("input", "value", "adds", "reached")


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
    warnings: tuple[str, ...] = field(default_factory=tuple)


def explain_in_own_process(request: CaseRequest, progress: Progress = silent) -> Explained:
    """Answer a request in a process of its own, whatever this one has loaded.

    Raises:
        InputError: the case, the package or its score allow no explanation; the message says why.
        EnvironmentNeeded: a library or folder is missing, or the files cannot be written.
    """
    check_target(request.out / EXPLANATION_FILE)
    found = ask(MODULE, request.to_json(), progress)
    return Explained(tuple(map(Path, found["files"])), found["summary"], tuple(found["warnings"]))


def explain_case(request: CaseRequest, progress: Progress = silent) -> Explained:
    """Apply a package to a case and write what its score is made of: figure, table and numbers.

    Raises:
        InputError: the package refuses the case, or its score is not the sum of its inputs.
    """
    package = read_package(request.package, reference=request.reference)
    case = load_case(request.case, part(progress, 0.0, 0.1))
    findings = analyse(case, [package], engine=request.engine, progress=part(progress, 0.1, 0.9))
    (prediction,) = findings.predictions
    progress(0.9, "drawing")
    waterfall = waterfall_of_case(prediction, package)
    summary = {
        "case": case.case_id,
        "synthetic": case.synthetic,
        "package": {"name": package.name, "version": package.version, "sha256": package.sha256},
        "applicability": prediction.to_json()["applicability"],
        "score": prediction.score,
        **waterfall.to_json(),
        "method": "exact",
        "seed": request.seed,
        "software": {"hccoutcome": __version__},
    }
    files = write_case(waterfall, summary, request.out)
    return Explained(files, summary, prediction.applicability.reasons)


def waterfall_of_case(prediction: Prediction, package: Package) -> Waterfall:
    """Return a score as a waterfall.

    Raises:
        InputError: there is no score, or it is not the sum of its inputs.
    """
    if prediction.score is None:
        raise InputError(f"{package.name} gave no score: {' '.join(prediction.applicability.reasons)}")
    waterfall = waterfall_of_prediction(prediction, package)
    if waterfall is None:
        raise InputError(
            f"The score of '{package.name}' is read from a table or a rule and is not the sum of its inputs, so there "
            "is nothing to take apart: see its inputs in the report of 'hcc analyse'."
        )
    return waterfall


def write_case(waterfall: Waterfall, summary: Mapping[str, Any], out: Path) -> tuple[Path, ...]:
    """Write figure, table and numbers of one case and return the files."""
    figures = write_figure(waterfall_figure(waterfall), out / WATERFALL)
    table = write_csv(out / VALUES_FILE, WATERFALL_COLUMNS, waterfall.rows())
    return (*figures, table, write_json(out / EXPLANATION_FILE, summary))


def reply(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Return what came of a request, both as JSON data."""
    found = explain_case(_case_request(request), progress)
    return {
        "files": [str(path) for path in found.files],
        "summary": dict(found.summary),
        "warnings": list(found.warnings),
    }


def _case_request(data: Mapping[str, Any]) -> CaseRequest:
    return CaseRequest(
        case=case_from_json(data["case"], Path()),
        package=data["package"],
        out=Path(data["out"]),
        reference=None if data["reference"] is None else Path(data["reference"]),
        engine=data["engine"],
        seed=data["seed"],
    )


if __name__ == "__main__":
    sys.exit(answer(reply))
