"""ATOM on a table of scores: a recommendation for each patient, and how those fared who were treated as recommended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hccoutcome.cohort.table import ID_COLUMN, check_length, read_lines
from hccoutcome.errors import InputError, nearest
from hccoutcome.treatment.agreement import GROUPS, AgreementRow, Treated, agreement
from hccoutcome.treatment.atom import MODELS, AtomRule, Recommendation, recommend

RECEIVED, RESPONSE, SURVIVED = "received", "response", "survived_1y"
_WHAT = "table of scores"
_YES, _NO = {"1", "yes", "true"}, {"0", "no", "false"}
AGREEMENT_COLUMNS = (
    "stage",
    "received",
    *(f"{group}_{part}" for group in GROUPS for part in ("benefit", "patients", "share", "lower", "upper")),
    "p_inconsistent",
    "p_against",
    *(f"odds_ratio_{group}{part}" for group in GROUPS[1:] for part in ("", "_lower", "_upper")),
    "total_benefit",
    "total_patients",
    "left_out",
)


@dataclass(frozen=True)
class Advised:
    """One patient of the table.

    Attributes:
        case_id: name of the patient.
        scores: by model, None where missing.
        recommendation: what ATOM recommends.
        treated: what was done and what came of it; None where the table does not say.
    """

    case_id: str
    scores: Mapping[str, float | None]
    recommendation: Recommendation
    treated: Treated | None

    def row(self) -> dict[str, Any]:
        """Return the patient as a row of a table."""
        found = self.recommendation
        return {
            ID_COLUMN: self.case_id,
            **self.scores,
            "plan": found.plan,
            "missing": " ".join(found.missing),
            "recommendation": found.text,
        }


def advise_table(path: Path, rule: AtomRule) -> tuple[tuple[Advised, ...], tuple[AgreementRow, ...]]:
    """Return the recommendation for each patient of a table, and response by concordance where it tells outcomes.

    Args:
        path: CSV with ``case_id``, scores in columns named after the models, and, where agreement is wanted,
            ``received`` (TACE, HAIC, TC, HC), ``response`` and ``survived_1y`` (0 or 1; empty where not known).
        rule: the thresholds, on the scale of the scores.

    Raises:
        InputError: the table cannot be read so; the message names line and column.
    """
    header, lines = read_lines(path, _WHAT)
    columns = _columns(header)
    patients = []
    for number, line in lines:
        check_length(number, line, header, _WHAT)
        cells = {name: line[place] for name, place in columns.items()}
        patients.append(_advised(cells, f"Line {number} of the {_WHAT}", rule))
    known = [patient.treated for patient in patients if patient.treated is not None]
    return tuple(patients), agreement(known)


def agreement_rows(rows: Sequence[AgreementRow]) -> list[dict[str, Any]]:
    """Return the table of response by concordance, one flat row a treatment (``AGREEMENT_COLUMNS``)."""
    return [_flat(row) for row in rows]


def _flat(row: AgreementRow) -> dict[str, Any]:
    flat: dict[str, Any] = {"stage": row.stage, "received": row.received}
    for group in GROUPS:
        rate = row.rates[group]
        flat |= {f"{group}_benefit": rate.benefit, f"{group}_patients": rate.patients}
        if rate.share is not None:
            share = rate.share
            flat |= {f"{group}_share": share.value, f"{group}_lower": share.lower, f"{group}_upper": share.upper}
    flat |= {f"p_{group}": value for group, value in row.p.items()}
    for group, odds in row.odds.items():
        name = f"odds_ratio_{group}"
        value = "" if math.isnan(odds.value) else odds.value
        flat |= {name: value, f"{name}_lower": odds.lower, f"{name}_upper": odds.upper}
    return {**flat, "total_benefit": row.total.benefit, "total_patients": row.total.patients, "left_out": row.left_out}


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Return the place of each known column.

    Raises:
        InputError: a column that is not known, stands twice, or lacks.
    """
    known = {name.lower(): name for name in (ID_COLUMN, *MODELS, RECEIVED, RESPONSE, SURVIVED)}
    found: dict[str, int] = {}
    for place, column in enumerate(header):
        name = known.get(column.lower())
        if name is None:
            raise InputError(f"The {_WHAT} has the column '{column}'; {nearest(column, known.values())}.")
        if name in found:
            raise InputError(f"The {_WHAT} has the column '{name}' twice: keep one.")
        found[name] = place
    if ID_COLUMN not in found or not any(model in found for model in MODELS):
        raise InputError(
            f"A {_WHAT} needs '{ID_COLUMN}' and scores in columns {', '.join(MODELS)}, found {', '.join(header)}: add "
            "them."
        )
    return found


def _advised(cells: Mapping[str, str], where: str, rule: AtomRule) -> Advised:
    name = cells[ID_COLUMN]
    if not name:
        raise InputError(f"{where} has no {ID_COLUMN}: name the case.")
    try:
        scores = {model: _number(cells.get(model, ""), model) for model in MODELS}
        found = recommend(scores, rule)
        treated = None
        if cells.get(RECEIVED):
            outcomes = {"response": _yes(cells, RESPONSE), "survived": _yes(cells, SURVIVED)}
            treated = Treated(name, found, cells[RECEIVED].upper(), **outcomes)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return Advised(name, scores, found, treated)


def _number(cell: str, model: str) -> float | None:
    if not cell:
        return None
    try:
        return float(cell)
    except ValueError:
        raise InputError(f"the score of {model} is '{cell}', a number was expected: correct it.") from None


def _yes(cells: Mapping[str, str], column: str) -> bool | None:
    cell = cells.get(column, "").lower()
    if cell and cell not in _YES | _NO:
        raise InputError(f"'{column}' is '{cell}', 0 or 1 was expected: correct it.")
    return None if not cell else cell in _YES
