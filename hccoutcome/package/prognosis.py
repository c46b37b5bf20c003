"""What became of the cohort that a survival package was made on: risk groups with their curves, and survival by score.

Curves stand on a grid of whole months with the number at risk, and end where few are left: no patient's own time can be
read off. The survival of a score follows Cox's model of one covariate, the score, with Breslow's baseline hazard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from hccoutcome.errors import InputError
from hccoutcome.strict_json import Fields, parse_json

GROUPS = ("low risk", "high risk")
MOST_MONTHS = 600


@dataclass(frozen=True)
class GroupCurve:
    """Kaplan-Meier curve of one risk group on the grid of months.

    Attributes:
        cases: patients in the group.
        events: events among them.
        survival: probability of surviving each month, with its 95% limits ``lower`` and ``upper``.
        at_risk: patients still under observation at each month.
    """

    cases: int
    events: int
    survival: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    at_risk: tuple[int, ...]


@dataclass(frozen=True)
class ScoreCurve:
    """Cox's model of survival by score: hazard ratio, and Breslow's sums over the event times t_i up to each month.

    With S0 the sum and S1 the score-weighted sum of exp(coefficient x score) over those at risk at t_i:

    Attributes:
        coefficient: log hazard ratio of one unit of the score.
        variance: its variance.
        hazard: sum of 1 / S0, the baseline cumulative hazard (Breslow 1974).
        variation: sum of 1 / S0^2.
        leverage: sum of S1 / S0^2.
    """

    coefficient: float
    variance: float
    hazard: tuple[float, ...]
    variation: tuple[float, ...]
    leverage: tuple[float, ...]

    def survival(self, score: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return survival with its 95% limits at each month for a score.

        The variance of the cumulative hazard is ``exp(2 b z) (variation + (leverage - z hazard)^2 variance)`` (Link
        1984); the limits are those of the hazard's logarithm, so that they stay between 0 and 1.
        """
        hazard, variation, leverage = (np.array(values) for values in (self.hazard, self.variation, self.leverage))
        begun = hazard > 0
        safe = np.where(begun, hazard, 1.0)
        error = np.sqrt(variation + (leverage - score * hazard) ** 2 * self.variance) / safe
        log_hazard = self.coefficient * score + np.log(safe)
        spread = ndtri(0.975) * error

        def surviving(logarithm: np.ndarray) -> np.ndarray:
            # Far outside the cohort the hazard itself would leave the range of numbers.
            return np.where(begun, np.exp(-np.exp(np.clip(logarithm, -700.0, 700.0))), 1.0)

        return surviving(log_hazard), surviving(log_hazard + spread), surviving(log_hazard - spread)


@dataclass(frozen=True)
class Prognosis:
    """What a survival package knows of its cohort.

    Attributes:
        endpoint: name of the endpoint: ``"os"``.
        months: the grid, whole months from 0.
        cut: score from which a case belongs to the high risk group: at least half of the training cohort lies below.
        low, high: curves of the risk groups.
        curve: survival by score.
        source: how curves and groups came about, in words.
    """

    endpoint: str
    months: tuple[int, ...]
    cut: float
    low: GroupCurve
    high: GroupCurve
    curve: ScoreCurve
    source: str

    def group(self, score: float) -> str:
        """Return the risk group of a score."""
        return GROUPS[int(score >= self.cut)]

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``prognosis.json``."""
        data = asdict(self)
        for part in (data, data["low"], data["high"], data["curve"]):
            part.update({name: list(value) for name, value in part.items() if isinstance(value, tuple)})
        return data


def parse_prognosis(content: bytes, where: str) -> Prognosis:
    """Return the prognosis in the bytes of a ``prognosis.json``, checked field by field.

    Raises:
        InputError: names the fault.
    """
    fields = Fields(parse_json(content, where), where)
    months = tuple(_integers(fields, "months"))
    if not months or len(months) > MOST_MONTHS or months != tuple(range(len(months))):
        raise InputError(f"{where}: 'months' should count from 0 in steps of one: get the package again.")
    prognosis = Prognosis(
        endpoint=fields.text("endpoint"),
        months=months,
        cut=fields.number("cut"),
        low=_group(fields.object("low"), f"{where}, low", len(months)),
        high=_group(fields.object("high"), f"{where}, high", len(months)),
        curve=_curve(fields.object("curve"), f"{where}, curve", len(months)),
        source=fields.text("source"),
    )
    fields.done()
    return prognosis


def _group(data: Mapping[str, Any], where: str, size: int) -> GroupCurve:
    fields = Fields(data, where)
    curve = GroupCurve(
        cases=fields.value("cases", int, "a whole number"),
        events=fields.value("events", int, "a whole number"),
        survival=_numbers(fields, "survival", size),
        lower=_numbers(fields, "lower", size),
        upper=_numbers(fields, "upper", size),
        at_risk=tuple(_integers(fields, "at_risk")),
    )
    fields.done()
    ordered = all(
        0 <= low <= mid <= high <= 1 for low, mid, high in zip(curve.lower, curve.survival, curve.upper, strict=True)
    )
    if not ordered or len(curve.at_risk) != size or not 0 <= curve.events <= curve.cases:
        raise InputError(f"{where} is no survival curve with limits and numbers at risk: get the package again.")
    return curve


def _curve(data: Mapping[str, Any], where: str, size: int) -> ScoreCurve:
    fields = Fields(data, where)
    curve = ScoreCurve(
        coefficient=fields.number("coefficient"),
        variance=fields.number("variance"),
        hazard=_numbers(fields, "hazard", size),
        variation=_numbers(fields, "variation", size),
        leverage=_numbers(fields, "leverage", size),
    )
    fields.done()
    if curve.variance < 0 or min(curve.hazard) < 0 or min(curve.variation) < 0 or np.any(np.diff(curve.hazard) < 0):
        raise InputError(f"{where} should hold a hazard that only grows, and variances from 0: get the package again.")
    return curve


def _numbers(fields: Fields, name: str, size: int) -> tuple[float, ...]:
    found = fields.value(name, list, "a list of numbers")
    if len(found) != size or any(isinstance(item, bool) or not isinstance(item, int | float) for item in found):
        raise InputError(f"{fields.where}: '{name}' should be {size} numbers: get the package again.")
    return tuple(map(float, found))


def _integers(fields: Fields, name: str) -> list[int]:
    found = fields.value(name, list, "a list of whole numbers")
    if any(isinstance(item, bool) or not isinstance(item, int) or item < 0 for item in found):
        raise InputError(f"{fields.where}: '{name}' should be whole numbers from 0: get the package again.")
    return found
