"""A system on the patients of a study: cross-validated, on the patients it learned from, by bootstrap, on noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hccoutcome.cohort.evaluate_cnn import CNN_LOGISTIC
from hccoutcome.cohort.evaluate_contenders import Contender
from hccoutcome.cohort.evaluate_settings import StudySettings
from hccoutcome.cohort.packaging import LearningData, check_enough
from hccoutcome.evaluation.crossvalidation import derive_seed, out_of_fold, predict
from hccoutcome.evaluation.estimate import Floats
from hccoutcome.evaluation.judging import figure_of
from hccoutcome.evaluation.leaks import check_leaks
from hccoutcome.evaluation.outlook import WithSurvival
from hccoutcome.evaluation.resampling import bootstrap_validation
from hccoutcome.evaluation.study import Predicted, ResponseFigures, SurvivalFigures
from hccoutcome.progress import Progress
from hccoutcome.survival.outlook import high_risk
from hccoutcome.trainable import Options, make_estimator


def unfitted(contender: Contender, data: LearningData, settings: StudySettings) -> Any:
    """Return the unfitted estimator of a system."""
    assert contender.system is not None  # noqa: S101 - a package has no estimator; told to the type checker
    if contender.system is CNN_LOGISTIC:
        return CNN_LOGISTIC.make(Options(contender.modality, data.task, settings.seed))
    return make_estimator(
        contender.system.name,
        task=data.task,
        modality=contender.modality,
        seed=settings.seed,
        stability=settings.stability,
        candidates=settings.candidates,
    )


def cross_validate(
    contender: Contender,
    data: LearningData,
    settings: StudySettings,
    times: tuple[float, ...],
    workers: int,
    progress: Progress,
) -> Predicted:
    """Return what models that never saw a patient say of it.

    Args:
        contender: a system.
        data: the patients.
        settings: of the study.
        times: months at which survival is asked for, empty for a response.
        workers: processes; the result does not depend on it.
        progress: told how far the work is.

    Raises:
        InputError: the system cannot learn from these patients.
    """
    check_enough(data)
    estimator = unfitted(contender, data, settings)

    def named(fraction: float, message: str) -> None:
        progress(fraction, f"{contender.label}: {message}")

    if data.task == "survival":
        estimator = WithSurvival(estimator, folds=settings.survival_folds)
    found = out_of_fold(
        estimator,
        data.X,
        data.y,
        folds=settings.folds,
        repeats=settings.repeats,
        seed=settings.seed,
        n_jobs=workers,
        times=times,
        threshold_folds=settings.threshold_folds,
        progress=named,
    )
    response = data.task == "response"
    inner = f"{settings.threshold_folds}-fold cross-validation inside" if settings.threshold_folds else "predictions of"
    system = contender.system
    return Predicted(
        label=contender.label,
        title=contender.title,
        way="cross-validated",
        baseline=contender.baseline,
        known=np.ones(len(data.X), bool),
        prediction=found.mean_prediction,
        place=found.mean_prediction if response else found.mean_percentile,
        probability=response,
        positive=found.positive_in_most if response else high_risk(found.percentiles),
        threshold=(
            f"Youden's of each fold, by {inner} its training part; positive in most repeats"
            if response
            else "at least half of the fold's training risks lie below, in most repeats"
        ),
        survival=None if response else found.mean_survival,
        found=found,
        # What reads images is not explained from a table.
        system="" if system in (None, CNN_LOGISTIC) else system.name,
        modality=contender.modality,
        method="" if system is None else system.method,
        citation="" if system is None else system.citation,
    )


def with_refitted(
    figures: ResponseFigures | SurvivalFigures,
    contender: Contender,
    data: LearningData,
    settings: StudySettings,
    workers: int,
) -> ResponseFigures | SurvivalFigures:
    """Return the figures with those that need the system fitted anew: apparent, bootstrap, leaks."""
    if contender.system is None:
        return figures
    estimator = unfitted(contender, data, settings)
    apparent = figure_of(data.y, _known(estimator, data))
    if contender.baseline:
        return replace(figures, apparent=apparent)
    seed = derive_seed(settings.seed, 2)
    return replace(
        figures,
        apparent=apparent,
        bootstrap=(
            bootstrap_validation(estimator, data.X, data.y, seed=seed, resamples=settings.bootstrap, n_jobs=workers)
            if settings.bootstrap
            else {}
        ),
        leaks=(
            check_leaks(estimator, data.X, data.y, seed=seed, permutations=settings.leaks, folds=settings.folds)
            if settings.leaks
            else None
        ),
    )


def _known(estimator: Any, data: LearningData) -> Floats:
    """Return what a system says of the very patients it learned from."""
    return predict(estimator.fit(data.X, data.y), data.X)
