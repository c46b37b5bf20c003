"""Decision curves: the net benefit of treating by a prediction, for a binary outcome and for survival at a time.

Vickers and Elkin, Med Decis Making 2006;26:565; survival: Vickers et al., BMC Med Inform Decis Mak 2008;8:53. At the
threshold probability t those with a higher risk are treated; net benefit = true positives / n - false positives / n x t
/ (1 - t) - harm of the test.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hccoutcome.errors import InputError, nearest
from hccoutcome.evaluation.estimate import Floats, tails
from hccoutcome.evaluation.outcomes import Survival, check_binary, check_probabilities, check_survival

THRESHOLDS = tuple(step / 100 for step in range(100))


@dataclass(frozen=True)
class Benefit:
    """Net benefit of one prediction; arrays of shape (thresholds,).

    Attributes:
        name: of the prediction.
        true_positive, false_positive: patients called positive with and without the outcome, as a part of all.
        harm: of the test itself, as a part of a true positive; taken off at every threshold.
        net_benefit: see the module.
        lower, upper: pointwise bootstrap band; None where no samples were asked for.
    """

    name: str
    true_positive: Floats
    false_positive: Floats
    harm: float
    net_benefit: Floats
    lower: Floats | None
    upper: Floats | None


@dataclass(frozen=True)
class DecisionCurves:
    """Decision curves of predictions of one outcome.

    Attributes:
        thresholds: threshold probabilities, shape (thresholds,).
        prevalence: part of the patients with the outcome (by the time).
        treat_all: net benefit of treating everybody; treating nobody has 0.
        models: one for each prediction.
        level: of the bands.
    """

    thresholds: Floats
    prevalence: float
    treat_all: Floats
    models: tuple[Benefit, ...]
    level: float

    def interventions_avoided(self, name: str) -> Floats:
        """Return by how much fewer patients (as a part of all) are treated than by treating all, at no loss of benefit.

        NaN at threshold 0, where an intervention costs nothing.

        Raises:
            InputError: there is no prediction of that name.
        """
        by_name = {model.name: model for model in self.models}
        if name not in by_name:
            raise InputError(f"There is no decision curve '{name}'; {nearest(name, by_name)}.")
        odds = self.thresholds / (1 - self.thresholds)
        gain = by_name[name].net_benefit - self.treat_all
        return np.where(odds > 0, gain / np.where(odds > 0, odds, 1), np.nan)


def decision_curves(
    y: ArrayLike,
    probabilities: Mapping[str, ArrayLike],
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    prevalence: float | None = None,
    harm: Mapping[str, float] | None = None,
    resamples: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> DecisionCurves:
    """Return the decision curves of predicted probabilities of a binary outcome.

    Args:
        y: outcome, shape (patients,).
        probabilities: by name, each of shape (patients,).
        thresholds: from 0 up to below 1.
        prevalence: in the population, where ``y`` is a case-control sample; None: that of ``y``.
        harm: of getting a prediction, by its name; 0 where not named.
        resamples: bootstrap samples of the band; 0: none.
        seed, level: of the band.

    Raises:
        InputError: values outside 0 to 1 or missing, thresholds outside 0 to below 1, unknown names in ``harm``.
    """
    outcome = check_binary(y)
    cuts = _check_thresholds(thresholds)
    values = {name: check_probabilities(given, len(outcome)) for name, given in probabilities.items()}
    _check_harm(harm, values)
    share = float(outcome.mean()) if prevalence is None else prevalence
    if not 0 < share < 1:
        raise InputError(f"A prevalence lies between 0 and 1, found {share:g}: correct it.")

    def rates(rows: np.ndarray, risk: Floats) -> tuple[Floats, Floats]:
        own = share if prevalence is not None else float(outcome[rows].mean())
        cases, controls = risk[rows][outcome[rows]], risk[rows][~outcome[rows]]
        return own * _above(cases, cuts), (1 - own) * _above(controls, cuts)

    return _curves(cuts, share, values, harm or {}, rates, len(outcome), resamples, seed, level)


def survival_decision_curves(
    y: Any,
    risks: Mapping[str, ArrayLike],
    months: float,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    harm: Mapping[str, float] | None = None,
    resamples: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> DecisionCurves:
    """Return the decision curves of predicted probabilities of an event by a time.

    The part of the treated patients with the event is taken from their own Kaplan-Meier curve; where their follow-up
    ends before the time, there is no net benefit (NaN).

    Args:
        y: structured array (event, time).
        risks: probability of the event by ``months``, by name, each of shape (patients,).
        months: the time.
        thresholds, harm, resamples, seed, level: as in ``decision_curves``.

    Raises:
        InputError: as ``decision_curves``, no event by the time, or a follow-up of all that ends before it.
    """
    outcome = check_survival(y)
    cuts = _check_thresholds(thresholds)
    values = {name: check_probabilities(given, len(outcome.time)) for name, given in risks.items()}
    _check_harm(harm, values)
    everybody = np.arange(len(outcome.time))
    share = _incidence(outcome, everybody, months)
    if not share > 0:
        raise InputError(
            f"Net benefit at {months:g} months needs events by then and patients followed until then, found a "
            f"follow-up until {outcome.time.max():g} months: name another time."
        )

    def rates(rows: np.ndarray, risk: Floats) -> tuple[Floats, Floats]:
        called = risk[rows][None] > cuts[:, None]
        part = called.mean(axis=1)
        event = np.array([_incidence(outcome, rows[positive], months) for positive in called])
        return part * event, part * (1 - event)

    return _curves(cuts, share, values, harm or {}, rates, len(everybody), resamples, seed, level)


def _curves(
    cuts: Floats,
    share: float,
    values: dict[str, Floats],
    harm: Mapping[str, float],
    rates: Any,
    patients: int,
    resamples: int,
    seed: int,
    level: float,
) -> DecisionCurves:
    odds = cuts / (1 - cuts)
    models = []
    for name, risk in values.items():
        own = float(harm.get(name, 0))
        true_positive, false_positive = rates(np.arange(patients), risk)
        lower = upper = None
        if resamples:
            random = np.random.default_rng(seed)
            samples = (rates(random.integers(0, patients, patients), risk) for _ in range(resamples))
            drawn = np.array([true - false * odds - own for true, false in samples])
            lower, upper = _band(drawn, level)
        benefit = true_positive - false_positive * odds - own
        models.append(Benefit(name, true_positive, false_positive, own, benefit, lower, upper))
    return DecisionCurves(cuts, share, share - (1 - share) * odds, tuple(models), level)


def _band(drawn: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the limits at each threshold over the samples in which there is a net benefit."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        lower, upper = np.nanquantile(drawn, tails(level), axis=0)
    return np.asarray(lower), np.asarray(upper)


def _above(values: Floats, cuts: Floats) -> Floats:
    """Return the part of the values above each cut, 0 where there is no value."""
    if not len(values):
        return np.zeros(len(cuts))
    return np.asarray(1 - np.searchsorted(np.sort(values), cuts, side="right") / len(values))


def _incidence(outcome: Survival, rows: np.ndarray, months: float) -> float:
    """Return 1 - the Kaplan-Meier estimate at a time: 0 without patients, NaN where the last of them left before it."""
    if not len(rows):
        return 0.0
    time, event = outcome.time[rows], outcome.event[rows]
    at, counts = np.unique(time[event & (time <= months)], return_counts=True)
    followed = len(time) - np.searchsorted(np.sort(time), at, side="left")
    survival = float(np.prod(1 - counts / followed))
    return 1 - survival if time.max() >= months or survival <= 0 else np.nan


def _check_thresholds(thresholds: Sequence[float]) -> Floats:
    cuts = np.asarray(thresholds, float)
    if cuts.ndim != 1 or not len(cuts) or not ((cuts >= 0) & (cuts < 1)).all():
        raise InputError(
            f"Threshold probabilities lie from 0 to below 1, found {list(thresholds)[:3]}...: correct them."
        )
    return cuts


def _check_harm(harm: Mapping[str, float] | None, values: Mapping[str, Any]) -> None:
    if not values:
        raise InputError("A decision curve needs at least one prediction, found none: name one.")
    for name, amount in (harm or {}).items():
        if name not in values:
            raise InputError(f"There is no prediction '{name}' to have a harm; {nearest(name, values)}.")
        if not 0 <= amount < 1:
            raise InputError(f"The harm of a test lies from 0 to below 1, found {amount:g} for '{name}': correct it.")
