"""How much a part of the images counts: the AUC where it is left out, against the AUC of everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hccoutcome.evaluation.discrimination import auc, compare_aucs
from hccoutcome.evaluation.estimate import Bools, Comparison, Estimate, Floats

BASELINE = "nothing"
"""What is left out for the AUC with which the others are compared."""


@dataclass(frozen=True)
class Occlusion:
    """What leaving something out does.

    Attributes:
        left_out: a phase, ``"slice 0"``, ``"slices +-2"``; ``"nothing"`` for the baseline.
        auc: without it, by DeLong.
        change: from the baseline to it, on the patients of whom something was left to look at, by DeLong's paired test;
            None for the baseline.
        patients: of whom something was left to look at.
    """

    left_out: str
    auc: Estimate
    change: Comparison | None
    patients: int


def occlusion_table(outcome: Bools, numbers: Mapping[str, Floats]) -> tuple[Occlusion, ...]:
    """Return the baseline and one row for each part that was left out, those that can be measured.

    Args:
        outcome: whether it happened, shape (patients,).
        numbers: higher where the outcome is expected, shape (patients,), by what was left out, ``BASELINE`` among them;
            NaN where nothing was left to look at.

    Raises:
        InputError: fewer than two patients of an outcome.
    """
    baseline = numbers[BASELINE]
    rows = [Occlusion(BASELINE, auc(outcome, baseline), None, len(baseline))]
    for name, found in numbers.items():
        known = np.isfinite(found)
        if name == BASELINE or not 1 < outcome[known].sum() < known.sum() - 1:
            continue
        change = compare_aucs(outcome[known], found[known], baseline[known])
        rows.append(Occlusion(name, auc(outcome[known], found[known]), change, int(known.sum())))
    return tuple(rows)
