"""From a training table and images to the package of a network: ``hcc train selection`` and its kin.

The patients are split once, by patient and outcome: a part that is only judged at the end, a part that tells when to
stop, and the rest, from which weights, normalisation and the median score come. A cross-validation, where one is asked
for, stays among the latter two, so that the first has no part in anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hccoutcome.cohort.deep_cases import find_cases, see_cases
from hccoutcome.cohort.deep_evaluation import DeepEvaluation, Judging, card_of, evaluate
from hccoutcome.cohort.deep_fitting import Fitted, Fitter
from hccoutcome.cohort.deep_folds import cross_validate, parts_of
from hccoutcome.cohort.deep_operating import prognosis_of, threshold_of
from hccoutcome.cohort.deep_settings import USUAL, DeepTrainSettings, Outcome, outcome_of
from hccoutcome.cohort.training_cohort import TrainingCohort
from hccoutcome.deep.cache import Cache
from hccoutcome.deep.devices import training_device
from hccoutcome.deep.fingerprints import LEARNED_IMAGES
from hccoutcome.deep.learning import Place
from hccoutcome.deep.package import VIEWS, DeepConfig
from hccoutcome.deep.package_making import Making, make_package
from hccoutcome.deep.resnet import DLOPCTR_EXTRACTOR, TCI_EXTRACTOR, FeatureExtractor, ResNetSize
from hccoutcome.deep.samples import Split, split_patients
from hccoutcome.deep.selection_network import selection_size
from hccoutcome.deep.tci_inputs import TciView
from hccoutcome.deep.tci_network import TciSize
from hccoutcome.deep.training import Trained
from hccoutcome.deep.weights import fetch_weights, read_resnet
from hccoutcome.errors import InputError
from hccoutcome.package.format import Package
from hccoutcome.package.reference import LEAST_CASES
from hccoutcome.progress import Progress, part, silent

__all__ = ["USUAL", "DeepTrainSettings", "Outcome", "TrainedNetwork", "outcome_of", "train_network"]

DOWNLOAD = "download"
PUBLIC = {"tci": "resnet50", "dlopctr": "resnet101"}
TINY_TRANSFORMER = {"width": 48, "hidden": 48, "heads": 4}


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A trained package, how it was judged and how it learned.

    Attributes:
        package: the package.
        evaluation: on the patients that it never saw, and by cross-validation where one was asked for.
        trained: the training loop's report.
        lost: why a patient's images could not be used, by patient.
    """

    package: Package
    evaluation: DeepEvaluation
    trained: Trained
    lost: dict[str, str] = field(default_factory=dict)


def train_network(
    cohort: TrainingCohort,
    table: Path,
    root: Path,
    settings: DeepTrainSettings,
    folder: Path,
    progress: Progress = silent,
) -> TrainedNetwork:
    """Train a network on a cohort and return its package.

    Args:
        cohort: the patients, as read from ``table``.
        table: the training table.
        root: folder with the cases (``deep_cases.find_cases``).
        settings: what is trained.
        folder: for planes, checkpoints and curves; a training found there goes on.
        progress: told how far it is; may stop it.

    Raises:
        InputError: the cohort or its images do not allow it.
        EnvironmentNeeded: weights, device or disk are missing.
        Cancelled: the progress callback asked to stop; called again, it goes on.
    """
    _check(settings)
    device = training_device(settings.device)
    outcome = outcome_of(cohort, settings)
    _check_patients(outcome, settings)  # before weights are fetched and images are read, which take long
    config = _first_config(settings)
    frozen = None if settings.from_scratch or config.extractor is None else _extractor(settings, config, folder)
    files = find_cases(table, root, list(outcome.table.index))
    cache = Cache(folder / "cache")
    seen = see_cases(files, config, folder, cache, part(progress, 0.0, 0.3))
    outcome = outcome.of(seen.names)
    held_out = _check_patients(outcome, settings)

    def extractor() -> FeatureExtractor | None:
        return _extractor(settings, config, folder) if settings.from_scratch else frozen

    one = 1 / (settings.folds + 1)
    place = Place(folder, device, part(progress, 0.3, 0.35))
    fitter = Fitter(config, settings, seen, outcome, extractor).with_features(place, cache)
    if settings.folds:
        parts_of(fitter, held_out.training, settings.folds)  # what cannot be done is said before the long work
    fitted = fitter.fit(held_out.training, Place(folder, device, part(progress, 0.35, 0.35 + 0.55 * one)))
    crossed = None
    if settings.folds:
        place = Place(folder, device, part(progress, 0.35 + 0.55 * one, 0.9))
        crossed = cross_validate(fitter, held_out.training, settings.folds, place)
    progress(0.92, "Judges the network on patients that it never saw")
    scores = fitter.scores(fitted.model, fitted.config, np.arange(len(seen.names)))
    test = held_out.validation
    threshold = threshold_of(outcome, scores, fitted.split, test, crossed, settings)
    found = evaluate(Judging(fitter, fitted, scores, test, crossed, threshold))
    making = Making(
        name=settings.name or _name(settings),
        endpoint=outcome.words,
        card=card_of(fitter, fitted, found).markdown(),
        cohort=settings.cohort,
        settings=_settings_to_json(fitter, fitted, found, cohort),
        threshold=threshold,
        prognosis=prognosis_of(outcome, scores, fitted, test, crossed, settings),
    )
    package = make_package(fitted.config, fitted.model.cpu(), outcome.table.iloc[fitted.split.training], making)
    return TrainedNetwork(package, found, fitted.trained, dict(seen.lost))


def _check(settings: DeepTrainSettings) -> None:
    """Refuse settings that contradict each other.

    Raises:
        InputError: names the contradiction.
    """
    convolutions = settings.system in PUBLIC
    if convolutions and settings.weights is None and not settings.from_scratch:
        raise InputError(
            f"{settings.system} starts from ImageNet weights, found none: give --weights FILE (or --weights "
            f"{DOWNLOAD}), or say --from-scratch to train the convolutions too, which takes a far larger cohort."
        )
    if settings.weights is not None and (settings.from_scratch or not convolutions):
        why = "--from-scratch uses none" if convolutions else f"{settings.system} has no ResNet"
        raise InputError(f"--weights is given, but {why}: leave it out.")
    if settings.weights is not None and settings.size != "base":
        raise InputError("ImageNet weights belong to the size 'base', found 'tiny': leave --size out.")


def _check_patients(outcome: Outcome, settings: DeepTrainSettings) -> Split:
    """Return who trains or tells when to stop, and who is only judged at the end, where there are enough of them.

    Raises:
        InputError: too few patients of an outcome, or left to learn from.
    """
    names, seed = np.array(outcome.table.index, str), settings.loop.seed
    if not 0 < settings.test <= 0.5:
        raise InputError(f"--test is a share above 0 and up to 0.5 of the patients, found {settings.test:g}.")
    held_out = split_patients(names, outcome.strata, settings.test, seed)
    rest = held_out.training
    learned = len(split_patients(names[rest], outcome.strata[rest], settings.loop.validation, seed).training)
    if learned < LEAST_CASES:
        raise InputError(
            f"At least {LEAST_CASES} patients to learn from were expected, found {learned} beside "
            f"{len(rest) - learned} that tell when to stop and {len(names) - len(rest)} that are judged at the end: "
            "add patients."
        )
    return held_out


def _first_config(settings: DeepTrainSettings) -> DeepConfig:
    """Return the configuration as far as it is known before anything was learned."""
    view = VIEWS[settings.system]()
    extractor = {"tci": TCI_EXTRACTOR, "dlopctr": DLOPCTR_EXTRACTOR}.get(settings.system)
    size: dict[str, Any]
    if extractor is None:
        size = selection_size(settings.size).to_dict()
    else:
        size = {"features": extractor[settings.size].channels}
        if isinstance(view, TciView):
            smaller = TINY_TRANSFORMER if settings.size == "tiny" else {}
            counts = {"phases": len(view.phases), "slices": len(view.offsets)}
            size = TciSize(**size, **counts, **smaller).to_dict()
    return DeepConfig(
        settings.system,
        settings.target,
        size,
        view,
        median=0.5,
        phantoms=False,
        extractor=None if extractor is None else extractor[settings.size].to_dict(),
    )


def _extractor(settings: DeepTrainSettings, config: DeepConfig, folder: Path) -> FeatureExtractor:
    """Return the convolutions: pretrained and frozen, or from scratch."""
    kinds = TCI_EXTRACTOR if settings.system == "tci" else DLOPCTR_EXTRACTOR
    size: ResNetSize = kinds[settings.size]
    if settings.weights is None:
        torch.manual_seed(settings.loop.seed)
        return FeatureExtractor(size, frozen=False)
    path = Path(settings.weights)
    if settings.weights == DOWNLOAD:
        path = fetch_weights(PUBLIC[settings.system], folder, agreed=True)
    extractor = FeatureExtractor(size, frozen=True)
    extractor.take_weights(read_resnet(path, size))
    return extractor


def _name(settings: DeepTrainSettings) -> str:
    return f"{settings.system}-{settings.endpoint.replace('.', '')}"


def _settings_to_json(fitter: Fitter, fitted: Fitted, found: DeepEvaluation, cohort: TrainingCohort) -> dict[str, Any]:
    """Return what it takes to train the same package again, and to know again what it learned from."""
    settings, learned = fitter.settings, np.concatenate([fitted.split.training, fitted.split.validation])
    return {
        "system": settings.system,
        "endpoint": settings.endpoint,
        "reader": settings.reader,
        "size": settings.size,
        "weights": "none" if settings.weights is None else "ImageNet",
        "from_scratch": settings.from_scratch,
        "test": settings.test,
        "folds": settings.folds,
        "intervals": settings.intervals,
        "training": settings.loop.to_dict(),
        "best_epoch": fitted.trained.best,
        "lowest_training_epoch": fitted.trained.lowest_training,
        "patients": found.patients,
        "sources": dict(sorted(cohort.sources.items())),
        LEARNED_IMAGES: sorted({mark for row in learned for mark in fitter.seen.fingerprints[row]}),
    }
