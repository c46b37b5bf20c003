"""Where a case stands in the cohort that a package was made on: plain data that travels with its prediction.

For a survival package: the risk group with the cohort's Kaplan-Meier curves, and survival as it follows from the case's
score. For a response package: the threshold of its classes. For any package that tells its reference distribution: the
case's inputs among those of the cohort.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hccoutcome.package.prognosis import GROUPS, GroupCurve
from hccoutcome.package.reference import QUANTILES, Distribution
from hccoutcome.package.threshold import ClassThreshold, Rate

LEVELS = (1.0, *(100 * level for level in QUANTILES), 99.0)
"""Percentiles of the cohort that a trained package tells of an input."""


@dataclass(frozen=True)
class SurvivalOutlook:
    """Survival of the cohort's risk groups and of cases with this case's score.

    Attributes:
        endpoint: name of the endpoint: ``"os"``.
        months: the grid of all curves, whole months from 0.
        cut: score from which a case belongs to the high risk group.
        group: the group of this case.
        low, high: Kaplan-Meier curves of the training cohort's groups.
        survival: probability of surviving each month for this score, with its 95% limits ``lower`` and ``upper``.
        source: how curves and groups came about, in words.
    """

    endpoint: str
    months: tuple[int, ...]
    cut: float
    group: str
    low: GroupCurve
    high: GroupCurve
    survival: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    source: str = ""

    @property
    def groups(self) -> dict[str, GroupCurve]:
        """The curves of the risk groups by the group's name, low risk first."""
        return dict(zip(GROUPS, (self.low, self.high), strict=True))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SurvivalOutlook:
        """Return the survival in plain data."""
        own = {**_tuples(data), "low": GroupCurve(**_tuples(data["low"])), "high": GroupCurve(**_tuples(data["high"]))}
        return cls(**own)


@dataclass(frozen=True)
class InputPlace:
    """One numeric input of a case among those of the cohort.

    Attributes:
        name: feature column as it was read, or clinical variable.
        value: the case's value, None where it is missing.
        unit: of the value, empty where it has none.
        cohort: the distribution in the cohort.
    """

    name: str
    value: float | None
    unit: str
    cohort: Distribution

    @property
    def percentile(self) -> float | None:
        """The value's percentile in the cohort, linear between the quantiles that the package tells.

        0 below the first percentile and 100 above the 99th; None where the value or the quantiles are not known.
        """
        if self.value is None or not self.cohort.quantiles:
            return None
        known = (self.cohort.low, *self.cohort.quantiles, self.cohort.high)
        if not known[0] <= self.value <= known[-1]:
            return 0.0 if self.value < known[0] else 100.0
        first, last = bisect.bisect_left(known, self.value), bisect.bisect_right(known, self.value)
        if first < last:  # one or several quantiles are this very value
            return (LEVELS[first] + LEVELS[last - 1]) / 2
        share = (self.value - known[first - 1]) / (known[first] - known[first - 1])
        return LEVELS[first - 1] + share * (LEVELS[first] - LEVELS[first - 1])

    @property
    def deviations(self) -> float | None:
        """How many standard deviations the value lies above the cohort's mean, None where it is missing."""
        return None if self.value is None else self.cohort.standardise(self.value)

    @property
    def is_outside(self) -> bool:
        """Whether the value lies outside what the package tells of the cohort: its middle 98%, or its extremes."""
        return self.value is not None and not self.cohort.low <= self.value <= self.cohort.high

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> InputPlace:
        """Return the place in plain data."""
        return cls(**{**data, "cohort": Distribution(**_tuples(data["cohort"]))})


@dataclass(frozen=True)
class Outlook:
    """Where a case stands in the cohort of a package.

    Attributes:
        cohort: which cohort, in words.
        cases: number of its patients.
        survival: risk group and survival, None where the package says nothing on survival.
        inputs: the numeric inputs of which the cohort's distribution is known, in the package's order.
        threshold: from which a response is predicted, None where the package tells no classes.
    """

    cohort: str
    cases: int
    survival: SurvivalOutlook | None = None
    inputs: tuple[InputPlace, ...] = ()
    threshold: ClassThreshold | None = None

    @property
    def known_inputs(self) -> tuple[InputPlace, ...]:
        """The inputs that are not missing."""
        return tuple(item for item in self.inputs if item.value is not None and math.isfinite(item.value))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return _lists(asdict(self))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outlook:
        """Return the outlook that ``to_json`` wrote; what was written before there were thresholds has none."""
        survival, threshold = data["survival"], data.get("threshold")
        return cls(
            cohort=data["cohort"],
            cases=data["cases"],
            survival=None if survival is None else SurvivalOutlook.from_json(survival),
            inputs=tuple(map(InputPlace.from_json, data["inputs"])),
            threshold=None if threshold is None else _threshold(threshold),
        )


def _threshold(data: Mapping[str, Any]) -> ClassThreshold:
    rates = {name: Rate(**data[name]) for name in ("sensitivity", "specificity")}
    return ClassThreshold(**{**data, **rates})


def _tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lists(item) for name, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value
