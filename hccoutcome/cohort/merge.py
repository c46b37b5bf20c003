"""The merged tables of a cohort: features, results and failures, cases in the order of the cohort table."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from hccoutcome.cohort.pool import Outcome
from hccoutcome.cohort.table import ID_COLUMN
from hccoutcome.files import write_csv
from hccoutcome.worker import FEATURES_FILE, RESULT_FILE

RESULTS_FILE = "results.csv"
FAILURES_FILE = "failures.csv"
RESULT_COLUMNS = (ID_COLUMN, "package", "version", "sha256", "score", "scale", "label", "status", "reasons")


def merge(out: Path, outcomes: Sequence[Outcome]) -> None:
    """Write ``features.csv`` (one row a case), ``results.csv`` (one row a case and package) and ``failures.csv``."""
    finished = [outcome.case_id for outcome in outcomes if outcome.status == 0]
    rows = [{ID_COLUMN: name, **_features(out / "cases" / name)} for name in finished]
    columns = dict.fromkeys([ID_COLUMN])
    for row in rows:
        columns.update(dict.fromkeys(row))
    write_csv(out / FEATURES_FILE, list(columns), rows)
    write_csv(out / RESULTS_FILE, RESULT_COLUMNS, _result_rows(out, finished))
    failures = [outcome for outcome in outcomes if outcome.status != 0]
    write_csv(
        out / FAILURES_FILE,
        (ID_COLUMN, "status", "message"),
        [{ID_COLUMN: item.case_id, "status": item.status, "message": item.message} for item in failures],
    )


def _features(folder: Path) -> dict[str, str]:
    """Return the one row of a case's features as text, so that no digit is lost."""
    with (folder / FEATURES_FILE).open(encoding="utf-8", newline="") as file:
        return next(csv.DictReader(file), {})


def _result_rows(out: Path, cases: Iterable[str]) -> Iterable[dict[str, object]]:
    for name in cases:
        result = json.loads((out / "cases" / name / RESULT_FILE).read_text(encoding="utf-8"))
        for item in result["results"]:
            applicability = item["applicability"]
            yield {
                ID_COLUMN: name,
                **{column: item[column] for column in ("package", "version", "sha256", "scale", "label")},
                "score": "" if item["score"] is None else repr(item["score"]),
                "status": applicability["status"],
                "reasons": " ".join(applicability["reasons"]),
            }


def refusals(out: Path) -> dict[str, list[str]]:
    """Return the cases that each package refused, of a merged cohort."""
    refused: dict[str, list[str]] = {}
    with (out / RESULTS_FILE).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["status"] == "refused":
                refused.setdefault(row["package"], []).append(row[ID_COLUMN])
    return refused
