"""The classifiers among which PRIME-R chooses, with the paper's grids (Supplementary Method, "Base Models").

Grids over the number of estimators need one fit only: both ensembles draw their members one after the other, so the
smaller ensembles are the beginnings of the largest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

ESTIMATORS = (30, 50, 70)
DEPTHS = (3, 5, 7)
SPLITS = (2, 5, 10)
TREES_OF_A_FOREST = 10
"""Trees of each forest that AdaBoost boosts."""
FIXED_ESTIMATORS = 50
SUBSAMPLE = 0.8
FEWEST_OF_A_CLASS = 10
"""Stacking divides a training part into five once more."""


@dataclass(frozen=True, order=True)
class Configuration:
    """One classifier with the parameters that its grid varies; 0 where it has no grid."""

    candidate: str
    n_estimators: int = 0
    max_depth: int = 0
    min_samples_split: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as JSON data."""
        grid = {
            "n_estimators": self.n_estimators,
            "max_depth": self.max_depth,
            "min_samples_split": self.min_samples_split,
        }
        return {"candidate": self.candidate, **{name: value for name, value in grid.items() if value}}


def _bagging(_: Configuration, seed: int) -> Any:
    return BaggingClassifier(DecisionTreeClassifier(), n_estimators=FIXED_ESTIMATORS, random_state=seed)


def _boosted_forests(configuration: Configuration, seed: int) -> Any:
    forest = RandomForestClassifier(
        TREES_OF_A_FOREST,
        max_depth=configuration.max_depth,
        min_samples_split=configuration.min_samples_split,
    )
    return AdaBoostClassifier(forest, n_estimators=configuration.n_estimators, random_state=seed)


def _stacking(_: Configuration, seed: int) -> Any:
    """A linear machine: one with a kernel would carry patients' rows, its support vectors, into the package."""
    members = [
        ("logistic", LogisticRegression(solver="newton-cholesky")),
        ("tree", DecisionTreeClassifier(random_state=seed)),
        ("svm", LinearSVC(random_state=seed, max_iter=100_000)),
    ]
    return StackingClassifier(members, LogisticRegression(solver="newton-cholesky"), cv=5)


def _rotation_forest(configuration: Configuration, seed: int) -> Any:
    """The paper implements its "rotation forest" as a random forest."""
    return RandomForestClassifier(
        configuration.n_estimators,
        max_depth=configuration.max_depth,
        min_samples_split=configuration.min_samples_split,
        random_state=seed,
    )


def _gradient_boosting(_: Configuration, seed: int) -> Any:
    return GradientBoostingClassifier(n_estimators=FIXED_ESTIMATORS, subsample=SUBSAMPLE, random_state=seed)


_MAKE: Mapping[str, Callable[[Configuration, int], Any]] = MappingProxyType(
    {
        "rotation-forest": _rotation_forest,
        "bagging": _bagging,
        "adaboost-forest": _boosted_forests,
        "stacking": _stacking,
        "gradient-boosting": _gradient_boosting,
    }
)
_WITH_GRID = ("rotation-forest", "adaboost-forest")
CANDIDATES = tuple(_MAKE)
"""The five candidates by name; of equally good ones the first is taken."""


def configurations(candidate: str) -> tuple[Configuration, ...]:
    """Return every configuration of a candidate, the paper's grid where it has one."""
    if candidate not in _WITH_GRID:
        return (Configuration(candidate),)
    return tuple(Configuration(candidate, *values) for values in product(ESTIMATORS, DEPTHS, SPLITS))


def fitted(configuration: Configuration, values: np.ndarray, response: np.ndarray, seed: int) -> Any:
    """Return a configuration fitted on values of shape (patients, columns), without the state of its random numbers."""
    model = _MAKE[configuration.candidate](configuration, seed).fit(values, response)
    if isinstance(model, GradientBoostingClassifier):
        # Neither is needed for predicting, and both hold the state of a generator.
        del model._rng
        for tree in model.estimators_.ravel():
            tree.random_state = None
    return model


def held_out_probabilities(
    candidate: str, values: np.ndarray, response: np.ndarray, held_out: np.ndarray, seed: int
) -> dict[Configuration, np.ndarray]:
    """Return the probability of response of held-out patients, by each configuration of a candidate.

    Args:
        candidate: its name.
        values: of the training patients, shape (patients, columns).
        response: of the training patients, booleans of shape (patients,).
        held_out: values of the others, shape (others, columns).
        seed: of the classifier.
    """
    found = {}
    for configuration in configurations(candidate):
        if configuration.n_estimators in (0, max(ESTIMATORS)):
            model = fitted(configuration, values, response, seed)
            found.update(_by_size(configuration, model, held_out))
    return {configuration: found[configuration] for configuration in configurations(candidate)}


def _by_size(configuration: Configuration, model: Any, held_out: np.ndarray) -> dict[Configuration, np.ndarray]:
    """Return the probabilities of the fitted ensemble and of its beginnings."""
    if configuration.candidate not in _WITH_GRID:
        return {configuration: model.predict_proba(held_out)[:, 1]}
    sizes = {
        size: Configuration(configuration.candidate, size, configuration.max_depth, configuration.min_samples_split)
        for size in ESTIMATORS
    }
    if configuration.candidate == "adaboost-forest":
        # Boosting may end early, where its members leave nothing to improve.
        stages = list(model.staged_predict_proba(held_out))
        return {sizes[size]: stages[min(size, len(stages)) - 1][:, 1] for size in ESTIMATORS}
    each = np.array([tree.predict_proba(held_out)[:, 1] for tree in model.estimators_])
    return {sizes[size]: each[:size].mean(axis=0) for size in ESTIMATORS}
