"""Logistic and Cox models with their tables, and what is done where the likelihood has no maximum.

Columns are standardised for the fit, which laboratory values of very different size need, and the results are given for
one unit of each column.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit

from hccoutcome.errors import InputError
from hccoutcome.evaluation.outcomes import is_survival
from hccoutcome.selection.base import Floats, as_numbers, checked_outcome, learn_scaling

Z95 = float(stats.norm.ppf(0.975))
Method = Literal["maximum likelihood", "Firth", "ridge"]

_RUNAWAY = 15.0
"""A coefficient per standard deviation beyond this means separation: the likelihood rises without end."""
_RIDGE = 0.1
_STEPS = 100
_TOLERANCE = 1e-8
_DEPENDENT = 1e-8
_PRECISION = (("precision", 1e-14), ("r_precision", 1e-16))
"""lifelines by itself stops at five digits."""


@dataclass(frozen=True)
class RegressionTable:
    """A fitted regression.

    Attributes:
        table: one row a column of X: ``coefficient``, ``error``, ``ratio`` (odds ratio or hazard ratio of one unit),
            ``low``, ``high`` (95 % interval), ``z``, ``p`` (Wald). NaN for a column that was left out.
        family: ``"logistic"`` or ``"cox"``.
        method: ``"maximum likelihood"``; ``"Firth"`` (logistic) or ``"ridge"`` (Cox) where that has no maximum, because
            the columns tell the outcomes apart completely.
        intercept: of the logistic model; 0 for Cox's.
        left_out: columns that do not vary or follow from those before them.
        patients, events: numbers; events are responders for logistic models.
        notes: one sentence for everything out of the ordinary.
    """

    table: pd.DataFrame
    family: Literal["logistic", "cox"]
    method: Method
    intercept: float
    left_out: tuple[str, ...]
    patients: int
    events: int
    notes: tuple[str, ...]


def regression(X: Any, y: Any) -> RegressionTable:  # noqa: N803
    """Fit a logistic model (y is booleans) or a Cox model (y is survival, Efron's ties) to all columns together.

    Args:
        X: shape (patients, columns), numbers; patients with a missing value are left out.
        y: shape (patients,).

    Raises:
        InputError: no patient is complete, one class or no event is left, or more columns than patients.
    """
    frame = as_numbers(X)
    outcome = checked_outcome(y, len(frame))
    complete = frame.notna().all(axis=1).to_numpy()
    values, outcome = frame.to_numpy(float)[complete], outcome[complete]
    notes = []
    if not complete.all():
        notes.append(f"{int((~complete).sum())} patients with a missing value are left out.")
    events = int((outcome["event"] if is_survival(outcome) else outcome).sum())
    if events == 0 or (not is_survival(outcome) and events == len(outcome)):
        raise InputError(f"A regression needs both outcomes, found {events} in {len(outcome)} complete patients.")
    scaling = learn_scaling(values)
    x = scaling.apply(values)
    used = _independent(x, scaling.varies)
    left_out = tuple(str(frame.columns[i]) for i in range(frame.shape[1]) if i not in used)
    if left_out:
        notes.append(f"{', '.join(left_out)}: left out, constant or following from the columns before.")
    if len(used) >= len(values) - 1:
        raise InputError(f"A regression needs more patients than columns, found {len(values)} and {len(used)}: select.")
    fit = _cox if is_survival(outcome) else _logistic
    beta, covariance, intercept, method = fit(x[:, used], outcome)
    if method != "maximum likelihood":
        notes.append(
            f"The columns tell the outcomes apart completely: {method} estimates in place of the likelihood's."
        )
    scale = scaling.scale[used]
    table = _table(beta / scale, np.sqrt(np.diag(covariance)) / scale)
    return RegressionTable(
        table=table.set_axis(frame.columns[used], axis=0).reindex(frame.columns),
        family="cox" if is_survival(outcome) else "logistic",
        method=method,
        intercept=0.0 if is_survival(outcome) else float(intercept - (beta / scale) @ scaling.centre[used]),
        left_out=left_out,
        patients=len(values),
        events=events,
        notes=tuple(notes),
    )


def _independent(x: Floats, varies: NDArray[np.bool_]) -> list[int]:
    """Return the columns that vary and do not follow from those before them (with the constant)."""
    used: list[int] = []
    basis = np.ones((len(x), 1)) / np.sqrt(len(x))
    for column in np.flatnonzero(varies):
        if basis.shape[1] >= len(x):
            break
        # Twice, because once leaves rounding noise (Gram and Schmidt).
        rest = x[:, column] - basis @ (basis.T @ x[:, column])
        rest = rest - basis @ (basis.T @ rest)
        length = np.linalg.norm(rest)
        if length > _DEPENDENT * np.linalg.norm(x[:, column]):
            used.append(int(column))
            basis = np.column_stack([basis, rest / length])
    return used


def _table(coefficient: Floats, error: Floats) -> pd.DataFrame:
    z = coefficient / error
    half = Z95 * error
    with np.errstate(over="ignore"):
        ratio, low, high = np.exp(coefficient), np.exp(coefficient - half), np.exp(coefficient + half)
    return pd.DataFrame(
        {
            "coefficient": coefficient, "error": error, "ratio": ratio, "low": low, "high": high,
            "z": z, "p": 2 * stats.norm.sf(np.abs(z)),
        }
    )  # fmt: skip


def _logistic(x: Floats, y: NDArray[np.bool_]) -> tuple[Floats, Floats, float, Method]:
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import ConvergenceWarning, PerfectSeparationError, PerfectSeparationWarning

    design = np.column_stack([np.ones(len(x)), x])
    with warnings.catch_warnings():
        for warning in (ConvergenceWarning, PerfectSeparationWarning, RuntimeWarning):
            warnings.simplefilter("error", warning)
        try:
            fitted = sm.Logit(y.astype(float), design).fit(disp=0, maxiter=_STEPS)
            beta, covariance = np.asarray(fitted.params), np.asarray(fitted.cov_params())
            if np.abs(beta[1:]).max(initial=0.0) <= _RUNAWAY:
                return beta[1:], covariance[1:, 1:], float(beta[0]), "maximum likelihood"
        except (ConvergenceWarning, PerfectSeparationWarning, PerfectSeparationError, RuntimeWarning):
            pass
        except np.linalg.LinAlgError:
            pass
    beta, covariance = firth(design, y)
    return beta[1:], covariance[1:, 1:], float(beta[0]), "Firth"


def firth(design: Floats, y: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Fit a logistic model by Firth's penalised likelihood, which always has a maximum (Heinze and Schemper 2002).

    Args:
        design: shape (patients, columns), the constant included.
        y: shape (patients,).

    Returns:
        Coefficients, and their covariance (the inverse of Fisher's information).
    """
    beta = np.zeros(design.shape[1])
    likelihood = _firth_likelihood(design, y, beta)
    for _ in range(_STEPS):
        chance = expit(design @ beta)
        weight = chance * (1 - chance)
        inverse = np.linalg.pinv((design.T * weight) @ design)
        leverage = weight * np.einsum("ij,jk,ik->i", design, inverse, design)
        step = inverse @ (design.T @ (y - chance + leverage * (0.5 - chance)))
        step *= min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
        while (new := _firth_likelihood(design, y, beta + step)) < likelihood - 1e-10 and np.abs(
            step
        ).max() > _TOLERANCE:
            step /= 2
        beta, likelihood = beta + step, new
        if np.abs(step).max() < _TOLERANCE:
            break
    chance = expit(design @ beta)
    return beta, np.linalg.pinv((design.T * (chance * (1 - chance))) @ design)


def _firth_likelihood(design: Floats, y: NDArray[np.bool_], beta: Floats) -> float:
    predictor = design @ beta
    chance = expit(predictor)
    _, determinant = np.linalg.slogdet((design.T * (chance * (1 - chance))) @ design)
    return float(y @ predictor - np.logaddexp(0, predictor).sum() + determinant / 2)


def _cox(x: Floats, y: NDArray[Any]) -> tuple[Floats, Floats, float, Method]:
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning

    data = pd.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])]).assign(time=y["time"], event=y["event"])
    methods: tuple[tuple[Method, float], ...] = (("maximum likelihood", 0.0), ("ridge", _RIDGE))
    for method, penalty in methods:
        with warnings.catch_warnings():
            # lifelines also warns of what might go wrong; what counts is whether it did.
            warnings.simplefilter("ignore", RuntimeWarning)
            if not penalty:
                warnings.filterwarnings("error", "Newton-Raphson failed to converge", ConvergenceWarning)
            try:
                fitted = CoxPHFitter(penalizer=penalty).fit(data, "time", "event", fit_options=dict(_PRECISION))
            except (ConvergenceError, ConvergenceWarning):
                continue
        beta = fitted.params_.to_numpy()
        if penalty or np.abs(beta).max(initial=0.0) <= _RUNAWAY:
            return beta, fitted.variance_matrix_.to_numpy(), 0.0, method
    raise InputError("A Cox model cannot be fitted to these columns: leave out those that follow the outcome.")
