"""A test for leaks: where outcomes are dealt out at random, an honest cross-validation finds nothing.

Ten times as many columns as patients make any step that looks at held-out patients (selection, scaling, imputation,
tuning outside the folds) show itself as an AUC or C far from 0.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from hccoutcome.errors import InputError
from hccoutcome.evaluation.crossvalidated import cross_validated
from hccoutcome.evaluation.crossvalidation import check_table, derive_seed, out_of_fold
from hccoutcome.evaluation.estimate import Estimate, quantile_of

COLUMNS_PER_PATIENT = 10
TOO_GOOD = 0.95
"""An AUC or C-index from here on is a leak until proven otherwise."""


@dataclass(frozen=True)
class LeakCheck:
    """What a cross-validation finds where there is nothing.

    Attributes:
        figure: mean AUC or C over the permutations, with the t interval of a mean.
        figures: of each permutation.
        patients, columns: size of the table.
    """

    figure: Estimate
    figures: tuple[float, ...]
    patients: int
    columns: int

    @property
    def clean(self) -> bool:
        """Whether the interval holds 0.5; an honest system fails as often as the level leaves open."""
        return self.figure.contains(0.5)


def check_leaks(
    estimator: BaseEstimator,
    X: pd.DataFrame,  # noqa: N803
    y: Any,
    *,
    seed: int,
    permutations: int = 5,
    folds: int = 5,
    level: float = 0.99,
) -> LeakCheck:
    """Cross-validate an estimator on permuted outcomes and ten times as many columns as patients.

    One cross-validation does not do: with so many columns its figure varies more than its patients explain.
    Permutations with noise of their own are independent, and their spread says how far from 0.5 chance leads.

    Args:
        estimator: the whole system, with its selection, imputation and tuning.
        X: a row for each patient; columns of noise are added to it.
        y: booleans, or a structured array (event, time); events and times stay together.
        seed: of the permutations, the noise, the folds and the estimator.
        permutations: at least 2.
        folds: of the cross-validation.
        level: confidence level. With 0.95 one honest system in twenty would fail.

    Raises:
        InputError: fewer than 2 permutations, or as ``out_of_fold``.
    """
    if permutations < 2:
        raise InputError(f"A leak test needs at least 2 permutations, found {permutations}: 5 is usual.")
    figures = []
    for number in range(permutations):
        own = derive_seed(seed, number)
        found = out_of_fold(estimator, widened(X, seed=own), permuted(y, seed=own), folds=folds, seed=own)
        figures.append(cross_validated(found).value)
    mean, error = float(np.mean(figures)), float(np.std(figures, ddof=1)) / math.sqrt(permutations)
    reach = quantile_of(level, permutations - 1) * error
    figure = Estimate(mean, mean - reach, mean + reach, level, f"t, mean of {permutations} permutations")
    return LeakCheck(figure, tuple(figures), *widened(X, seed=seed).shape)


def permuted(y: Any, *, seed: int) -> NDArray[Any]:
    """Return the outcomes dealt out at random."""
    outcome = np.asarray(y)
    return outcome[np.random.default_rng(derive_seed(seed, 0)).permutation(len(outcome))]


def widened(X: pd.DataFrame, *, seed: int, columns_per_patient: int = COLUMNS_PER_PATIENT) -> pd.DataFrame:  # noqa: N803
    """Return a table with columns of noise added, named as radiomic features, until it has so many for each patient.

    Raises:
        InputError: the table is empty, or has a case twice.
    """
    check_table(X, np.zeros(len(X)))
    if not len(X):
        raise InputError("A leak test needs patients, found an empty table: give the training table.")
    lacking = max(columns_per_patient * len(X) - X.shape[1], 0)
    noise = np.random.default_rng(derive_seed(seed, 1)).normal(size=(len(X), lacking))
    names = [f"arterial_tumor_original_firstorder_Noise{place:05}" for place in range(lacking)]
    return pd.concat([X, pd.DataFrame(noise, X.index, names)], axis=1)
