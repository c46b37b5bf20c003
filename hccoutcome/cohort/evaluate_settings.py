"""What is evaluated, and how: the settings of ``hcc evaluate``, checked before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hccoutcome.cohort.evaluate_cnn import CNN_LOGISTIC
from hccoutcome.errors import InputError
from hccoutcome.evaluation.study import Task
from hccoutcome.stability.table import StabilityTable
from hccoutcome.trainable import TRAINABLE


@dataclass(frozen=True)
class StudySettings:
    """What is evaluated, and how.

    Attributes:
        names: systems and packages, the study's own first; see ``contenders_of``.
        endpoint: ``"os"``, ``"pfs"``, ``"ttp"`` or a response criterion; the usual one of the first where empty.
        reader: who read the response, empty where the table has one reading.
        seed: of everything random.
        folds, repeats: of the outer cross-validation.
        threshold_folds: of the cross-validation inside each training part that chooses a response's threshold; 0 takes
            the predictions for the training part itself.
        survival_folds: of the one from which probabilities of survival are learned.
        bootstrap: samples of the internal validation by bootstrap, 0 for none.
        leaks: permutations of the test for leaks, 0 for none.
        months: horizon of calibration and decision curves; a year, or the median event time, where None.
        baselines: whether ALBI and BCLC alone stand beside, where the table has them.
        stability: stability of the features, None where it was not measured.
        candidates: classifiers that compete in PRIME-R; all where empty.
        adjust: covariates of a Cox model beside the risk group.
        added: one more, with and without which that model is fitted.
        treatment: column of 0 and 1 by whose propensity patients are matched, empty for none.
        match: covariates of the propensity.
    """

    names: tuple[str, ...]
    endpoint: str = ""
    reader: str = ""
    seed: int = 0
    folds: int = 5
    repeats: int = 5
    threshold_folds: int = 0
    survival_folds: int = 3
    bootstrap: int = 0
    leaks: int = 0
    months: float | None = None
    baselines: bool = True
    stability: StabilityTable | None = None
    candidates: tuple[str, ...] = ()
    adjust: tuple[str, ...] = ()
    added: str = ""
    treatment: str = ""
    match: tuple[str, ...] = ()

    @property
    def extras(self) -> tuple[str, ...]:
        """Columns that the study asks for by name."""
        return tuple(filter(None, (*self.adjust, self.added, self.treatment, *self.match)))


def check_settings(settings: StudySettings, task: Task) -> None:
    """Refuse settings that do not go together.

    Raises:
        InputError: names what does not.
    """
    if min(settings.bootstrap, settings.leaks, settings.threshold_folds) < 0:
        raise InputError("Samples, permutations and folds are counted from 0, found a negative number: correct it.")
    if settings.leaks == 1:
        raise InputError("A leak test needs at least 2 permutations, found 1: 5 is usual.")
    if task == "response" and (settings.adjust or settings.added or settings.months is not None):
        raise InputError(
            "A Cox model and a horizon belong to survival, and the endpoint is a response: leave them out."
        )
    if settings.treatment and not settings.match:
        raise InputError(f"Matching by '{settings.treatment}' needs covariates to match on, found none: name them.")
    if settings.treatment and settings.treatment in settings.match:
        raise InputError(
            f"'{settings.treatment}' is the treatment and cannot be matched on as well: leave it out of one."
        )
    if settings.match and not settings.treatment:
        raise InputError("Covariates to match on are named, and no treatment: name its column.")
    if settings.survival_folds < 2 or settings.threshold_folds == 1:
        raise InputError("An inner cross-validation needs at least 2 folds, found 1: 3 is usual.")


def settings_to_json(settings: StudySettings, endpoint: str) -> dict[str, Any]:
    """Return what it takes to do the same again, without paths."""
    given = {name: getattr(settings, name) for name in settings.__dataclass_fields__ if name != "stability"}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    names = [_without_folder(name) for name in settings.names]
    return {**plain, "names": names, "endpoint": endpoint, "stability": settings.stability is not None}


def _without_folder(name: str) -> str:
    """Return a name as given; of a path, its last part: where it lies is nobody's business."""
    return name if name.partition(":")[0] in (*TRAINABLE, CNN_LOGISTIC.name) else Path(name).name
