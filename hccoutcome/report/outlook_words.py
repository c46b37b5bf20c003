"""What an outlook says in words: predicted class, risk group, survival with its limits, inputs among the cohort's.

The window, the command line and the report use these very sentences, so that all of them give the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from hccoutcome.clinical.endpoints import ENDPOINTS
from hccoutcome.explanation.names import short_name
from hccoutcome.package.outlook import InputPlace, Outlook, SurvivalOutlook
from hccoutcome.package.prediction import Prediction
from hccoutcome.package.threshold import ClassThreshold, Rate

LANDMARKS = (12, 24, 36)
"""Months at which survival is told in print, as far as the curves reach."""
SURVIVED: Mapping[str, str] = MappingProxyType(
    {"os": "alive", "pfs": "alive without progression", "ttp": "without progression"}
)
"""What a patient is who has survived an endpoint."""
MOST_NAMED = 4
"""Inputs outside the cohort that a sentence names."""


@dataclass(frozen=True)
class Chance:
    """A probability of surviving a month with its 95% limits."""

    month: int
    survival: float
    lower: float
    upper: float

    def __str__(self) -> str:
        return f"{percent(self.survival)} (95% interval {percent(self.lower)} to {percent(self.upper)})"


def landmarks(found: SurvivalOutlook) -> tuple[int, ...]:
    """Return the months at which survival is told: ``LANDMARKS`` as far as known, or else the last month known."""
    return tuple(month for month in LANDMARKS if month in found.months) or found.months[-1:]


def chances(found: SurvivalOutlook) -> tuple[Chance, ...]:
    """Return survival of cases with this score at each landmark."""
    return tuple(_chance(found, month, found.survival, found.lower, found.upper) for month in landmarks(found))


def group_chances(found: SurvivalOutlook, group: str) -> tuple[Chance, ...]:
    """Return survival of one of the cohort's risk groups at each landmark."""
    curve = found.groups[group]
    return tuple(_chance(found, month, curve.survival, curve.lower, curve.upper) for month in landmarks(found))


def _chance(
    found: SurvivalOutlook, month: int, survival: Sequence[float], lower: Sequence[float], upper: Sequence[float]
) -> Chance:
    place = found.months.index(month)
    return Chance(month, survival[place], lower[place], upper[place])


def in_short(prediction: Prediction) -> str:
    """Return survival at one landmark for a narrow table: ``"55% (43% to 66%) at 24 months"``; empty without any."""
    survival = None if prediction.outlook is None else prediction.outlook.survival
    if survival is None:
        return ""
    known = chances(survival)
    told = next((chance for chance in known if chance.month == LANDMARKS[1]), known[-1])
    return f"{percent(told.survival)} ({percent(told.lower)} to {percent(told.upper)}) at {told.month} months"


def number_in_words(prediction: Prediction) -> str:
    """Return a score's number with its scale: ``"0.5701 (probability)"``."""
    return f"{prediction.score:.4g} ({prediction.scale})"


def result_in_words(prediction: Prediction) -> str:
    """Return a score in the words that its system has for it, or else its number; a probability is always told."""
    if prediction.label and prediction.scale == "probability":
        return f"{prediction.label}, {number_in_words(prediction)}"
    return prediction.label or number_in_words(prediction)


def sentences(prediction: Prediction) -> tuple[str, ...]:
    """Return what there is to say of where a case stands, in reading order; nothing without an outlook."""
    outlook = prediction.outlook
    if outlook is None:
        return ()
    survival = () if outlook.survival is None else tuple(_survival(prediction, outlook, outlook.survival))
    response = () if outlook.threshold is None else tuple(_response(prediction, outlook.threshold))
    return (*response, *survival, *_inputs(outlook))


def _response(prediction: Prediction, threshold: ClassThreshold) -> Iterator[str]:
    score = prediction.score or 0.0
    yield (
        f"{threshold.called(score).capitalize()}: the probability {_number(score)} "
        f"{'reaches' if threshold.predicts_response(score) else 'does not reach'} the threshold "
        f"{_number(threshold.value)}, the one with {threshold.criterion} in the training cohort "
        f"({threshold.patients} patients)."
    )
    whose = "responders" if threshold.outcome == "response" else "survivors"
    where = {"cross-validation": "In cross-validation such a", "held out": "On patients held out of the training this"}
    yield (
        f"{where[threshold.judged_on]} threshold found {_rate(threshold.sensitivity)} of the {whose} (sensitivity) "
        f"and {_rate(threshold.specificity)} of the others (specificity)."
    )


def _rate(rate: Rate) -> str:
    return f"{percent(rate.value)} (95% interval {percent(rate.lower)} to {percent(rate.upper)})"


def _survival(prediction: Prediction, outlook: Outlook, found: SurvivalOutlook) -> Iterator[str]:
    yield (
        f"{found.group.capitalize()} group: the score {_number(prediction.score)} lies "
        f"{'at or above' if found.group == 'high risk' else 'below'} {_number(found.cut)}, the border between the "
        "halves of the training cohort."
    )
    survived = SURVIVED.get(found.endpoint, "without event")
    groups = [
        f"in the {group} group ({curve.cases} patients, {curve.events} events) {_told(group_chances(found, group))}"
        for group, curve in found.groups.items()
    ]
    yield f"Of the training cohort ({outlook.cohort}), {survived}: {'; '.join(groups)}."
    yield (
        f"{ENDPOINTS.get(found.endpoint, found.endpoint)} expected for this score: {_told(chances(found))}. The "
        "interval is that of the estimate for patients with such a score; what becomes of one patient is far less "
        "certain."
    )


def _told(found: Sequence[Chance]) -> str:
    return ", ".join(f"{chance} at {chance.month} months" for chance in found)


def _inputs(outlook: Outlook) -> Iterator[str]:
    if not outlook.inputs:
        return
    outside = [item for item in outlook.known_inputs if item.is_outside]
    span = "middle 98%" if outlook.inputs[0].cohort.quantiles else "range"
    cohort = f"the {span} of the cohort ({outlook.cases} patients)"
    if outside:
        named = "; ".join(f"{input_in_words(item)}, {position(item)}" for item in outside[:MOST_NAMED])
        more = f"; and {len(outside) - MOST_NAMED} more" if len(outside) > MOST_NAMED else ""
        lies = "lies" if len(outside) == 1 else "lie"
        yield f"{len(outside)} of {_count(outlook.known_inputs)} {lies} outside {cohort}: {named}{more}."
    elif outlook.known_inputs:
        every = "All" if len(outlook.known_inputs) > 1 else "The"
        lies = "lie" if len(outlook.known_inputs) > 1 else "lies"
        counted = _count(outlook.known_inputs) if len(outlook.known_inputs) > 1 else "one numeric input"
        yield f"{every} {counted} {lies} within {cohort}."
    missing = [short_name(item.name) for item in outlook.inputs if item.value is None]
    if missing:
        yield f"Missing, so that the cohort's median was used: {', '.join(missing)}."


def _count(inputs: Sequence[InputPlace]) -> str:
    return f"{len(inputs)} numeric input{'s' if len(inputs) != 1 else ''}"


def input_in_words(item: InputPlace) -> str:
    """Return an input with its value: ``"Albumin 38.2 g/L"``."""
    value = "missing" if item.value is None else _number(item.value)
    return f"{short_name(item.name)} {value}{f' {item.unit}' if item.unit and item.value is not None else ''}"


def position(item: InputPlace) -> str:
    """Return where a value lies in the cohort: ``"about the 62nd percentile"``, ``"1.3 SD above the mean"``."""
    if item.value is None:
        return "missing; the cohort's median was used"
    percentile = item.percentile
    if percentile is None:
        return _deviations(item)
    if item.is_outside:
        return "below the 1st percentile" if percentile == 0 else "above the 99th percentile"
    return f"about the {ordinal(round(percentile))} percentile"


def _deviations(item: InputPlace) -> str:
    known = item.deviations or 0.0
    side = "above" if known >= 0 else "below"
    end = ", below the lowest" if item.value is not None and item.value < item.cohort.low else ""
    end = ", above the highest" if item.value is not None and item.value > item.cohort.high else end
    return f"{abs(known):.1f} SD {side} the mean{end}"


def ordinal(number: int) -> str:
    """Return a whole number as an ordinal: ``"62nd"``."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def percent(share: float) -> str:
    """Return a share in whole per cent; what is not all or nothing is not called so."""
    rounded = round(100 * share)
    if rounded == 0 and share > 0:
        return "<1%"
    return ">99%" if rounded == 100 and share < 1 else f"{rounded}%"


def _number(value: float | None) -> str:
    """Return a number in four digits, whole ones below a million in full."""
    if value is None:
        return "none"
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e6 or float(value).is_integer() else f"{value:.4g}"
