"""Checks of what every measure takes: outcomes, scores, probabilities, survival times, evaluation times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hccoutcome.errors import InputError
from hccoutcome.evaluation.estimate import Bools, Floats


@dataclass(frozen=True)
class Survival:
    """Checked survival outcome.

    Attributes:
        event: True where the event was seen, shape (patients,).
        time: months until the event or the end of follow-up, shape (patients,).
    """

    event: Bools
    time: Floats

    @property
    def structured(self) -> NDArray[Any]:
        """The outcome as scikit-survival takes it."""
        return as_structured(self.event, self.time)


def as_structured(event: Bools, time: Floats) -> NDArray[Any]:
    """Return events and times as the structured array (event, time) of scikit-survival."""
    found = np.empty(len(time), [("event", bool), ("time", float)])
    found["event"], found["time"] = event, time
    return found


def is_survival(y: Any) -> bool:
    """Return whether an outcome is one of survival: a structured array with an event and a time."""
    names = getattr(getattr(y, "dtype", None), "names", None)
    return names is not None and len(names) == 2


def check_binary(y: ArrayLike, least: int = 1) -> Bools:
    """Return a binary outcome as booleans.

    Args:
        y: shape (patients,), booleans or 0 and 1.
        least: patients that each class must have.

    Raises:
        InputError: other values, missing values, too few of a class.
    """
    values = np.asarray(y)
    if values.ndim != 1 or len(values) == 0:
        raise InputError(f"A binary outcome is one value a patient, found shape {values.shape}: give one column.")
    if values.dtype != bool:
        try:
            numbers = values.astype(float)
        except (TypeError, ValueError) as error:
            raise InputError(f"A binary outcome holds 0 and 1, found {values[:3].tolist()}: code it first.") from error
        wrong = numbers[~np.isin(numbers, (0.0, 1.0))]
        if len(wrong):
            raise InputError(
                f"A binary outcome holds 0 and 1 only, found {wrong[0]:g}: code it, and leave out patients whose "
                "outcome is unknown."
            )
        values = numbers == 1
    positive = int(values.sum())
    if min(positive, len(values) - positive) < least:
        raise InputError(
            f"Both classes are needed with at least {least} patient{'s' if least > 1 else ''} each, found {positive} "
            f"with the outcome and {len(values) - positive} without it: evaluate on more patients."
        )
    return np.asarray(values, bool)


def check_scores(scores: ArrayLike, patients: int, name: str = "score") -> Floats:
    """Return scores as floats of shape (patients,).

    Raises:
        InputError: another length, or a value that is not finite.
    """
    values = np.asarray(scores, float)
    if values.shape != (patients,):
        raise InputError(
            f"One {name} for each of {patients} patients is needed, found shape {values.shape}: align them."
        )
    lost = int(np.count_nonzero(~np.isfinite(values)))
    if lost:
        raise InputError(
            f"A {name} is a finite number, found {lost} of {patients} that are not: leave these patients out of the "
            "evaluation and say so."
        )
    return values


def check_probabilities(probabilities: ArrayLike, patients: int) -> Floats:
    """Return probabilities of shape (patients,).

    Raises:
        InputError: as ``check_scores``, or a value outside 0 to 1.
    """
    values = check_scores(probabilities, patients, "probability")
    if values.min() < 0 or values.max() > 1:
        found = values.min() if values.min() < 0 else values.max()
        raise InputError(f"A probability lies between 0 and 1, found {found:g}: calibrate the scores first.")
    return values


def check_survival(y: Any, least_events: int = 1) -> Survival:
    """Return a survival outcome taken apart.

    Args:
        y: structured array with an event and a time, as ``sksurv.util.Surv`` makes it.
        least_events: events that there must be.

    Raises:
        InputError: another kind of array, times that are negative or not finite, too few events.
    """
    if isinstance(y, Survival):
        y = y.structured
    if not is_survival(y) or np.ndim(y) != 1 or len(y) == 0:
        raise InputError(
            "A survival outcome is a structured array with an event and a time for each patient, found "
            f"{getattr(y, 'dtype', type(y).__name__)}: make it with sksurv.util.Surv."
        )
    event_name, time_name = y.dtype.names
    event, time = check_binary(y[event_name], least=0), np.asarray(y[time_name], float)
    if not np.isfinite(time).all() or time.min() < 0:
        wrong = time[~(np.isfinite(time) & (time >= 0))][0]
        raise InputError(f"A survival time is a number of months from 0 on, found {wrong:g}: correct or leave it out.")
    if event.sum() < least_events:
        raise InputError(
            f"At least {least_events} event{'s are' if least_events > 1 else ' is'} needed, found {int(event.sum())} "
            f"in {len(time)} patients: evaluate with more patients or a longer follow-up."
        )
    return Survival(event, time)


def check_groups(groups: ArrayLike, patients: int, least: int = 2) -> NDArray[Any]:
    """Return group labels of shape (patients,).

    Raises:
        InputError: another length, a missing label, fewer than ``least`` groups.
    """
    labels = np.asarray(groups)
    if labels.shape != (patients,):
        raise InputError(
            f"One group for each of {patients} patients is needed, found shape {labels.shape}: align them."
        )
    if any(label is None or label != label for label in labels.tolist()):
        raise InputError("Every patient belongs to a group, found one without: leave it out or name its group.")
    if len(np.unique(labels)) < least:
        raise InputError(f"At least {least} groups are needed, found {len(np.unique(labels))}: choose another split.")
    return labels
