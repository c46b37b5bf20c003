"""What the checklist of TRIPOD+AI (Collins et al., BMJ 2024;385:e078378) has to know of a study.

The items stand in ``study_checklist.html``. What a program cannot know is not made up: the author is told to write it.
"""

from __future__ import annotations

from hccoutcome.evaluation.study import Study
from hccoutcome.report.study_words import counted

WRITE = "not known to the software: write it here"


def facts_of(study: Study) -> dict[str, str]:
    """Return the words that the items' answers are made of."""
    learned = [given.label for given in study.predicted if given.way == "cross-validated" and not given.baseline]
    packages = [item.label for item in study.applied]
    kinds = [
        f"development with cross-validation of {', '.join(learned)}" if learned else "",
        f"evaluation of the finished packages {', '.join(packages)}" if packages else "",
    ]
    thresholds = [
        f"{given.label}: {given.threshold or 'no threshold'}" for given in study.predicted if not given.baseline
    ]
    return {
        "kind": " and ".join(filter(None, kinds)),
        "size": f"{len(study.y)} patients, {study.events} with the outcome",
        "systems": ", ".join(given.label for given in study.predicted),
        "horizon": "" if study.months is None else f"; calibration and decision curves at {study.months:.3g} months",
        "partition": _partition(study, bool(learned)),
        "thresholds": "; ".join(thresholds),
        "write": WRITE,
    }


def _partition(study: Study, learned: bool) -> str:
    settings = study.settings
    found = []
    if learned:
        found.append(
            f"{settings['folds']}-fold cross-validation, {counted(settings['repeats'], 'repeat')}, everything that "
            "learns inside the training part."
        )
    if study.applied:
        found.append("Packages are finished: all patients serve to evaluate them.")
    return " ".join(found)
