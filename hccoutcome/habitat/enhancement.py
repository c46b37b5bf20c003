"""Enhancement and wash-out of each voxel from the phases before and after contrast."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hccoutcome.errors import InputError
from hccoutcome.habitat.settings import Kinetics

BEFORE = ("precontrast", "t1")
AFTER = ("arterial", "portal", "delayed", "t1ce")
"""Phases in the order of their acquisition; T1 with contrast stands for one phase after it."""


def enhancement(values: Mapping[str, np.ndarray], kinetics: Kinetics, times: Mapping[str, float]) -> dict:
    """Return wash-in and wash-out of each voxel.

    Wash-in runs from the phase before contrast to the first one after it, wash-out from that one to each later one.
    With S the grey level, ``"difference"`` gives S(first) - S(before) and S(first) - S(later); ``"ratio"`` divides
    them by S(before) and S(first) (relative enhancement and wash-out, as in dynamic contrast-enhanced MRI). With times
    both are per minute.

    Args:
        values: grey levels by phase, shape (n,) each.
        kinetics: ``"ratio"`` or ``"difference"``.
        times: seconds after the injection by phase; none for plain differences and ratios.

    Returns:
        Arrays of shape (n,) by ``washin_<phase>`` and ``washout_<phase>``.

    Raises:
        InputError: fewer than two such phases, a time is missing or not later than the one before, or a ratio to grey
            levels that are not above 0.
    """
    before = next((phase for phase in BEFORE if phase in values), None)
    after = [phase for phase in AFTER if phase in values]
    if not after or (before is None and len(after) < 2):
        raise InputError(
            "Wash-in and wash-out need two of the phases precontrast (or t1), arterial, portal, delayed (or t1ce), "
            f"found {', '.join(values)}: add a phase or set the kinetics to 'none'."
        )
    first = after[0]
    pairs = [("washin", before, first)] if before is not None else []
    pairs += [("washout", first, later) for later in after[1:]]
    return {
        f"{name}_{late}": _change(values, early, late, kinetics, times) * (1.0 if name == "washin" else -1.0)
        for name, early, late in pairs
    }


def _change(
    values: Mapping[str, np.ndarray], early: str, late: str, kinetics: Kinetics, times: Mapping[str, float]
) -> np.ndarray:
    change = values[late] - values[early]
    if kinetics == "ratio":
        change = change / _positive(values[early], early)
    return change / _minutes(early, late, times) if times else change


def _positive(values: np.ndarray, phase: str) -> np.ndarray:
    wrong = int(np.count_nonzero(values <= 0))
    if wrong:
        raise InputError(
            f"Ratios of enhancement need grey levels above 0, found {wrong} of {values.size} voxels of the {phase} "
            "image at or below 0: use the kinetics 'difference'."
        )
    return values


def _minutes(early: str, late: str, times: Mapping[str, float]) -> float:
    for phase in (early, late):
        if phase not in times:
            raise InputError(
                f"Times are needed for all phases or none, found none for {phase}: add its seconds after the injection."
            )
    if times[late] <= times[early]:
        raise InputError(
            f"The {late} phase was expected to be later than the {early} phase, found {times[late]:g} s against "
            f"{times[early]:g} s: correct the times."
        )
    return (times[late] - times[early]) / 60.0
