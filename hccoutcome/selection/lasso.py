"""Selection by penalised regression: elastic net, LASSO, LASSO-Cox. What has a coefficient is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hccoutcome.errors import InputError
from hccoutcome.evaluation.outcomes import is_survival
from hccoutcome.selection.base import Bools, Floats, Selector, checked_outcome, learn_scaling
from hccoutcome.selection.penalised import CoefficientPath, Criterion, PathSettings, Rule, penalised_path


class _Penalised(Selector):
    """Keep the columns with a coefficient at the penalty that cross-validation chooses.

    Attributes:
        path_: all coefficients with their cross-validation, for the figures.
        coefficients_: of the kept columns, for one standard deviation of each.
        raw_coefficients_: of the kept columns, for one unit of each.
        intercept_: for the raw coefficients; 0 for Cox models.
    """

    path_: CoefficientPath

    def _settings(self) -> tuple[PathSettings, ...]:
        raise NotImplementedError

    def _choose(self, frame: pd.DataFrame, y: Any) -> tuple[Bools, Floats]:
        outcome = checked_outcome(y, len(frame))
        paths = [penalised_path(frame, outcome, settings) for settings in self._settings()]
        self.path_ = min(paths, key=lambda path: path.loss[path.lowest])
        kept = self.path_.coefficients[:, self.path_.chosen]
        self._keep_coefficients(frame, kept)
        return kept != 0, _ranking(self.path_)

    def _keep_coefficients(self, frame: pd.DataFrame, kept: Floats) -> None:
        scaling = learn_scaling(frame.to_numpy(float))
        raw = kept / scaling.scale
        used = kept != 0
        self.coefficients_ = pd.Series(kept[used], index=frame.columns[used])
        self.raw_coefficients_ = pd.Series(raw[used], index=frame.columns[used])
        self.intercept_ = float(self.path_.intercepts[self.path_.chosen])
        if self.path_.family == "logistic":
            self.intercept_ -= float(raw @ scaling.centre)


def _ranking(path: CoefficientPath) -> Floats:
    """Return how early each column enters the path, then how large it becomes; NaN where it never enters."""
    inside = path.coefficients != 0
    entry = np.where(inside.any(axis=1), inside.argmax(axis=1), np.nan)
    size = np.abs(path.coefficients).max(axis=1)
    return -entry + size / (1 + size)


class ElasticNetSelector(_Penalised):
    """Elastic net: logistic for response, Cox for survival (Zou 2005).

    Args:
        mix: share of the absolute penalty (scikit-learn's ``l1_ratio``), or several, of which cross-validation takes
            the best.
        folds, penalties, criterion, rule: see ``PathSettings``.
        random_state: of the folds.
    """

    def __init__(
        self,
        mix: float | tuple[float, ...] = 0.5,
        folds: int = 10,
        penalties: int = 50,
        criterion: Criterion = "deviance",
        rule: Rule = "min",
        random_state: int = 0,
        at_least: int = 1,
    ) -> None:
        self.mix = mix
        self.folds = folds
        self.penalties = penalties
        self.criterion = criterion
        self.rule = rule
        self.random_state = random_state
        self.at_least = at_least

    def _settings(self) -> tuple[PathSettings, ...]:
        mixes = (self.mix,) if isinstance(self.mix, int | float) else tuple(self.mix)
        return tuple(
            PathSettings(mix, self.penalties, self.folds, self.criterion, self.rule, self.random_state) for mix in mixes
        )


class LassoSelector(_Penalised):
    """LASSO (Tibshirani 1996): logistic for response, with 10-fold cross-validation.

    Args:
        folds, penalties, criterion, rule: see ``PathSettings``.
        random_state: of the folds.
    """

    def __init__(
        self,
        folds: int = 10,
        penalties: int = 50,
        criterion: Criterion = "deviance",
        rule: Rule = "min",
        random_state: int = 0,
        at_least: int = 1,
    ) -> None:
        self.folds = folds
        self.penalties = penalties
        self.criterion = criterion
        self.rule = rule
        self.random_state = random_state
        self.at_least = at_least

    def _settings(self) -> tuple[PathSettings, ...]:
        return (PathSettings(1.0, self.penalties, self.folds, self.criterion, self.rule, self.random_state),)


class LassoCoxSelector(LassoSelector):
    """LASSO for the Cox model (Tibshirani 1997), with 10-fold cross-validation of the partial likelihood."""

    def _choose(self, frame: pd.DataFrame, y: Any) -> tuple[Bools, Floats]:
        if not is_survival(y):
            raise InputError(
                "LASSO-Cox needs survival (events and times), found something else: give that, or use LASSO."
            )
        return super()._choose(frame, y)
