"""The model card of a trained package, filled in from what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hccoutcome.cohort.training import doubts_of_folds
from hccoutcome.evaluation.classification import brier
from hccoutcome.evaluation.concordance import harrell
from hccoutcome.evaluation.cox import hazard_ratio
from hccoutcome.evaluation.crossvalidated import cross_validated
from hccoutcome.evaluation.crossvalidation import OutOfFold
from hccoutcome.evaluation.discrimination import auc
from hccoutcome.evaluation.estimate import Estimate
from hccoutcome.evaluation.leaks import TOO_GOOD
from hccoutcome.evaluation.operating import threshold_agreement
from hccoutcome.evaluation.outcomes import is_survival
from hccoutcome.evaluation.study import classes_of
from hccoutcome.package.card import Card, Figure
from hccoutcome.package.format import Package
from hccoutcome.survival.outlook import high_risk

if TYPE_CHECKING:
    from hccoutcome.cohort.packaging import LearningData, TrainSettings
    from hccoutcome.cohort.training_cohort import TrainingCohort
    from hccoutcome.trainable import Trainable

SHOWN_COLUMNS = 12
FEW_EVENTS = 100
RATES = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "positive predictive value",
    "npv": "negative predictive value",
}
CHANCE = 0.5


def write_card(
    package: Package,
    system: Trainable,
    settings: TrainSettings,
    data: LearningData,
    estimator: Any,
    found: OutOfFold,
    cohort: TrainingCohort,
) -> Card:
    """Return the card of a trained package.

    Args:
        package: the package without its card.
        system: the system.
        settings: how it was trained.
        data: on whom.
        estimator: fitted on everybody.
        found: the outer cross-validation.
        cohort: the table behind the data.
    """
    return Card(
        title=package.title,
        intended_use=(
            f"To give a {'probability' if data.task == 'response' else 'risk'} of {data.endpoint} for patients like "
            "those of the training cohort, for research. No decision on a patient may rest on it."
        ),
        cohort=_cohort(settings, data),
        inputs=_inputs(package, system, found),
        figures=tuple(_figures(package, settings, data, estimator, found)),
        figures_source=(
            f"Measured by this software in nested cross-validation ({settings.folds} folds, {settings.repeats} "
            "repeats): imputation, scaling, selection and tuning were learned anew in each training part, and every "
            "patient is judged by models that did not see the patient."
        ),
        limits=(*doubts_of(found, cohort), *_limits(package, settings, data, found)),
        citation=f"{package.citation}. Trained anew: nothing of the source's results is claimed.",
    )


def doubts_of(found: OutOfFold, cohort: TrainingCohort) -> tuple[str, ...]:
    """Return why a cross-validation is not to be believed as it stands, one sentence each."""
    estimate = cross_validated(found)
    figure = "C-index" if is_survival(found.y) else "AUC"
    words = []
    if estimate.value >= TOO_GOOD:
        words.append(
            f"A cross-validated {figure} of {estimate.value:.2f} is a leak until proven otherwise: look for columns "
            "that follow from the outcome."
        )
    if estimate.upper < CHANCE:
        words.append(
            f"The interval of the cross-validated {figure} lies below 0.5: the model does worse than chance, so do not "
            "use it, and look for a reversed coding."
        )
    return (*words, *doubts_of_folds(cohort))


def _cohort(settings: TrainSettings, data: LearningData) -> str:
    patients = len(data.X)
    if data.task == "response":
        outcome = f"{int(data.y.sum())} {classes_of(settings.endpoint)[0]}s"
    else:
        outcome = f"{int(data.y['event'].sum())} events, times from {_span(data.y['time'])} months"
    parts = [settings.cohort or "A cohort of the user's own", f"{patients} patients with a known outcome, {outcome}"]
    if "age" in data.X:
        ages = pd.to_numeric(data.X["age"]).dropna()
        parts.append(f"median age {ages.median():.0f} years (quartiles {ages.quantile(0.25):.0f} to "
                     f"{ages.quantile(0.75):.0f})")  # fmt: skip
    if "sex" in data.X:
        parts.append(f"{int((data.X['sex'] == 'male').sum())} men")
    text = ", ".join(parts) + "."
    return f"{text} {settings.source}".strip()


def _span(times: np.ndarray) -> str:
    return f"{times.min():.3g} to {times.max():.3g}"


def _inputs(package: Package, system: Trainable, found: OutOfFold) -> str:
    needs = package.requirements
    variables = ", ".join(f"{need.meaning} [{need.unit}]" if need.unit else need.meaning for need in needs.variables)
    parts = [f"Clinical variables: {variables}." if variables else "", _features(package)]
    parts.append(f"{system.method} Missing values are filled in with the training median.")
    shares = found.selection_frequency
    often = [f"{name} {share:.0%}" for name, share in shares.items()][:SHOWN_COLUMNS]
    if any(share < 1 for share in shares.values()):
        parts.append(f"Columns by the part of the cross-validation's models that used them: {', '.join(often)}.")
    return "\n\n".join(part for part in parts if part)


def _features(package: Package) -> str:
    features = package.requirements.features
    if not features:
        return "No image is read."
    prepared = "images prepared as stated in package.json" if package.preparation else "images as they come"
    return (
        f"{len(features)} radiomic features ({package.requirements.modality}), {prepared}, settings of "
        f"`parameters.yaml`: {', '.join(f'`{name}`' for name in features)}."
    )


def _figures(
    package: Package, settings: TrainSettings, data: LearningData, estimator: Any, found: OutOfFold
) -> Iterator[Figure]:
    where = f"{settings.folds}-fold cross-validation, {settings.repeats} repeats"
    own = "the training patients themselves (flatters)"
    if data.task == "response":
        yield _figure("AUC", cross_validated(found), where)
        yield _figure("Brier score", brier(data.y, found.mean_prediction).score, where)
        if package.threshold is not None:
            classes = threshold_agreement(found, package.threshold.rule)
            for name, title in RATES.items():
                estimate = getattr(classes, name)
                if estimate is not None:
                    yield _figure(f"{title} at a threshold chosen without the fold", estimate, where)
        yield _figure("AUC", auc(data.y, estimator.predict_proba(data.X)[:, 1]), own)
        return
    yield _figure("C-index (Harrell)", cross_validated(found), where)
    high = high_risk(found.percentiles)
    if 0 < high.sum() < len(high):
        term = hazard_ratio(data.y, high)
        yield _figure("hazard ratio, high against low risk group", term.hazard_ratio, where)
    yield _figure("C-index (Harrell)", harrell(data.y, estimator.predict(data.X)), own)


def _figure(name: str, estimate: Estimate, where: str) -> Figure:
    return Figure(name, f"{estimate.value:.3f}", f"{estimate.lower:.3f} to {estimate.upper:.3f}", where)


def _limits(package: Package, settings: TrainSettings, data: LearningData, found: OutOfFold) -> Iterator[str]:
    yield from settings.limits
    yield from package.requirements.cautions
    yield "Trained and measured on one cohort; there is no external validation."
    if cross_validated(found).contains(CHANCE):
        yield "The interval of the cross-validated figure reaches down to 0.5: that it tells nothing is not excluded."
    if data.task == "response":
        rarer = int(min(data.y.sum(), (~data.y).sum()))
        known = f"{int(data.y.sum())} {classes_of(settings.endpoint)[0]}s and {int((~data.y).sum())} others"
    else:
        rarer = int(data.y["event"].sum())
        known = f"{rarer} events among {len(data.X)} patients"
    if rarer < FEW_EVENTS:
        yield f"Only {known}: the intervals above are wide and mean it."
    if package.threshold is not None:
        yield (
            f"A response is predicted from a probability of {package.threshold.value:.4g}, the threshold with "
            f"{package.threshold.criterion}. {package.threshold.source}"
        )
    elif data.task == "response":
        whom = f"{classes_of(settings.endpoint)[0]}s"
        yield f"No threshold tells {whom} from others out of fold, so no class is given with a probability."
    most = package.requirements.most_missing
    if package.requirements.variables:
        does = f"up to {most} may be missing and are filled in with a warning" if most else "none may be missing"
        yield f"Of its {len(package.requirements.variables)} clinical variables {does}."
    if data.task == "survival" and package.prognosis is None:
        yield "So many patients share one risk that no two risk groups of five or more can be formed: none is given."
    elif data.task == "survival":
        yield (
            "prognosis.json tells the cohort's Kaplan-Meier curves and numbers at risk by risk group on whole months, "
            "and reference.json quantiles of each input: no row of a patient."
        )
    else:
        yield "reference.json tells quantiles of each input: no row of a patient."
    if package.models:
        yield "Its trees split between values of training patients, so their borders tell where such values lie."
