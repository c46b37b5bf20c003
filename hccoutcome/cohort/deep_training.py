"""From a training table and images to the package of a network: ``hcc train selection`` and its kin.

The patients are split once, by patient and outcome: a part that is only judged at the end, a part that tells when to
stop, and the rest, from which weights, normalisation and the median score come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from hccoutcome.clinical.endpoints import CRITERIA, ENDPOINTS, ONE_YEAR, YEAR, survived
from hccoutcome.cohort.deep_cases import SeenCases, find_cases, see_cases
from hccoutcome.cohort.deep_evaluation import DeepEvaluation, card_of, evaluate
from hccoutcome.cohort.training_cohort import TrainingCohort
from hccoutcome.deep.cache import Cache
from hccoutcome.deep.devices import training_device
from hccoutcome.deep.dlopctr_network import DlopctrNetwork
from hccoutcome.deep.hazards import breaks_by_events, risk_of
from hccoutcome.deep.learning import (
    Place,
    case_features,
    learn_dlopctr,
    learn_from_scratch,
    learn_selection,
    learn_tci,
    response_targets,
    survival_targets,
)
from hccoutcome.deep.model import DeepModel, Network
from hccoutcome.deep.package import VIEWS, DeepConfig, DeepName, Target
from hccoutcome.deep.package_making import Making, make_package
from hccoutcome.deep.package_network import as_batch
from hccoutcome.deep.resnet import DLOPCTR_EXTRACTOR, TCI_EXTRACTOR, FeatureExtractor, ResNetSize
from hccoutcome.deep.samples import Samples, Split, split_patients
from hccoutcome.deep.selection_inputs import VARIABLES
from hccoutcome.deep.selection_network import selection_size
from hccoutcome.deep.tci_inputs import TciView
from hccoutcome.deep.tci_network import TciNetwork, TciSize
from hccoutcome.deep.training import Trained
from hccoutcome.deep.training_settings import (
    DLOPCTR_TRAINING,
    SELECTION_TRAINING,
    TCI_TRAINING,
    TrainingSettings,
)
from hccoutcome.deep.weights import fetch_weights, read_resnet
from hccoutcome.errors import InputError, nearest
from hccoutcome.package.format import Package
from hccoutcome.package.inputs import Column, learn_columns
from hccoutcome.progress import Progress, part, silent

DOWNLOAD = "download"
SizeName = Literal["tiny", "base"]
PUBLIC = {"tci": "resnet50", "dlopctr": "resnet101"}
TINY_TRANSFORMER = {"width": 48, "hidden": 48, "heads": 4}
USUAL = {
    "selection": SELECTION_TRAINING,
    "selection-vit": SELECTION_TRAINING,
    "tci": TCI_TRAINING,
    "dlopctr": DLOPCTR_TRAINING,
}


@dataclass(frozen=True)
class DeepTrainSettings:
    """What is trained, and how.

    Attributes:
        system: which network.
        endpoint: a response criterion, ``"survival-1y"``, or for DLOPCTR ``"os"``, ``"pfs"``, ``"ttp"``.
        reader: who read the response, empty where the table has one reading.
        size: of the network.
        weights: file with ImageNet weights of the ResNet, ``"download"`` to fetch them, None for none.
        from_scratch: train the convolutions too, from random weights.
        test: share of the patients that is only judged at the end.
        intervals: of survival, of DLOPCTR.
        training: settings of the loop; those of the paper where None.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        name: of the package; made of system and endpoint where empty.
        cohort: who the patients are, in words.
    """

    system: DeepName
    endpoint: str
    reader: str = ""
    size: SizeName = "base"
    weights: str | None = None
    from_scratch: bool = False
    test: float = 0.2
    intervals: int = 8
    training: TrainingSettings | None = None
    device: str = "auto"
    name: str = ""
    cohort: str = ""

    @property
    def loop(self) -> TrainingSettings:
        """The settings of the training loop."""
        return self.training or USUAL[self.system]

    @property
    def target(self) -> Target:
        """What the network is trained on."""
        if self.system == "dlopctr":
            return "survival"
        return "one-year survival" if self.endpoint == ONE_YEAR else "response"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of the patients of whom it is known.

    Attributes:
        table: what is known of them before treatment, one row a patient.
        happened: response, one-year survival, or the event.
        time: months to the event or the last news; None where the outcome is no survival.
        words: the endpoint in words.
    """

    table: pd.DataFrame
    happened: NDArray[np.bool_]
    time: NDArray[np.float64] | None
    words: str

    @property
    def strata(self) -> NDArray[np.bool_]:
        """What is to be as frequent in all parts: the outcome, or of survival an event in the earlier half of them."""
        if self.time is None or not self.happened.any():
            return self.happened
        return self.happened & (self.time <= np.median(self.time[self.happened]))

    def of(self, names: Sequence[str]) -> Outcome:
        """Return the same of some patients, in their order."""
        places = [self.table.index.get_loc(name) for name in names]
        time = None if self.time is None else self.time[places]
        return Outcome(self.table.loc[list(names)], self.happened[places], time, self.words)


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A trained package, how it was judged and how it learned.

    Attributes:
        package: the package.
        evaluation: on the patients that it never saw.
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
    config = _first_config(settings)
    extractor = None if config.extractor is None else _extractor(settings, config, folder)
    files = find_cases(table, root, list(outcome.table.index))
    seen = see_cases(files, config, folder, Cache(folder / "cache"), part(progress, 0.0, 0.3))
    outcome = outcome.of(seen.names)
    held_out = split_patients(seen.names, outcome.strata, settings.test, settings.loop.seed)
    inner = _inner_split(seen.names, outcome, held_out.training, settings.loop)
    config = _learned_config(config, settings, outcome, inner, seen.phantoms)
    place = Place(folder, device, part(progress, 0.3, 0.9))
    learner = _Learner(config, settings, seen, outcome, inner, place)
    network, trained = learner.learn(extractor)
    model = DeepModel(network).to(device).eval()
    progress(0.92, "Judges the network on patients that it never saw")
    scores = _scores(model, config, seen, outcome.table)
    config = replace(config, median=float(np.median(scores[inner.training])))
    clinical = clinical_numbers(config, outcome.table)
    found = evaluate(config, outcome, scores, inner, held_out.validation, seen, model, clinical)
    model = model.cpu()
    making = Making(
        name=settings.name or _name(settings),
        endpoint=outcome.words,
        card=card_of(config, outcome, found, trained, settings, seen).markdown(),
        cohort=settings.cohort,
        settings=_settings_to_json(settings, cohort, found, trained),
    )
    package = make_package(config, model, outcome.table.iloc[inner.training], making)
    return TrainedNetwork(package, found, trained, dict(seen.lost))


def outcome_of(cohort: TrainingCohort, settings: DeepTrainSettings) -> Outcome:
    """Return the patients of whom the endpoint is known.

    Raises:
        InputError: the table has no such endpoint, or the network does not predict it.
    """
    if settings.system == "dlopctr":
        if settings.endpoint not in ENDPOINTS:
            raise InputError(f"DLOPCTR predicts survival, not '{settings.endpoint}'; {nearest('os', ENDPOINTS)}.")
        rows, followed = cohort.survival_data(settings.endpoint)
        return Outcome(rows, followed["event"], followed["time"], ENDPOINTS[settings.endpoint].lower())
    if settings.endpoint == ONE_YEAR:
        rows, followed = cohort.survival_data("os")
        alive, known = survived(followed, YEAR)
        return Outcome(rows[known], alive[known], None, "survival of one year")
    if settings.endpoint not in CRITERIA:
        raise InputError(
            f"'{settings.endpoint}' is not an endpoint of {settings.system}; "
            f"{nearest(settings.endpoint, [*CRITERIA, ONE_YEAR])}."
        )
    rows, response = cohort.response_data(settings.endpoint, settings.reader or None)
    return Outcome(rows, response, None, "objective response (CR or PR)")


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


def _inner_split(
    names: Sequence[str], outcome: Outcome, training: NDArray[np.intp], settings: TrainingSettings
) -> Split:
    """Return which of all cases train and which tell when to stop, among those that are not held out."""
    own = [names[number] for number in training]
    inner = split_patients(own, outcome.strata[training], settings.validation, settings.seed)
    return Split(training[inner.training], training[inner.validation])


def _learned_config(
    config: DeepConfig, settings: DeepTrainSettings, outcome: Outcome, inner: Split, phantoms: bool
) -> DeepConfig:
    """Return the configuration with what the training part alone tells: columns and intervals."""
    config = replace(config, phantoms=phantoms)
    if settings.system == "selection":
        return replace(config, columns=_columns(outcome.table.iloc[inner.training]))
    if settings.system == "dlopctr" and outcome.time is not None:
        time, event = outcome.time[inner.training], outcome.happened[inner.training]
        return replace(config, breaks=tuple(map(float, breaks_by_events(time, event, settings.intervals))))
    return config


def _columns(table: pd.DataFrame) -> tuple[Column, ...]:
    """Return those of the 20 variables that the training part has and that vary in it.

    Raises:
        InputError: there is none.
    """
    columns = learn_columns(table[[name for name in VARIABLES if name in table.columns]], standardise=False)
    if not columns:
        raise InputError(
            f"SELECTION reads {', '.join(VARIABLES)}; the table has none of them that varies: add clinical columns, or "
            "train 'selection-vit', which reads images alone."
        )
    return columns


@dataclass(frozen=True, eq=False)
class _Learner:
    """One training with all that it needs."""

    config: DeepConfig
    settings: DeepTrainSettings
    seen: SeenCases
    outcome: Outcome
    inner: Split
    place: Place

    def learn(self, extractor: FeatureExtractor | None) -> tuple[Network, Trained]:
        """Return the network with its best weights, and how it learned."""
        loop = self.settings.loop
        if extractor is None:
            return learn_selection(
                self._samples({"images": self.seen.pixels, "clinical": self._clinical()}),
                self.inner,
                selection_size(self.settings.size),
                loop,
                self.place,
            )
        if self.settings.from_scratch:
            samples = self._samples({"images": self.seen.pixels, "present": self.seen.present})
            return learn_from_scratch(extractor, self._reader(), samples, self.inner, loop, self.place)
        return self._learn_reader(extractor, loop)

    def _learn_reader(self, extractor: FeatureExtractor, loop: TrainingSettings) -> tuple[Network, Trained]:
        from hccoutcome.deep.whole_network import WholeNetwork

        features = case_features(extractor, self.seen.pixels, self.seen.present, loop, self.place)
        samples = self._samples({"features": features, "present": self.seen.present}, varied="features")
        if self.config.system == "tci":
            reader, trained = learn_tci(samples, self.inner, TciSize(**self.config.size), loop, self.place)
            return WholeNetwork(extractor, reader), trained
        hazards, trained = learn_dlopctr(samples, self.inner, loop, self.place)
        return WholeNetwork(extractor, hazards), trained

    def _reader(self) -> TciNetwork | DlopctrNetwork:
        torch.manual_seed(self.settings.loop.seed)
        if self.config.system == "tci":
            return TciNetwork(TciSize(**self.config.size))
        return DlopctrNetwork(self.config.size["features"], len(self.config.breaks) - 1)

    def _samples(self, inputs: dict[str, NDArray[Any]], varied: str | None = None) -> Samples:
        return Samples(inputs, self._targets(), self.seen.names, varied)

    def _targets(self) -> dict[str, Any]:
        if self.config.target == "survival" and self.outcome.time is not None:
            return survival_targets(self.outcome.time, self.outcome.happened, np.array(self.config.breaks))
        return response_targets(self.outcome.happened, self.inner, self.settings.loop)

    def _clinical(self) -> NDArray[np.float32]:
        return clinical_numbers(self.config, self.outcome.table)


def clinical_numbers(config: DeepConfig, table: pd.DataFrame) -> NDArray[np.float32]:
    """Return the numbers of a network's clinical variables, (patients, variables), NaN where not known."""
    found = np.empty((len(table), len(config.columns)), np.float32)
    for place, column in enumerate(config.columns):
        found[:, place] = [column.number(value) for value in table[column.name]]
    return found


def _numbers(model: DeepModel, config: DeepConfig, seen: SeenCases, table: pd.DataFrame) -> NDArray[np.float64]:
    """Return what the network gives for every patient, (patients,) or (patients, intervals)."""
    clinical = clinical_numbers(config, table)
    found = []
    with torch.inference_mode():
        for pixels, present, row in zip(seen.pixels, seen.present, clinical, strict=True):
            found.append(model.raw(*as_batch(np.array(pixels), present, list(row), model.device))[0])
    return torch.stack(found).double().cpu().numpy()


def _scores(model: DeepModel, config: DeepConfig, seen: SeenCases, table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the scores of all patients as the package will give them."""
    numbers = _numbers(model, config, seen, table)
    probabilities = 1 / (1 + np.exp(-numbers))
    return np.log(risk_of(probabilities)) if config.target == "survival" else probabilities


def _name(settings: DeepTrainSettings) -> str:
    return f"{settings.system}-{settings.endpoint.replace('.', '')}"


def _settings_to_json(
    settings: DeepTrainSettings, cohort: TrainingCohort, found: DeepEvaluation, trained: Trained
) -> dict[str, Any]:
    """Return what it takes to train the same package again."""
    return {
        "system": settings.system,
        "endpoint": settings.endpoint,
        "reader": settings.reader,
        "size": settings.size,
        "weights": "none" if settings.weights is None else "ImageNet",
        "from_scratch": settings.from_scratch,
        "test": settings.test,
        "intervals": settings.intervals,
        "training": settings.loop.to_dict(),
        "best_epoch": trained.best,
        "lowest_training_epoch": trained.lowest_training,
        "patients": found.patients,
        "sources": dict(sorted(cohort.sources.items())),
    }
