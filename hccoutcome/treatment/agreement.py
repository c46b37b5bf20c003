"""Whether patients fare better who were treated as ATOM recommends: response by concordance, as in the paper's Table 3.

eClinicalMedicine 2024;75:102808, Table 3: among patients who received a treatment, those for whom ATOM recommends it
(consistent), another one (inconsistent), or none (against); rates of benefit, the first group against each of the
others by Fisher's exact test, with the odds ratio that belongs to it. Stage 1 counts objective responses by
intra-arterial therapy, stage 2 one-year survival by intra-arterial therapy with systemic treatment.

Such a comparison is no trial: who received what was decided by physicians for reasons, and a model that predicts the
outcome at all makes the groups differ even where the treatment has no effect.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scipy import stats
from scipy.stats.contingency import odds_ratio

from hccoutcome.errors import InputError, nearest
from hccoutcome.evaluation.classification import proportion
from hccoutcome.evaluation.estimate import Estimate
from hccoutcome.treatment.atom import ARTERIAL, MODELS, WITH_SYSTEMIC, Recommendation

Concordance = Literal["consistent", "inconsistent", "against"]
LEVEL, EXACT = 0.95, "conditional maximum likelihood, exact interval"
GROUPS: tuple[Concordance, ...] = ("consistent", "inconsistent", "against")


@dataclass(frozen=True)
class Treated:
    """One patient of whom it is known what was done and what came of it.

    Attributes:
        case_id: name of the case.
        recommendation: what ATOM recommends.
        received: what was done: ``"TACE"``, ``"HAIC"``, or with systemic treatment ``"TC"``, ``"HC"``.
        response: objective response, None where not known.
        survived: whether the patient lived for a year, None where not known.
    """

    case_id: str
    recommendation: Recommendation
    received: str
    response: bool | None = None
    survived: bool | None = None

    def __post_init__(self) -> None:
        if self.received not in MODELS:
            raise InputError(
                f"'{self.received}' is not a treatment that {self.case_id} can have received; "
                f"{nearest(self.received, MODELS)}."
            )


@dataclass(frozen=True)
class Rate:
    """How many of a group had benefit, with Wilson's interval; no share of nobody."""

    benefit: int
    patients: int
    share: Estimate | None

    def to_json(self) -> dict[str, Any]:
        """Return the rate as JSON data."""
        limits = None if self.share is None else [self.share.lower, self.share.upper]
        share = None if self.share is None else self.share.value
        return {"benefit": self.benefit, "patients": self.patients, "share": share, "interval": limits}


@dataclass(frozen=True)
class AgreementRow:
    """One row of the table: the patients who received one treatment.

    Attributes:
        stage: 1 (response by intra-arterial therapy) or 2 (one-year survival, with systemic treatment).
        received: the treatment.
        rates: by group.
        total: of all groups.
        p: Fisher's exact test, two-sided, of the consistent group against each other one; absent where one is empty.
        odds: odds ratio of benefit, consistent against each other group, the conditional estimate that belongs to that
            test with its exact interval; an end may be 0 or infinite, and NaN where nobody or everybody had benefit.
        left_out: patients for whom the stage has no recommendation or no outcome is known.
    """

    stage: int
    received: str
    rates: dict[Concordance, Rate]
    total: Rate
    p: dict[Concordance, float]
    odds: dict[Concordance, Estimate]
    left_out: int

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON data."""
        return {
            "stage": self.stage,
            "received": self.received,
            **{group: self.rates[group].to_json() for group in GROUPS},
            "total": self.total.to_json(),
            "p": dict(self.p),
            "odds_ratio": {group: _ends(value) for group, value in self.odds.items()},
            "left_out": self.left_out,
        }


def agreement(patients: Sequence[Treated]) -> tuple[AgreementRow, ...]:
    """Return the table for a cohort: a row for each treatment that was given.

    Raises:
        InputError: a patient stands twice.
    """
    for name, count in Counter(patient.case_id for patient in patients).items():
        if count > 1:
            raise InputError(f"The patient '{name}' stands {count} times among those treated: keep one.")
    rows = [_arterial_row(patients, therapy) for therapy in ARTERIAL]
    rows += [_systemic_row(patients, model) for model in WITH_SYSTEMIC.values()]
    return tuple(row for row in rows if row.total.patients or row.left_out)


def _arterial_row(patients: Sequence[Treated], therapy: str) -> AgreementRow:
    """Return how patients fared who received an intra-arterial therapy, with or without systemic treatment."""
    treated = [patient for patient in patients if patient.received in (therapy, WITH_SYSTEMIC[therapy])]
    return _row(1, therapy, [(_in_stage_1(patient.recommendation, therapy), patient.response) for patient in treated])


def _systemic_row(patients: Sequence[Treated], model: str) -> AgreementRow:
    """Return how patients fared who received an intra-arterial therapy with systemic treatment."""
    treated = [patient for patient in patients if patient.received == model]
    return _row(2, model, [(_in_stage_2(patient.recommendation, model), patient.survived) for patient in treated])


def _in_stage_1(found: Recommendation, therapy: str) -> Concordance | None:
    if found.against:
        return "against"
    if any(model in ARTERIAL for model in found.missing):
        return None
    return "consistent" if found.therapy == therapy else "inconsistent"


def _in_stage_2(found: Recommendation, model: str) -> Concordance | None:
    if found.against:
        return "against"
    if found.plan is None:
        return None
    return "consistent" if found.plan == model else "inconsistent"


def _row(stage: int, received: str, found: Sequence[tuple[Concordance | None, bool | None]]) -> AgreementRow:
    known = [(group, bool(benefit)) for group, benefit in found if group is not None and benefit is not None]
    rates = {group: _rate([benefit for own, benefit in known if own == group]) for group in GROUPS}
    others = [group for group in GROUPS[1:] if rates["consistent"].patients and rates[group].patients]
    p = {group: _fisher(rates["consistent"], rates[group]) for group in others}
    odds = {group: _odds_ratio(rates["consistent"], rates[group]) for group in others}
    total = _rate([benefit for _, benefit in known])
    return AgreementRow(stage, received, rates, total, p, odds, len(found) - len(known))


def _rate(benefits: Sequence[bool]) -> Rate:
    return Rate(sum(benefits), len(benefits), proportion(sum(benefits), len(benefits)))


def _fisher(one: Rate, other: Rate) -> float:
    return float(stats.fisher_exact(_table(one, other)).pvalue)


def _odds_ratio(one: Rate, other: Rate) -> Estimate:
    found = odds_ratio(_table(one, other), kind="conditional")
    interval = found.confidence_interval(LEVEL)
    return Estimate(float(found.statistic), float(interval.low), float(interval.high), LEVEL, EXACT)


def _table(one: Rate, other: Rate) -> list[list[int]]:
    return [[rate.benefit, rate.patients - rate.benefit] for rate in (one, other)]


def _ends(found: Estimate) -> dict[str, float | None]:
    """Return value and limits as JSON data, None for what is not finite."""
    ends = {"value": found.value, "lower": found.lower, "upper": found.upper}
    return {name: end if math.isfinite(end) else None for name, end in ends.items()}
