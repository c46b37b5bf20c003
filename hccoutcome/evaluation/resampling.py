"""Intervals by bootstrap, internal validation by optimism and .632+, and the permutation test of a whole pipeline.

Optimism: Harrell, Lee and Mark, Stat Med 1996;15:361. .632+: Efron and Tibshirani, J Am Stat Assoc 1997;92:548, for AUC
and C as in Adler and Lausen, Comput Stat Data Anal 2009;53:718. Interval of a corrected figure: that of the apparent
one, moved by the optimism (Noma et al., Stat Med 2021;40:5691, "location-shifted").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.metrics import roc_auc_score
from sksurv.metrics import concordance_index_censored

from hccoutcome.errors import InputError
from hccoutcome.evaluation.classification import brier
from hccoutcome.evaluation.concordance import TIED, harrell
from hccoutcome.evaluation.crossvalidated import cross_validated
from hccoutcome.evaluation.crossvalidation import check_table, derive_seed, out_of_fold, predict, with_seed
from hccoutcome.evaluation.discrimination import auc
from hccoutcome.evaluation.estimate import Estimate, Floats, Integers, tails
from hccoutcome.evaluation.outcomes import check_binary, check_survival, is_survival

Statistic = Callable[[Integers], float]
"""A figure of the patients in these rows."""


@dataclass(frozen=True)
class Validation:
    """Internal validation of one figure by bootstrap.

    Attributes:
        name: ``auc``, ``brier`` or ``c_index``.
        apparent: on the patients that the model was fitted on, with the interval of such a figure.
        optimism: by how much models look better on their own bootstrap sample than on all patients, on average.
        corrected: apparent figure less the optimism, with the interval moved as much.
        out_of_bag: mean figure on the patients that a bootstrap sample left out.
        no_information: figure of predictions that have nothing to do with the outcome.
        weight: of ``out_of_bag`` in .632+, between 0.632 and 1.
        plus632: the .632+ figure.
        resamples: bootstrap samples that counted.
    """

    name: str
    apparent: Estimate
    optimism: float
    corrected: Estimate
    out_of_bag: float
    no_information: float
    weight: float
    plus632: float
    resamples: int


@dataclass(frozen=True)
class PermutationTest:
    """Cross-validated figure against those of the same pipeline on permuted outcomes.

    Attributes:
        observed: AUC or C with its interval.
        permuted: figures with permuted outcomes, shape (permutations,).
        p: (1 + permuted figures that reach the observed one) / (1 + permutations).
    """

    observed: Estimate
    permuted: Floats
    p: float


def bootstrap(
    statistic: Statistic,
    patients: int,
    *,
    seed: int,
    strata: ArrayLike | None = None,
    resamples: int = 1000,
    method: Literal["percentile", "bca"] = "percentile",
    level: float = 0.95,
) -> Estimate:
    """Return a figure with its bootstrap interval over the patients.

    Args:
        statistic: function of row numbers (with repetitions) that returns the figure.
        patients: number of rows.
        seed: of the resampling.
        strata: rows are drawn within each value, e.g. the outcome, so that no sample lacks a class.
        resamples: number of samples.
        method: ``percentile``, or ``bca`` (Efron, J Am Stat Assoc 1987;82:171), which costs a figure more for each
            patient.
        level: confidence level.

    Raises:
        InputError: fewer than two patients, no samples, or a figure that is not finite in a sample.
    """
    if patients < 2 or resamples < 1:
        raise InputError(f"A bootstrap needs 2 patients and 1 sample, found {patients} and {resamples}.")
    rows = np.arange(patients)
    labels = np.zeros(patients) if strata is None else np.asarray(strata)
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    random = np.random.default_rng(seed)
    value = float(statistic(rows))
    drawn = np.array([statistic(_draw(groups, random)) for _ in range(resamples)], float)
    if not np.isfinite([value, *drawn]).all():
        raise InputError(
            f"The figure is not defined in {np.count_nonzero(~np.isfinite(drawn))} of {resamples} bootstrap samples: "
            "draw within the outcome's classes (strata), or evaluate more patients."
        )
    quantiles = tails(level)
    if method == "bca":
        left_out = np.array([statistic(np.delete(rows, row)) for row in rows], float)
        quantiles = _bca(value, drawn, left_out, quantiles)
    lower, upper = np.quantile(drawn, quantiles)
    return Estimate(value, float(lower), float(upper), level, f"bootstrap, {method}, {resamples} samples")


def bootstrap_validation(
    estimator: BaseEstimator,
    X: pd.DataFrame,  # noqa: N803
    y: Any,
    *,
    seed: int,
    resamples: int = 200,
    level: float = 0.95,
    n_jobs: int = 1,
) -> dict[str, Validation]:
    """Validate an estimator internally: everything that it learns is learned anew in each bootstrap sample.

    Args:
        estimator: with ``predict_proba`` for a response; ``predict`` (higher is worse) for survival.
        X: a row for each patient, index the case.
        y: booleans (AUC and Brier score), or a structured array (event, time) (Harrell's C).
        seed: of the samples and of the estimator.
        resamples: bootstrap samples, drawn within responders and others, or events and censored.
        level: confidence level.
        n_jobs: processes; the result does not depend on it.

    Raises:
        InputError: a class is missing, rows that do not match, a prediction that is not finite.
    """
    check_table(X, y)
    outcome: NDArray[Any] = check_survival(y).structured if is_survival(y) else check_binary(y, least=2)
    strata = outcome["event"] if is_survival(outcome) else outcome
    groups = [np.flatnonzero(strata == label) for label in np.unique(strata)]
    known = predict(with_seed(estimator, derive_seed(seed)).fit(X, outcome), X)
    samples = [_draw(groups, np.random.default_rng(derive_seed(seed, number))) for number in range(resamples)]
    predicted = Parallel(n_jobs=n_jobs)(
        delayed(_one_sample)(estimator, X, outcome, rows, derive_seed(seed, number))
        for number, rows in enumerate(samples)
    )
    drawn = list(zip(samples, predicted, strict=True))
    return {figure.name: _validation(figure, outcome, known, drawn, level) for figure in _figures(outcome)}


def permutation_test(
    estimator: BaseEstimator,
    X: pd.DataFrame,  # noqa: N803
    y: Any,
    *,
    permutations: int = 200,
    folds: int = 5,
    seed: int = 0,
    level: float = 0.95,
    n_jobs: int = 1,
) -> PermutationTest:
    """Test whether a whole pipeline predicts better than it does where outcomes are dealt out at random.

    Args:
        estimator, X, y, folds, seed, n_jobs: as in ``out_of_fold``.
        permutations: how often the outcomes are permuted; p is at least 1 / (1 + permutations).
        level: confidence level of the observed figure.

    Raises:
        InputError: as ``out_of_fold``, or no permutation.
    """
    if permutations < 1:
        raise InputError(f"A permutation test needs at least 1 permutation, found {permutations}: 200 is usual.")
    observed = cross_validated(out_of_fold(estimator, X, y, folds=folds, seed=seed, n_jobs=n_jobs), level)
    figures = Parallel(n_jobs=n_jobs)(
        delayed(_permuted)(estimator, X, y, folds, derive_seed(seed, 1, number)) for number in range(permutations)
    )
    reached = int(np.count_nonzero(np.asarray(figures) >= observed.value - 1e-12))
    return PermutationTest(observed, np.asarray(figures), (1 + reached) / (1 + permutations))


@dataclass(frozen=True)
class _Figure:
    """A figure to validate: its value, its apparent estimate, and its value without information."""

    name: str
    value: Callable[[NDArray[Any], Floats], float]
    estimate: Callable[[NDArray[Any], Floats, float], Estimate]
    no_information: Callable[[NDArray[Any], Floats], float]
    higher_is_better: bool


def _figures(outcome: NDArray[Any]) -> tuple[_Figure, ...]:
    if is_survival(outcome):
        return (_Figure("c_index", _c_index, harrell, lambda y, risk: 0.5, True),)
    return (
        _Figure("auc", lambda y, p: float(roc_auc_score(y, p)), auc, lambda y, p: 0.5, True),
        _Figure("brier", _brier, lambda y, p, level: brier(y, p, level).score, _brier_without_information, False),
    )


def _validation(
    figure: _Figure, y: NDArray[Any], known: Floats, drawn: list[tuple[Integers, Floats]], level: float
) -> Validation:
    apparent = figure.estimate(y, known, level)
    gains, left_out = [], []
    for rows, predictions in drawn:
        gains.append(figure.value(y[rows], predictions[rows]) - figure.value(y, predictions))
        others = np.setdiff1d(np.arange(len(y)), rows)
        if _defined(y[others]):
            left_out.append(figure.value(y[others], predictions[others]))
    if not left_out:
        raise InputError(
            f"No bootstrap sample of {len(y)} patients leaves out enough to measure on: use more patients."
        )
    optimism, out_of_bag = float(np.mean(gains)), float(np.mean(left_out))
    no_information = figure.no_information(y, known)
    weight, plus632 = _plus632(apparent.value, out_of_bag, no_information, figure.higher_is_better)
    lower, upper = (float(np.clip(limit - optimism, 0, 1)) for limit in (apparent.lower, apparent.upper))
    moved = Estimate(apparent.value - optimism, lower, upper, level, f"{apparent.method}, moved by the optimism")
    return Validation(
        figure.name, apparent, optimism, moved, out_of_bag, no_information, weight, plus632, len(left_out)
    )


def _plus632(apparent: float, out_of_bag: float, no_information: float, higher_is_better: bool) -> tuple[float, float]:
    """Return the weight of the out-of-bag figure and the .632+ figure (equations 28 to 32 of the paper, on errors)."""
    sign = -1 if higher_is_better else 1
    seen, unseen, chance = sign * apparent, sign * out_of_bag, sign * no_information
    unseen = min(unseen, chance)
    overfitting = (unseen - seen) / (chance - seen) if seen < unseen else 0.0
    weight = 0.632 / (1 - 0.368 * overfitting)
    return weight, sign * ((1 - weight) * seen + weight * unseen)


def _one_sample(
    estimator: BaseEstimator,
    X: pd.DataFrame,  # noqa: N803
    y: NDArray[Any],
    rows: Integers,
    seed: int,
) -> Floats:
    """Return the predictions for all patients of a model fitted on the sampled rows, shape (patients,)."""
    sample = X.iloc[rows].set_axis([f"{case} {place}" for place, case in enumerate(X.index[rows])])
    return predict(with_seed(estimator, seed).fit(sample, y[rows]), X)


def _permuted(estimator: BaseEstimator, X: pd.DataFrame, y: Any, folds: int, seed: int) -> float:  # noqa: N803
    dealt = np.asarray(y)[np.random.default_rng(seed).permutation(len(y))]
    return cross_validated(out_of_fold(estimator, X, dealt, folds=folds, seed=seed)).value


def _draw(groups: list[Integers], random: np.random.Generator) -> Integers:
    return np.concatenate([random.choice(group, len(group)) for group in groups])


def _bca(value: float, drawn: Floats, left_out: Floats, quantiles: tuple[float, float]) -> tuple[float, float]:
    """Return the quantiles of the samples that bias and acceleration move the limits to."""
    # Half of the ties count as below, so that a discrete figure has no bias of its own.
    below = ((drawn < value).sum() + 0.5 * (drawn == value).sum()) / len(drawn)
    bias = stats.norm.ppf(np.clip(below, 1 / (2 * len(drawn)), 1 - 1 / (2 * len(drawn))))
    centred = left_out.mean() - left_out
    spread = (centred**2).sum()
    acceleration = (centred**3).sum() / (6 * spread**1.5) if spread > 0 else 0.0
    moved = []
    for quantile in quantiles:
        reach = bias + stats.norm.ppf(quantile)
        moved.append(float(stats.norm.cdf(bias + reach / (1 - acceleration * reach))))
    return moved[0], moved[1]


def _defined(y: NDArray[Any]) -> bool:
    """Return whether a figure can be measured on these patients."""
    if not is_survival(y):
        return bool(y.any() and not y.all())
    event, time = y["event"], y["time"]
    return bool(event.any() and time[event].min() < time.max())


def _c_index(y: NDArray[Any], risk: Floats) -> float:
    return float(concordance_index_censored(y["event"], y["time"], risk, tied_tol=TIED)[0])


def _brier(y: NDArray[Any], probabilities: Floats) -> float:
    return float(((probabilities - y) ** 2).mean())


def _brier_without_information(y: NDArray[Any], probabilities: Floats) -> float:
    """Return the mean over all pairs of an outcome and another patient's probability."""
    prevalence = float(np.mean(y))
    return float(prevalence * ((1 - probabilities) ** 2).mean() + (1 - prevalence) * (probabilities**2).mean())
