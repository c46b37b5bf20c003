"""What every trainable system shares: a scikit-learn estimator whose fitted state is a ``LearnedModel``.

``fit`` of a system learns the model and stores it in ``model_``; predicting is the model's own arithmetic, so that the
package of a system gives the numbers of the system.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

from hccoutcome.errors import InputError, nearest
from hccoutcome.package.inputs import Column, columns_of_modality, learn_columns, table_matrix
from hccoutcome.package.learned import LearnedModel, Part
from hccoutcome.selection.filters import StabilityGate
from hccoutcome.stability.table import StabilityTable

MODALITIES = ("clinical", "imaging", "early", "late")
"""Clinical or imaging columns alone; early fusion: both in one model; late fusion: a model each, weighed together."""
SINGLE_MODEL_MODALITIES = MODALITIES[:3]


class LearnedEstimator(BaseEstimator):
    """Base of the trainable systems. Tables are DataFrames with one row a patient; missing values are filled in.

    Attributes of a fitted one:
        model_: the learned model.
        selected_features_: columns that the model reads.
    """

    model_: LearnedModel

    @property
    def selected_features_(self) -> tuple[str, ...]:
        """Columns that the fitted model reads."""
        return self.model_.names

    @property
    def columns_read_(self) -> tuple[str, ...]:
        """Columns that the fitted model reads; the others do not matter to it."""
        return self.model_.names

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _score(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803
        if not hasattr(self, "model_"):
            raise InputError(f"{type(self).__name__} was not fitted yet: call fit first.")
        return self.model_.predict_table(X)


class ResponseEstimator(ClassifierMixin, LearnedEstimator):
    """Base of the systems that give the probability of response."""

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803
        """Return the probabilities of no response and of response, shape (patients, 2)."""
        response = self._score(X)
        return np.column_stack([1 - response, response])

    def predict(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803
        """Return whether a response is at least as probable as none, shape (patients,)."""
        return self._score(X) >= 0.5


class SurvivalEstimator(LearnedEstimator):
    """Base of the systems that give a risk, higher for a shorter survival.

    Attributes of a fitted one, besides:
        cut_: risk from which a patient belongs to the high risk group, see ``half_below``.
    """

    def predict(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803
        """Return the risk, shape (patients,); only its order and differences mean something."""
        return self._score(X)

    def score(self, X: pd.DataFrame, y: np.ndarray) -> float:  # noqa: N803
        """Return Harrell's C-index."""
        return concordance(y, self.predict(X))

    def _learned(self, model: LearnedModel, table: pd.DataFrame) -> Self:
        """Keep a learned model and the border between its risk groups."""
        self.model_ = model
        self.cut_ = half_below(model.predict_table(table))
        return self


def half_below(risks: np.ndarray) -> float:
    """Return the smallest risk that at least half of the patients lie below: the median where all risks differ.

    Where many share the median risk they belong to the low risk group; where nobody has half below, it is just above
    the largest risk.
    """
    values, first = np.unique(np.sort(risks), return_index=True)
    above = values[2 * first >= len(risks)]
    return float(above[0]) if len(above) else float(np.nextafter(values[-1], np.inf))


def concordance(y: np.ndarray, risk: np.ndarray) -> float:
    """Return Harrell's C-index of a risk; 0.5 where no two patients can be compared.

    Args:
        y: structured array (event, time), shape (patients,).
        risk: higher is worse, shape (patients,).
    """
    from sksurv.exceptions import NoComparablePairException
    from sksurv.metrics import concordance_index_censored

    try:
        return float(concordance_index_censored(y["event"], y["time"], risk)[0])
    except NoComparablePairException:
        return 0.5


def response_of(y: Any, least: int = 10) -> np.ndarray:
    """Return a response as booleans, shape (patients,).

    Raises:
        InputError: not one yes or no a patient, or fewer than ``least`` patients of one kind.
    """
    found = np.asarray(y)
    if found.ndim != 1 or found.dtype.names is not None or not np.isin(found, (0, 1)).all():
        raise InputError("A response is one yes or no a patient (True: complete or partial response): correct it.")
    found = found.astype(bool)
    few = int(min(found.sum(), (~found).sum()))
    if few < least:
        raise InputError(
            f"Learning a response needs at least {least} responders and {least} non-responders, found {few} of the "
            "rarer kind: use a larger cohort."
        )
    return found


def survival_of(y: Any, least: int = 10) -> np.ndarray:
    """Return a survival outcome as the structured array (event, time in months), shape (patients,).

    Raises:
        InputError: another array, a time that is negative or not known, or fewer than ``least`` events.
    """
    found = np.asarray(y)
    names = found.dtype.names
    if found.ndim != 1 or names is None or len(names) != 2:
        raise InputError("Survival is an event and a time in months a patient: give (event, time) of each.")
    outcome = np.empty(len(found), [("event", bool), ("time", float)])
    outcome["event"], outcome["time"] = found[names[0]], found[names[1]]
    if not np.isfinite(outcome["time"]).all() or (outcome["time"] < 0).any():
        raise InputError("A survival time is a number of months from 0: leave out whose time is not known.")
    if outcome["event"].sum() < least:
        raise InputError(
            f"Learning survival needs at least {least} events, found {int(outcome['event'].sum())}: use a larger "
            "cohort or a longer follow-up."
        )
    return outcome


def prepared(table: pd.DataFrame, modality: str) -> tuple[tuple[Column, ...], pd.DataFrame]:
    """Return the columns of a modality as learned from a training table, and the table as a model reads it.

    Args:
        table: one row a training patient.
        modality: ``"clinical"``, ``"imaging"`` or anything else for both.

    Raises:
        InputError: the table has no usable column of the modality.
    """
    columns = learn_columns(table[columns_of_modality(map(str, table.columns), modality)])
    if not columns:
        raise InputError(f"No {modality} column has two different values: there is nothing to learn from.")
    values = table_matrix(columns, table)
    return columns, pd.DataFrame(values, index=table.index, columns=[column.name for column in columns])


def gated(
    columns: tuple[Column, ...], values: pd.DataFrame, stability: StabilityTable | None
) -> tuple[tuple[Column, ...], pd.DataFrame]:
    """Return the columns that a stability table calls stable, clinical ones included; all where there is no table."""
    kept = {str(name) for name in StabilityGate(stability).fit(values).get_feature_names_out()}
    columns = tuple(column for column in columns if column.name in kept)
    return columns, values[[column.name for column in columns]]


def check_modality(modality: str, known: Sequence[str] = MODALITIES) -> None:
    """Refuse a modality that a system does not have.

    Raises:
        InputError: names the nearest one.
    """
    if modality not in known:
        raise InputError(f"'{modality}' is not a modality of this system; {nearest(str(modality), known)}.")


def score_alone(table: pd.DataFrame, name: str) -> tuple[tuple[Column, ...], pd.DataFrame]:
    """Return the one column of a liver score as learned from a training table, and its values as a model reads them.

    Raises:
        InputError: the table lacks the score, or all patients have the same.
    """
    if name not in table.columns:
        how = "its stage" if name == "bclc" else "bilirubin and albumin"
        raise InputError(f"This baseline reads '{name}' alone and the table lacks it: add {how} of each patient.")
    return prepared(table[[name]], "clinical")


def part_name(modality: str) -> str:
    """Return the name of the part that a modality's single model is."""
    return modality if modality in ("clinical", "imaging") else "both"


def linear_part(
    name: str, columns: Sequence[Column], coefficients: np.ndarray, intercept: float = 0.0, **rest: Any
) -> Part:
    """Return a linear part without the columns that add nothing; one column stays where none adds anything."""
    numbers = [float(number) for number in coefficients]
    kept = [place for place, number in enumerate(numbers) if number != 0.0] or [0]
    return Part(
        name, tuple(columns[i] for i in kept), tuple(numbers[i] for i in kept), intercept=float(intercept), **rest
    )
