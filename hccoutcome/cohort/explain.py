"""What ``hcc explain`` does, in a process of its own: ``python -m hccoutcome.cohort.explain FOLDER``.

One case: the package's score taken apart, as a waterfall. A cohort: SHAP values out of fold, as a beeswarm.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hccoutcome.analysis import analyse
from hccoutcome.cohort.explaining import (
    BEESWARM,
    EXPLANATION_FILE,
    IMPORTANCE_FILE,
    VALUES_FILE,
    WATERFALL,
    CaseRequest,
    CohortRequest,
    Explained,
)
from hccoutcome.cohort.packaging import check_enough, learning_data
from hccoutcome.cohort.training import read_training_table
from hccoutcome.errors import EnvironmentNeeded, InputError, nearest
from hccoutcome.evaluation.crossvalidation import derive_seed
from hccoutcome.explanation.beeswarm import beeswarm_figure
from hccoutcome.explanation.child import answer
from hccoutcome.explanation.explanation import Explanation
from hccoutcome.explanation.figures import waterfall_figure, write_figure
from hccoutcome.explanation.packages import needs_shap
from hccoutcome.explanation.shap_values import ShapSettings, explain_out_of_fold
from hccoutcome.explanation.waterfall import Waterfall, waterfall_of, waterfall_of_prediction
from hccoutcome.explanation.words import METHODS
from hccoutcome.files import write_csv, write_json
from hccoutcome.loading import load_case
from hccoutcome.package.format import Package
from hccoutcome.package.prediction import Prediction
from hccoutcome.package.reading import read_package
from hccoutcome.progress import Progress, part, silent
from hccoutcome.stability.table import read_table
from hccoutcome.trainable import make_estimator, trainable
from hccoutcome.version import __version__

_USUAL = {"response": "mrecist", "survival": "os"}
"""Endpoint where none is asked for, by what the system learns."""
VALUE_COLUMNS = ("case_id", "input", "value", "shap", "base", "output", "scale")
WATERFALL_COLUMNS = ("input", "value", "adds", "reached")


def explain_case(request: CaseRequest, progress: Progress = silent) -> Explained:
    """Apply a package to a case and write what its score is made of: figure, table and numbers.

    Raises:
        InputError: the package refuses the case, or its score is not the sum of its inputs.
    """
    package = read_package(request.package, reference=request.reference)
    case = load_case(request.case, part(progress, 0.0, 0.1))
    findings = analyse(case, [package], engine=request.engine, progress=part(progress, 0.1, 0.9))
    (prediction,) = findings.predictions
    if package.name in findings.provenance.get("unexplained", {}):
        raise EnvironmentNeeded(findings.provenance["unexplained"][package.name])
    progress(0.9, "drawing")
    waterfall = waterfall_of_case(prediction, package)
    summary = {
        "case": case.case_id,
        "synthetic": case.synthetic,
        "package": {"name": package.name, "version": package.version, "sha256": package.sha256},
        "applicability": prediction.to_json()["applicability"],
        "score": prediction.score,
        **waterfall.to_json(),
        "method": waterfall.base_in_words if needs_shap(package) else METHODS["exact"],
        "seed": request.seed,
        "software": _software(),
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


def explain_cohort(request: CohortRequest, progress: Progress = silent) -> Explained:
    """Train a system on a cohort fold by fold and write what every held-out patient's output is made of.

    Raises:
        InputError: the table cannot be used, the system cannot learn from it, or a patient is not in it.
        EnvironmentNeeded: the system is not additive and shap or its private folder is missing.
    """
    system = trainable(request.system)
    cohort = read_training_table(request.table, request.features, ignore=request.ignore, time_unit=request.time_unit)
    data = learning_data(cohort, request.endpoint or _USUAL[system.tasks[0]], request.reader)
    check_enough(data)
    _check_patients(request.patients, data.X.index)
    estimator = make_estimator(
        request.system,
        task=data.task,
        modality=request.modality,
        seed=request.seed,
        stability=None if request.stability is None else read_table(request.stability),
        candidates=request.candidates,
    )
    settings = ShapSettings(request.background, request.permutations, seed=request.seed)
    found = explain_out_of_fold(
        estimator,
        data.X,
        data.y,
        folds=request.folds,
        seed=derive_seed(request.seed, 0),  # the folds and models of the first repeat of 'hcc train'
        settings=settings,
        progress=part(progress, 0.05, 0.95),
    )
    progress(0.95, "drawing")
    modality = request.modality or system.modalities[0]
    title = f"{system.title}, {modality}" if len(system.modalities) > 1 else system.title
    summary = {
        "system": request.system,
        "title": title,
        "modality": modality,
        "task": data.task,
        "endpoint": data.endpoint,
        **found.summary(),
        "sources": dict(cohort.sources),
        "software": _software(),
    }
    files = write_cohort(found, title, summary, request)
    doubts = [f"{item.subject}: {item.note}" for item in cohort.findings if item.status == "warning"]
    return Explained(files, summary, tuple(doubts))


def _check_patients(patients: Sequence[str], known: Iterable[Any]) -> None:
    names = set(map(str, known))
    for patient in patients:
        if patient not in names:
            raise InputError(
                f"'{patient}' is not a patient with a known outcome in the table; {nearest(patient, names)}."
            )


def _software() -> dict[str, str]:
    """Return the versions of the libraries on which the values depend."""
    names = ("numpy", "scikit-learn", "scikit-survival", "shap")
    return {"hccoutcome": __version__, **{name: importlib.metadata.version(name) for name in names if _has(name)}}


def _has(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def write_cohort(
    found: Explanation, title: str, summary: Mapping[str, Any], request: CohortRequest
) -> tuple[Path, ...]:
    """Write beeswarm, waterfalls of single patients, tables and numbers of a cohort and return the files."""
    out = request.out
    files = [*write_figure(beeswarm_figure(found, title), out / BEESWARM)]
    for patient in request.patients:
        figure = waterfall_figure(waterfall_of(found, patient, f"{title}: {patient}"))
        files += write_figure(figure, out / f"{WATERFALL}-{patient}")
    files.append(write_csv(out / VALUES_FILE, VALUE_COLUMNS, found.rows()))
    importance = [{"input": name, "mean_absolute_shap": value} for name, value in summary["importance"].items()]
    files.append(write_csv(out / IMPORTANCE_FILE, ("input", "mean_absolute_shap"), importance))
    files.append(write_json(out / EXPLANATION_FILE, dict(summary)))
    return tuple(files)


def reply(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Return what came of a request, both as JSON data."""
    if request["kind"] == "cohort":
        found = explain_cohort(CohortRequest.from_json(request), progress)
    else:
        found = explain_case(CaseRequest.from_json(request), progress)
    return {
        "files": [str(path) for path in found.files],
        "summary": dict(found.summary),
        "warnings": list(found.warnings),
    }


if __name__ == "__main__":
    sys.exit(answer(reply))
