"""Cox regressions of one covariate each, for all columns at once.

A library that fits one model takes tens of milliseconds; a table of radiomics has thousands of columns and stands
inside every fold. The arithmetic is the usual one (partial likelihood, Efron's ties, Newton's steps), done for all
columns side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_STEPS, _HALVINGS = 50, 10
_TOLERANCE = 1e-9
_RUNAWAY = 15.0
"""A log hazard ratio per standard deviation beyond this means that a covariate orders the events all but perfectly."""


@dataclass(frozen=True)
class CoxScan:
    """Univariate Cox models of several columns.

    Attributes:
        coefficient, error: shape (columns,), log hazard ratio per unit and its standard error; NaN where not converged.
        score: shape (columns,), z of the score test at 0, which always exists for a column that varies.
        converged: shape (columns,).
    """

    coefficient: Floats
    error: Floats
    score: Floats
    converged: NDArray[np.bool_]


def cox_scan(values: Floats, event: NDArray[np.bool_], time: Floats) -> CoxScan:
    """Fit a Cox model to each column.

    Args:
        values: shape (patients, columns), without missing values.
        event, time: shape (patients,).
    """
    scale = values.std(axis=0)
    varies = scale > 1e-10 * np.maximum(np.abs(values).max(axis=0), np.finfo(float).tiny)
    safe = np.where(varies, scale, 1.0)
    x = np.where(varies, (values - values.mean(axis=0)) / safe, 0.0)
    order = np.argsort(-time, kind="stable")
    x, event, time = x[order], event[order], time[order]
    deaths = _death_times(event, time)
    beta = np.zeros(x.shape[1])
    gradient, information, likelihood = _derivatives(x, event, deaths, beta)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(varies, gradient / np.sqrt(information), np.nan)
    done = ~varies | (information <= 0)
    for _ in range(_STEPS):
        step = np.where(done, 0.0, gradient / np.where(information > 0, information, 1.0))
        beta, gradient, information, likelihood = _climb(x, event, deaths, beta, np.clip(step, -2, 2), likelihood)
        done |= (np.abs(step) < _TOLERANCE) | (np.abs(beta) > _RUNAWAY)
        if done.all():
            break
    good = varies & done & (np.abs(beta) <= _RUNAWAY) & (information > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(good, 1 / np.sqrt(information), np.nan)
    return CoxScan(np.where(good, beta, np.nan) / safe, error / safe, score, good)


def _death_times(event: NDArray[np.bool_], time: Floats) -> list[tuple[int, NDArray[np.intp]]]:
    """Return for each time with deaths the size of the risk set, patients sorted by falling time, and who died."""
    return [
        (int(np.flatnonzero(time >= t)[-1]) + 1, np.flatnonzero(event & (time == t))) for t in np.unique(time[event])
    ]


def _derivatives(
    x: Floats, event: NDArray[np.bool_], deaths: list[tuple[int, NDArray[np.intp]]], beta: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return gradient, information and log partial likelihood with Efron's ties, each of shape (columns,)."""
    eta = x * beta
    top = eta.max(axis=0)
    risk = np.exp(eta - top)
    sums = [np.cumsum(part, axis=0) for part in (risk, risk * x, risk * x * x)]
    gradient, information = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    likelihood = np.zeros(x.shape[1])
    for size, dead in deaths:
        s0, s1, s2 = (part[size - 1] for part in sums)
        d0, d1, d2 = risk[dead].sum(0), (risk[dead] * x[dead]).sum(0), (risk[dead] * x[dead] ** 2).sum(0)
        gradient += x[dead].sum(axis=0)
        likelihood += eta[dead].sum(axis=0)
        for number in range(len(dead)):
            share = number / len(dead)
            weight = np.maximum(s0 - share * d0, np.finfo(float).tiny)
            mean = (s1 - share * d1) / weight
            gradient -= mean
            information += (s2 - share * d2) / weight - mean**2
            likelihood -= np.log(weight) + top
    return gradient, information, likelihood


def _climb(
    x: Floats,
    event: NDArray[np.bool_],
    deaths: list[tuple[int, NDArray[np.intp]]],
    beta: Floats,
    step: Floats,
    likelihood: Floats,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Take a step, halved for each column until its likelihood does not fall; none where that does not help."""
    for halving in range(_HALVINGS + 1):
        gradient, information, new = _derivatives(x, event, deaths, beta + step)
        worse = new < likelihood - _TOLERANCE * np.abs(likelihood)
        if not worse.any():
            break
        step = np.where(worse, step / 2 if halving < _HALVINGS - 1 else 0.0, step)
    return beta + step, gradient, information, new
