"""Concordance of risks and survival times: Harrell's and Uno's C, inside folds too, with intervals and comparisons.

C = N / D, with N the concordant and D the comparable pairs. The interval is that of the infinitesimal jackknife, as in
R's survival::concordance: patient i moves C by (n_i - C d_i) / D, with n_i and d_i his own pairs, and the variance is
the sum of the squares. Censoring weights count as known. The interval is taken on the logit scale; at 0 or 1, where the
jackknife has no variance, it is Wilson's for as many observations as there are events.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sksurv.metrics import concordance_index_censored, concordance_index_ipcw

from hccoutcome.errors import InputError
from hccoutcome.evaluation.censoring import CensoringCurve, horizon
from hccoutcome.evaluation.classification import wilson
from hccoutcome.evaluation.estimate import Comparison, Estimate, Floats, Integers, logit_interval, wald
from hccoutcome.evaluation.outcomes import Survival, check_binary, check_scores, check_survival

JACKKNIFE = "infinitesimal jackknife, logit scale"
WILSON = "Wilson on the events (the jackknife's variance is 0)"
TIED = 1e-8
"""Risks closer than this are equal, as in scikit-survival."""


@dataclass(frozen=True)
class PairSums:
    """Concordance with the influence of each patient.

    Attributes:
        value: C, NaN where no pair is comparable.
        influence: by how much a patient moves C, shape (patients,).
        events: patients with an event in a comparable pair.
    """

    value: float
    influence: Floats
    events: int


def harrell(y: Any, risk: ArrayLike, level: float = 0.95) -> Estimate:
    """Return Harrell's C of risks, higher is worse.

    Args:
        y: structured array (event, time).
        risk: shape (patients,).
        level: confidence level.

    Raises:
        InputError: no event, no comparable pair, or risks that are not finite.
    """
    outcome = check_survival(y)
    values = check_scores(risk, len(outcome.time), "risk")
    found = _required(pair_sums(outcome, values))
    value = float(concordance_index_censored(outcome.event, outcome.time, values, tied_tol=TIED)[0])
    return as_estimate(value, found.influence, found.events, level)


def uno(y_train: Any, y: Any, risk: ArrayLike, tau: float | None = None, level: float = 0.95) -> Estimate:
    """Return Uno's C (Stat Med 2011;30:1105), which does not depend on how ``y`` was censored.

    Args:
        y_train: outcome of the training patients, from which the censoring is estimated.
        y: outcome of the evaluated patients.
        risk: shape (patients,), higher is worse.
        tau: months; events before it count. None: the horizon.
        level: confidence level.

    Raises:
        InputError: ``tau`` lies beyond the horizon; as ``harrell``.
    """
    outcome = check_survival(y)
    values = check_scores(risk, len(outcome.time), "risk")
    limit = horizon(y_train, y)
    tau = limit if tau is None else tau
    if not 0 < tau <= limit:
        raise InputError(f"Uno's C ends at the common follow-up of {limit:g} months, found {tau:g}: choose less.")
    training = check_survival(y_train, least_events=0).structured
    weights = np.where(outcome.time < tau, CensoringCurve(y_train)(outcome.time) ** -2.0, 0.0)
    found = _required(pair_sums(outcome, values, weights))
    value = float(concordance_index_ipcw(training, outcome.structured, values, tau, tied_tol=TIED)[0])
    return as_estimate(value, found.influence, found.events, level)


def compare_concordance(y: Any, first: ArrayLike, second: ArrayLike, level: float = 0.95) -> Comparison:
    """Compare Harrell's C of two risks of the same patients, by their joint jackknife.

    Raises:
        InputError: as ``harrell``.
    """
    outcome = check_survival(y)
    one, two = (
        _required(pair_sums(outcome, check_scores(risk, len(outcome.time), "risk"))) for risk in (first, second)
    )
    error = float(np.linalg.norm(one.influence - two.influence))
    return wald(one.value, two.value, error, level, "infinitesimal jackknife, paired")


def pair_sums(
    outcome: Survival, risk: Floats, weights: Floats | None = None, strata: Integers | None = None, rows: int = 512
) -> PairSums:
    """Return the concordance of risks with each patient's influence.

    Args:
        outcome: of the patients. A pair is comparable where the earlier time is that of an event; at equal times, where
            one is an event and the other is not.
        risk: shape (patients,).
        weights: of the pairs in which a patient has the earlier event, shape (patients,); None: 1.
        strata: pairs are compared inside a stratum (a fold) only, shape (patients,).
        rows: patients taken at once, which limits the memory.
    """
    event, time = outcome.event, outcome.time
    weights = np.ones(len(time)) if weights is None else weights
    concordant, comparable = np.zeros(len(time)), np.zeros(len(time))
    earlier = np.flatnonzero(event & (weights > 0))
    events = 0
    for start in range(0, len(earlier), rows):
        chosen = earlier[start : start + rows]
        own = time[chosen, None]
        pairs = (own < time) | ((own == time) & ~event)
        if strata is not None:
            pairs &= strata[chosen, None] == strata
        ahead = risk[chosen, None] - risk
        counted = pairs * weights[chosen, None]
        credit = counted * np.where(np.abs(ahead) <= TIED, 0.5, ahead > 0)
        for sums, part in ((concordant, credit), (comparable, counted)):
            sums[chosen] += part.sum(axis=1)
            sums += part.sum(axis=0)
        events += int(pairs.any(axis=1).sum())
    total = comparable.sum() / 2
    if not total:
        return PairSums(math.nan, np.zeros(len(time)), 0)
    value = float(concordant.sum() / 2 / total)
    return PairSums(value, (concordant - value * comparable) / total, events)


def binary_as_survival(y: ArrayLike) -> Survival:
    """Return a binary outcome as survival, of which the C-index is the AUC: events at 0, the others followed until "
    "1."""
    outcome = check_binary(y, least=2)
    return Survival(outcome, np.where(outcome, 0.0, 1.0))


def as_estimate(value: float, influence: Floats, events: int, level: float) -> Estimate:
    """Return a concordance with its interval from the patients' influences."""
    error = float(np.linalg.norm(influence))
    if 0 < value < 1 and error > 0:
        return logit_interval(value, error, level, JACKKNIFE)
    if 0 < value < 1:
        return Estimate(value, value, value, level, JACKKNIFE)  # every pair tied
    lower, upper = wilson(round(value * events), events, level)
    return Estimate(value, lower, upper, level, WILSON)


def _required(found: PairSums) -> PairSums:
    if math.isnan(found.value):
        raise InputError(
            "Concordance needs a patient with an event before another's last time, found no such pair: evaluate more "
            "patients or follow up longer."
        )
    return found
