"""Survival in intervals of time: what a patient's follow-up says of each, its likelihood, and the survival curve.

Gensheimer and Narasimhan, "A scalable discrete-time survival model for neural networks" (PeerJ 2019;7:e6257): the
network gives for each interval the hazard, the probability of dying in it for those who reach it. Who dies in interval
j adds ``log h_j``, and ``log(1 - h_i)`` for all before it; who is censored adds ``log(1 - h_i)`` for every interval of
which at least half was lived through.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hccoutcome.errors import InputError

FEWEST_EVENTS = 3
Floats = NDArray[np.float64]


def check_breaks(breaks: Floats) -> Floats:
    """Return the limits of intervals, ascending from 0.

    Raises:
        InputError: fewer than two, not starting at 0, or not ascending.
    """
    limits = np.asarray(breaks, np.float64)
    if (
        limits.ndim != 1
        or len(limits) < 2
        or limits[0] != 0
        or not np.isfinite(limits).all()
        or (np.diff(limits) <= 0).any()
    ):
        raise InputError(
            "The intervals of survival are given by ascending times in months that start at 0 (0, 12, 24...), found "
            f"{', '.join(f'{value:g}' for value in limits.ravel()[:6])}: correct them."
        )
    return limits


def breaks_by_events(time: Floats, event: NDArray[np.bool_], intervals: int) -> Floats:
    """Return limits of intervals that hold equally many events, as far as equal times allow; the last event is inside.

    Raises:
        InputError: fewer events than three, or than intervals.
    """
    deaths = np.sort(np.asarray(time, np.float64)[np.asarray(event, bool)])
    if len(deaths) < max(FEWEST_EVENTS, intervals):
        raise InputError(
            f"At least {max(FEWEST_EVENTS, intervals)} events were expected for {intervals} intervals of survival, "
            f"found {len(deaths)}: follow the patients longer or take fewer intervals."
        )
    inner = np.quantile(deaths, np.arange(1, intervals) / intervals, method="inverted_cdf")
    return _limits_behind(np.concatenate([inner, deaths[-1:]]))


def breaks_at_events(time: Floats, event: NDArray[np.bool_]) -> Floats:
    """Return limits of one interval for every time at which someone died, the finest that a cohort can tell."""
    return _limits_behind(np.asarray(time, np.float64)[np.asarray(event, bool)])


def _limits_behind(times: Floats) -> Floats:
    """Return 0 and a limit just beyond each time: an interval holds its lower limit and not its upper."""
    return np.concatenate([[0.0], np.unique(np.nextafter(times, np.inf))])


def followed(time: Floats, event: NDArray[np.bool_], breaks: Floats) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return for every patient which intervals were survived, and in which one the patient died.

    Args:
        time: of death or of the last news, in months, shape (n,), not negative.
        event: True for a death.
        breaks: limits of the k intervals, shape (k + 1,); each holds its lower limit and not its upper.

    Returns:
        Two arrays (n, k) of 0 and 1. Deaths after the last interval are survivals of all.
    """
    limits = check_breaks(breaks)
    at, died = np.asarray(time, np.float64)[:, None], np.asarray(event, bool)[:, None]
    if not (np.isfinite(at).all() and (at >= 0).all()):
        raise InputError("Times of survival are months from 0 up, found negative or missing ones: correct the table.")
    middle = (limits[:-1] + limits[1:]) / 2
    survived = np.where(died, at >= limits[1:], at >= middle)
    failed = died & (at >= limits[:-1]) & (at < limits[1:])
    return survived.astype(np.float32), failed.astype(np.float32)


def likelihood_loss(logits: Tensor, survived: Tensor, failed: Tensor) -> Tensor:
    """Return minus the log-likelihood of every patient, shape (n,).

    Args:
        logits: of the hazards, (n, k).
        survived: (n, k), see ``followed``.
        failed: (n, k).
    """
    # log(1 - h) and log(h) of the logistic function, without loss where h is near 0 or 1.
    return -(survived * functional.logsigmoid(-logits) + failed * functional.logsigmoid(logits)).sum(dim=1)


def survival_curve(hazards: Floats) -> Floats:
    """Return survival at the limits of the intervals, (n, k + 1) with 1 first, of hazards (n, k)."""
    beyond = np.cumprod(1 - np.asarray(hazards, np.float64), axis=1)
    return np.concatenate([np.ones((len(beyond), 1)), beyond], axis=1)


def survival_at(hazards: Floats, breaks: Floats, times: Floats) -> Floats:
    """Return survival at any times, (n, len(times)), of hazards (n, k); within an interval the hazard is constant.

    Raises:
        InputError: a time is negative or lies beyond the last interval, of which nothing was learned.
    """
    limits, at = check_breaks(breaks), np.atleast_1d(np.asarray(times, np.float64))
    if not (np.isfinite(at).all() and (at >= 0).all() and (at <= limits[-1]).all()):
        asked = ", ".join(f"{value:g}" for value in at[:6])
        raise InputError(f"Survival is known from 0 to {limits[-1]:.4g} months, asked at {asked}: choose times inside.")
    # A hazard of 1 leaves no survival and no logarithm: the smallest number stands for it.
    logarithm = np.log(np.maximum(survival_curve(hazards), np.finfo(float).tiny))
    return np.array([np.exp(np.interp(at, limits, row)) for row in logarithm])


def risk_of(hazards: Floats) -> Floats:
    """Return one risk for each patient, higher is worse: the cumulative hazard over all intervals, shape (n,)."""
    return -np.log(np.maximum(survival_curve(hazards)[:, -1], np.finfo(float).tiny))
