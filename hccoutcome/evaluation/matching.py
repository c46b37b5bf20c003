"""Propensity matching of two treatment groups, and the balance of their covariates before and after.

Rosenbaum and Rubin, Am Stat 1985;39:33; caliper of 0.2 standard deviations of the logit as Austin, Pharm Stat
2011;10:150. Standardised differences are taken by the deviations before matching, so that they compare.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
import statsmodels.api as sm
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from statsmodels.tools.sm_exceptions import PerfectSeparationError, PerfectSeparationWarning

from hccoutcome.errors import InputError, nearest
from hccoutcome.evaluation.cox import encode
from hccoutcome.evaluation.estimate import Bools, Floats, Integers
from hccoutcome.evaluation.outcomes import check_binary

Method = Literal["greedy", "optimal"]


@dataclass(frozen=True)
class Balance:
    """One covariate before and after matching.

    Attributes:
        name: column, or ``column: level``.
        treated, control: means before matching.
        matched_treated, matched_control: means after it.
        before, after: standardised mean differences; below 0.1 counts as balanced. None where the covariate does not
            vary.
    """

    name: str
    treated: float
    control: float
    matched_treated: float
    matched_control: float
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Matching:
    """Pairs of patients of two groups with similar propensity.

    Attributes:
        pairs: rows of treated and control, shape (pairs, 2), in the order of the treated rows.
        propensity: probability of treatment, shape (patients,).
        caliper: largest allowed difference of the logits.
        unmatched: rows of treated patients without a partner.
        balance: one for each covariate.
        method: ``greedy`` or ``optimal``.
    """

    pairs: Integers
    propensity: Floats
    caliper: float
    unmatched: tuple[int, ...]
    balance: tuple[Balance, ...]
    method: str

    @property
    def rows(self) -> Integers:
        """Rows of all matched patients, in order."""
        return np.sort(self.pairs.ravel())


def match(treated: ArrayLike, covariates: pd.DataFrame, *, caliper: float = 0.2, method: Method = "greedy") -> Matching:
    """Match each treated patient with one control, without replacement.

    Args:
        treated: shape (patients,), True or 1 for the treated.
        covariates: a row for each patient; numbers, or text for categories.
        caliper: in standard deviations of the logit of the propensity.
        method: ``greedy`` takes the treated from the highest propensity down and gives each the nearest free control;
            ``optimal`` finds the most pairs, and among those the smallest sum of differences.

    Raises:
        InputError: a group is empty, missing values, groups that the covariates separate completely, or no pair.
    """
    group = check_binary(treated)
    if len(covariates) != len(group):
        raise InputError(f"A row of covariates for each of {len(group)} patients is needed, found {len(covariates)}.")
    if method not in get_args(Method):
        raise InputError(f"'{method}' is no way of matching; {nearest(method, get_args(Method))}.")
    if not caliper > 0:
        raise InputError(f"A caliper is positive, found {caliper:g}: 0.2 is usual.")
    coded = encode(covariates)
    propensity = _propensity(group, coded)
    logits = np.log(propensity / (1 - propensity))
    width = caliper * float(logits.std(ddof=1))
    pairs = (_greedy if method == "greedy" else _optimal)(logits, group, width)
    if not len(pairs):
        raise InputError(
            f"No treated patient has a control within the caliper of {width:g} (logit): the groups do not overlap; "
            "widen the caliper or match on fewer covariates."
        )
    balance = tuple(_balance(str(name), coded[name].to_numpy(), group, pairs) for name in coded)
    unmatched = tuple(int(row) for row in np.setdiff1d(np.flatnonzero(group), pairs[:, 0]))
    return Matching(pairs, propensity, width, unmatched, balance, method)


def _propensity(group: Bools, coded: pd.DataFrame) -> Floats:
    """Return the probability of treatment by logistic regression on all covariates."""
    design = sm.add_constant((coded - coded.mean()) / coded.std(ddof=0)).to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            fitted = sm.GLM(group.astype(float), design, sm.families.Binomial()).fit().fittedvalues
        except (PerfectSeparationError, PerfectSeparationWarning, RuntimeWarning, np.linalg.LinAlgError) as error:
            raise InputError(_SEPARATED) from error
    found: Floats = np.asarray(fitted, float)
    if not ((found > 1e-9) & (found < 1 - 1e-9)).all():
        raise InputError(_SEPARATED)
    return found


_SEPARATED = (
    "The covariates tell the two groups apart completely, so no propensity is defined: leave out the covariate that "
    "decides who is treated."
)


def _greedy(logits: Floats, group: Bools, width: float) -> Integers:
    treated, free = np.flatnonzero(group), list(np.flatnonzero(~group))
    found = []
    for row in treated[np.argsort(-logits[treated], kind="stable")]:
        if not free:
            break
        apart = np.abs(logits[free] - logits[row])
        best = int(np.argmin(apart))
        if apart[best] <= width:
            found.append((int(row), int(free.pop(best))))
    return _sorted(found)


def _optimal(logits: Floats, group: Bools, width: float) -> Integers:
    treated, control = np.flatnonzero(group), np.flatnonzero(~group)
    apart = np.abs(logits[treated, None] - logits[control])
    # A pair outside the caliper costs more than all allowed pairs together: as few as possible are taken.
    forbidden = width * (min(apart.shape) + 1) + 1
    cost = np.where(apart <= width, apart, forbidden)
    rows, columns = linear_sum_assignment(cost)
    allowed = cost[rows, columns] <= width
    return _sorted([(int(treated[a]), int(control[b])) for a, b in zip(rows[allowed], columns[allowed], strict=True)])


def _sorted(pairs: list[tuple[int, int]]) -> Integers:
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


def _balance(name: str, values: NDArray[np.float64], group: Bools, pairs: Integers) -> Balance:
    before = float(values[group].mean()), float(values[~group].mean())
    after = float(values[pairs[:, 0]].mean()), float(values[pairs[:, 1]].mean())
    deviation = _pooled_deviation(values, group)
    differences = [(one - two) / deviation if deviation > 0 else None for one, two in (before, after)]
    return Balance(name, *before, *after, *differences)


def _pooled_deviation(values: NDArray[np.float64], group: Bools) -> float:
    """Return sqrt of the mean variance of the groups: p (1 - p) of a binary covariate, as Austin, Stat Med "
    "2009;28:3083."""
    parts = (values[group], values[~group])
    if set(np.unique(values)) <= {0.0, 1.0}:
        variances = [float(part.mean() * (1 - part.mean())) for part in parts]
    else:
        variances = [float(part.var(ddof=1)) if len(part) > 1 else 0.0 for part in parts]
    return float(np.sqrt(np.mean(variances)))
