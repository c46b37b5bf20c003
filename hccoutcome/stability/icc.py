"""Intraclass correlation of all features at once, in closed form from the mean squares.

Six forms (Shrout and Fleiss 1979), named by model and unit: ``1,1`` raters differ from subject to subject; ``2,1`` the
same raters, a random sample of raters, absolute agreement; ``3,1`` these raters and no others, consistency; ``1,k``,
``2,k`` and ``3,k`` the same for the mean of all k ratings. Confidence limits after McGraw and Wong 1996 (their ICC(A,1)
is 2,1 and ICC(C,1) is 3,1). F and p test that the ICC is 0.

Missing ratings: each feature is computed on the subjects that have all its ratings, and the result says how many. Where
an ICC is not defined it is NaN and the result says why. A negative ICC is reported as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hccoutcome.errors import InputError, nearest

Floats = NDArray[np.float64]

MODELS = ("1,1", "2,1", "3,1", "1,k", "2,k", "3,k")

_ROUNDING = 16 * np.finfo(np.float64).eps
"""Differences below this part of a feature's largest value are rounding, not variation."""


@dataclass(frozen=True)
class MeanSquares:
    """Two-way analysis of variance of each feature; arrays of shape (features,).

    Each feature is measured in units of its own largest deviation from the mean, which no ICC depends on and which
    keeps squares of any feature inside the range of numbers.

    Attributes:
        subjects: subjects with all ratings.
        raters: number of raters, the same for all features.
        between: mean square between subjects (MSB).
        within: within subjects (MSW).
        judges: between raters (MSJ).
        error: residual (MSE).
        reasons: why a feature has no analysis, empty text where it has one.
    """

    subjects: NDArray[np.int64]
    raters: int
    between: Floats
    within: Floats
    judges: Floats
    error: Floats
    reasons: NDArray[np.str_]


@dataclass(frozen=True)
class Icc:
    """One form of the ICC for each feature; arrays of shape (features,), NaN where not defined.

    Attributes:
        model: one of ``MODELS``.
        confidence: level of the limits.
        icc: the estimate.
        lower, upper: its confidence limits.
        f, df1, df2, p: F test of ICC = 0.
        subjects: subjects with all ratings, on which the feature was computed.
        raters: number of raters.
        reasons: why a feature has no ICC, empty text where it has one.
    """

    model: str
    confidence: float
    icc: Floats
    lower: Floats
    upper: Floats
    f: Floats
    df1: Floats
    df2: Floats
    p: Floats
    subjects: NDArray[np.int64]
    raters: int
    reasons: NDArray[np.str_]


def intraclass_correlation(ratings: Floats, model: str = "2,1", confidence: float = 0.95) -> Icc:
    """Return one form of the ICC of every feature.

    Args:
        ratings: shape (subjects, raters, features), or (subjects, raters) for one feature; what is not finite counts
            as missing.
        model: one of ``MODELS``.
        confidence: level of the limits.

    Raises:
        InputError: fewer than two subjects or raters, an unknown form, a level outside 0 to 1.
    """
    return all_forms(ratings, (model,), confidence)[model]


def all_forms(ratings: Floats, models: tuple[str, ...] = MODELS, confidence: float = 0.95) -> Mapping[str, Icc]:
    """Return several forms of the ICC of every feature, by name; see ``intraclass_correlation``."""
    for model in models:
        if model not in MODELS:
            raise InputError(f"An ICC is one of {'; '.join(MODELS)}, found '{model}': {nearest(model, MODELS)}.")
    if not 0 < confidence < 1:
        raise InputError(f"A confidence level lies between 0 and 1, found {confidence:g}: 0.95 is usual.")
    squares = mean_squares(ratings)
    return {model: _form(squares, model, confidence) for model in models}


def mean_squares(ratings: Floats) -> MeanSquares:
    """Return the analysis of variance of every feature; see ``intraclass_correlation`` for the ratings.

    Raises:
        InputError: fewer than two subjects or raters.
    """
    values = _checked(ratings)
    complete: NDArray[np.bool_] = np.asarray(np.isfinite(values).all(axis=1))
    count = complete.sum(axis=0)
    k = values.shape[1]
    n = np.maximum(count, 2)  # a feature with fewer subjects is masked by its reason
    deviations, rounding, reasons = _deviations(values, complete, count)
    subject_means = deviations.mean(axis=1)
    rater_means = deviations.sum(axis=0) / n
    residuals = deviations - subject_means[:, None] - rater_means[None]
    residuals *= complete[:, None]
    between = k * np.einsum("sf,sf->f", subject_means, subject_means) / (n - 1)
    judges = n * np.einsum("kf,kf->f", rater_means, rater_means) / (k - 1)
    error = np.einsum("skf,skf->f", residuals, residuals) / ((n - 1) * (k - 1))
    parts = [np.where(part < rounding**2, 0.0, part) for part in (between, judges, error)]
    between, judges, error = parts
    within = ((k - 1) * judges + (n - 1) * (k - 1) * error) / (n * (k - 1))
    return MeanSquares(count, k, between, within, judges, error, reasons)


def _checked(ratings: Floats) -> Floats:
    values = np.asarray(ratings, np.float64)
    values = values[:, :, None] if values.ndim == 2 else values
    if values.ndim != 3 or min(values.shape[:2]) < 2:
        raise InputError(
            "An ICC needs at least 2 subjects by at least 2 raters, shape (subjects, raters, features), found "
            f"{values.shape}: add subjects or raters."
        )
    return values


def _deviations(
    values: Floats, complete: NDArray[np.bool_], count: NDArray[np.int64]
) -> tuple[Floats, Floats, NDArray[np.str_]]:
    """Return deviations from each feature's mean (0 for subjects left out), in units of the largest one.

    Also returns the size of rounding in these units, and the reasons why features cannot be analysed.
    """
    kept = np.where(complete[:, None], values, 0.0)
    size = np.abs(kept).max(axis=(0, 1))
    scaled = kept / np.where(size > 0, size, 1.0)
    centre = scaled.sum(axis=(0, 1)) / (np.maximum(count, 1) * values.shape[1])
    deviations = (scaled - centre) * complete[:, None]
    spread = np.abs(deviations).max(axis=(0, 1))
    constant = spread <= _ROUNDING
    too_few = count < 2
    unit = np.where(constant, 1.0, spread)
    reasons = np.full(size.shape, "", "U80")
    reasons[constant] = "all ratings are equal"
    reasons[too_few] = [f"{found} subjects have all ratings, 2 are needed" for found in count[too_few]]
    return deviations / unit, _ROUNDING / unit, reasons


def _form(squares: MeanSquares, model: str, confidence: float) -> Icc:
    """Return one form of the ICC with its limits and test."""
    family, unit = model.split(",")
    noise = squares.within if family == "1" else squares.error
    n, k = np.maximum(squares.subjects, 2).astype(np.float64), squares.raters
    df1 = n - 1
    df2 = n * (k - 1) if family == "1" else (n - 1) * (k - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = _estimate(squares, noise, n, family, unit)
        if family == "2":
            single = _estimate(squares, noise, n, "2", "1")
            lower, upper = _limits_of_agreement(squares, single, n, confidence)
            if unit == "k":
                lower, upper = _of_the_mean(lower, k), _of_the_mean(upper, k)
        else:
            lower, upper = _limits(squares.between, noise, df1, df2, k if unit == "1" else 1, confidence, unit)
        f = squares.between / noise
    p = special.fdtrc(df1, df2, f)
    reasons = _reasons(squares, estimate, f)
    defined = reasons == ""
    lower, upper = (np.where(np.isfinite(limit), limit, np.nan) for limit in (lower, upper))
    parts = (estimate, lower, upper, f, df1, df2, p)
    estimate, lower, upper, f, df1, df2, p = (np.where(defined, part, np.nan) for part in parts)
    return Icc(model, confidence, estimate, lower, upper, f, df1, df2, p, squares.subjects, k, reasons)


def _estimate(squares: MeanSquares, noise: Floats, n: Floats, family: str, unit: str) -> Floats:
    """Return the estimate (Shrout and Fleiss 1979, table 3 and below); an average of undefined variance is NaN."""
    k = squares.raters
    raters = (squares.judges - squares.error) / n if family == "2" else 0.0
    if unit == "1":
        return (squares.between - noise) / (squares.between + (k - 1) * noise + k * raters)
    variance = squares.between + raters
    return np.where(variance > 0, (squares.between - noise) / variance, np.nan)


def _limits(
    between: Floats, noise: Floats, df1: Floats, df2: Floats, k: int, confidence: float, unit: str
) -> tuple[Floats, Floats]:
    """Return the limits of the forms 1 and 3, which are functions of F alone (Shrout and Fleiss 1979)."""
    upper_tail = 1 - (1 - confidence) / 2
    wide = special.fdtri(df1, df2, upper_tail) * noise
    narrow = noise / special.fdtri(df2, df1, upper_tail)
    if unit == "k":
        return (between - wide) / between, (between - narrow) / between
    return (between - wide) / (between + (k - 1) * wide), (between - narrow) / (between + (k - 1) * narrow)


def _limits_of_agreement(squares: MeanSquares, icc: Floats, n: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Return the limits of ICC(2,1), with Satterthwaite's degrees of freedom (McGraw and Wong 1996, table 7)."""
    k = squares.raters
    a = k * icc * squares.judges
    b = (n * (1 + (k - 1) * icc) - k * icc) * squares.error
    df = (n - 1) * (k - 1) * (a + b) ** 2 / ((n - 1) * a**2 + b**2)
    df = np.where(np.isfinite(df) & (df > 0), df, 1.0)  # only where raters and error leave nothing: any value serves
    upper_tail = 1 - (1 - confidence) / 2
    high, low = special.fdtri(n - 1, df, upper_tail), special.fdtri(df, n - 1, upper_tail)
    rest = k * squares.judges + (k * n - k - n) * squares.error
    lower = n * (squares.between - high * squares.error) / (high * rest + n * squares.between)
    upper = n * (low * squares.between - squares.error) / (rest + n * (low * squares.between))
    return lower, upper


def _of_the_mean(single: Floats, k: int) -> Floats:
    """Return the ICC of the mean of k ratings by Spearman and Brown; NaN where it has no finite value."""
    return np.where(single > -1 / (k - 1), k * single / (1 + (k - 1) * single), np.nan)


def _reasons(squares: MeanSquares, estimate: Floats, f: Floats) -> NDArray[np.str_]:
    reasons = squares.reasons.copy()
    undefined = (reasons == "") & ~(np.isfinite(estimate) & ~np.isnan(f))
    no_signal = undefined & (squares.between == 0)
    reasons[no_signal] = "the subjects do not differ"
    reasons[undefined & ~no_signal] = "the variance of the mean rating is not positive"
    return reasons
