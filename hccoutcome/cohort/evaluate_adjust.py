"""What of a study's figures stands beside other covariates, and among patients matched by propensity of treatment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hccoutcome.errors import InputError
from hccoutcome.evaluation.classification import proportion
from hccoutcome.evaluation.cox import check_proportional_hazards, cox, hazard_ratio, with_and_without
from hccoutcome.evaluation.judging import GROUPS, figure_of
from hccoutcome.evaluation.matching import match
from hccoutcome.evaluation.outcomes import is_survival
from hccoutcome.evaluation.study import Matched, Multivariable, Predicted
from hccoutcome.evaluation.survival import kaplan_meier, log_rank


def multivariable(y: NDArray[Any], given: Predicted, covariates: pd.DataFrame, added: str = "") -> Multivariable:
    """Return the Cox model of the risk group beside covariates, on the patients with complete values.

    Args:
        y: outcome (event, time).
        given: the system whose risk group enters.
        covariates: one row a patient; numbers, or text for categories.
        added: one of them, without which the model is fitted again.

    Raises:
        InputError: the system has no risk groups, or the model cannot be fitted.
    """
    if given.positive is None:
        raise InputError(f"'{given.label}' has no risk groups: leave the covariates out.")
    whole = given.known & covariates.notna().all(axis=1).to_numpy()
    if not whole.any():
        raise InputError("No patient has a value of every covariate: leave one out.")
    high = pd.Series(given.positive.astype(float), covariates.index, name=GROUPS[1])
    table = pd.concat([high, covariates], axis=1)[whole]
    outcome = y[whole]
    return Multivariable(
        model=cox(outcome, table),
        nested=with_and_without(outcome, table, [added]) if added else None,
        added=added,
        hazards=check_proportional_hazards(outcome, table),
        patients=int(whole.sum()),
        dropped=int((~whole).sum()),
    )


def matched(y: NDArray[Any], predicted: Sequence[Predicted], treatment: pd.Series, covariates: pd.DataFrame) -> Matched:
    """Return what is left of the figures among patients matched by propensity of treatment.

    Args:
        y: outcome.
        predicted: the systems.
        treatment: 1 for treated and 0 for control of each patient; a missing value leaves the patient out.
        covariates: what the propensity is computed from; patients with a gap are left out.

    Raises:
        InputError: the treatment is not 0 or 1, or the groups cannot be matched.
    """
    values = pd.to_numeric(treatment, errors="coerce")
    if (treatment.notna() & ~values.isin((0, 1))).any():
        wrong = treatment[treatment.notna() & ~values.isin((0, 1))].iloc[0]
        raise InputError(f"A treatment is marked 1 and its absence 0, found '{wrong}' in '{treatment.name}': code it.")
    whole = np.flatnonzero(treatment.notna().to_numpy() & covariates.notna().all(axis=1).to_numpy())
    if not len(whole):
        raise InputError("No patient has a treatment and a value of every covariate to match on: leave one out.")
    treated = values.iloc[whole].to_numpy() == 1
    pairs = match(treated, covariates.iloc[whole])
    rows = whole[pairs.rows]
    found: dict[str, Any] = {}
    group = values.iloc[rows].to_numpy().astype(int)
    if is_survival(y):
        names = np.array([f"{treatment.name} 0", f"{treatment.name} 1"])
        found = {
            "before": hazard_ratio(y[whole], treated.astype(int)),
            "after": hazard_ratio(y[rows], group),
            "curves": tuple(kaplan_meier(y[rows][group == arm], str(names[arm])) for arm in (0, 1)),
            "log_rank": log_rank(y[rows], names[group]),
        }
    else:
        found = {
            "rates": tuple(proportion(int(y[rows][group == arm].sum()), int((group == arm).sum())) for arm in (0, 1))
        }
    return Matched(
        treatment=str(treatment.name),
        treated=int(treated.sum()),
        control=int((~treated).sum()),
        pairs=len(pairs.pairs),
        balance=pairs.balance,
        figures=_figures(y, predicted, rows),
        **found,
    )


def _figures(y: NDArray[Any], predicted: Sequence[Predicted], rows: NDArray[np.int64]) -> dict[str, Any]:
    """Return AUC or C of the finished predictions among some patients, by label; those that have one."""
    found = {}
    for given in predicted:
        own = rows[given.known[rows]]
        values = given.place if is_survival(y) else given.prediction
        try:
            found[given.label] = figure_of(y[own], values[own])
        except InputError:  # too few with either outcome are left
            continue
    return found
