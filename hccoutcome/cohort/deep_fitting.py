"""One network fitted to some of the patients: everything that it learns comes from those alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from hccoutcome.cohort.deep_cases import SeenCases
from hccoutcome.cohort.deep_settings import DeepTrainSettings, Outcome
from hccoutcome.deep.cache import Cache
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
from hccoutcome.deep.package import DeepConfig
from hccoutcome.deep.package_network import as_batch
from hccoutcome.deep.resnet import FeatureExtractor
from hccoutcome.deep.samples import Samples, Split, split_patients
from hccoutcome.deep.selection_inputs import VARIABLES
from hccoutcome.deep.selection_network import selection_size
from hccoutcome.deep.tci_network import TciNetwork, TciSize
from hccoutcome.deep.training import Trained
from hccoutcome.deep.whole_network import WholeNetwork
from hccoutcome.errors import InputError
from hccoutcome.package.inputs import Column, learn_columns

Rows = NDArray[np.intp]
Extractor = Callable[[], FeatureExtractor | None]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A network that has learned.

    Attributes:
        config: everything about it but its weights, the median of its training part included.
        model: in evaluation.
        trained: the training loop's report.
        split: patients that it learned from, and that told when to stop.
    """

    config: DeepConfig
    model: DeepModel
    trained: Trained
    split: Split


@dataclass(frozen=True, eq=False)
class Fitter:
    """What all networks of one training share.

    Attributes:
        config: as far as it is known before anything was learned.
        settings: what is trained.
        seen: what the network sees of all patients.
        outcome: of all patients.
        extractor: returns the convolutions, None where there are none; new ones each time where they learn too.
        features: of frozen convolutions, which see every patient alike (``case_features``); None where there are none.
    """

    config: DeepConfig
    settings: DeepTrainSettings
    seen: SeenCases
    outcome: Outcome
    extractor: Extractor
    features: NDArray[np.float32] | None = None

    def with_features(self, place: Place, cache: Cache | None = None) -> Fitter:
        """Return the same with the features of frozen convolutions, computed once for all networks and kept."""
        extractor = None if self.settings.from_scratch else self.extractor()
        if extractor is None:
            return self
        found = case_features(extractor, self.seen.pixels, self.seen.present, self.settings.loop, place, cache)
        return replace(self, features=found)

    def plan(self, rows: Rows) -> tuple[Split, DeepConfig]:
        """Return who of some patients trains and who tells when to stop, and the network that the former ask for.

        Raises:
            InputError: too few patients or events, or none of the variables varies among them.
        """
        split = self._split(rows)
        return split, self._learned_config(split)

    def fit(self, rows: Rows, place: Place) -> Fitted:
        """Return a network that learned from some patients, part of whom told when to stop.

        Raises:
            InputError: as ``plan``.
            Cancelled: the progress callback asked to stop.
        """
        split, config = self.plan(rows)
        network, trained = _Learner(self, config, split, place).learn()
        model = DeepModel(network).to(place.device).eval()
        median = float(np.median(self.scores(model, config, split.training)))
        return Fitted(replace(config, median=median), model, trained, split)

    def scores(self, model: DeepModel, config: DeepConfig, rows: Rows) -> NDArray[np.float64]:
        """Return the scores of some patients as the package will give them, (patients,)."""
        clinical = clinical_numbers(config, self.outcome.table.iloc[rows])
        found = []
        with torch.inference_mode():
            for place, row in zip(rows, clinical, strict=True):
                found.append(self._raw(model, int(place), list(row)))
        numbers = torch.stack(found).double().cpu().numpy()
        probabilities = 1 / (1 + np.exp(-numbers))
        return np.log(risk_of(probabilities)) if config.target == "survival" else probabilities

    def _raw(self, model: DeepModel, place: int, row: list[float]) -> Tensor:
        """Return what a network gives for one patient; frozen convolutions are not run again."""
        present = self.seen.present[place]
        if self.features is not None and isinstance(model.network, WholeNetwork):
            plain = torch.from_numpy(self.features[place, :1]).to(model.device)
            return model.network.reader(plain, torch.from_numpy(np.array(present))[None].to(model.device))[0]
        return model.raw(*as_batch(np.array(self.seen.pixels[place]), present, row, model.device))[0]

    def _split(self, rows: Rows) -> Split:
        """Return which of some patients train and which tell when to stop."""
        loop = self.settings.loop
        own = [self.seen.names[number] for number in rows]
        inner = split_patients(own, self.outcome.strata[rows], loop.validation, loop.seed)
        return Split(rows[inner.training], rows[inner.validation])

    def _learned_config(self, split: Split) -> DeepConfig:
        """Return the configuration with what the training part alone tells: columns and intervals."""
        config = replace(self.config, phantoms=self.seen.phantoms)
        if self.settings.system == "selection":
            return replace(config, columns=_columns(self.outcome.table.iloc[split.training]))
        if self.settings.system == "dlopctr" and self.outcome.time is not None:
            time, event = self.outcome.time[split.training], self.outcome.happened[split.training]
            return replace(config, breaks=tuple(map(float, breaks_by_events(time, event, self.settings.intervals))))
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

    fitter: Fitter
    config: DeepConfig
    split: Split
    place: Place

    def learn(self) -> tuple[Network, Trained]:
        """Return the network with its best weights, and how it learned."""
        settings, seen = self.fitter.settings, self.fitter.seen
        extractor = self.fitter.extractor()
        if extractor is None:
            clinical = clinical_numbers(self.config, self.fitter.outcome.table)
            return learn_selection(
                self._samples({"images": seen.pixels, "clinical": clinical}),
                self.split,
                selection_size(settings.size),
                settings.loop,
                self.place,
            )
        if settings.from_scratch:
            samples = self._samples({"images": seen.pixels, "present": seen.present})
            return learn_from_scratch(extractor, self._reader(), samples, self.split, settings.loop, self.place)
        return self._learn_reader(extractor)

    def _learn_reader(self, extractor: FeatureExtractor) -> tuple[Network, Trained]:
        features, loop = self.fitter.features, self.fitter.settings.loop
        assert features is not None  # noqa: S101 - ``with_features`` goes before; told to the type checker
        samples = self._samples({"features": features, "present": self.fitter.seen.present}, varied="features")
        if self.config.system == "tci":
            reader, trained = learn_tci(samples, self.split, TciSize(**self.config.size), loop, self.place)
            return WholeNetwork(extractor, reader), trained
        hazards, trained = learn_dlopctr(samples, self.split, loop, self.place)
        return WholeNetwork(extractor, hazards), trained

    def _reader(self) -> TciNetwork | DlopctrNetwork:
        torch.manual_seed(self.fitter.settings.loop.seed)
        if self.config.system == "tci":
            return TciNetwork(TciSize(**self.config.size))
        return DlopctrNetwork(self.config.size["features"], len(self.config.breaks) - 1)

    def _samples(self, inputs: dict[str, NDArray[Any]], varied: str | None = None) -> Samples:
        return Samples(inputs, self._targets(), self.fitter.seen.names, varied)

    def _targets(self) -> dict[str, Any]:
        outcome = self.fitter.outcome
        if self.config.target == "survival" and outcome.time is not None:
            return survival_targets(outcome.time, outcome.happened, np.array(self.config.breaks))
        return response_targets(outcome.happened, self.split, self.fitter.settings.loop)


def clinical_numbers(config: DeepConfig, table: pd.DataFrame) -> NDArray[np.float32]:
    """Return the numbers of a network's clinical variables, (patients, variables), NaN where not known."""
    found = np.empty((len(table), len(config.columns)), np.float32)
    for place, column in enumerate(config.columns):
        found[:, place] = [column.number(value) for value in table[column.name]]
    return found
