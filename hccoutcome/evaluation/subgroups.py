"""Hazard ratios in subgroups, with the test of interaction that a forest plot needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from hccoutcome.errors import InputError
from hccoutcome.evaluation.cox import CoxTerm, cox, hazard_ratio
from hccoutcome.evaluation.outcomes import Survival, as_structured, check_groups, check_survival


@dataclass(frozen=True)
class SubgroupRow:
    """One level of a subgroup variable.

    Attributes:
        level: the level.
        patients, events: in it: of the exposed, of the others.
        term: hazard ratio of exposed against others; None where it has none.
        reason: why it has none, empty where it has one.
    """

    level: str
    patients: tuple[int, int]
    events: tuple[int, int]
    term: CoxTerm | None
    reason: str


@dataclass(frozen=True)
class Subgroup:
    """A variable that splits the patients.

    Attributes:
        name: of the variable.
        rows: its levels.
        interaction_p: likelihood ratio test that the hazard ratio is the same in all levels; None where a level has
            none.
    """

    name: str
    rows: tuple[SubgroupRow, ...]
    interaction_p: float | None


@dataclass(frozen=True)
class Forest:
    """Hazard ratio of a group overall and in subgroups."""

    overall: SubgroupRow
    subgroups: tuple[Subgroup, ...]


def forest(y: Any, exposed: ArrayLike, subgroups: pd.DataFrame, level: float = 0.95) -> Forest:
    """Return the hazard ratio of a group against the others, overall and in each level of each column.

    Args:
        y: structured array (event, time).
        exposed: shape (patients,), True for e.g. the group of high risk.
        subgroups: a column for each variable, already cut into levels; a missing value leaves the patient out of that
            column.
        level: confidence level.

    Raises:
        InputError: the group is empty or everybody, no event, rows that do not match.
    """
    outcome = check_survival(y)
    group = np.asarray(check_groups(exposed, len(outcome.time)), bool)
    if len(subgroups) != len(group):
        raise InputError(f"A row of subgroups for each of {len(group)} patients is needed, found {len(subgroups)}.")
    everybody = np.ones(len(group), bool)
    return Forest(
        overall=_row("all patients", outcome, group, everybody, level),
        subgroups=tuple(_subgroup(str(name), outcome, group, subgroups[name], level) for name in subgroups.columns),
    )


def _subgroup(name: str, outcome: Survival, group: NDArray[np.bool_], column: pd.Series, level: float) -> Subgroup:
    known = column.notna().to_numpy()
    levels = sorted(column[known].unique(), key=lambda value: (isinstance(value, str), value))
    rows = tuple(_row(str(value), outcome, group, (column == value).to_numpy(bool) & known, level) for value in levels)
    testable = len(rows) > 1 and all(row.term is not None for row in rows)
    return Subgroup(name, rows, _interaction(outcome, group, column, known, levels) if testable else None)


def _row(
    name: str, outcome: Survival, group: NDArray[np.bool_], chosen: NDArray[np.bool_], level: float
) -> SubgroupRow:
    parts = (chosen & group, chosen & ~group)
    patients = int(parts[0].sum()), int(parts[1].sum())
    events = int(outcome.event[parts[0]].sum()), int(outcome.event[parts[1]].sum())
    if 0 in patients or 0 in events:
        lacking = "patients" if 0 in patients else "events"
        return SubgroupRow(name, patients, events, None, f"one of the groups has no {lacking}")
    try:
        term = hazard_ratio(_part(outcome, chosen), group[chosen].astype(int), level)
    except InputError as error:  # e.g. all events of one group before all times of the other
        return SubgroupRow(name, patients, events, None, str(error))
    return SubgroupRow(name, patients, events, term, "")


def _interaction(
    outcome: Survival, group: NDArray[np.bool_], column: pd.Series, known: NDArray[np.bool_], levels: list[Any]
) -> float | None:
    """Return the p of the products of group and level in a Cox model with both."""
    values = column.to_numpy()[known]
    main = pd.DataFrame({"group": group[known].astype(float)})
    for place, value in enumerate(levels[1:]):
        main[f"level {place}"] = (values == value).astype(float)
    products = main.iloc[:, 1:].mul(main["group"], axis=0).add_prefix("group in ")
    y = _part(outcome, known)
    try:
        without, complete = cox(y, main), cox(y, pd.concat([main, products], axis=1))
    except InputError:  # a level without enough events for the products
        return None
    chi_square = 2 * (complete.log_likelihood - without.log_likelihood)
    return float(stats.chi2.sf(max(chi_square, 0.0), len(levels) - 1))


def _part(outcome: Survival, chosen: NDArray[np.bool_]) -> NDArray[Any]:
    return as_structured(outcome.event[chosen], outcome.time[chosen])
