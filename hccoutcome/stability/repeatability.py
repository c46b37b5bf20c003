"""Repeatability of measurements: coefficient of variation, Bland-Altman, repeatability coefficient, concordance.

All functions take all features at once and leave out what is not finite. What is not defined is NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hccoutcome.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Variation:
    """Coefficient of variation of each feature; arrays of shape (features,).

    Attributes:
        cv: within-subject coefficient of variation as a fraction (0.15 is 15%), NaN where not defined.
        subjects: subjects with at least two repeats.
        reasons: why a feature has none, empty text where it has one.
    """

    cv: Floats
    subjects: NDArray[np.int64]
    reasons: NDArray[np.str_]


@dataclass(frozen=True)
class Repeatability:
    """Within-subject deviation and repeatability coefficient of each feature; arrays of shape (features,).

    Attributes:
        deviation: within-subject standard deviation, in the feature's unit.
        coefficient: difference that 95% of pairs of repeats stay below (1.96 sqrt(2) deviation).
        lower, upper: confidence limits of the coefficient.
        df: degrees of freedom.
    """

    deviation: Floats
    coefficient: Floats
    lower: Floats
    upper: Floats
    df: NDArray[np.int64]


@dataclass(frozen=True)
class BlandAltman:
    """Agreement of two measurements of each feature; arrays of shape (features,), in the feature's unit.

    Attributes:
        pairs: subjects with both measurements.
        bias: mean of first minus second, with its confidence limits ``bias_limits`` (2, features).
        deviation: standard deviation of the differences.
        lower, upper: limits of agreement (bias -+ 1.96 deviations).
        lower_limits, upper_limits: confidence limits of each, shape (2, features).
    """

    pairs: NDArray[np.int64]
    bias: Floats
    bias_limits: Floats
    deviation: Floats
    lower: Floats
    upper: Floats
    lower_limits: Floats
    upper_limits: Floats


@dataclass(frozen=True)
class Concordance:
    """Lin's concordance correlation of each feature; arrays of shape (features,).

    Attributes:
        pairs: subjects with both measurements.
        ccc: the coefficient, NaN where neither measurement varies.
        lower, upper: confidence limits by Fisher's transformation.
        pearson: correlation (precision).
        bias_correction: Cb (accuracy); ccc is pearson times it.
    """

    pairs: NDArray[np.int64]
    ccc: Floats
    lower: Floats
    upper: Floats
    pearson: Floats
    bias_correction: Floats


def coefficient_of_variation(repeats: Floats) -> Variation:
    """Return the within-subject coefficient of variation: root mean square of the subjects' own coefficients.

    A subject's own coefficient is the standard deviation of its repeats by their absolute mean; identical repeats have
    0, whatever their mean. Each subject counts with the repeats that it has, two at least.

    Args:
        repeats: shape (subjects, repeats, features).

    Raises:
        InputError: fewer than two repeats.

    References:
        Bland JM, Altman DG. Measurement error proportional to the mean. BMJ 1996;313:106.
    """
    values = _checked(repeats)
    size = np.abs(np.where(np.isfinite(values), values, 0.0)).max(axis=(0, 1))
    scaled = values / np.where(size > 0, size, 1.0)
    mean, deviation, count = _moments(scaled)
    identical = deviation <= 16 * np.finfo(float).eps * np.abs(mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(identical, 0.0, deviation / np.abs(mean))
    used = count >= 2
    subjects = used.sum(axis=0)
    cv = np.sqrt((np.where(used, own, 0.0) ** 2).sum(axis=0) / np.maximum(subjects, 1))
    reasons = np.where(np.isfinite(cv), "", "the repeats of a subject have mean 0").astype("U80")
    reasons[subjects == 0] = "no subject has 2 repeats"
    return Variation(np.where(reasons == "", cv, np.nan), subjects, reasons)


def repeatability(repeats: Floats, confidence: float = 0.95) -> Repeatability:
    """Return the within-subject deviation and the repeatability coefficient, with limits by the chi-squared law.

    Args:
        repeats: shape (subjects, repeats, features).
        confidence: level of the limits.

    Raises:
        InputError: fewer than two repeats.

    References:
        Bland JM, Altman DG. Measuring agreement in method comparison studies. Stat Methods Med Res 1999;8:135, 3.
    """
    _, deviation, count = _moments(_checked(repeats))
    freedom = np.where(count >= 2, count - 1, 0)
    df = freedom.sum(axis=0)
    squares = np.where(count >= 2, deviation**2, 0.0) * freedom
    with np.errstate(divide="ignore", invalid="ignore"):
        within = np.sqrt(squares.sum(axis=0) / df)
        tail = (1 - confidence) / 2
        # chdtri takes the upper tail.
        low, high = (within * np.sqrt(df / special.chdtri(df, part)) for part in (tail, 1 - tail))
    factor = special.ndtri(0.975) * math.sqrt(2)
    return Repeatability(within, factor * within, factor * low, factor * high, df)


def bland_altman(first: Floats, second: Floats, confidence: float = 0.95) -> BlandAltman:
    """Return bias and limits of agreement of two measurements of the same subjects.

    Args:
        first, second: shape (subjects, features).
        confidence: level of the confidence limits.

    Raises:
        InputError: the shapes differ or there is one subject.

    References:
        Bland JM, Altman DG. Measuring agreement in method comparison studies. Stat Methods Med Res 1999;8:135, 2.1.
    """
    first, second = _pairs(first, second)
    difference = first - second
    bias, deviation, n = (part[0] for part in _moments(difference[None]))
    z = special.ndtri(0.975)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = special.stdtrit(n - 1.0, 1 - (1 - confidence) / 2)
        of_bias = t * deviation / np.sqrt(n)
        of_limit = t * deviation * np.sqrt(1 / n + z**2 / (2 * (n - 1)))
    lower, upper = bias - z * deviation, bias + z * deviation
    return BlandAltman(
        n, bias, _around(bias, of_bias), deviation, lower, upper, _around(lower, of_limit), _around(upper, of_limit)
    )


def concordance(first: Floats, second: Floats, confidence: float = 0.95) -> Concordance:
    """Return Lin's concordance correlation coefficient of two measurements of the same subjects.

    Args:
        first, second: shape (subjects, features).
        confidence: level of the limits; they need four pairs and exist where |ccc| < 1.

    Raises:
        InputError: the shapes differ or there is one subject.

    References:
        Lin LI. A concordance correlation coefficient to evaluate reproducibility. Biometrics 1989;45:255; with the
        variance as corrected in Biometrics 2000;56:324.
    """
    first, second = _pairs(first, second)
    n = np.isfinite(first).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean1, mean2 = (np.nansum(part, axis=0) / n for part in (first, second))
        var1, var2 = (np.nansum((part - mean) ** 2, axis=0) / n for part, mean in ((first, mean1), (second, mean2)))
        covariance = np.nansum((first - mean1) * (second - mean2), axis=0) / n
        ccc = 2 * covariance / (var1 + var2 + (mean1 - mean2) ** 2)
        r = covariance / np.sqrt(var1 * var2)
        u2 = (mean1 - mean2) ** 2 / np.sqrt(var1 * var2)
        variance = _variance_of_z(ccc, r, u2, n)
        reach = special.ndtri(1 - (1 - confidence) / 2) * np.sqrt(variance)
        lower, upper = np.tanh(np.arctanh(ccc) - reach), np.tanh(np.arctanh(ccc) + reach)
        accuracy = ccc / r
    return Concordance(n, ccc, lower, upper, r, accuracy)


def _variance_of_z(ccc: Floats, r: Floats, u2: Floats, n: NDArray[np.int64]) -> Floats:
    """Return the variance of Fisher's z of the coefficient."""
    rest = 1 - ccc**2
    variance = (
        (1 - r**2) * ccc**2 / (rest * r**2)
        + 2 * ccc**3 * (1 - ccc) * u2 / (r * rest**2)
        - ccc**4 * u2**2 / (2 * r**2 * rest**2)
    ) / (n - 2)
    return np.where(n >= 4, variance, np.nan)


def _around(centre: Floats, reach: Floats) -> Floats:
    return np.stack([centre - reach, centre + reach])


def _moments(values: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return mean, sample deviation and number of the finite values along axis 1; NaN where there are too few."""
    finite = np.isfinite(values)
    count = finite.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(finite, values, 0.0).sum(axis=1) / count
        deviations = np.where(finite, values - mean[:, None], 0.0)
        deviation = np.sqrt((deviations**2).sum(axis=1) / (count - 1))
    return mean, np.where(count >= 2, deviation, np.nan), count


def _checked(repeats: Floats) -> Floats:
    values = np.asarray(repeats, np.float64)
    if values.ndim != 3 or values.shape[0] < 1 or values.shape[1] < 2:
        raise InputError(
            "Repeatability needs at least 2 repeats of each subject as an array (subjects, repeats, features), found "
            f"shape {values.shape}: repeat the measurement."
        )
    return values


def _pairs(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Return both measurements with NaN where either is not finite."""
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.shape != second.shape or first.ndim != 2 or len(first) < 2:
        raise InputError(
            "Two measurements are compared over the same 2 or more subjects as arrays (subjects, features), found "
            f"shapes {first.shape} and {second.shape}: give both for each subject."
        )
    both = np.isfinite(first) & np.isfinite(second)
    return np.where(both, first, np.nan), np.where(both, second, np.nan)
