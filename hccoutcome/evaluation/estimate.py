"""A measured figure with its interval, which is the only form in which this room reports one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from hccoutcome.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Estimate:
    """A figure and its confidence interval.

    Attributes:
        value: the figure.
        lower, upper: limits of the interval.
        level: confidence level, 0.95 for a 95% interval.
        method: how the interval was found, in words.
    """

    value: float
    lower: float
    upper: float
    level: float
    method: str

    def __str__(self) -> str:
        return f"{self.value:.3f} ({100 * self.level:g}% CI {self.lower:.3f} to {self.upper:.3f})"

    def contains(self, value: float) -> bool:
        """Return whether the interval holds a value."""
        return self.lower <= value <= self.upper


@dataclass(frozen=True)
class Comparison:
    """A difference of two figures (first minus second) with its interval and test.

    Attributes:
        first, second: the figures.
        difference: first minus second, with its interval.
        statistic: z, or t where ``df`` is finite; NaN where the difference has no variance although it is not 0.
        df: degrees of freedom of t, infinite for z.
        p: two-sided p value.
        test: the test's name.
    """

    first: float
    second: float
    difference: Estimate
    statistic: float
    df: float
    p: float
    test: str


def quantile_of(level: float, df: float = math.inf) -> float:
    """Return the two-sided quantile of the normal (or t) distribution for a confidence level.

    Raises:
        InputError: the level does not lie between 0 and 1.
    """
    upper = tails(level)[1]
    return float(stats.norm.ppf(upper) if math.isinf(df) else stats.t.ppf(upper, df))


def tails(level: float) -> tuple[float, float]:
    """Return the two quantiles that enclose the middle part ``level`` of a distribution.

    Raises:
        InputError: the level does not lie between 0 and 1.
    """
    if not 0 < level < 1:
        raise InputError(f"A confidence level lies between 0 and 1, found {level:g}: 0.95 gives 95% intervals.")
    return (1 - level) / 2, (1 + level) / 2


def normal_interval(
    value: float,
    error: float,
    level: float,
    method: str,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    """Return value +- quantile x standard error, cut off at ``bounds``."""
    reach = quantile_of(level) * error
    return Estimate(value, max(bounds[0], value - reach), min(bounds[1], value + reach), level, method)


def logit_interval(value: float, error: float, level: float, method: str, df: float = math.inf) -> Estimate:
    """Return the interval of a figure between 0 and 1 on the logit scale, where it cannot leave them (delta method)."""
    reach = quantile_of(level, df) * error / (value * (1 - value))
    centre = math.log(value / (1 - value))
    lower, upper = (1 / (1 + math.exp(-(centre + sign * reach))) for sign in (-1, 1))
    return Estimate(value, lower, upper, level, method)


def wald(first: float, second: float, error: float, level: float, test: str, df: float = math.inf) -> Comparison:
    """Compare two figures by their difference and its standard error.

    Equal figures without variance have p = 1; different ones without variance have no p (NaN): no test is defined.
    """
    difference = first - second
    reach = quantile_of(level, df) * error
    interval = Estimate(difference, difference - reach, difference + reach, level, test)
    if error > 0:
        statistic = difference / error
        p = 2 * float(stats.norm.sf(abs(statistic)) if math.isinf(df) else stats.t.sf(abs(statistic), df))
    else:
        statistic, p = (0.0, 1.0) if difference == 0 else (math.nan, math.nan)
    return Comparison(first, second, interval, statistic, df, p, test)
