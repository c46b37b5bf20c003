"""What a study says in plain words: whether it is better than chance, how much was optimism, and what to doubt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hccoutcome.evaluation.estimate import Estimate
from hccoutcome.evaluation.figures.style import p_text
from hccoutcome.evaluation.leaks import TOO_GOOD, LeakCheck
from hccoutcome.evaluation.study import Predicted, ResponseFigures, Study, SurvivalFigures
from hccoutcome.status import Status

CHANCE = 0.5
ENOUGH = 100
"""Patients with and without the outcome that an evaluation should have (Vergouwe, J Clin Epidemiol 2005;58:475)."""
NOTABLE = 0.05
BALANCED = 0.1
"""Standardised differences up to here count as balanced (Austin, Stat Med 2009;28:3083)."""
VAGUE = 0.15
"""A test for leaks whose interval reaches further than this from its middle excludes nothing."""
_DIFFER = "its risk groups differ"
_TOO_MUCH = (
    "on noise such intervals miss 1 in 11 to 16 of 100 cohorts, and the interval of the C-index, which counts how much "
    f"folds share, includes 0.5: these patients do not show that {_DIFFER}"
)
WAYS = {
    "cross-validated": "cross-validated",
    "external": "a finished package on other patients",
    "apparent": "a package on the patients it learned from",
}


@dataclass(frozen=True)
class Sentence:
    """A sentence of the verdict: good, doubtful or bad news."""

    status: Status
    text: str


def verdict(study: Study) -> list[Sentence]:
    """Return what a study found, system by system; baselines are told where others are compared with them."""
    found: list[Sentence] = []
    for given, item in zip(study.predicted, study.figures, strict=True):
        if not given.baseline:
            found += _of_system(study, given, item)
    found += _later(study)
    found += _refusals(study)
    found += _comparisons(study)
    found += _matching(study)
    found += (Sentence("warning", note) for note in study.notes)
    return [*found, *_size(study)]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``"1 repeat"``, ``"5 repeats"``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def figure_text(estimate: Estimate) -> str:
    """Return a figure with its interval as the report prints it."""
    return f"{estimate.value:.3f} ({100 * estimate.level:g}% CI {estimate.lower:.3f} to {estimate.upper:.3f})"


def _of_system(study: Study, given: Predicted, item: ResponseFigures | SurvivalFigures) -> Iterator[Sentence]:
    main = item.main
    what = f"{given.label} ({WAYS[given.way]}, {item.patients} patients): {study.figure} {figure_text(main)}"
    if given.way == "apparent":
        yield Sentence("refused", f"{what}; {'; '.join(given.notes)}")
        return
    if main.lower > CHANCE:
        yield Sentence("ok", f"{what}. The interval lies above 0.5: better than chance.")
    elif main.upper < CHANCE:
        yield Sentence(
            "refused", f"{what}. The interval lies below 0.5: worse than chance; look for a reversed coding."
        )
    else:
        yield Sentence(
            "warning", f"{what}. The interval includes 0.5: these patients do not show that it is better than chance."
        )
    yield from _doubts(study, given, item)
    yield from _probabilities(item) if isinstance(item, ResponseFigures) else _groups(given, item)
    yield from (Sentence("warning", f"{given.label}: {note}") for note in (*given.notes, *item.notes))


def _doubts(study: Study, given: Predicted, item: ResponseFigures | SurvivalFigures) -> Iterator[Sentence]:
    if item.main.value >= TOO_GOOD:
        figure = f"{'an' if study.figure == 'AUC' else 'a'} {study.figure} of {item.main.value:.2f}"
        yield Sentence(
            "refused",
            f"{given.label}: {figure} is a leak until proven otherwise: look for columns that follow from the outcome.",
        )
    if item.apparent is not None:
        optimism = item.apparent.value - item.main.value
        learned = f"on the patients it learned from {given.label} reaches {item.apparent.value:.2f}"
        yield Sentence(
            "warning" if optimism > NOTABLE else "ok",
            f"Optimism: {learned}, {optimism:+.2f} against the cross-validated figure. Only the latter says what to "
            "expect of other patients of the same kind.",
        )
        by_heart = item.apparent.value >= TOO_GOOD and optimism > NOTABLE
        if by_heart and study.task == "response" and not study.settings["threshold_folds"]:
            yield Sentence(
                "warning",
                f"{given.label} knows its training patients by heart, so a threshold by its predictions for them is "
                "poor: --threshold-folds 3 chooses it on patients left out.",
            )
    for name, check in item.bootstrap.items():
        yield Sentence(
            "ok",
            f"Bootstrap of {given.label}, {name.replace('_', '-')}: {check.apparent.value:.2f} apparent, "
            f"{check.corrected.value:.2f} less the optimism, {check.plus632:.2f} by .632+.",
        )
    if item.leaks is not None:
        yield _leaks(study, given, item.leaks)


def _leaks(study: Study, given: Predicted, found: LeakCheck) -> Sentence:
    unread = " (those of noise are features, which it does not read)" if given.modality == "clinical" else ""
    what = (
        f"{given.label} on permuted outcomes and {found.columns} columns{unread}: "
        f"{study.figure} {figure_text(found.figure)}"
    )
    if not found.clean:
        return Sentence("refused", f"{what}; the interval does not hold 0.5: something leaks between the folds.")
    if found.figure.upper - found.figure.lower > 2 * VAGUE:
        more = f"{len(found.figures)} permutations are too few to exclude one: ask for more."
        return Sentence("warning", f"{what}; no leak is seen, but {more}")
    return Sentence("ok", f"{what}; no leak.")


def _probabilities(item: ResponseFigures) -> Iterator[Sentence]:
    if item.line is None:
        return
    line = item.line
    if line.slope is None:
        why = "are all alike" if item.finished.value == CHANCE else "tell the two classes apart completely"
        yield Sentence("warning", f"{item.label}: its probabilities {why}, so they have no calibration slope.")
    elif line.slope.upper < 1:
        yield Sentence(
            "warning",
            f"{item.label}: calibration slope {figure_text(line.slope)}, below 1: its probabilities are too extreme.",
        )
    else:
        more = "" if line.slope.contains(1) else ", above 1: its probabilities are too timid"
        yield Sentence(
            "ok" if not more else "warning", f"{item.label}: calibration slope {figure_text(line.slope)}{more}."
        )
    if not line.intercept.contains(0):
        direction = "more" if line.intercept.value > 0 else "fewer"
        yield Sentence(
            "warning",
            f"{item.label}: {line.observed} had the outcome and {line.expected:.1f} were expected: {direction} than it "
            "says.",
        )


def _groups(given: Predicted, item: SurvivalFigures) -> Iterator[Sentence]:
    if item.ratio is not None:
        ratio = item.ratio.hazard_ratio
        words = f"{item.label}: hazard ratio of high against low risk {figure_text(ratio)}, the models taken as fixed"
        if ratio.contains(1):
            found = Sentence("warning", f"{words}; the interval includes 1: these patients do not show that {_DIFFER}.")
        elif ratio.value < 1:
            found = Sentence("warning", f"{words}; those at high risk lived longer.")
        elif given.way == "cross-validated" and item.main.lower <= CHANCE:
            found = Sentence("warning", f"{words}, which says too much: {_TOO_MUCH}.")
        else:
            found = Sentence("ok", f"{words}.")
        yield found
    if item.hazards is not None and item.hazards.global_p < 0.05:
        yield Sentence(
            "warning",
            f"{item.label}: the hazards of its risk groups are not proportional ({p_text(item.hazards.global_p)}), so "
            "one hazard ratio does not describe all times.",
        )
    if item.brier is not None and item.brier.scaled is not None and item.brier.scaled <= 0:
        yield Sentence(
            "warning",
            f"{item.label}: its predicted survival is no closer to what happened than one Kaplan-Meier curve given to "
            "everybody (integrated Brier score).",
        )


def _later(study: Study) -> Iterator[Sentence]:
    """Yield whether the groups that a system predicts of a response fared differently later."""
    apparent = _apparent(study)
    for item in study.followed:
        if item.ratio is None:
            continue
        ratio = item.ratio.hazard_ratio
        words = f"{item.label}, {item.endpoint}: hazard ratio of high against low risk {figure_text(ratio)}"
        if item.label in apparent:
            yield Sentence("warning", f"{words}; it knows these patients, so it shows nothing.")
        elif ratio.contains(1):
            yield Sentence("warning", f"{words}; the interval includes 1: no difference is shown.")
        else:
            yield (
                Sentence("ok", f"{words}.")
                if ratio.value > 1
                else Sentence("warning", f"{words}; those who were to fare better fared worse.")
            )


def _apparent(study: Study) -> set[str]:
    """Return the packages that learned from these very patients."""
    return {given.label for given in study.predicted if given.way == "apparent"}


def _refusals(study: Study) -> Iterator[Sentence]:
    """Yield for how many patients packages gave no score, or a doubtful one."""
    for item in study.applied:
        total = item.scored + item.refused
        if item.refused:
            words = f"{item.label} gave no score for {item.refused} of {total} patients"
            yield Sentence("warning", f"{words}: its figures are those of the others.")
        if item.doubtful:
            words = f"{item.label} had doubts about {item.doubtful} of {item.scored} scores"
            yield Sentence("warning", f"{words}; the reasons stand under Packages.")


def _matching(study: Study) -> Iterator[Sentence]:
    """Yield which covariates matching left unbalanced."""
    if study.matched is None:
        return
    rows = study.matched.balance
    unbalanced = [row.name for row in rows if row.after is not None and abs(row.after) > BALANCED]
    if unbalanced:
        words = f"Matching by the propensity of '{study.matched.treatment}' leaves {', '.join(unbalanced)} unbalanced"
        yield Sentence("warning", f"{words}: figures among the matched compare unlike groups.")


def _comparisons(study: Study) -> Iterator[Sentence]:
    """Yield what the first system's comparisons show."""
    apparent = _apparent(study)
    for pair in study.versus:
        if pair.first != study.predicted[0].label:
            continue
        test = pair.systems or pair.predictions
        on = "" if pair.patients == len(study.y) else f" on {pair.patients} patients"
        words = f"{pair.first} against {pair.second}{on}: {pair.figure} {test.difference.value:+.2f} "
        words += f"({100 * test.difference.level:g}% CI {test.difference.lower:+.2f} to {test.difference.upper:+.2f})"
        if apparent.intersection((pair.first, pair.second)):
            yield Sentence("warning", f"{words}; one of them knows these patients, so it shows nothing.")
        elif test.difference.contains(0):
            yield Sentence("warning", f"{words}; no difference is shown.")
        else:
            better = test.difference.value > 0
            yield Sentence("ok" if better else "warning", f"{words}; it is {'better' if better else 'worse'}.")


def _size(study: Study) -> Iterator[Sentence]:
    without = len(study.y) - study.events
    few = study.events if study.task == "survival" else min(study.events, without)
    if few < ENOUGH:
        kind = "events" if study.task == "survival" else "patients with the rarer outcome"
        yield Sentence(
            "warning",
            f"Only {few} {kind}: an evaluation should have at least {ENOUGH}, so the intervals are wide and mean it.",
        )
    if all(given.way == "cross-validated" for given in study.predicted):
        yield Sentence(
            "warning",
            "All figures come from one cohort by cross-validation: they say nothing about other hospitals, scanners or "
            "treatments. Only patients from elsewhere can.",
        )
