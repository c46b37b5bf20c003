"""A network's cross-validation: as many networks more, each judged on patients of whom it learned nothing at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hccoutcome.cohort.deep_fitting import Fitter, Rows
from hccoutcome.deep.learning import Place
from hccoutcome.errors import InputError
from hccoutcome.evaluation.crossvalidation import OutOfFold, StratifiedFolds, derive_seed
from hccoutcome.progress import part


def cross_validate(fitter: Fitter, rows: Rows, folds: int, place: Place) -> OutOfFold:
    """Return the scores of patients by networks that never saw them.

    Weights, when to stop, normalisation, columns, intervals and median are learned anew in each fold. Thresholds of the
    folds are the medians of their training parts.

    Args:
        fitter: what all networks share.
        rows: the patients.
        folds: stratified by the outcome.
        place: where it runs; each fold keeps its checkpoints in a folder of its own, so that all of it can go on.

    Raises:
        InputError: too few patients for the folds.
        Cancelled: the progress callback asked to stop.
    """
    y = fitter.outcome.y(rows)
    scores, percentiles = np.empty(len(rows)), np.empty(len(rows))
    fold, thresholds = np.empty(len(rows), np.int64), np.empty(folds)
    for number, (train, held) in enumerate(parts_of(fitter, rows, folds)):
        progress = part(place.progress, number / folds, (number + 1) / folds)
        fitted = fitter.fit(rows[train], replace(place, folder=_folder(place, number), progress=progress))
        known = fitter.scores(fitted.model, fitted.config, fitted.split.training)
        scores[held] = fitter.scores(fitted.model, fitted.config, rows[held])
        percentiles[held] = np.searchsorted(np.sort(known), scores[held], side="left") / len(known)
        fold[held], thresholds[number] = number, fitted.config.median
    return OutOfFold(
        cases=tuple(fitter.seen.names[row] for row in rows),
        y=y,
        predictions=scores[None],
        percentiles=percentiles[None],
        fold=fold[None],
        thresholds=thresholds[None],
        survival=None,
        times=(),
        selected=(),
    )


def parts_of(fitter: Fitter, rows: Rows, folds: int) -> list[tuple[Rows, Rows]]:
    """Return who trains and who is held out in each fold, among ``rows``, after checking that each can be learned from.

    Raises:
        InputError: too few patients for the folds, or in the training part of one.
    """
    splits = StratifiedFolds(folds, derive_seed(fitter.settings.loop.seed)).split(None, fitter.outcome.y(rows))
    parts = [(train, held) for train, held in splits]
    for number, (train, _) in enumerate(parts):
        try:
            fitter.plan(rows[train])
        except InputError as error:
            raise InputError(f"Fold {number + 1} of {folds} cannot be learned from: {error}") from None
    return parts


def _folder(place: Place, number: int) -> Path:
    return place.folder / f"fold-{number + 1}"
