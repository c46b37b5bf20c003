"""What network is trained on whom: its settings, and what became of the patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hccoutcome.clinical.endpoints import CRITERIA, ENDPOINTS, ONE_YEAR, YEAR, as_survival, survived
from hccoutcome.cohort.training_cohort import TrainingCohort
from hccoutcome.deep.package import DeepName, Target
from hccoutcome.deep.training_settings import DLOPCTR_TRAINING, SELECTION_TRAINING, TCI_TRAINING, TrainingSettings
from hccoutcome.errors import InputError, nearest

SizeName = Literal["tiny", "base"]
USUAL = {
    "selection": SELECTION_TRAINING,
    "selection-vit": SELECTION_TRAINING,
    "tci": TCI_TRAINING,
    "dlopctr": DLOPCTR_TRAINING,
}


@dataclass(frozen=True)
class DeepTrainSettings:
    """What is trained, and how.

    Attributes:
        system: which network.
        endpoint: a response criterion, ``"survival-1y"``, or for DLOPCTR ``"os"``, ``"pfs"``, ``"ttp"``.
        reader: who read the response, empty where the table has one reading.
        size: of the network.
        weights: file with ImageNet weights of the ResNet, ``"download"`` to fetch them, None for none.
        from_scratch: train the convolutions too, from random weights.
        test: share of the patients that is only judged at the end.
        folds: of a cross-validation among the other patients, which trains so many networks more; 0 for none.
        intervals: of survival, of DLOPCTR.
        training: settings of the loop; those of the paper where None.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        name: of the package; made of system and endpoint where empty.
        cohort: who the patients are, in words.
    """

    system: DeepName
    endpoint: str
    reader: str = ""
    size: SizeName = "base"
    weights: str | None = None
    from_scratch: bool = False
    test: float = 0.2
    folds: int = 0
    intervals: int = 8
    training: TrainingSettings | None = None
    device: str = "auto"
    name: str = ""
    cohort: str = ""

    @property
    def loop(self) -> TrainingSettings:
        """The settings of the training loop."""
        return self.training or USUAL[self.system]

    @property
    def target(self) -> Target:
        """What the network is trained on."""
        if self.system == "dlopctr":
            return "survival"
        return "one-year survival" if self.endpoint == ONE_YEAR else "response"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of the patients of whom it is known.

    Attributes:
        table: what is known of them before treatment, one row a patient.
        happened: response, one-year survival, or the event.
        time: months to the event or the last news; None where the outcome is no survival.
        words: the endpoint in words.
    """

    table: pd.DataFrame
    happened: NDArray[np.bool_]
    time: NDArray[np.float64] | None
    words: str

    @property
    def strata(self) -> NDArray[np.bool_]:
        """What is to be as frequent in all parts: the outcome, or of survival an event in the earlier half of them."""
        if self.time is None or not self.happened.any():
            return self.happened
        return self.happened & (self.time <= np.median(self.time[self.happened]))

    def y(self, rows: NDArray[np.intp]) -> NDArray:
        """Return the outcome of some patients as the evaluation takes it: booleans, or (event, time in months)."""
        return self.happened[rows] if self.time is None else as_survival(self.happened[rows], self.time[rows])

    def of(self, names: Sequence[str]) -> Outcome:
        """Return the same of some patients, in their order."""
        places = [self.table.index.get_loc(name) for name in names]
        time = None if self.time is None else self.time[places]
        return Outcome(self.table.loc[list(names)], self.happened[places], time, self.words)


def outcome_of(cohort: TrainingCohort, settings: DeepTrainSettings) -> Outcome:
    """Return the patients of whom the endpoint is known.

    Raises:
        InputError: the table has no such endpoint, or the network does not predict it.
    """
    if settings.system == "dlopctr":
        if settings.endpoint not in ENDPOINTS:
            raise InputError(f"DLOPCTR predicts survival, not '{settings.endpoint}'; {nearest('os', ENDPOINTS)}.")
        rows, followed = cohort.survival_data(settings.endpoint)
        return Outcome(rows, followed["event"], followed["time"], ENDPOINTS[settings.endpoint].lower())
    if settings.endpoint == ONE_YEAR:
        rows, followed = cohort.survival_data("os")
        alive, known = survived(followed, YEAR)
        return Outcome(rows[known], alive[known], None, "survival of one year")
    if settings.endpoint not in CRITERIA:
        raise InputError(
            f"'{settings.endpoint}' is not an endpoint of {settings.system}; "
            f"{nearest(settings.endpoint, [*CRITERIA, ONE_YEAR])}."
        )
    rows, response = cohort.response_data(settings.endpoint, settings.reader or None)
    return Outcome(rows, response, None, "objective response (CR or PR)")
